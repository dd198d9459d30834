#!/usr/bin/env bash
# Runs the sample of NAT punching between hosts behind real NATs. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/nat_test.sh [--help]

Runs godot-project/samples/nat_punching.gd between hosts behind two NATs, which nftables makes in network namespaces:

    ada  192.168.1.10 ─┐
                       ├─ nat1  203.0.113.11 ─┐
    cleo 192.168.1.11 ─┘                      ├─ internet  203.0.113.1: the rendezvous and a STUN server
    bob  192.168.1.10 ─── nat2  203.0.113.12 ─┘

Both NATs masquerade and let in only answers, as routers at home do, and forget a mapping after three seconds. Checks that
  - Ada and Bob are connected by their public addresses, and ENet connects on the same ports afterwards;
  - the way stays open for longer than the NATs remember, by its keep-alive packets, and without them does not;
  - Ada and Cleo, behind the same NAT, are connected by their own network;
  - where both NATs give each destination a port of its own ("symmetric"), both are told that there is no way, and why.

Exit code 0 if all checks passed, 1 if not, 77 if namespaces or NATs cannot be created here; the reason is printed. Needs Linux,
root, iproute2, nftables, and the addon as scripts/build.sh stages it. The machine's own network is not touched.
HELP
}

case "${1:-}" in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

readonly address=203.0.113.1
# No process outlives this, whatever happens. On a busy machine an engine takes many seconds to start.
readonly seconds=300

# engine HOST ARGUMENTS...: runs the sample in a host.
engine() {
    local host=$1
    shift
    exec timeout -k 5 $seconds ip netns exec "$host" "$GODOT" --headless --no-header --path "$project" \
        --script res://tests/support/nat_player.gd -- "--address=$address" "$@"
}

# cable HOST NAME HOST NAME: connects two hosts.
cable() {
    ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
    ip -n "$1" link set "$2" up
    ip -n "$3" link set "$4" up
}

# bridge HOST NAME: makes a switch, which is also the host's interface.
bridge() {
    ip -n "$1" link add "$2" type bridge
    ip -n "$1" link set "$2" up
}

# player HOST ADDRESS NAT CABLE: a host on the private network of a NAT.
player() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    cable "$1" eth0 "$3" "$4"
    ip -n "$3" link set "$4" master lan
    ip -n "$1" address add "$2/24" dev eth0
    ip -n "$1" route add default via 192.168.1.1
}

# nat HOST ADDRESS CABLE
nat() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    bridge "$1" lan
    ip -n "$1" address add 192.168.1.1/24 dev lan
    cable "$1" wan internet "$3"
    ip -n internet link set "$3" master br0
    ip -n "$1" address add "$2/24" dev wan
    ip netns exec "$1" sh -c '
        echo 1 > /proc/sys/net/ipv4/ip_forward
        echo 3 > /proc/sys/net/netfilter/nf_conntrack_udp_timeout
        echo 3 > /proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream'
    masquerade "$1" ""
}

# masquerade HOST OPTIONS: what a router at home does. What nobody has asked for is dropped before it is tracked; otherwise the
# other player's first packet would take the mapping that ours needs.
masquerade() {
    ip netns exec "$1" nft -f - <<RULES
flush ruleset
table ip home {
    chain source {
        type nat hook postrouting priority srcnat
        oifname "wan" masquerade $2
    }
    chain input {
        type filter hook input priority filter; policy drop
        iifname { "lan", "lo" } accept
        ct state established,related accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop
        iifname "lan" accept
        ct state established,related accept
    }
}
RULES
}

# meet NAME HOST HOST OPTIONS...: two players in one room; waits until both have ended.
meet() {
    local name=$1 first=$2 second=$3
    shift 3
    say "$name: $first and $second …"
    engine "$first" "--code=$name" "$@" > "$temporary/$name.$first.log" 2>&1 &
    local one=$!
    engine "$second" "--code=$name" "$@" > "$temporary/$name.$second.log" 2>&1 &
    local two=$!
    wait $one || true
    wait $two || true
    for host in $first $second; do sed "s/^/    $host: /" "$temporary/$name.$host.log"; done
    expect "$name" "$first" '^end$'
    expect "$name" "$second" '^end$'
}

# expect NAME HOST REGEX: a line of the player's output must match.
expect() {
    grep -Eq -- "$3" "$temporary/$1.$2.log" && return
    failed=true
    say "FAILED: $1: $2 has printed no line that matches '$3'"
}

# expect_one NAME HOST HOST REGEX: a line of exactly one of them.
expect_one() {
    [ "$(cat "$temporary/$1.$2.log" "$temporary/$1.$3.log" | grep -Ec -- "$4")" = 1 ] && return
    failed=true
    say "FAILED: $1: not exactly one has printed a line that matches '$4'"
}

in_namespace() {
    mkdir -p /run/netns
    mount -t tmpfs none /run/netns
    ip netns add internet
    ip -n internet link set lo up
    bridge internet br0
    ip -n internet address add $address/24 dev br0
    nat nat1 203.0.113.11 port1
    nat nat2 203.0.113.12 port2
    player ada 192.168.1.10 nat1 cable1
    player cleo 192.168.1.11 nat1 cable2
    player bob 192.168.1.10 nat2 cable1
    make_temporary
    trap 'kill -KILL $(jobs -p) 2> /dev/null || true; rm -rf "$temporary"' EXIT
    failed=false
    engine internet --server > "$temporary/server.log" 2>&1 &
    local server=$!
    for ((i = 0; i < 600; i++)); do
        grep -q '^servers: \[0, 0\]$' "$temporary/server.log" && break
        sleep 0.1
    done
    grep -q '^servers: \[0, 0\]$' "$temporary/server.log" || { cat "$temporary/server.log"; die "the servers do not start."; }

    meet public ada bob --idle=6000 --keep-alive=1000 --enet
    expect public ada '^connected to 203\.0\.113\.12:'
    expect public bob '^connected to 203\.0\.113\.11:'
    expect public ada '^seen as 203\.0\.113\.11:'
    expect_one public ada bob '^heard: are you there'
    expect_one public ada bob '^heard: yes'
    expect public ada '^heard by ENet: yes'
    expect public bob '^heard by ENet: yes'

    meet forgotten ada bob --idle=6000 --keep-alive=60000
    expect forgotten ada '^connected to 203\.0\.113\.12:'
    expect_one forgotten ada bob '^no question has come$'
    expect_one forgotten ada bob '^no answer$'

    meet own_network ada cleo --idle=0
    expect own_network ada '^connected to 192\.168\.1\.11:'
    expect own_network cleo '^connected to 192\.168\.1\.10:'
    expect_one own_network ada cleo '^heard: yes'

    masquerade nat1 fully-random
    masquerade nat2 fully-random
    meet symmetric ada bob
    expect symmetric ada '^failed: NO_PATH, mapping varies$'
    expect symmetric bob '^failed: NO_PATH, mapping varies$'

    kill $server
    wait $server 2> /dev/null || true # otherwise bash reports that it was killed
    if grep -Em 3 'ERROR|WARNING' "$temporary"/*.log; then
        failed=true
        say "FAILED: unexpected lines (above)"
    fi
    if $failed; then exit 1; fi
    say "all checks passed."
}

if [ -n "${NAT_NAMESPACE:-}" ]; then
    in_namespace
    exit
fi

[ "$(uname -s)" = Linux ] || skip "network namespaces exist on Linux only."
# A process namespace too: all processes started in it end with it.
unshared=(unshare --net --mount --pid --fork --kill-child --mount-proc)
"${unshared[@]}" true 2> /dev/null || skip "network namespaces are not permitted here."
command -v ip > /dev/null || apt_install iproute2 || skip "the command 'ip' (iproute2) is not installed."
"${unshared[@]}" sh -c 'ip link add near type veth peer name far && ip link add lan type bridge' 2> /dev/null ||
    skip "there are no virtual cables (veth) and switches (bridge) here."
command -v nft > /dev/null || apt_install nftables || skip "the command 'nft' (nftables) is not installed."
"${unshared[@]}" nft 'add table ip home; add chain ip home source { type nat hook postrouting priority srcnat; }; add rule ip home source masquerade' \
    2> /dev/null || skip "this kernel has no NATs (nf_tables with masquerade)."
[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
find_engine
prepare_project "$project"
export NAT_NAMESPACE=1
exec "${unshared[@]}" "$0"
