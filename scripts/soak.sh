#!/usr/bin/env bash
# Runs mixed traffic for minutes and checks that nothing is lost or grows. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/soak.sh [--minutes N] [--seed N] [--chart FILE] [--help]

Runs mixed traffic in a headless engine: streams that must arrive complete and in order while background mode is switched on
and off, peers that open and close with every option, floods that overflow their queues, threads whose waits are interrupted,
a server whose clients come and go among packets of unknown senders, link conditions and a relay that must account for every packet. Prints a line every ten seconds. Fails if a packet is
lost or damaged where none may be, on unexpected output, on threads or files left at the end, and if the memory grows.

  --minutes N   duration in minutes, also a fraction such as 0.2 (default: 5)
  --seed N      repeat the run that has printed this seed
  --chart FILE  draw memory, threads and open files over the time (SVG)

Needs Linux, and the addon as scripts/build.sh stages it.
HELP
}

minutes=5 chart="" arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --chart)
            [ $# -ge 2 ] || { say "--chart needs a file"; exit 2; }
            chart=$2
            shift
            ;;
        --minutes | --seed)
            [[ ${2:-} =~ ^[0-9]*\.?[0-9]+$ ]] || { say "$1 needs a number"; exit 2; }
            if [ "$1" = --minutes ]; then minutes=$2; else arguments+=("--seed=$2"); fi
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

[ "$(platform)" = linux ] || die "it needs Linux, which reports threads, files and memory in /proc."
[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
seconds=$(awk -v minutes="$minutes" 'BEGIN { print int(minutes * 60 + 0.5) }')
# A shorter run has too few measurements of the memory.
[ "$seconds" -ge 5 ] || die "--minutes must be 0.1 or more."
if [ -n "$chart" ]; then
    need_python
    make_temporary
    arguments+=("--csv=$temporary/soak.csv")
fi
"$root/scripts/run_scene.sh" --brief --timeout $((seconds + 300)) --success '^soak: all went well' \
    res://tests/soak.tscn -- "--seconds=$seconds" ${arguments[@]+"${arguments[@]}"}
[ -z "$chart" ] || python3 "$root/scripts/soak_chart.py" "$temporary/soak.csv" "$chart"
