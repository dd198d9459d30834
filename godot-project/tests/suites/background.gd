# gdlint: disable=max-public-methods
extends "../support/receiving.gd"
## background_receive: peers that a thread reads for, and the thread itself.


func test_it_is_off_at_first_and_remembered() -> void:
	check_equal(
		ClassDB.class_get_property_default_value(OURS, "background_receive"), false, "default"
	)
	var peer := make_peer(OURS)
	check_equal(peer.background_receive, false, "new")
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.background_receive, false, "bound")
	peer.background_receive = true
	peer.background_receive = true
	check_equal(peer.background_receive, true, "turned on")
	peer.close()
	check_equal(peer.background_receive, true, "closed")
	check_equal(peer.is_bound(), false, "is_bound")
	check_equal(peer.bind(0, LOOPBACK), OK, "bind again")
	check_equal(peer.background_receive, true, "bound again")
	_check_drained(peer)
	peer.background_receive = false
	check_equal(peer.background_receive, false, "turned off")


func test_it_reads_more_than_the_kernel_holds_while_the_game_is_busy() -> void:
	var peer := receiver(true, LOOPBACK, 8 << 20)
	var sender := sender_to(peer, OURS)
	for i in 20_000:
		sender.put_packet(numbered(i, 64))
		if i % 50 == 49:
			# The script does not read; the statistics show that the thread keeps up.
			wait_until(func() -> bool: return stat(peer, "packets_received") == i + 1)
	check_equal(peer.get_available_packet_count(), 20_000, "count")
	var got: PackedInt32Array
	for i in 20_000:
		got.append(number_of(peer.get_packet(), 64))
	check_equal(got, PackedInt32Array(range(20_000)), "what was kept")


func test_it_works_however_the_peer_is_opened() -> void:
	var friend := bound_peer(NATIVE)
	for way: String in ["put_packet", "connect_to_host", "send_to", "put_packets"]:
		var peer := make_peer(OURS)
		peer.background_receive = true
		var port: int = friend.get_local_port()
		peer.set_dest_address(LOOPBACK, port)
		match way:
			"put_packet":
				check_equal(peer.put_packet(numbered(1)), OK, way)
			"connect_to_host":
				check_equal(peer.connect_to_host(LOOPBACK, port), OK, way)
				check_equal(peer.put_packet(numbered(1)), OK, way)
			"send_to":
				check_equal(peer.send_to(numbered(1), LOOPBACK, port), OK, way)
			"put_packets":
				check_equal(peer.put_packets([numbered(1)]), 1, way)
		check_equal(take(friend), [numbered(1)] as Array[PackedByteArray], way)
		friend.set_dest_address(LOOPBACK, peer.get_local_port())
		send(friend, [numbered(2)])
		reaches(peer, "packets_received", 1)
		check_equal(take(peer), [numbered(2)] as Array[PackedByteArray], "the answer: " + way)
		check_equal(peer.get_packet_port(), port, "its sender: " + way)


func test_everything_is_read_as_when_polled() -> void:
	var peer := receiver(true, "*")
	var sender := sender_to(peer)
	sender.put_var({"a": [1, 2]})
	arrived(peer)
	check_equal(peer.get_var(), {"a": [1, 2]}, "get_var")
	check_equal(peer.get_packet_ip(), LOOPBACK, "get_packet_ip")
	check_equal(peer.get_packet_port(), sender.get_local_port(), "get_packet_port")
	check_equal(peer.get_packet(), PackedByteArray(), "get_packet with nothing there")
	check_equal(peer.get_packet_error(), ERR_UNAVAILABLE, "get_packet_error")
	check_equal(peer.poll(), OK, "poll")
	misuse(OURS, "with nothing there", peer, "get_var", [], null)
	send(sender, [numbered(1), numbered(2)])
	check_equal(take(peer, 2), [numbered(1), numbered(2)] as Array[PackedByteArray], "two more")


func test_connecting_empties_the_queue_and_keeps_strangers_out() -> void:
	for i in 20:
		var friend := bound_peer(NATIVE)
		var stranger := bound_peer(NATIVE)
		var peer := receiver(true)
		stranger.set_dest_address(LOOPBACK, peer.get_local_port())
		friend.set_dest_address(LOOPBACK, peer.get_local_port())
		send(stranger, [numbered(1), numbered(2)])
		arrived(peer, i % 3)
		check_equal(peer.connect_to_host(LOOPBACK, friend.get_local_port()), OK, "connect")
		check_equal(peer.get_available_packet_count(), 0, "count")
		send(stranger, [numbered(3)])
		send(friend, [numbered(4)])
		check_equal(take(peer), [numbered(4)] as Array[PackedByteArray], "what arrives")
		check_equal(peer.get_available_packet_count(), 0, "nothing else")


func test_a_closed_peer_holds_nothing() -> void:
	var peer := receiver(true)
	for i in 50:
		var sender := sender_to(peer)
		send(sender, [numbered(1), numbered(2), numbered(3)])
		arrived(peer, i % 4)
		peer.close()
		check_equal(peer.get_available_packet_count(), -1, "count when closed")
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		check_equal(peer.get_available_packet_count(), 0, "count after bind")
		_check_drained(peer)


func test_the_port_of_a_freed_peer_is_free_at_once_under_traffic() -> void:
	var port := free_port()
	var stop := Semaphore.new()
	var sending := in_thread(keep_sending.bind(port, stop, free_address))
	var failed := 0
	for i in 300:
		var peer := make_peer(OURS)
		peer.background_receive = true
		failed += int(peer.bind(port, free_address) != OK)
		if i % 3:
			peer.wait(TIMEOUT_MSEC)
		peer = null
		failed += int(PacketPeerUDP.new().bind(port, free_address) != OK)
	check_equal(failed, 0, "binds that failed")
	stop.post()
	join(sending)


func test_many_peers_share_the_thread() -> void:
	var peers: Array[PacketPeer] = []
	var sender := make_peer(OURS)
	for i in 300:
		peers.append(receiver(i % 2 == 0))
	for round_number in 3:
		for i in 300:
			for k in 3:
				sender.send_to(numbered(i * 3 + k), LOOPBACK, peers[i].get_local_port())
		for i in 300:
			arrived(peers[i], 3)
			var got := numbers_of(peers[i].get_packets())
			check_equal(got, PackedInt32Array(range(i * 3, i * 3 + 3)), "peer %d" % i)
			peers[i].background_receive = not peers[i].background_receive
	# All are closed at once, some by close() and some by being freed.
	for i in range(0, 300, 2):
		peers[i].close()
	peers.clear()


func test_there_is_one_thread_for_all_and_none_without_need() -> void:
	if not needs(&"process figures"):
		return
	var before := settled_threads()
	var threads_are := func(count: int) -> bool: return Process.threads() == count
	for i in 5:
		var peers: Array[PacketPeer] = [receiver(true)]
		_check_drained(peers[0])
		check_equal(Process.threads(), before + 1, "threads with one peer")
		for k in 49:
			peers.append(receiver(true))
		for peer in peers:
			_check_drained(peer)
		check_equal(Process.threads(), before + 1, "threads with 50 peers")
		match i:
			0:
				for peer in peers:
					peer.background_receive = false
			1:
				for peer in peers:
					peer.close()
			2:
				for peer in peers.slice(1):
					peer.close()
				_check_drained(peers[0])
				check_equal(Process.threads(), before + 1, "threads with the last peer")
		if i >= 2:
			peers.clear()
		check(
			wait_until(threads_are.bind(before)),
			"%d threads in place of %d (round %d)" % [Process.threads(), before, i]
		)
	var polled := bound_peer(OURS)
	send(sender_to(polled), [numbered(1)])
	take(polled)
	check_equal(Process.threads(), before, "threads with a polled peer")


func test_threads_may_turn_it_on_and_off_for_many_peers() -> void:
	var before := settled_threads() if Platform.has(&"process figures") else 0
	var come_and_go := func(seed_value: int) -> int:
		var rng := RandomNumberGenerator.new()
		rng.seed = seed_value
		var failed := 0
		for i in 200:
			var peer := make_peer(OURS)
			peer.background_receive = rng.randf() < 0.7
			failed += int(peer.bind(0, LOOPBACK) != OK)
			peer.set_dest_address(LOOPBACK, peer.get_local_port())
			failed += int(peer.put_packets([numbered(i), numbered(i + 1)]) != 2)
			if rng.randf() < 0.5:
				peer.background_receive = not peer.background_receive
			failed += int(peer.wait(TIMEOUT_MSEC) != OK)
			failed += int(number_of(peer.get_packet()) != i)
			if rng.randf() < 0.5:
				peer.close()
		return failed
	var threads: Array[Thread] = []
	for t in 4:
		threads.append(in_thread(come_and_go.bind(t)))
	for thread in threads:
		check_equal(join(thread), 0, "what failed")
	if before:
		check(
			wait_until(func() -> bool: return Process.threads() <= before),
			"%d threads are left, of %d" % [Process.threads(), before]
		)


func test_it_uses_no_processor_time_when_nothing_comes() -> void:
	if not needs(&"process figures"):
		return
	var peers: Array[PacketPeer] = []
	for i in 50:
		peers.append(receiver(true))
		_check_drained(peers[i])
	# A peer whose port refuses, a closed one, one whose queue is full, and one that was flooded.
	peers.append(make_peer(OURS))
	peers[-1].background_receive = true
	peers[-1].connect_to_host(LOOPBACK, closed_port())
	peers[-1].put_packets([numbered(1), numbered(2)])
	peers.append(receiver(true))
	peers[-1].close()
	for policy: int in [DROP_NEWEST, DROP_OLDEST]:
		peers.append(receiver(true, LOOPBACK, 0))
		peers[-1].overflow_policy = policy
		var sender := sender_to(peers[-1])
		for i in 100:
			sender.put_packet(numbered(i, 1000))
		wait_until(func() -> bool: return stat(peers[-1], "packets_dropped_queue") > 0)
	var waiting := waiting_threads(peers[0], 2) + waiting_threads(peers[1], 1, 60_000)
	check_idle(500)
	for peer in peers:
		peer.close()
	for thread in waiting:
		check_equal(join(thread), ERR_UNAVAILABLE, "wait")


func test_a_packet_wakes_every_waiting_thread() -> void:
	var peer := receiver(true)
	for i in 10:
		var waiting := waiting_threads(peer, 3, 60_000)
		send(sender_to(peer), [numbered(i)])
		for thread in waiting:
			check_equal(join(thread), OK, "wait")
		take(peer)


func test_a_wait_goes_on_when_the_mode_changes() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background)
			check_waits_outlast_mode_changes(peer, peer, sender_to(peer))
	)


func test_no_wake_up_is_lost_while_the_mode_changes() -> void:
	var peer := receiver(false)
	var stop := Semaphore.new()
	var toggle := func() -> void:
		while not stop.try_wait():
			peer.background_receive = not peer.background_receive
	var toggling := in_thread(toggle)
	var sender := sender_to(peer)
	var received := Semaphore.new()
	var receive := func() -> int:
		var number := 0
		while peer.wait(TIMEOUT_MSEC) == OK and number_of(peer.get_packet()) == number:
			number += 1
			received.post()
		return number
	var receiving := in_thread(receive)
	# A busy machine sends fewer; each packet is waited for.
	var end := Time.get_ticks_msec() + 5000
	var sent := 0
	while sent < 50 or (sent < 3000 and Time.get_ticks_msec() < end):
		sender.put_packet(numbered(sent))
		sent += 1
		if not wait_until(received.try_wait):
			break
	stop.post()
	join(toggling)
	peer.interrupt_wait()
	check_equal(join(receiving), sent, "packets that woke the waiting thread")
	note("%d packets" % sent)
	check(sent >= 50, "packet %d woke no thread" % sent)


func test_six_threads_hammer_one_peer() -> void:
	var peer := receiver(true)
	var sink := bound_peer(NATIVE)
	for line in hammered(_hammer.bind(peer, sink.get_local_port())):
		check("PacketPeerUdpRs." in line, "unexpected in the log: " + line)

	# The peer works in whatever state the threads left it.
	for background: bool in [false, true]:
		peer.close()
		peer.background_receive = background
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		check_equal(peer.get_available_packet_count(), 0, "count")
		send(sender_to(peer), [numbered(7)])
		check_equal(peer.wait(TIMEOUT_MSEC), OK, "wait")
		check_equal(take(peer), [numbered(7)] as Array[PackedByteArray], "what arrives")


# A packet is received although no call reads the socket; then the queue is empty again.
func _check_drained(peer: PacketPeer) -> void:
	var before := stat(peer, "packets_received")
	send(sender_to(peer), [numbered(5)])
	reaches(peer, "packets_received", before + 1)
	check_equal(take(peer), [numbered(5)] as Array[PackedByteArray], "what arrives")


# Calls methods at random; returns unexpected answers.
static func _hammer(rng_seed: int, end_msec: int, peer: PacketPeer, port: int) -> PackedStringArray:
	var rng := RandomNumberGenerator.new()
	rng.seed = rng_seed
	var packet := numbered(rng_seed, 100)
	var packets: Array[PackedByteArray] = [packet, packet, packet]
	var ends := [OK, ERR_TIMEOUT, ERR_UNCONFIGURED, ERR_UNAVAILABLE, ERR_SKIP]
	# The results that each call may have while other threads open, connect and close.
	var calls: Array[Array] = [
		["bind", peer.bind.bind(0, LOOPBACK), [OK, ERR_ALREADY_IN_USE]],
		["connect_to_host", peer.connect_to_host.bind(LOOPBACK, port), [OK]],
		["set_dest_address", peer.set_dest_address.bind(LOOPBACK, port), [OK]],
		["put_packets", peer.put_packets.bind(packets), [-1, 0, 1, 2, 3]],
		["put_segmented", peer.put_segmented.bind(packet, 30), [-1, 0, 1, 2, 3, 4]],
		["send_to", peer.send_to.bind(packet, LOOPBACK, port), [OK, ERR_LOCKED, ERR_BUSY]],
		["get_packet", peer.get_packet, []],
		["get_packets", peer.get_packets, []],
		["get_packets_joined", peer.get_packets_joined.bind(2), []],
		["get_batch_ips", peer.get_batch_ips, []],
		["get_batch_times_usec", peer.get_batch_times_usec, []],
		["get_available_packet_count", peer.get_available_packet_count, []],
		["wait", peer.wait.bind(1), ends],
		["interrupt_wait", peer.interrupt_wait, [null]],
		["close", peer.close, [null]],
		["on", peer.set.bind("background_receive", true), [null]],
		["off", peer.set.bind("background_receive", false), [null]],
		["oldest", peer.set.bind("overflow_policy", DROP_OLDEST), [null]],
		["newest", peer.set.bind("overflow_policy", DROP_NEWEST), [null]],
		["small", peer.set.bind("receive_buffer_size", 5000), [null]],
		["usual", peer.set.bind("receive_buffer_size", 0), [null]],
		["get_stats", peer.get_stats, []],
		["reset_stats", peer.reset_stats, [null]],
		["get_packet_time_usec", peer.get_packet_time_usec, []],
	]
	var choose := func() -> Array: return calls[rng.randi_range(0, calls.size() - 1)]
	return call_at_random(choose, end_msec)
