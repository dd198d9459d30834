#!/usr/bin/env bash
# Tests that the editor can reload the addon at any moment. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/reload_test.sh [--help]

Builds the addon with debug information, opens a small project in the headless editor, and lets it reload the addon several
times, each time from another file, while peers receive in both modes and threads wait. After each reload the old library
must be unmapped, and the peers must be closed, with default options, and usable. If there is an addon staged by
scripts/build.sh, the same with that: an update while the editor is open. A release build stays in memory and in use until
the editor is restarted; so with it the addon is also reloaded while threads go on to call methods, which must not end the editor. (A
debug build is really unloaded: a call that comes meanwhile crashes the engine, which does not keep threads from calling.)

Exit code 0 if all checks passed, 1 if not, 77 if this is not Linux. Needs Rust and a C compiler.
HELP
}

case "${1:-}" in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

if [ "$(platform)" != linux ]; then
    say "skipped: mapped libraries are looked up in /proc, which only Linux has."
    exit 77
fi
need_rust
find_engine

target=${CARGO_TARGET_DIR:-$root/target}
env -u CARGO_BUILD_TARGET cargo build --quiet --locked --manifest-path "$root/Cargo.toml" --package packet_peer_udp_rs \
    --target-dir "$target"

# reload_with LIBRARY NAME [ARGUMENT]: runs the test in a project that has only the addon and a plugin, which does the work.
reload_with() {
    local library=$1 name=$2 folder=$cache/reload_test log=$cache/logs/reload_test-$2.log status=0
    local staged=$folder/${addon_res#res://}
    local wrong='^(USER |SCRIPT )?ERROR|panicked|\[panic|handle_crash|Program crashed|Segmentation fault|Parse Error'
    shift 2
    rm -rf "$folder"
    mkdir -p "$staged/$(dirname "$(library_path)")" "$folder/.godot" "$cache/logs"
    cp -R "$root/addon.gdextension" "$root/icons" "$staged/"
    cp "$library" "$staged/$(library_path)"
    cp -R "$root/godot-project/tests/reload" "$folder/reload"
    echo "$addon_res/addon.gdextension" > "$folder/.godot/extension_list.cfg"
    cat > "$folder/project.godot" <<'PROJECT'
config_version=5

[application]

config/name="reload_test"

[editor_plugins]

enabled=PackedStringArray("res://reload/plugin.cfg")
PROJECT
    echo "the $name library:"
    # In a subshell, which prints no message about a crash; the log is shown instead.
    (timeout -k 5 600 "$GODOT" --headless --editor --path "$folder" -- "$@" < /dev/null > "$log" 2>&1) || status=$?
    # (A thread that has seen its peer open may find it closed by the reload.)
    if [ $status != 0 ] || ! grep -E '^reload: all [1-9][0-9]* checks held' "$log" ||
        grep -v '^ERROR: PacketPeerUdpRs\.wait(): the peer is not open' "$log" | grep -Eq "$wrong"; then
        cat "$log"
        die "FAILED (exit code $status); the whole log is above, and in ${log#"$root"/}."
    fi
}

reload_with "$target/debug/$(library_name)" debug
if [ -e "$addon/$(library_path)" ]; then
    reload_with "$addon/$(library_path)" staged --stays
    reload_with "$addon/$(library_path)" staged-calling --calling --stays
fi
