extends RefCounted
## Where lobbies meet, and on which interfaces of this machine. An object of it is one interface.

const Network := preload("lobby_network.gd")

## Every game needs a port of its own here. Below 32768, because Linux gives away the ports above
## that to sockets that ask for any.
const PORT := 24277
## An address for use within one organisation (RFC 2365) …
const GROUP_IPV4 := "239.255.42.77"
## … and one that no router passes on, assigned to nobody (RFC 4291).
const GROUP_IPV6 := "ff12::4d2a:77"

## As IP.get_local_interfaces() and PacketPeerUdpRs.multicast_interface name it.
var name := ""
## Changes when an interface is taken away and another of that name comes.
var index := ""
var has_ipv4 := false
var has_ipv6 := false
var is_loopback := false


## The interfaces that have an address now. They come and go: ask again now and then.
static func interfaces() -> Array[Network]:
	var found: Array[Network] = []
	for entry in IP.get_local_interfaces():
		var interface := Network.new()
		interface.name = entry["name"]
		interface.index = entry["index"]
		for address: String in entry["addresses"]:
			if ":" in address:
				interface.has_ipv6 = true
			else:
				interface.has_ipv4 = true
			if address.begins_with("127.") or address == "0:0:0:0:0:0:0:1":
				interface.is_loopback = true
		found.append(interface)
	return found


## Those that lead to other machines, and so carry multicast.
static func outward() -> Array[Network]:
	return interfaces().filter(func(interface: Network) -> bool: return not interface.is_loopback)


## Tells whether anything has changed: the same text for the same interfaces.
static func describe(some: Array[Network]) -> String:
	var lines := PackedStringArray()
	for interface in some:
		lines.append(
			(
				"%s %s %s %s"
				% [interface.name, interface.index, interface.has_ipv4, interface.has_ipv6]
			)
		)
	lines.sort()
	return "\n".join(lines)


static func is_port(number: int) -> bool:
	return number > 0 and number < 65536


## What reaches the lobbies on this machine where there is no network at all: on Linux the
## broadcast address of the loopback interface, and so all of them; elsewhere the one that the
## system chooses, when several share the port.
static func own_machine() -> String:
	return "127.255.255.255" if OS.get_name() in ["Linux", "Android"] else "127.0.0.1"
