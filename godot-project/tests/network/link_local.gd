extends "../support/two_hosts.gd"
## Link-local IPv6, where only the interface tells hosts apart: both interfaces of the far host have
## the same address.


func test_the_address_of_a_sender_names_its_interface() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for address: String in ["::", "*"]:
				var peer := receiver(background, address)
				var far := far_socket("::")
				for i: int in [0, 1, 1, 0]:
					send_from_far(far, i, peer, [i])
					check_equal(numbers_at(peer), PackedInt32Array([i]), "what comes")
					check_equal(peer.get_packet_ip(), scoped(i), "get_packet_ip")
					check_equal(peer.get_packet_port(), far.port, "get_packet_port")
	)


func test_the_addresses_of_a_batch_name_their_interfaces() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, "*")
			var far := far_socket("::")
			var far_ipv4 := far_socket()
			send_from_far(far, 0, peer, [1, 2])
			send_from_far(far, 1, peer, [3, 4])
			far.send(NEAR_IPV6[0], peer.get_local_port(), [5])
			far_ipv4.send(NEAR_IPV4[1], peer.get_local_port(), [6])
			send_from_far(far, 0, peer, [7])
			arrived(peer, 7)
			var packets: Array[PackedByteArray] = peer.get_packets()
			check_equal(numbers_of(packets), PackedInt32Array(range(1, 8)), "numbers")
			var expected: PackedStringArray = [scoped(0), scoped(0), scoped(1), scoped(1)]
			expected.append_array([FAR_IPV6[0], FAR_IPV4[1], scoped(0)])
			check_equal(peer.get_batch_ips(), expected, "get_batch_ips")
	)


func test_an_answer_goes_back_the_same_way() -> void:
	for address: String in ["::", "*"]:
		var peer := bound_peer(OURS, address)
		var far := far_socket("::")
		for i: int in [0, 1, 0]:
			send_from_far(far, i, peer, [i])
			arrived(peer)
			peer.get_packet()
			check_equal(
				peer.set_dest_address(peer.get_packet_ip(), peer.get_packet_port()), OK, "dest"
			)
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
			check_equal(peer.put_packets([numbered(2), numbered(3)]), 2, "put_packets")
			check_equal(
				peer.send_to(numbered(4), peer.get_packet_ip(), peer.get_packet_port()),
				OK,
				"send_to"
			)
			check_arrival(far, i, [1, 2, 3, 4], "bound to " + address)


func test_connecting_to_a_sender_goes_the_same_way() -> void:
	for address: String in ["::", "*"]:
		for i in 2:
			var peer := bound_peer(OURS, address)
			var far := far_socket("::")
			send_from_far(far, i, peer, [1])
			arrived(peer)
			peer.get_packet()
			check_equal(
				peer.connect_to_host(peer.get_packet_ip(), peer.get_packet_port()), OK, "connect"
			)
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
			check_equal(peer.put_packets([numbered(2), numbered(3)]), 2, "put_packets")
			check_arrival(far, i, [1, 2, 3], "connected")
			# The same address on the other interface is another sender.
			send_from_far(far, 1 - i, peer, [2])
			send_from_far(far, i, peer, [3])
			check_equal(numbers_at(peer), PackedInt32Array([3]), "what comes")
			check_equal(peer.get_packet_ip(), scoped(i), "get_packet_ip")
			check_equal(peer.get_local_address(), near_scoped(i), "get_local_address")


func test_a_destination_may_name_the_interface(kind: StringName) -> void:
	for i in 2:
		for opened: String in ["by put_packet", "::", "*"]:
			for address: String in ["fe80::fa%" + NEAR[i], scoped(i)]:
				var peer := make_peer(kind) if " " in opened else bound_peer(kind, opened)
				var far := far_socket("::")
				var what := "%s, opened %s" % [address, opened]
				answer("dest " + what, peer.set_dest_address(address, far.port), OK)
				answer("put_packet " + what, peer.put_packet(numbered(1)), OK)
				if kind == OURS:
					check_arrival(far, i, [1], what)


func test_a_destination_may_number_the_interface() -> void:
	for i in 2:
		var peer := make_peer(OURS)
		var far := far_socket("::")
		var address := "fe80::fa%%%d" % index_of(NEAR[i])
		check_equal(peer.set_dest_address(address, far.port), OK, "dest")
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		check_equal(peer.send_to(numbered(2), address, far.port), OK, "send_to")
		var connected := make_peer(OURS)
		check_equal(connected.connect_to_host(address, far.port), OK, "connect")
		check_equal(connected.put_packet(numbered(3)), OK, "put_packet, connected")
		check_arrival(far, i, [1, 2, 3], address)
		check_equal(connected.get_local_address(), near_scoped(i), "get_local_address")


func test_binding_to_one() -> void:
	for i in 2:
		for scope: String in [NEAR[i], str(index_of(NEAR[i]))]:
			var peer := make_peer(OURS)
			check_equal(peer.bind(0, "%s%%%s" % [NEAR_LINK_LOCAL[i], scope]), OK, "bind")
			check_equal(peer.get_local_address(), near_scoped(i), "get_local_address")
			var far := far_socket("::")
			send_from_far(far, i, peer, [1])
			check_equal(numbers_at(peer), PackedInt32Array([1]), "what comes")
			check_equal(peer.get_packet_ip(), scoped(i), "get_packet_ip")
			peer.set_dest_address(peer.get_packet_ip(), far.port)
			check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
			check_arrival(far, i, [2], "the answer")
			allow_lines("bind")
			var other := make_peer(OURS)
			check_equal(
				other.bind(0, "%s%%%s" % [NEAR_LINK_LOCAL[i], NEAR[1 - i]]),
				ERR_UNAVAILABLE,
				"bind by the other interface"
			)
			check_equal(other.is_bound(), false, "is_bound")


func test_the_same_port_on_both_interfaces() -> void:
	var peers: Array[PacketPeer] = [make_peer(OURS), make_peer(OURS)]
	check_equal(peers[0].bind(0, near_scoped(0)), OK, "bind")
	check_equal(peers[1].bind(peers[0].get_local_port(), near_scoped(1)), OK, "bind")
	var far := far_socket("::")
	for i in 2:
		send_from_far(far, i, peers[i], [i])
	for i in 2:
		check_equal(numbers_at(peers[i]), PackedInt32Array([i]), "what comes by %s" % NEAR[i])
		check_equal(peers[i].get_available_packet_count(), 0, "nothing else")


func test_an_unknown_interface_is_refused() -> void:
	for address: String in ["fe80::1%nope", "fe80::1%", "fe80::1%near1%near1", "fe80::1%-1"]:
		var named := [address]
		var peer := make_peer(OURS)
		refused(address, peer, "bind", [0, address], ERR_INVALID_PARAMETER, named)
		check_equal(peer.is_bound(), false, "is_bound after bind")
		var lines := lines_of(
			func() -> void:
				var error: Error = peer.connect_to_host(address, 9)
				check(
					error in [ERR_INVALID_PARAMETER, ERR_CANT_RESOLVE],
					"connect_to_host %s: %s" % [address, error_string(error)]
				)
		)
		check_equal(lines.size(), 1, "lines of connect_to_host (%s)" % "; ".join(lines))
		check(address in "".join(lines), "'%s' is not named: %s" % [address, "; ".join(lines)])
		check_equal(peer.is_bound(), false, "is_bound after connect_to_host")
		lines_of(
			func() -> void:
				check_equal(peer.set_dest_address(address, 9), ERR_CANT_RESOLVE, "dest " + address)
				check_equal(
					peer.send_to(numbered(1), address, 9),
					ERR_INVALID_PARAMETER,
					"send_to " + address
				)
		)
		check_equal(peer.put_packet(numbered(1)), ERR_UNCONFIGURED, "no destination was set")
		allow_lines("put_packet")


func test_without_an_interface_sending_is_as_native(kind: StringName) -> void:
	var far := far_socket("::")
	for address: String in ["::", "by put_packet"]:
		var peer := make_peer(kind) if " " in address else bound_peer(kind, address)
		answer("dest", peer.set_dest_address(FAR_LINK_LOCAL, far.port), OK)
		record_misuse(kind, "put_packet", peer, "put_packet", [numbered(1)])
		peer.set_dest_address(FAR_IPV6[0], far.port)
		send(peer, [numbered(2)])
		answer("elsewhere", far.values_of("number").has(2), true)


func test_without_an_interface_connecting_is_as_native(kind: StringName) -> void:
	var peer := make_peer(kind)
	misuse(kind, "connect", peer, "connect_to_host", [FAR_LINK_LOCAL, 9], FAILED, ["fe80::fa"])
	answer("is_bound", peer.is_bound(), false)


func test_other_addresses_have_no_interface(kind: StringName) -> void:
	var peer := bound_peer(kind, "*")
	for i in 2:
		far_socket("::").send(NEAR_IPV6[i], peer.get_local_port(), [1])
		answer("number", numbers_at(peer), PackedInt32Array([1]))
		answer("get_packet_ip", peer.get_packet_ip(), FAR_IPV6[i])
		far_socket().send(NEAR_IPV4[i], peer.get_local_port(), [2])
		answer("number", numbers_at(peer), PackedInt32Array([2]))
		answer("get_packet_ip", peer.get_packet_ip(), FAR_IPV4[i])


func test_the_address_of_a_sender_outlives_its_interface() -> void:
	for renamed: bool in [false, true]:
		third_cable()
		ip("address add fe80::33/64 dev near3 nodad".split(" "))
		ip("-n far address add fe80::fa/64 dev far3 nodad".split(" "))
		var peer := bound_peer(OURS, "*")
		var number := index_of("near3")
		var far := far_socket("::")
		far.send("fe80::33%far3", peer.get_local_port(), [1, 2])
		arrived(peer, 2)
		var address := FAR_LINK_LOCAL + "%near3"
		check_equal(peer.set_dest_address(address, far.port), OK, "dest")
		check_equal(peer.put_packet(numbered(9)), OK, "put_packet")
		check_equal(far.values_of("number"), [9], "what arrives by the interface")
		if renamed:
			ip("link set near3 down".split(" "))
			ip("link set near3 name other3".split(" "))
		else:
			ip(["link", "del", "near3"])
		check_equal(numbers_at(peer, 2), PackedInt32Array([1, 2]), "numbers")
		var sender: String = peer.get_packet_ip()
		var scopes := ["near3", "other3", str(number)]
		check(sender.get_slice("%", 1) in scopes, "get_packet_ip: '%s'" % sender)
		check_equal(sender.get_slice("%", 0), FAR_LINK_LOCAL, "get_packet_ip")
		check_equal(peer.put_packet(numbered(3)), FAILED, "put_packet to there")
		check(not peer.get_last_error_message().is_empty(), "no message")
		allow_lines("set_dest_address|put_packet")
		check_equal(peer.set_dest_address(address, far.port), ERR_CANT_RESOLVE, "dest, gone")
		peer.set_dest_address(FAR_IPV6[0], far.port)
		check_equal(peer.put_packet(numbered(4)), OK, "put_packet elsewhere")
		check_equal(far.values_of("number"), [4], "what arrives elsewhere")
		if renamed:
			ip(["link", "del", "other3"])


func test_an_interface_that_has_nothing_else() -> void:
	third_cable(false)
	ip("address add fe80::33/64 dev near3 nodad".split(" "))
	ip("-n far address add fe80::fa/64 dev far3 nodad".split(" "))
	var group := "ff12:0:0:0:0:0:77:70"
	var far := far_socket("::")
	far.join(group, "far3")
	var peer := bound_peer(OURS, "*")
	peer.multicast_interface = "near3"
	check_equal(peer.multicast_interface, "near3", "multicast_interface")
	check_equal(peer.set_dest_address(group, far.port), OK, "dest")
	check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
	check_equal(far.values_of("interface"), ["far3"], "what the group gets")
	check_equal(peer.join_multicast_group(group, "near3"), OK, "join")
	check_equal(peer.join_multicast_group(group, "near1"), OK, "join by another")
	far.send(group, peer.get_local_port(), [2], 16, "far3")
	check_equal(numbers_at(peer), PackedInt32Array([2]), "what a member gets")
	check_equal(peer.get_packet_ip(), FAR_LINK_LOCAL + "%near3", "get_packet_ip")
	check_equal(peer.set_dest_address(peer.get_packet_ip(), far.port), OK, "dest")
	check_equal(peer.put_packet(numbered(3)), OK, "put_packet")
	check_equal(far.values_of("number"), [3], "the answer")
	check_equal(peer.leave_multicast_group(group, "near3"), OK, "leave")


func test_a_name_that_another_interface_has_now_means_that_one() -> void:
	var address := FAR_LINK_LOCAL + "%near3"
	for i in 2:
		third_cable()
		ip("address add fe80::33/64 dev near3 nodad".split(" "))
		ip("-n far address add fe80::fa/64 dev far3 nodad".split(" "))
		var far := far_socket("::")
		var peer := make_peer(OURS)
		check_equal(peer.set_dest_address(address, far.port), OK, "dest")
		check_equal(peer.put_packet(numbered(i)), OK, "put_packet")
		check_equal(peer.send_to(numbered(i), address, far.port), OK, "send_to")
		check_equal(far.values_of("interface", 2), ["far3", "far3"], "what arrives")
		ip(["link", "del", "near3"])
