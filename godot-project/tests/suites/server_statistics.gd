extends "../support/server_suite.gd"
## UdpServerRs.get_stats(): totals of the server and its connections.

const PEER_KEYS := preload("statistics.gd").KEYS
const PENDING := "packets_dropped_pending"


func test_there_is_a_number_for_each_key_and_no_other() -> void:
	var server := make_server(OURS)
	_check_keys(server, "new")
	check_equal(server.get_stats().values().max(), 0, "the largest figure of a new server")
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	accepted(server, sender_to(server))
	_check_keys(server, "with a connection")
	server.stop()
	_check_keys(server, "stopped")


func test_they_are_a_copy() -> void:
	var server := make_server(OURS)
	server.get_stats()["packets_sent"] = 99
	check_equal(stat(server, "packets_sent"), 0, "after changing what was answered")


func test_they_are_the_sums_of_all_connections() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 5)
			var peers := all_accepted(server, clients)
			for i in 5:
				for number in i + 1:
					send(clients[i], [numbered(number, 100)])
				for number in 2:
					send(peers[i], [numbered(number, 50)])
			for i in 5:
				take(peers[i], i + 1)
			check_equal(stat(server, "packets_received"), 5 + 15, "packets_received")
			check_equal(stat(server, "bytes_received"), 5 * HELLO.length() + 1500, "bytes_received")
			check_equal(stat(server, "packets_sent"), 10, "packets_sent")
			check_equal(stat(server, "bytes_sent"), 500, "bytes_sent")
			check_equal(stat(server, "send_syscalls"), 10, "send_syscalls")
			check(stat(server, "receive_syscalls") > 0, "no receive_syscalls")
			for key in PEER_KEYS:
				if "dropped" in key or "errors" in key:
					check_equal(stat(server, key), 0, key)
			for i in 5:
				check_equal(stat(peers[i], "packets_received"), 1 + i + 1, "peer %d received" % i)
				check_equal(stat(peers[i], "packets_sent"), 2, "peer %d sent" % i)
				check_equal(stat(peers[i], "bytes_sent"), 100, "bytes of peer %d" % i)
	)


func test_figures_of_connections_that_are_gone_stay_in_the_sum() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			for i in 3:
				var clients := clients_of(server, 2)
				var peers := all_accepted(server, clients)
				for peer in peers:
					send(peer, [numbered(1, 50)])
				check_equal(stat(server, "packets_sent"), 2 * i + 2, "packets_sent")
				peers[0].close()
				peers.clear()
				check_equal(stat(server, "packets_sent"), 2 * i + 2, "when they are gone")
				check_equal(stat(server, "packets_received"), 2 * i + 2, "packets_received")
			server.stop()
			check_equal(stat(server, "packets_sent"), 6, "when it is stopped")
			check_equal(stat(server, "bytes_sent"), 300, "bytes_sent then")
			check_equal(stat(server, "packets_received"), 6, "packets_received then")
	)


func test_what_a_connection_does_once_it_is_closed_is_its_own() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	peer.close()
	send(peer, [numbered(1), numbered(2)])
	check_equal(stat(peer, "packets_sent"), 2, "the peer's")
	check_equal(stat(server, "packets_sent"), 0, "the server's")


func test_a_connections_own_figures_can_be_reset() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	send(peer, [numbered(1)])
	peer.reset_stats()
	check_equal(stat(peer, "packets_sent"), 0, "packets_sent")
	check_equal(stat(peer, "packets_received"), 0, "packets_received")
	send(peer, [numbered(1)])
	send(client, [numbered(1)])
	take(peer)
	check_equal(stat(peer, "packets_sent"), 1, "packets_sent then")
	check_equal(stat(peer, "packets_received"), 1, "packets_received then")
	check_equal(stat(server, "packets_sent"), 2, "the server's packets_sent")
	check_equal(stat(server, "packets_received"), 2, "the server's packets_received")


func test_a_connection_that_is_reset_while_its_queue_drops_packets_counts_right() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			var client := sender_to(server)
			var peer := accepted(server, client)
			peer.overflow_policy = DROP_OLDEST
			var before := stat(server, "packets_received")
			for i in 2 * 60:
				client.put_packet(numbered(i, 1000))
				if i % CHUNK == CHUNK - 1:
					marker.wait_until_read()
					before += 1
				if i == 60 - 1:
					peer.reset_stats()
			check_equal(peer.get_available_packet_count(), FITTING, "count")
			check_equal(stat(server, "packets_dropped_queue"), 120 - FITTING, "dropped")
			check_equal(stat(server, "packets_received"), before + FITTING, "packets_received")
			check_equal(stat(peer, "packets_dropped_queue"), 120 - FITTING, "the peer's dropped")
			# Three packets from before the reset are left.
			check_equal(stat(peer, "packets_received"), 60, "the peer's packets_received")
	)


func test_looking_at_a_connection_takes_no_system_call() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	send(client, [numbered(1)])
	var before := stat(server, "receive_syscalls")
	for i in 10:
		peer.get_available_packet_count()
		peer.get_packet()
		server.is_connection_available()
	check_equal(stat(server, "receive_syscalls"), before, "receive_syscalls")
	check_equal(numbers_of(take(peer)), PackedInt32Array([1]), "when the server was polled")


func test_what_the_kernel_drops_is_counted() -> void:
	if not needs(&"kernel drops"):
		return
	var server := make_server(OURS)
	server.receive_buffer_size = 4096
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	var client := sender_to(server)
	var peer := accepted(server, client)
	for i in 200:
		client.put_packet(numbered(i, 1000))
	until_all_known(server, 1 + 200, server.poll)
	var dropped := stat(server, "packets_dropped_kernel")
	check(dropped > 100, "only %d of 200 packets dropped" % dropped)
	take(peer, 200 - dropped)
	check_equal(stat(server, "packets_received"), 1 + 200 - dropped, "packets_received")
	server.stop()
	check_equal(stat(server, "packets_dropped_kernel"), dropped, "when it is stopped")
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	check_equal(stat(server, "packets_dropped_kernel"), dropped, "when it listens again")


func test_a_full_queue_is_counted_in_both() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			var clients := clients_of(server, 2)
			var peers := all_accepted(server, clients)
			send_paced(clients, FITTING + 30, marker)
			check_equal(stat(server, "packets_dropped_queue"), 60, "the server's")
			check_equal(stat(server, PENDING), 0, PENDING)
			for peer in peers:
				check_equal(stat(peer, "packets_dropped_queue"), 30, "a peer's")
				check_equal(stat(peer, "packets_received"), 1 + FITTING, "packets_received")
	)


func test_packets_that_find_the_pending_list_full_are_counted_there_only() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			server.max_pending_connections = 2
			var before := stat(server, "packets_received")
			var clients := clients_of(server, 10)
			for number in 3:
				for client in clients:
					send(client, [numbered(number)])
				marker.wait_until_read()
			check_equal(stat(server, PENDING), 8 * 3, PENDING)
			check_equal(stat(server, "packets_dropped_queue"), 0, "packets_dropped_queue")
			check_equal(stat(server, "packets_received"), before + 2 * 3 + 3, "packets_received")
	)


func test_what_the_system_refuses_to_send_is_counted_in_both() -> void:
	var server := listening(OURS)
	var peer := accepted(server, sender_to(server))
	allow_lines("put_packet")
	check_equal(peer.put_packet(numbered(1, 65_508)), FAILED, "put_packet")
	check_equal(stat(peer, "send_errors"), 1, "the peer's")
	check_equal(stat(server, "send_errors"), 1, "the server's")
	check(not peer.get_last_error_message().is_empty(), "the peer has no message")


func test_a_refused_listen_says_why() -> void:
	var server := make_server(OURS)
	check_equal(server.get_last_os_error(), 0, "get_last_os_error of a new server")
	check_equal(server.get_last_error_message(), "", "its message")
	check_equal(server.listen(0, "192.0.2.1"), ERR_UNAVAILABLE, "listen")
	check(server.get_last_os_error() != 0, "no code")
	var message: String = server.get_last_error_message()
	check("192.0.2.1" in message, "the address is not in: " + message)
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	check_equal(server.get_last_error_message(), message, "after a success")


func test_a_batch_takes_fewer_system_calls_than_packets() -> void:
	if not needs_batches():
		return
	var server := listening(OURS)
	var marker := marker_of(server)
	var clients := clients_of(server, 8)
	var peers := all_accepted(server, clients)
	for i in 48:
		send(clients[i % 8], [numbered(i)])
	var before := stat(server, "receive_syscalls")
	check_equal(server.poll(), OK, "poll")
	var calls := stat(server, "receive_syscalls") - before
	marker.wait_until_read()
	for i in 8:
		check_equal(take(peers[i], 6).size(), 6, "packets of client %d" % i)
	check(calls < 24, "%d system calls for 48 packets" % calls)


func _check_keys(server: RefCounted, what: String) -> void:
	var stats: Dictionary = server.get_stats()
	var keys := Array(stats.keys())
	var expected := Array(PEER_KEYS) + [PENDING]
	keys.sort()
	expected.sort()
	check_equal(keys, expected, "%s: keys" % what)
	for key: Variant in stats:
		check_equal(typeof(stats[key]), TYPE_INT, "%s: the type of %s" % [what, key])
