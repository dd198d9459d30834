extends "../support/server_suite.gd"
## What PacketPeerUdpRs has beyond PacketPeerUDP, on connections of UdpServerRs: batches, times,
## error messages; and what is locked.

const Frames := preload("../support/frames.gd")

## How many windows in flight fit into an accepted peer's queue.
const WINDOWS := 1
const MANY := 60


func test_many_packets_are_taken_in_one_call() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 2)
			var peers := all_accepted(server, clients)
			for i in MANY:
				send(clients[i % 2], [numbered(i)])
			for k in 2:
				arrived(peers[k], MANY / 2)
				var expected := PackedInt32Array(range(k, MANY, 2))
				check_equal(peers[k].get_packets(0).size(), 0, "none asked")
				check_equal(numbers_of(peers[k].get_packets(10)), expected.slice(0, 10), "ten")
				check_equal(numbers_of(peers[k].get_packets()), expected.slice(10), "the rest")
				var ports := PackedInt32Array()
				ports.resize(MANY / 2 - 10)
				ports.fill(clients[k].get_local_port())
				check_equal(peers[k].get_batch_ports(), ports, "get_batch_ports")
				check_equal(peers[k].get_batch_ips()[0], LOOPBACK, "get_batch_ips")
				check_equal(peers[k].get_packets().size(), 0, "with nothing there")
	)


func test_they_may_be_taken_as_one_array() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server)
			var peer := accepted(server, client)
			var sizes: PackedInt32Array = [16, 1200, 4, 64, 64, 30_000, 5]
			var joined := PackedByteArray()
			for i in sizes.size():
				send(client, [numbered(i, sizes[i])])
				joined.append_array(numbered(i, sizes[i]))
			arrived(peer, sizes.size())
			check_equal(peer.get_packets_joined(2), joined.slice(0, 1216), "two")
			check_equal(peer.get_batch_sizes(), sizes.slice(0, 2), "sizes of two")
			check(peer.get_packets_joined() == joined.slice(1216), "the rest is not as sent")
			check_equal(peer.get_batch_sizes(), sizes.slice(2), "sizes of the rest")
	)


func test_every_packet_has_its_time() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server)
			var start := Time.get_ticks_usec()
			var peer := accepted(server, client)
			# How exact the times are is tested in times.gd.
			var first: int = peer.get_packet_time_usec()
			check(first >= start - 50_000, "arrived before it was sent")
			check(first <= Time.get_ticks_usec() + 50_000, "arrived in the future")
			send(client, [numbered(1), numbered(2)])
			arrived(peer, 2)
			peer.get_packets()
			var times: PackedInt64Array = peer.get_batch_times_usec()
			check_equal(times.size(), 2, "times")
			check(first <= times[0] and times[0] <= times[1], "%d, then %s" % [first, times])
	)


func test_many_packets_are_sent_in_one_call() -> void:
	for address: String in [LOOPBACK, "*"]:
		var server := listening(OURS, address)
		var client := sender_to(server, OURS)
		var peer := accepted(server, client)
		var packets: Array[PackedByteArray] = []
		for i in MANY:
			packets.append(numbered(i, 16 + i % 3 * 100))
		check_equal(peer.put_packets(packets), MANY, "put_packets")
		check_equal(take(client, MANY), packets, "what the client gets")
		check_equal(client.get_packet_port(), server.get_local_port(), "from the server's port")
		check_equal(peer.put_packets([numbered(1), PackedByteArray(), numbered(2)]), 3, "with none")
		var got := take(client, 3)
		check_equal(got[1], PackedByteArray(), "an empty datagram")
		var data := numbered(7, 1000)
		check_equal(peer.put_segmented(data, 300), 4, "put_segmented")
		var joined := PackedByteArray()
		for packet in take(client, 4):
			joined.append_array(packet)
		check_equal(joined, data, "the segments")


func test_a_batch_goes_to_its_own_client_only() -> void:
	var server := listening(OURS)
	var clients := clients_of(server, 8)
	var peers := all_accepted(server, clients)
	for i in 8:
		check_equal(peers[i].put_packets([numbered(i), numbered(i + 100)]), 2, "put_packets")
		check_equal(peers[i].put_segmented(numbered(i + 200, 32), 32), 1, "put_segmented")
	for i in 8:
		var got := take(clients[i], 3)
		check_equal(numbers_of(got.slice(0, 2)), PackedInt32Array([i, i + 100]), "client %d" % i)
		check_equal(number_of(got[2], 32), i + 200, "its segment")
		check_equal(clients[i].get_available_packet_count(), 0, "nothing else")


func test_a_stream_from_a_client_comes_whole_and_in_order() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server, OURS)
			var peer := accepted(server, client)
			var stream := Stream.new(20_000, WINDOWS)
			var sending := in_thread(stream.send.bind(client))
			take_stream(stream, peer)
			check_equal(join(sending), stream.length, "packets sent")
			check_equal(stat(peer, "packets_received"), 1 + stream.length, "packets_received")
	)


func test_a_stream_to_a_client_arrives_whole_and_in_order() -> void:
	var server := listening(OURS)
	var client := make_peer(OURS)
	check_equal(client.bind(0, LOOPBACK, 1 << 20), OK, "bind")
	client.set_dest_address(LOOPBACK, server.get_local_port())
	var peer := accepted(server, client)
	var stream := Stream.new(20_000)
	var sending := in_thread(stream.send.bind(peer))
	take_stream(stream, client)
	check_equal(join(sending), stream.length, "packets sent")
	check_equal(stat(peer, "packets_sent"), stream.length, "the connection's packets_sent")
	check_equal(stat(server, "packets_sent"), stream.length, "the server's packets_sent")


func test_segments_that_the_system_joins_come_apart_again() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 3, OURS)
			var peers := all_accepted(server, clients)
			for number in 5:
				for i in 3:
					var data := numbered(number * 3 + i, 1500)
					check_equal(clients[i].put_segmented(data, 100), 15, "put_segmented")
				for i in 3:
					arrived(peers[i], 15)
					var joined: PackedByteArray = peers[i].get_packets_joined()
					check_equal(joined, numbered(number * 3 + i, 1500), "of client %d" % i)
					var sizes := PackedInt32Array()
					sizes.resize(15)
					sizes.fill(100)
					check_equal(peers[i].get_batch_sizes(), sizes, "sizes")
			# And from a new client.
			var stranger := sender_to(server, OURS)
			check_equal(stranger.put_segmented(numbered(99, 1500), 100), 15, "put_segmented")
			var peer := next_connection(server)
			arrived(peer, 15)
			check_equal(peer.get_packets_joined(), numbered(99, 1500), "of a stranger")
	)


func test_its_addresses_are_the_servers() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	check_equal(peer.get_local_address(), LOOPBACK, "get_local_address")
	check_equal(peer.poll(), OK, "poll")
	check_equal(peer.is_resolving(), false, "is_resolving")
	peer.close()
	check_equal(peer.get_local_address(), "", "get_local_address when closed")


func test_what_it_cannot_do_is_refused_with_a_line() -> void:
	for row: Array in [
		["send_to", [numbered(1), LOOPBACK, 9], ERR_LOCKED],
		["send_to", [numbered(1), "nobody", 9], ERR_LOCKED],
		["connect_to_host", [LOOPBACK, 9], ERR_LOCKED],
		["connect_to_host_async", [LOOPBACK, 9], ERR_LOCKED],
		["connect_to_host_async", ["localhost", 9], ERR_LOCKED],
		["join_multicast_group", ["239.255.77.1", ""], ERR_LOCKED],
		["leave_multicast_group", ["239.255.77.1", ""], ERR_LOCKED],
		["put_packet_broadcast", [numbered(1), 9], -1],
		["bind", [0], ERR_ALREADY_IN_USE],
		["set_broadcast_enabled", [true], null],
		["set_dest_address", [LOOPBACK, 9], OK],
		["get_packets", [-2], [] as Array[PackedByteArray]],
		["put_packets", [[1]], -1],
		["put_segmented", [numbered(1), 0], -1],
	]:
		var server := listening(OURS)
		var client := sender_to(server)
		var peer := accepted(server, client)
		refused(row[0], peer, row[0], row[1], row[2])
		check_equal(peer.is_bound(), true, "is_bound after " + row[0])
		send(peer, [numbered(1)])
		check_equal(numbers_of(take(client)), PackedInt32Array([1]), "to the client")
		send(client, [numbered(2)])
		check_equal(numbers_of(take(peer)), PackedInt32Array([2]), "from the client")


func test_a_repeated_misuse_prints_at_most_once_a_second() -> void:
	var server := listening(OURS)
	var peer := accepted(server, sender_to(server))
	var start := Time.get_ticks_msec()
	var misuse_often := func() -> void:
		for i in 1000:
			peer.send_to(numbered(1), LOOPBACK, 9)
			server.listen(0, LOOPBACK)
			server.max_pending_connections = -1
	var lines := lines_of(misuse_often)
	var seconds := (Time.get_ticks_msec() - start) / 1000 + 1
	for text: String in ["send_to", "listen", "max_pending_connections"]:
		var count := Array(lines).filter(func(line: String) -> bool: return text in line).size()
		check(count >= 1 and count <= seconds + 1, "%d lines of %s" % [count, text])


func test_a_destination_that_is_looked_up_stays_what_it_was() -> void:
	var server := listening(OURS)
	var peer := accepted(server, sender_to(server))
	var errors := []
	peer.host_resolved.connect(func(error: Error, _ip: String) -> void: errors.append(error))
	allow_lines("set_dest_address_async")
	check_equal(peer.set_dest_address_async(LOOPBACK, 9), OK, "set_dest_address_async")
	check(await Frames.until(func() -> bool: return not errors.is_empty()), "no signal")
	check_equal(errors, [ERR_LOCKED], "what it says")
