#!/usr/bin/env bash
# Runs the dedicated server of the sample project, and bots that play on it. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/dedicated.sh [--bots N] [--seconds N] [--processes N] [--native] [other options] [--help]

Starts a headless server (UdpServerRs) and 200 headless bots in four more processes. Each bot sends its position to the server
30 times a second and receives those of the bots around it as often, as Variants. The server shows players, rates and losses:
in a terminal as a table every second, otherwise as a line every five seconds. At the end the bots leave, and all processes
write down what they have sent and received; every update is compared.

  --bots N        number of bots (default: 200)
  --seconds N     duration of the game (default: 60)
  --processes N   number of processes for the bots (default: one for 50 bots)
  --polled        the server polls its socket once a frame instead of receiving in the background
  --native        use the engine's UDPServer and PacketPeerUDP instead, for comparison
  --hitch MSEC    every five seconds a frame of the server takes that long, as when it saves the game
  --leave-out N   skip the N-th update of each bot, and to each bot: tests that losses are reported
  --reports DIR   keep the figures of all processes in DIR, as JSON

The exit code is 0 only if all bots left regularly, and no update was lost, repeated or late. Builds the addon if necessary.
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

# ends_well SECONDS PID: waits for a process of this script, and kills it after that time. Fails unless it exits with code 0.
ends_well() {
    local i
    for ((i = 0; i < $1 * 10; i++)); do
        kill -0 "$2" 2> /dev/null || break
        sleep 0.1
    done
    kill -KILL "$2" 2> /dev/null || true
    wait "$2" 2> /dev/null
}

# Seconds for all bots to join and leave on a slow or busy machine. The server ends that long after the game's time.
readonly slack=90
# On loopback only; the system chooses the port.
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
    # Their output goes to a file, because the terminal shows the server's table.
    engine --dedicated=bots "--server=127.0.0.1:$(cat "$temporary/port")" "--bots=$((last - first + 1))" "--first=$first" \
        "--seconds=$seconds" "--report=$reports/bots-$i.json" ${common[@]+"${common[@]}"} &> "$temporary/bots-$i.log" &
    pids+=($!)
    first=$((last + 1))
done

failed=false
ends_well $((seconds + 2 * slack)) $server || failed=true
# Without a server, bots end sooner.
for pid in ${pids[@]+"${pids[@]}"}; do ends_well $slack "$pid" || failed=true; done
echo
engine --dedicated=summary "--reports=$reports" "--bots=$bots" "--seconds=$seconds" &
ends_well $slack $! || failed=true
# Errors, and the reasons why bots have failed.
if grep -hE 'ERROR|WARNING|panicked|^dedicated: ' "$temporary"/*.log >&2; then failed=true; fi
if $failed; then die "FAILED."; fi
