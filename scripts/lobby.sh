#!/usr/bin/env bash
# Runs the sample project's LAN lobby between two hosts on two subnets. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/lobby.sh [--screenshot FILE.png] [--help]

Creates two hosts, "one" and "two": network namespaces joined by two virtual cables with a subnet each (10.77.1.0/24,
10.77.2.0/24, and IPv6 link-local addresses). Four processes run there: Ada hosts a game in one, Bob and Cleo in two, and a
browser in one lists the games. The second cable is connected while they run; at the end Cleo is killed. Prints the browser's
transcript and checks it: Bob and Cleo are found on both cables, by broadcast and multicast, IPv4 and IPv6, with round-trip
times, and Cleo is removed after she has been silent for three seconds.

  --screenshot FILE   open Ada's window in host one instead of the browser, and save a picture of it to FILE

Exit code 0 if all checks passed, 1 if not, 77 if namespaces cannot be created here; the reason is printed. Needs Linux, root,
iproute2, and the addon as scripts/build.sh stages it. The machine's own network is not touched.
HELP
}

picture=""
while [ $# -gt 0 ]; do
    case $1 in
        --screenshot)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            picture=$(cd "$(dirname "$2")" && pwd)/$(basename "$2") || die "no such folder: $(dirname "$2")"
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

readonly scene=res://demo/demo.tscn
# All processes end after this time, whatever happens. On a busy machine an engine takes many seconds to start.
readonly seconds=240
# The limit of each wait, for a busy machine; usually it takes some seconds.
readonly tenths_to_wait=600

# engine NAMESPACE ARGUMENTS...: runs the project in a host, without a window.
engine() {
    local namespace=$1
    shift
    exec ip netns exec "$namespace" "$GODOT" --headless --no-header --path "$project" $scene -- --seconds=$seconds "$@"
}

# wait_for FILE REGEX...: waits until each REGEX matches a line of FILE. Fails after the time limit.
wait_for() {
    local file=$1 i pattern all
    shift
    for ((i = 0; i < tenths_to_wait; i++)); do
        all=true
        for pattern in "$@"; do grep -Eq -- "$pattern" "$file" || all=false; done
        if $all; then return; fi
        sleep 0.1
    done
    return 1
}

make_hosts() {
    local host
    ip netns add one
    ip netns add two
    for host in one two; do
        ip -n $host link set lo up
        # Link-local addresses are usable at once, without duplicate address detection.
        ip netns exec $host sh -c 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad' 2> /dev/null || true
    done
}

# plug_in N: connects the hosts with the cable lan<N> and its subnet.
plug_in() {
    ip -n one link add "lan$1" type veth peer name "lan$1" netns two
    ip -n one address add "10.77.$1.1/24" broadcast + dev "lan$1"
    ip -n two address add "10.77.$1.2/24" broadcast + dev "lan$1"
    ip -n one link set "lan$1" up
    ip -n two link set "lan$1" up
}

# expectations CABLE: regular expressions that the browser's transcript must match.
expectations() {
    local name ways='broadcast, IPv4 multicast' round_trip='[0-9]+\.[0-9]+ ms$'
    for name in Bob Cleo; do
        echo " heard +$name at 10\.77\.$1\.2 by $ways, $round_trip"
        if $has_ipv6; then echo " heard +$name at fe80::[0-9a-f:]+%lan$1 by IPv6 multicast, $round_trip"; fi
    done
}

browse() {
    local log=$temporary/browser.log patterns pattern failed=false
    engine one --lobby=host --name=Ada --players=1 > "$temporary/ada.log" 2>&1 &
    engine one --lobby=browse --until-lost > "$log" 2>&1 &
    local browser=$!
    mapfile -t patterns < <(expectations 1)
    wait_for "$log" "${patterns[@]}" || true
    plug_in 2
    mapfile -t patterns < <(expectations 1; expectations 2)
    wait_for "$log" "${patterns[@]}" || true
    kill -KILL "$cleo"
    wait "$cleo" 2> /dev/null || true # otherwise bash reports that it was killed
    for ((i = 0; i < tenths_to_wait; i++)); do
        kill -0 $browser 2> /dev/null || break
        sleep 0.1
    done
    cat "$log"
    patterns+=(' found +Bob, 2 of 4 players, port 7777$' ' found +Cleo, 5 of 8 players, port 7778$')
    for pattern in "${patterns[@]}" ' lost +Cleo, silent for ([3-9]|[1-9][0-9]+)\.[0-9] s$' '^  Bob, 2 of 4' '^  Ada, 1 of 8'; do
        grep -Eq -- "$pattern" "$log" && continue
        failed=true
        say "FAILED: the transcript has no line that matches '$pattern'"
    done
    for pattern in '^  Cleo,' ' lost +(Ada|Bob)' 'ERROR|WARNING'; do
        grep -Eq -- "$pattern" "$temporary"/*.log || continue
        failed=true
        say "FAILED: unexpected lines:"
        grep -E -- "$pattern" "$temporary"/*.log >&2
    done
    if $failed; then return 1; fi
    say "Bob and Cleo were found on both cables, and Cleo was removed."
}

take_picture() {
    rm -f "$picture"
    ip netns exec one "$root/scripts/run_scene.sh" --timeout 200 --window --success '^demo: all [1-9][0-9]* claims held$' \
        $scene -- --scene=lobby --screenshot="$picture" --expect=Bob,Cleo
    [ -s "$picture" ] || die "the demo ended without a picture."
    say "the picture is $picture."
}

in_namespace() {
    # `ip netns` keeps its list in this folder; the mount is visible only in this namespace.
    mkdir -p /run/netns
    mount -t tmpfs none /run/netns
    make_hosts
    plug_in 1
    has_ipv6=true
    ip -n one -6 address show dev lan1 2> /dev/null | grep -q fe80 || has_ipv6=false
    $has_ipv6 || say "IPv6 is left out: this machine has none."
    make_temporary
    trap 'kill -KILL $(jobs -p) 2> /dev/null || true; rm -rf "$temporary"' EXIT
    engine two --lobby=host --name=Bob --players=2 --max-players=4 > "$temporary/bob.log" 2>&1 &
    engine two --lobby=host --name=Cleo --players=5 --game-port=7778 > "$temporary/cleo.log" 2>&1 &
    cleo=$!
    if [ -z "$picture" ]; then
        browse
    else
        plug_in 2
        take_picture
    fi
}

if [ -n "${LOBBY_NAMESPACE:-}" ]; then
    in_namespace
    exit
fi

[ "$(uname -s)" = Linux ] || skip "network namespaces exist on Linux only."
command -v ip > /dev/null || skip "the command 'ip' (iproute2) is not installed."
unshare --net --mount sh -c 'ip link add near type veth peer name far' 2> /dev/null ||
    skip "network namespaces are not permitted here."
[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
find_engine
prepare_project "$project"
arguments=()
[ -z "$picture" ] || arguments=(--screenshot "$picture")
LOBBY_NAMESPACE=1 exec unshare --net --mount "$0" ${arguments[@]+"${arguments[@]}"}
