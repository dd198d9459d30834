#!/usr/bin/env bash
# Makes the zip files that users install. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/library.sh
source "$root/scripts/library.sh"

usage() {
    cat <<HELP
Usage: scripts/package.sh [--output DIR] [--libraries DIR] [--only-libraries | --prebuilt] [PLATFORM...]

Builds the addon's libraries for each PLATFORM (without one: linux.x86_64 linux.arm64 windows.x86_64), checks them, and makes
  packet_peer_udp_rs-VERSION.zip          the addon, to unpack into a Godot project
  packet_peer_udp_rs_sample-VERSION.zip   the sample project with the addon in it
  SHA256SUMS
in DIR (target/package). VERSION is that of Cargo.toml. The same commit gives the same bytes with the same compilers and the
same zlib, in any folder and at any time.

  --libraries DIR   where the libraries are: DIR/PLATFORM/NAME (target/package/libraries)
  --only-libraries  build the libraries, make no zip
  --prebuilt        build nothing; the zip gets the libraries of all platforms that DIR has. Without --libraries: those that
                    scripts/build.sh has staged, for this machine

PLATFORM is linux.x86_64, linux.arm64, windows.x86_64, macos, android.arm64 or android.x86_64. Linux and macOS are linked by zig, which
is fetched from PyPI, Windows by mingw-w64, which is installed on Debian as root, Android by the NDK in \$ANDROID_NDK_HOME. rustup
adds the standard library of a target that Rust lacks; without rustup, as root on Debian, scripts/cross.sh compiles.
HELP
}

output=$root/target/package libraries="" build=true zip=true platforms=()
while [ $# -gt 0 ]; do
    case $1 in
        --output | --libraries)
            [ -n "${2:-}" ] || { usage >&2; exit 2; }
            case $1 in
                --output) output=$(realpath -m -- "$2") ;;
                --libraries) libraries=$(realpath -m -- "$2") ;;
            esac
            shift
            ;;
        --only-libraries) zip=false ;;
        --prebuilt) build=false ;;
        -h | --help) usage; exit 0 ;;
        linux.x86_64 | linux.arm64 | windows.x86_64 | macos | android.arm64 | android.x86_64) platforms+=("$1") ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
$build || $zip || die "--only-libraries and --prebuilt exclude each other."
$build || [ ${#platforms[@]} = 0 ] || die "--prebuilt takes all platforms that the folder of libraries has."
[ ${#platforms[@]} -gt 0 ] || platforms=(linux.x86_64 linux.arm64 windows.x86_64)

need_python

# ---- libraries ----------------------------------------------------------------------------------------------

if $build; then
    libraries=${libraries:-$root/target/package/libraries}
    for name in "${platforms[@]}"; do
        build_libraries "$name" "$libraries/$name"
    done
fi
if [ -n "$libraries" ]; then
    compgen -G "$libraries/*/" > /dev/null || die "$libraries has no folder with libraries."
    for folder in "$libraries"/*/; do check_libraries "$(basename "$folder")" "${folder%/}"; done
else
    libraries=$addon/bin
    [ -d "$libraries" ] || die "no libraries are staged; run scripts/build.sh first."
    say "the libraries that scripts/build.sh has staged, for systems as new as this one."
fi
$zip || exit 0

# ---- zip files ----------------------------------------------------------------------------------------------

addon_files | python3 "$root/scripts/package.py" "$root" "$libraries" "$output"
