#!/usr/bin/env bash
# Fuzzes the core with libFuzzer under AddressSanitizer. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly TARGETS=(addresses control link peers relay server)

usage() {
    cat <<HELP
Usage: scripts/fuzz.sh [--seconds N] [--replay] [--keep] [TARGET...]

Fuzzes the core with libFuzzer under AddressSanitizer. Without a name, all targets one after the other:
  addresses  addresses, names of hosts and of interfaces, as scripts give them
  control    the parser of what the kernel writes as control messages, compared with a second one
  link       link conditions under a clock that jumps: every packet is accounted for and keeps its order
  peers      three peers over real sockets: any calls in any order
  relay      a relay with clients and a target: any traffic, settings and restarts
  server     a server, its peers and strangers: any traffic and calls in any order

  --seconds N  how long for each target, at most 1800 (default: 60)
  --replay     only the inputs that are committed, once each; takes seconds. cargo test does the same without a fuzzer
  --keep       afterwards, replaces the committed inputs by the shortest ones that reach the same code

Each begins with the inputs in rust/fuzz/corpus, and with those that earlier runs have found (.cache/fuzz). An input on which a
target fails is kept in .cache/fuzz/failures; scripts/fuzz.sh prints how to repeat it. Exit code 77 where the compiler has no
sanitizer for this machine, or there is no C++ compiler to build libFuzzer with. RUSTC_BOOTSTRAP=1 makes the usual compiler accept
the flags, which are those of cargo-fuzz.
HELP
}

seconds=60 replay=false keep=false targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --seconds)
            [[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] && [ "$2" -le 1800 ] || { say "--seconds needs a number from 1 to 1800"; exit 2; }
            seconds=$2
            shift
            ;;
        --replay) replay=true ;;
        --keep) keep=true ;;
        -h | --help) usage; exit 0 ;;
        *)
            printf '%s\n' "${TARGETS[@]}" | grep -Fqx -- "$1" || { usage >&2; exit 2; }
            targets+=("$1")
            ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=("${TARGETS[@]}")

cd "$root"
need_rust
need_python

host=$(rustc -vV | sed -n 's/^host: //p')
[ "$(platform)" != windows ] || skip "its sockets are not those of Linux and macOS, for which the targets are built."
compgen -G "$(rustc --print sysroot)/lib/rustlib/$host/lib/librustc*_rt.asan.*" > /dev/null ||
    skip "this Rust has no AddressSanitizer for $host (rustup's has)."
command -v "${CXX:-c++}" > /dev/null || skip "no C++ compiler to build libFuzzer with."

readonly FUZZ=$root/rust/fuzz HOME_FOLDER=$cache/fuzz
build=$root/target/fuzz
mkdir -p "$HOME_FOLDER" "$cache/logs"

# ---- building -------------------------------------------------------------------------------------------------

# As cargo-fuzz does: counters on every edge, and comparisons that the fuzzer sees.
flags="--cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0
    -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1"
[ "$(platform)" != linux ] || flags+=" -Cllvm-args=-sanitizer-coverage-stack-depth"
programs=()
for target in "${targets[@]}"; do programs+=(--bin "$target"); done
say "building ${targets[*]} …"
if ! RUSTC_BOOTSTRAP=1 RUSTFLAGS=$(echo "$flags" | tr -s ' \n' ' ') CARGO_TARGET_DIR=$build \
    cargo build --locked --release --quiet --manifest-path "$FUZZ/Cargo.toml" --target "$host" "${programs[@]}"; then
    die "the targets cannot be built (above)."
fi

# ---- inputs ---------------------------------------------------------------------------------------------------

# unpack TARGET FOLDER: writes the committed inputs as files, as libFuzzer wants them.
unpack() {
    python3 - "$FUZZ/corpus/$1.hex" "$2" << 'PYTHON'
import hashlib, pathlib, sys
folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for line in pathlib.Path(sys.argv[1]).read_text().split("\n"):
    if line and not line.startswith("#"):
        data = bytes.fromhex(line)
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
PYTHON
}

# pack TARGET FOLDER: replaces the committed inputs by those in FOLDER, the shortest first, up to a few KB.
pack() {
    python3 - "$FUZZ/corpus/$1.hex" "$2" << 'PYTHON'
import pathlib, sys
MOST = 6_000
lines = sorted((path.read_bytes().hex() for path in pathlib.Path(sys.argv[2]).iterdir()), key=lambda line: (len(line), line))
kept, size = [], 0
for line in filter(None, lines):
    if size + len(line) <= MOST:
        kept.append(line)
        size += len(line) + 1
pathlib.Path(sys.argv[1]).write_text("".join(line + "\n" for line in kept))
PYTHON
}

# ---- running --------------------------------------------------------------------------------------------------

make_temporary
# What is still allocated at the end belongs to the background thread.
export ASAN_OPTIONS="detect_leaks=0:abort_on_error=0:${ASAN_OPTIONS:-}"
failed=() runs=0 edges=0 inputs=0
# A single input may take so long; libFuzzer reports a longer one as a failure.
readonly LONGEST_INPUT=60

printf '%-10s %12s %8s %8s %9s %8s\n' target executions seconds edges features inputs
for target in "${targets[@]}"; do
    program=$build/$host/release/$target
    log=$cache/logs/fuzz_$target.log
    known=$HOME_FOLDER/corpus/$target failures=$HOME_FOLDER/failures/$target
    mkdir -p "$known" "$failures"
    unpack "$target" "$temporary/$target"
    options=(-print_final_stats=1 "-timeout=$LONGEST_INPUT" -rss_limit_mb=2048 -max_len=600 -len_control=20
        "-artifact_prefix=$failures/")
    began=$SECONDS code=0
    if $replay; then
        "$program" "${options[@]}" -runs=0 "$temporary/$target" > "$log" 2>&1 || code=$?
    else
        bounded $((seconds + 300)) "$program" "${options[@]}" -max_total_time="$seconds" "$known" "$temporary/$target" \
            > "$log" 2>&1 || code=$?
    fi
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    last=$(grep -E '^#[0-9]+.* cov: ' "$log" | tail -n 1 || true)
    field() { sed -n "s/.* $1: \([0-9]*\).*/\1/p" <<< "$last"; }
    edge=$(field cov) feature=$(field ft) count=$(field corp)
    printf '%-10s %12s %8s %8s %9s %8s\n' "$target" "${executed:--}" $((SECONDS - began)) "${edge:--}" "${feature:--}" "${count:--}"
    runs=$((runs + ${executed:-0})) edges=$((edges + ${edge:-0})) inputs=$((inputs + ${count:-0}))
    if [ "$code" != 0 ] || [ -z "$executed" ] || [ "$executed" = 0 ]; then
        failed+=("$target")
        # What a check says, and what the sanitizer or libFuzzer does.
        grep -A 4 -E 'panicked at|^SUMMARY|^==[0-9]+==' "$log" | grep -vE '^ +#|RUST_BACKTRACE' | head -n 40 >&2 || true
        say "$target: FAILED; the whole log is ${log#"$root/"}."
        artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        [ -z "$artifact" ] || say "again: ${program#"$root/"} ${artifact#"$root/"}"
    elif $keep; then
        mkdir -p "$temporary/$target.kept"
        "$program" -merge=1 -use_counters=0 -max_len=300 "$temporary/$target.kept" "$known" "$temporary/$target" \
            > "$cache/logs/fuzz_${target}_merge.log" 2>&1 || die "$target: the inputs cannot be merged."
        pack "$target" "$temporary/$target.kept"
        say "$target: $(wc -l < "$FUZZ/corpus/$target.hex") inputs are kept in rust/fuzz/corpus/$target.hex."
    fi
done
[ ${#failed[@]} = 0 ] || die "${#failed[@]} of ${#targets[@]} targets failed: ${failed[*]}."
if $replay; then
    echo "RESULT: ${#targets[@]} fuzz targets (${targets[*]}) passed their $runs committed inputs under AddressSanitizer"
else
    echo "RESULT: ${#targets[@]} fuzz targets (${targets[*]}) ran $runs inputs in $((${#targets[@]} * seconds)) s under AddressSanitizer" \
        "and reached $edges edges without a failure"
fi
