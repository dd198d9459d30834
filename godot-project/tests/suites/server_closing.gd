extends "../support/server_suite.gd"
## How connections of UDPServer and UdpServerRs end: closed, freed, with the server stopped or
## freed.


func test_a_closed_connection_is_a_closed_peer_that_keeps_its_client(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	send(client, [numbered(1), numbered(2)])
	var peer := next_connection(server)
	peer.close()
	_check_closed(kind, peer, client)
	answer("the server listens", server.is_listening(), true)
	answer("poll", server.poll(), OK)
	peer.close()
	answer("is_bound when closed again", peer.is_bound(), false)


func test_a_closed_connection_is_an_ordinary_peer(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var peer := accepted(server, client)
	send(client, [numbered(1)])
	arrived(peer)
	peer.close()
	_check_ordinary(server, client, peer)


func test_another_packet_of_its_client_makes_a_new_connection(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var others := clients_of(server, 3)
	var peers := all_accepted(server, others)
	var old := accepted(server, client)
	for i in 5:
		send(client, [numbered(1), numbered(2)])
		arrived(old, 2)
		old.close()
		send(client, [numbered(3), numbered(4)])
		var peer := next_connection(server)
		answer("another object", peer != old, true)
		arrived(peer, 2)
		old.close()  # does not affect the new one
		answer("its packets", numbers_of(take(peer, 2)), PackedInt32Array([3, 4]))
		answer("no more", peer.get_available_packet_count(), 0)
		answer("the old one", old.get_available_packet_count(), -1)
		answer("pending", server.is_connection_available(), false)
		send(peer, [numbered(5)])
		answer("to the client", numbers_of(take(client)), PackedInt32Array([5]))
		old = peer
	for i in 3:
		send(others[i], [numbered(i)])
		answer("the others stay", numbers_of(take(peers[i])), PackedInt32Array([i]))


func test_packets_unread_at_close_go_to_the_new_connection(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var peer := accepted(server, client)
	send(client, [numbered(1)])  # not polled yet
	peer.close()
	answer("packets", numbers_of(take(next_connection(server))), PackedInt32Array([1]))


func test_an_old_connection_may_be_opened_while_the_new_one_works(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var old := accepted(server, client)
	old.close()
	var peer := accepted(server, client)
	answer("put_packet", old.put_packet(numbered(1)), OK)
	answer("arrives", numbers_of(take(client)), PackedInt32Array([1]))
	var own_port: int = old.get_local_port()
	answer("from a port of its own", client.get_packet_port() == own_port, true)
	client.set_dest_address(LOOPBACK, own_port)
	send(client, [numbered(2)])
	answer("the answer to it", numbers_of(take(old)), PackedInt32Array([2]))
	client.set_dest_address(LOOPBACK, server.get_local_port())
	send(client, [numbered(3)])
	answer("the answer to the server", numbers_of(take(peer)), PackedInt32Array([3]))


func test_a_connection_is_freed_with_its_last_reference(kind: StringName) -> void:
	var server := listening(kind)
	var clients := clients_of(server, 3)
	for i in 10:
		var peers := all_accepted(server, clients)
		var observers := peers.map(weakref)
		peers.clear()
		for observer: WeakRef in observers:
			answer("still there", observer.get_ref() == null, true)
		answer("pending", server.is_connection_available(), false)
		answer("poll", server.poll(), OK)


func test_a_freed_connections_client_is_a_new_one(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	for i in 10:
		_accept_and_free(server, client)
		send(client, [numbered(3), numbered(4)])
		var peer := next_connection(server)
		answer("its packets", numbers_of(take(peer, 2)), PackedInt32Array([3, 4]))
		answer("pending", server.is_connection_available(), false)
		peer = null


func test_a_connection_lives_as_long_as_one_reference(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var peer := accepted(server, client)
	var other := peer
	peer = null
	send(client, [numbered(1)])
	answer("its packets", numbers_of(take(other)), PackedInt32Array([1]))
	answer("pending", server.is_connection_available(), false)


func test_stopping_or_freeing_the_server_closes_all_connections(kind: StringName) -> void:
	for is_freed: bool in [false, true]:
		var server := listening(kind)
		var port: int = server.get_local_port()
		var clients := clients_of(server, 4)
		var peers := all_accepted(server, clients)
		_leave_packets(server, clients, peers)
		if is_freed:
			server = null
		else:
			server.stop()
			answer("pending", server.is_connection_available(), false)
			answer("no connection to take", server.take_connection() == null, true)
		answer("the port is free", PacketPeerUDP.new().bind(port, LOOPBACK), OK)
		for i in 4:
			_check_closed(kind, peers[i], clients[i])
			_check_ordinary(null, clients[i], peers[i])


func test_a_server_is_freed_though_its_connections_are_held(kind: StringName) -> void:
	var server := listening(kind)
	var peer := accepted(server, sender_to(server))
	var observer: WeakRef = weakref(server)
	server = null
	answer("still there", observer.get_ref() == null, true)
	answer("is_bound", peer.is_bound(), false)


func test_a_connection_freed_before_its_server_leaves_it_alone(kind: StringName) -> void:
	var server := listening(kind)
	var clients := clients_of(server, 4)
	var peers := all_accepted(server, clients)
	peers.clear()
	send(clients[0], [numbered(1)])
	is_pending(server)
	answer("listening", server.is_listening(), true)
	server.stop()
	answer("stopped", server.is_listening(), false)


func test_a_server_that_listens_again_has_no_connections(kind: StringName) -> void:
	var server := listening(kind)
	var port: int = server.get_local_port()
	var clients := clients_of(server, 3)
	var peers := all_accepted(server, clients)
	_leave_packets(server, clients, peers)
	server.stop()
	answer("listen", server.listen(port, LOOPBACK), OK)
	answer("poll", server.poll(), OK)
	answer("pending", server.is_connection_available(), false)
	for i in 3:
		send(clients[i], [numbered(i)])
		var peer := next_connection(server)
		answer("another object", peer in peers, false)
		answer("its packets", numbers_of(take(peer)), PackedInt32Array([i]))
		answer("the old one", peers[i].is_bound(), false)
		# The new connection has the old one's place in the server.
		peers[i].close()
		send(clients[i], [numbered(i + 10)])
		answer("its packets then", numbers_of(take(peer)), PackedInt32Array([i + 10]))


func test_a_connection_of_a_stopped_server_stays_out_of_the_next_one(kind: StringName) -> void:
	var server := listening(kind)
	var client := sender_to(server)
	var old := accepted(server, client)
	server.stop()
	answer("listen", server.listen(0, LOOPBACK), OK)
	answer("set_dest_address", old.set_dest_address(LOOPBACK, server.get_local_port()), OK)
	var peer := accepted(server, old)
	answer("put_packet", peer.put_packet(numbered(1)), OK)
	answer("what the old one gets", numbers_of(take(old)), PackedInt32Array([1]))
	answer("it is a socket of its own", old.get_local_port() != server.get_local_port(), true)


func test_servers_with_pending_connections_come_and_go(kind: StringName) -> void:
	for i in 20:
		var server := listening(kind)
		for client in clients_of(server, 5):
			send(client, [numbered(1)])
		is_pending(server)
		if i % 2:
			server.stop()
			answer("pending", server.is_connection_available(), false)


# Leaves each connection one packet that was read and one that was not, and one client pending.
func _leave_packets(
	server: RefCounted, clients: Array[PacketPeer], peers: Array[PacketPeer]
) -> void:
	send(sender_to(server), [numbered(1)])
	for client in clients:
		send(client, [numbered(1)])
	for peer in peers:
		arrived(peer)
	for client in clients:
		send(client, [numbered(2)])


func _accept_and_free(server: RefCounted, client: PacketPeer) -> void:
	var peer := accepted(server, client)
	send(client, [numbered(1), numbered(2)])
	arrived(peer, 2)


func _check_closed(kind: StringName, peer: PacketPeer, client: PacketPeer) -> void:
	answer("is_bound", peer.is_bound(), false)
	answer("is_socket_connected", peer.is_socket_connected(), false)
	answer("get_available_packet_count", peer.get_available_packet_count(), -1)
	answer("get_packet", peer.get_packet(), PackedByteArray())
	answer("get_packet_error", peer.get_packet_error(), FAILED)
	answer("get_packet_ip", peer.get_packet_ip(), LOOPBACK)
	answer("get_packet_port", peer.get_packet_port() == client.get_local_port(), true)
	misuse(kind, "get_local_port", peer, "get_local_port", [], 0)
	misuse(kind, "wait", peer, "wait", [], ERR_UNCONFIGURED)


# A closed peer that was a connection can be opened again, to the client and to others.
func _check_ordinary(server: RefCounted, client: PacketPeer, peer: PacketPeer) -> void:
	answer("put_packet", peer.put_packet(numbered(1)), OK)
	answer("is_bound", peer.is_bound(), true)
	answer("is_socket_connected", peer.is_socket_connected(), false)
	answer("count", peer.get_available_packet_count(), 0)
	answer("what the client gets", numbers_of(take(client)), PackedInt32Array([1]))
	answer("from its port", client.get_packet_port() == peer.get_local_port(), true)
	if server != null:
		answer("its own", peer.get_local_port() != server.get_local_port(), true)
	var friend := bound_peer(NATIVE)
	answer("dest", peer.set_dest_address(LOOPBACK, friend.get_local_port()), OK)
	answer("put_packet to a friend", peer.put_packet(numbered(2)), OK)
	answer("what it gets", numbers_of(take(friend)), PackedInt32Array([2]))
	answer("connect", peer.connect_to_host(LOOPBACK, friend.get_local_port()), OK)
	answer("is_socket_connected then", peer.is_socket_connected(), true)
	peer.set_broadcast_enabled(true)
	peer.close()
	answer("bind", peer.bind(0, LOOPBACK), OK)
	answer("count when bound", peer.get_available_packet_count(), 0)
	send(sender_to(peer), [numbered(3)])
	answer("what it gets when bound", numbers_of(take(peer)), PackedInt32Array([3]))
	peer.close()
	var interface := loopback_interface()
	answer("join", peer.join_multicast_group("239.255.77.1", interface), OK)
	answer("leave", peer.leave_multicast_group("239.255.77.1", interface), OK)
	peer.close()
