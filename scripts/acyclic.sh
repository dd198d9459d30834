#!/usr/bin/env bash
# Fails when modules of the Rust crates import each other in a circle. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/acyclic.sh [--help] [SRC/lib.rs...]

Fails when modules of a crate import each other in a circle, and prints each circle with the lines that cause it. Looks at
the core and the Godot layer, or at the crates whose root files are given. The rules are at the top of scripts/acyclic.py.
Needs Python 3.
HELP
}

case "${1:-}" in
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
esac

need_python
cd "$root"
[ $# -gt 0 ] || set -- rust/core/src/lib.rs rust/gdext/src/lib.rs
exec python3 scripts/acyclic.py "$@"
