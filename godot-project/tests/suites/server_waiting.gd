# gdlint: disable=max-public-methods
extends "../support/server_suite.gd"
## wait() on a connection of UdpServerRs: it reads the server's socket, so it needs no poll(), and
## it can be ended.


func test_packets_come_by_waiting_alone() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server)
			var peer := accepted(server, client)
			for i in 50:
				send(client, [numbered(i), numbered(i + 1000)])
				check_equal(peer.wait(TIMEOUT_MSEC), OK, "wait")
				check_equal(number_of(peer.get_packet()), i, "the first")
				check_equal(peer.wait(TIMEOUT_MSEC), OK, "wait again")
				check_equal(number_of(peer.get_packet()), i + 1000, "the second")
			check_equal(peer.wait(0), ERR_TIMEOUT, "with nothing there")
	)


func test_a_wait_reads_for_the_other_connections_too() -> void:
	var server := listening(OURS)
	var clients := clients_of(server, 5)
	var peers := all_accepted(server, clients)
	var waiting := waiting_threads(peers[0], 1)
	for i in range(1, 5):
		send(clients[i], [numbered(i)])
	send(sender_to(server), [numbered(9)])
	send(clients[0], [numbered(0)])
	check_equal(join(waiting[0]), OK, "wait")
	# No call has polled the server.
	for i in 5:
		check_equal(numbers_of(peers[i].get_packets()), PackedInt32Array([i]), "client %d" % i)
	check_equal(server.is_connection_available(), true, "the new one is pending")
	var newcomer: PacketPeer = server.take_connection()
	check_equal(numbers_of(newcomer.get_packets()), PackedInt32Array([9]), "its packet")


func test_packets_of_other_connections_end_no_wait() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 2)
			var peers := all_accepted(server, clients)
			var waiting := waiting_threads(peers[0], 2)
			for i in 20:
				send(clients[1], [numbered(i)])
				check_equal(peers[1].wait(TIMEOUT_MSEC), OK, "wait of the other")
				check_equal(number_of(peers[1].get_packet()), i, "the other's packet")
			for thread in waiting:
				check(thread.is_alive(), "another's packet ended a wait")
			send(clients[0], [numbered(1)])
			for thread in waiting:
				check_equal(join(thread), OK, "wait")
			# Also for waits with a time-out.
			var stop := Semaphore.new()
			var keep_sending := func() -> void:
				while not stop.try_wait():
					clients[1].put_packet(numbered(1))
					OS.delay_usec(200)
			peers[0].get_packets()
			var sending := in_thread(keep_sending)
			var start := Time.get_ticks_usec()
			check_equal(peers[0].wait(60), ERR_TIMEOUT, "wait(60)")
			check(Time.get_ticks_usec() - start >= 60_000, "wait(60) returned early")
			stop.post()
			join(sending)
	)


func test_closing_the_connection_ends_its_waits_and_no_others() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 2)
			var peers := all_accepted(server, clients)
			var waiting := waiting_threads(peers[0], 3) + waiting_threads(peers[0], 1, 60_000)
			var others := waiting_threads(peers[1], 2)
			peers[0].close()
			for thread in waiting:
				check_equal(join(thread), ERR_UNAVAILABLE, "wait")
			for thread in others:
				check(thread.is_alive(), "another's wait has ended")
			send(clients[1], [numbered(1)])
			for thread in others:
				check_equal(join(thread), OK, "the other's wait")
	)


func test_stopping_or_freeing_the_server_ends_all_waits() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for i in 10:
				var server := server_in_mode(background)
				var port: int = server.get_local_port()
				var waiting: Array[Thread] = []
				var peers := all_accepted(server, clients_of(server, 3))
				for peer in peers:
					waiting += waiting_threads(peer, 2)
				if i % 2:
					server.stop()
				server = null
				check_equal(PacketPeerUDP.new().bind(port, LOOPBACK), OK, "the port is free")
				for thread in waiting:
					check_equal(join(thread), ERR_UNAVAILABLE, "wait")
	)


func test_interrupt_wait_ends_the_waits_of_its_connection() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 2)
			var peers := all_accepted(server, clients)
			var others := waiting_threads(peers[1], 1)
			for i in 3:
				var waiting := waiting_threads(peers[0], 3)
				peers[0].interrupt_wait()
				for thread in waiting:
					check_equal(join(thread), ERR_SKIP, "wait")
				check_equal(peers[0].wait(0), ERR_TIMEOUT, "the next wait")
			peers[0].interrupt_wait()
			peers[0].interrupt_wait()
			check_equal(peers[0].wait(), ERR_SKIP, "the next one, when none was in progress")
			check_equal(peers[0].wait(0), ERR_TIMEOUT, "and the one after it")
			check(others[0].is_alive(), "another's wait has ended")
			peers[1].interrupt_wait()
			check_equal(join(others[0]), ERR_SKIP, "the other's wait")
	)


func test_a_poll_in_another_thread_wakes_the_waiting_threads() -> void:
	var server := listening(OURS)
	var clients := clients_of(server, 3)
	var peers := all_accepted(server, clients)
	for i in 20:
		var waiting: Array[Thread] = []
		for peer in peers:
			waiting.append(in_thread(peer.wait.bind(60_000)))
		for client in clients:
			send(client, [numbered(i)])
			server.poll()
		for k in 3:
			check_equal(join(waiting[k]), OK, "wait")
			check_equal(number_of(peers[k].get_packet()), i, "the packet of client %d" % k)


func test_each_of_many_threads_is_woken_for_its_own_connection() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 16)
			var peers := all_accepted(server, clients)
			var echo := func(peer: PacketPeer) -> int:
				var echoed := 0
				while peer.wait() == OK:
					for packet: PackedByteArray in peer.get_packets():
						echoed += int(peer.put_packet(packet) == OK)
				return echoed
			allow_lines("(wait|get_packets|put_packet)\\(\\)")  # a round may begin at the end
			var threads: Array[Thread] = []
			for peer in peers:
				threads.append(in_thread(echo.bind(peer)))
			for number in 50:
				for i in 16:
					send(clients[i], [numbered(number * 16 + i)])
				for i in 16:
					var got := numbers_of(take(clients[i]))
					check_equal(got, PackedInt32Array([number * 16 + i]), "client %d" % i)
			server.stop()
			for thread in threads:
				check_equal(join(thread), 50, "packets that one of the threads has sent back")
	)


func test_the_waits_of_one_connection_go_on_when_others_come_and_go() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	var waiting := waiting_threads(peer, 2)
	for i in 20:
		var other := accepted(server, sender_to(server))
		var its := waiting_threads(other, int(i % 5 == 0))
		other.close()
		for thread in its:
			check_equal(join(thread), ERR_UNAVAILABLE, "the other's wait")
	for thread in waiting:
		check(thread.is_alive(), "the wait has ended")
	send(client, [numbered(1)])
	for thread in waiting:
		check_equal(join(thread), OK, "wait")


func test_a_wait_goes_on_when_the_mode_changes() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	check_waits_outlast_mode_changes(server, peer, client)


func test_a_wait_does_not_go_over_to_the_next_connection() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	for i in 10:
		var peer := accepted(server, client)
		var waiting := waiting_threads(peer, 2, 60_000)
		peer.close()
		send(client, [numbered(i)])
		for thread in waiting:
			check_equal(join(thread), ERR_UNAVAILABLE, "wait")
		var next := next_connection(server)
		check_equal(numbers_of(take(next)), PackedInt32Array([i]), "of the next one")
		next.close()


func test_a_connection_that_was_closed_waits_as_a_peer_of_its_own() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	peer.interrupt_wait()
	peer.close()
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.wait(0), ERR_TIMEOUT, "after an interrupt before close")
	var waiting := waiting_threads(peer, 1)
	send(client, [numbered(1)])
	is_pending(server)
	check(waiting[0].is_alive(), "a packet for the server ended it")
	send(sender_to(peer), [numbered(2)])
	check_equal(join(waiting[0]), OK, "wait")
	check_equal(numbers_of(take(peer)), PackedInt32Array([2]), "what came")


func test_everything_else_answers_while_threads_wait() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	var waiting := waiting_threads(peer, 4)
	var calls: Dictionary[String, Callable] = {
		"poll": server.poll,
		"is_connection_available": server.is_connection_available,
		"take_connection": server.take_connection,
		"is_listening": server.is_listening,
		"get_local_port": server.get_local_port,
		"get_peer_count": server.get_peer_count,
		"get_stats": server.get_stats,
		"max_pending_connections": server.set.bind("max_pending_connections", 20),
		"peer_timeout_msec": server.set.bind("peer_timeout_msec", 600_000),
		"traffic_class": server.set.bind("traffic_class", 8),
		"get_available_packet_count": peer.get_available_packet_count,
		"get_packet": peer.get_packet,
		"get_packets": peer.get_packets,
		"put_packet": peer.put_packet.bind(numbered(1)),
		"put_packets": peer.put_packets.bind([numbered(1)]),
		"is_bound": peer.is_bound,
		"wait": peer.wait.bind(0),
		"stop": server.stop,
	}
	for method in calls:
		var passed := msec_of(calls[method])
		check(passed < AT_ONCE_MSEC, "%s took %d ms while threads wait" % [method, passed])
		if method != "stop":
			for thread in waiting:
				check(thread.is_alive(), "%s ended a wait" % method)
	for thread in waiting:
		check_equal(join(thread), ERR_UNAVAILABLE, "wait")
