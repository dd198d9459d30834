extends "../support/two_hosts.gd"
## UDPServer and UdpServerRs with clients on another host.


func test_a_client_is_an_address_and_a_port(kind: StringName) -> void:
	for address: String in ["*", "0.0.0.0"]:
		var server := listening(kind, address)
		var far := far_socket()
		for i in 2:
			far.send(NEAR_IPV4[i], server.get_local_port(), [i])
		var peers: Array[PacketPeer] = []
		for i in 2:
			# The client has another address on each cable.
			peers.append(next_connection(server))
			answer("get_packet_ip", peers[i].get_packet_ip(), FAR_IPV4[i])
			answer("its packet", numbers_at(peers[i]), PackedInt32Array([i]))
		for i in 2:
			send(peers[i], [numbered(i + 10)])
			answer("the answer", far.values_of("number"), [i + 10])
		var other := far_socket()
		other.send(NEAR_IPV4[0], server.get_local_port(), [5])
		answer("another port", numbers_at(next_connection(server)), PackedInt32Array([5]))


func test_a_client_of_ipv6_is_one_too(kind: StringName) -> void:
	for address: String in ["*", "::", NEAR_IPV6[0]]:
		var server := listening(kind, address)
		var far := far_socket("::")
		far.send(NEAR_IPV6[0], server.get_local_port(), [1, 2])
		var peer := next_connection(server)
		answer("get_packet_ip", peer.get_packet_ip(), FAR_IPV6[0])
		answer("its packets", numbers_at(peer, 2), PackedInt32Array([1, 2]))
		send(peer, [numbered(3)])
		answer("the answer", far.values_of("number"), [3])


func test_link_local_clients_differ_by_their_interface() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for address: String in ["::", "*"]:
				var server := server_in_mode(background, address)
				var far := far_socket("::")
				var peers: Array[PacketPeer] = []
				for i in 2:
					send_from_far(far, i, server, [i])
					peers.append(next_connection(server))
					check_equal(peers[i].get_packet_ip(), scoped(i), "before it is taken")
					check_equal(numbers_at(peers[i]), PackedInt32Array([i]), "its packet")
					check_equal(peers[i].get_packet_ip(), scoped(i), "get_packet_ip")
					check_equal(peers[i].get_packet_port(), far.port, "get_packet_port")
				for i: int in [1, 0, 1]:
					send_from_far(far, i, server, [i + 10])
					check_equal(numbers_at(peers[i]), PackedInt32Array([i + 10]), "another")
					check_equal(peers[1 - i].get_available_packet_count(), 0, "of the other")
					check_equal(peers[i].put_packet(numbered(1)), OK, "put_packet")
					check_equal(peers[i].put_packets([numbered(2), numbered(3)]), 2, "put_packets")
					check_arrival(far, i, [1, 2, 3], "answered on " + address)
				check_equal(server.get_peer_count(), 2, "get_peer_count")
	)


func test_a_server_on_a_link_local_address_answers_by_its_interface() -> void:
	for i in 2:
		var server := make_server(OURS)
		check_equal(server.listen(0, near_scoped(i)), OK, "listen")
		var far := far_socket("::")
		send_from_far(far, i, server, [1])
		var peer := next_connection(server)
		check_equal(peer.get_packet_ip(), scoped(i), "get_packet_ip")
		check_equal(peer.get_local_address(), near_scoped(i), "get_local_address")
		check_equal(numbers_at(peer), PackedInt32Array([1]), "its packet")
		check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
		check_arrival(far, i, [2], "the answer")


func test_large_datagrams_come_and_go_whole(kind: StringName) -> void:
	for family in FAMILIES:
		var server := listening(kind, family[2])
		var far := far_socket(family[2])
		for size: int in [1472, 8000, 60_000]:
			far.send(family[0], server.get_local_port(), [size], size)
			var peer := next_connection(server)
			answer("%d bytes" % size, numbers_at(peer, 1, size), PackedInt32Array([size]))
			send(peer, [numbered(7, size)])
			answer("%d bytes back" % size, far.values_of("size"), [size])
			peer.close()


func test_a_client_that_refuses_affects_no_other(kind: StringName) -> void:
	for family in FAMILIES:
		var server := listening(kind, family[2])
		var gone := far_socket(family[2])
		gone.send(family[0], server.get_local_port(), [1])
		var refused_peer := next_connection(server)
		numbers_at(refused_peer)
		gone.close()
		var far := far_socket(family[2])
		far.send(family[0], server.get_local_port(), [2])
		var peer := next_connection(server)
		numbers_at(peer)
		for i in 5:
			answer("put_packet to a client that refuses", refused_peer.put_packet(numbered(i)), OK)
			answer("poll", server.poll(), OK)
			far.send(family[0], server.get_local_port(), [i])
			answer("another's packet", numbers_at(peer), PackedInt32Array([i]))
			send(peer, [numbered(i)])
			answer("the answer", far.values_of("number"), [i])
		answer("is_bound", refused_peer.is_bound(), true)
		answer("is_listening", server.is_listening(), true)


func test_a_broadcast_from_another_host_makes_a_connection(kind: StringName) -> void:
	var server := listening(kind, "0.0.0.0")
	var far := far_socket()
	far.send("10.77.1.255", server.get_local_port(), [1])
	var peer := next_connection(server)
	answer("get_packet_ip", peer.get_packet_ip(), FAR_IPV4[0])
	answer("its packet", numbers_at(peer), PackedInt32Array([1]))
	send(peer, [numbered(2)])
	answer("the answer", far.values_of("number"), [2])


func test_an_answer_leaves_from_the_address_that_was_asked() -> void:
	change("address add 10.77.1.7/24 dev near1", "address del 10.77.1.7/24 dev near1")
	change("address add fd77:1::7/64 dev near1 nodad", "address del fd77:1::7/64 dev near1")
	# The far host reaches also the address of the other cable by the first one.
	change("-n far route add 10.77.2.1/32 via 10.77.1.1", "-n far route del 10.77.2.1/32")
	in_both_modes(
		func(background: bool) -> void:
			for row: Array in [
				["*", "0.0.0.0", ["10.77.1.7", "10.77.1.1", "10.77.2.1"]],
				["0.0.0.0", "0.0.0.0", ["10.77.1.7", "10.77.1.1", "10.77.2.1"]],
				["*", "::", ["fd77:1:0:0:0:0:0:7", "fd77:1:0:0:0:0:0:1"]],
				["::", "::", ["fd77:1:0:0:0:0:0:7", "fd77:1:0:0:0:0:0:1"]],
			]:
				var server := server_in_mode(background, row[0])
				var far := far_socket(row[1])
				var peer: PacketPeer = null
				for asked: String in row[2]:
					far.send(asked, server.get_local_port(), [1])
					peer = next_connection(server) if peer == null else peer
					check_equal(numbers_at(peer), PackedInt32Array([1]), "asked " + asked)
					check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
					check_equal(peer.put_packets([numbered(3), numbered(4)]), 2, "put_packets")
					check_equal(
						far.values_of("from", 3),
						[asked, asked, asked],
						"asked %s of %s" % [asked, row[0]]
					)
	)


func test_an_answer_to_a_broadcast_leaves_from_the_address_of_its_network() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background, "*")
			for i in 2:
				var far := far_socket()
				far.send("10.77.%d.255" % (i + 1), server.get_local_port(), [1])
				var peer := next_connection(server)
				numbers_at(peer)
				check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
				check_equal(far.values_of("from"), [NEAR_IPV4[i]], "the answer's sender")
	)


func test_an_address_that_is_gone_does_not_silence_the_server() -> void:
	in_both_modes(
		func(background: bool) -> void:
			change("address add 10.77.1.7/24 dev near1", "address del 10.77.1.7/24 dev near1")
			var server := server_in_mode(background, "*")
			var far := far_socket()
			far.send("10.77.1.7", server.get_local_port(), [1])
			var peer := next_connection(server)
			numbers_at(peer)
			ip("address del 10.77.1.7/24 dev near1".split(" "))
			check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
			check_equal(far.values_of("from"), ["10.77.1.1"], "the answer's sender")
	)
