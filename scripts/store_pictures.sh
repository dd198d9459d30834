#!/usr/bin/env bash
# Draws the pictures of the Asset Store. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/store_pictures.sh [--output DIR] [--help]

Draws what the Asset Store shows into DIR (store): the four pages of the demo, each after a short session in the real window, and
the thumbnail. All are 1280 × 720, the smallest size that the store takes.

Needs what scripts/demo.sh needs; without a display also xvfb-run (Debian, Ubuntu: apt install xvfb).
HELP
}

readonly RESOLUTION=1280x720

output=$root/store
while [ $# -gt 0 ]; do
    case $1 in
        --output) output=$(cd "${2:?--output needs a folder}" && pwd); shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

window=()
if [ "$(platform)" = linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    if ! command -v xvfb-run > /dev/null; then
        say "skipped: no display, and no xvfb-run."
        exit 77
    fi
    window=(xvfb-run -a -s "-screen 0 1280x800x24")
fi

"$root/scripts/build.sh"
find_engine
prepare_project "$project"
make_temporary

# draw NAME SUCCESS ENGINE_ARGUMENTS...: runs the engine, which draws $temporary/NAME.png, and says so in a line that matches SUCCESS.
draw() {
    local name=$1 success=$2
    shift 2
    timeout -k 5 300 ${window[@]+"${window[@]}"} "$GODOT" --rendering-driver opengl3 --resolution $RESOLUTION "$@" \
        > "$temporary/log" 2>&1 < /dev/null || { cat "$temporary/log" >&2; die "$name: the engine failed (above)."; }
    if ! grep -qE "$success" "$temporary/log" || [ ! -s "$temporary/$name.png" ]; then
        cat "$temporary/log" >&2
        die "$name: no picture (above)."
    fi
}

for page in lab chat stall lobby; do
    draw $page '^demo: all [1-9][0-9]* claims held$' --path "$project" res://demo/demo.tscn \
        -- --screenshot="$temporary/$page.png" --scene=$page --preset=awful --compare --seconds=30
done
# In an empty project: without one, the engine shows its list of projects.
mkdir "$temporary/empty"
echo 'config_version=5' > "$temporary/empty/project.godot"
cp "$root/scripts/store_pictures.gd" "$temporary/empty/"
draw thumbnail '^store pictures: thumbnail saved$' --path "$temporary/empty" --script res://store_pictures.gd \
    -- "$root/icons/PacketPeerUdpRs.svg" "$temporary/stall.png" "$temporary/thumbnail.png"

python3 - "$temporary" <<'PYTHON'
import pathlib, struct, sys

for file in sorted(pathlib.Path(sys.argv[1]).glob("*.png")):
    size = struct.unpack(">II", file.read_bytes()[16:24])
    if size != (1280, 720):
        sys.exit(f"store_pictures: {file.name} is {size[0]} × {size[1]} pixels; the store takes 1280 × 720.")
PYTHON
for name in thumbnail lab chat stall lobby; do replace_file "$temporary/$name.png" "$output/$name.png"; done
say "the pictures are in $output."
