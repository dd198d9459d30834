extends "../support/server_suite.gd"
## queue_size: how many bytes the receive queue of a peer, or of each of a server's peers, may hold;
## and the line that a queue prints when it drops.

const Frames := preload("../support/frames.gd")

## A packet of this many bytes takes COST in the queue.
const SIZE := 1000
const COST := SIZE + OVERHEAD


func test_it_is_0_at_first_and_kept_across_close() -> void:
	for object: RefCounted in [make_peer(OURS), make_server(OURS)]:
		check_equal(object.queue_size, 0, "of a new one")
		for size: int in [1, 100, 1 << 20, 0]:
			object.queue_size = size
			check_equal(object.queue_size, size, "closed")
	var peer := make_peer(OURS)
	peer.queue_size = 5000
	for i in 2:
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		check_equal(peer.queue_size, 5000, "open")
		peer.close()
		check_equal(peer.queue_size, 5000, "closed again")
	var server := make_server(OURS)
	server.queue_size = 5000
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	check_equal(server.queue_size, 5000, "listening")
	server.stop()
	check_equal(server.queue_size, 5000, "stopped")


func test_a_size_below_0_is_refused() -> void:
	for size: int in [-1, -65536]:
		for object: RefCounted in [make_peer(OURS), bound_peer(OURS), make_server(OURS)]:
			refused_value(object, &"queue_size", size)


func test_the_queue_holds_exactly_that_many_bytes() -> void:
	for count: int in [1, 2, 50, 300]:
		for missing: int in [0, 1]:
			var peer := make_peer(OURS)
			peer.queue_size = count * COST - missing
			peer.background_receive = true
			check_equal(peer.bind(0, LOOPBACK), OK, "bind")
			_flood(sender_to(peer), peer, 400)
			# An empty queue takes any packet.
			var expected := maxi(count - missing, 1)
			check_equal(peer.get_available_packet_count(), expected, "for %d packets" % count)


func test_a_polled_queue_leaves_the_rest_in_the_kernel() -> void:
	var peer := make_peer(OURS)
	peer.queue_size = 10 * COST
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	var sender := sender_to(peer)
	for i in 40:
		send(sender, [numbered(i, SIZE)])
	var taken: Array[PackedByteArray] = []
	while taken.size() < 40 and arrived(peer):
		check_equal(peer.poll(), OK, "poll")
		var count := peer.get_available_packet_count()
		check(count <= 10, "%d are queued" % count)
		for i in count:
			taken.append(peer.get_packet())
	check_equal(numbers_of(taken, SIZE), PackedInt32Array(range(40)), "all arrive")
	check_equal(stat(peer, "packets_dropped_queue"), 0, "packets_dropped_queue")


func test_it_wins_over_recv_buf_size() -> void:
	for recv_buf_size: int in [0, 65536, 1 << 20]:
		var peer := make_peer(OURS)
		peer.queue_size = 20 * COST
		peer.background_receive = true
		check_equal(peer.bind(0, LOOPBACK, recv_buf_size), OK, "bind")
		_flood(sender_to(peer), peer, 100)
		check_equal(peer.get_available_packet_count(), 20, "with %d" % recv_buf_size)


func test_it_changes_an_open_queue_at_once() -> void:
	var peer := receiver(true)
	var sender := sender_to(peer)
	for row: Array in [[200 * COST, 200], [10 * COST, 10], [0, 127], [300 * COST, 300]]:
		peer.get_packets()
		peer.queue_size = row[0]
		_flood(sender, peer, 400)
		check_equal(peer.get_available_packet_count(), row[1], "queue_size %d" % row[0])


func test_a_queue_that_is_made_larger_keeps_what_it_holds() -> void:
	var peer := receiver(true)
	var sender := sender_to(peer)
	_flood(sender, peer, 150)
	peer.queue_size = 200 * COST
	_flood(sender, peer, 150)
	var numbers := numbers_of(peer.get_packets(), SIZE)
	check_equal(numbers.size(), 200, "packets")
	check_equal(numbers.slice(0, 127), PackedInt32Array(range(127)), "the first ones")


func test_it_lets_a_connected_peer_receive_a_large_burst() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var friend := bound_peer(OURS)
			var peer := make_peer(OURS)
			peer.queue_size = 1 << 20
			peer.receive_buffer_size = 1 << 20
			peer.background_receive = background
			check_equal(peer.connect_to_host(LOOPBACK, friend.get_local_port()), OK, "connect")
			friend.set_dest_address(LOOPBACK, peer.get_local_port())
			for i in 300:
				send(friend, [numbered(i, 300)])
			arrived(peer, 300)
			check_equal(numbers_of(peer.get_packets(), 300), PackedInt32Array(range(300)), "all")
	)


func test_a_server_sets_it_for_each_of_its_peers() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for is_set_first: bool in [true, false]:
				var server := make_server(OURS)
				if is_set_first:
					server.queue_size = 200 * COST
				check_equal(server.listen(0, LOOPBACK), OK, "listen")
				server.background_receive = background
				var marker := marker_of(server)
				var clients := clients_of(server, 2)
				var peers := all_accepted(server, clients)
				# One that is pending, too.
				clients.append(sender_to(server))
				send_paced([clients[2]], 1, marker, SIZE)
				server.queue_size = 200 * COST
				send_paced(clients, 250, marker, SIZE)
				peers.append(next_connection(server))
				for peer in peers:
					check_equal(peer.get_available_packet_count(), 200, "packets of each")
	)


func test_without_it_a_servers_peer_holds_65536_bytes() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			var client := sender_to(server)
			var peer := accepted(server, client)
			send_paced([client], 100, marker, SIZE)
			check_equal(peer.get_available_packet_count(), FITTING, "packets")
	)


func test_an_accepted_peer_refuses_it() -> void:
	var server := listening(OURS)
	server.queue_size = 5000
	var peer := accepted(server, sender_to(server))
	var lines := lines_of(func() -> void: peer.queue_size = 100_000)
	check_equal(lines.size(), 1, "lines: " + "; ".join(lines))
	check("queue_size" in "".join(lines), "it is not named in: " + "; ".join(lines))
	check_equal(server.queue_size, 5000, "of the server")


func test_a_queue_that_drops_prints_one_line_once_per_open() -> void:
	for policy: int in [DROP_NEWEST, DROP_OLDEST]:
		var peer := make_peer(OURS)
		peer.background_receive = true
		peer.overflow_policy = policy
		for i in 3:
			check_equal(peer.bind(0, LOOPBACK), OK, "bind")
			# At most one line per second, peer and member.
			OS.delay_msec(1100 if i > 0 else 0)
			var lines := await _lines_of_floods(peer, sender_to(peer))
			check_equal(lines.size(), 1, "lines: " + "; ".join(lines))
			check("queue_size" in "".join(lines), "no remedy in: " + "; ".join(lines))
			peer.close()


func test_a_servers_peer_prints_it_too() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			var client := sender_to(server)
			var peer := accepted(server, client)
			_error_log_so_far()
			send_paced([client], 100, marker, SIZE)
			await Frames.wait(3)
			var lines := _error_log.take_lines()
			expected_line_count += lines.size()
			check_equal(lines.size(), 1, "lines: " + "; ".join(lines))
			check("queue_size" in "".join(lines), "no remedy in: " + "; ".join(lines))
			check(stat(peer, "packets_dropped_queue") > 0, "nothing was dropped")
	)


# Sends numbered packets, each when the peer has read the one before.
func _flood(sender: PacketPeer, peer: PacketPeer, count: int) -> void:
	var known := func() -> int:
		var stats: Dictionary = peer.get_stats()
		return stats.packets_received + stats.packets_dropped_queue + stats.packets_dropped_kernel
	for i in count:
		var before: int = known.call()
		send(sender, [numbered(i, SIZE)])
		check(wait_until(func() -> bool: return known.call() > before), "packet %d is lost" % i)


# The lines of two floods that fill the queue, each with some frames after it.
func _lines_of_floods(peer: PacketPeer, sender: PacketPeer) -> PackedStringArray:
	_error_log_so_far()
	for i in 2:
		_flood(sender, peer, 200)
		await Frames.wait(3)
	var lines := _error_log.take_lines()
	expected_line_count += lines.size()
	return lines


# What was printed until now is not expected.
func _error_log_so_far() -> void:
	_unclaimed_lines.append_array(_error_log.take_lines())
