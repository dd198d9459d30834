#!/usr/bin/env bash
# The dedicated server of the sample project, and bots that play on it. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/dedicated.sh [--bots N] [--seconds N] [--processes N] [--native] [other options] [--help]

Starts a headless server (UdpServerRs) and 200 headless bots in four further processes. Each bot tells the server where it is
30 times a second, and is told as often where those around it are, as Variants. The server shows players, rates and losses: in
a terminal as a table that it draws again every second, otherwise as a line every five. At the end the bots say goodbye, and all
processes write down what they sent and what they received; both ends are compared, to the last update.

  --bots N        how many bots (default: 200)
  --seconds N     how long they play (default: 60)
  --processes N   in how many processes (default: one for 50 bots)
  --polled        the server polls its socket once a frame instead of receiving in the background
  --native        all with the engine's UDPServer and PacketPeerUDP, to compare
  --hitch MSEC    every five seconds a frame of the server takes that long, as when it saves its game
  --leave-out N   the N-th update of each bot, and to each bot, is not sent: shows that losses are noticed
  --reports DIR   keeps the figures of all processes, as JSON, in this folder (default: nowhere)

Exit 0 only if all bots left in good order, and nothing was lost, repeated or late. Builds the addon where it is not yet built.
HELP
}

bots=200 seconds=60 processes="" reports="" common=() server_options=()
while [ $# -gt 0 ]; do
    case $1 in
        --bots | --seconds | --processes | --hitch | --leave-out)
            [[ ${2:-} =~ ^[1-9][0-9]{0,4}$ ]] || { say "$1 needs a number from 1 to 99999"; exit 2; }
            case $1 in
                --bots) bots=$2 ;;
                --seconds) seconds=$2 ;;
                --processes) processes=$2 ;;
                --hitch) server_options+=("--hitch=$2") ;;
                --leave-out) common+=("--leave-out=$2") ;;
            esac
            shift
            ;;
        --polled) server_options+=(--polled) ;;
        --native) common+=(--native) ;;
        --reports)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            mkdir -p "$2"
            reports=$(cd "$2" && pwd)
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
[ -n "$processes" ] || processes=$(((bots + 49) / 50))
[ "$processes" -le "$bots" ] || die "--processes: there are only $bots bots."

[ -e "$addon/$(library_path)" ] || "$root/scripts/build.sh"
find_engine
prepare_project "$project"
make_temporary
trap 'kill -KILL $(jobs -p) 2> /dev/null || true; rm -rf "$temporary"' EXIT
if [ -n "$reports" ]; then rm -f "$reports"/server.json "$reports"/bots-*.json; else reports=$temporary; fi

# engine ARGUMENTS...: this project, without a window.
engine() { exec "$GODOT" --headless --no-header --path "$project" res://demo/demo.tscn -- "$@"; }

# ends_well SECONDS PID: whether a process that this script started ends within that time, with exit code 0. Then it has ended.
ends_well() {
    local i
    for ((i = 0; i < $1 * 10; i++)); do
        kill -0 "$2" 2> /dev/null || break
        sleep 0.1
    done
    kill -KILL "$2" 2> /dev/null || true
    wait "$2" 2> /dev/null
}

# Bots are slow to come and go on a slow machine; whatever happens, the server ends that long after the time asked for.
readonly slack=30
# On this machine only, on a port that the system chooses.
engine --dedicated=server --address=127.0.0.1 --port=0 "--port-file=$temporary/port" "--max-players=$bots" \
    "--until-gone=$bots" "--seconds=$((seconds + slack))" "--report=$reports/server.json" \
    ${common[@]+"${common[@]}"} ${server_options[@]+"${server_options[@]}"} 2> "$temporary/server.log" &
server=$!
for ((i = 0; i < slack * 10; i++)); do
    if [ -e "$temporary/port" ] || ! kill -0 $server 2> /dev/null; then break; fi
    sleep 0.1
done

pids=() first=1
for ((i = 1; i <= processes; i++)); do
    [ -e "$temporary/port" ] || break
    last=$((bots * i / processes))
    # What they say goes to a file: the terminal has the server's table on it.
    engine --dedicated=bots "--server=127.0.0.1:$(cat "$temporary/port")" "--bots=$((last - first + 1))" "--first=$first" \
        "--seconds=$seconds" "--report=$reports/bots-$i.json" ${common[@]+"${common[@]}"} &> "$temporary/bots-$i.log" &
    pids+=($!)
    first=$((last + 1))
done

failed=false
ends_well $((seconds + 2 * slack)) $server || failed=true
# Without a server, bots give up in less.
for pid in ${pids[@]+"${pids[@]}"}; do ends_well 20 "$pid" || failed=true; done
echo
engine --dedicated=summary "--reports=$reports" "--bots=$bots" "--seconds=$seconds" &
ends_well $slack $! || failed=true
# Errors, and why a bot has failed.
if grep -hE 'ERROR|WARNING|panicked|^dedicated: ' "$temporary"/*.log >&2; then failed=true; fi
if $failed; then die "FAILED."; fi
