#!/usr/bin/env bash
# Runs one scene of a project in the engine and judges what the engine said. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'HELP'
Usage: scripts/run_scene.sh [options] SCENE [-- arguments for the scene]

Runs SCENE (res://… or a path inside the project) headless, shows its log and keeps it in .cache/logs/.
Fails on a non-zero exit code, on a time-out, and on anything in the log that should not be there: script and
parse errors, panics, libraries that cannot be opened, leaks, and errors and warnings in general. A scene that provokes
errors counts them and prints "expected error lines: N"; then the log must have exactly N.

Options:
  --project DIR       the project (default: godot-project)
  --timeout SECONDS   how long it may take (default: 60)
  --success REGEX     a line of the log must match this (grep -E)
  --window            in a window (with xvfb-run where there is no display) instead of headless
  --brief             show no error blocks; those that are the reason of a failure are named at the end anyway
  --help              this text
The engine is what scripts/get_godot.sh finds; scenes see its path in the environment variable GODOT.
HELP
}

seconds=60 success="" window=false brief=false scene=""
while [ $# -gt 0 ]; do
    case $1 in
        --project | --timeout | --success)
            [ $# -ge 2 ] || { echo "run_scene: $1 needs a value" >&2; exit 2; }
            case $1 in
                --project) project=$(cd "$2" && pwd) ;;
                --timeout) seconds=$2 ;;
                --success) success=$2 ;;
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
log=$logs/$(basename "$project")-$(basename "${scene%.*}").log
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

# An error is printed as "ERROR: …" and lines below it that say where; those begin with three spaces.
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
timeout -k 5 "$seconds" "${command[@]}" 2>&1 < /dev/null | tee "$log" | show || status=${PIPESTATUS[0]}

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

# forbidden WHAT REGEX: none of it may be in the log, whatever a scene expects.
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

# errors: the error lines of the log that it reads. In a window, what the engine says about the machine's screen and
# sound drivers is left out: a scene can do nothing about it.
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
    # A scene that counts has named those it saw itself; what is left came after it had counted.
    if [ -n "$expected" ]; then sed '1,/^expected error lines: /d' "$log"; else cat "$log"; fi |
        errors | head -n 10 || true
fi
if $failed; then
    echo "run_scene: the whole log is in ${log#"$root"/}"
    exit 1
fi
