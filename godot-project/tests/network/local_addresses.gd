extends "../support/two_hosts.gd"
## packet_info and source_address on a machine with two interfaces.

const GROUP := "239.255.77.41"
const GROUP_6 := "ff02:0:0:0:0:0:77:41"


func test_a_packet_tells_its_address_and_interface() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for i in 2:
				for row: Array in [
					["*", "0.0.0.0", NEAR_IPV4[i]],
					["0.0.0.0", "0.0.0.0", NEAR_IPV4[i]],
					[NEAR_IPV4[i], "0.0.0.0", NEAR_IPV4[i]],
					["*", "::", NEAR_IPV6[i]],
					["::", "::", NEAR_IPV6[i]],
				]:
					var peer := informed_receiver(background, row[0])
					var far := far_socket(row[1])
					far.send(row[2], peer.get_local_port(), [1])
					_check_told(peer, row[2], NEAR[i])
	)


func test_a_link_local_address_comes_with_its_scope() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for bound: String in ["*", "::"]:
				var peer := informed_receiver(background, bound)
				var far := far_socket("::")
				for i: int in [0, 1, 0]:
					send_from_far(far, i, peer, [1])
					_check_told(peer, near_scoped(i), NEAR[i])
					check_equal(peer.get_packet_ip(), scoped(i), "the sender")
	)


func test_an_address_of_the_other_cable_tells_where_it_came_in() -> void:
	change("-n far route add 10.77.2.1/32 via 10.77.1.1", "-n far route del 10.77.2.1/32")
	in_both_modes(
		func(background: bool) -> void:
			var peer := informed_receiver(background, "*")
			far_socket().send(NEAR_IPV4[1], peer.get_local_port(), [1])
			_check_told(peer, NEAR_IPV4[1], NEAR[0])
	)


func test_a_broadcast_tells_the_broadcast_address() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for bound: String in ["*", "0.0.0.0"]:
				var peer := informed_receiver(background, bound)
				for i in 2:
					var address := "10.77.%d.255" % (i + 1)
					far_socket().send(address, peer.get_local_port(), [1])
					_check_told(peer, address, NEAR[i])
	)


func test_a_packet_to_a_group_tells_the_group() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for row: Array in [["0.0.0.0", GROUP], ["::", GROUP_6]]:
				for i in 2:
					var peer := informed_receiver(background, row[0])
					check_equal(peer.join_multicast_group(row[1], NEAR[i]), OK, "join")
					far_socket(row[0]).send(row[1], peer.get_local_port(), [1], 16, FAR[i])
					_check_told(peer, _scoped_group(row[1], i), NEAR[i])
	)


func test_a_batch_tells_addresses_of_both_interfaces() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := informed_receiver(background, "*")
			var far := far_socket()
			for i: int in [0, 1, 1, 0]:
				far.send(NEAR_IPV4[i], peer.get_local_port(), [i])
				# The order of two cables is not that of sending.
				arrived(peer, 1)
			arrived(peer, 4)
			var numbers := numbers_of(peer.get_packets())
			var ips: PackedStringArray = []
			for number in numbers:
				ips.append(NEAR_IPV4[number])
			check_equal(peer.get_batch_local_ips(), ips, "of packets %s" % numbers)
	)


func test_a_source_address_may_be_that_of_another_interface() -> void:
	for row: Array in [
		["*", "0.0.0.0", FAR_IPV4[0], NEAR_IPV4], ["*", "::", FAR_IPV6[0], NEAR_IPV6]
	]:
		var far := far_socket(row[1])
		var peer := bound_peer(OURS, row[0])
		peer.set_dest_address(row[2], far.port)
		for i: int in [1, 0]:
			peer.source_address = row[3][i]
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
			check_equal(peer.put_packets([numbered(2), numbered(3)]), 2, "put_packets")
			check_equal(far.values_of("from", 3), [row[3][i], row[3][i], row[3][i]], "the sender")
		peer.source_address = ""
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		check_equal(far.values_of("from"), [row[3][0]], "the sender without it")


func test_a_source_address_that_is_gone_is_no_reason_to_crash() -> void:
	change("address add 10.77.1.7/24 dev near1", "address del 10.77.1.7/24 dev near1")
	var far := far_socket()
	var peer := bound_peer(OURS, "*")
	peer.set_dest_address(FAR_IPV4[0], far.port)
	peer.source_address = "10.77.1.7"
	check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
	check_equal(far.values_of("from"), ["10.77.1.7"], "the sender")
	ip("address del 10.77.1.7/24 dev near1".split(" "))
	# The system refuses it, in its words; the peer stays open.
	allow_lines("put_packet")
	var error: Error = peer.put_packet(numbered(2))
	check(error in [OK, FAILED], "put_packet: %d" % error)
	check_equal(peer.is_bound(), true, "is_bound")
	peer.source_address = ""
	check_equal(peer.put_packet(numbered(3)), OK, "put_packet without it")


func _check_told(peer: PacketPeer, ip_address: String, interface: String) -> void:
	take(peer)
	check_equal(peer.get_packet_local_ip(), ip_address, "get_packet_local_ip")
	check_equal(peer.get_packet_interface(), interface, "get_packet_interface")


# A group of link-local scope comes with its interface.
static func _scoped_group(group: String, i: int) -> String:
	return group + "%" + NEAR[i] if ":" in group else group
