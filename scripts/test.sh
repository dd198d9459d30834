#!/usr/bin/env bash
# Runs all checks and tests of the project. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/library.sh
source "$root/scripts/library.sh"

usage() {
    cat <<HELP
Usage: scripts/test.sh [--fast | --all] [--help]

Checks formatting, lints, import cycles, the core's tests and the documentation, then the addon in a real Godot: the test
scenes, also on two hosts, the demo in the terminal and in a window, a dedicated server, short runs of the benchmark and
the soak, the engine under valgrind, the test runner's own test, and the editor reloading the addon. A step that fails does not
keep the others from running. The exit code is 0 if no step failed.

  --fast   skip valgrind, the test runner's own test, the reload and the demo in a window
  --all    run also what takes long: the packages for all systems that can be built here, the tests for arm64 under qemu and for
           Windows under wine (\$GODOT_WINDOWS), the dependencies' licences, the core's benchmarks, the comparison of two builds,
           the long forms of the suites about hostile conditions (docs/reliability.md)

Needs Rust (with rustfmt and clippy), a C compiler and Python 3. The formatter for GDScript and shellcheck are fetched; on
Debian and its derivatives also the engine and, as root, iproute2, dnsmasq and a virtual display.
HELP
}

fast=false all=false
for argument in "$@"; do
    case $argument in
        --fast) fast=true ;;
        --all) all=true ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

cd "$root"
need_rust
need_python

# ---- bookkeeping --------------------------------------------------------------------------------------------

# A line for each step, in the order in which they end: result, seconds, name, reason.
results=$(mktemp "${TMPDIR:-/tmp}/packet_peer_udp_rs.XXXXXX")
second=""
trap 'rm -f "$results" "$results.second"; [ -z "$second" ] || kill -- "-$second" 2> /dev/null || true' EXIT

record() { # RESULT NAME SECONDS [REASON]
    printf '%s\t%s\t%s\t%s\n' "$1" "$3" "$2" "${4:-}" >> "$results"
}

has_passed() { awk -F '\t' -v name="$1" '$1 == "passed" && $3 == name { found = 1 } END { exit !found }' "$results"; }

# step NAME COMMAND...: runs COMMAND in a subshell, where any failing command fails the step. A command that cannot do its
# work on this machine prints the reason and exits with 77.
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

leave_out() { # NAME REASON
    printf '\n==== %s\n---- skipped: %s\n' "$1" "$2"
    record skipped "$1" 0 "$2"
}

# after NEEDED NAME COMMAND...: like step, but skipped unless the step NEEDED has passed.
after() {
    local needed=$1
    shift
    if has_passed "$needed"; then
        step "$@"
    else
        leave_out "$1" "needs the step '$needed'"
    fi
}

# at_once FIRST SECOND: runs two functions of steps at the same time; most tests wait more than they compute. What the second one
# prints follows what the first one prints.
at_once() {
    # A process group of its own, so that all of it ends when this script is interrupted.
    set -m
    "$2" > "$results.second" 2>&1 < /dev/null &
    second=$!
    set +m
    "$1"
    wait "$second" || record failed "the steps of $2" 0 "they ended early"
    second=""
    cat "$results.second"
}

summary() {
    printf '\n==== summary\n'
    awk -F '\t' '{ printf "%-7s %4ss  %s%s\n", $1, $2, $3, $4 == "" ? "" : " (" $4 ")" }' "$results"
    awk -F '\t' '{ n[$1]++ } END { printf "\n%d passed, %d failed, %d skipped, %d s\n", n["passed"], n["failed"], n["skipped"], '$SECONDS' }' "$results"
}

# ---- the files that are checked -----------------------------------------------------------------------------

# The project's own files; the staged addon and the engine's cache are not in these folders.
mapfile -t shell_scripts < <(find scripts -name '*.sh' | sort; echo .ci/run)
mapfile -t gdscript < <(find scripts godot-project -path godot-project/.godot -prune -o -path godot-project/addons -prune -o \
    -name '*.gd' -print | sort)
[ ${#gdscript[@]} -gt 0 ] || die "no GDScript found under godot-project/; this is not a complete checkout."

# ---- steps --------------------------------------------------------------------------------------------------

rust_component() { # rustfmt and clippy are part of the user's installation of Rust
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
    # The way out when gdext's undocumented items change; nobody builds it otherwise.
    cargo clippy --package packet_peer_udp_rs --all-targets --features plain-virtuals --locked -- -D warnings
}

rust_docs() {
    # The documentation is for those who work on these crates. It includes private items, so links to them are valid.
    RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked
}

scripts_answer_help() {
    local script answer
    for script in "${shell_scripts[@]}"; do
        case $script in scripts/lib.sh | scripts/library.sh | .ci/run) continue ;; esac
        [ -x "$script" ] || die "$script is not executable."
        answer=$("$script" --help) || die "$script --help fails."
        [[ $answer = *Usage:*"$script"* ]] || die "$script --help does not say how it is used."
    done
    echo "${#shell_scripts[@]} scripts checked."
}

# Messages and the libraries themselves tell nothing of the machine that built them: its users and folders.
libraries_have_no_paths() {
    library_has_no_paths "$addon/$(library_path)"
    library_has_no_paths "$addon/$(game_library_path)"
}

# The zip has exactly the addon's files, and the same bytes when it is made in another folder at another time.
package_is_reproducible() {
    make_temporary
    local output=$root/target/package/this_machine names first second
    rm -rf "$output"
    scripts/package.sh --prebuilt --output "$output"
    names=$(python3 -m zipfile --list "$output"/packet_peer_udp_rs-*.zip | awk 'NR > 1 { print $1 }' | grep -v '/bin/' | LC_ALL=C sort)
    diff - <(echo "$names") <<'NAMES' || die "these are not the files of the addon (above)."
addons/packet_peer_udp_rs/CHANGELOG.md
addons/packet_peer_udp_rs/LICENSE
addons/packet_peer_udp_rs/README.md
addons/packet_peer_udp_rs/THIRD_PARTY_NOTICES.md
addons/packet_peer_udp_rs/addon.gdextension
addons/packet_peer_udp_rs/conditions/awful.tres
addons/packet_peer_udp_rs/conditions/crowded_wifi.tres
addons/packet_peer_udp_rs/conditions/mobile_3g.tres
addons/packet_peer_udp_rs/conditions/mobile_4g.tres
addons/packet_peer_udp_rs/conditions/satellite.tres
addons/packet_peer_udp_rs/conditions/transatlantic.tres
addons/packet_peer_udp_rs/conditions/wifi.tres
addons/packet_peer_udp_rs/icons/PacketPeerUdpRs.svg
addons/packet_peer_udp_rs/icons/PacketPeerUdpRs.svg.import
addons/packet_peer_udp_rs/icons/UdpLinkConditions.svg
addons/packet_peer_udp_rs/icons/UdpLinkConditions.svg.import
addons/packet_peer_udp_rs/icons/UdpLinkProxy.svg
addons/packet_peer_udp_rs/icons/UdpLinkProxy.svg.import
addons/packet_peer_udp_rs/icons/UdpServerRs.svg
addons/packet_peer_udp_rs/icons/UdpServerRs.svg.import
NAMES
    # Another folder: the files that git knows, with other dates and in another order of creation.
    git ls-files -z | sort -zr | xargs -0 cp --parents -t "$temporary" --
    find "$temporary" -exec touch -d 2001-02-03 {} +
    git -C "$temporary" init -q && git -C "$temporary" add -A
    mkdir -p "$temporary/godot-project/$(dirname "${addon_res#res://}")"
    cp -R "$addon" "$temporary/godot-project/${addon_res#res://}"
    "$temporary/scripts/package.sh" --prebuilt --output "$temporary/out"
    first=$(cat "$output/SHA256SUMS") second=$(cat "$temporary/out/SHA256SUMS")
    [ "$first" = "$second" ] || die "two packages differ: $first, $second"
    (cd "$output" && sha256sum --check SHA256SUMS)
}

# All libraries that can be built here; those of this machine also in another folder, with the same bytes.
packages_for_other_systems() {
    local library
    if [ "$(id -u)" != 0 ] || ! command -v dpkg-deb > /dev/null; then
        say "needs root on Debian, for scripts/cross.sh."
        return 77
    fi
    scripts/package.sh
    make_temporary
    git ls-files -z | xargs -0 cp --parents -t "$temporary" --
    "$temporary/scripts/package.sh" --only-libraries linux.x86_64
    for library in target/package/libraries/linux.x86_64/*; do cmp "$library" "$temporary/$library"; done
}

# The addon as users install it: the zip unpacked into an empty project, it loads and registers its class. A game that quits
# while a thread waits for a packet exits with code 0, as with the engine's class.
zip_works_in_an_empty_project() {
    local answer code=0
    make_temporary
    python3 -m zipfile --extract target/package/this_machine/packet_peer_udp_rs-*.zip "$temporary"
    mkdir -p "$temporary/.godot"
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
    timeout 120 "$GODOT" --headless --path "$temporary" --script res://quits.gd > "$temporary/quits.log" 2>&1 || code=$?
    if [ $code != 0 ]; then
        cat "$temporary/quits.log"
        die "a game that quits while a thread waits exits with code $code."
    fi
    answer=$(timeout 120 "$GODOT" --headless --path "$temporary" --script res://main.gd 2>&1) || true
    echo "$answer"
    grep -qx 'bound: OK true' <<< "$answer" && ! grep -qE '^(ERROR|SCRIPT ERROR|WARNING)' <<< "$answer"
}

windowed_demo() {
    local scene
    make_temporary
    for scene in lab chat stall lobby; do
        # Always in a virtual display: a test opens no windows on the user's screen.
        env -u DISPLAY -u WAYLAND_DISPLAY scripts/demo.sh --screenshot "$temporary/$scene.png" --scene $scene
        timeout 120 "$GODOT" --headless --script "$root/scripts/check_picture.gd" -- "$temporary/$scene.png"
    done
}

# The benchmark runs and reports. Its figures are not checked: a busy machine's say nothing.
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

# The same for the comparison of two builds: of this build with itself, so that it skips no rows.
quick_comparison() {
    make_temporary
    scripts/bench.sh --quick --only peers --against "$addon" --runs 2 --json "$temporary/comparison.json"
    python3 - "$temporary/comparison.json" <<'PYTHON'
import json, sys

result = json.load(open(sys.argv[1]))
assert result["rows"] and not result["skipped"], result["skipped"]
PYTHON
}

core_benchmarks() {
    # The server's needs 15,110 clients, each an open file.
    ulimit -n "$(ulimit -Hn)"
    cargo bench --package packet_peer_udp_bench --locked -- --quick
}

# No cycles here; and a cycle, through a re-export and a path in a function, is found.
import_cycles() {
    local answer
    scripts/acyclic.sh
    make_temporary
    mkdir -p "$temporary/sample/src"
    echo 'mod a; mod b; mod facade;' > "$temporary/sample/src/lib.rs"
    echo 'pub use crate::b::B;' > "$temporary/sample/src/facade.rs"
    echo 'use crate::facade::B; pub struct A(B);' > "$temporary/sample/src/a.rs"
    echo 'pub struct B; fn f() { let _ = super::a::A; }' > "$temporary/sample/src/b.rs"
    if answer=$(scripts/acyclic.sh "$temporary/sample/src/lib.rs"); then die "a cycle was not found."; fi
    grep -q 'a -> sample::b: .*/a.rs:1 names crate::facade::B' <<< "$answer" || die "another cycle was found: $answer"
    echo 'pub struct B; #[cfg(test)] fn f() { let _ = super::a::A; }' > "$temporary/sample/src/b.rs"
    scripts/acyclic.sh "$temporary/sample/src/lib.rs"
}

# A short session without losses; then one with losses, which must be reported.
dedicated_server() {
    local answer direction
    scripts/dedicated.sh --bots 40 --processes 2 --seconds 3
    if answer=$(scripts/dedicated.sh --bots 4 --seconds 1 --leave-out 5 2>&1); then die "lost updates were not reported."; fi
    for direction in "bots to server" "server to bots"; do
        grep -qx "FAILED: $direction: 4 lost, 0 repeated, 0 late" <<< "$answer" || die "it failed for another reason: $answer"
    done
}

engine_found() {
    scripts/get_godot.sh
    find_engine
    "$GODOT" --headless --version | tail -n 1
}

sources() {
    step "formatting: Rust" rust_format
    step "lints: Rust" rust_lint
    step "core tests" cargo test --workspace --locked
    # The I/O mode depends on the platform; Linux supports all modes and uses 'offload' by default.
    local mode test traffic_tests=()
    for test in receiving sending full_queue flooding waiting connecting background statistics threads \
        server_accepting server_closing server_traffic; do
        traffic_tests+=(--test "$test")
    done
    for mode in batch portable; do
        step "core tests of traffic, I/O mode '$mode'" env PACKET_PEER_UDP_RS_PATH=$mode \
            cargo test --package packet_peer_udp_core "${traffic_tests[@]}" --locked
    done
    command -v ip > /dev/null || [ "$(platform)" != linux ] || apt_install iproute2 || true
    step "core tests in a network of their own" scripts/namespace_tests.sh
    step "documentation: Rust" rust_docs
}

the_addon() {
    step "build" scripts/build.sh
    after build "no paths of this machine in the libraries" libraries_have_no_paths
    after build "engine" engine_found
    ! has_passed engine || find_engine
    after build "package of this machine's libraries" package_is_reproducible
    after "package of this machine's libraries" "the zip in an empty project" zip_works_in_an_empty_project
    after engine "import" prepare_project "$project"
    if python_tools; then
        step "formatting: GDScript" gdformat --check "${gdscript[@]}"
        step "lints: GDScript" gdlint "${gdscript[@]}"
        step "lints: shell" shellcheck -x "${shell_scripts[@]}"
    else
        step "the tools for GDScript and shell" false
    fi
    step "scripts answer --help" scripts_answer_help
    step "import cycles" import_cycles
    step "workflows" scripts/repository.sh --workflows
    step "third-party notices" scripts/notices.sh --check
    step "documentation: links, scripts, length" scripts/docs.sh
}

# Tests of ten seconds and more whose subject a shorter one has too.
readonly LONG_TESTS=("sample_reliable: thirty percent loss" "sample_state_replication: twenty clients over an awful network")

# What uses network namespaces or the sample's lobby is all in here: two of them at once would meet.
scenes() {
    local mode test left_out=()
    if ! $all; then
        for test in "${LONG_TESTS[@]}"; do left_out+=("--skip=$test=--all runs it"); done
    fi
    after import "Godot test scenes" scripts/run_scene.sh --brief --timeout 1500 \
        --success '^All tests passed\.$' res://tests/runner.tscn -- ${left_out[@]+"${left_out[@]}"}
    for mode in batch portable; do
        after import "Godot test scenes of traffic, I/O mode '$mode'" env PACKET_PEER_UDP_RS_PATH=$mode scripts/run_scene.sh \
            --brief --timeout 900 --success '^All tests passed\.$' res://tests/runner.tscn -- --only=traffic,batches,sending
    done
    after import "Godot test scenes on two hosts" scripts/network_tests.sh
    after import "snippets of the documentation" scripts/snippets.sh
    after import "demo in the terminal" scripts/demo.sh --headless
    after import "LAN lobby between two hosts" scripts/lobby.sh
    after import "dedicated server with bots" dedicated_server
    if $fast; then
        leave_out "demo in a window" "--fast"
    elif command -v xvfb-run > /dev/null || apt_install xvfb xauth; then
        after import "demo in a window" windowed_demo
    else
        leave_out "demo in a window" "needs xvfb-run (Debian, Ubuntu: apt install xvfb)"
    fi
}

other_engines() {
    after import "exported games" scripts/export_test.sh
    after import "beside another extension" scripts/two_extensions_test.sh
    after build "benchmark, a few rounds" quick_benchmark
    after import "soak, 12 seconds" scripts/soak.sh --minutes 0.2
    after import "floods, half a second each" scripts/floods.sh --quick
    after import "quitting and reloading in the middle of work" scripts/leaving.sh --quick
    if $fast; then
        leave_out "test scenes under valgrind" "--fast"
        leave_out "the test runner notices failures" "--fast"
        leave_out "the editor reloads the addon" "--fast"
    else
        after import "test scenes under valgrind" scripts/sanitize.sh --quick valgrind
        after import "the test runner notices failures" scripts/selftest.sh
        after import "the editor reloads the addon" scripts/reload_test.sh
    fi
}

at_once sources the_addon
! has_passed engine || find_engine
at_once scenes other_engines

other_systems() {
    step "dependencies" scripts/repository.sh --dependencies
    after import "NAT punching between hosts behind two NATs" scripts/nat_test.sh
    step "bill of materials" scripts/sbom.sh
    step "packages for other systems" packages_for_other_systems
    after "packages for other systems" "core tests and Godot test scenes on arm64 (qemu)" scripts/arm64_tests.sh
    step "core tests on Windows (wine)" scripts/windows_tests.sh --only core
    after "packages for other systems" "Godot test scenes on Windows (wine)" scripts/windows_tests.sh --only scenes
    after "packages for other systems" "project made by hand on Windows (wine)" scripts/windows_tests.sh --only project \
        --zip target/package/packet_peer_udp_rs-*.zip
    step "core benchmarks, a few rounds" core_benchmarks
    after import "comparison of two builds, a few rounds" quick_comparison
}

hostile_conditions() {
    after import "soak, ten minutes" scripts/soak.sh --minutes 10
    after import "floods, a minute each" scripts/floods.sh
    after import "sequences, 100,000 and 10,000" scripts/sequences.sh
    after import "a million mutated Variants" scripts/variants.sh
    after import "quitting and reloading, ten times each" scripts/leaving.sh
    step "faults at every system call" scripts/faults.sh --long
    step "pairs of methods" scripts/pairs.sh
    step "pairs of methods under ThreadSanitizer" scripts/pairs.sh --thread-sanitizer
    step "fuzzing, a minute each" scripts/fuzz.sh --seconds 60
    step "core tests under AddressSanitizer" scripts/sanitize.sh address
    after import "more test scenes under valgrind" scripts/sanitize.sh valgrind
}

if $all; then
    at_once other_systems hostile_conditions
fi

summary
! grep -q '^failed' "$results"
