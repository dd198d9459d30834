#!/usr/bin/env bash
# Measures the addon against the engine's own classes, or against another build of it. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/bench.sh [options]

Builds the addon and measures it against the engine's own classes over loopback: PacketPeerUdpRs against PacketPeerUDP at
64, 512 and 1,200 bytes, and UdpServerRs against UDPServer with 10 to 10,000 peers. Both classes take turns in one run of
the engine. Then link conditions: what they cost, how late packets are, and what a relay passes on. The bare system calls (the baseline) are measured before and after. Prints a table: microseconds per packet,
the ratio of ours to native, and the goals of scripts/bench_goals.py. Takes some minutes on a machine that is otherwise idle.

  --only SECTION       measure only the "peers", the "servers" or the link "conditions"
  --strict             exit code 1 also if a "must" is missed; with --against, if a row is slower
  --json FILE          write all figures to FILE, with a description of the machine
  --chart FILE         draw the peers' figures as an SVG picture
  --server-chart FILE  draw the servers' figures as an SVG picture
  --quick              few rounds and few peers, some seconds: shows that everything runs, not how fast it is

  --against DIR        compare with another build of the addon, B: DIR is a checkout of the project, or a folder with an
                       addon as scripts/build.sh stages it. A checkout is built if it has no staged addon. The engine runs
                       this build (A) and B in alternation, both with this checkout's benchmark. Prints each row's ratio of
                       ours to native for A and for B, and A / B, as medians and quartiles over the runs. A row that is
                       slower by more than 2 % beyond its noise is marked. Rows whose members one build lacks are skipped.
  --runs N             with --against: runs of each build (default: 10)
  --help               this text

The exit code is 0 if everything was measured: no packet was lost, and the addon has all that is measured.
Needs Rust, a C compiler and Python 3, and for 10,000 clients as many open files (ulimit -Hn).
HELP
}

# absolute FILE: its path from the root folder; the file itself need not exist.
absolute() {
    local folder
    folder=$(cd "$(dirname "$1")" && pwd) || die "no such folder: $(dirname "$1")"
    echo "$folder/$(basename "$1")"
}

quick=() strict=() section="" json="" chart="" server_chart="" against="" runs=10
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=(--quick) ;;
        --strict) strict=(--strict) ;;
        --only | --json | --chart | --server-chart | --against | --runs)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            case $1 in
                --only) section=$2 ;;
                --json) json=$(absolute "$2") ;;
                --chart) chart=$(absolute "$2") ;;
                --server-chart) server_chart=$(absolute "$2") ;;
                --against) against=$(cd "$2" && pwd) || die "no such folder: $2" ;;
                --runs)
                    [[ $2 =~ ^[1-9][0-9]{0,2}$ ]] || { say "--runs needs a number from 1 to 999"; exit 2; }
                    runs=$2
                    ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
case $section in
    "") ;;
    peers) [ -z "$server_chart" ] || die "--server-chart needs the servers." ;;
    servers) [ -z "$chart" ] || die "--chart needs the peers." ;;
    conditions) [ -z "$chart$server_chart" ] || die "--chart needs the peers, --server-chart the servers." ;;
    *) usage >&2; exit 2 ;;
esac
[ -z "$against" ] || [ -z "$chart$server_chart" ] || die "--against draws no charts."

need_python
"$root/scripts/build.sh"
make_temporary
[ -n "$json" ] || json=$temporary/result.json

# The engine's runs are much shorter than this on an idle machine.
readonly time_limit=1500

# measure PROJECT OUT OPTIONS...: runs the benchmark's scene. Standard output belongs to the table.
measure() {
    local folder=$1 out=$2
    shift 2
    "$root/scripts/run_scene.sh" --project "$folder" --timeout $time_limit --success '^bench: measured$' \
        res://bench/bench.tscn -- ${section:+"--only=$section"} "$@" --out="$out" >&2
}

# ---- against another build ----------------------------------------------------------------------------------

# stage_other DIR FOLDER: a project in FOLDER with this checkout's benchmark and the addon of DIR.
stage_other() {
    local from=$1 folder=$2 other
    if [ -f "$from/addon.gdextension" ] && [ -d "$from/bin" ]; then
        other=$from
    else
        other=$from/godot-project/${addon_res#res://}
        [ -x "$from/scripts/build.sh" ] || [ -e "$other/addon.gdextension" ] ||
            die "$from is neither a checkout of the project nor a staged addon."
        if [ ! -e "$other/$(game_library_path)" ]; then
            say "building the addon of $from …"
            # Its own target folder: a shared one would mix the two builds.
            env -u CARGO_TARGET_DIR "$from/scripts/build.sh" >&2
        fi
    fi
    [ -e "$other/$(game_library_path)" ] || die "$other has no library for this machine."
    mkdir -p "$folder/addons"
    # The import cache comes along: the same files need no second import.
    (cd "$project" && cp -R .godot bench tests icon.svg icon.svg.import project.godot "$folder/")
    cp -R "$other" "$folder/$(dirname "${addon_res#res://}")/"
}

compare_builds() {
    local effort=${quick[0]:---short} build i status=0
    local -A folders=([A]=$temporary/this [B]=$temporary/other)
    find_engine
    prepare_project "$project"
    stage_other "$addon" "${folders[A]}"
    stage_other "$against" "${folders[B]}"
    if cmp -s "${folders[A]}/${addon_res#res://}/$(game_library_path)" "${folders[B]}/${addon_res#res://}/$(game_library_path)"; then
        say "both builds are the same library: the table shows the noise."
    fi
    mkdir "$temporary/runs"
    for build in A B; do prepare_project "${folders[$build]}"; done
    for ((i = 1; i <= runs; i++)); do
        # The build that runs first alternates, so that a steady drift of the machine affects both alike.
        for build in $([ $((i % 2)) = 1 ] && echo A B || echo B A); do
            say "run $i of $runs, build $build …"
            measure "${folders[$build]}" "$temporary/runs/$build$i.json" "$effort"
        done
    done
    python3 "$root/scripts/bench_compare.py" ${quick[@]+"${quick[@]}"} ${strict[@]+"${strict[@]}"} --against "$against" \
        "$temporary/runs" "$json" || status=$?
    return $status
}

if [ -n "$against" ]; then
    compare_builds
    exit
fi

# ---- against the engine's classes ---------------------------------------------------------------------------

target=${CARGO_TARGET_DIR:-$root/target}
env -u CARGO_BUILD_TARGET cargo build --release --locked --manifest-path "$root/Cargo.toml" --target-dir "$target" \
    --package packet_peer_udp_bench --bin baseline
# Before and after, because the machine may become slower or faster meanwhile.
baseline() { "$target/release/baseline" ${quick[@]+"${quick[@]}"}; }
say "measuring the bare system calls …"
baseline > "$temporary/before.jsonl"
say "measuring native and ours …"
measure "$project" "$temporary/raw.json" ${quick[@]+"${quick[@]}"}
say "measuring the bare system calls again …"
baseline > "$temporary/after.jsonl"

status=0
python3 "$root/scripts/bench_report.py" ${quick[@]+"${quick[@]}"} ${strict[@]+"${strict[@]}"} --json "$json" \
    "$temporary/raw.json" "$temporary/before.jsonl" "$temporary/after.jsonl" || status=$?
# draw PROGRAM PICTURE: if a picture is wanted and there are figures.
draw() {
    if [ -n "$2" ] && [ -s "$json" ]; then
        python3 "$root/scripts/$1" "$json" "$2"
        say "the chart is $2."
    fi
}
draw bench_chart.py "$chart"
draw bench_server_chart.py "$server_chart"
exit $status
