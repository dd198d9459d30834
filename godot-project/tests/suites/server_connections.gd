extends "../support/server_suite.gd"
## UDPServer and UdpServerRs: which clients get a connection, in which order, and with which
## packets.

const BROADCAST := "127.255.255.255"
const EVERYWHERE: Array[String] = [LOOPBACK, LOOPBACK_6]


func test_nothing_is_pending_before_the_server_is_polled(kind: StringName) -> void:
	var server := listening(kind)
	send(sender_to(server), [numbered(1)])
	answer("available", server.is_connection_available(), false)
	answer("no connection to take", server.take_connection() == null, true)
	answer("poll", server.poll(), OK)
	is_pending(server)
	answer("available then", server.is_connection_available(), true)
	answer("a peer to take", server.take_connection() is PacketPeer, true)
	answer("available when taken", server.is_connection_available(), false)
	answer("no connection left", server.take_connection() == null, true)


func test_connections_are_taken_in_the_order_of_their_first_packets(kind: StringName) -> void:
	var server := listening(kind)
	var marker := marker_of(server)
	var clients := clients_of(server, 10)
	var order: Array[int] = [3, 0, 9, 1, 8, 2, 7, 4, 6, 5]
	for round_number in 3:
		for i in order:
			send(clients[i], [numbered(i * 10 + round_number)])
		order.reverse()
		marker.wait_until_read()
	order.reverse()
	var expected: Array[PackedInt32Array] = []
	for i in order:
		expected.append(PackedInt32Array(range(i * 10, i * 10 + 3)))
	answer("packets of each", numbers_in(take_all(server)), expected)


func test_one_poll_accepts_many_clients(kind: StringName) -> void:
	var server := listening(kind)
	server.max_pending_connections = 100
	var marker := marker_of(server)
	var clients := clients_of(server, 100)
	for i in 100:
		send(clients[i], [numbered(i)])
	marker.wait_until_read()
	var expected: Array[PackedInt32Array] = []
	for i in 100:
		expected.append(PackedInt32Array([i]))
	answer("packets of each", numbers_in(take_all(server)), expected)


func test_what_was_sent_before_a_connection_is_taken_comes_first(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	for number in 3:
		send(client, [numbered(number)])
		is_pending(server)
	send(client, [numbered(3)])
	var peer := next_connection(server)
	send(client, [numbered(4)])
	answer("packets", numbers_of(take(peer, 5)), PackedInt32Array(range(5)))


func test_the_client_is_known_before_anything_is_taken(kind: StringName) -> void:
	for address in EVERYWHERE:
		if address == LOOPBACK_6 and not has_ipv6():
			continue
		var server := listening(kind, "*")
		var client := sender_to(server, NATIVE, address)
		send(client, [numbered(1)])
		var peer := next_connection(server)
		var ip := LOOPBACK if address == LOOPBACK else "0:0:0:0:0:0:0:1"
		for when: String in ["before", "after"]:
			answer("get_packet_ip " + when, peer.get_packet_ip(), ip)
			var is_the_clients: bool = peer.get_packet_port() == client.get_local_port()
			answer("get_packet_port " + when, is_the_clients, true)
			take(peer, int(when == "before"))


func test_an_empty_datagram_makes_a_connection(kind: StringName) -> void:
	var server := listening(kind)
	if not send_empty_datagram(server.get_local_port()):
		return
	var peer := next_connection(server)
	answer("count", peer.get_available_packet_count(), 1)
	answer("get_packet", peer.get_packet(), PackedByteArray())
	answer("get_packet_error", peer.get_packet_error(), OK)
	answer("count then", peer.get_available_packet_count(), 0)
	answer("get_packet then", peer.get_packet(), PackedByteArray())
	answer("get_packet_error then", peer.get_packet_error(), ERR_UNAVAILABLE)


func test_a_first_packet_of_any_size_arrives(kind: StringName) -> void:
	var server := listening(kind)
	for size: int in [1, 16, 1400, 60_000, 65_506, 65_507]:
		var packet := PackedByteArray()
		packet.resize(size)
		packet.fill(size & 0xff)
		send(sender_to(server), [packet])
		var peer := next_connection(server)
		answer("count of %d" % size, peer.get_available_packet_count(), 1)
		answer("%d bytes" % size, peer.get_packet() == packet, true)


func test_sixteen_may_be_pending_by_default(kind: StringName) -> void:
	answer("the limit", make_server(kind).max_pending_connections, 16)
	_check_limit(listening(kind), 16)


func test_no_more_are_pending_than_the_limit_says(kind: StringName) -> void:
	for limit: int in [0, 1, 3, 17]:
		var server := make_server(kind)
		server.max_pending_connections = limit
		answer("max_pending_connections", server.max_pending_connections, limit)
		answer("listen", server.listen(0, LOOPBACK), OK)
		_check_limit(server, limit)


func test_a_limit_below_0_is_refused(kind: StringName) -> void:
	for limit: int in [-1, -16, -2147483648]:
		var server := listening(kind)
		var arguments := ["max_pending_connections", limit]
		misuse(kind, "limit %d" % limit, server, "set", arguments, null, arguments.map(str))
		answer("max_pending_connections", server.max_pending_connections, 16)
		server.max_pending_connections = 3
		_check_limit(server, 3)


func test_a_client_over_the_limit_is_accepted_once_there_is_room(kind: StringName) -> void:
	var server := listening(kind)
	var marker := marker_of(server)
	server.max_pending_connections = 2
	var clients := clients_of(server, 4)
	for number in 3:
		for client in clients:
			send(client, [numbered(number)])
		marker.wait_until_read()
	var peers := take_all(server)
	answer("those within", numbers_in(peers).size(), 2)
	for client in clients:
		send(client, [numbered(7)])
	marker.wait_until_read()
	var late := take_all(server)
	var expected: Array[PackedInt32Array] = [PackedInt32Array([7]), PackedInt32Array([7])]
	answer("the others, with what they sent since", numbers_in(late), expected)
	for i in 2:
		var port: int = late[i].get_packet_port()
		answer("late is client %d" % (i + 2), port == clients[i + 2].get_local_port(), true)


func test_connections_that_were_taken_do_not_count_for_the_limit(kind: StringName) -> void:
	var server := listening(kind)
	server.max_pending_connections = 1
	var clients := clients_of(server, 30)
	var peers := all_accepted(server, clients)
	answer("connections", peers.size(), 30)
	server.max_pending_connections = 0
	for i in 30:
		send(clients[i], [numbered(i)])
		answer("of client %d" % i, numbers_of(take(peers[i])), PackedInt32Array([i]))


func test_a_client_is_its_address_whichever_socket_has_it(kind: StringName) -> void:
	var server := listening(kind)
	var client := client_at_free_port(server)
	var peer := accepted(server, client)
	var port: int = client.get_local_port()
	client.close()
	answer("bind", client.bind(port, free_address), OK)
	send(client, [numbered(1)])
	answer("the same connection", numbers_of(take(peer)), PackedInt32Array([1]))
	answer("another one", server.is_connection_available(), false)


func test_one_socket_is_two_clients_in_two_families(kind: StringName) -> void:
	if not needs_ipv6():
		return
	var server := listening(kind, "*")
	var client := bound_peer(NATIVE, "*")
	var peers: Array[PacketPeer] = []
	for address in EVERYWHERE:
		client.set_dest_address(address, server.get_local_port())
		peers.append(accepted(server, client))
	for i in 2:
		client.set_dest_address(EVERYWHERE[i], server.get_local_port())
		send(client, [numbered(i)])
		answer("of " + EVERYWHERE[i], numbers_of(take(peers[i])), PackedInt32Array([i]))
		send(peers[i], [numbered(10 + i)])
		answer("to " + EVERYWHERE[i], numbers_of(take(client)), PackedInt32Array([10 + i]))
	answer("pending", server.is_connection_available(), false)


func test_a_server_receives_the_families_of_its_address(kind: StringName) -> void:
	if not needs_ipv6():
		return
	for row: Array in [
		["*", true, true],
		["0.0.0.0", true, false],
		[LOOPBACK, true, false],
		["::ffff:127.0.0.1", true, false],
		["::", false, true],
		[LOOPBACK_6, false, true],
	]:
		var server := listening(kind, row[0])
		var reachable_from := EVERYWHERE.filter(
			func(a: String) -> bool: return row[EVERYWHERE.find(a) + 1]
		)
		for address in EVERYWHERE:
			if not address in reachable_from:
				send(sender_to(server, NATIVE, address), [numbered(1)])
		for address: String in reachable_from:
			var client := sender_to(server, NATIVE, address)
			var peer := accepted(server, client)
			answer("pending of %s on %s" % [address, row[0]], take_all(server).size(), 0)
			answer("the answer", peer.put_packet(numbered(2)), OK)
			answer("arrives", numbers_of(take(client)), PackedInt32Array([2]))
			var is_the_servers: bool = client.get_packet_port() == server.get_local_port()
			answer("from the server's port", is_the_servers, true)


func test_a_connected_client_gets_its_answers(kind: StringName) -> void:
	for address: String in [LOOPBACK, "*"]:
		var server := listening(kind, address)
		var client := connected_to(server, NATIVE)
		var peer := accepted(server, client)
		answer("put_packet", peer.put_packet(numbered(1)), OK)
		answer("the answer", numbers_of(take(client)), PackedInt32Array([1]))


func test_a_broadcast_makes_a_connection(kind: StringName) -> void:
	if not needs(&"loopback broadcasts"):
		return
	var server := listening(kind, "0.0.0.0")
	var client := make_peer(NATIVE)
	client.set_broadcast_enabled(true)
	client.set_dest_address(BROADCAST, server.get_local_port())
	var peer := accepted(server, client)
	send(peer, [numbered(1)])
	answer("the answer", numbers_of(take(client)), PackedInt32Array([1]))


func test_a_client_with_the_servers_own_address_is_one_like_any(kind: StringName) -> void:
	if not needs(&"shared ports"):
		return
	var client := make_peer(OURS)
	client.reuse_address = true
	check_equal(client.bind(0, LOOPBACK), OK, "bind")
	var server := make_server(kind)
	answer("listen", server.listen(client.get_local_port(), LOOPBACK), OK)
	client.set_dest_address(LOOPBACK, client.get_local_port())
	var peer := accepted(server, client)
	answer("is_bound", peer.is_bound(), true)
	var is_its_own: bool = peer.get_packet_port() == server.get_local_port()
	answer("its own port", is_its_own, true)
	for number in 3:
		answer("put_packet", peer.put_packet(numbered(number)), OK)
		answer("what comes back", numbers_of(take(peer)), PackedInt32Array([number]))
	answer("pending", server.is_connection_available(), false)


func test_poll_is_ok_whatever_there_is(kind: StringName) -> void:
	var server := listening(kind)
	answer("nothing", server.poll(), OK)
	send(sender_to(server), [numbered(1)])
	answer("a new client", server.poll(), OK)
	is_pending(server)
	answer("a pending one", server.poll(), OK)
	var peer := next_connection(server)
	answer("a taken one", server.poll(), OK)
	peer.close()
	answer("a closed one", server.poll(), OK)


# Seventeen clients send twice: as many as the limit get connections, with both packets.
func _check_limit(server: RefCounted, limit: int) -> void:
	var before: int = server.max_pending_connections
	server.max_pending_connections = maxi(limit, 1)
	var marker := marker_of(server)
	server.max_pending_connections = before
	var clients := clients_of(server, 17)
	for number in 2:
		for client in clients:
			send(client, [numbered(number)])
		marker.wait_until_read()
	var peers := take_all(server)
	answer("connections with the limit %d" % limit, peers.size(), limit)
	for i in peers.size():
		var port: int = peers[i].get_packet_port()
		answer("client %d" % i, port == clients[i].get_local_port(), true)
		answer("its packets", numbers_of(take(peers[i], 2)), PackedInt32Array([0, 1]))
