#!/usr/bin/env bash
# Runs the suites about hostile conditions, as listed in docs/reliability.md. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'HELP'
Usage: scripts/reliability.sh [--only WORDS] [--write] [--help]

Runs the commands in the table of docs/reliability.md, one after the other, and prints what came out: the line "RESULT: …" of each, and
the time that it took. About an hour in all; on a quiet machine, because one of them measures frames.

  --only WORDS  the rows whose subject or command has these words
  --write       puts what came out into the table

Needs the addon as scripts/build.sh stages it. Exit code 1 if one of them failed; what a machine cannot do is skipped.
HELP
}

arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --only)
            [ $# -ge 2 ] || { say "--only needs words"; exit 2; }
            arguments+=("--only=$2")
            shift
            ;;
        --write) arguments+=(--write) ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

need_python
[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
find_engine
exec python3 "$root/scripts/reliability.py" ${arguments[@]+"${arguments[@]}"}
