#!/usr/bin/env bash
# Proves that the project does what it says. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/test.sh [--fast] [--help]

Formatting, lints, the core's tests, documentation, then the addon in a real Godot: the test scenes, also on two hosts,
the demo in the terminal and in a window, a dedicated server, the benchmark and the soak for a moment, the proof that the
test runner notices failures, the editor reloading the addon. Every step runs, whatever came of the one before; the exit
code is 0 only if none failed.

  --fast   leave out the proof of the runner, the reload and the demo in a window

Needs Rust (with rustfmt and clippy), a C compiler and Python 3. Everything else is fetched: the formatter for GDScript,
shellcheck, and on Debian and its kin the engine, iproute2, dnsmasq and a virtual display (the last three only as root).
HELP
}

fast=false
for argument in "$@"; do
    case $argument in
        --fast) fast=true ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

cd "$root"
need_rust
need_python

# ---- bookkeeping --------------------------------------------------------------------------------------------

rows=() passed=0 failed=0 skipped=0
declare -A outcome

record() { # RESULT NAME SECONDS [REASON]
    outcome[$2]=$1
    rows+=("$(printf '%-7s %4ss  %s' "$1" "$3" "$2${4:+ ($4)}")")
    case $1 in
        passed) passed=$((passed + 1)) ;;
        failed) failed=$((failed + 1)) ;;
        skipped) skipped=$((skipped + 1)) ;;
    esac
}

# step NAME COMMAND...: runs it in a shell of its own, where any failing command fails the step. A command that cannot
# do its work on this machine says why and ends with 77.
step() {
    local name=$1 start=$SECONDS code=0
    shift
    printf '\n==== %s\n' "$name"
    # Not `if (…)`: bash ignores `set -e` inside a condition.
    set +e
    (
        set -e
        "$@"
    ) < /dev/null
    code=$?
    set -e
    if [ $code = 0 ]; then
        record passed "$name" $((SECONDS - start))
        echo "---- passed: $name ($((SECONDS - start)) s)"
    elif [ $code = 77 ]; then
        record skipped "$name" $((SECONDS - start)) "see above"
        echo "---- skipped: $name"
    else
        record failed "$name" $((SECONDS - start))
        echo "---- FAILED: $name ($((SECONDS - start)) s, exit code $code)"
    fi
}

skip() { # NAME REASON
    printf '\n==== %s\n---- skipped: %s\n' "$1" "$2"
    record skipped "$1" 0 "$2"
}

# after NEEDED NAME COMMAND...: a step that makes no sense when an earlier one has not passed. That one has failed, or
# has been skipped for a reason that holds for this step too.
after() {
    local needed=$1
    shift
    if [ "${outcome[$needed]:-}" = passed ]; then
        step "$@"
    else
        skip "$1" "needs the step '$needed'"
    fi
}

summary() {
    printf '\n==== summary\n'
    printf '%s\n' "${rows[@]}"
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
}

# ---- what is looked at --------------------------------------------------------------------------------------

# The project's own files; the staged addon and the engine's cache are not in these folders.
mapfile -t shell_scripts < <(find scripts -name '*.sh' | sort; echo .ci/run)
mapfile -t gdscript < <(find scripts godot-project -path godot-project/.godot -prune -o -path godot-project/addons -prune -o \
    -name '*.gd' -print | sort)
[ ${#gdscript[@]} -gt 0 ] || die "no GDScript found under godot-project/; this is not a complete checkout."

# ---- steps --------------------------------------------------------------------------------------------------

rust_component() { # rustfmt and clippy belong to the user's Rust
    cargo "$1" --version > /dev/null 2>&1 ||
        die "cargo $1 is missing: rustup component add $2 (Debian: apt install $3)"
}

rust_format() {
    rust_component fmt rustfmt rustfmt
    cargo fmt --all -- --check
}

rust_lint() {
    rust_component clippy clippy rust-clippy
    cargo clippy --workspace --all-targets --locked -- -D warnings
}

rust_docs() {
    # The crates are no one's dependencies: their documentation is for those who work on them, private parts included,
    # so that links into these are as good as any.
    RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked
}

scripts_answer_help() {
    local script answer
    for script in "${shell_scripts[@]}"; do
        case $script in scripts/lib.sh | .ci/run) continue ;; esac
        [ -x "$script" ] || die "$script is not executable."
        answer=$("$script" --help) || die "$script --help fails."
        [[ $answer = *Usage:*"$script"* ]] || die "$script --help does not say how it is used."
    done
    echo "${#shell_scripts[@]} scripts looked at."
}

# The addon as a user gets it: copied as it is into an empty project, it loads and registers its class. And a game that
# quits while one of its threads waits for a packet ends as it does with the engine's class: with exit code 0.
staged_addon_loads_elsewhere() {
    local answer code=0
    make_temporary
    mkdir -p "$temporary/addons" "$temporary/.godot"
    cp -r "$addon" "$temporary/addons/"
    echo 'config_version=5' > "$temporary/project.godot"
    echo "$addon_res/addon.gdextension" > "$temporary/.godot/extension_list.cfg"
    cat > "$temporary/main.gd" <<'GDSCRIPT'
extends SceneTree


func _init() -> void:
	var peer: PacketPeer = ClassDB.instantiate(&"PacketPeerUdpRs")
	print("bound: ", error_string(peer.call(&"bind", 0, "127.0.0.1")), " ", peer.call(&"is_bound"))
	quit()
GDSCRIPT
    cat > "$temporary/quits.gd" <<'GDSCRIPT'
extends SceneTree

var peer: PacketPeer = ClassDB.instantiate(&"PacketPeerUdpRs")
var thread := Thread.new()


func _init() -> void:
	peer.call(&"bind", 0, "127.0.0.1")
	thread.start(func() -> void: peer.call(&"wait"))
	create_timer(0.1).timeout.connect(quit)
GDSCRIPT
    timeout 60 "$GODOT" --headless --path "$temporary" --script res://quits.gd > "$temporary/quits.log" 2>&1 || code=$?
    if [ $code != 0 ]; then
        cat "$temporary/quits.log"
        die "a game that quits while a thread waits ends with exit code $code."
    fi
    answer=$(timeout 60 "$GODOT" --headless --path "$temporary" --script res://main.gd 2>&1) || true
    echo "$answer"
    grep -qx 'bound: OK true' <<< "$answer" && ! grep -qE '^(ERROR|SCRIPT ERROR|WARNING)' <<< "$answer"
}

windowed_demo() {
    local scene
    make_temporary
    for scene in chat stall lobby; do
        # In the virtual display even where there is a real one: a test opens no windows on people's screens.
        env -u DISPLAY -u WAYLAND_DISPLAY scripts/demo.sh --screenshot "$temporary/$scene.png" --scene $scene
        timeout 60 "$GODOT" --headless --script "$root/scripts/check_picture.gd" -- "$temporary/$scene.png"
    done
}

# That it runs and tells; how fast it is on a busy machine says nothing.
quick_benchmark() {
    make_temporary
    local chart="$temporary/peers.svg" server_chart="$temporary/servers.svg"
    scripts/bench.sh --quick --json "$temporary/bench.json" --chart "$chart" --server-chart "$server_chart"
    python3 - "$temporary/bench.json" "$chart" "$server_chart" <<'PYTHON'
import json, sys, xml.dom.minidom as dom

rows = json.load(open(sys.argv[1]))["rows"]
assert {"peers" in row for row in rows} == {True, False}, "rows of peers and of servers"
for chart in sys.argv[2:]:
    assert dom.parse(chart).getElementsByTagName("rect"), chart
PYTHON
}

# A short session in which nothing is lost; then one in which something is, and that is said.
dedicated_server() {
    local answer direction
    scripts/dedicated.sh --bots 40 --processes 2 --seconds 3
    if answer=$(scripts/dedicated.sh --bots 4 --seconds 1 --leave-out 5 2>&1); then die "lost updates were not noticed."; fi
    for direction in "bots to server" "server to bots"; do
        grep -qx "FAILED: $direction: 4 lost, 0 repeated, 0 late" <<< "$answer" || die "it failed otherwise: $answer"
    done
}

step "formatting: Rust" rust_format
step "lints: Rust" rust_lint
if python_tools; then
    step "formatting: GDScript" gdformat --check "${gdscript[@]}"
    step "lints: GDScript" gdlint "${gdscript[@]}"
    step "lints: shell" shellcheck -x "${shell_scripts[@]}"
else
    step "the tools for GDScript and shell" false
fi
step "scripts answer --help" scripts_answer_help
step "third-party notices" scripts/notices.sh --check
step "core tests" cargo test --workspace --locked
# How datagrams pass to and from the kernel differs between platforms; Linux can do it in every way.
for path in batch portable; do
    step "core tests of receiving, path '$path'" env PACKET_PEER_UDP_RS_PATH=$path \
        cargo test --package packet_peer_udp_core --test receiving --test server --locked
done
command -v ip > /dev/null || [ "$(platform)" != linux ] || apt_install iproute2 || true
step "core tests in a network of their own" scripts/namespace_tests.sh
step "documentation: Rust" rust_docs
step "build" scripts/build.sh

engine_found() { scripts/get_godot.sh; }
after build "engine" engine_found
if [ "${outcome[engine]}" = passed ]; then
    find_engine
    "$GODOT" --headless --version | tail -n 1
fi
after engine "staged addon in an empty project" staged_addon_loads_elsewhere
after engine "import" prepare_project "$project"
after import "Godot test scenes" scripts/run_scene.sh --brief --timeout 450 \
    --success '^All tests passed\.$' res://tests/runner.tscn
for path in batch portable; do
    after import "Godot test scenes of traffic, path '$path'" env PACKET_PEER_UDP_RS_PATH=$path scripts/run_scene.sh --brief \
        --timeout 300 --success '^All tests passed\.$' res://tests/runner.tscn -- --only=traffic,batches,sending
done
after import "Godot test scenes on two hosts" scripts/network_tests.sh
after import "demo in the terminal" scripts/demo.sh --headless
after import "LAN lobby between two hosts" scripts/lobby.sh
after import "dedicated server with bots" dedicated_server
after build "benchmark, a few rounds" quick_benchmark
after import "soak, for a moment" scripts/soak.sh --minutes 0.2

if $fast; then
    skip "the test runner notices failures" "--fast"
    skip "the editor reloads the addon" "--fast"
    skip "demo in a window" "--fast"
else
    after import "the test runner notices failures" scripts/selftest.sh
    after import "the editor reloads the addon" scripts/reload_test.sh
    if command -v xvfb-run > /dev/null || apt_install xvfb xauth; then
        after import "demo in a window" windowed_demo
    else
        skip "demo in a window" "needs xvfb-run (Debian, Ubuntu: apt install xvfb)"
    fi
fi

summary
[ "$failed" = 0 ]
