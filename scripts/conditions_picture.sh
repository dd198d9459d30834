#!/usr/bin/env bash
# Draws what the presets of link conditions do to packets. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/conditions_picture.sh [options] [--help]

Builds the addon and sends 60 packets of 100 bytes a second through each preset of link conditions, all at once and in one
direction. Draws how long each packet was on its way, and which were lost, as docs/images/conditions.svg, and prints a table.

  --output FILE.svg   draw another file
  --csv FILE          keep the times of all packets
  --seconds N         send for so long (default: 36; wifi stalls after 33 seconds for the first time)
  --seed N            the first preset's rng_seed; the others' follow (default: 1)

On a machine that is busy otherwise, packets are later than the presets say, in all panels at the same time.

Needs Rust, a C compiler and Python 3.
HELP
}

# absolute FILE: its path from the root folder; the file itself need not exist.
absolute() {
    local folder
    folder=$(cd "$(dirname "$1")" && pwd) || die "no such folder: $(dirname "$1")"
    echo "$folder/$(basename "$1")"
}

output=$root/docs/images/conditions.svg csv="" seconds=36 seed=1
while [ $# -gt 0 ]; do
    case $1 in
        --output | --csv | --seconds | --seed)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            case $1 in
                --output) output=$(absolute "$2") ;;
                --csv) csv=$(absolute "$2") ;;
                *)
                    [[ $2 =~ ^[1-9][0-9]{0,2}$ ]] || { say "$1 needs a number from 1 to 999"; exit 2; }
                    if [ "$1" = --seed ]; then seed=$2; else seconds=$2; fi
                    ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

need_python
"$root/scripts/build.sh"
make_temporary
[ -n "$csv" ] || csv=$temporary/packets.csv

"$root/scripts/run_scene.sh" --timeout $((seconds + 120)) --success '^conditions picture: measured$' \
    res://demo/conditions/picture_run.tscn -- --out="$csv" --seconds="$seconds" --rng-seed="$seed" >&2
python3 "$root/scripts/conditions_picture.py" "$csv" "$temporary/picture.svg" --seed "$seed"
replace_file "$temporary/picture.svg" "$output"
say "the picture is $output."
