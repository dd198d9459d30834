#!/usr/bin/env bash
# Builds the addon and stages it in the sample project. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/build.sh [--debug] [--help]

Builds the addon for this machine and puts all of it into godot-project/addons/packet_peer_udp_rs/: a folder that can be
copied into the addons/ folder of any Godot project as it is.

  --debug   build without optimisation and with debug information

Needs Rust and a C compiler. Safe to run again, also while the editor has the project open: files are replaced whole,
and what is no longer part of the addon is removed. Libraries for other systems that were built into the same folder
(on a folder shared between machines) are kept.
HELP
}

profile=release
for argument in "$@"; do
    case $argument in
        --debug) profile=debug ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

need_rust
[ -n "$(platform)" ] || die "$(uname -s) is not a system that the addon is built on."
grep -qF "\"$(library_path)\"" "$root/addon.gdextension" ||
    die "addon.gdextension names no library for $(platform) on $(architecture)."

# The target folder is named, so that the library is where this script looks whatever cargo's configuration says.
target=${CARGO_TARGET_DIR:-$root/target}
options=(--locked --manifest-path "$root/Cargo.toml" --package packet_peer_udp_rs --target-dir "$target")
[ "$profile" = debug ] || options+=(--release)
env -u CARGO_BUILD_TARGET cargo build "${options[@]}"

# ---- staging ------------------------------------------------------------------------------------------------

# What the addon consists of: its path in the folder, and where it comes from.
names=() sources=()
part() { names+=("$1") sources+=("$2"); }
part "$(library_path)" "$target/$profile/$(library_name)"
for name in icon.svg icon.svg.import LICENSE THIRD_PARTY_NOTICES.md README.md CHANGELOG.md; do
    part "$name" "$root/$name"
done
# The pictures that the README shows, hidden from the engine, which would import them into the game otherwise.
make_temporary
: > "$temporary/.gdignore"
part docs/.gdignore "$temporary/.gdignore"
while read -r name; do
    if [ -f "$root/$name" ]; then
        part "$name" "$root/$name"
    else
        say "the README shows $name, which does not exist."
    fi
done < <(grep -oE '\(docs/[^)# ]+\)' "$root/README.md" | tr -d '()' | sort -u)
# Last: from here on the engine finds a complete addon.
part addon.gdextension "$root/addon.gdextension"

for source in "${sources[@]}"; do
    [ -f "$source" ] || die "${source#"$root/"} is missing; the addon would not be complete."
done
for i in "${!names[@]}"; do
    replace_file "${sources[i]}" "$addon/${names[i]}"
done

# Leftovers of earlier builds go; libraries that the manifest names stay, whichever system they are for.
kept=()
while IFS= read -r -d '' file; do
    name=${file#"$addon/"}
    for known in "${names[@]}"; do
        # The editor writes a .uid file beside the manifest.
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
