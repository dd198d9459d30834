# shellcheck shell=bash
# The addon's libraries: their names, how cargo builds them, and what a finished one must not contain. It is sourced by
# scripts/build.sh and scripts/package.sh, after lib.sh.
#
# A platform is named as in addon.gdextension: linux.x86_64, linux.arm64, windows.x86_64, macos, android.arm64, … Each has two
# libraries: "editor" with the class reference, "game" without it.

# library_options ROLE: sets the array $options to cargo's arguments for the library of that role: package, features, and the
# words that stand for this machine's paths in it. What is given away tells nothing of the machine that has built it: the
# paths of sources, which panics and the log show, begin with these words instead. They make two folders give the same bytes.
library_options() {
    local role=$1 remaps="" pair from sysroot
    options=(--locked --manifest-path "$root/Cargo.toml" --package packet_peer_udp_rs)
    [ "$role" = editor ] || options+=(--no-default-features)
    sysroot=$(rustc --print sysroot)
    for pair in "$root=." "$target=target" "${CARGO_HOME:-$HOME/.cargo}=cargo" "$sysroot=rust"; do
        from=${pair%=*}
        # The compiler's form of a path, where the shell has its own.
        if command -v cygpath > /dev/null; then from=$(cygpath -m "$from"); fi
        remaps+="'--remap-path-prefix=$from=${pair##*=}', "
    done
    # $RUSTFLAGS, where set, replace this.
    release_options=(--release --config "target.'cfg(all())'.rustflags = [$remaps]")
}

# library_has_no_paths LIBRARY: fails if the library contains a path of this machine.
library_has_no_paths() {
    local library=$1 path
    [ -s "$library" ] || die "$library is missing."
    for path in "$root" "$HOME" "${CARGO_HOME:-$HOME/.cargo}" "$(rustc --print sysroot)"; do
        if [ "$path" != / ] && grep -qaF -- "$path/" "$library"; then
            die "$library has paths of this machine: $path/…; see --remap-path-prefix in scripts/library.sh."
        fi
    done
}
