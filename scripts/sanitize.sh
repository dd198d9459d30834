#!/usr/bin/env bash
# Runs tests under AddressSanitizer, ThreadSanitizer and valgrind. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'HELP'
Usage: scripts/sanitize.sh [--quick] [--only=PATTERNS] [address | thread | valgrind]...

Looks for errors of memory and for data races. Without a name, all three parts run:
  address   the core's tests under AddressSanitizer: use after free, overflows, leaks
  thread    the core's tests under ThreadSanitizer: data races. Also the standard library is built for it
  valgrind  test scenes with the addon in the engine, under memcheck: also the engine's reads of the addon's memory are checked,
            such as those of a packet that it decodes

  --quick          a part of the tests: a few minutes
  --only=PATTERNS  valgrind: these tests instead, as for godot-project/tests/runner.gd; address and thread: the name of one of
                   the core's test files

The Rust compiler is the usual one; RUSTC_BOOTSTRAP=1 makes it accept -Zsanitizer. The thread part needs the standard library's
sources, which rustup or apt (as root) fetches. valgrind and the C library with its symbols are those of Debian testing, unpacked
into .cache/valgrind (60 MB to fetch); an engine that scripts/get_godot.sh has not unpacked runs under the machine's valgrind.
A part whose tools are missing is skipped, with the reason. Exit code 0 if no part failed, 77 if all were skipped.
HELP
}

quick=false only="" parts=()
for argument in "$@"; do
    case $argument in
        address | thread | valgrind) parts+=("$argument") ;;
        --quick) quick=true ;;
        --only=*) only=${argument#*=} ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
[ ${#parts[@]} -gt 0 ] || parts=(address thread valgrind)

cd "$root"
need_rust

# ---- the core's tests -----------------------------------------------------------------------------------------

# Not the models: they run no two threads at once, so no sanitizer finds anything in them, and take minutes with one. Nor the
# random sequences of queue operations in their usual number.
readonly NOT_MODELS=(--skip model)
export PROPTEST_CASES=${PROPTEST_CASES:-16}

make_temporary
log=$temporary/log results=$temporary/results
: > "$results"

host=$(rustc -vV | sed -n 's/^host: //p')

# core_tests SANITIZER CARGO_ARGUMENTS...: builds and runs the core's tests under a sanitizer.
core_tests() {
    local sanitizer=$1 tests=(--lib --tests)
    shift
    if [ -n "$only" ]; then
        tests=(--test "$only")
    elif $quick; then
        tests=(--test races --test threads --test server_closing --test signals --test full_queue)
    fi
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=$sanitizer" CARGO_TARGET_DIR=$root/target/sanitizers/$sanitizer \
        cargo test --locked --package packet_peer_udp_core --target "$host" --no-fail-fast "$@" "${tests[@]}" \
        -- "${NOT_MODELS[@]}" --nocapture | tee "$log"
    found_nothing "$sanitizer" "$(awk '/^test result: ok/ { sum += $4 } END { print sum + 0 }' "$log") tests of the core"
}

# found_nothing PART WHAT: notes what a part has run, for the line at the end.
found_nothing() { echo "$1: $2" >> "$results"; }

# has_runtime SANITIZER: whether the compiler comes with the sanitizer's runtime for this machine.
has_runtime() {
    compgen -G "$(rustc --print sysroot)/lib/rustlib/$host/lib/librustc*_rt.$1.*" > /dev/null
}

part_address() {
    has_runtime asan || { say "address: skipped: this Rust has no AddressSanitizer for $host (rustup's has)."; return 77; }
    core_tests address
}

sources() { [ -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; }

part_thread() {
    has_runtime tsan || { say "thread: skipped: this Rust has no ThreadSanitizer for $host (rustup's has)."; return 77; }
    if ! sources; then
        if command -v rustup > /dev/null; then rustup component add rust-src; else apt_install rust-src; fi || true
        sources || { say "thread: skipped: the standard library's sources are missing (rustup component add rust-src)."; return 77; }
    fi
    # Thread leaks are not reported: the handle of the background thread is kept after the thread has ended, and is joined when
    # the library is unloaded, which a test program never does; a look-up that hangs in the system is joined by nobody.
    TSAN_OPTIONS="report_thread_leaks=0 ${TSAN_OPTIONS:-}" core_tests thread -Zbuild-std
}

# ---- the engine under valgrind --------------------------------------------------------------------------------

# Suites in which the engine reads what the addon holds, or scripts run in the middle of a call of the addon. memcheck makes
# everything twenty to fifty times slower and lets one thread run at a time, so those about time and many threads are left out.
readonly SCENES="hostile_scripts:,variants: a setter,variants: garbage,variants: variants and,closed_peer:,packets:,batches:,\
server_peers:,server_batches:,ready_peers:,users_reports:"
readonly TIMED="users_reports: no packet arrives before it is sent=memcheck reads two clocks too far apart"
readonly QUICK_SCENES="hostile_scripts:,variants: a setter,variants: garbage,variants: variants and"

home=$cache/valgrind

# debian_valgrind: unpacks Debian testing's valgrind. Fails, with the reason, where that is not possible.
debian_valgrind() {
    local mirror libraries file
    [ ! -e "$home/.done" ] || return 0
    mirror=$(debian_mirror) && [ -r "$debian_keyring" ] ||
        { say "valgrind: skipped: no Debian mirror to fetch valgrind from."; return 1; }
    say "unpacking Debian testing's valgrind into ${home#"$root"/} …"
    rm -rf "$home"
    mkdir -p "$home"
    testing_archives "$home/apt" "$mirror" valgrind libc6 libc6-dbg || return 1
    unpack_archives "$home/tree" "$home"/apt/cache/archives/{valgrind,libc6,libc6-dbg}_*.deb || return 1
    rm -rf "$home/apt"
    # memcheck needs the symbols of this C library. It looks for them in /usr/lib/debug and beside the library.
    libraries=$(dirname "$(find "$home/tree/usr/lib" -name 'ld-linux-*.so.*' | head -n 1)")
    mkdir -p "$libraries/.debug"
    for file in "$home"/tree/usr/lib/debug/.build-id/*/*.debug; do
        ln -s "$(realpath --relative-to="$libraries/.debug" "$file")" "$libraries/.debug/$(basename "$file")"
    done
    : > "$home/.done"
}

# write_launcher: writes .cache/valgrind/godot, which starts $GODOT under memcheck.
write_launcher() {
    local engine=$cache/godot/engine libraries engine_libraries loader start valgrind
    mkdir -p "$home"
    # The loader takes a blank in LD_PRELOAD for the end of a path, and then valgrind replaces no malloc().
    ln -s "$home/tree/usr/libexec/valgrind" "$temporary/valgrind"
    if [ "$GODOT" = "$cache/godot/godot" ]; then
        debian_valgrind || return 1
        libraries=$(dirname "$(find "$home/tree/usr/lib" -name 'ld-linux-*.so.*' | head -n 1)")
        loader=$(find "$libraries" -name 'ld-linux-*.so.*' | head -n 1)
        # The engine runs with the unpacked C library, whose symbols are there; everything else is from the engine's folder.
        valgrind="'$loader' --library-path '$libraries' '$home/tree/usr/bin/valgrind.bin'"
        engine_libraries=$engine/usr/lib/$(basename "$libraries")
        start="'$loader' --library-path '$libraries:$engine_libraries:$engine_libraries/pulseaudio' '$engine/usr/bin/godot'"
    else
        valgrind=$(command -v valgrind) || { apt_install valgrind libc6-dbg && valgrind=$(command -v valgrind); } ||
            { say "valgrind: skipped: valgrind is not installed (Debian, Ubuntu: apt install valgrind libc6-dbg)."; return 1; }
        start="'$(realpath "$GODOT")'"
    fi
    cat > "$home/godot" << LAUNCHER
#!/bin/sh
# Engines that a test starts run without valgrind.
export GODOT='$GODOT'
case "\$*" in *--version) exec "\$GODOT" "\$@" ;; esac
[ ! -d '$home/tree' ] || export VALGRIND_LIB='$temporary/valgrind'
# Threads take turns, so that one that spins does not keep the others from running. One error is enough to fail, and its text is in
# the log. Memory that is still reachable at exit is the engine's own.
exec $valgrind --tool=memcheck --quiet --fair-sched=try --num-callers=25 --error-limit=no --error-exitcode=99 \\
    --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --log-file='$cache/logs/valgrind.log' \\
    $start "\$@"
LAUNCHER
    chmod +x "$home/godot"
}

part_valgrind() {
    local scenes=$SCENES code=0
    [ "$(uname -s)" = Linux ] || { say "valgrind: skipped: it runs the engine on Linux only."; return 77; }
    [ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
    ! $quick || scenes=$QUICK_SCENES
    [ -z "$only" ] || scenes=$only
    find_engine
    write_launcher || return 77
    prepare_project "$project"
    mkdir -p "$cache/logs"
    GODOT=$home/godot scripts/run_scene.sh --brief --log valgrind_scenes --timeout 3000 --success '^All tests passed\.$' res://tests/runner.tscn \
        -- --limit=1500 "--only=$scenes" "--skip=$TIMED" | grep -v '^Unicode parsing error' | tee "$log" || code=$?
    if [ -s "$cache/logs/valgrind.log" ]; then
        head -n 80 "$cache/logs/valgrind.log"
        say "valgrind: FAILED: memcheck reports errors; all of them are in .cache/logs/valgrind.log."
        code=1
    fi
    [ $code != 0 ] || found_nothing memcheck "$(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$log") tests in the engine"
    return $code
}

# ---- the parts ------------------------------------------------------------------------------------------------

failed=0 ran=0
for part in "${parts[@]}"; do
    echo "== $part"
    code=0
    # Not `part_… || …`: bash ignores `set -e` inside a condition.
    set +e
    (
        set -e
        "part_$part"
    )
    code=$?
    set -e
    case $code in
        0) ran=$((ran + 1)) ;;
        77) ;;
        *) ran=$((ran + 1)) failed=$((failed + 1)) ;;
    esac
done
[ "$failed" = 0 ] || die "$failed of $ran parts failed."
[ "$ran" -gt 0 ] || exit 77
echo "$ran of ${#parts[@]} parts ran (${parts[*]}) and found nothing."
echo "RESULT: no finding in $(paste -sd ';' "$results" | sed 's/;/; /g')"
