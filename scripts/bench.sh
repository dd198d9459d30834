#!/usr/bin/env bash
# Measures the addon against the engine's own class. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/bench.sh [--quick] [--only PART] [--strict] [--json FILE] [--chart FILE.svg] [--server-chart FILE.svg] [--help]

Builds the addon, then measures PacketPeerUDP and PacketPeerUdpRs in turn, in one run of the engine, over loopback, at
64, 512 and 1,200 bytes, then UDPServer and UdpServerRs in turn, with 10 to 10,000 peers, and before and after that the
bare system calls (the floor). Prints a table: microseconds per packet, ours as a ratio to native, and what is to be
reached. Takes some minutes; let the machine do nothing else meanwhile.

  --quick              few rounds and small crowds, some seconds: shows that everything runs, not how fast it is
  --only PART          measure only the "peers" or only the "servers"
  --strict             exit code 1 also when a "must" of the table is missed
  --json FILE          write all figures there, with the machine that they are from
  --chart FILE         draw the peers' as an SVG picture
  --server-chart FILE  draw the servers' as an SVG picture

The exit code is 0 when everything was measured: no round lost a packet, and the addon has all that is to be measured.
Needs Rust, a C compiler and Python 3; for the servers' 10,000 clients as many open files (ulimit -Hn).
HELP
}

# whole_path FILE: as it is called from every folder.
whole_path() {
    local folder
    folder=$(cd "$(dirname "$1")" && pwd) || die "no such folder: $(dirname "$1")"
    echo "$folder/$(basename "$1")"
}

quick=() strict=() part="" json="" chart="" server_chart=""
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=(--quick) ;;
        --strict) strict=(--strict) ;;
        --only | --json | --chart | --server-chart)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            case $1 in
                --only) part=$2 ;;
                --json) json=$(whole_path "$2") ;;
                --chart) chart=$(whole_path "$2") ;;
                --server-chart) server_chart=$(whole_path "$2") ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
case $part in
    "") ;;
    peers) [ -z "$server_chart" ] || die "--server-chart needs the servers." ;;
    servers) [ -z "$chart" ] || die "--chart needs the peers." ;;
    *) usage >&2; exit 2 ;;
esac

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
"$root/scripts/run_scene.sh" --timeout 500 --success '^bench: measured$' res://bench/bench.tscn \
    -- ${quick[@]+"${quick[@]}"} ${part:+"--only=$part"} --out="$temporary/raw.json" >&2
say "measuring the bare system calls again …"
floor > "$temporary/after.jsonl"

status=0
python3 "$root/scripts/bench_report.py" ${quick[@]+"${quick[@]}"} ${strict[@]+"${strict[@]}"} --json "$json" \
    "$temporary/raw.json" "$temporary/before.jsonl" "$temporary/after.jsonl" || status=$?
# draw PROGRAM PICTURE: where one is wanted, and there is something to draw.
draw() {
    if [ -n "$2" ] && [ -s "$json" ]; then
        python3 "$root/scripts/$1" "$json" "$2"
        say "the chart is $2."
    fi
}
draw bench_chart.py "$chart"
draw bench_server_chart.py "$server_chart"
exit $status
