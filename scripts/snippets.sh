#!/usr/bin/env bash
# Runs the snippets of the documentation. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/snippets.sh [--help] [arguments for the runner]

Runs every GDScript snippet of README.md, docs/, packaging/, store/ and the class reference, with peers that answer it: the suite
in godot-project/tests/snippets/. A snippet must reach all its blocks, but those that report an error, cause no line in the log,
and leave nothing behind. Then those that open a port run again while it is taken: they must report it, and go on without a
script error.

Snippets have fixed ports, broadcasts, multicast groups, addresses and host names, so they run in a network of their own (Linux,
iproute2, and root or user namespaces): an interface eth0 with the addresses of the documentation, and a file of hosts. The
machine's own network is neither used nor changed.
The arguments are those of godot-project/tests/runner.gd.
Exit code 0 if all snippets ran, 1 if one failed, 77 if namespaces cannot be created here; the reason is printed.
HELP
}

case "${1:-}" in
    -h | --help) usage; exit 0 ;;
esac
for argument in "$@"; do
    [[ $argument = --*=* ]] || { usage >&2; exit 2; }
done

[ "$(uname -s)" = Linux ] || skip "network namespaces exist on Linux only."
# A process namespace too: all processes started in it end with it.
unshared=(unshare --net --mount --pid --fork --kill-child --mount-proc)
[ "$(id -u)" = 0 ] || unshared+=(--map-root-user)
"${unshared[@]}" true 2> /dev/null || skip "network namespaces are not permitted here."
command -v ip > /dev/null || apt_install iproute2 || skip "the command 'ip' (iproute2) is not installed."
"${unshared[@]}" ip link add near type veth peer name far 2> /dev/null || skip "there are no virtual cables here (veth)."
for file in /etc/hosts /etc/nsswitch.conf; do [ -e $file ] || skip "$file is missing."; done

[ -e "$addon/addon.gdextension" ] || die "the addon is not built; run scripts/build.sh first."
find_engine
prepare_project "$project"

make_temporary
# No name server is asked.
echo 'hosts: files' > "$temporary/nsswitch.conf"
cat > "$temporary/hosts" <<'HOSTS'
127.0.0.1 localhost
203.0.113.1 play.example.com rendezvous.example.com stun.example.com
HOSTS
# shellcheck disable=SC2016 # expanded inside the namespace
MADE=$temporary ROOT=$root "${unshared[@]}" bash -euo pipefail -c '
    mount --bind "$MADE/hosts" /etc/hosts
    mount --bind "$MADE/nsswitch.conf" /etc/nsswitch.conf
    [ ! -d /run/nscd ] || mount -t tmpfs none /run/nscd # its cache has names of the machine
    ip link set lo up
    # A cable whose far end has no address.
    ip link add eth0 type veth peer name far
    ip link set far up
    ip link set eth0 up
    ip address add 192.168.1.10/24 broadcast + dev eth0
    ip address add 192.0.2.10/24 dev eth0
    ip address add 203.0.113.1/32 dev eth0
    ip route add default dev eth0
    exec "$ROOT/scripts/run_scene.sh" --brief --timeout 300 --success "^All tests passed\.$" res://tests/runner.tscn \
        -- --suites=res://tests/snippets "$@"
' snippets "$@"
