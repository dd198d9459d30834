extends "../support/server_suite.gd"
## UdpServerRs.peer_timeout_msec: idle connections are closed.

const Frames := preload("../support/frames.gd")

# Time-outs in milliseconds, which are the subject here. SHORT passes soon, and LONG does not pass
# within a test. A test must do something within MEDIUM; where the machine was too busy for that, it
# says so.
const SHORT := 100
const MEDIUM := 800
const LONG := 60_000


func test_it_is_off_at_first_and_remembered() -> void:
	var server := make_server(OURS)
	check_equal(server.peer_timeout_msec, 0, "new")
	server.peer_timeout_msec = SHORT
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	check_equal(server.peer_timeout_msec, SHORT, "listening")
	server.stop()
	check_equal(server.peer_timeout_msec, SHORT, "stopped")


func test_a_time_below_0_is_refused() -> void:
	for value: int in [-1, -1000, -2147483648]:
		refused_value(make_server(OURS), &"peer_timeout_msec", value)
		var server := listening(OURS)
		server.peer_timeout_msec = LONG
		refused_value(server, &"peer_timeout_msec", value)


func test_an_idle_connection_is_closed() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.peer_timeout_msec = SHORT
			var client := sender_to(server)
			var start := Time.get_ticks_msec()
			send(client, [numbered(1)])
			var peer := next_connection(server)
			await _until_closed(server, [peer])
			var passed := Time.get_ticks_msec() - start
			check(passed >= SHORT - 1, "closed after %d ms" % passed)
			_check_closed(peer, client)
			check_equal(server.get_peer_count(), 0, "get_peer_count")
			check_equal(server.is_listening(), true, "is_listening")
	)


func test_an_idle_connection_with_unread_packets_is_closed() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server)
			var peer := accepted(server, client)
			send(client, [numbered(1), numbered(2)])
			arrived(peer, 2)
			server.peer_timeout_msec = SHORT
			await _until_closed(server, [peer])
			_check_closed(peer, client)
	)


func test_a_packet_after_the_time_out_makes_a_new_connection() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server)
			for i in 3:
				server.peer_timeout_msec = LONG
				send(client, [numbered(i)])
				var peer := next_connection(server)
				check_equal(numbers_of(take(peer)), PackedInt32Array([i]), "its packet")
				check_equal(server.get_peer_count(), 1, "get_peer_count")
				server.peer_timeout_msec = SHORT
				await _until_closed(server, [peer])
				check_equal(server.is_connection_available(), false, "pending")
	)


func test_a_connection_whose_client_keeps_sending_stays() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var talker := sender_to(server)
			var peer := accepted(server, talker)
			var idle := accepted(server, sender_to(server))
			server.peer_timeout_msec = MEDIUM
			var pauses: Array[int] = [0]
			var last: Array[int] = [Time.get_ticks_msec()]
			var talk_until_closed := func() -> bool:
				send(talker, [numbered(1)])
				read(server)
				pauses.append(Time.get_ticks_msec() - last[0])
				last[0] = Time.get_ticks_msec()
				return not idle.is_bound()
			check(await Frames.until(talk_until_closed), "the idle connection is not closed")
			if pauses.max() >= MEDIUM / 2:
				note("the machine is too busy to keep sending")
				return
			check_equal(peer.is_bound(), true, "is_bound")
			check_equal(server.get_peer_count(), 1, "get_peer_count")
	)


func test_sending_to_a_client_does_not_restart_its_time_out() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.peer_timeout_msec = SHORT
			var client := sender_to(server)
			var peer := accepted(server, client)
			var is_closed := func() -> bool:
				if peer.is_bound():
					peer.put_packets([numbered(1)])
				read(server)
				return not peer.is_bound()
			check(await Frames.until(is_closed), "it is not closed")
	)


func test_turned_on_it_applies_to_existing_connections() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var peers := all_accepted(server, clients_of(server, 5))
			await _pass_frames(server, SHORT * 2)
			check_equal(server.get_peer_count(), 5, "while it is off")
			server.peer_timeout_msec = SHORT
			await _until_closed(server, peers)
			check_equal(server.get_peer_count(), 0, "when it is on")
	)


func test_turned_off_it_closes_no_connection() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.peer_timeout_msec = LONG
			var peers := all_accepted(server, clients_of(server, 5))
			server.peer_timeout_msec = 0
			await _pass_frames(server, SHORT * 3)
			check_equal(server.get_peer_count(), 5, "when it is off")
			for peer in peers:
				check_equal(peer.is_bound(), true, "is_bound")
	)


func test_changed_it_applies_at_once() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.peer_timeout_msec = LONG
			var peers := all_accepted(server, clients_of(server, 5))
			server.peer_timeout_msec = SHORT
			await _until_closed(server, peers)
			# Shortened and lengthened again before it passes.
			server.peer_timeout_msec = LONG
			peers = all_accepted(server, clients_of(server, 5))
			server.peer_timeout_msec = SHORT
			server.peer_timeout_msec = LONG
			if peers.any(func(peer: PacketPeer) -> bool: return not peer.is_bound()):
				note("the machine was too busy to see it changed in time")
				return
			await _pass_frames(server, SHORT * 3)
			for peer in peers:
				check_equal(peer.is_bound(), true, "is_bound with a longer time")
	)


func test_it_closes_each_in_its_own_time() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.peer_timeout_msec = MEDIUM
			var peers: Array[PacketPeer] = []
			var closed: Array[int] = []
			for i in 4:
				peers.append(accepted(server, sender_to(server)))
				await _pass_frames(server, SHORT / 3)
			var all_closed := func() -> bool:
				read(server)
				for i in 4:
					if not i in closed and not peers[i].is_bound():
						closed.append(i)
				return closed.size() == 4
			check(await Frames.until(all_closed), "closed: %s" % [closed])
			check_equal(closed, [0, 1, 2, 3] as Array[int], "the order")
	)


func test_a_pending_connection_waits_for_as_long_as_it_takes() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.peer_timeout_msec = MEDIUM
			var client := sender_to(server)
			send(client, [numbered(1), numbered(2)])
			is_pending(server)
			await _pass_frames(server, MEDIUM + SHORT)
			check_equal(server.is_connection_available(), true, "still pending")
			var start := Time.get_ticks_msec()
			var peer: PacketPeer = server.take_connection()
			var is_open: bool = peer.is_bound()
			var packets: Array[PackedByteArray] = peer.get_packets()
			if Time.get_ticks_msec() - start < MEDIUM:
				check_equal(is_open, true, "taken late, it is open")
				check_equal(numbers_of(packets), PackedInt32Array([1, 2]), "with its packets")
			else:
				note("the machine was too busy to look in time")
			await _until_closed(server, [peer])
	)


func test_packets_that_wait_in_the_socket_of_an_unpolled_server_count() -> void:
	var server := listening(OURS)
	var clients := clients_of(server, 3)
	var peers := all_accepted(server, clients)
	server.peer_timeout_msec = MEDIUM / 2
	var longest_pause := 0
	var last := Time.get_ticks_msec()
	var end := last + MEDIUM
	while last < end:
		for client in clients:
			send(client, [numbered(1)])
		OS.delay_msec(20)  # a game that loads a level
		longest_pause = maxi(longest_pause, Time.get_ticks_msec() - last)
		last = Time.get_ticks_msec()
	server.poll()
	if longest_pause >= MEDIUM / 4:
		note("the machine is too busy to keep sending")
		return
	for peer in peers:
		check_equal(peer.is_bound(), true, "its packets arrived in time")
	check_equal(server.get_peer_count(), 3, "get_peer_count")


func test_packets_that_the_kernel_dropped_keep_connections_open() -> void:
	if not needs(&"kernel drops"):
		return
	var server := make_server(OURS)
	server.receive_buffer_size = 8192
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	var clients := clients_of(server, 3)
	var peers := all_accepted(server, clients)
	server.peer_timeout_msec = SHORT
	server.poll()
	for i in 100:
		for client in clients:
			client.put_packet(numbered(i, 1000))
	OS.delay_msec(SHORT * 2)
	for client in clients:
		client.put_packet(numbered(100, 1000))
	server.poll()
	check(stat(server, "packets_dropped_kernel") > 0, "the kernel dropped nothing")
	for peer in peers:
		check_equal(peer.is_bound(), true, "its packets may have been dropped")
	await _until_closed(server, peers)


func test_many_are_closed_in_one_frame() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.max_pending_connections = 256
			var clients := clients_of(server, 200, OURS)
			var peers := all_accepted(server, clients)
			server.peer_timeout_msec = SHORT
			await _until_closed(server, peers)
			check_equal(server.get_peer_count(), 0, "get_peer_count")
			server.peer_timeout_msec = LONG
			send(clients[7], [numbered(7)])
			check_equal(
				numbers_of(take(next_connection(server))), PackedInt32Array([7]), "one came again"
			)
	)


func test_a_wait_ends_when_its_connection_times_out() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var peer := accepted(server, sender_to(server))
			var waiting := waiting_threads(peer, 2)
			server.peer_timeout_msec = SHORT
			await _until_closed(server, [peer])
			for thread in waiting:
				check_equal(join(thread), ERR_UNAVAILABLE, "wait")
	)


func test_closing_freeing_and_stopping_leave_nothing_to_time_out() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.peer_timeout_msec = LONG
			var peers := all_accepted(server, clients_of(server, 6))
			peers[0].close()
			peers[1].close()
			check_equal(peers[1].bind(0, LOOPBACK), OK, "bind")
			peers[2] = null
			server.peer_timeout_msec = SHORT
			await _until_closed(server, peers.slice(3))
			check_equal(peers[1].is_bound(), true, "a closed one that was bound anew")
			server.peer_timeout_msec = LONG
			var late := accepted(server, sender_to(server))
			server.peer_timeout_msec = SHORT
			server.stop()
			check_equal(late.bind(0, LOOPBACK), OK, "bind")
			await _pass_frames(server, SHORT * 2)
			check_equal(late.is_bound(), true, "one of a stopped server that was bound anew")
			server = null
			await Frames.wait(2)
	)


func _check_closed(peer: PacketPeer, client: PacketPeer) -> void:
	var message: String = peer.get_last_error_message()
	check("silent" in message, "the message: " + message)
	check_equal(peer.is_bound(), false, "is_bound")
	check_equal(peer.is_socket_connected(), false, "is_socket_connected")
	check_equal(peer.get_available_packet_count(), -1, "get_available_packet_count")
	check_equal(peer.get_packet(), PackedByteArray(), "get_packet")
	check_equal(peer.get_packet_error(), FAILED, "get_packet_error")
	check_equal(peer.get_packet_ip(), LOOPBACK, "get_packet_ip")
	check_equal(peer.get_packet_port(), client.get_local_port(), "get_packet_port")
	# It sends nothing to a client that may be gone.
	refused("put_packet", peer, "put_packet", [numbered(1)], ERR_UNCONFIGURED)
	refused("put_packets", peer, "put_packets", [[numbered(1)]], -1)
	check_equal(peer.set_dest_address(LOOPBACK, client.get_local_port()), OK, "a new destination")
	check_equal(peer.put_packet(numbered(2)), OK, "put_packet then")
	check_equal(numbers_of(take(client)), PackedInt32Array([2]), "what the client gets")


# Runs frames and polls the server until all peers are closed.
func _until_closed(server: RefCounted, peers: Array[PacketPeer]) -> void:
	var are_closed := func() -> bool:
		read(server)
		return not peers.any(func(peer: PacketPeer) -> bool: return peer.is_bound())
	check(await Frames.until(are_closed), "not all are closed")


# Runs frames and polls the server for [param msec].
func _pass_frames(server: RefCounted, msec: int) -> void:
	var end := Time.get_ticks_msec() + msec
	var is_over := func() -> bool:
		read(server)
		return Time.get_ticks_msec() >= end
	await Frames.until(is_over)
