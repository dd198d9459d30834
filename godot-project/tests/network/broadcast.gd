# gdlint: disable=max-public-methods
extends "../support/two_hosts.gd"
## Broadcasts to every network of this machine.

const BROADCASTS: PackedStringArray = ["10.77.1.255", "10.77.2.255"]


func test_each_network_has_its_broadcast_address() -> void:
	check_equal(_addresses(), BROADCASTS, "two networks")


func test_the_address_comes_from_the_real_netmask() -> void:
	for row: Array in [
		["10.77.9.130/8", "10.255.255.255"],
		["10.77.9.130/16", "10.77.255.255"],
		["10.77.9.130/22", "10.77.11.255"],
		["10.77.9.130/24", "10.77.9.255"],
		["10.77.9.130/25", "10.77.9.255"],
		["10.77.9.129/26", "10.77.9.191"],
		["10.77.9.2/26", "10.77.9.63"],
		["10.77.9.1/30", "10.77.9.3"],
		["172.16.5.4/12", "172.31.255.255"],
		# Networks too small to have one.
		["10.77.9.0/31", ""],
		["10.77.9.1/32", ""],
	]:
		change("address add %s dev near2" % row[0], "address del %s dev near2" % row[0])
		var expected := BROADCASTS.duplicate()
		if not row[1].is_empty():
			expected.append(row[1])
		expected.sort()
		check_equal(_addresses(), expected, "beside %s" % row[0])
		ip(("address del %s dev near2" % row[0]).split(" "))


func test_the_broadcast_address_set_on_an_interface_is_ignored() -> void:
	for row: Array in [["10.77.9.130/24", "10.77.9.7"], ["10.77.9.130/26", "10.77.9.255"]]:
		change("address add %s broadcast %s dev near2" % row, "address del %s dev near2" % row[0])
		var real := "10.77.9.255" if "/24" in row[0] else "10.77.9.191"
		check_equal(_addresses(), PackedStringArray(Array(BROADCASTS) + [real]), row[0])
		ip(("address del %s dev near2" % row[0]).split(" "))


func test_a_network_with_two_addresses_has_one() -> void:
	change("address add 10.77.1.7/24 dev near1", "address del 10.77.1.7/24 dev near1")
	check_equal(_addresses(), BROADCASTS, "two addresses in one network")
	change("address add 10.77.1.8/24 dev near2", "address del 10.77.1.8/24 dev near2")
	check_equal(_addresses(), BROADCASTS, "two interfaces in one network")


func test_loopback_has_none() -> void:
	check(not "127.255.255.255" in _addresses(), "127.255.255.255 is listed")
	change("address add 10.77.8.1/24 broadcast + dev lo", "address del 10.77.8.1/24 dev lo")
	check_equal(_addresses(), BROADCASTS, "with another address on loopback")


func test_an_interface_that_is_down_has_none() -> void:
	change("link set near1 down")
	check_equal(_addresses(), BROADCASTS.slice(1), "near1 is down")
	change("link set near2 down")
	check_equal(_addresses(), PackedStringArray(), "both are down")
	restore()
	check_equal(_addresses(), BROADCASTS, "both are up")


func test_a_point_to_point_interface_has_none() -> void:
	if OS.execute("ip", ["tuntap", "add", "dev", "tunnel", "mode", "tun"]) != 0:
		skip("there are no tunnels here")
		return
	change("address add 10.77.7.1/24 dev tunnel", "tuntap del dev tunnel mode tun")
	change("link set tunnel up")
	check_equal(_addresses(), BROADCASTS, "with a tunnel")
	change("address add 10.77.6.1 peer 10.77.6.2/32 dev near2", "address del 10.77.6.1 dev near2")
	check_equal(_addresses(), BROADCASTS, "with an address of another at the end of a cable")


func test_an_interface_that_comes_and_goes() -> void:
	third_cable()
	check_equal(_addresses(), BROADCASTS + PackedStringArray(["10.77.3.255"]), "it is there")
	ip(["link", "del", "near3"])
	check_equal(_addresses(), BROADCASTS, "it is gone")


func test_it_is_a_static_method_of_the_class() -> void:
	check_equal(ClassDB.class_call_static(OURS, &"get_broadcast_addresses").size(), 2, "addresses")


func test_a_packet_reaches_every_network() -> void:
	for opened: String in ["by sending", "0.0.0.0", "*"]:
		var far := far_socket()
		var peer := make_peer(OURS) if " " in opened else bound_peer(OURS, opened)
		peer.set_broadcast_enabled(true)
		check_equal(peer.put_packet_broadcast(numbered(7), far.port), 2, "copies, " + opened)
		var packets := far.received(2)
		check_equal(_sorted(packets, "interface"), ["far1", "far2"], "interfaces, " + opened)
		check_equal(_sorted(packets, "to"), Array(BROADCASTS), "addresses, " + opened)
		check_equal(_sorted(packets, "from"), Array(NEAR_IPV4), "senders, " + opened)
		check_equal(_sorted(packets, "number"), [7, 7], "numbers, " + opened)
		check_equal(packets[0].port, peer.get_local_port(), "the sender's port, " + opened)
		check_equal(peer.is_bound(), true, "is_bound")
		check_equal(stat(peer, "packets_sent"), 2, "packets_sent")
		check_equal(stat(peer, "bytes_sent"), 32, "bytes_sent")
		check_equal(stat(peer, "send_errors"), 0, "send_errors")


func test_two_networks_with_one_range_get_a_copy_each() -> void:
	third_cable(false)
	change("address add 10.77.1.3/24 broadcast + dev near3")
	change("-n far address add 10.77.1.200/24 broadcast + dev far3")
	for opened: String in ["by sending", "0.0.0.0", "*"]:
		var far := far_socket()
		var peer := make_peer(OURS) if " " in opened else bound_peer(OURS, opened)
		peer.set_broadcast_enabled(true)
		for i in 2:
			check_equal(peer.put_packet_broadcast(numbered(7), far.port), 3, "copies, " + opened)
			var packets := far.received(3, 10_000)
			check_equal(_sorted(packets, "interface"), ["far1", "far2", "far3"], "arrive " + opened)
			var senders_of := ["10.77.1.1", "10.77.1.3", "10.77.2.1"]
			check_equal(_sorted(packets, "from"), senders_of, "senders, " + opened)
		check_equal(stat(peer, "packets_sent"), 6, "packets_sent")
		check_equal(stat(peer, "send_errors"), 0, "send_errors")


func test_one_interface_with_two_addresses_in_a_range_sends_one_copy() -> void:
	change("address add 10.77.1.3/24 broadcast + dev near1", "address del 10.77.1.3/24 dev near1")
	var far := far_socket()
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	check_equal(peer.put_packet_broadcast(numbered(7), far.port), 2, "copies")
	check_equal(_sorted(far.received(2), "interface"), ["far1", "far2"], "interfaces")
	check_equal(far.received(1, 50).size(), 0, "more packets")


func test_it_leaves_the_destination_as_it_is() -> void:
	var far := far_socket()
	var other := far_socket()
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	peer.set_dest_address(FAR_IPV4[0], other.port)
	check_equal(peer.put_packet_broadcast(numbered(1), far.port), 2, "copies")
	check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
	check_equal(other.values_of("number"), [2], "what the destination gets")
	check_equal(far.values_of("number", 2), [1, 1], "what everybody gets")


func test_receivers_can_answer() -> void:
	var far := far_socket()
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	check_equal(peer.put_packet_broadcast(numbered(1), far.port), 2, "copies")
	for packet in far.received(2):
		far.send(packet.from, packet.port, [FAR.find(packet.interface)])
	var ips: PackedStringArray = []
	for i in 2:
		arrived(peer)
		peer.get_packet()
		ips.append(peer.get_packet_ip())
	ips.sort()
	check_equal(ips, PackedStringArray(FAR_IPV4), "senders of the answers")


func test_it_arrives_on_this_machine_too() -> void:
	var here := bound_peer(NATIVE, "0.0.0.0")
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	check_equal(peer.put_packet_broadcast(numbered(3), here.get_local_port()), 2, "copies")
	check_equal(numbers_at(here, 2), PackedInt32Array([3, 3]), "what arrives")


func test_an_empty_packet() -> void:
	var far := far_socket()
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	check_equal(peer.put_packet_broadcast(PackedByteArray(), far.port), 2, "copies")
	check_equal(far.values_of("size", 2), [0, 0], "sizes")


func test_a_large_packet() -> void:
	var far := far_socket()
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	for size: int in [1472, 1473, 8000, 60_000]:
		check_equal(peer.put_packet_broadcast(numbered(size, size), far.port), 2, "copies")
		var packets := far.received(2)
		check_equal(_sorted(packets, "number"), [size, size], "%d bytes" % size)
		check_equal(_sorted(packets, "size"), [size, size], "%d bytes" % size)
	allow_lines("put_packet_broadcast")
	var packet := numbered(1, 65_508)
	check_equal(peer.put_packet_broadcast(packet, far.port), 0, "copies of one that is too large")
	check("too long" in peer.get_last_error_message(), peer.get_last_error_message())
	check_equal(stat(peer, "send_errors"), 2, "send_errors")
	check_equal(stat(peer, "packets_sent"), 8, "packets_sent")


func test_with_one_interface_down_it_reaches_the_other() -> void:
	var far := far_socket()
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	change("link set near1 down")
	check_equal(peer.put_packet_broadcast(numbered(1), far.port), 1, "copies")
	check_equal(far.values_of("interface"), ["far2"], "interfaces")
	change("link set near2 down")
	check_equal(peer.put_packet_broadcast(numbered(2), far.port), 0, "copies with none")
	check(not peer.get_last_error_message().is_empty(), "no message")
	restore()
	far.received(0, 0)
	check_equal(peer.put_packet_broadcast(numbered(3), far.port), 2, "copies with both")
	check_equal(far.values_of("number", 2), [3, 3], "what arrives")


# (Routes do not refuse one: a packet that names its interface needs none, on Linux.)
func test_one_that_the_system_refuses_is_not_counted() -> void:
	var far := far_socket()
	var peer := make_peer(OURS)
	peer.set_broadcast_enabled(true)
	check_equal(peer.put_packet_broadcast(numbered(1, 65_508), far.port), 0, "copies")
	check_equal(stat(peer, "send_errors"), 2, "send_errors")
	check("10.77." in peer.get_last_error_message(), peer.get_last_error_message())
	check_equal(peer.put_packet_broadcast(numbered(1), far.port), 2, "copies of a smaller one")


func test_misuse_is_refused_and_nothing_is_sent() -> void:
	var far := far_socket()
	var packet := numbered(1)
	var sent := [packet, far.port]
	var enabled := make_peer(OURS)
	enabled.set_broadcast_enabled(true)
	for port: int in [0, -1, 65_536, 1 << 32, (1 << 32) + far.port]:
		var peer := make_peer(OURS)
		peer.set_broadcast_enabled(true)
		refused("port", peer, "put_packet_broadcast", [packet, port], -1, [str(port)])
		check_equal(peer.is_bound(), false, "is_bound")
	for address: String in ["", "0.0.0.0", "*", "::"]:
		var peer := make_peer(OURS) if address.is_empty() else bound_peer(OURS, address)
		var remedy := ["set_broadcast_enabled"]
		refused("not enabled", peer, "put_packet_broadcast", sent, -1, remedy)
		check_equal(peer.is_bound(), not address.is_empty(), "is_bound")
	var connected := make_peer(OURS)
	connected.set_broadcast_enabled(true)
	check_equal(connected.connect_to_host(FAR_IPV4[0], far.port), OK, "connect")
	refused("connected", connected, "put_packet_broadcast", sent, -1)
	var of_ipv6 := bound_peer(OURS, "::")
	of_ipv6.set_broadcast_enabled(true)
	refused("IPv6 only", of_ipv6, "put_packet_broadcast", sent, -1)
	of_ipv6.close()
	check_equal(of_ipv6.put_packet_broadcast(numbered(2), far.port), 2, "closed, which opens IPv4")
	check_equal(far.values_of("number", 2), [2, 2], "nothing else arrived")
	enabled.set_broadcast_enabled(false)
	refused("not any more", enabled, "put_packet_broadcast", sent, -1)


func test_broadcasts_with_put_packet_are_as_native(kind: StringName) -> void:
	change("route add default via 10.77.2.2", "route del default via 10.77.2.2")
	for address: String in ["255.255.255.255", "10.77.1.255", "10.77.2.255"]:
		var far := far_socket()
		var peer := make_peer(kind)
		answer("dest", peer.set_dest_address(address, far.port), OK)
		misuse(kind, "not enabled", peer, "put_packet", [numbered(1)], FAILED)
		peer.set_broadcast_enabled(true)
		answer("enabled", peer.put_packet(numbered(2)), OK)
		record("interfaces", far.values_of("interface"))


func _addresses() -> PackedStringArray:
	var addresses: PackedStringArray = ClassDB.class_call_static(OURS, &"get_broadcast_addresses")
	addresses.sort()
	return addresses


static func _sorted(packets: Array[Dictionary], key: String) -> Array:
	var values := packets.map(func(packet: Dictionary) -> Variant: return packet[key])
	values.sort()
	return values
