extends "../support/server_suite.gd"
## UdpServerRs and its connections used by several threads at once.

const Tally := preload("../support/tally.gd")

const THREADS := 4


func test_a_connection_may_be_used_by_another_thread_than_the_server() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server)
			var peer := accepted(server, client)
			var echo_variants := func() -> int:
				var echoed := 0
				while echoed < 200 and peer.wait(TIMEOUT_MSEC) == OK:
					echoed += int(peer.put_var(peer.get_var()) == OK)
				return echoed
			var thread := in_thread(echo_variants)
			for i in 200:
				client.put_var({"number": i, "text": str(i)})
				# This thread polls and the other waits; either may read the socket.
				_await_answer(server, client)
				check_equal(client.get_var(), {"number": i, "text": str(i)}, "what comes back")
			check_equal(join(thread), 200, "variants that went back")
	)


func test_each_thread_may_have_a_connection_and_the_server_polls() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 8)
			var peers := all_accepted(server, clients)
			var stop := Semaphore.new()
			var echo := func(peer: PacketPeer) -> int:
				var torn := 0
				while not stop.try_wait():
					var packets: Array[PackedByteArray] = peer.get_packets()
					for packet in packets:
						torn += int(number_of(packet, packet.size()) < 0)
						torn += int(peer.put_packet(packet) != OK)
					if packets.is_empty():
						OS.delay_usec(200)
				return torn
			var threads: Array[Thread] = []
			for peer in peers:
				threads.append(in_thread(echo.bind(peer)))
			for number in 30:
				for i in 8:
					send(clients[i], [numbered(number * 8 + i, 16 + number)])
				for i in 8:
					_await_answer(server, clients[i])
					var got := number_of(clients[i].get_packet(), 16 + number)
					check_equal(got, number * 8 + i, "client %d" % i)
			stop.post(8)
			for thread in threads:
				check_equal(join(thread), 0, "packets torn or not sent back")
	)


func test_several_threads_take_each_connection_exactly_once() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.max_pending_connections = 100
			var count := Tally.new()
			var stop := Semaphore.new()
			var take_all := func() -> PackedInt32Array:
				var numbers: PackedInt32Array = []
				var use := func(peer: PacketPeer) -> void:
					numbers.append(number_of(peer.get_packet()))
				_take_connections(server, stop, count, use)
				return numbers
			var threads: Array[Thread] = []
			for i in THREADS:
				threads.append(in_thread(take_all))
			var clients := clients_of(server, 300)
			for i in 300:
				wait_until(func() -> bool: return i - count.count() < 50)
				if i % 50 == 0:
					admit_more(server)
				send(clients[i], [numbered(i)])
			wait_until(func() -> bool: return count.count() == 300)
			stop.post(THREADS)
			var all: PackedInt32Array = []
			for thread in threads:
				all.append_array(join(thread))
			all.sort()
			check_equal(all, PackedInt32Array(range(300)), "the first packets of those taken")
			check_equal(server.get_peer_count(), 0, "get_peer_count when all are freed")
	)


func test_several_threads_may_poll_and_each_packet_comes_once_and_in_order() -> void:
	var server := listening(OURS)
	var clients := clients_of(server, 4, OURS)
	var peers := all_accepted(server, clients)
	var stop := Semaphore.new()
	var poll_all := func() -> int:
		var failed := 0
		while not stop.try_wait():
			failed += int(server.poll() != OK)
			OS.delay_usec(50)
		return failed
	var threads: Array[Thread] = []
	for i in 2:
		threads.append(in_thread(poll_all))
	for i in 4:
		var stream := Stream.new(2500, 1)
		var sending := in_thread(stream.send.bind(clients[i]))
		take_stream(stream, peers[i])
		check_equal(join(sending), stream.length, "packets sent")
		check_equal(peers[i].get_available_packet_count(), 0, "what is left")
	stop.post(2)
	for thread in threads:
		check_equal(join(thread), 0, "polls that failed")


func test_connections_may_be_freed_by_threads_while_packets_arrive() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.max_pending_connections = 64
			var stop := Semaphore.new()
			var count := Tally.new()
			var come_and_go := func(seed_value: int) -> void:
				var rng := RandomNumberGenerator.new()
				rng.seed = seed_value
				var use := func(peer: PacketPeer) -> void:
					match rng.randi_range(0, 3):
						0:
							peer.close()
						1:
							peer.wait(1)
						2:
							peer.put_packet(numbered(1))
				_take_connections(server, stop, count, use)
			allow_lines("wait\\(\\)")
			var threads: Array[Thread] = []
			for i in THREADS:
				threads.append(in_thread(come_and_go.bind(i)))
			var clients := clients_of(server, 30, OURS)
			var enough := func() -> bool:
				admit_more(server)
				for client in clients:
					client.put_packet(numbered(1))
				return stat(server, "packets_received") >= 3000 and count.count() >= 100
			check(wait_until(enough), "only %d packets" % stat(server, "packets_received"))
			stop.post(THREADS)
			for thread in threads:
				join(thread)
			note("%d connections" % count.count())
			check_equal(server.get_peer_count(), 0, "get_peer_count")
			server.stop()
			check_equal(server.listen(0, LOOPBACK), OK, "listen")
			accepted(server, sender_to(server))
	)


func test_a_server_may_be_freed_by_a_thread_while_others_use_its_connections() -> void:
	for i in 30:
		var servers: Array[RefCounted] = [server_in_mode(i % 2 == 0)]
		var port: int = servers[0].get_local_port()
		var clients := clients_of(servers[0], 3)
		var peers := all_accepted(servers[0], clients)
		allow_lines("(wait|put_packet|get_packet|get_local_port)\\(\\)")
		var use := func(peer: PacketPeer) -> bool:
			var rounds := 0
			while peer.is_bound():
				if rounds % 3 == 0:
					peer.wait(5)
				elif rounds % 3 == 1:
					peer.get_packets()
				else:
					peer.get_local_port()
				rounds += 1
			return not peer.is_bound()
		var threads: Array[Thread] = []
		for peer in peers:
			threads.append(in_thread(use.bind(peer)))
		send(clients[0], [numbered(1)])
		OS.delay_usec(500 * (i % 5))
		var free_it := func() -> void: servers.clear()
		join(in_thread(free_it))
		for thread in threads:
			check_equal(join(thread), true, "a thread ended")
		check_equal(PacketPeerUDP.new().bind(port, LOOPBACK), OK, "the port is free")


func test_six_threads_hammer_one_server_and_its_connections() -> void:
	for background: bool in [false, true]:
		var server := server_in_mode(background)
		var port: int = server.get_local_port()
		var shelf := _Shelf.new()
		for line in hammered(_hammer.bind(server, port, shelf)):
			check("UdpServerRs." in line or "PacketPeerUdpRs." in line, "in the log: " + line)

		# The server works in whatever state the threads left it.
		server.stop()
		shelf.clear()
		check_equal(server.get_peer_count(), 0, "get_peer_count")
		server.peer_timeout_msec = 0
		server.max_pending_connections = 16
		for mode: bool in [false, true]:
			server.background_receive = mode
			check_equal(server.listen(0, LOOPBACK), OK, "listen")
			var client := sender_to(server)
			var peer := accepted(server, client)
			send(peer, [numbered(1)])
			check_equal(numbers_of(take(client)), PackedInt32Array([1]), "the answer")
			server.stop()


# Takes connections until told to stop; each is freed after [param use].
func _take_connections(server: RefCounted, stop: Semaphore, count: Tally, use: Callable) -> void:
	while not stop.try_wait():
		read(server)
		var peer: PacketPeer = server.take_connection()
		if peer == null:
			OS.delay_usec(100)
			continue
		use.call(peer)
		peer = null
		count.add(1)


# Waits for an answer and polls the server meanwhile.
func _await_answer(server: RefCounted, client: PacketPeer) -> void:
	var came := func() -> bool:
		read(server)
		return client.get_available_packet_count() > 0
	check(wait_until(came), "no answer")


# Calls methods at random; returns unexpected answers.
static func _hammer(
	rng_seed: int, end_msec: int, server: RefCounted, port: int, shelf: _Shelf
) -> PackedStringArray:
	var rng := RandomNumberGenerator.new()
	rng.seed = rng_seed
	var client: PacketPeer = ClassDB.instantiate(OURS)
	client.set_dest_address(LOOPBACK, port)
	var packet := numbered(rng_seed, 100)
	var waits := [OK, ERR_TIMEOUT, ERR_UNCONFIGURED, ERR_UNAVAILABLE, ERR_SKIP]
	# The results that each call may have while other threads listen, take and stop.
	var calls: Array[Array] = [
		["poll", server.poll, [OK, ERR_UNCONFIGURED]],
		["poll", server.poll, [OK, ERR_UNCONFIGURED]],
		["listen", server.listen.bind(port, LOOPBACK), [OK, ERR_ALREADY_IN_USE]],
		["is_listening", server.is_listening, [true, false]],
		["available", server.is_connection_available, [true, false]],
		["get_local_port", server.get_local_port, [0, port]],
		["get_peer_count", server.get_peer_count, []],
		["get_stats", server.get_stats, []],
		["limit 2", server.set.bind("max_pending_connections", 2), [null]],
		["limit 30", server.set.bind("max_pending_connections", 30), [null]],
		["timeout", server.set.bind("peer_timeout_msec", 5), [null]],
		["no timeout", server.set.bind("peer_timeout_msec", 0), [null]],
		["on", server.set.bind("background_receive", true), [null]],
		["off", server.set.bind("background_receive", false), [null]],
		["class", server.set.bind("traffic_class", 8), [null]],
		["small", server.set.bind("receive_buffer_size", 5000), [null]],
		["take", func() -> bool: return shelf.put(server.take_connection()), [true, false]],
		["take", func() -> bool: return shelf.put(server.take_connection()), [true, false]],
		["free", shelf.remove, [null]],
		["knock", client.put_packet.bind(packet), [OK]],
		["knock", client.put_packet.bind(packet), [OK]],
		["knock anew", func() -> void: client.close(), [null]],
	]
	# The same for a connection that one of the threads has taken.
	var peer_calls: Array[Array] = [
		["is_bound", &"is_bound", [], [true, false]],
		["count", &"get_available_packet_count", [], []],
		["get_packet", &"get_packet", [], []],
		["get_packets", &"get_packets", [], []],
		["get_packet_ip", &"get_packet_ip", [], [LOOPBACK]],
		["put_packet", &"put_packet", [packet], [OK, ERR_UNCONFIGURED]],
		["put_packets", &"put_packets", [[packet, packet]], [-1, 0, 1, 2]],
		["put_segmented", &"put_segmented", [packet + packet, 100], [-1, 0, 1, 2]],
		["wait", &"wait", [1], waits],
		["interrupt_wait", &"interrupt_wait", [], [null]],
		["close", &"close", [], [null]],
		["policy", &"set", ["overflow_policy", DROP_OLDEST], [null]],
		["get_stats", &"get_stats", [], []],
	]
	var choose := func() -> Array:
		var peer := shelf.any(rng.randi())
		if peer == null or rng.randf() < 0.5:
			return calls[rng.randi_range(0, calls.size() - 1)]
		var call: Array = peer_calls[rng.randi_range(0, peer_calls.size() - 1)]
		# With the peer: a Callable does not keep it alive.
		return [call[0], peer.callv.bind(call[1], call[2]), call[3], peer]
	return call_at_random(choose, end_msec)


## Connections that the threads share.
class _Shelf:
	const ROOM := 8

	var _mutex := Mutex.new()
	var _peers: Array[PacketPeer]

	## Adds a peer, in place of the oldest if there is no room; false for null.
	func put(peer: PacketPeer) -> bool:
		if peer == null:
			return false
		_mutex.lock()
		if _peers.size() == ROOM:
			_peers.pop_front()
		_peers.append(peer)
		_mutex.unlock()
		return true

	func remove() -> void:
		_mutex.lock()
		_peers.pop_back()
		_mutex.unlock()

	## One of the peers, or null.
	func any(number: int) -> PacketPeer:
		_mutex.lock()
		var peer: PacketPeer = null if _peers.is_empty() else _peers[number % _peers.size()]
		_mutex.unlock()
		return peer

	func clear() -> void:
		_mutex.lock()
		_peers.clear()
		_mutex.unlock()
