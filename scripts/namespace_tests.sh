#!/usr/bin/env bash
# Runs the core's tests that need a network of their own. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/namespace_tests.sh [--help]

Runs the core's tests that need a network of their own, in a network namespace (Linux, root, iproute2):
  - a full send buffer: packets to an unresolvable neighbour stay in the kernel until the buffer is full;
  - connecting again after an address of the machine has changed, and by another interface;
  - broadcasts by two interfaces that have the same range of addresses;
  - a slow name server, which the tests themselves implement;
  - datagrams larger than the link's MTU: a batch of them is fragmented;
  - addresses that come and go while packets are sent from them, and several IPv6 addresses on one interface.
Exit code 0 if all tests passed, 1 if one failed, 77 if namespaces cannot be created here; the reason is printed.
HELP
}

case "${1:-}" in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

[ "$(uname -s)" = Linux ] || skip "network namespaces exist on Linux only."
command -v ip > /dev/null || skip "the command 'ip' (iproute2) is not installed."
unshare --net --mount true 2> /dev/null || skip "network namespaces are not permitted here."
for file in /etc/resolv.conf /etc/nsswitch.conf; do [ -e $file ] || skip "$file is missing."; done

need_rust
cd "$root"
# Built before entering the namespace, from which the registry cannot be reached.
cargo test --locked -q -p packet_peer_udp_core --no-run
# The namespace has a virtual cable whose far end has no address. The kernel queues packets to that link while it resolves
# the neighbour; with a large enough queue (unres_qlen_bytes), the socket's send buffer fills first.
# Only the tests' own name server is asked.
make_temporary
printf 'nameserver 127.0.0.1\noptions timeout:5 attempts:2\n' > "$temporary/resolv.conf"
echo 'hosts: files dns' > "$temporary/nsswitch.conf"
# shellcheck disable=SC2016 # expanded inside the namespace
MADE=$temporary unshare --net --mount bash -euc '
    mount --bind "$MADE/resolv.conf" /etc/resolv.conf
    mount --bind "$MADE/nsswitch.conf" /etc/nsswitch.conf
    ip link set lo up
    ip link add near type veth peer name far
    ip address add 10.77.0.1/24 dev near
    ip link set near up
    ip link set far up
    echo 100000000 > /proc/sys/net/ipv4/neigh/near/unres_qlen_bytes
    UNANSWERED_ADDRESS=10.77.0.2 cargo test --offline --locked -q -p packet_peer_udp_core --test sending -- --ignored
    cargo test --offline --locked -q -p packet_peer_udp_core --test reconnecting -- --ignored --test-threads=1
    cargo test --offline --locked -q -p packet_peer_udp_core --test groups_and_broadcasts -- --ignored
    cargo test --offline --locked -q -p packet_peer_udp_core --test name_server -- --ignored --test-threads=1
    ip address add fd77:1::1/64 dev near nodad
    ip address add fd77:1::2/64 dev near nodad
    for _ in $(seq 100); do
        ip -6 -o address show dev near tentative | grep -q . || break
        sleep 0.1
    done
    cargo test --offline --locked -q -p packet_peer_udp_core --test addresses -- --ignored --test-threads=1
    # With the MTU of an Ethernet, larger datagrams are fragmented, and the kernel refuses to segment them (UDP_SEGMENT).
    ip link set lo mtu 1500
    cargo test --offline --locked -q -p packet_peer_udp_core --lib sys::
    cargo test --offline --locked -q -p packet_peer_udp_core --test receiving joined_datagrams
'
