#!/usr/bin/env bash
# Calls every method beside every other one on two threads. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'HELP'
Usage: scripts/pairs.sh [--calls N] [--thread-sanitizer]

Calls each method of a peer, of a server with its peer, and of a relay beside each other one, on two threads, polled and in the
background, and looks after each pair whether the object still works. Ends with the line "RESULT: …". Every run of the core's
tests does the same with few calls a pair.

  --calls N            how often each of two methods is called at least (default: 20)
  --thread-sanitizer   under ThreadSanitizer, which finds data races; 2 calls unless --calls says otherwise
HELP
}

calls="" sanitizer=false
while [ $# -gt 0 ]; do
    case $1 in
        --calls)
            [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || { say "--calls needs a number from 1 to 999999"; exit 2; }
            calls=$2
            shift
            ;;
        --thread-sanitizer) sanitizer=true ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

cd "$root"
need_rust
make_temporary
if $sanitizer; then
    export PACKET_PEER_UDP_RS_CALLS_PER_PAIR=${calls:-2}
    run=(scripts/sanitize.sh --only=method_pairs thread)
    how=" under ThreadSanitizer"
else
    export PACKET_PEER_UDP_RS_CALLS_PER_PAIR=${calls:-20}
    run=(cargo test --quiet --locked --package packet_peer_udp_core --test method_pairs -- --nocapture)
    how=""
fi
"${run[@]}" | grep -v '^RESULT:' | tee "$temporary/log"
awk -v how="$how" -v calls="$PACKET_PEER_UDP_RS_CALLS_PER_PAIR" '
    /pairs of methods of/ { sub(/^[^0-9]*/, ""); pairs += $1 }
    END {
        if (pairs == 0) exit 1
        printf "RESULT: %d pairs of methods on two threads%s, each method called at least %d times beside the other\n", pairs, how, calls
    }' "$temporary/log" || die "no pair was called."
