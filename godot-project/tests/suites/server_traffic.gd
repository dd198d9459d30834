extends "../support/server_suite.gd"
## Heavy traffic of UdpServerRs: many connections at once, and floods that affect no other.


func test_many_connections_exchange_packets_at_once_and_none_is_lost() -> void:
	const COUNT := 400
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.max_pending_connections = COUNT
			var clients := clients_of(server, COUNT, OURS)
			for i in COUNT:
				clients[i].put_packet(numbered(i))
			_await_received(server, COUNT)
			var peers := take_all(server)
			check_equal(peers.size(), COUNT, "connections")
			for i in COUNT:
				check_equal(numbers_of(take(peers[i])), PackedInt32Array([i]), "client %d" % i)
			for number in 5:
				for i in COUNT:
					clients[i].put_packet(numbered(number * COUNT + i, 64))
				_await_received(server, COUNT * (number + 2))
				for i in COUNT:
					for packet: PackedByteArray in peers[i].get_packets():
						peers[i].put_packet(packet)
				for i in COUNT:
					var got := numbers_of(take(clients[i]), 64)
					check_equal(got, PackedInt32Array([number * COUNT + i]), "back to %d" % i)
			for key: String in ["packets_dropped_queue", "packets_dropped_pending"]:
				check_equal(stat(server, key), 0, key)
			check_equal(server.get_peer_count(), COUNT, "get_peer_count")
	)


func test_one_clients_flood_starves_no_other_connection() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var flooder := sender_to(server)
			var flooded := accepted(server, flooder)
			var client := sender_to(server)
			var peer := accepted(server, client)
			var stop := Semaphore.new()
			var flood := in_thread(_flood.bind(flooder, stop))
			var worst_poll := 0
			var received := 0
			var dropped := 0
			var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
			while (received < 50 or dropped < 1000) and Time.get_ticks_msec() < deadline:
				# The flood fills the kernel's buffer too, so a packet may have to be repeated.
				client.put_packet(numbered(received))
				worst_poll = maxi(worst_poll, msec_of(read.bind(server)))
				peer.wait(10)
				for packet: PackedByteArray in peer.get_packets():
					received += int(number_of(packet) == received)
				dropped = stat(flooded, "packets_dropped_queue")
			stop.post()
			join(flood)
			check(received >= 50, "only %d packets of the other came through" % received)
			check(dropped >= 1000, "only %d packets of the flood were dropped" % dropped)
			note("the longest poll took %d ms" % worst_poll)
			check(worst_poll < AT_ONCE_MSEC, "a poll took %d ms" % worst_poll)
			check(flooded.get_available_packet_count() <= FITTING, "within the queue's bound")
			check_equal(stat(peer, "packets_dropped_queue"), 0, "the other's")
	)


func test_a_clients_flood_grows_no_memory_past_the_bound() -> void:
	if not needs(&"process figures"):
		return
	for policy: int in [DROP_NEWEST, DROP_OLDEST]:
		var server := server_in_mode(true)
		var flooder := sender_to(server)
		var peer := accepted(server, flooder)
		peer.overflow_policy = policy
		var stop := Semaphore.new()
		var flood := in_thread(_flood.bind(flooder, stop))
		wait_until(func() -> bool: return stat(peer, "packets_dropped_queue") > 1000)
		var before := Process.resident_bytes()
		wait_until(func() -> bool: return stat(peer, "packets_dropped_queue") > 30_000)
		var grown := Process.resident_bytes() - before
		stop.post()
		join(flood)
		var dropped := stat(peer, "packets_dropped_queue")
		check(dropped > 30_000, "only %d packets dropped" % dropped)
		check(grown < 4 << 20, "%d bytes more while a queue overflows" % grown)


func test_a_burst_leaves_no_memory_with_its_connections() -> void:
	if not needs(&"process figures"):
		return
	const COUNT := 50
	for way: StringName in [&"get_packet", &"get_packets", &"get_available_packet_count"]:
		in_both_modes(
			func(background: bool) -> void:
				var server := server_in_mode(background)
				server.max_pending_connections = COUNT
				var kept: Array[Array] = []
				var resident: Array[int] = []
				# Each lot of connections can use the memory that the one before has released.
				for i in 5:
					var clients := clients_of(server, COUNT, OURS)
					var peers := all_accepted(server, clients)
					kept.append([clients, peers])
					for number in FITTING - 1:
						for client in clients:
							client.put_packet(numbered(number, 1000))
						_await_received(server, COUNT * (i * FITTING + number + 2))
					for peer in peers:
						check_equal(peer.get_packets().size(), FITTING - 1, "packets")
					for round_number in 150:
						read(server)
						for peer in peers:
							peer.call(way)
					resident.append(Process.resident_bytes())
				# The first lots load what is needed once.
				var grown := (resident[4] - resident[1]) / (3 * COUNT)
				note("%d bytes a connection and its client" % grown)
				# A full queue takes twice this bound.
				check(grown < 32 << 10, "%d bytes stay with each, read by %s" % [grown, way])
		)


# Sends as fast as possible until [param stop] is posted.
static func _flood(sender: PacketPeer, stop: Semaphore) -> void:
	var packet := numbered(99_999, 1000)
	while not stop.try_wait():
		sender.put_packet(packet)


# Waits until the server has received [param count] packets in all.
func _await_received(server: RefCounted, count: int) -> void:
	var are_received := func() -> bool:
		read(server)
		return stat(server, "packets_received") >= count
	check(wait_until(are_received), "%d of %d" % [stat(server, "packets_received"), count])
