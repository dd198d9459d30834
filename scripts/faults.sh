#!/usr/bin/env bash
# Makes every system call of peers, servers and relays fail, one after the other. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'HELP'
Usage: scripts/faults.sh [--long] [--only=WORDS]

Makes every system call of a scenario fail, one after the other: the first, the second, up to the last, once, and then without end until
the call of the library is over. A seccomp filter does that, from below the library and all that it uses, so the library is the one that is
shipped. Scenarios: opening, connecting, sending, receiving, waiting, options and groups of peers, servers, link conditions and relays,
polled and in the background.

After each fault it is checked that the call which has failed answers with the operation and the system's error, or that the fault is one
that is rightly survived (rust/core/tests/faults/survivors.rs lists these, with the reasons); that a call which says success has
done what it says; that no packet is lost, doubled or reordered; that no descriptor, thread or memory is left; that nothing hangs or panics;
and that the whole scenario works again on the same objects.

  --long        all scenarios, every error that a call may give by its manual page, both forms, in each I/O mode: some minutes.
                Otherwise some of the scenarios, in the best I/O mode, one error for each call: seconds
  --only=WORDS  the scenarios whose names have these words

Prints a table; "reported": by the call; "kept": as the last error or among the refused options; "survived": rightly, without a word;
"missed": the call was not made that time. Its last line begins with "RESULT: ". Exit code 0 if all were answered as they
should be, 77 if the system permits no filter of system calls (Linux with glibc on x86_64 or arm64 is needed); the reason is printed.
HELP
}

long=false only=""
for argument in "$@"; do
    case $argument in
        --long) long=true ;;
        --only=*) only=${argument#*=} ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

[ "$(platform)" = linux ] || skip "filters of system calls exist on Linux only."

need_rust
cd "$root"
make_temporary
cargo test --locked -q -p packet_peer_udp_core --test faults --no-run

modes=(offload) parts=1
if $long; then
    modes=(offload batch portable) parts=4
    export FAULTS=long
fi
export FAULTS_ONLY=$only
failed=0 processes=() runs=()
# At once: they sleep most of the time.
for mode in "${modes[@]}"; do
    for ((part = 0; part < parts; part++)); do
        FAULTS_PART=$part/$parts PACKET_PEER_UDP_RS_PATH=$mode cargo test --locked -q -p packet_peer_udp_core --test faults -- \
            --nocapture > "$temporary/$mode.$part" 2>&1 &
        processes+=($!) runs+=("$mode.$part")
    done
done
for index in "${!runs[@]}"; do
    code=0 run=${runs[$index]}
    wait "${processes[$index]}" || code=$?
    if reason=$(grep -m 1 '^faults: skipped: ' "$temporary/$run"); then skip "${reason#faults: skipped: }"; fi
    if [ "$code" != 0 ]; then
        failed=1
        say "mode ${run%.*}:"
        grep '^faults: FAILED' "$temporary/$run" >&2 || tail -n 40 "$temporary/$run" >&2
    fi
done

# The lines are: "faults:", scenario, calls, faults, reported, kept, survived, missed, failures, milliseconds.
for mode in "${modes[@]}"; do sed -n "s/^faults:\t/$mode\t/p" "$temporary/$mode".*; done |
    awk -F '\t' -v modes=${#modes[@]} '
        BEGIN {
            row = "%-28s %-9s %6s %7s %9s %6s %9s %7s %7s %8s\n"
            printf row, "scenario", "I/O mode", "calls", "faults", "reported", "kept", "survived", "missed", "failed", "seconds"
        }
        {
            printf row, $2, $1, $3, $4, $5, $6, $7, $8, $9, sprintf("%.1f", $10 / 1000)
            scenarios[$2]; calls += $3; faults += $4; reported += $5; kept += $6; survived += $7; failures += $9
        }
        END {
            for (name in scenarios) count++
            if (count == 0 || faults == 0) { print "No fault was injected."; exit 1 }
            how = failures ? failures " NOT answered as they should be" : "no wrong result, leak, hang or panic, and all worked again afterwards"
            printf "RESULT: %d faults at %d system calls of %d scenarios in %d I/O %s: %d were reported by the call, %d kept as an error, " \
                "%d rightly survived; %s\n",
                faults, calls, count, modes, modes == 1 ? "mode" : "modes", reported, kept, survived, how
            exit failures > 0
        }' || failed=1
exit $failed
