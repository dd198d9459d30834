#!/usr/bin/env bash
# Tests the test runner and scripts/run_scene.sh: they must notice every kind of failure. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/selftest.sh [--help]

Runs a test suite without faults, then suites with one fault each: a failing check, answers that differ, a test without a
check, script and parse errors, unexpected errors, a leaked object, a panic, a missing extension, a hang. Each must fail, and
for that reason. The suites are in godot-project/tests/selftest/; they run in small projects of their own.

Needs the addon as scripts/build.sh stages it, and Rust, for a library that panics. Takes about twenty seconds.
HELP
}

case "${1:-}" in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
find_engine
need_rust
workshop="$cache/selftest"
runner=res://tests/runner.tscn
passed=0 failed=0

# new_project NAME [MANIFEST]: creates a project with the tests in it, and removes that of an earlier run.
new_project() {
    local folder="$workshop/$1"
    rm -rf "$folder"
    mkdir -p "$folder/.godot"
    [ $# = 1 ] || echo "res://$2" > "$folder/.godot/extension_list.cfg"
    printf 'config_version=5\n\n[application]\n\nconfig/name="%s"\n' "$1" > "$folder/project.godot"
    cp -R "$root/godot-project/tests" "$folder/tests"
    rm -rf "$folder/tests/suites" # not needed here
    echo "$folder"
}

# judge TITLE WANTED-EXIT PROJECT REGEX... -- arguments of run_scene.sh
# The scene must succeed or fail as wanted, and each REGEX must match a line of the output.
judge() {
    local title=$1 wanted=$2 folder=$3 patterns=() missing=() said status=0 pattern line
    shift 3
    while [ "$1" != -- ]; do patterns+=("$1"); shift; done
    shift
    mark_prepared "$folder" # skips the import, which these projects do not need and which would take most of the time
    said=$("$root/scripts/run_scene.sh" --brief --project "$folder" --timeout 120 "$@" 2>&1) || status=$?
    for pattern in "${patterns[@]}"; do
        grep -Eq -- "$pattern" <<< "$said" || missing+=("$pattern")
    done
    if [ $((status != 0)) = $((wanted != 0)) ] && [ ${#missing[@]} = 0 ]; then
        echo "ok       $title"
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "FAILED   $title: exit code $status; not found: ${missing[*]:-nothing}; it said:"
    while IFS= read -r line; do echo "         | $line"; done <<< "$said"
}

# suite TITLE WANTED-EXIT PROJECT SUITE REGEX...: the same for a suite of godot-project/tests/selftest/.
suite() {
    local title=$1 wanted=$2 folder=$3 file=$4
    shift 4
    judge "$title" "$wanted" "$folder" "$@" -- --success '^All tests passed\.$' \
        "$runner" -- --native-only --limit=2 --suite="res://tests/selftest/$file.gd"
}

plain=$(new_project plain)
# Created here, because in the repository every tool would report it.
printf 'extends "../support/suite.gd"\n\n\nfunc test_it(_kind: StringName) -> void:\n\tcheck(true,\n' \
    > "$plain/tests/selftest/parse_error.gd"

suite "a suite without faults passes" 0 "$plain" passing \
    '^2 passed, 0 failed, 0 skipped$' '^All tests passed\.$'
suite "a failing check" 1 "$plain" failing_check \
    '^ +- PacketPeerUDP: is_bound: got false, expected true$' '^0 passed, 1 failed, 0 skipped$' \
    '^run_scene: FAILED: the engine ended with exit code 1$'
suite "a test that checks nothing" 1 "$plain" no_check '^ +- PacketPeerUDP: nothing was checked$'
suite "a script error" 1 "$plain" script_error \
    '- PacketPeerUDP: unexpected in the log: SCRIPT ERROR' '^run_scene: FAILED: script error'
suite "a script error that a pattern allows" 1 "$plain" swallowed_script_error \
    '- PacketPeerUDP: unexpected in the log: SCRIPT ERROR' '^run_scene: FAILED: script error'
suite "a parse error" 1 "$plain" parse_error \
    '^FAILED +res://tests/selftest/parse_error.gd' '^run_scene: FAILED: parse error'
suite "an unexpected error" 1 "$plain" unexpected_error \
    '- PacketPeerUDP: unexpected in the log: ERROR: nobody expects this' \
    '^run_scene: FAILED: unexpected errors: 1 error lines in the log, 0 expected'
suite "an unexpected error of a thread" 1 "$plain" error_in_thread \
    '- PacketPeerUDP: unexpected in the log: ERROR: said in a thread'
suite "an error after the last test" 1 "$plain" late_error \
    '^1 passed, 0 failed, 0 skipped$' \
    '^run_scene: FAILED: unexpected errors: 1 error lines in the log, 0 expected' '^ERROR: said at the end'
suite "a leaked object" 1 "$plain" leak '^1 passed, 0 failed, 0 skipped$' '^run_scene: FAILED: leak: '
suite "a test that hangs" 1 "$plain" hang \
    '^FAILED +hang: a hang is ended \[PacketPeerUDP\] hung' '^run_scene: FAILED: the engine ended with exit code'
judge "a scene that does not end" 1 "$plain" '^run_scene: FAILED: time-out: .*\(hang\)$' \
    -- --timeout 2 tests/selftest/endless.tscn

# A terminal's Ctrl-C goes to all processes of its foreground group, whose descendants have to end with it.
mark_prepared "$plain"
if [ "$(platform)" != linux ]; then
    say "left out: a scene that is interrupted; its processes are listed as Linux does."
elif left=$(python3 - "$root/scripts/run_scene.sh" --project "$plain" tests/selftest/endless.tscn 2>&1 <<'PYTHON'
import os, signal, subprocess, sys, time

def heirs():
    """The processes of the session, but for those that have ended."""
    listed = subprocess.run(["ps", "-eo", "sess,stat,pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if line.split()[0] == str(script.pid) and line.split()[1][0] != "Z"]

def until(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()

signal.signal(signal.SIGINT, signal.SIG_DFL)
script = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
if not until(lambda: any("--headless res://" in line and "timeout" not in line for line in heirs())):
    sys.exit("the engine has not started")
os.killpg(script.pid, signal.SIGINT)
if not until(lambda: script.poll() is not None and not heirs()):
    left = heirs()
    for line in left:
        os.kill(int(line.split()[2]), signal.SIGKILL)
    sys.exit("still there: %s" % left)
if script.returncode not in (130, -signal.SIGINT):
    sys.exit("exit code %d" % script.returncode)
PYTHON
); then
    echo "ok       a scene that is interrupted"
    passed=$((passed + 1))
else
    echo "FAILED   a scene that is interrupted: $left"
    failed=$((failed + 1))
fi
judge "a missing success line" 1 "$plain" "^run_scene: FAILED: the log has no line that matches 'never said'$" \
    -- --success 'never said' "$runner" -- --native-only --suite=res://tests/selftest/passing.gd
judge "a scene that does not exist" 1 "$plain" '^run_scene: FAILED: ' -- --timeout 60 tests/no_such_scene.tscn
judge "a project without the addon" 1 "$plain" \
    'the class PacketPeerUdpRs is not registered' '^run_scene: FAILED: the engine ended with exit code 1$' \
    -- "$runner" -- --suite=res://tests/selftest/passing.gd

# This suite needs the addon.
with_addon=$(new_project with_addon addons/packet_peer_udp_rs/addon.gdextension)
mkdir -p "$with_addon/addons"
cp -R "$addon" "$with_addon/addons/"
judge "answers that differ" 1 "$with_addon" \
    '^ +- differs: PacketPeerUDP answers get_class = "PacketPeerUDP", PacketPeerUdpRs answers get_class = "PacketPeerUdpRs"$' \
    '^0 passed, 1 failed, 0 skipped$' \
    -- "$runner" -- --suite=res://tests/selftest/differing_answers.gd

broken=$(new_project without_library addons/packet_peer_udp_rs/addon.gdextension)
mkdir -p "$broken/addons/packet_peer_udp_rs"
cp "$root/addon.gdextension" "$broken/addons/packet_peer_udp_rs/"
judge "an addon whose library is missing" 1 "$broken" \
    'the class PacketPeerUdpRs is not registered' '^run_scene: FAILED: missing library: ' \
    -- "$runner" -- --suite=res://tests/selftest/passing.gd

panicking=$(new_project panicking panic_probe.gdextension)
target=${CARGO_TARGET_DIR:-$root/target}
library=$(library_name)
library=${library/packet_peer_udp_rs/panic_probe}
env -u CARGO_BUILD_TARGET cargo build --quiet --locked --manifest-path "$root/Cargo.toml" --target-dir "$target" \
    --package packet_peer_udp_rs --example panic_probe
cp "$target/debug/examples/$library" "$panicking/"
cat > "$panicking/panic_probe.gdextension" <<MANIFEST
[configuration]

entry_symbol = "panic_probe_init"
compatibility_minimum = "4.5"

[libraries]

$(platform) = "$library"
MANIFEST
suite "a panic" 1 "$panicking" panic \
    '- PacketPeerUDP: unexpected in the log: ERROR: \[panic .*panic_probe' '^run_scene: FAILED: panic: .*panic'
suite "a panic that a pattern allows" 1 "$panicking" swallowed_panic \
    '- PacketPeerUDP: unexpected in the log: .*panic' '^run_scene: FAILED: panic: '

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
