# gdlint: disable=max-public-methods
extends "../support/server_suite.gd"
## wait() and interrupt_wait(). What only connections of a server do is in server_waiting.gd.


func test_wait_ends_when_a_packet_comes(kind: StringName) -> void:
	var peer := bound_peer(kind)
	var waiting := waiting_threads(peer, 1)
	answer("still waiting", waiting[0].is_alive(), true)
	send(sender_to(peer), [numbered(1)])
	answer("wait", join(waiting[0]), OK)
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])


func test_wait_returns_at_once_when_a_packet_is_there(kind: StringName) -> void:
	var peer := bound_peer(kind)
	send(sender_to(peer), [numbered(1)])
	answer("wait", peer.wait(), OK)
	answer("wait again", peer.wait(), OK)
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])


func test_wait_on_a_connected_peer_ends_when_its_partner_sends(kind: StringName) -> void:
	var friend := bound_peer(NATIVE)
	var peer := connected_to(friend, kind)
	var waiting := waiting_threads(peer, 1)
	friend.set_dest_address(LOOPBACK, peer.get_local_port())
	send(friend, [numbered(1)])
	answer("wait", join(waiting[0]), OK)


func test_wait_ends_for_an_empty_datagram(kind: StringName) -> void:
	var peer := bound_peer(kind)
	if send_empty_datagram(peer.get_local_port()):
		answer("wait", peer.wait(), OK)
		answer("count", peer.get_available_packet_count(), 1)


func test_ours_returns_at_once_while_packets_are_queued() -> void:
	in_each_flavour(
		func(peer: PacketPeer, sender: PacketPeer) -> void:
			send(sender, [numbered(1), numbered(2)])
			arrived(peer, 2)
			for timeout: int in [-1, 0, 60_000]:
				check_equal(peer.wait(timeout), OK, "wait(%d) with two queued" % timeout)
			peer.get_packet()
			check_equal(peer.wait(), OK, "wait() with one queued")
			peer.get_packet()
			check_equal(peer.wait(0), ERR_TIMEOUT, "wait(0) with none")
	)


func test_a_timeout_passes() -> void:
	in_each_flavour(
		func(peer: PacketPeer, _sender: PacketPeer) -> void:
			for timeout: int in [0, 1, 50, 120]:
				var start := Time.get_ticks_usec()
				check_equal(peer.wait(timeout), ERR_TIMEOUT, "wait(%d)" % timeout)
				var taken := (Time.get_ticks_usec() - start) / 1000.0
				check(taken >= timeout, "wait(%d) returned after %.2f ms" % [timeout, taken])
				check(taken < AT_ONCE_MSEC, "wait(%d) took %.2f ms" % [timeout, taken])
	)


func test_a_timeout_below_minus_1_is_an_invalid_parameter() -> void:
	for timeout: int in [-2, -1000]:
		misuse(OURS, "new", make_peer(OURS), "wait", [timeout], ERR_INVALID_PARAMETER)
		in_each_flavour(
			func(peer: PacketPeer, _sender: PacketPeer) -> void:
				refused("wait", peer, "wait", [timeout], ERR_INVALID_PARAMETER, [str(timeout)])
		)


func test_a_packet_ends_a_wait_with_and_without_a_timeout() -> void:
	in_each_flavour(
		func(peer: PacketPeer, sender: PacketPeer) -> void:
			for i in 6:
				var waiting := waiting_threads(peer, 1, -1 if i % 2 else 60_000)
				send(sender, [numbered(i)])
				check_equal(join(waiting[0]), OK, "wait")
				check_equal(take(peer), [numbered(i)] as Array[PackedByteArray], "what arrives")
	)


func test_a_wait_that_begins_as_the_packet_arrives_ends() -> void:
	in_each_flavour(
		func(peer: PacketPeer, sender: PacketPeer) -> void:
			for i in 20:
				var waiting := in_thread(peer.wait.bind(60_000))
				send(sender, [numbered(i)])
				check_equal(join(waiting), OK, "wait")
				check_equal(take(peer), [numbered(i)] as Array[PackedByteArray], "what arrives")
	)


func test_close_ends_every_wait() -> void:
	in_each_flavour(
		func(peer: PacketPeer, _sender: PacketPeer) -> void:
			var waiting := waiting_threads(peer, 3) + waiting_threads(peer, 2, 60_000)
			peer.close()
			for thread in waiting:
				check_equal(join(thread), ERR_UNAVAILABLE, "wait")
			misuse(OURS, "closed", peer, "wait", [], ERR_UNCONFIGURED)
	)


func test_interrupt_wait_ends_every_wait_and_no_later_one() -> void:
	in_each_flavour(
		func(peer: PacketPeer, sender: PacketPeer) -> void:
			for i in 3:
				var waiting := waiting_threads(peer, 3) + waiting_threads(peer, 1, 60_000)
				peer.interrupt_wait()
				for thread in waiting:
					check_equal(join(thread), ERR_SKIP, "wait")
				check_equal(peer.is_bound(), true, "is_bound")
				check_equal(peer.wait(0), ERR_TIMEOUT, "the next wait")
			send(sender, [numbered(1)])
			check_equal(peer.wait(TIMEOUT_MSEC), OK, "a wait for a packet")
	)


func test_an_interrupt_without_a_wait_ends_the_next_wait() -> void:
	in_each_flavour(
		func(peer: PacketPeer, _sender: PacketPeer) -> void:
			peer.interrupt_wait()
			check_equal(peer.wait(), ERR_SKIP, "the next wait")
			check_equal(peer.wait(0), ERR_TIMEOUT, "the one after it")
			peer.interrupt_wait()
			peer.interrupt_wait()
			check_equal(peer.wait(0), ERR_SKIP, "the next wait, with a time-out of 0")
			check_equal(peer.wait(0), ERR_TIMEOUT, "two interrupts are one")
	)


func test_waiting_threads_use_no_processor_time() -> void:
	if not needs(&"process figures"):
		return
	in_each_flavour(
		func(peer: PacketPeer, _sender: PacketPeer) -> void:
			var waiting := waiting_threads(peer, 3) + waiting_threads(peer, 1, 60_000)
			check_idle(300)
			peer.close()
			for thread in waiting:
				check_equal(join(thread), ERR_UNAVAILABLE, "wait")
	)


func test_a_timeout_of_0_only_looks() -> void:
	var peer := bound_peer(OURS)
	check_equal(peer.wait(0), ERR_TIMEOUT, "nothing there")
	send(sender_to(peer), [numbered(1)])
	check(wait_until(func() -> bool: return peer.wait(0) == OK), "wait(0) does not see a packet")


func test_close_ends_a_wait_however_the_peer_was_opened() -> void:
	var friend := bound_peer(NATIVE, "*")
	var sender := sender_to(friend, OURS)
	send(sender, [numbered(1)])
	for peer: PacketPeer in [sender, connected_to(friend, OURS), bound_peer(OURS, "*")]:
		var waiting := waiting_threads(peer, 1)
		peer.close()
		check_equal(join(waiting[0]), ERR_UNAVAILABLE, "wait")


func test_a_failed_connect_that_closes_ends_the_wait() -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(OURS)
	var waiting := waiting_threads(peer, 1)
	allow_lines("connect_to_host.*::1")
	check_equal(peer.connect_to_host(LOOPBACK_6, 9), FAILED, "connect")
	check_equal(join(waiting[0]), ERR_UNAVAILABLE, "wait")


func test_opening_forgets_an_interrupt() -> void:
	var peer := make_peer(OURS)
	peer.interrupt_wait()
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.wait(0), ERR_TIMEOUT, "after an interrupt of the closed peer")
	peer.interrupt_wait()
	peer.close()
	check_equal(peer.bind(0, LOOPBACK), OK, "bind again")
	check_equal(peer.wait(0), ERR_TIMEOUT, "after an interrupt before close")


func test_everything_else_answers_while_threads_wait() -> void:
	var peer := bound_peer(OURS)
	var other := bound_peer(NATIVE)
	var waiting := waiting_threads(peer, 4)
	var calls: Dictionary[String, Callable] = {
		"get_available_packet_count": peer.get_available_packet_count,
		"get_packet": peer.get_packet,
		"is_bound": peer.is_bound,
		"is_socket_connected": peer.is_socket_connected,
		"get_local_port": peer.get_local_port,
		"get_local_address": peer.get_local_address,
		"get_packet_ip": peer.get_packet_ip,
		"get_packet_port": peer.get_packet_port,
		"get_packet_error": peer.get_packet_error,
		"poll": peer.poll,
		"set_broadcast_enabled": peer.set_broadcast_enabled.bind(true),
		"set_dest_address": peer.set_dest_address.bind(LOOPBACK, other.get_local_port()),
		"put_packet": peer.put_packet.bind(numbered(1)),
		"put_var": peer.put_var.bind("hello"),
		"connect_to_host": peer.connect_to_host.bind(LOOPBACK, other.get_local_port()),
		"wait": peer.wait.bind(0),
		"get_last_error_message": peer.get_last_error_message,
		"close": peer.close,
	}
	for method in calls:
		var taken := msec_of(calls[method])
		check(taken < AT_ONCE_MSEC, "%s took %d ms while threads wait" % [method, taken])
		if method != "close":
			for thread in waiting:
				check(thread.is_alive(), "%s ended a wait" % method)
	for thread in waiting:
		check_equal(join(thread), ERR_UNAVAILABLE, "wait")
	take(other, 2)


func test_one_packet_wakes_at_least_one_of_several_and_none_is_lost() -> void:
	var peer := bound_peer(OURS)
	var waiting := waiting_threads(peer, 3)
	var sender := sender_to(peer)
	send(sender, [numbered(1)])
	var one_woke := func() -> bool:
		return waiting.any(func(thread: Thread) -> bool: return not thread.is_alive())
	check(wait_until(one_woke), "no thread woke")
	check_equal(take(peer), [numbered(1)] as Array[PackedByteArray], "what arrives")
	peer.close()
	for thread in waiting:
		check(join(thread) in [OK, ERR_UNAVAILABLE], "wait")


func test_a_packet_that_another_thread_reads_wakes_the_waiting_threads() -> void:
	var peer := bound_peer(OURS)
	var sender := sender_to(peer)
	for i in 10:
		var waiting := waiting_threads(peer, 2)
		send(sender, [numbered(i)])
		arrived(peer)  # reads it into the queue and empties the socket
		for thread in waiting:
			check_equal(join(thread), OK, "wait")
		check_equal(take(peer), [numbered(i)] as Array[PackedByteArray], "what arrives")


func test_the_port_is_free_at_once_when_close_returns_though_threads_wait() -> void:
	allow_lines("(wait|get_packets)\\(\\)")  # of a call that begins while the peer is closed
	for has_traffic: bool in [false, true]:
		in_both_modes(
			func(background: bool) -> void: _close_and_bind_often(background, has_traffic)
		)


func test_a_wait_does_not_go_over_to_the_next_socket() -> void:
	var peer := make_peer(OURS)
	var port := free_port()
	check_equal(peer.bind(port, free_address), OK, "bind")
	for i in 20:
		var waiting := waiting_threads(peer, 3, 60_000)
		peer.close()
		check_equal(peer.bind(port, free_address), OK, "bind again")
		send(sender_to(peer, NATIVE, free_address), [numbered(1)])
		for thread in waiting:
			check_equal(join(thread), ERR_UNAVAILABLE, "wait")
		take(peer)


func test_a_peer_whose_thread_has_ended_is_freed_with_the_last_reference() -> void:
	var peer := make_peer(OURS)
	var port := free_port()
	check_equal(peer.bind(port, free_address), OK, "bind")
	var waiting := waiting_threads(peer, 1)
	peer.interrupt_wait()
	check_equal(join(waiting[0]), ERR_SKIP, "wait")
	waiting.clear()
	_threads.clear()
	peer = null
	var error: Error = make_peer(NATIVE).bind(port, free_address)
	check_equal(error, OK, "bind to the port of the freed peer")


# Closes a peer while threads wait on it, and binds its port again, many times.
func _close_and_bind_often(background: bool, has_traffic: bool) -> void:
	var port := free_port()
	var peer := make_peer(OURS)
	peer.background_receive = background
	check_equal(peer.bind(port, free_address), OK, "bind")
	var stop := Semaphore.new()
	var wait_again_and_again := func() -> void:
		while not stop.try_wait():
			peer.wait(TIMEOUT_MSEC)  # any result: the next round begins
			peer.get_packets()
			OS.delay_usec(100)
	var threads: Array[Thread] = []
	for i in 3:
		threads.append(in_thread(wait_again_and_again))
	if has_traffic:
		threads.append(in_thread(keep_sending.bind(port, stop, free_address)))
	var failed := 0
	for i in 100:
		OS.delay_usec(500)  # so that the threads wait again
		if has_traffic and i % 3:
			peer.wait(TIMEOUT_MSEC)  # so that close() often meets a packet
		peer.close()
		# A native peer shares only the system's ports with ours.
		var other := PacketPeerUDP.new()
		failed += int(other.bind(port, free_address) != OK)
		other.close()
		failed += int(peer.bind(port, free_address) != OK)
		if failed > 0:
			break
	check_equal(failed, 0, "binds that failed")
	stop.post(threads.size())
	peer.close()
	for thread in threads:
		join(thread)
