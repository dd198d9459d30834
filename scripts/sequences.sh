#!/usr/bin/env bash
# Runs random sequences of calls against a model and against the engine's classes. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/sequences.sh [--core N] [--scripts N] [--seed N] [--help]

Draws sequences of calls at random, also invalid ones, and compares every answer, packet and count: those of the core with a
model (rust/core/tests/sequences), those of scripts with PacketPeerUDP and UDPServer in step (godot-project/tests/sequences).
Prints how often each call has succeeded and failed. Fails at the first sequence that differs, which is shortened and printed.

  --core N      sequences of the core: three fifths of a peer's calls, the rest of a server's and its peers' (default: 100000)
  --scripts N   sequences of scripts, in the same shares (default: 10000)
  --seed N      repeat the run that has printed this seed

0 leaves a part out. The core's part needs Rust; that of scripts the addon as scripts/build.sh stages it.
HELP
}

core=100000 scripts=10000 seed=$(date +%s)
while [ $# -gt 0 ]; do
    case $1 in
        --core | --scripts | --seed)
            # Without zeros before it: bash would take it as octal.
            [[ ${2:-} =~ ^(0|[1-9][0-9]{0,17})$ ]] || { say "$1 needs a number below 10^18"; exit 2; }
            case $1 in
                --core) core=$2 ;;
                --scripts) scripts=$2 ;;
                --seed) seed=$2 ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
[ $((core + scripts)) -gt 0 ] || { say "nothing is to be done."; exit 2; }

make_temporary
log=$temporary/log
start=$SECONDS

if [ "$core" -gt 0 ]; then
    need_rust
    say "$core sequences of the core, seed $seed …"
    cargo test --manifest-path "$root/Cargo.toml" --locked -p packet_peer_udp_core --test sequences --no-run
    # Two tests, one for peers and one for servers, at the same time.
    SEQUENCES=$core SEQUENCES_SEED=$seed cargo test --manifest-path "$root/Cargo.toml" --locked -p packet_peer_udp_core \
        --test sequences -- --nocapture 2>&1 | tee -a "$log"
fi
if [ "$scripts" -gt 0 ]; then
    [ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
    say "$scripts sequences of scripts, seed $seed …"
    peers=$((scripts * 3 / 5))
    "$root/scripts/run_scene.sh" --brief --timeout $((120 + scripts / 20)) --success '^sequences: all answered alike' \
        res://tests/sequences.tscn -- "--peers=$peers" "--servers=$((scripts - peers))" "--seed=$seed" 2>&1 | tee -a "$log"
fi

# sum TITLE: how many sequences of TITLE were run, by what they have printed at their end; with commas.
sum() {
    local number
    number=$(sed -n "s/^.*sequences of $1: \([0-9]*\) with [0-9]* calls.*/\1/p" "$log")
    while [[ $number =~ ^([0-9]+)([0-9]{3})(,.*)?$ ]]; do
        number=${BASH_REMATCH[1]},${BASH_REMATCH[2]}${BASH_REMATCH[3]}
    done
    [ -n "$number" ] || die "nothing is known of the sequences of $1."
    echo "$number"
}

parts=()
if [ "$core" -gt 0 ]; then
    of_peers=$(sum "a peer's calls") of_servers=$(sum "a server's calls")
    parts+=("$of_peers random sequences of a peer's calls and $of_servers of a server's and its peers', polled and in the"
        "background, answered as the model")
fi
if [ "$scripts" -gt 0 ]; then
    [ ${#parts[@]} = 0 ] || parts+=("and")
    of_peers=$(sum peers) of_servers=$(sum servers)
    parts+=("$of_peers random sequences of scripts' calls on PacketPeerUdpRs and $of_servers on UdpServerRs and its peers"
        "as PacketPeerUDP and UDPServer")
fi
echo "seed $seed, $((SECONDS - start)) s"
echo "RESULT: ${parts[*]}"
