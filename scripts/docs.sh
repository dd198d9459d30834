#!/usr/bin/env bash
# Checks the documentation's links, scripts and length. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/docs.sh [--help] [ROOT]

Checks the pages of the documentation: README.md, CONTRIBUTING.md and the other pages beside them, docs/*.md, docs/samples/*.md,
packaging/README.md.
Fails if the README has more than 1,200 words; if a link, an anchor or a picture leads nowhere, or a picture is shown by no
page; if a script, a scene or another path of the repository that a page names does not exist; if a script's --help does not
name an option that a page gives it, or no script of a scene reads an argument that a page gives it; or if a page is linked
from no other. The pages that lie in the addon's folder are also checked there. ROOT is the repository by default; its scripts
are run with --help.

That the samples compile is checked by the test suite godot-project/tests/suites/samples.gd; scripts/snippets.sh runs them.
Needs Python 3 and git.
HELP
}

case "${1:-}" in
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
esac

need_python
folder=${1:-$root}
[ -d "$folder" ] || die "$folder is no folder."
top=$(git -C "$folder" rev-parse --show-toplevel 2> /dev/null) || top=""
if [ "$top" != "$(cd "$folder" && pwd -P)" ]; then
    say "skipped: needs git and a checkout, which tell the repository's files from others."
    exit 77
fi
exec python3 "$root/scripts/docs.py" "$folder"
