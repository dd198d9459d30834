#!/usr/bin/env bash
# Prints the path of a Godot 4 engine that can run the addon. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly MINIMUM="4.5"

usage() {
    cat <<HELP
Usage: scripts/get_godot.sh [--emulated-arm64] [--help]

Prints, on standard output, the path of a Godot engine of version ${MINIMUM} or newer:
  1. \$GODOT, if it is set;
  2. godot4 or godot on the PATH;
  3. on Debian and its derivatives (amd64, arm64) the engine of Debian testing, fetched from the machine's own mirror and
     unpacked into .cache/godot: 160 MB to fetch, 550 MB unpacked. Nothing is installed; root is not needed.
An engine that is too old or of another major version is rejected.

  --emulated-arm64   on Debian and its derivatives for amd64: the path of a program that runs Debian testing's engine for
                     arm64 under qemu's user-mode emulation. Both are unpacked into .cache/godot-arm64: 200 MB to fetch, 510 MB
                     unpacked. It opens no window.
HELP
}

emulated=false
case "${1:-}" in
    "") ;;
    --emulated-arm64) emulated=true ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

# version_of ENGINE: prints the engine's version ("4.6.3.stable…"), or nothing if it does not start.
version_of() { timeout 60 "$1" --headless --version 2> /dev/null | tail -n 1 | tr -d '\r' || true; }

# suits ENGINE: whether it is a Godot 4 of version MINIMUM or newer. Prints the reason if not.
suits() {
    local version major minor
    version=$(version_of "$1")
    if [[ ! $version =~ ^([0-9]+)\.([0-9]+) ]]; then
        say "$1 does not answer --version; it is not used."
        return 1
    fi
    major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
    if ((major != 4 || minor < ${MINIMUM#*.})); then
        say "$1 is Godot $version; Godot $MINIMUM or a newer Godot 4 is needed."
        return 1
    fi
}

home=$cache/godot
if $emulated; then home=$cache/godot-arm64; fi

if $emulated; then
    [ "$(platform)-$(architecture)" = linux-x86_64 ] || die "--emulated-arm64 is for Linux on x86_64."
elif [ -n "${GODOT:-}" ]; then
    engine=$(command -v -- "$GODOT") || { say "\$GODOT is '$GODOT', which cannot be run."; exit 1; }
    suits "$engine" || exit 1
    realpath -s -- "$engine"
    exit 0
else
    for name in godot4 godot; do
        if engine=$(command -v "$name") && suits "$engine"; then
            realpath -s -- "$engine"
            exit 0
        fi
    done
fi

# ---- Debian and its derivatives: unpack an engine ----------------------------------------------------------

launcher="$home/godot"
if [ -x "$launcher" ] && suits "$launcher"; then
    echo "$launcher"
    exit 0
fi

missing() {
    say "No Godot found: install Godot $MINIMUM or newer (https://godotengine.org/download) and put it on the PATH" \
        "as 'godot', or set GODOT to its path."
    exit 1
}

# Debian's names for the architectures that have the engine, and their program loaders.
for tool in apt-get dpkg-deb flock; do
    command -v "$tool" > /dev/null || missing
done
case $(dpkg --print-architecture) in
    amd64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
    arm64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
    *) missing ;;
esac

mirror=$(debian_mirror) || missing
if [ ! -r "$debian_keyring" ]; then
    say "$debian_keyring is missing; install the package debian-archive-keyring, or install Godot $MINIMUM or newer."
    exit 1
fi

if $emulated; then
    say "unpacking Debian testing's engine for arm64 and qemu into ${home#"$root"/} (about 200 MB to fetch) …"
else
    say "no engine on this machine; unpacking Debian testing's into ${home#"$root"/} (about 160 MB to fetch) …"
fi

# All work is done in a folder of its own, which is renamed at the end, so that an interrupted run leaves no partial engine.
mkdir -p "$home"
exec 9> "$home/lock"
flock 9 # a second run waits here and then finds the engine
if [ -x "$launcher" ] && suits "$launcher"; then
    echo "$launcher"
    exit 0
fi
work="$home/work"
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

if $emulated; then
    # apt takes the architecture from here. qemu is a static program of this machine's architecture.
    mkdir -p "$work/apt/etc/apt.conf.d"
    echo 'APT::Architecture "arm64"; APT::Architectures "arm64";' > "$work/apt/etc/apt.conf.d/architecture"
    testing_archives "$work/apt" "$mirror" godot || exit 1
    unpack_archives "$work/engine" "$work"/apt/cache/archives/*.deb
    testing_archives "$work/qemu" "$mirror" qemu-user || exit 1
    mkdir -p "$work/engine/emulator"
    dpkg-deb --fsys-tarfile "$work"/qemu/cache/archives/qemu-user_*.deb |
        tar -C "$work/engine/emulator" -xf - --strip-components 3 ./usr/bin/qemu-aarch64

    # With -L, the engine finds its program loader and libraries in the folder. The machine knows nothing of arm64, so a script that
    # starts the engine again does so by this launcher, which passes its own path in \$GODOT.
    cat > "$work/engine/godot" <<LAUNCHER
#!/bin/sh
export GODOT="\$(readlink -f -- "\$0")"
here=\$(dirname -- "\$GODOT")/engine
exec "\$here/emulator/qemu-aarch64" -L "\$here" "\$here/usr/bin/godot" "\$@"
LAUNCHER
else
    # With Mesa's software renderer and the X libraries, so that the engine can open a window, also in Xvfb.
    packages=(godot libgl1 libegl1 libglx-mesa0 libgl1-mesa-dri libxcursor1 libxi6 libxrandr2 libxinerama1 libxkbcommon-x11-0
        fonts-dejavu-core fontconfig-config)
    testing_archives "$work/apt" "$mirror" "${packages[@]}" || exit 1
    unpack_archives "$work/engine" "$work"/apt/cache/archives/*.deb

    # The engine is started by its own program loader: --library-path, unlike LD_LIBRARY_PATH, does not affect programs that the
    # engine starts. Mesa's drivers are those of the folder and render in software. The engine then reports the loader as its
    # executable path, so the launcher passes its own path in \$GODOT.
    cat > "$work/engine/godot" <<LAUNCHER
#!/bin/sh
export GODOT="\$(readlink -f -- "\$0")"
here=\$(dirname -- "\$(readlink -f -- "\$0")")/engine
export LIBGL_DRIVERS_PATH="\$here/usr/lib/$triplet/dri" LIBGL_ALWAYS_SOFTWARE=1
export __EGL_VENDOR_LIBRARY_DIRS="\$here/usr/share/glvnd/egl_vendor.d"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_PATH="\$here/etc/fonts"
exec "\$here/usr/lib/$triplet/$loader" --argv0 "\$0" \\
    --library-path "\$here/usr/lib/$triplet:\$here/usr/lib/$triplet/pulseaudio" "\$here/usr/bin/godot" "\$@"
LAUNCHER
fi
chmod +x "$work/engine/godot"
rm -rf "$home/engine"
mv "$work/engine" "$home/engine"
mv "$home/engine/godot" "$launcher"
suits "$launcher" || exit 1
say "Godot $(version_of "$launcher") is ready."
echo "$launcher"
