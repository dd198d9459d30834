#!/usr/bin/env bash
# Tests the addon in exported games. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/export_test.sh [--zip FILE] [--help]

Exports a small game with the addon for this machine, for release and for debugging, and runs it in another folder after the
project was moved away. It exchanges packets with the engine's own class and with a second process of the same game, receives in the
background and runs a server; it must print no warning and no error. It also quits in the middle of things, as in scripts/leaving.sh, with
exit code 0. Of the addon exactly one file lies beside the game: the
library without the class reference. Neither it nor the game's data contains a path of this machine. The editor, and the same
game run by the editor's engine, load the other library, and the editor's help shows its class reference.

For Windows and for Linux on other processors the export is checked, with a stub in place of the engine's template: the
library that lies beside the game is the one of that system.

  --zip FILE   test the addon of this package, made by scripts/package.sh (default: as staged by scripts/build.sh)

Needs Linux and the engine's export templates of the engine's own version: those that are installed for \$GODOT; for the engine that
scripts/get_godot.sh unpacks, Debian's, which are fetched into .cache/godot (43 MB). Exit code 0 if all held, 1 if not, 77 if
there are no such templates.
HELP
}

zip=""
while [ $# -gt 0 ]; do
    case $1 in
        --zip)
            [ -f "${2:-}" ] || die "--zip needs a file."
            zip=$(realpath -- "$2")
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

[ "$(platform)" = linux ] || skip "mapped libraries are looked up in /proc, which only Linux has."
need_python
find_engine

# ---- export templates ---------------------------------------------------------------------------------------

# version_of PROGRAM: the version of an engine or a template, without Debian's or anybody's own addition.
version_of() { timeout 60 "$@" --headless --version 2> /dev/null | tail -n 1 | grep -oE '^[0-9]+(\.[0-9]+)+\.[a-z]+[0-9]*' || true; }

version=$(version_of "$GODOT")
engine=$cache/godot/engine unpacked=$cache/godot/templates
libraries="" loader=""

# unpacked_template FILE: its version, when it runs with the libraries of the unpacked engine.
unpacked_version() { version_of "$loader" --library-path "$libraries" "$1"; }

# unpack_templates: Debian's templates for the unpacked engine, without what they depend on, which the engine depends on too; and
# patchelf, see below.
unpack_templates() {
    local work=$cache/godot/templates.work mirror
    mirror=$(debian_mirror) || skip "no Debian mirror is known, so there are no templates for the unpacked engine."
    say "unpacking Debian testing's export templates into .cache/godot/templates (43 MB to fetch) …"
    rm -rf "$work"
    testing_archives --only "$work/apt" "$mirror" godot-template-release godot-template-debug patchelf || exit 1
    mkdir -p "$work/tree"
    unpack_archives "$work/tree" "$work"/apt/cache/archives/*.deb
    rm -rf "$unpacked"
    mv "$work/tree" "$unpacked"
    rm -rf "$work"
}

# find_templates: sets $release and $debug, the templates' paths.
find_templates() {
    local folder name
    if [ "$GODOT" = "$cache/godot/godot" ]; then
        libraries=$(find "$engine/usr/lib" -maxdepth 1 -name '*-linux-gnu')
        loader=$(find "$libraries" -maxdepth 1 -name 'ld-linux*')
        libraries+=":$libraries/pulseaudio"
        release=$unpacked/usr/bin/godot-template-release debug=$unpacked/usr/bin/godot-template-debug
        exec 9> "$cache/godot/lock" # get_godot.sh unpacks under this lock too
        flock 9
        [ -e "$unpacked/usr/bin/patchelf" ] && [ "$(unpacked_version "$release")" = "$version" ] || unpack_templates
        exec 9>&-
        for name in "$release" "$debug"; do
            [ "$(unpacked_version "$name")" = "$version" ] ||
                skip "Debian's templates are not of version $version; remove .cache/godot to fetch the engine again as well."
        done
        return
    fi
    for folder in "${XDG_DATA_HOME:-$HOME/.local/share}/godot/export_templates/$version"{,.mono}; do
        release=$folder/linux_release.$(architecture) debug=$folder/linux_debug.$(architecture)
        if [ -e "$release" ] && [ -e "$debug" ]; then return; fi
    done
    release=$(command -v godot-template-release) debug=$(command -v godot-template-debug) || release=""
    [ -n "$release" ] && [ "$(version_of "$release")" = "$version" ] && [ "$(version_of "$debug")" = "$version" ] ||
        skip "no export templates of version $version for Linux on $(architecture) are installed."
}

find_templates

# ---- the project --------------------------------------------------------------------------------------------

make_temporary
game_project=$temporary/project
its_addon=$game_project/${addon_res#res://}
sources=$root/godot-project/tests/export

mkdir -p "$game_project/tests/support"
cp "$root/godot-project/tests/support/busy.gd" "$game_project/tests/support/"
if [ -n "$zip" ]; then
    python3 -m zipfile -e "$zip" "$game_project"
else
    [ -e "$addon/$(game_library_path)" ] || die "the addon is not built; run scripts/build.sh first."
    mkdir -p "$game_project/addons"
    cp -R "$addon" "$its_addon"
fi
[ -e "$its_addon/addon.gdextension" ] || die "there is no addon in $zip."
cp -R "$sources" "$game_project/tests/export"
mv "$game_project/tests/export/project.godot.in" "$game_project/project.godot"
rm "$game_project/tests/export/"*.in

# A template that is unpacked, not installed, names the program loader and the libraries that it was unpacked with. With what the
# engine is started with instead, a game would not find its data (--argv0), or affect the programs that it starts ($LD_LIBRARY_PATH).
# (PulseAudio's library names the place of another one, which is only right where that is installed; so that is loaded before.)
if [ -n "$loader" ]; then
    early=$(cd "${libraries#*:}" && echo libpulsecommon-*.so)
    for name in "$release" "$debug"; do
        "$loader" --library-path "$libraries" "$unpacked/usr/bin/patchelf" --set-interpreter "$loader" --force-rpath \
            --set-rpath "$libraries" --add-needed "$early" --output "$temporary/$(basename "$name")" "$name"
    done
    release=$temporary/$(basename "$release") debug=$temporary/$(basename "$debug")
fi

# preset NAME PLATFORM ARCHITECTURE RELEASE-TEMPLATE DEBUG-TEMPLATE
presets=0
preset() {
    sed -e "s|@number@|$presets|" -e "s|@name@|$1|" -e "s|@platform@|$2|" -e "s|@architecture@|$3|" -e "s|@release@|$4|" \
        -e "s|@debug@|$5|" "$sources/export_preset.cfg.in" >> "$game_project/export_presets.cfg"
    presets=$((presets + 1))
}

# library_of PLATFORM: the path, in the addon, of the library that the manifest names for it. Nothing if it names none.
library_of() { sed -n "s|^$1 = \"\(.*\)\"$|\1|p" "$its_addon/addon.gdextension"; }

preset machine Linux "$(architecture)" "$release" "$debug"
others=()
for name in windows.x86_64 linux.x86_64 linux.arm64; do
    library=$(library_of "$name")
    [ -n "$library" ] && [ "$name" != "linux.$(architecture)" ] || continue
    if [ ! -e "$its_addon/$library" ]; then
        [ -z "$zip" ] || die "the package's manifest names $library, which is not in it."
        # Not built on this machine. The export copies any file.
        mkdir -p "$(dirname "$its_addon/$library")"
        echo "the library of $name for exported games" > "$its_addon/$library"
        echo "the library of $name for the editor" > "$its_addon/${library%.*}.editor.${library##*.}"
    fi
    others+=("$name")
done
# What the editor reads of a template: its format and its processor.
python3 - "$temporary" <<'PYTHON'
import pathlib, struct, sys

folder = pathlib.Path(sys.argv[1])
for name, machine in ("x86_64", 0x8664), ("arm64", 0xAA64):
    header = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    (folder / f"stub.windows.{name}").write_bytes(header + b"PE\0\0" + struct.pack("<H", machine).ljust(256, b"\0"))
for name, machine in ("x86_64", 0x3E), ("arm64", 0xB7):
    (folder / f"stub.linux.{name}").write_bytes(b"\x7fELF".ljust(18, b"\0") + struct.pack("<H", machine).ljust(256, b"\0"))
PYTHON
for name in "${others[@]}"; do
    case $name in windows.*) system="Windows Desktop" ;; *) system=Linux ;; esac
    preset "$name" "$system" "${name#*.}" "$temporary/stub.$name" "$temporary/stub.$name"
done

# ---- running ------------------------------------------------------------------------------------------------

# run TITLE SUCCESS-REGEX COMMAND...: runs and shows it. It must succeed, print such a line, and nothing on standard error.
run() {
    local title=$1 success=$2 status=0
    local out=$temporary/out.log err=$temporary/err.log
    shift 2
    (timeout -k 5 120 "$@" > "$out" 2> "$err" < /dev/null) || status=$?
    echo "$title:"
    grep -E "^(game|editor): |$success" "$out" | sed 's/^/    /' || true
    if [ $status = 0 ] && grep -Eq "$success" "$out" && [ ! -s "$err" ] &&
        ! grep -Eq '^(USER |SCRIPT )?(ERROR|WARNING)|panicked|\[panic' "$out"; then
        return
    fi
    printf -- '---- its output:\n%s\n---- on standard error:\n%s\n----\n' "$(cat "$out")" "$(cat "$err")"
    die "FAILED: $title (exit code $status)."
}

# no_paths FILE FOLDERS...: fails if it contains a path of one of these folders.
no_paths() {
    local file=$1 folder
    shift
    for folder in "$@"; do
        if [ "$folder" != / ] && grep -qaF -- "$folder/" "$file"; then
            die "FAILED: $(basename "$file") contains a path of this machine: $folder/…"
        fi
    done
}

# export_game PRESET MODE FILE LIBRARY: exports it; beside it are its data and this library only, which is that of the addon.
export_game() {
    local name=$1 mode=$2 file=$3 library=$4 files expected
    mkdir -p "$(dirname "$file")"
    run "export: $name, $mode" "^editor: has loaded $(basename "$(library_path)")$" \
        "$GODOT" --headless --path "$game_project" "--export-$mode" "$name" "$file"
    files=$(cd "$(dirname "$file")" && find . -mindepth 1 | sort | tr '\n' ' ')
    expected=$(printf './%s\n' "$(basename "$file")" "$(basename "${file%.exe}").pck" "$(basename "$library")" | sort | tr '\n' ' ')
    [ "$files" = "$expected" ] || die "FAILED: exported were $files, and not $expected"
    cmp "$(dirname "$file")/$(basename "$library")" "$its_addon/$library" || die "FAILED: it is not the addon's $library."
    echo "    $files"
}

# Without this list, a headless editor that finds the extension crashes as it quits (godotengine/godot#111048), after it has
# written the list.
mkdir -p "$game_project/.godot"
echo "$addon_res/addon.gdextension" > "$game_project/.godot/extension_list.cfg"
run "the editor" "^editor: has loaded $(basename "$(library_path)")$" "$GODOT" --headless --path "$game_project" --import
run "the game, run by the editor's engine" "^game: all [1-9][0-9]* checks held, in the editor's engine$" \
    "$GODOT" --headless --path "$game_project"

elsewhere=$temporary/elsewhere
for mode in release debug; do
    export_game machine "$mode" "$elsewhere/$mode/game" "$(game_library_path)"
done
for name in "${others[@]}"; do
    case $name in windows.*) file=game.exe ;; *) file=game ;; esac
    export_game "$name" release "$temporary/$name/$file" "$(library_of "$name")"
done

# The class reference is in the editor's library only; and the editor shows it.
sentence="Sends and receives UDP packets and"
grep -qaF "$sentence" "$its_addon/$(library_path)" || die "FAILED: the editor's library has no class reference."
if grep -qaF "$sentence" "$its_addon/$(game_library_path)"; then die "FAILED: the game's library has the class reference."; fi
run "the editor's help" "$sentence" "$GODOT" --headless --editor --path "$game_project" -- --help-page PacketPeerUdpRs

# The project is out of reach of the exported games.
mv "$game_project" "$temporary/moved_away"
own=("$game_project" "$root" "$HOME" "${CARGO_HOME:-$HOME/.cargo}")
for mode in release debug; do
    cd "$elsewhere/$mode"
    words=$([ $mode = release ] && echo release || echo debugging)
    run "the exported game, $mode" "^game: all [1-9][0-9]* checks held, exported for $words$" env -u GODOT ./game --headless
    no_paths "$temporary/out.log" "${own[@]}"
    no_paths game.pck "${own[@]}"
    no_paths "$(basename "$(game_library_path)")" "${own[@]}"
done
cd "$elsewhere/release"
# Not look-ups, which need a name server that does not answer. A flood may fill a queue, which prints a line; and where a thread waits, the
# engine reports what that refers to.
full_queue='/^ERROR: PacketPeerUdpRs.queue_size: the queue of/{N;d}'
waiting='/^WARNING: (A Thread object is being|ObjectDB instances leaked)|^Please call wait_to_finish|^ +at: /d'
for what in wait held flood relay server; do
    # shellcheck disable=SC2016  # for the inner shell
    run "the exported game quits" "^game: quits in the middle of $what$" env -u GODOT bash -o pipefail -c '
        { ./game --headless -- --leave "$1" "$2" 2>&1 >&3 | sed -E "$3" >&2; } 3>&1
    ' bash "$what" "$root/godot-project/tests/support/flood.py" \
        "$([ $what = wait ] && echo "$waiting" || echo "$full_queue")"
done
cd "$elsewhere"
cmp release/game "$release"
cmp debug/game "$debug"
echo "export_test: exported games work, with Godot $version."
