#!/usr/bin/env bash
# Decodes mutated Variants with get_var() and compares with the engine. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/variants.sh [--quick] [--count N] [--seed N] [--allow-objects] [--help]

Sends packets that a hostile sender might make of Variants (valid encodings of all types, of objects and of what nests deeply or claims
to be huge, most of them mutated) to a polled peer, one that receives in the background, one of a server, and to PacketPeerUDP, and has
each decode them with get_var(). Value and error must be those of PacketPeerUDP and of bytes_to_var(); none may become an object; no
object may be left, and the memory must not grow. Measures what costly packets cost the engine.

  --count N         how many packets (default: 1000000)
  --quick           20,000 packets
  --seed N          the packets of the run that has printed this seed
  --allow-objects   decodes with objects allowed: must be reported

Needs Linux, and the addon as scripts/build.sh stages it.
HELP
}

count=1000000 arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --quick) count=20000 ;;
        --count | --seed)
            [[ ${2:-} =~ ^[1-9][0-9]{0,8}$ ]] || { say "$1 needs a number from 1 to 999999999"; exit 2; }
            if [ "$1" = --count ]; then count=$2; else arguments+=("--seed=$2"); fi
            shift
            ;;
        --allow-objects) arguments+=("$1") ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

[ "$(platform)" = linux ] || skip "needs Linux, which reports the memory in /proc."
[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
exec "$root/scripts/run_scene.sh" --brief --timeout $((count / 1000 + 60)) --success '^RESULT: ' \
    res://tests/hostile/variants.tscn -- "--count=$count" ${arguments[@]+"${arguments[@]}"}
