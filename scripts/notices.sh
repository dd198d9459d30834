#!/usr/bin/env bash
# Writes THIRD_PARTY_NOTICES.md. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/notices.sh [--check] [--help]

Writes THIRD_PARTY_NOTICES.md: every crate that is linked into the addon's library on any supported platform, with version,
licence, source and the licence texts in the crate's package. The result depends only on Cargo.lock.

  --check   write nothing; fail if the file does not match Cargo.lock
HELP
}

check=false
for argument in "$@"; do
    case $argument in
        --check) check=true ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

need_rust
need_python
make_temporary
python3 "$root/scripts/notices.py" "$root/Cargo.toml" "$root/scripts/licenses" > "$temporary/notices.md"

notices=$root/THIRD_PARTY_NOTICES.md
if ! $check; then
    replace_file "$temporary/notices.md" "$notices"
    say "${notices#"$root/"}: $(grep -c '^| \[' "$notices") crates."
elif ! cmp -s "$temporary/notices.md" "$notices"; then
    diff -u "$notices" "$temporary/notices.md" | head -n 40 >&2 || true
    die "THIRD_PARTY_NOTICES.md does not match Cargo.lock (above); run scripts/notices.sh and commit the result."
fi
