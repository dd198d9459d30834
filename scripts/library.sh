# shellcheck shell=bash
# shellcheck disable=SC2154,SC2089,SC2090  # root and cache are lib.sh's; the quotes are for cargo, not for the shell
# The addon's libraries: how cargo builds them for each platform, and what a finished one must not contain. It is sourced by
# scripts/build.sh, scripts/package.sh and scripts/test.sh, after lib.sh.
#
# A platform is named as in addon.gdextension. Each has two libraries: "editor" with the class reference, "game" without it.

# Versions of the linker that makes libraries for old systems and for other ones.
readonly ZIGLANG_VERSION=0.17.1
readonly CARGO_ZIGBUILD_VERSION=0.24.1

# The oldest C libraries that packaged libraries run with: those of CentOS 7 and of Debian 10.
readonly GLIBC_X86_64=2.17
readonly GLIBC_ARM64=2.28

# The largest library that is packaged.
readonly LARGEST_LIBRARY=$((4 * 1024 * 1024))

# addon_files: prints the addon's files except its libraries, one a line: path in the addon, a tab, path in the repository.
addon_files() {
    local class preset
    for class in PacketPeerUdpRs UdpLinkConditions UdpLinkProxy UdpServerRs; do
        printf '%s\t%s\n' "icons/$class.svg" "icons/$class.svg" "icons/$class.svg.import" "icons/$class.svg.import"
    done
    for preset in awful crowded_wifi mobile_3g mobile_4g satellite transatlantic wifi; do
        printf '%s\t%s\n' "conditions/$preset.tres" "conditions/$preset.tres"
    done
    printf '%s\t%s\n' README.md packaging/README.md LICENSE LICENSE THIRD_PARTY_NOTICES.md THIRD_PARTY_NOTICES.md \
        CHANGELOG.md CHANGELOG.md addon.gdextension addon.gdextension
}

# role_folder FOLDER ROLE: prints the target folder of the role. In one folder both would have one name, and cargo would build each
# again after the other.
role_folder() {
    if [ "$2" = editor ]; then echo "$1"; else echo "$1/game"; fi
}

# cargo_options ROLE: prints cargo's arguments for the library of that role, one a line.
cargo_options() {
    printf '%s\n' --locked --manifest-path "$root/Cargo.toml" --package packet_peer_udp_rs
    [ "$1" = editor ] || echo --no-default-features
}

# release_options TARGET_FOLDER SYSROOT [FLAG...]: prints cargo's further arguments for a library that is given away, one a line. It tells
# nothing of the machine that has built it: the paths of sources, which panics and the log show, begin with the words here
# instead. They make two folders give the same bytes. $RUSTFLAGS, where set, replace the flags.
release_options() {
    local folder=$1 sysroot=$2 pair from flags="" flag
    shift 2
    # In TOML, which cargo reads.
    for flag in "$@"; do flags+="\"$flag\", "; done
    for pair in "$root=." "$folder=target" "${CARGO_HOME:-$HOME/.cargo}=cargo" "$sysroot=rust"; do
        from=${pair%=*}
        # The compiler's form of a path, where the shell has its own.
        if command -v cygpath > /dev/null; then from=$(cygpath -m "$from"); fi
        flags+="\"--remap-path-prefix=$from=${pair##*=}\", "
    done
    printf '%s\n' --release --config "target.'cfg(all())'.rustflags = [$flags]"
}

# library_has_no_paths LIBRARY: fails if the library contains a path of this machine.
library_has_no_paths() {
    local library=$1 path sysroot
    [ -s "$library" ] || die "$library is missing."
    sysroot=$(rustc --print sysroot 2> /dev/null) || sysroot="" # no compiler is needed where nothing is built
    for path in "$root" "$HOME" "${CARGO_HOME:-$HOME/.cargo}" "$sysroot"; do
        if [ -n "$path" ] && [ "$path" != / ] && grep -qaF -- "$path/" "$library"; then
            die "$library has paths of this machine: $path/…; see --remap-path-prefix in scripts/library.sh."
        fi
    done
}

# ---- libraries for other systems, and for old ones -----------------------------------------------------------

# find_cargo PLATFORM: finds the compiler and the linker of a platform. Sets $target and $glibc, which together are the argument of
# --target, $sysroot, $cargo: the words before cargo's command, and $build: cargo's command to build.
find_cargo() {
    local run=() targets=()
    glibc="" build=build cargo=(cargo)
    case $1 in
        linux.x86_64) target=x86_64-unknown-linux-gnu glibc=.$GLIBC_X86_64 ;;
        linux.arm64) target=aarch64-unknown-linux-gnu glibc=.$GLIBC_ARM64 ;;
        windows.x86_64) target=x86_64-pc-windows-gnu ;;
        macos) target=universal2-apple-darwin targets=(x86_64-apple-darwin aarch64-apple-darwin) ;;
        android.arm64) target=aarch64-linux-android ;;
        android.x86_64) target=x86_64-linux-android ;;
        *) die "no such platform: $1; see --help." ;;
    esac
    [ ${#targets[@]} -gt 0 ] || targets=("$target")

    need_rust
    sysroot=$(rustc --print sysroot)
    if ! has_targets "${targets[@]}"; then
        if [ "$(id -u)" != 0 ] || ! command -v dpkg-deb > /dev/null; then die "${targets[*]}: no compiler for it; see --help."; fi
        say "${targets[*]}: with the compiler of scripts/cross.sh, because this machine has none for it."
        "$root/scripts/cross.sh" std "${targets[@]}"
        run=("$root/scripts/cross.sh" run "$root")
        sysroot=$("${run[@]}" rustc --print sysroot)
    fi
    case $1 in
        linux.* | macos)
            python_programs zig "ziglang==$ZIGLANG_VERSION" "cargo-zigbuild==$CARGO_ZIGBUILD_VERSION"
            CARGO_ZIGBUILD_ZIG_PATH=$(find "$cache/zig" -path '*/ziglang/zig' | head -n 1)
            export CARGO_ZIGBUILD_ZIG_PATH MACOSX_DEPLOYMENT_TARGET=11.0
            export CARGO_ZIGBUILD_CACHE_DIR=$cache/zig.cache/zigbuild ZIG_GLOBAL_CACHE_DIR=$cache/zig.cache/global
            cargo=("$(command -v cargo-zigbuild)") build=zigbuild
            ;;
        android.*) android_linker "$target" ;;
    esac
    cargo=(env -u CARGO_BUILD_TARGET ${run[@]+"${run[@]}"} "${cargo[@]}")
}

# has_targets TARGET...: whether this machine's Rust compiles for these targets, once rustup has fetched what it lacks.
has_targets() {
    local target
    for target in "$@"; do
        if [ "$target" = x86_64-pc-windows-gnu ] && ! command -v x86_64-w64-mingw32-gcc > /dev/null; then
            apt_install gcc-mingw-w64-x86-64-posix || return 1
        fi
        compgen -G "$(rustc --print sysroot)/lib/rustlib/$target/lib/libstd-*.rlib" > /dev/null ||
            timeout 300 rustup target add "$target" || return 1
    done
}

# build_libraries PLATFORM FOLDER: builds both libraries of the platform, with the names that addon.gdextension gives them.
build_libraries() {
    local platform=$1 folder=$2 role name built options=() flags=() work
    local target glibc sysroot cargo build
    find_cargo "$platform"
    for role in editor game; do
        work=$(role_folder "$root/target/package/build" "$role")
        name=$(library_name_of "$platform" "$role")
        flags=()
        [ "$platform" != macos ] || flags=("-Clink-arg=-Wl,-install_name,@rpath/$name")
        mapfile -t options < <(cargo_options "$role"; release_options "$work" "$sysroot" ${flags[@]+"${flags[@]}"})
        "${cargo[@]}" "$build" "${options[@]}" --config 'profile.release.strip="symbols"' \
            --target "$target$glibc" --target-dir "$work"
        built=$work/$target/release/$(library_name_of "$platform" game)
        replace_file "$built" "$folder/$name"
        # zig signs for arm64 only. Without an identity ("-"), which says nothing but that the file is complete.
        if [ "$platform" = macos ] && command -v codesign > /dev/null; then codesign --force --sign - "$folder/$name"; fi
    done
}

# android_linker TARGET: tells cargo to link with the NDK's clang, for Android 7 (API 24), the oldest one of Godot 4.5.
android_linker() {
    local variable clang
    [ -d "${ANDROID_NDK_HOME:-}" ] || die "\$ANDROID_NDK_HOME names no NDK."
    clang=$(find "$ANDROID_NDK_HOME/toolchains/llvm/prebuilt" -name "${1}24-clang" | head -n 1)
    [ -n "$clang" ] || die "the NDK in $ANDROID_NDK_HOME has no ${1}24-clang."
    variable=CARGO_TARGET_$(tr '[:lower:]-' '[:upper:]_' <<< "$1")_LINKER
    export "$variable=$clang"
}

# check_libraries PLATFORM FOLDER: prints size and needs of both libraries. Fails if one is missing, is too large, has a path of this
# machine, or needs what players' systems may not have.
check_libraries() {
    local platform=$1 folder=$2 role library size largest=$LARGEST_LIBRARY needs
    [ "$platform" != macos ] || largest=$((2 * largest)) # for two processors
    for role in editor game; do
        library=$folder/$(library_name_of "$platform" "$role")
        library_has_no_paths "$library"
        size=$(wc -c < "$library")
        [ "$size" -le "$largest" ] || die "$library has $size bytes; at most $largest are packaged."
        needs=$(needs_of "$platform" "$library") || exit 1
        printf '%-15s %-33s %9d bytes%s\n' "$platform" "$(basename "$library")" "$size" "${needs:+, needs $needs}"
    done
}

# needs_of PLATFORM LIBRARY: prints the oldest C library or system that the library runs with; fails if that is newer than promised, or
# if it needs a library that is not part of every system.
needs_of() {
    local platform=$1 library=$2 promised="" headers version other
    case $platform in
        linux.x86_64) promised=$GLIBC_X86_64 ;;
        linux.arm64) promised=$GLIBC_ARM64 ;;
        windows.* | macos) ;;
        *) return 0 ;;
    esac
    if [ "$platform" = macos ]; then
        [ "$(platform)" = macos ] || return 0 # Apple's tools read it
        lipo "$library" -verify_arch x86_64 arm64 || die "$library is not for both processors."
        codesign --verify "$library" || die "$library is not signed."
        version=$(otool -l "$library" | awk '$1 == "minos" || ($1 == "version" && old) { print $2 } { old = /LC_VERSION_MIN/ || (old && !/cmd /) }' |
            sort -V | tail -n 1)
        [ "$version" = "11.0" ] || die "$library needs macOS $version; 11.0 is promised."
        other=$(otool -L "$library" | sed 1d | grep -vE '^\S|@rpath/|/usr/lib/|/System/' || true)
        [ -z "$other" ] || die "$library needs $other"
        echo "macOS $version"
        return
    fi
    headers=$(objdump -p "$library") || die "objdump cannot read $library (Debian, Ubuntu: apt install binutils)."
    if [ -n "$promised" ]; then
        version=$(grep -oE 'GLIBC_[0-9.]+' <<< "$headers" | sort -Vu | tail -n 1)
        [ -n "$version" ] || die "$library names no version of the C library."
        [ "$(printf '%s\n' "$version" "GLIBC_$promised" | sort -V | tail -n 1)" = "GLIBC_$promised" ] ||
            die "$library needs $version; GLIBC_$promised is promised."
        other=$(sed -n 's/^ *NEEDED *//p' <<< "$headers" | grep -vxE 'lib(c|m|dl|pthread|rt)\.so\.[0-9]+|ld-linux-.*' || true)
        echo "$version"
    else
        # All of them are in Windows 10; UCRT and Visual C++ runtimes are not among them.
        other=$(sed -n 's/^\s*DLL Name: //p' <<< "$headers" | tr '[:upper:]' '[:lower:]' |
            grep -vxE '(kernel32|ntdll|ws2_32|iphlpapi|bcryptprimitives|userenv|msvcrt|advapi32|synchronization)\.dll|api-ms-win-(core|crt)-.*\.dll' || true)
        sed -n 's/^\s*DLL Name: //p' <<< "$headers" | sort -fu | paste -sd ' '
    fi
    [ -z "$other" ] || die "$library needs $(tr '\n' ' ' <<< "$other")which not every system has."
}
