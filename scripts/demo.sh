#!/usr/bin/env bash
# Runs the sample project. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/demo.sh [--headless | --screenshot FILE.png] [--scene lab|chat|stall|lobby] [--help]

Builds the addon, finds a Godot engine, and runs the sample project: the Lab, which shows what a network does to packets, two
UDP peers that chat, a game that freezes for a second while packets come in, and a lobby that finds games on the local network.
It opens a window. Without a display, and with --headless, it runs a scripted session in the terminal instead, which checks
everything it shows and also lets bots play on a dedicated server (scripts/dedicated.sh runs more of them).

  --headless          run in the terminal, without a window
  --screenshot FILE   open the window, run a short session, save a picture of it to FILE, and exit;
                      without a display, in a virtual one (Debian: package xvfb)
  --scene NAME        the first page of the window or picture: lab (the default), chat, stall (the frozen second) or lobby

The exit code is 0 only if all claims of the demo have been checked. Works from a fresh clone; needs Rust and a C compiler.
HELP
}

mode=window picture="" page=lab
while [ $# -gt 0 ]; do
    case $1 in
        --headless) mode=terminal ;;
        --screenshot)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            mode=picture picture=$(cd "$(dirname "$2")" && pwd)/$(basename "$2") || die "no such folder: $(dirname "$2")"
            shift
            ;;
        --scene)
            case ${2:-} in
                lab | chat | stall | lobby) page=$2 ;;
                *) usage >&2; exit 2 ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

has_display() { [ "$(platform)" != linux ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }
if [ $mode = window ] && ! has_display; then
    say "no display; running in the terminal."
    mode=terminal
fi

"$root/scripts/build.sh"

scene=res://demo/demo.tscn
success='^demo: all [1-9][0-9]* claims held$'
case $mode in
    terminal)
        exec "$root/scripts/run_scene.sh" --timeout 600 --success "$success" $scene
        ;;
    picture)
        rm -f "$picture"
        "$root/scripts/run_scene.sh" --timeout 600 --window --success "$success" $scene \
            -- --screenshot="$picture" --scene="$page"
        [ -s "$picture" ] || die "the demo ended without a picture."
        say "the picture is $picture."
        ;;
    window)
        find_engine
        prepare_project "$project"
        say "opening a window; close it to end the demo."
        exec "$GODOT" --path "$project" $scene -- --scene="$page"
        ;;
esac
