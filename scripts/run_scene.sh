#!/usr/bin/env bash
# Runs one scene of a project in the engine and checks its log. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'HELP'
Usage: scripts/run_scene.sh [options] SCENE [-- arguments for the scene]

Runs SCENE (res://… or a path inside the project) headless, shows its log and keeps it in .cache/logs/.
Fails on a non-zero exit code, on a time-out, and on unwanted lines in the log: script and parse errors, panics, libraries
that cannot be opened, leaks, other errors and warnings. A scene that provokes errors counts them and prints
"expected error lines: N"; then the log must have exactly N error lines.

Options:
  --project DIR       the project (default: godot-project)
  --timeout SECONDS   the time limit (default: 120)
  --success REGEX     a line of the log must match this (grep -E)
  --log NAME          the log's name in .cache/logs/ (default: of project and scene), for two runs of a scene at once
  --window            run in a window instead of headless; without a display, in xvfb-run
  --brief             do not show error lines, except at the end those that caused a failure
  --help              this text
scripts/get_godot.sh chooses the engine. Scenes find its path in the environment variable GODOT.
HELP
}

seconds=120 success="" window=false brief=false scene="" name=""
while [ $# -gt 0 ]; do
    case $1 in
        --project | --timeout | --success | --log)
            [ $# -ge 2 ] || { echo "run_scene: $1 needs a value" >&2; exit 2; }
            case $1 in
                --project) project=$(cd "$2" && pwd) ;;
                --timeout) seconds=$2 ;;
                --success) success=$2 ;;
                --log) name=$2 ;;
            esac
            shift 2
            ;;
        --window) window=true; shift ;;
        --brief) brief=true; shift ;;
        -h | --help) usage; exit 0 ;;
        --) shift; break ;;
        -*) echo "run_scene: unknown option $1" >&2; usage >&2; exit 2 ;;
        *)
            [ -z "$scene" ] || { echo "run_scene: one scene only" >&2; exit 2; }
            scene=$1
            shift
            ;;
    esac
done
[ -n "$scene" ] || { usage >&2; exit 2; }
[[ $scene == res://* ]] || scene="res://$scene"

find_engine
logs=$cache/logs
mkdir -p "$logs"
log=$logs/${name:-$(basename "$project")-$(basename "${scene%.*}")}.log
prepare_project "$project"

command=("$GODOT" --path "$project")
if $window; then
    command+=(--rendering-driver opengl3)
    if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ "$(uname)" = Linux ]; then
        if ! command -v xvfb-run > /dev/null; then
            echo "run_scene: FAILED: no display; set DISPLAY or install xvfb" >&2
            exit 1
        fi
        command=(xvfb-run -a -s "-screen 0 1280x800x24" "${command[@]}")
    fi
else
    command+=(--headless)
fi
command+=("$scene" -- "$@")

# An error is a line "ERROR: …" followed by lines with its location, which begin with three spaces.
readonly error_line='^(USER |SCRIPT |SHADER )?(ERROR|WARNING): '
show() {
    if $brief; then
        awk -v error_line="$error_line" \
            '$0 ~ error_line { inside = 1; next } inside && /^   / { next } { inside = 0; print; fflush() }'
    else
        cat
    fi
}
status=0
bounded "$seconds" "${command[@]}" 2>&1 | tee "$log" | show || status=${PIPESTATUS[0]}

failed=false
reason() {
    failed=true
    echo "run_scene: FAILED: $1"
}
case $status in
    0) ;;
    124) reason "time-out: $scene did not end within $seconds seconds (hang)" ;;
    *) reason "the engine ended with exit code $status" ;;
esac
if [ -n "$success" ] && ! grep -Eq -- "$success" "$log"; then
    reason "the log has no line that matches '$success'"
fi

# forbidden WHAT REGEX: no line of the log may match, whatever the scene expects.
forbidden() {
    local line
    line=$(grep -Em 1 -- "$2" "$log" || true)
    [ -z "$line" ] || reason "$1: $line"
}
forbidden "script error" '^SCRIPT ERROR'
forbidden "parse error" 'Parse Error'
forbidden "panic" 'panicked|\[panic'
forbidden "missing library" "Can't open dynamic library|Can't open GDExtension|GDExtension .*(fail|not found)"
forbidden "crash" 'handle_crash|Program crashed|Segmentation fault'
forbidden "leak" 'ObjectDB instances leaked|Leaked instance|resources still in use at exit|RID allocations of type'

# errors: filters the error lines of a log. In a window, errors of the machine's screen and sound drivers are left out.
ignored=""
if $window; then ignored='[(](platform|drivers|servers/audio)/'; fi
errors() {
    awk -v error_line="$error_line" -v ignored="$ignored" '
        held != "" { if (ignored == "" || $0 !~ /^ +at: / || $0 !~ ignored) print held; held = "" }
        $0 ~ error_line { held = $0 }
        END { if (held != "") print held }'
}
expected=$(sed -n 's/^expected error lines: \([0-9]*\)$/\1/p' "$log" | tail -n 1)
found=$(($(errors < "$log" | wc -l)))
if [ "$found" != "${expected:-0}" ]; then
    reason "unexpected errors: $found error lines in the log, ${expected:-0} expected"
    # A scene that counts errors has reported those before its count; the others came later.
    if [ -n "$expected" ]; then sed '1,/^expected error lines: /d' "$log"; else cat "$log"; fi |
        errors | head -n 10 || true
fi
if $failed; then
    echo "run_scene: the whole log is in ${log#"$root"/}"
    exit 1
fi
