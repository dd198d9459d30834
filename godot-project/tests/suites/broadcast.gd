extends "../support/receiving.gd"
## get_broadcast_addresses() and put_packet_broadcast() on a machine that sends nothing to its
## networks. What arrives is tested on two hosts.


func test_the_addresses_can_be_asked_for_without_a_peer() -> void:
	var methods := ClassDB.class_get_method_list(OURS, true).filter(
		func(info: Dictionary) -> bool: return info.name == "get_broadcast_addresses"
	)
	check_equal(methods.size(), 1, "methods of that name")
	if methods.is_empty():
		return
	check(methods[0].flags & METHOD_FLAG_STATIC != 0, "it is not static")
	check_equal(methods[0]["return"].type, TYPE_PACKED_STRING_ARRAY, "what it returns")
	var of_class: Variant = ClassDB.class_call_static(OURS, "get_broadcast_addresses")
	check_equal(typeof(of_class), TYPE_PACKED_STRING_ARRAY, "what the class answers")
	check_equal(make_peer(OURS).get_broadcast_addresses(), of_class, "what a peer answers")
	# As a script calls it.
	var script := GDScript.new()
	script.source_code = (
		"extends RefCounted\nstatic func ask() -> PackedStringArray:\n"
		+ "\treturn %s.get_broadcast_addresses()\n" % OURS
	)
	check_equal(script.reload(), OK, "the script compiles")
	check_equal(script.call("ask"), of_class, "what a script is answered")


func test_they_are_what_the_system_says() -> void:
	if not needs(&"ip"):
		return
	var output := []
	var codes := []
	var ask := func() -> void: codes.append(OS.execute("ip", ["-j", "-4", "address"], output))
	lines_of(ask)
	if codes != [0]:
		skip("needs ip (iproute2) to compare with")
		return
	var expected: PackedStringArray = []
	for interface: Dictionary in JSON.parse_string(output[0]):
		if not _is_broadcasting(interface.flags):
			continue
		for address: Dictionary in interface.addr_info:
			var broadcast := _broadcast_of(address.local, int(address.prefixlen))
			if not broadcast.is_empty() and not broadcast in expected:
				expected.append(broadcast)
	var got: PackedStringArray = make_peer(OURS).get_broadcast_addresses()
	check_equal(_sorted(got), _sorted(expected), "the addresses")
	note("broadcast addresses: %s" % ", ".join(got))


func test_they_belong_to_this_machines_networks() -> void:
	var addresses: PackedStringArray = make_peer(OURS).get_broadcast_addresses()
	for address in addresses:
		check(address.is_valid_ip_address() and not ":" in address, address + " is no IPv4 address")
		check(not address.begins_with("127."), address + " is loopback's")
		check_equal(addresses.count(address), 1, "how often %s is listed" % address)
		check(not address in IP.get_local_addresses(), address + " is one of this machine's own")
	# Only an interface with IPv4 that is not loopback has one.
	var others := Array(IP.get_local_addresses()).filter(
		func(ip: String) -> bool: return "." in ip and not ip.begins_with("127.")
	)
	check(addresses.size() <= others.size(), "%s, but only %s are here" % [addresses, others])


func test_misuse_is_refused_with_a_line_and_sends_nothing() -> void:
	for row: Array in [
		["not enabled", false, 9, "set_broadcast_enabled"],
		["port 0", true, 0, "0"],
		["port -1", true, -1, "-1"],
		["port 65536", true, 65_536, "65536"],
		["a port beyond 32 bits", true, 1 << 32, "4294967296"],
	]:
		var peer := make_peer(OURS)
		peer.set_broadcast_enabled(row[1])
		_check_refused(row[0], peer, row[2], [row[3]])
		check_equal(peer.is_bound(), false, row[0] + ": is_bound")


func test_misuse_of_an_open_peer_leaves_it_as_it_was() -> void:
	var peer := bound_peer(OURS)
	_check_refused("open, not enabled", peer, 9, ["set_broadcast_enabled"])
	var friend := bound_peer(NATIVE)
	peer = connected_to(friend, OURS)
	peer.set_broadcast_enabled(true)
	_check_refused("connected", peer, 9, ["connected", "close()"])
	check_equal(peer.is_socket_connected(), true, "still connected")
	check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
	check_equal(take(friend), [numbered(1)] as Array[PackedByteArray], "what arrives")


func test_a_peer_with_ipv6_only_cannot() -> void:
	if not needs_ipv6():
		return
	for address: String in ["::", LOOPBACK_6]:
		var peer := bound_peer(OURS, address)
		peer.set_broadcast_enabled(true)
		_check_refused("bound to " + address, peer, 9, ['"*"'])
		check_equal(peer.is_bound(), true, "still open")


func test_it_leaves_the_destination_alone() -> void:
	# A peer bound to loopback reaches no network.
	var friend := bound_peer(NATIVE)
	for packet: PackedByteArray in [numbered(1), PackedByteArray()]:
		var peer := sender_to(friend, OURS)
		peer.set_broadcast_enabled(true)
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		var sent: int = peer.put_packet_broadcast(packet, closed_port())
		check(sent >= 0, "put_packet_broadcast answers %d" % sent)
		var networks: int = peer.get_broadcast_addresses().size()
		check(sent <= networks, "%d copies for %d networks" % [sent, networks])
		check_equal(stat(peer, "packets_sent"), sent, "packets_sent")
		check_equal(stat(peer, "bytes_sent"), sent * packet.size(), "bytes_sent")
		check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
		check_equal(take(friend), [numbered(2)] as Array[PackedByteArray], "its destination got")


func test_it_opens_a_closed_peer_also_where_nothing_can_be_sent() -> void:
	# A packet too large for any network.
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	var networks: int = peer.get_broadcast_addresses().size()
	check_equal(peer.put_packet_broadcast(numbered(1, 65_508), 9), 0, "put_packet_broadcast")
	check_equal(peer.is_bound(), true, "is_bound")
	check_equal(stat(peer, "packets_sent"), 0, "packets_sent")
	check_equal(stat(peer, "send_errors"), networks, "send_errors")
	check(not peer.get_last_error_message().is_empty(), "no message")


func _check_refused(what: String, peer: PacketPeer, port: int, named: Array) -> void:
	refused(what, peer, &"put_packet_broadcast", [numbered(1), port], -1, named)
	check(not peer.get_last_error_message().is_empty(), what + ": no message")
	check_equal(stat(peer, "packets_sent"), 0, what + ": packets_sent")


static func _is_broadcasting(flags: Array) -> bool:
	return (
		"UP" in flags
		and ("LOWER_UP" in flags or "UNKNOWN" in flags)
		and not "LOOPBACK" in flags
		and not "POINTOPOINT" in flags
	)


# The last address of the network; "" if it is too small to have one.
static func _broadcast_of(address: String, prefix: int) -> String:
	if prefix < 1 or prefix > 30:
		return ""
	var number := 0
	for part in address.split("."):
		number = (number << 8) | int(part)
	number |= (1 << (32 - prefix)) - 1
	return "%d.%d.%d.%d" % [number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255]


static func _sorted(texts: PackedStringArray) -> PackedStringArray:
	var copy := texts.duplicate()
	copy.sort()
	return copy
