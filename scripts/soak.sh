#!/usr/bin/env bash
# Lets peers work for minutes, and sees that nothing grows. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/soak.sh [--minutes N] [--seed N] [--help]

Runs mixed traffic in a headless engine: streams that must arrive whole and in order while the mode of receiving changes,
peers that come and go with every option, floods that overflow their queues, threads that wait and are ended, a server whose
guests come and go among strangers. Prints a line every ten seconds. Fails when a packet is lost or torn where none may be,
when anything unexpected is printed, when threads or files are left at the end, or when the memory grows.

  --minutes N   how long (default: 5; fractions are allowed: 0.2)
  --seed N      the seed of an earlier run, which it prints

Needs Linux, and the addon as scripts/build.sh stages it.
HELP
}

minutes=5 arguments=()
while [ $# -gt 0 ]; do
    case $1 in
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

[ "$(platform)" = linux ] || die "what it looks at, only Linux tells."
[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
seconds=$(awk -v minutes="$minutes" 'BEGIN { print int(minutes * 60 + 0.5) }')
# Shorter, the memory cannot be judged.
[ "$seconds" -ge 5 ] || die "--minutes must be 0.1 or more."
exec "$root/scripts/run_scene.sh" --brief --timeout $((seconds + 90)) --success '^soak: all went well' \
    res://tests/soak.tscn -- "--seconds=$seconds" ${arguments[@]+"${arguments[@]}"}
