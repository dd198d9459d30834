# gdlint: disable=max-public-methods
extends "../support/server_suite.gd"
## The peers that UDPServer and UdpServerRs hand out, while they are connections.

## Rows of [method, arguments, result].
const LOCKED: Array[Array] = [
	["bind", [0], ERR_ALREADY_IN_USE],
	["bind", [-1], ERR_ALREADY_IN_USE],
	["bind", [0, "nobody"], ERR_ALREADY_IN_USE],
	["connect_to_host", [LOOPBACK, 9], ERR_LOCKED],
	["connect_to_host", ["localhost", 9], ERR_LOCKED],
	["connect_to_host", ["x y", 9], ERR_LOCKED],
	["connect_to_host", ["", 9], ERR_LOCKED],
	["connect_to_host", [LOOPBACK, 0], ERR_LOCKED],
	["connect_to_host", [LOOPBACK, 70000], ERR_LOCKED],
	["join_multicast_group", ["239.255.77.1", ""], ERR_LOCKED],
	["join_multicast_group", ["nobody", "lo"], ERR_LOCKED],
	["join_multicast_group", [LOOPBACK, "no-such-interface"], ERR_LOCKED],
	["leave_multicast_group", ["239.255.77.1", ""], ERR_LOCKED],
	["leave_multicast_group", ["nobody", "lo"], ERR_LOCKED],
	["set_dest_address", [LOOPBACK, 9], OK],
	["set_dest_address", ["192.0.2.1", 0], OK],
	["set_dest_address", ["localhost", 70000], OK],
	["set_broadcast_enabled", [true], null],
	["set_broadcast_enabled", [false], null],
]


func test_a_new_connection_answers_as_an_open_connected_peer(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	send(client, [numbered(1)])
	var peer := next_connection(server)
	answer("its class", peer.get_class() == kind, true)
	answer("get_packet_error", peer.get_packet_error(), OK)
	_check_state(server, client, peer, 1)
	take(peer)
	_check_state(server, client, peer, 0)
	answer("get_packet with nothing there", peer.get_packet(), PackedByteArray())
	answer("get_packet_error then", peer.get_packet_error(), ERR_UNAVAILABLE)
	misuse(kind, "get_var with nothing there", peer, "get_var", [], null)
	_check_state(server, client, peer, 0)


func test_its_packets_come_when_the_server_is_polled(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var peer := accepted(server, client)
	send(client, [numbered(1), numbered(2)])
	answer("count before", peer.get_available_packet_count(), 0)
	answer("get_packet before", peer.get_packet(), PackedByteArray())
	answer("get_packet_error before", peer.get_packet_error(), ERR_UNAVAILABLE)
	answer("poll", server.poll(), OK)
	arrived(peer, 2)
	answer("count then", peer.get_available_packet_count(), 2)
	send(client, [numbered(3)])
	answer("count before another poll", peer.get_available_packet_count(), 2)
	answer("packets", numbers_of(take(peer, 3)), PackedInt32Array([1, 2, 3]))


func test_it_sends_to_its_client_from_the_servers_port(kind: StringName) -> void:
	for address: String in [LOOPBACK, "*"]:
		var server := listening(kind, address)
		var client := sender_to(server)
		var peer := accepted(server, client)
		for size: int in [1, 16, 1400, 65_507]:
			var packet := PackedByteArray()
			packet.resize(size)
			packet.fill(size & 0xff)
			answer("%d bytes" % size, peer.put_packet(packet), OK)
			answer("arrive", take(client)[0] == packet, true)
			answer("from the server", client.get_packet_port() == server.get_local_port(), true)
		var nothing := PackedByteArray()
		answer("nothing", peer.put_packet(nothing), OK)
		nothing.resize(65_508)
		misuse(kind, "65,508 bytes", peer, "put_packet", [nothing], FAILED)
		send(peer, [numbered(1)])
		answer("what else arrives", numbers_of(take(client)), PackedInt32Array([1]))
		answer("nothing more", client.get_available_packet_count(), 0)


func test_variants_go_both_ways(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var peer := accepted(server, client)
	var value := {"text": "häß", "numbers": [1, 2.5, -3], "at": Vector2(1, 2)}
	answer("put_var", peer.put_var(value), OK)
	arrived(client)
	answer("what the client gets", client.get_var(), value)
	client.put_var([value])
	arrived(peer)
	answer("what the connection gets", peer.get_var(), [value])
	send(client, [bytes("garbage!!"), numbered(1)])
	arrived(peer, 2)
	var values := []
	var lines := lines_of(func() -> void: values.append(peer.get_var()))
	answer("garbage", values, [null])
	answer("prints a line", lines.is_empty(), false)
	answer("and consumed", numbers_of(take(peer)), PackedInt32Array([1]))


func test_what_would_change_it_is_locked(kind: StringName) -> void:
	for row in LOCKED:
		var server := listening(kind)
		var client := sender_to(server)
		var peer := accepted(server, client)
		misuse(kind, "%s%s" % [row[0], row[1]], peer, row[0], row[1], row[2])
		_check_state(server, client, peer, 0)
		_check_talk(client, peer)


func test_a_destination_that_cannot_be_resolved_is_refused_as_such(kind: StringName) -> void:
	for host: String in unresolvable("no-such-host.invalid"):
		var server := listening(kind)
		var client := sender_to(server)
		var peer := accepted(server, client)
		misuse(kind, "'%s'" % host, peer, "set_dest_address", [host, 9], ERR_CANT_RESOLVE)
		_check_talk(client, peer)


func test_each_connection_has_its_own_clients_packets_only(kind: StringName) -> void:
	var server := listening(kind)
	var clients := clients_of(server, 20)
	var peers := all_accepted(server, clients)
	for number in 3:
		for i in 20:
			send(clients[i], [numbered(i * 10 + number)])
		arrived(peers[19], number + 1)
	for i in 20:
		var numbers := numbers_of(take(peers[i], 3))
		answer("of client %d" % i, numbers, PackedInt32Array(range(i * 10, i * 10 + 3)))
		answer("get_packet_port", peers[i].get_packet_port() == clients[i].get_local_port(), true)
		send(peers[i], [numbered(1000 + i)])
	for i in 20:
		var numbers := numbers_of(take(clients[i]))
		answer("to client %d" % i, numbers, PackedInt32Array([1000 + i]))
		answer("nothing else", clients[i].get_available_packet_count(), 0)


func test_a_full_queue_drops_the_newest(kind: StringName) -> void:
	for size: int in [16, 1000, 1400]:
		for is_taken: bool in [true, false]:
			var server := listening(kind)
			var marker := marker_of(server)
			var client := sender_to(server)
			var peer := accepted(server, client) if is_taken else null
			var fitting := SMALLEST / (size + OVERHEAD)
			send_paced([client], fitting + 50, marker, size)
			if not is_taken:
				peer = next_connection(server)
			var what := "%d bytes, taken before %s" % [size, is_taken]
			answer("count: " + what, peer.get_available_packet_count(), fitting)
			answer("the first", number_of(peer.get_packet(), size), 0)
			send(client, [numbered(99_999, size)])
			arrived(peer, fitting)
			var numbers := numbers_of(take(peer, fitting), size)
			var expected := PackedInt32Array(range(1, fitting))
			expected.append(99_999)
			answer("the rest", numbers == expected, true)


func test_the_queues_bound_is_exact_to_the_byte(kind: StringName) -> void:
	for row: Array in [[0, 2], [1, 1]]:
		var server := listening(kind)
		var marker := marker_of(server)
		var client := sender_to(server)
		var peer := accepted(server, client)
		send(client, [numbered(1, 40_000)])
		arrived(peer)
		send(client, [numbered(2, SMALLEST - 40_000 - 2 * OVERHEAD + row[0])])
		marker.wait_until_read()
		answer("with %d too much" % row[0], peer.get_available_packet_count(), row[1])


func test_a_full_queue_affects_no_other_connection(kind: StringName) -> void:
	var server := listening(kind)
	var clients := clients_of(server, 2)
	var peers := all_accepted(server, clients)
	for i in FITTING + 40:
		clients[0].put_packet(numbered(i, 1000))
		if i % CHUNK == 0:
			send(clients[1], [numbered(i)])
			answer("the other's", numbers_of(take(peers[1])), PackedInt32Array([i]))
	answer("of the full one", numbers_of(take(peers[0], FITTING), 1000)[-1], FITTING - 1)


func test_a_client_that_is_gone_affects_no_other(kind: StringName) -> void:
	var server := listening(kind)
	var clients: Array[PacketPeer] = [client_at_free_port(server), sender_to(server)]
	var peers := all_accepted(server, clients)
	var port: int = clients[0].get_local_port()
	clients[0].close()
	for i in 5:
		answer("put_packet to a closed port", peers[0].put_packet(numbered(i)), OK)
		answer("poll", server.poll(), OK)
		answer("is_bound", peers[0].is_bound(), true)
		answer("count", peers[0].get_available_packet_count(), 0)
		_check_talk(clients[1], peers[1])
	# The client opens at its address again.
	answer("bind", clients[0].bind(port, free_address), OK)
	clients[0].set_dest_address(LOOPBACK, server.get_local_port())
	_check_talk(clients[0], peers[0])


func test_wait_returns_for_what_the_kernel_has(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var peer := accepted(server, client)
	for i in 5:
		send(client, [numbered(i)])
		answer("wait", peer.wait(), OK)
		answer("the packet", numbers_of(take(peer)), PackedInt32Array([i]))


func test_wait_returns_when_a_packet_comes(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var peer := accepted(server, client)
	for i in 5:
		var waiting := waiting_threads(peer, 1)
		send(client, [numbered(i)])
		answer("wait", join(waiting[0]), OK)
		answer("the packet", numbers_of(take(peer)), PackedInt32Array([i]))


func _check_state(server: RefCounted, client: PacketPeer, peer: PacketPeer, count: int) -> void:
	answer("is_bound", peer.is_bound(), true)
	answer("is_socket_connected", peer.is_socket_connected(), true)
	answer("get_available_packet_count", peer.get_available_packet_count(), count)
	answer("get_packet_ip", peer.get_packet_ip(), LOOPBACK)
	answer("get_packet_port", peer.get_packet_port() == client.get_local_port(), true)
	answer("get_local_port", peer.get_local_port() == server.get_local_port(), true)


func _check_talk(client: PacketPeer, peer: PacketPeer) -> void:
	answer("put_packet", peer.put_packet(numbered(1)), OK)
	answer("arrives", numbers_of(take(client)), PackedInt32Array([1]))
	send(client, [numbered(2)])
	answer("comes", numbers_of(take(peer)), PackedInt32Array([2]))
