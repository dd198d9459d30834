#!/usr/bin/env bash
# Checks what is neither Rust nor GDScript: workflows, dependencies, licences. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/repository.sh [--workflows | --dependencies] [--help]

Checks the workflows in .github/:
  actionlint   their syntax, their expressions, and the shell in them (with shellcheck)
  zizmor       their permissions, and what a stranger could make them do
  every action is named by the hash of a commit, with its version as a comment
and the dependencies in Cargo.lock, by the rules in deny.toml (cargo-deny): licences, sources, banned and repeated crates, and, where
the database of advisories can be reached, known defects.

  --workflows      only the first
  --dependencies   only the second

The programs are fetched once, into .cache/: actionlint and zizmor from PyPI, with the hashes in .github/linters.txt; cargo-deny is
compiled from crates.io, which takes two to five minutes.
HELP
}

readonly CARGO_DENY_VERSION=0.20.2
readonly ADVISORIES=https://github.com/RustSec/advisory-db

workflows=true dependencies=true
for argument in "$@"; do
    case $argument in
        --workflows) dependencies=false ;;
        --dependencies) workflows=false ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
$workflows || $dependencies || { usage >&2; exit 2; }

cd "$root"
failed=0
# check NAME COMMAND...
check() {
    local name=$1
    shift
    if "$@"; then
        echo "passed: $name"
    else
        echo "FAILED: $name"
        failed=$((failed + 1))
    fi
}

# ---- workflows ----------------------------------------------------------------------------------------------

# every_action_is_pinned: prints the lines that name an action of another repository otherwise than "owner/name@<hash> # v1.2.3".
every_action_is_pinned() {
    local uses wrong
    # In a pull request's diff, a hash without its version says nothing.
    uses=$(grep -rnE --include='*.yml' --include='*.yaml' '(^|[[:space:]{,])["'"'"']?uses["'"'"']?[[:space:]]*:' .github) || true
    [ -n "$uses" ] || { echo "no line with 'uses:' was found." >&2; return 1; }
    wrong=$(grep -vE 'uses: (\$/[^ ]+|[^ @]+@[0-9a-f]{40} # v[0-9]+(\.[0-9]+)+)$' <<< "$uses") || true
    [ -z "$wrong" ] || { echo "$wrong"; return 1; }
}

workflow_checks() {
    local files=()
    # The folder's name has the file's checksum, so that a changed list is fetched anew.
    python_programs "linters-$(cksum < .github/linters.txt | cut -d ' ' -f 1)" \
        --require-hashes --requirement "$root/.github/linters.txt" || exit 1
    # For shellcheck, which actionlint runs.
    python_tools || exit 1
    mapfile -t files < <(find .github/workflows -name '*.yml' -o -name '*.yaml' | sort)
    [ ${#files[@]} -gt 0 ] || die "no workflows were found in .github/workflows/."
    check "actionlint" actionlint -no-color "${files[@]}"
    # Offline: without the questions that only GitHub answers, such as whether a commit belongs to the repository that is named.
    check "zizmor" zizmor --offline --quiet --no-progress --color never --persona auditor .github
    check "every action is pinned" every_action_is_pinned
    mapfile -t files < <(find .github -name '*.sh' | sort)
    check "shell in .github" shellcheck "${files[@]}"
}

# ---- dependencies -------------------------------------------------------------------------------------------

# same_platforms: prints the platforms that only one of the two lists of Rust's names has.
same_platforms() {
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/scripts python3 - <<'PYTHON'
import re, sys
import notices

graph = re.search(r"^targets = \[(.*?)^\]", open("deny.toml").read(), re.MULTILINE | re.DOTALL)[1]
odd = set(re.findall(r'"(.+?)"', graph)) ^ set(notices.TARGETS)
sys.exit(f"only in deny.toml or only in scripts/notices.py: {sorted(odd)}" if odd else 0)
PYTHON
}

dependency_checks() {
    need_rust
    need_python
    check "deny.toml and the notices are about the same platforms" same_platforms
    cargo_program cargo-deny "$CARGO_DENY_VERSION" --no-default-features || exit 1
    check "licences, bans, sources" cargo-deny --locked check licenses bans sources
    if GIT_TERMINAL_PROMPT=0 timeout 30 git ls-remote --exit-code "$ADVISORIES" HEAD > /dev/null 2>&1; then
        check "advisories" cargo-deny --locked check advisories
    else
        echo "skipped: advisories, because $ADVISORIES cannot be reached from here."
    fi
}

if $workflows; then workflow_checks; fi
if $dependencies; then dependency_checks; fi
[ "$failed" = 0 ] || die "$failed of the checks failed (above)."
