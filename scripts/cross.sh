#!/usr/bin/env bash
# Checks that the workspace compiles for other platforms; builds it for Windows and runs those tests under wine. See --help.
#
# rustc, cargo, the standard library's sources and mingw-w64 come from a newer Debian suite, unpacked into a chroot without
# being configured. The standard library is built with RUSTC_BOOTSTRAP=1 -Zbuild-std once per target, into the chroot's
# sysroot; all other crates are compiled as by a stable toolchain. Output goes to $CROSS_DIR/target/NAME, never to
# DIR/target. Only $CROSS_DIR and cargo's download cache are changed; mounts and processes are in a namespace of their own.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/cross.sh COMMAND [ARGUMENTS]      (Debian, amd64, root)

  setup                                unpack the tools if they are not there (about a minute and 3.5 GB)
  std TARGET...                        build the standard library for targets (otherwise at first use, ~45 s each)
  check DIR TARGET... [-- CARGO ARGS]  cargo check --workspace --all-targets; prints PASS or FAIL per target
  test-windows DIR [CARGO ARGS]        cargo test for x86_64-pc-windows-gnu, run under wine, headless
  build-windows DIR [CARGO ARGS]       release build of .dll and .exe; lists the DLLs that each one imports
  run DIR CMD...                       any command in the chroot
  godot-windows DIR [ARGS...]          the Windows Godot in \$GODOT_WINDOWS under wine, headless, in the folder DIR; it has a
                                       network of its own that no other host is on

DIR is a cargo workspace or package. It has the same path in the chroot, with the whole git work tree that it is in.
Examples, from the project's root:

  scripts/cross.sh check . x86_64-pc-windows-gnu aarch64-apple-darwin aarch64-linux-android aarch64-unknown-linux-gnu
  scripts/cross.sh test-windows . -p packet_peer_udp_core

Environment: CROSS_DIR (default .cache/cross), CROSS_SUITE, CROSS_WINE_SUITE; GODOT_WINDOWS, a Windows engine (x86_64, .exe);
cargo receives all other variables.
HELP
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    "") usage >&2; exit 2 ;;
esac

# shellcheck disable=SC2154  # cache comes from lib.sh
X=$(realpath -m "${CROSS_DIR:-$cache/cross}") R=$X/root A=$X/apt
SUITE=${CROSS_SUITE:-forky}             # rustc >= 1.9x
WINE_SUITE=${CROSS_WINE_SUITE:-trixie}  # forky has no wine; trixie's fits forky's libraries
PKGS=(rustc cargo rust-src gcc-mingw-w64-x86-64-posix bash coreutils wine64)
WIN=x86_64-pc-windows-gnu
CACHE=$(realpath -m "${CARGO_HOME:-$HOME/.cargo}")
top_of() { local d; d=$(realpath -e "$1"); git -C "$d" rev-parse --show-toplevel 2>/dev/null || echo "$d"; }
target_of() { echo "${TARGET_DIR:-$X/target/$(basename "$(top_of "$1")")}"; }
[ "$(id -u)" = 0 ] || die "needs root (chroot and mounts)"
for tool in apt-get dpkg-deb unshare chroot; do
    command -v "$tool" > /dev/null || die "needs $tool; this runs on Debian only"
done

# ---- setup -----------------------------------------------------------------------------------------------
setup() {
    local want="$SUITE $WINE_SUITE ${PKGS[*]}" src=/etc/apt/sources.list.d/debian.sources uri net f t
    [ "$(cat "$R/.done" 2>/dev/null)" = "$want" ] && return
    rm -rf --one-file-system "$R" "$A"
    # A separate apt: the system's first mirror and network settings, other suites, no installed packages.
    uri=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' $src 2>/dev/null | head -1)
    [ -n "$uri" ] || uri=$(sed -n 's/^deb \(\[[^]]*\] *\)\?\([^ ]*\).*/\2/p' /etc/apt/sources.list | head -1)
    [ -n "$uri" ] || die "no Debian mirror found in the apt sources"
    net=$(apt-config dump | grep -E '^Acquire::(http|https|Check-|Retries)' || true)
    mkdir -p "$A"/etc/apt/{sources.list.d,preferences.d,apt.conf.d,trusted.gpg.d} \
        "$A"/var/lib/apt/lists/partial "$A"/var/cache/apt/archives/partial "$A"/var/lib/dpkg "$R"
    : > "$A/var/lib/dpkg/status"
    for t in "$SUITE" "$WINE_SUITE"; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $t main"
    done > "$A/etc/apt/sources.list"
    printf '%s\n' "$net" "Dir \"$A\";" "Dir::State::status \"$A/var/lib/dpkg/status\";" \
        'APT::Install-Recommends "false";' 'Acquire::Check-Valid-Until "false";' \
        'Acquire::Languages "none";' > "$A/apt.conf"
    APT_CONFIG=$A/apt.conf apt-get -q update
    APT_CONFIG=$A/apt.conf apt-get -q install -y --download-only "${PKGS[@]}" | tail -n 3

    # The packages are not configured; the necessary parts of their maintainer scripts follow here.
    for t in bin sbin lib lib64; do mkdir -p "$R/usr/$t"; ln -s "usr/$t" "$R/$t"; done
    for f in "$A"/var/cache/apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$f" | tar -C "$R" -xf - --keep-directory-symlink
    done
    ln -sfn gcc "$R/usr/bin/cc"                                   # alternatives
    [ -e "$R/usr/bin/sh" ] || ln -s bash "$R/usr/bin/sh"
    for f in "$R"/usr/bin/x86_64-w64-mingw32-*-posix; do ln -sfn "$(basename "$f")" "${f%-posix}"; done
    dpkg-deb --ctrl-tarfile "$A"/var/cache/apt/archives/libwine_*.deb | tar -xO ./postinst |
        chroot "$R" sh -s configure                               # gives wine its zlib1.dll
    rm -rf "$A"
    mkdir -p "$X/empty"
    inside "$X/empty" sh -c '/usr/lib/wine/wine64 wineboot -i; /usr/lib/wine/wineserver64 -w' > "$X/wine.log" 2>&1 ||
        die "wine does not start; see $X/wine.log"
    echo "$want" > "$R/.done"
}

# inside DIR CMD...: runs CMD in the chroot, in DIR. Mounts and remaining processes (wineserver) end with it. $EXTRA is a
# further folder that CMD sees. With $OWN_NETWORK set, CMD has a network namespace of its own: loopback, and a network that no
# other host is on.
inside() {
    local dir top target
    dir=$(realpath -e "$1") top=$(top_of "$1") target=$(target_of "$1"); shift
    mkdir -p "$X/target" "$CACHE"
    # shellcheck disable=SC2016  # the inner shell expands it
    R=$R DIR=$dir BINDS="$top $CACHE $X/target /etc/ssl ${EXTRA:-}" \
        unshare -mpf ${OWN_NETWORK:+-n} --kill-child --propagation private \
        bash -euc '
        if [ -n "${OWN_NETWORK:-}" ]; then
            ip link set lo up
            ip link add lan type veth peer name other_end
            ip address add 10.77.9.2/24 dev lan
            ip link set other_end up; ip link set lan up
            # No default route: name servers cannot be reached, so names fail at once. Tests need routes for groups and to 192.0.2.1.
            for to in 224.0.0.0/4 192.0.2.0/24; do ip route add $to dev lan; done
        fi
        mkdir -p "$R"/{proc,dev,sys,tmp,root}
        mount -t proc proc "$R/proc"; mount --rbind /dev "$R/dev"; mount --rbind /sys "$R/sys"
        mount -t tmpfs tmpfs "$R/tmp"
        for f in resolv.conf hosts passwd group nsswitch.conf; do
            [ ! -e /etc/$f ] || { : >> "$R/etc/$f"; mount --bind /etc/$f "$R/etc/$f"; }
        done
        for d in $BINDS; do [ ! -d "$d" ] || { mkdir -p "$R$d"; mount --bind "$d" "$R$d"; }; done
        exec unshare --root="$R" --wd="$DIR" "$@"' - \
        env -u DISPLAY -u WAYLAND_DISPLAY -u RUSTC_WRAPPER -u RUSTUP_TOOLCHAIN -u R -u DIR -u BINDS \
        PATH=/usr/bin:/usr/sbin HOME=/root CARGO_HOME="$CACHE" CARGO_TARGET_DIR="$target" \
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc \
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=/usr/lib/wine/wine64 \
        WINEPREFIX=/wine WINEDEBUG="${WINEDEBUG:--all}" WINEDLLOVERRIDES='mscoree,mshtml=' \
        XDG_RUNTIME_DIR=/tmp "$@"
}

# std TARGET: builds std for TARGET into the chroot's sysroot if it is not there; the host's always is. embed-bitcode allows LTO of
# other crates; the remapped path keeps this machine's folders out of the libraries.
std() {
    local lib=$R/usr/lib/rustlib/$1/lib b=$X/std flags="-Cembed-bitcode=yes --remap-path-prefix=$CACHE=cargo"
    [ "$1" != x86_64-unknown-linux-gnu ] && [ "$(cat "$lib/.flags" 2> /dev/null)" != "$flags" ] || return 0
    echo "== building std for $1"
    rm -rf "$b"; mkdir -p "$b/src"
    printf '%s\n' 'cargo-features = ["profile-rustflags"]' '[workspace]' '[package]' 'name = "empty"' 'edition = "2024"' \
        '[profile.release]' 'debug = 1' \
        '[profile.release.package.panic_abort]' 'rustflags = ["-Cpanic=abort"]' > "$b/Cargo.toml"
    : > "$b/src/lib.rs"
    mkdir -p "$b/target"
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=$flags TARGET_DIR=$b/target \
        inside "$b" cargo build -q --release -Zbuild-std=std,test,proc_macro --target "$1" || return  # (no set -e under `if`)
    rm -f "$b/target/$1/release/deps"/libempty-*
    rm -rf "$lib.tmp"; mkdir -p "$lib.tmp"
    cp "$b/target/$1/release/deps"/*.rlib "$lib.tmp" && echo "$flags" > "$lib.tmp/.flags" &&
        rm -rf "$lib" && mv "$lib.tmp" "$lib" && rm -rf "$b"
}

# ---- commands --------------------------------------------------------------------------------------------
cmd=${1:-}; [ $# = 0 ] || shift
case $cmd in std) ;; check | test-windows | build-windows | run | godot-windows) [ -d "${1:-}" ] || die "$cmd needs a DIR" ;; esac
case $cmd in
setup) setup; inside "$X/empty" rustc -V; du -sh "$R" ;;
std) setup; for t; do std "$t"; done ;;
check)
    dir=$1; shift; targets=() res=() bad=0
    while [ $# -gt 0 ] && [ "$1" != -- ]; do targets+=("$1"); shift; done
    [ $# = 0 ] || shift
    [ ${#targets[@]} -gt 0 ] || die "check needs a TARGET"
    setup
    for t in "${targets[@]}"; do
        s=$SECONDS
        if std "$t" && inside "$dir" cargo check --workspace --all-targets --target "$t" "$@"
        then r=PASS; else r=FAIL bad=1; fi
        res+=("$r $t $((SECONDS - s))s")
    done
    printf '%s\n' "${res[@]}"; exit $bad ;;
test-windows)
    dir=$1; shift; setup; std $WIN
    inside "$dir" cargo test --target $WIN "$@" ;;
build-windows)
    dir=$1; shift; setup; std $WIN
    inside "$dir" cargo build --release --target $WIN "$@"
    for f in "$(target_of "$dir")/$WIN/release"/{,examples/}*.{dll,exe}; do
        [ ! -e "$f" ] || echo "$f: $(inside "$X/target" x86_64-w64-mingw32-objdump -p "$f" |
            sed -n 's/.*DLL Name: //p' | tr '\n' ' ')"
    done ;;
run) dir=$1; shift; setup; inside "$dir" "$@" ;;
godot-windows)
    exe=${GODOT_WINDOWS:-}
    if [ ! -f "$exe" ]; then
        say "set GODOT_WINDOWS to a Windows build of Godot (x86_64, .exe)."
        exit 77
    fi
    dir=$(realpath -e "$1") exe=$(realpath -e "$exe"); shift; setup
    # Lines end in one character, as other scripts expect. The exit code is the engine's (pipefail).
    # shellcheck disable=SC2016  # the inner shell expands it
    EXTRA=$(dirname "$exe") OWN_NETWORK=yes inside "$dir" sh -c '
        code=0; /usr/lib/wine/wine64 "$@" < /dev/null || code=$?
        timeout 20 /usr/lib/wine/wineserver64 -k || true
        exit $code' - "$exe" --headless "$@" 2> >(sed -u 's/\r$//' >&2) | sed -u 's/\r$//' ;;
*) usage >&2; exit 2 ;;
esac
