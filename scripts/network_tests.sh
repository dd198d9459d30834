#!/usr/bin/env bash
# Runs the suites that need a second host and a name server. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/network_tests.sh [--help] [arguments for the runner]

Runs the suites in godot-project/tests/network/ with a network of their own (Linux, root, iproute2, Python 3): two
namespaces, "here", where the engine runs, and "far", joined by two cables:

    near1  10.77.1.1/24  fd77:1::1/64  fe80::11  <->  far1  10.77.1.2/24  fd77:1::2/64  fe80::fa
    near2  10.77.2.1/24  fd77:2::1/64  fe80::12  <->  far2  10.77.2.2/24  fd77:2::2/64  fe80::fa

The suites start a dnsmasq as name server. Without one, and where it cannot be installed, the tests of names are skipped.
The machine's own network is neither used nor changed.
The arguments are those of godot-project/tests/runner.gd: --only=link_local, --native-only.
Exit code 0 if all tests passed, 1 if one failed, 77 if namespaces cannot be created here; the reason is printed.
HELP
}

case "${1:-}" in
    -h | --help) usage; exit 0 ;;
esac
for argument in "$@"; do
    [[ $argument = --*=* || $argument = --native-only ]] || { usage >&2; exit 2; }
done

[ "$(uname -s)" = Linux ] || skip "network namespaces exist on Linux only."
# A process namespace too: all processes started in it end with it.
unshared=(unshare --net --mount --pid --fork --kill-child --mount-proc)
"${unshared[@]}" true 2> /dev/null || skip "network namespaces are not permitted here."
command -v ip > /dev/null || apt_install iproute2 || skip "the command 'ip' (iproute2) is not installed."
"${unshared[@]}" ip link add near type veth peer name far 2> /dev/null || skip "there are no virtual cables here (veth)."
command -v python3 > /dev/null || apt_install python3 || skip "python3, which the far end runs in, is not installed."
[ -d /proc/sys/net/ipv6 ] || skip "this machine has no IPv6."
for file in /etc/resolv.conf /etc/nsswitch.conf; do [ -e $file ] || skip "$file is missing."; done
command -v dnsmasq > /dev/null || apt_install dnsmasq-base || say "no dnsmasq: the tests of names will be skipped."

[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
# Before entering the namespace, from which nothing can be fetched.
find_engine
prepare_project "$project"

# Only the suites' own name server is asked.
make_temporary
printf 'nameserver 127.0.0.1\noptions timeout:5 attempts:2\n' > "$temporary/resolv.conf"
echo 'hosts: files dns' > "$temporary/nsswitch.conf"
mkdir -p /run/netns
# shellcheck disable=SC2016 # expanded inside the namespace
MADE=$temporary ROOT=$root "${unshared[@]}" bash -euo pipefail -c '
    mount --bind "$MADE/resolv.conf" /etc/resolv.conf
    mount --bind "$MADE/nsswitch.conf" /etc/nsswitch.conf
    [ ! -d /run/nscd ] || mount -t tmpfs none /run/nscd # its cache has names of the machine
    # The name of the far namespace is visible only in here.
    mount -t tmpfs none /run/netns
    ip netns add far
    # Addresses are usable at once and stay when an interface goes down; ICMP errors are not rate-limited.
    settings="
        for conf in all default; do
            echo 0 > /proc/sys/net/ipv4/conf/\$conf/rp_filter
            echo 0 > /proc/sys/net/ipv6/conf/\$conf/disable_ipv6
            echo 0 > /proc/sys/net/ipv6/conf/\$conf/accept_dad
            echo 1 > /proc/sys/net/ipv6/conf/\$conf/keep_addr_on_down
        done
        echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
        echo 0 > /proc/sys/net/ipv6/icmp/ratelimit"
    eval "$settings"
    ip netns exec far bash -euc "$settings"
    # The far host forwards packets, or refuses them with an ICMP error.
    ip netns exec far sh -c "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
    ip link add near1 type veth peer name far1 netns far
    ip link add near2 type veth peer name far2 netns far
    ip -batch "$ROOT/godot-project/tests/network/here.batch"
    ip -n far -batch "$ROOT/godot-project/tests/network/far.batch"
    exec "$ROOT/scripts/run_scene.sh" --brief --timeout 900 --success "^All tests passed\.$" res://tests/runner.tscn \
        -- --suites=res://tests/network "$@"
' network_tests "$@"
