#!/usr/bin/env bash
# Writes the addon's bill of materials. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/sbom.sh [--output DIR] [--help]

Writes packet_peer_udp_rs-VERSION.cdx.json to DIR (target/package): the crates that the addon's libraries are made of, on all
platforms, as a CycloneDX bill of materials. It also lists the procedural macros, which run inside the compiler only. The same commit
gives the same bytes.

cargo-cyclonedx writes it; it is compiled from crates.io once, into .cache/, which takes two minutes.
HELP
}

readonly CARGO_CYCLONEDX_VERSION=0.5.9

output=$root/target/package
while [ $# -gt 0 ]; do
    case $1 in
        --output)
            [ -n "${2:-}" ] || { usage >&2; exit 2; }
            output=$2
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

need_rust
need_python
cargo_program cargo-cyclonedx "$CARGO_CYCLONEDX_VERSION" || exit 1
make_temporary

# cargo-cyclonedx writes beside each Cargo.toml, so it gets a copy.
mkdir "$temporary/workspace"
cp -R "$root/Cargo.toml" "$root/Cargo.lock" "$root/rust" "$temporary/workspace/"
# The date in the bill is that of the commit; 1 where there is none, as in a source archive.
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2> /dev/null || echo 1)
export SOURCE_DATE_EPOCH
bills=()
for target in $(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/scripts python3 -c 'import notices; print(*notices.TARGETS)'); do
    cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --target "$target" \
        --manifest-path "$temporary/workspace/rust/gdext/Cargo.toml"
    bills+=("$temporary/$target.json")
    mv "$temporary/workspace/rust/gdext/packet_peer_udp_rs.cdx.json" "${bills[-1]}"
done
cmp -s "$root/Cargo.lock" "$temporary/workspace/Cargo.lock" || die "Cargo.lock does not fit the Cargo.toml files; run cargo check."
python3 "$root/scripts/sbom.py" "$root/THIRD_PARTY_NOTICES.md" "$output/packet_peer_udp_rs-{version}.cdx.json" "${bills[@]}"
