#!/usr/bin/env bash
# Tests the addon beside another extension in one project. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/two_extensions_test.sh [--help]

Loads the addon and another extension that uses gdext (rust/gdext/examples/neighbour.rs) in one project, in both orders. In a game
and in the editor, where each is reloaded twice, packets flow and the other class answers; nothing is printed on standard error,
and the engine ends with exit code 0.

Needs Linux, Rust, and the addon as scripts/build.sh stages it. Exit code 0 if all held, 1 if not, 77 if this is not Linux.
HELP
}

case "${1:-}" in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

if [ "$(platform)" != linux ]; then
    say "skipped: an open library can be replaced on Linux and macOS only, and only Linux is tried."
    exit 77
fi
[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
need_rust
find_engine

target=${CARGO_TARGET_DIR:-$root/target}
env -u CARGO_BUILD_TARGET cargo build --quiet --locked --manifest-path "$root/Cargo.toml" --target-dir "$target" \
    --package packet_peer_udp_rs --example neighbour
make_temporary

# check SUCCESS-REGEX COMMAND...: it prints such a line, nothing on standard error, and ends with exit code 0.
check() {
    local success=$1 status=0
    shift
    (timeout -k 5 120 "$@" > "$temporary/out.log" 2> "$temporary/err.log" < /dev/null) || status=$?
    grep '^beside: ' "$temporary/out.log" || true
    if [ $status != 0 ] || ! grep -Eq "$success" "$temporary/out.log" || [ -s "$temporary/err.log" ] ||
        grep -Eq '^(USER |SCRIPT )?(ERROR|WARNING)|panicked|\[panic' "$temporary/out.log"; then
        cat "$temporary/out.log" "$temporary/err.log"
        die "FAILED (exit code $status); its output is above."
    fi
}

neighbour_res=res://neighbour/neighbour.gdextension
for order in "$addon_res/addon.gdextension $neighbour_res" "$neighbour_res $addon_res/addon.gdextension"; do
    folder=$temporary/project
    rm -rf "$folder"
    mkdir -p "$folder"/{.godot,addons,neighbour,tests}
    cp -R "$addon" "$folder/addons/"
    cp -R "$root/godot-project/tests/beside" "$folder/tests/"
    cp "$target/debug/examples/libneighbour.so" "$folder/neighbour/"
    cat > "$folder/neighbour/neighbour.gdextension" <<'MANIFEST'
[configuration]

entry_symbol = "neighbour_init"
compatibility_minimum = "4.5"
reloadable = true

[libraries]

linux = "libneighbour.so"
MANIFEST
    cat > "$folder/project.godot" <<'PROJECT'
config_version=5

[application]

config/name="two_extensions_test"

[editor_plugins]

enabled=PackedStringArray("res://tests/beside/plugin/plugin.cfg")
PROJECT
    tr ' ' '\n' <<< "$order" > "$folder/.godot/extension_list.cfg"
    names="$(basename "${order% *}" .gdextension) then $(basename "${order#* }" .gdextension)"
    check "^beside: all [1-9][0-9]* checks held, in a game, $names$" \
        "$GODOT" --headless --path "$folder" --script res://tests/beside/game.gd
    check "^beside: all [1-9][0-9]* checks held, in the editor, .* reloads of each, $names$" \
        "$GODOT" --headless --editor --path "$folder"
done
