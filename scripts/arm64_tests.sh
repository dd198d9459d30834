#!/usr/bin/env bash
# Runs the core's tests and the test scenes as on Linux for arm64. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/library.sh
source "$root/scripts/library.sh"

usage() {
    cat <<HELP
Usage: scripts/arm64_tests.sh [--only PART] [--library FILE] [--help] [-- arguments for the test runner]

Tests the addon for Linux on arm64 on a machine with another processor: under qemu's user-mode emulation, with the engine that
Debian testing has for arm64 (see scripts/get_godot.sh --help). Its parts:

  core     the core's tests, built against the C library that the packaged library is built against
  scenes   all test scenes, with the library of scripts/package.sh, in a headless engine that has also imported the project

  --only PART      this part only
  --library FILE   the part 'scenes' tests this library instead of one that it builds

Skipped tests are listed with their reasons: qemu has not every option of sockets. What depends on the processor's order of memory
accesses is not tested: an emulated processor has that of this machine.

Exit code 0 if all tests passed, 1 if one failed, 77 if this machine cannot emulate (it is not Debian on amd64) or need not (arm64).
HELP
}

parts=(core scenes) library="" runner_arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --only)
            case ${2:-} in core | scenes) parts=("$2") ;; *) usage >&2; exit 2 ;; esac
            shift 2
            ;;
        --library)
            [ -f "${2:-}" ] || die "--library needs a file."
            library=$(realpath -- "$2")
            shift 2
            ;;
        --) shift; runner_arguments=("$@"); break ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

[ "$(architecture)" != arm64 ] || skip "on arm64, scripts/test.sh tests what this emulates."
[ "$(platform)-$(architecture)" = linux-x86_64 ] || skip "needs Debian on amd64."
command -v apt-get > /dev/null || skip "needs Debian on amd64."

# ---- what is not tested -------------------------------------------------------------------------------------

# A part of a test's name, and the reason.
readonly core_skips=(
    "waiters::model::=simulates threads and no processor; minutes of emulation"
    "reactor::model::=simulates threads and no processor; minutes of emulation"
    "receive_times_lie_between_sending_and_receiving=qemu refuses SO_TIMESTAMPNS"
    "packets_have_their_time_of_arrival::own_polled=qemu refuses SO_TIMESTAMPNS"
    "packets_have_their_time_of_arrival::accepted_polled=qemu refuses SO_TIMESTAMPNS"
    "drops_are_counted_where_the_kernel_reports_them=qemu refuses SO_MEMINFO"
    "an_unknown_interface_changes_nothing::ipv6=qemu refuses IPV6_MULTICAST_IF"
)

# The same of the scenes' tests.
readonly scene_skips=(
    "times: the time is that of arrival=qemu refuses SO_TIMESTAMPNS"
    "times: each packet of a batch has its own time=qemu refuses SO_TIMESTAMPNS"
    "times: changing the mode keeps the times=qemu refuses SO_TIMESTAMPNS"
    "statistics: what the kernel drops is counted=qemu refuses SO_MEMINFO"
    "statistics: a reset while the kernel has dropped=qemu refuses SO_MEMINFO"
    "monitors: what the kernel drops=qemu refuses SO_MEMINFO"
    "server_timeouts: packets that the kernel dropped=qemu refuses SO_MEMINFO"
    "hop_limits: multicasts=qemu refuses IPV6_MULTICAST_IF"
    "options: every value in range=qemu refuses IPV6_MULTICAST_IF"
    "options: an interface that is not there=qemu refuses IPV6_MULTICAST_IF"
    "multicast: a peer receives all its groups and no other=qemu refuses IP_MULTICAST_ALL and IPV6_MULTICAST_ALL"
    "multicast: a peer that has left=qemu refuses IP_MULTICAST_ALL and IPV6_MULTICAST_ALL"
    "multicast: closing leaves while another stays=qemu refuses IP_MULTICAST_ALL and IPV6_MULTICAST_ALL"
    "multicast: native receives groups of other sockets=qemu refuses IP_MULTICAST_ALL and IPV6_MULTICAST_ALL"
    "background: it uses no processor time=qemu shows no processor time in /proc/self/stat"
    "waiting: waiting threads use no processor time=qemu shows no processor time in /proc/self/stat"
)

# ---- the parts ----------------------------------------------------------------------------------------------

work=$cache/arm64
mkdir -p "$work" "$cache/logs"
engine=$("$root/scripts/get_godot.sh" --emulated-arm64)
failed=false results=()

# total LOG WORD: the sum of the numbers that the log has before the word.
total() { grep -oE "[0-9]+ $2" "$1" | awk '{ sum += $1 } END { print sum + 0 }'; }

core() {
    local target glibc sysroot cargo build test skip options=() log=$cache/logs/arm64-core.log
    find_cargo linux.arm64
    # Emulated, unoptimised tests take ten times as long.
    test=("${cargo[@]}" test --locked --manifest-path "$root/Cargo.toml" --package packet_peer_udp_core --tests --no-fail-fast
        --config profile.dev.opt-level=1 --target "$target$glibc" --target-dir "$root/target/arm64")
    # cargo starts the tests with this.
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="${engine%/*}/engine/emulator/qemu-aarch64 -L ${engine%/*}/engine"
    "${test[@]}" -- --list > "$work/tests"
    for skip in "${core_skips[@]}"; do
        grep -qF -- "${skip%%=*}" "$work/tests" || die "there is no such test to skip: ${skip%%=*}"
        options+=(--skip "${skip%%=*}")
    done
    timeout -k 5 1800 "${test[@]}" -- "${options[@]}" 2>&1 | tee "$log" | grep --line-buffered -vE '^test .* \.\.\. (ok|ignored.*)$|^$' || failed=true
    results+=("core: $(total "$log" passed) passed, $(total "$log" failed) failed, $(total "$log" filtered) skipped,"
        "  $(total "$log" ignored) need a network of their own (scripts/namespace_tests.sh)")
    for skip in "${core_skips[@]}"; do
        results+=("  skipped: $(grep -F "${skip%%=*}" "$work/tests" | grep -c ': test$') of ${skip%%=*} (${skip#*=})")
    done
}

scenes() {
    # The name of the folder is that of the logs.
    local copy=$work/arm64 addon=$work/arm64/${addon_res#res://} name source log=$work/scenes.log skip options=()
    if [ -z "$library" ]; then
        "$root/scripts/package.sh" --only-libraries linux.arm64
        library=$root/target/package/libraries/linux.arm64/$(library_name_of linux.arm64 editor)
    fi
    # A copy of the project, so that the staged addon is not changed; what the tests read of the repository is beside it.
    rm -rf "$copy"
    mkdir -p "$copy"
    tar -C "$project" --exclude=./.godot --exclude=./addons -cf - . | tar -C "$copy" -xf -
    while IFS=$'\t' read -r name source; do replace_file "$root/$source" "$addon/$name"; done < <(addon_files)
    replace_file "$library" "$addon/bin/linux.arm64/$(library_name_of linux.arm64 editor)"
    for name in README.md docs packaging rust; do ln -sfn "$root/$name" "$work/$name"; done

    for skip in "${scene_skips[@]}"; do options+=("--skip=$skip"); done
    GODOT=$engine "$root/scripts/run_scene.sh" --project "$copy" --brief --timeout 3000 --success '^All tests passed\.$' \
        res://tests/runner.tscn -- "${options[@]}" ${runner_arguments[@]+"${runner_arguments[@]}"} | tee "$log" || failed=true
    if [ ${#runner_arguments[@]} = 0 ]; then
        for skip in "${scene_skips[@]}"; do
            grep -q "^skipped .*${skip%%=*}" "$log" || die "there is no such test to skip: ${skip%%=*}"
        done
    fi
    results+=("scenes: $(grep -E '^[0-9]+ passed, ' "$log" || echo "no result")")
    # Skipped tests by reason.
    mapfile -t -O ${#results[@]} results < <(awk '
        /^skipped / { skipped = 1; next }
        /^[^ ]/ { skipped = 0 }
        skipped { sub(/^ *- /, ""); count[$0] += 1 }
        END { for (reason in count) print "  skipped: " count[reason] " (" reason ")" }' "$log" | sort)
}

for part in "${parts[@]}"; do
    case $part in
        core | scenes) "$part" ;;
        *) usage >&2; exit 2 ;;
    esac
done
printf '%s\n' "" "On arm64, emulated:" "${results[@]}"
! $failed
