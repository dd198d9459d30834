#!/usr/bin/env bash
# Games quit, and the editor reloads the addon, in the middle of things. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/leaving.sh [--quick] [--trials N] [--help]

Lets a game without a window quit, by a script or as when its window is closed, and the headless editor reload the addon, each in the
middle of: a wait in a thread; look-ups at a name server that does not answer; packets that link conditions hold back for a minute, sent
and received; a flood that the addon's thread receives; a relay under a flood, with a delay; a server under a flood with peers.
scripts/export_test.sh does the same with an exported game.

A game must end with exit code 0, within ten seconds of quitting, without a line on standard error but that of a full queue; where a
thread waits, the engine reports the thread and what it refers to. After a reload, which must take less than 30 seconds, everything must be closed, waits must
have ended, and a new peer must open. The editor reloads the addon as scripts/build.sh stages it and, except with --quick, one that is
built with debug information, whose library leaves the memory; not in the middle of look-ups, whose threads keep it there, and gdext
refuses to initialise such a library again.

  --trials N   how often each (default: 10)
  --quick      once each, by turns by a script and by the window

Exit code 0 if all was well, 1 if not, 77 if this is not Linux. The name server that does not answer needs root, for a network namespace;
without it, look-ups are left out.
HELP
}

trials=10 quick=false
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=true trials=1 ;;
        --trials)
            [[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] || { say "$1 needs a number from 1 to 9999"; exit 2; }
            trials=$2
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

[ "$(platform)" = linux ] || skip "it tests the threads and sockets of one system, Linux."
[ -e "$addon/$(library_path)" ] || die "the addon is not built; run scripts/build.sh first."
need_python
find_engine
prepare_project "$project"
make_temporary
trap 'kill -KILL $(jobs -p) 2> /dev/null || true; rm -rf "$temporary"' EXIT

cases=(wait resolve held flood relay server)
readonly wrong='^(USER |SCRIPT )?(ERROR|WARNING)|panicked|\[panic|handle_crash|Program crashed|Segmentation fault|Parse Error|FAILED'
flood=$project/tests/support/flood.py

# In a network of its own, names are looked up at a socket that never answers.
cat > "$temporary/silent.py" <<'PYTHON'
import socket, subprocess, sys

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
sys.exit(subprocess.run(sys.argv[2:]).returncode)
PYTHON
printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:2\n' > "$temporary/resolv.conf"
alone=(unshare --net --mount python3 "$temporary/silent.py" "$temporary/resolv.conf")
look_ups=" look-ups at a silent name server,"
if ! "${alone[@]}" true > "$temporary/log" 2>&1; then
    alone=() cases=(wait held flood relay server) look_ups=""
    say "look-ups are left out: a silent name server needs root ($(tail -n 1 "$temporary/log"))."
fi

# unexpected CASE FILE: what was printed, but for the line of a queue that a flood fills, and for the engine's report of a thread that has
# not ended where one waits.
unexpected() {
    sed '/^ERROR: PacketPeerUdpRs.queue_size: the queue of/{N;d}' "$2" | if [ "$1" = wait ]; then
        sed -E '/^WARNING: (A Thread object is being destroyed|ObjectDB instances leaked)|^Please call wait_to_finish|^ +at: /d'
    else
        cat
    fi
}

longest=0 quits=0
# quit_in_the_middle_of CASE WAY
quit_in_the_middle_of() {
    local what=$1 way=$2 code=0 start end out=$temporary/out err=$temporary/err
    bounded 60 ${alone[@]+"${alone[@]}"} "$GODOT" --headless --path "$project" --script res://tests/hostile/leaves.gd -- \
        "--case=$what" "--way=$way" "--flood=$flood" > "$out" 2> "$err" || code=$?
    end=$(date +%s%3N)
    start=$(sed -n 's/^leaves: quits at \([0-9]*\)$/\1/p' "$out")
    if [ $code != 0 ] || [ -z "$start" ] || grep -Eq "$wrong" "$out" || [ -n "$(unexpected "$what" "$err")" ]; then
        cat "$out" "$err"
        die "FAILED: quitting in the middle of $what, by $way (exit code $code)."
    fi
    [ $((end - start)) -lt 10000 ] || die "FAILED: quitting in the middle of $what took $((end - start)) ms."
    if [ $((end - start)) -gt $longest ]; then longest=$((end - start)); fi
    quits=$((quits + 1))
}

# reload_with LIBRARY NAME: adds to $reloads.
reloads=0
reload_with() {
    local library=$1 name=$2 folder=$temporary/$2 log=$cache/logs/leaving-$2.log code=0
    local staged=$folder/${addon_res#res://}
    mkdir -p "$staged/$(dirname "$(library_path)")" "$folder/.godot" "$folder/leaving" "$cache/logs"
    cp -R "$root/addon.gdextension" "$root/icons" "$staged/"
    cp "$library" "$staged/$(library_path)"
    cp "$project"/tests/hostile/leaving/plugin.* "$project/tests/support/busy.gd" "$folder/leaving/"
    echo "$addon_res/addon.gdextension" > "$folder/.godot/extension_list.cfg"
    cat > "$folder/project.godot" <<'PROJECT'
config_version=5

[application]

config/name="leaving"

[editor_plugins]

enabled=PackedStringArray("res://leaving/plugin.cfg")
PROJECT
    bounded $((trials * 60 + 120)) ${alone[@]+"${alone[@]}"} "$GODOT" --headless --editor --path "$folder" -- \
        "--trials=$trials" "--cases=$(join , "${cases[@]}")" "--flood=$flood" > "$log" 2>&1 || code=$?
    if [ $code != 0 ] || ! grep -q '^leaving: reloaded [1-9][0-9]* times$' "$log" || unexpected reload "$log" | grep -Eq "$wrong"; then
        cat "$log"
        die "FAILED: the editor reloads the $name addon (exit code $code)."
    fi
    reloads=$((reloads + $(sed -n 's/^leaving: reloaded \([0-9]*\) times$/\1/p' "$log")))
}

ways=(quit window)
for ((trial = 0; trial < trials; trial++)); do
    for ((i = 0; i < ${#cases[@]}; i++)); do quit_in_the_middle_of "${cases[i]}" "${ways[(trial + i) % 2]}"; done
done
say "$quits games have quit; the slowest took $longest ms."

libraries=(staged)
reload_with "$addon/$(library_path)" staged
if ! $quick; then
    need_rust
    target=${CARGO_TARGET_DIR:-$root/target}
    env -u CARGO_BUILD_TARGET cargo build --quiet --locked --manifest-path "$root/Cargo.toml" --package packet_peer_udp_rs \
        --target-dir "$target"
    # A release build is initialised again where it has stayed.
    cases=(wait held flood relay server)
    reload_with "$target/debug/$(library_name)" debug
    libraries+=(debug)
fi
echo "RESULT: $quits games quit with exit code 0 in the middle of a wait,$look_ups held-back packets, a flood, a relay and a server," \
    "the slowest within $longest ms; the editor reloaded the addon ($(join ', ' "${libraries[@]}")) $reloads times in the middle of the same"
