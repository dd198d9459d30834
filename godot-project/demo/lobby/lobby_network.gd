extends RefCounted
## The port and groups of lobbies. An object is one interface of this machine.

const Network := preload("lobby_network.gd")

## Every game needs a port of its own. Below 32768: Linux assigns ports above that automatically.
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


## The interfaces that have an address now. They may change: ask again regularly.
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


## Interfaces other than loopback, which carry multicast.
static func outward() -> Array[Network]:
	return interfaces().filter(func(interface: Network) -> bool: return not interface.is_loopback)


## The same text for the same interfaces, to notice changes.
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


## The address that reaches lobbies on this machine without a network. On Linux it is the broadcast
## address of loopback, which reaches all of them; elsewhere it reaches one of the sockets that
## share the port.
static func own_machine() -> String:
	return "127.255.255.255" if OS.get_name() in ["Linux", "Android"] else "127.0.0.1"
