extends "../support/receiving.gd"
## Defects of native, and how ours behaves. The suites waiting and queue have more.

const CallingLogger := preload("../support/calling_logger.gd")


func test_a_closed_peer_holds_nothing() -> void:
	var peer := bound_peer(OURS)
	send(sender_to(peer), [numbered(1), numbered(2), numbered(3)])
	arrived(peer, 3)
	peer.close()
	check_equal(peer.get_available_packet_count(), -1, "count when closed")
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.get_available_packet_count(), 0, "count after bind")
	check_equal(peer.get_packet(), PackedByteArray(), "get_packet")
	check_equal(peer.get_packet_error(), ERR_UNAVAILABLE, "get_packet_error")
	send(sender_to(peer), [numbered(4)])
	check_equal(take(peer), [numbered(4)] as Array[PackedByteArray], "what arrives")


func test_connecting_leaves_nothing_in_the_queue() -> void:
	var friend := bound_peer(NATIVE)
	var peer := bound_peer(OURS)
	send(sender_to(peer), [numbered(1), numbered(2), numbered(3)])
	arrived(peer, 3)
	check_equal(peer.connect_to_host(LOOPBACK, friend.get_local_port()), OK, "connect")
	check_equal(peer.get_available_packet_count(), 0, "count")
	check_equal(peer.get_packet(), PackedByteArray(), "get_packet")
	check_equal(peer.get_packet_error(), ERR_UNAVAILABLE, "get_packet_error")
	friend.set_dest_address(LOOPBACK, peer.get_local_port())
	send(friend, [numbered(4)])
	check_equal(take(peer), [numbered(4)] as Array[PackedByteArray], "what arrives")
	check_equal(peer.get_packet_ip(), LOOPBACK, "get_packet_ip")


func test_a_refused_port_makes_no_call_fail() -> void:
	if not needs(&"refusals"):
		return
	for action: String in ["wait", "count", "put_packet", "get_packet", "poll"]:
		var peer := make_peer(OURS)
		var port := closed_port()
		check_equal(peer.connect_to_host(LOOPBACK, port), OK, "connect")
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		until_refused(port)
		match action:
			"wait":
				check_equal(peer.wait(20), ERR_TIMEOUT, "wait")
			"count":
				check_equal(peer.get_available_packet_count(), 0, "count")
			"put_packet":
				check_equal(peer.put_packet(numbered(2)), OK, "the next put_packet")
			"get_packet":
				peer.get_packet()
				check_equal(peer.get_packet_error(), ERR_UNAVAILABLE, "get_packet_error")
			"poll":
				check_equal(peer.poll(), OK, "poll")
		check_equal(peer.is_socket_connected(), true, "still connected after " + action)
		check_equal(peer.wait(0), ERR_TIMEOUT, "wait after " + action)
		check_equal(peer.get_available_packet_count(), 0, "count after " + action)
		check(peer.get_last_os_error() != 0, "get_last_os_error after " + action)
		check(not peer.get_last_error_message().is_empty(), "the message after " + action)


func test_a_refused_port_that_opens_later_gets_every_packet() -> void:
	if not needs(&"refusals"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var late := refusing_peer()
			var peer := make_peer(OURS)
			peer.background_receive = background
			check_equal(peer.connect_to_host(LOOPBACK, late.get_local_port()), OK, "connect")
			for i in 20:
				check_equal(peer.put_packet(numbered(i)), OK, "put_packet while it refuses")
			until_refused(late.get_local_port())
			check_equal(peer.get_available_packet_count(), 0, "count")
			check_equal(peer.wait(20), ERR_TIMEOUT, "wait")
			check_equal(late.connect_to_host(LOOPBACK, peer.get_local_port()), OK, "open the port")
			check_equal(peer.put_packet(numbered(27)), OK, "put_packet once it is open")
			check_equal(take(late), [numbered(27)] as Array[PackedByteArray], "what arrives")
			send(late, [numbered(28)])
			check_equal(take(peer), [numbered(28)] as Array[PackedByteArray], "the answer")
	)


func test_a_refused_port_does_not_end_a_wait() -> void:
	if not needs(&"refusals"):
		return
	var peer := make_peer(OURS)
	var port := closed_port()
	check_equal(peer.connect_to_host(LOOPBACK, port), OK, "connect")
	var waiting := waiting_threads(peer, 2)
	for i in 5:
		check_equal(peer.put_packet(numbered(i)), OK, "put_packet %d" % i)
	until_refused(port)
	OS.delay_msec(20)  # a wait that ends wrongly does so within this time
	for thread in waiting:
		check(thread.is_alive(), "a wait was ended")
	peer.interrupt_wait()
	for thread in waiting:
		check_equal(join(thread), ERR_SKIP, "wait")


func test_the_reason_of_a_failed_bind_is_kept() -> void:
	var port := bound_peer(NATIVE, "*")
	var peer := make_peer(OURS)
	check_equal(peer.get_last_os_error(), 0, "get_last_os_error of a new peer")
	check_equal(peer.get_last_error_message(), "", "get_last_error_message of a new peer")
	check_equal(peer.bind(port.get_local_port(), "0.0.0.0"), ERR_UNAVAILABLE, "bind")
	if Platform.system() == Platform.LINUX:
		check_equal(peer.get_last_os_error(), 98, "get_last_os_error: EADDRINUSE")
	var message: String = peer.get_last_error_message()
	if Platform.has(&"error texts"):
		check("in use" in message.to_lower(), "not the system's words: '%s'" % message)
	check("another socket has this port" in message, "no remedy: '%s'" % message)
	var code: int = peer.get_last_os_error()
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.get_last_error_message(), message, "a success clears nothing")
	check_equal(peer.get_last_os_error(), code, "a success clears no code")


func test_the_reason_of_a_failed_send_is_kept() -> void:
	var peer := sender_to(bound_peer(NATIVE), OURS)
	allow_lines("put_packet")
	check_equal(peer.put_packet(numbered(1, 65508)), FAILED, "put_packet")
	if Platform.system() == Platform.LINUX:
		check_equal(peer.get_last_os_error(), 90, "get_last_os_error: EMSGSIZE")
		peer.set_dest_address("127.255.255.255", 9)
		check_equal(peer.put_packet(numbered(1)), FAILED, "put_packet to broadcast")
		check_equal(peer.get_last_os_error(), 13, "get_last_os_error: EACCES")
	check(not peer.get_last_error_message().is_empty(), "no message")


func test_the_reason_of_a_failed_join_is_kept() -> void:
	var peer := bound_peer(OURS, "0.0.0.0")
	allow_lines("leave_multicast_group")
	check_equal(peer.leave_multicast_group("239.255.77.3", loopback_interface()), FAILED, "leave")
	check(peer.get_last_os_error() != 0, "get_last_os_error")
	check(not peer.get_last_error_message().is_empty(), "no message")


func test_poll_reads_what_is_there() -> void:
	var peer := make_peer(OURS)
	allow_lines("poll")
	check_equal(peer.poll(), FAILED, "closed")
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.poll(), OK, "open, nothing there")
	send(sender_to(peer), [numbered(1)])
	arrived(peer)
	check_equal(peer.poll(), OK, "open, a packet there")
	check_equal(take(peer), [numbered(1)] as Array[PackedByteArray], "what arrives")
	peer.close()
	check_equal(peer.poll(), FAILED, "closed again")


func test_the_local_address_is_known() -> void:
	var peer := make_peer(OURS)
	check_equal(peer.get_local_address(), "", "closed")
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.get_local_address(), LOOPBACK, "bound")
	var connected := connected_to(peer, OURS)
	check_equal(connected.get_local_address(), LOOPBACK, "connected")
	peer.close()
	check_equal(peer.get_local_address(), "", "closed again")
	check_equal(bound_peer(OURS, "0.0.0.0").get_local_address(), "0.0.0.0", "every IPv4 address")


func test_the_local_address_is_known_in_ipv6() -> void:
	if not needs_ipv6():
		return
	check_equal(bound_peer(OURS, LOOPBACK_6).get_local_address(), "0:0:0:0:0:0:0:1", "bound")
	check_equal(bound_peer(OURS, "*").get_local_address(), "0:0:0:0:0:0:0:0", "every address")


func test_a_repeated_misuse_prints_at_most_once_a_second() -> void:
	var peer := bound_peer(OURS)
	var packet := numbered(1)
	var send_often := func() -> void:
		for i in 1000:
			check_equal(peer.put_packet(packet), ERR_UNCONFIGURED, "put_packet")
	var start := Time.get_ticks_msec()
	var lines := lines_of(send_often)
	var seconds := (Time.get_ticks_msec() - start) / 1000 + 1
	check(
		lines.size() <= seconds + 1, "1,000 sends print %d lines in %d s" % [lines.size(), seconds]
	)
	for word: String in ["put_packet", "set_dest_address"]:  # the failed call and the remedy
		check(not lines.is_empty() and word in lines[0], "'%s' is not named" % word)


func test_misuses_that_take_turns_print_at_most_once_a_second_each() -> void:
	var peer := make_peer(OURS)
	var misuse_in_turn := func() -> void:
		for i in 500:
			peer.bind(-1)
			peer.bind(70000)
			peer.wait()
	var start := Time.get_ticks_msec()
	var count := lines_of(misuse_in_turn).size()
	var seconds := (Time.get_ticks_msec() - start) / 1000 + 1
	check(count >= 2, "only %d lines for three misuses" % count)
	check(count <= 3 * seconds, "1,500 calls print %d lines in %d s" % [count, seconds])


func test_a_logger_may_use_the_peer_that_prints() -> void:
	var peer := bound_peer(OURS)
	peer.set_dest_address(LOOPBACK, peer.get_local_port())
	var logger := CallingLogger.new()
	logger.use = func() -> void:
		peer.set_broadcast_enabled(true)
		peer.put_packet([logger.calls])
		peer.wait(0)
		peer.interrupt_wait()
		peer.get_last_error_message()
	allow_lines("bind|connect_to_host|wait")
	OS.add_logger(logger)
	check_equal(peer.bind(0), ERR_ALREADY_IN_USE, "bind")
	check_equal(peer.connect_to_host("x y", 9), ERR_INVALID_PARAMETER, "connect_to_host")
	check_equal(peer.wait(-2), ERR_INVALID_PARAMETER, "wait")
	OS.remove_logger(logger)
	logger.use = Callable()  # a cycle of logger and peer
	check_equal(logger.calls, 3, "calls of the logger")
	var sent: Array[PackedByteArray] = [[1], [2], [3]]
	check_equal(take(peer, 3), sent, "what arrives")


func test_a_misuse_of_one_peer_does_not_silence_another() -> void:
	for i in 3:
		misuse(OURS, "bind", make_peer(OURS), "bind", [-5], ERR_INVALID_PARAMETER, ["-5"])
		check_equal(answers[-1][1], true, "peer %d: prints a line" % i)


func test_numbers_too_large_for_native_are_refused_and_not_cut() -> void:
	for port: int in [1 << 32, (1 << 32) + 5000, -(1 << 40)]:
		var named := [str(port)]
		for row: Array in [["bind", [port, LOOPBACK]], ["connect_to_host", [LOOPBACK, port]]]:
			misuse(OURS, row[0], make_peer(OURS), row[0], row[1], ERR_INVALID_PARAMETER, named)
