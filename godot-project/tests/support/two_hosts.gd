extends "server_suite.gd"
## Base of the suites in tests/network/. scripts/network_tests.sh makes two hosts: this one, with
## the interfaces near1 and near2, and a far one, with far1 and far2 at the other ends of the
## cables.
## [br]IPv6 addresses are written as get_packet_ip() writes them; PacketPeerUDP misreads other
## spellings.

const Suite := preload("suite.gd")
const FarEnd := preload("far_end.gd")
const FarSocket := preload("far_socket.gd")
const Frames := preload("frames.gd")

const FOLDER := "res://tests/network"
const NEAR: Array[String] = ["near1", "near2"]
const FAR: Array[String] = ["far1", "far2"]
const NEAR_IPV4: Array[String] = ["10.77.1.1", "10.77.2.1"]
const FAR_IPV4: Array[String] = ["10.77.1.2", "10.77.2.2"]
const NEAR_IPV6: Array[String] = ["fd77:1:0:0:0:0:0:1", "fd77:2:0:0:0:0:0:1"]
const FAR_IPV6: Array[String] = ["fd77:1:0:0:0:0:0:2", "fd77:2:0:0:0:0:0:2"]
const NEAR_LINK_LOCAL: Array[String] = ["fe80:0:0:0:0:0:0:11", "fe80:0:0:0:0:0:0:12"]
## Of both far interfaces.
const FAR_LINK_LOCAL := "fe80:0:0:0:0:0:0:fa"
## No host has these addresses.
const NOBODY := "10.77.1.99"
const NOBODY_IPV6 := "fd77:1:0:0:0:0:0:99"
## Rows of [our address, the far one, any address], for behaviour that both families share.
const FAMILIES: Array[Array] = [
	["10.77.1.1", "10.77.1.2", "0.0.0.0"], ["fd77:1:0:0:0:0:0:1", "fd77:1:0:0:0:0:0:2", "::"]
]

# One process for all tests: starting it takes longer than most tests.
static var _far_end: FarEnd

var _undo: Array[PackedStringArray]
var _is_changed := false


## Leaves the network as it was found.
func finish() -> void:
	super()
	_undo.reverse()
	for command in _undo:
		OS.execute("ip", command)  # the test may have undone it already
	_undo.clear()
	if _is_changed:
		restore()
	if _far_end != null:
		_far_end.reset()
	for line in _error_log.take_lines():
		fail("unexpected in the log: " + line)


## A socket on the far host.
func far_socket(address := "0.0.0.0", port := 0) -> FarSocket:
	if _far_end == null:
		_far_end = FarEnd.new()
	return _far_end.open(address, port)


## Runs the command "ip" on this host, or with "-n", "far" first on the far one, and returns its
## output.
func ip(arguments: PackedStringArray) -> String:
	var output := []
	if OS.execute("ip", arguments, output, true) != 0:
		fail("ip %s: %s" % [" ".join(arguments), "".join(output)])
	return "".join(output)


## Changes the network by the command [param change] of "ip"; at the end of the test [param undo] is
## run, and the interfaces are set up again.
func change(command: String, undo := "") -> void:
	_is_changed = true
	ip(command.split(" "))
	if not undo.is_empty():
		_undo.append(undo.split(" "))


## Sets up the interfaces again as they were at the start.
func restore() -> void:
	_is_changed = false
	var folder := ProjectSettings.globalize_path(FOLDER)
	ip(["-batch", folder.path_join("here.batch")])
	ip(["-n", "far", "-batch", folder.path_join("far.batch")])
	until_up(NEAR, FAR)
	for i in 2:
		for far: Array in [["0.0.0.0", FAR_IPV4[i]], ["::", FAR_IPV6[i]]]:
			var peer := PacketPeerUDP.new()
			var socket := far_socket(far[0])
			peer.set_dest_address(far[1], socket.port)
			var comes_through := func() -> bool:
				lines_of(peer.put_packet.bind(numbered(1)))
				return not socket.received(1, 10).is_empty()
			if not wait_until(comes_through):
				fail("nothing comes through to %s any more" % far[1])


## Waits until interfaces of both hosts carry packets: the kernel enables them a moment after both
## ends of a cable are up.
func until_up(near: Array[String], far: Array[String]) -> void:
	var are_up := func() -> bool:
		for row: Array in [[[], near], [["-n", "far"], far]]:
			var lines := ip(PackedStringArray(row[0] + ["-brief", "link"])).split("\n")
			for interface: String in row[1]:
				var is_it := func(line: String) -> bool: return line.begins_with(interface + "@")
				var found := Array(lines).filter(is_it)
				if found.is_empty() or not " UP " in found[0]:
					return false
		return true
	if not wait_until(are_up):
		fail("of %s, %s not all are up" % [near, far])


## Adds another cable, near3 to far3, which the test may change freely; with the addresses
## 10.77.3.1/24 and fd77:3::1/64, or without.
func third_cable(has_addresses := true) -> void:
	if "near3" in ip(["-brief", "link"]):
		return
	change("link add near3 type veth peer name far3 netns far", "link del near3")
	ip("link set near3 addrgenmode none up".split(" "))
	ip("-n far link set far3 addrgenmode none up".split(" "))
	until_up(["near3"], ["far3"])
	if not has_addresses:
		return
	for command: String in [
		"address add 10.77.3.1/24 broadcast + dev near3",
		"-n far address add 10.77.3.2/24 broadcast + dev far3",
		"address add fd77:3::1/64 dev near3 nodad",
		"-n far address add fd77:3::2/64 dev far3 nodad"
	]:
		ip(command.split(" "))


## The index of an interface of this host.
func index_of(interface: String) -> int:
	for one in IP.get_local_interfaces():
		if one.name == interface:
			return int(one.index)
	fail("there is no interface %s" % interface)
	return 0


## Misuses a peer like [method misuse], if no literal answer is known: both kinds must agree.
func record_misuse(
	kind: StringName, what: String, peer: PacketPeer, method: StringName, arguments: Array
) -> void:
	var got := []
	var lines := lines_of(func() -> void: got.append(peer.callv(method, arguments)))
	record(what, got)
	if kind == OURS:
		check(lines.size() <= 1, "%s: lines printed (%s)" % [what, "; ".join(lines)])


## Two peers that send to an address: one connected, one not.
func senders(kind: StringName, address: String, port: int) -> Array[PacketPeer]:
	var peers: Array[PacketPeer] = [make_peer(kind), make_peer(kind)]
	answer("connect", peers[0].connect_to_host(address, port), OK)
	answer("dest", peers[1].set_dest_address(address, port), OK)
	return peers


## Waits for [param count] packets of [param peer], takes them and returns their numbers.
func numbers_at(peer: PacketPeer, count := 1, size := 16) -> PackedInt32Array:
	return numbers_of(take(peer, count), size)


## The link-local address of the far host, reached by our interface i.
func scoped(i: int) -> String:
	return "%s%%%s" % [FAR_LINK_LOCAL, NEAR[i]]


## The link-local address of our interface i.
func near_scoped(i: int) -> String:
	return "%s%%%s" % [NEAR_LINK_LOCAL[i], NEAR[i]]


## Sends packets of the far host through the cable i to a peer or a server here.
func send_from_far(far: FarSocket, i: int, near: RefCounted, numbers: Array) -> void:
	far.send("%s%%%s" % [NEAR_LINK_LOCAL[i], FAR[i]], near.get_local_port(), numbers)


## Checks that the far host received packets of these numbers by its interface i, from ours at the
## other end of the cable.
func check_arrival(far: FarSocket, i: int, numbers: Array, what: String) -> void:
	var packets := far.received(numbers.size())
	check_equal(packets.map(func(one: Dictionary) -> int: return one.number), numbers, what)
	for packet in packets:
		check_equal(packet.interface, FAR[i], "the interface, " + what)
		check_equal(packet.from, "%s%%%s" % [NEAR_LINK_LOCAL[i], FAR[i]], "the sender, " + what)
