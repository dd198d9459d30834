#!/usr/bin/env bash
# Floods peers, servers and a relay with small packets and checks the accounts. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/floods.sh [--quick] [--seconds N] [--threads N] [--only TEXT] [--miscount N] [--help]

Sends small packets as fast as this machine's cores can, on loopback, to a game without a window at 60 frames per second: to a peer that
receives in the background, and to one that is polled; to a server whose four clients must be answered all the while, from thousands of
forged addresses, in the background and polled; to a relay that has no place left; and, for comparison, to PacketPeerUDP and UDPServer.
Prints a table: what was sent, received, dropped by the kernel and by the queue, and not let in; which 99 % of frames took at most in
the second before the flood and in it, and the longest, in milliseconds; by how much the memory grew; which share of a client's packets
was answered, at the worst client.

  --quick        half a second each, without the engine's own classes
  --seconds N    how long each flood lasts (default: 60)
  --threads N    threads that send (default: one for each core); they run at the lowest priority
  --only TEXT    only the rows whose title has TEXT
  --miscount N   adds N to what was sent: must be reported

The exit code is 0 only if every packet sent was received or counted as dropped, the system lists as many drops as the addon, a last
packet after each flood came through, the clients were answered, and the memory grew by no more than the queues may hold. Frame times
are not checked: on a machine that does other work they say nothing. Needs Linux, Rust, and the addon as scripts/build.sh stages it.
HELP
}

seconds=60 arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --quick)
            seconds=0.5
            arguments+=(--quick)
            ;;
        --seconds | --threads | --miscount)
            [[ ${2:-} =~ ^[1-9][0-9]{0,4}$ ]] || { say "$1 needs a number from 1 to 99999"; exit 2; }
            if [ "$1" = --seconds ]; then seconds=$2; else arguments+=("$1=$2"); fi
            shift
            ;;
        --only)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            arguments+=("--only=$2")
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

[ "$(platform)" = linux ] || skip "needs Linux, where many packets are sent by one system call and drops are listed in /proc."
[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
need_rust
target=${CARGO_TARGET_DIR:-$root/target}
env -u CARGO_BUILD_TARGET cargo build --quiet --locked --release --manifest-path "$root/Cargo.toml" \
    --package packet_peer_udp_bench --bin flood --target-dir "$target"
exec "$root/scripts/run_scene.sh" --brief --timeout $((${seconds%.*} * 14 + 600)) --success '^RESULT: ' \
    res://tests/hostile/floods.tscn -- "--program=$target/release/flood" "--seconds=$seconds" \
    ${arguments[@]+"${arguments[@]}"}
