extends "../support/server_suite.gd"
## UdpServerRs for many players: get_ready_peers() and put_packet_to().

# ---- get_ready_peers -----------------------------------------------------------------------------


func test_those_with_packets_are_given_in_the_order_of_their_first_packet() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for address in loopback_addresses():
				var server := server_in_mode(background, "*")
				var marker := marker_of(server)
				var clients: Array[PacketPeer] = []
				for i in 6:
					clients.append(sender_to(server, NATIVE, address))
				var peers := all_accepted(server, clients)
				check_equal(_ready_in(server, peers), [], "with nothing queued")
				for i: int in [4, 1, 4, 5, 1]:
					send(clients[i], [numbered(i)])
					marker.wait_until_read()
				check_equal(_ready_in(server, peers), [4, 1, 5], "after five packets")
				check_equal(_ready_in(server, peers), [4, 1, 5], "asked again")
				numbers_in([peers[1]])
				check_equal(_ready_in(server, peers), [4, 5], "with those of one taken")
				peers[4].get_packet()
				check_equal(_ready_in(server, peers), [4, 5], "with one of two taken")
				numbers_in([peers[4], peers[5]])
				check_equal(_ready_in(server, peers), [], "with all taken")
				send(clients[1], [numbered(1)])
				marker.wait_until_read()
				check_equal(_ready_in(server, peers), [1], "with one more")
	)


func test_the_array_is_typed_and_holds_the_very_peers() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	send(client, [numbered(1)])
	arrived(peer)
	var ready: Array = server.get_ready_peers()
	check_equal(ready.is_typed(), true, "is_typed")
	check_equal(ready.get_typed_class_name(), OURS, "its class")
	check(ready.size() == 1 and ready[0] == peer, "not the peer that was taken: %s" % [ready])


func test_pending_and_closed_peers_are_not_ready() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			var clients := clients_of(server, 3)
			send(clients[0], [numbered(1)])
			marker.wait_until_read()
			check_equal(server.get_ready_peers(), [] as Array, "while one is pending")
			var peer := next_connection(server)
			check_equal(_ready_in(server, [peer]), [0], "taken with its packet")
			var others := all_accepted(server, clients.slice(1))
			for client in clients:
				send(client, [numbered(2)])
			marker.wait_until_read()
			peer.close()
			check_equal(_ready_in(server, others), [0, 1], "one is closed")
			others[0] = null
			check_equal(_ready_in(server, others), [1], "one is freed")
			server.stop()
			check_equal(server.get_ready_peers().size(), 0, "stopped")
	)


func test_a_closed_server_has_none() -> void:
	var server := make_server(OURS)
	check_equal(server.get_ready_peers().size(), 0, "of a new one")


func test_a_frame_takes_everything_by_them() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.max_pending_connections = 100
			var marker := marker_of(server)
			var clients := clients_of(server, 100)
			var peers := all_accepted(server, clients)
			for round_number in 5:
				var expected: Array[int] = []
				for i in range(round_number, 100, 7):
					send(clients[i], [numbered(i)])
					expected.append(i)
					if expected.size() % CHUNK == 0:
						marker.wait_until_read()
				marker.wait_until_read()
				var taken: Array[int] = []
				for peer: PacketPeer in server.get_ready_peers():
					for packet: PackedByteArray in peer.get_packets():
						taken.append(number_of(packet))
				check_equal(taken, expected, "round %d" % round_number)
			check_equal(server.get_peer_count(), peers.size() + 1, "get_peer_count")
	)


# ---- put_packet_to -------------------------------------------------------------------------------


func test_one_packet_goes_to_each_of_the_peers() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for address in loopback_addresses():
				for size: int in [1, 16, 1200, 20_000]:
					var server := listening(OURS, address)
					server.background_receive = background
					var clients: Array[PacketPeer] = []
					for i in 20:
						clients.append(sender_to(server, NATIVE, address))
					var peers := all_accepted(server, clients)
					var some: Array[PacketPeer] = peers.slice(0, 18)
					var packet := numbered(7, size) if size >= 4 else bytes("x")
					check_equal(server.put_packet_to(some, packet), 18, "put_packet_to")
					for i in 18:
						check_equal(take(clients[i])[0] == packet, true, "client %d" % i)
					for i: int in [18, 19]:
						check_equal(clients[i].get_available_packet_count(), 0, "not client %d" % i)
	)


func test_what_is_sent_counts_for_each_peer_and_the_server() -> void:
	var server := listening(OURS)
	var peers := all_accepted(server, clients_of(server, 3))
	server.reset_stats()
	check_equal(server.put_packet_to(peers, numbered(1, 100)), 3, "put_packet_to")
	check_equal(stat(server, "packets_sent"), 3, "packets_sent of the server")
	check_equal(stat(server, "bytes_sent"), 300, "bytes_sent of the server")
	for peer in peers:
		check_equal(stat(peer, "packets_sent"), 1, "packets_sent of a peer")
		check_equal(stat(peer, "bytes_sent"), 100, "bytes_sent of a peer")


func test_typed_and_untyped_arrays_will_do_also_empty_ones() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	check_equal(server.put_packet_to([peer], numbered(1)), 1, "untyped")
	check_equal(server.put_packet_to([peer] as Array[PacketPeer], numbered(2)), 1, "typed")
	send(client, [numbered(0)])
	arrived(peer)
	check_equal(server.put_packet_to(server.get_ready_peers(), numbered(3)), 1, "the ready ones")
	check_equal(numbers_of(take(client, 3)), PackedInt32Array([1, 2, 3]), "what arrives")
	check_equal(server.put_packet_to([], numbered(4)), 0, "nobody")


func test_an_element_that_is_no_open_peer_of_the_server_stops_everything() -> void:
	var other_server := listening(OURS)
	var foreign := accepted(other_server, sender_to(other_server))
	var elements: Array = [foreign, bound_peer(OURS), make_peer(OURS), bound_peer(NATIVE)]
	elements += [null, 7, "peer", other_server, Node, "closed"]
	for element: Variant in elements:
		# A line once a second, server and member: a server for each element.
		var server := listening(OURS)
		var client := sender_to(server)
		var peer := accepted(server, client)
		if element is String and element == "closed":
			element = accepted(server, sender_to(server))
			element.close()
		var remedy := "is no PacketPeerUdpRs"
		if element is PacketPeer and element.get_class() == OURS:
			remedy = "handed out" if element.is_bound() else "is_socket_connected()"
		refused(
			"with %s" % [element],
			server,
			&"put_packet_to",
			[[peer, element], numbered(1)],
			-1,
			["1", remedy]
		)
		lines_of(
			func() -> void:
				for peers: Array in [[element, peer], [element], [peer, peer, element]]:
					check_equal(server.put_packet_to(peers, numbered(1)), -1, "%s" % [peers])
		)
		OS.delay_msec(5)
		check_equal(client.get_available_packet_count(), 0, "packets that were sent")


func test_a_server_that_does_not_listen_sends_nothing() -> void:
	var server := make_server(OURS)
	refused("new", server, &"put_packet_to", [[], numbered(1)], -1)
	server = listening(OURS)
	var peer := accepted(server, sender_to(server))
	server.stop()
	refused("stopped", server, &"put_packet_to", [[peer], numbered(1)], -1)


func test_a_packet_that_is_too_large_is_sent_to_nobody() -> void:
	var server := listening(OURS)
	var peers := all_accepted(server, clients_of(server, 3))
	var sent: Array[int] = []
	var lines := lines_of(
		func() -> void: sent.append(server.put_packet_to(peers, numbered(1, 70_000)))
	)
	check(sent[0] <= 0, "sent to %d" % sent[0])
	check_equal(lines.size(), 1, "lines: " + "; ".join(lines))
	check("65507" in "".join(lines).replace(",", ""), "the limit is not named: " + "; ".join(lines))


func test_a_client_that_refuses_keeps_no_other_from_hearing() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 5)
			var peers := all_accepted(server, clients)
			clients[2].close()
			for i in 10:
				check_equal(server.put_packet_to(peers, numbered(i)), 5, "put_packet_to")
				read(server)
				for k: int in [0, 1, 3, 4]:
					check_equal(
						numbers_of(take(clients[k])), PackedInt32Array([i]), "client %d" % k
					)
	)


func test_each_hears_from_the_address_that_it_has_asked() -> void:
	if not needs(&"many loopback addresses") or not needs(&"source addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background, "*")
			var clients: Array[PacketPeer] = []
			var addresses: Array[String] = ["127.0.0.1", "127.0.0.2", "127.3.2.1"]
			for address in addresses:
				clients.append(connected_to(server, NATIVE, address))
			var peers := all_accepted(server, clients)
			check_equal(server.put_packet_to(peers, numbered(1)), 3, "put_packet_to")
			for i in 3:
				check_equal(numbers_of(take(clients[i])), PackedInt32Array([1]), addresses[i])
	)


# The ready peers, as places in [param peers]; -1 for another.
func _ready_in(server: RefCounted, peers: Array) -> Array:
	read(server)
	return Array(server.get_ready_peers()).map(
		func(peer: PacketPeer) -> int: return peers.find(peer)
	)
