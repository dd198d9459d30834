#!/usr/bin/env bash
# Builds the addon and stages it in the sample project. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/library.sh
source "$root/scripts/library.sh"

usage() {
    cat <<HELP
Usage: scripts/build.sh [--debug] [--help]

Builds the addon for this machine and stages it in godot-project/addons/packet_peer_udp_rs/. That folder is complete: it can
be copied into the addons/ folder of any Godot project.

  --debug   build without optimisation and with debug information, one library for the editor and for exported games

A release has two libraries: the editor's has the class reference, the one for exported games does not.

Needs Rust and a C compiler. It may run again at any time, also while the editor has the project open: each file is replaced
in one step. Files that are no longer part of the addon are removed; libraries for other systems stay, so that several
machines can build into one shared folder.
HELP
}

profile=release roles=(editor game)
for argument in "$@"; do
    case $argument in
        --debug) profile=debug roles=(editor) ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

need_rust
[ -n "$(platform)" ] || die "$(uname -s) is not a system that the addon is built on."
grep -qF "\"$(game_library_path)\"" "$root/addon.gdextension" ||
    die "addon.gdextension names no library for $(platform) on $(architecture)."

# The target folder is explicit, because cargo's configuration may name another one.
target=${CARGO_TARGET_DIR:-$root/target}
sysroot=$(rustc --print sysroot)

# build ROLE: becomes cargo, for the library of that role.
build() {
    local folder options
    folder=$(role_folder "$target" "$1")
    mapfile -t options < <(
        cargo_options "$1"
        [ "$profile" = debug ] || release_options "$folder" "$sysroot"
    )
    exec env -u CARGO_BUILD_TARGET cargo build "${options[@]}" --target-dir "$folder"
}

# Both at once: linking, a third of the time, keeps one processor busy.
processes=() built=()
trap 'kill "${processes[@]}"; exit 130' INT TERM # a shell keeps interrupts from what it runs beside itself
for role in "${roles[@]}"; do
    build "$role" &
    processes+=($!)
done
for process in "${processes[@]}"; do wait "$process" || failed=true; done
trap - INT TERM
[ -z "${failed:-}" ] || die "cargo failed (above)."
for role in "${roles[@]}"; do
    built+=("$(role_folder "$target" "$role")/$profile/$(library_name)")
    if [ "$profile" = release ] && [ -z "${RUSTFLAGS-}" ]; then library_has_no_paths "${built[-1]}"; fi
done

# ---- staging ------------------------------------------------------------------------------------------------

# The addon's files: path in the addon, and source. The manifest is the last one: an engine that finds it finds the whole addon.
names=("$(library_path)" "$(game_library_path)") sources=("${built[0]}" "${built[-1]}")
while IFS=$'\t' read -r name source; do names+=("$name") sources+=("$root/$source"); done < <(addon_files)

for source in "${sources[@]}"; do
    [ -f "$source" ] || die "${source#"$root/"} is missing; the addon would not be complete."
done
for i in "${!names[@]}"; do
    replace_file "${sources[i]}" "$addon/${names[i]}"
done

# Remove files of earlier builds, except libraries that the manifest names for any system.
kept=()
while IFS= read -r -d '' file; do
    name=${file#"$addon/"}
    for known in "${names[@]}"; do
        # The editor creates a .uid file beside the manifest.
        [ "${name%.uid}" != "$known" ] || continue 2
    done
    if grep -qF "\"$name\"" "$root/addon.gdextension"; then
        kept+=("$name")
        continue
    fi
    rm -f "$file" || say "$file cannot be removed; is it open in a running game?"
done < <(find "$addon" -type f -print0)
find "$addon" -depth -type d -empty -exec rmdir {} +

say "$profile build for $(platform) $(architecture) staged in ${addon#"$root/"}."
for name in ${kept[@]+"${kept[@]}"}; do
    say "kept from an earlier build: $name"
done
