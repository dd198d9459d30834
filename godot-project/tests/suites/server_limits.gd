extends "../support/server_suite.gd"
## UdpServerRs bounds what strangers can take: max_pending_connections changed while connections are
## pending (native drops all or none), floods of new senders, and get_peer_count().


func test_a_raised_limit_keeps_all_that_are_pending() -> void:
	for limit: int in [16, 17, 20, 1000]:
		var server := listening(OURS)
		var clients := _pending_clients(server, 5)
		server.max_pending_connections = limit
		check_equal(server.max_pending_connections, limit, "max_pending_connections")
		_check_pending(server, clients, 5)


func test_a_lowered_limit_drops_the_newest_that_are_over_it() -> void:
	for limit: int in [15, 5, 4, 2, 1, 0]:
		var server := listening(OURS)
		var clients := _pending_clients(server, 5)
		server.max_pending_connections = limit
		check_equal(stat(server, "packets_dropped_pending"), maxi(0, 5 - limit), "dropped")
		_check_pending(server, clients, mini(limit, 5))


func test_a_dropped_client_is_accepted_anew_once_there_is_room() -> void:
	var server := listening(OURS)
	var marker := marker_of(server)
	var clients := _pending_clients(server, 4)
	server.max_pending_connections = 1
	for client in clients:
		send(client, [numbered(50)])
	marker.wait_until_read()
	check_equal(stat(server, "packets_dropped_pending"), 3 + 3, "packets_dropped_pending")
	server.max_pending_connections = 3
	for client in clients:
		send(client, [numbered(60)])
	marker.wait_until_read()
	var expected: Array[PackedInt32Array] = [
		PackedInt32Array([0, 50, 60]), PackedInt32Array([60]), PackedInt32Array([60])
	]
	check_equal(numbers_in(take_all(server)), expected, "packets of each")
	check_equal(stat(server, "packets_dropped_pending"), 3 + 3 + 1, "and then")


func test_all_packets_of_a_dropped_pending_connection_are_counted() -> void:
	var server := listening(OURS)
	var marker := marker_of(server)
	var clients := clients_of(server, 3)
	for i in 3:
		send(clients[i], range(i + 1).map(numbered))
	marker.wait_until_read()
	server.max_pending_connections = 1
	check_equal(stat(server, "packets_dropped_pending"), 2 + 3, "packets_dropped_pending")


func test_a_limit_that_changes_leaves_taken_connections_alone() -> void:
	var server := listening(OURS)
	var clients := clients_of(server, 10)
	var peers := all_accepted(server, clients)
	for limit: int in [0, 100, 1, 16]:
		server.max_pending_connections = limit
		check_equal(server.get_peer_count(), 10, "get_peer_count")
		for i in 10:
			send(clients[i], [numbered(i)])
			check_equal(numbers_of(take(peers[i])), PackedInt32Array([i]), "of client %d" % i)


func test_the_peer_count_is_of_the_taken_connections() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := make_server(OURS)
			check_equal(server.get_peer_count(), 0, "of a new server")
			server.background_receive = background
			check_equal(server.listen(0, LOOPBACK), OK, "listen")
			check_equal(server.get_peer_count(), 0, "of a listening server")
			var clients := clients_of(server, 5)
			for client in clients:
				send(client, [numbered(1)])
			var peers: Array[PacketPeer] = []
			for i in 5:
				is_pending(server)
				check_equal(server.get_peer_count(), i, "with others pending")
				peers.append(next_connection(server))
			check_equal(server.get_peer_count(), 5, "when all are taken")
			peers[0].close()
			check_equal(server.get_peer_count(), 4, "when one is closed")
			peers[0].close()
			check_equal(server.get_peer_count(), 4, "when it is closed again")
			peers.resize(4)
			check_equal(server.get_peer_count(), 3, "when one is freed")
			send(clients[0], [numbered(2)])
			peers.append(next_connection(server))
			check_equal(server.get_peer_count(), 4, "when the closed one's client came again")
			server.stop()
			check_equal(server.get_peer_count(), 0, "when it is stopped")
			peers.clear()
			check_equal(server.get_peer_count(), 0, "when they are freed then")
	)


func test_connections_that_come_and_go_leave_nothing() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 10)
			for i in 100:
				_take_and_drop(server, clients, i % 2 == 0)
				check_equal(server.get_peer_count(), 0, "get_peer_count")
				check_equal(server.is_connection_available(), false, "pending")
	)


func test_a_flood_from_ever_new_addresses_fills_and_evicts_nothing() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.max_pending_connections = 8
			var marker := marker_of(server)
			var clients := clients_of(server, 10)
			var peers := all_accepted(server, clients)
			admit_more(server)
			var first: Array[PacketPeer] = []
			for i in 1500:
				var flooder := sender_to(server, OURS)
				flooder.put_packet(numbered(i))
				if i < 8:
					first.append(flooder)  # keeps its address
				if i % CHUNK == 0:
					# Accepted clients continue meanwhile.
					send(clients[i / CHUNK % 10], [numbered(i)])
					var got := numbers_of(take(peers[i / CHUNK % 10]))
					check_equal(got, PackedInt32Array([i]), "what an accepted client sent")
			marker.wait_until_read()
			check_equal(stat(server, "packets_dropped_pending"), 1500 - 8, "dropped")
			check_equal(stat(server, "packets_dropped_queue"), 0, "packets_dropped_queue")
			check_equal(server.get_peer_count(), 11, "get_peer_count")
			for peer in peers:
				check_equal(peer.is_bound(), true, "an accepted connection is still there")
			var expected: Array[PackedInt32Array] = []
			for i in 8:
				expected.append(PackedInt32Array([i]))
			check_equal(numbers_in(take_all(server)), expected, "the first of them are pending")
	)


func test_a_flood_takes_little_memory() -> void:
	if not needs(&"process figures"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			var before := Process.resident_bytes()
			for i in 3000:
				# Each has its own socket, which is freed: only the server's memory can grow.
				var flooder := sender_to(server, OURS)
				flooder.put_packet(numbered(i, 1000))
				if i % CHUNK == 0:
					marker.wait_until_read()
			marker.wait_until_read()
			var grown := Process.resident_bytes() - before
			note("%d KiB" % (grown / 1024))
			check(grown < 2 << 20, "%d bytes for 3,000 strangers" % grown)
			check_equal(take_all(server).size(), 16, "pending")
	)


func test_one_pending_sender_cannot_fill_more_than_its_queue() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			var client := sender_to(server)
			send_paced([client], 500, marker)
			check_equal(stat(server, "packets_dropped_queue"), 500 - FITTING, "dropped")
			var peer := next_connection(server)
			check_equal(stat(peer, "packets_dropped_queue"), 500 - FITTING, "the peer's")
			var expected := PackedInt32Array(range(FITTING))
			check_equal(numbers_of(take(peer, FITTING), 1000), expected, "what was kept")
	)


# Takes a connection of each client, and closes or frees all of them.
func _take_and_drop(server: RefCounted, clients: Array[PacketPeer], is_closing: bool) -> void:
	admit_more(server)
	for client in clients:
		send(client, [numbered(1)])
	var peers: Array[PacketPeer] = []
	for i in clients.size():
		peers.append(next_connection(server))
	check_equal(server.get_peer_count(), clients.size(), "get_peer_count when taken")
	if is_closing:
		for peer in peers:
			peer.close()
		check_equal(server.get_peer_count(), 0, "get_peer_count when closed")


# Pending clients, each with one packet, its number.
func _pending_clients(server: RefCounted, count: int) -> Array[PacketPeer]:
	var marker := marker_of(server)
	var clients := clients_of(server, count)
	for i in count:
		send(clients[i], [numbered(i)])
	marker.wait_until_read()
	return clients


# The oldest ones are left, and still receive packets.
func _check_pending(server: RefCounted, clients: Array[PacketPeer], left: int) -> void:
	var received := stat(server, "packets_received")
	for i in left:
		send(clients[i], [numbered(i + 10)])
	var has_read := func() -> bool:
		read(server)
		return stat(server, "packets_received") >= received + left
	check(wait_until(has_read), "their packets were not received")
	var peers := take_all(server)
	var expected: Array[PackedInt32Array] = []
	for i in left:
		expected.append(PackedInt32Array([i, i + 10]))
	check_equal(numbers_in(peers), expected, "packets of those that are left")
	for i in left:
		var port: int = peers[i].get_packet_port()
		check_equal(port, clients[i].get_local_port(), "the port of client %d" % i)
