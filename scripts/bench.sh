#!/usr/bin/env bash
# Measures the addon against the engine's own class. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/bench.sh [--quick] [--strict] [--json FILE] [--chart FILE.svg] [--help]

Builds the addon, then measures PacketPeerUDP and PacketPeerUdpRs in turn, in one run of the engine, over loopback, at
64, 512 and 1,200 bytes, and before and after that the bare system calls (the floor). Prints a table: microseconds per
packet, ours as a ratio to native, and what is to be reached. Takes a minute or two; let the machine do nothing else
meanwhile.

  --quick        few rounds, some seconds: shows that everything runs, not how fast it is
  --strict       exit code 1 also when a "must" of the table is missed
  --json FILE    write all figures there, with the machine that they are from
  --chart FILE   draw them as an SVG picture

The exit code is 0 when everything was measured: no round lost a packet, and the addon has all that is to be measured.
Needs Rust, a C compiler and Python 3.
HELP
}

quick=() strict=() json="" chart=""
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=(--quick) ;;
        --strict) strict=(--strict) ;;
        --json | --chart)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            file=$(cd "$(dirname "$2")" && pwd)/$(basename "$2") || die "no such folder: $(dirname "$2")"
            if [ "$1" = --json ]; then json=$file; else chart=$file; fi
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

need_python
"$root/scripts/build.sh"
target=${CARGO_TARGET_DIR:-$root/target}
env -u CARGO_BUILD_TARGET cargo build --release --locked --manifest-path "$root/Cargo.toml" --target-dir "$target" \
    --package packet_peer_udp_bench --bin floor
make_temporary
[ -n "$json" ] || json=$temporary/result.json

# The floor before and after, so that a machine that gets slower or faster meanwhile does so in it as well.
floor() { "$target/release/floor" ${quick[@]+"${quick[@]}"}; }
say "measuring the bare system calls …"
floor > "$temporary/before.jsonl"
say "measuring native and ours …"
# Standard output is the table's alone.
"$root/scripts/run_scene.sh" --timeout 300 --success '^bench: measured$' res://bench/bench.tscn \
    -- ${quick[@]+"${quick[@]}"} --out="$temporary/raw.json" >&2
say "measuring the bare system calls again …"
floor > "$temporary/after.jsonl"

status=0
python3 "$root/scripts/bench_report.py" ${quick[@]+"${quick[@]}"} ${strict[@]+"${strict[@]}"} --json "$json" \
    "$temporary/raw.json" "$temporary/before.jsonl" "$temporary/after.jsonl" || status=$?
if [ -n "$chart" ] && [ -s "$json" ]; then
    python3 "$root/scripts/bench_chart.py" "$json" "$chart"
    say "the chart is $chart."
fi
exit $status
