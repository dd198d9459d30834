# gdlint: disable=max-public-methods
extends "../support/receiving.gd"
## Sending many packets in one call, and to any address: put_packets(), put_segmented(), send_to().

## The largest payload over IPv4.
const LARGEST := 65_507
## How many packets the kernel joins into one datagram at most, and numbers around it.
const COUNTS: Array[int] = [1, 2, 63, 64, 65, 130]


func test_put_packets_sends_in_order_to_any_receiver() -> void:
	_to_each_receiver(
		func(sender: PacketPeer, peer: PacketPeer, what: String) -> void:
			for count in COUNTS:
				var packets: Array[PackedByteArray] = []
				for i in count:
					packets.append(numbered(i, 64))
				check_equal(sender.put_packets(packets), count, "%s: put_packets" % what)
				_check_arrival(peer, packets, "%s: %d of one size" % [what, count])
	)


func test_put_packets_sends_packets_of_mixed_sizes() -> void:
	_to_each_receiver(
		func(sender: PacketPeer, peer: PacketPeer, what: String) -> void:
			# Runs of one size, a run that a shorter packet ends, a longer packet, and single ones.
			var sizes: Array[int] = [64, 64, 64, 20, 64, 64, 100, 64, 5, 5, 5, 1400, 1400, 700]
			sizes.append_array([700, 701, 0, 0, 64, 0, 64, 64, 8000, 8000, 100, 40_000, 16])
			var packets: Array[PackedByteArray] = []
			for i in sizes.size():
				packets.append(numbered(i, sizes[i]) if sizes[i] else PackedByteArray())
			check_equal(sender.put_packets(packets), packets.size(), "%s: put_packets" % what)
			_check_arrival(peer, packets, what)
	)


func test_put_packets_takes_typed_and_untyped_arrays() -> void:
	var peer := bound_peer(OURS)
	var sender := sender_to(peer, OURS)
	var typed: Array[PackedByteArray] = [bytes("a"), bytes("b")]
	var untyped := [bytes("c"), bytes("d")]
	var variants: Array[Variant] = [bytes("e")]
	var constant: Array[PackedByteArray] = [bytes("f")]
	constant.make_read_only()
	for packets: Array in [typed, untyped, variants, constant]:
		check_equal(sender.put_packets(packets), packets.size(), "put_packets of %s" % [packets])
	var all: Array[PackedByteArray] = []
	all.assign(typed + untyped + variants + constant)
	_check_arrival(peer, all, "all")


func test_put_packets_refuses_what_is_no_packet_and_sends_nothing() -> void:
	var wrong: Array[Array] = [
		[bytes("a"), 5, bytes("b")],
		[bytes("a"), "text"],
		[null],
		[PackedInt32Array([1, 2])],
		[bytes("a"), [1, 2, 3]],
		["text", "more"] as Array[String],
		[1, 2] as Array[int],
	]
	for packets in wrong:
		var peer := bound_peer(OURS)
		var sender := sender_to(peer, OURS)
		refused("%s" % [packets], sender, "put_packets", [packets], -1)
		check_equal(stat(sender, "packets_sent"), 0, "packets_sent after %s" % [packets])
		send(sender, [numbered(1)])
		_check_arrival(peer, [numbered(1)], "after %s" % [packets])


func test_put_packets_of_none_sends_none() -> void:
	var peer := bound_peer(OURS)
	var sender := sender_to(peer, OURS)
	check_equal(sender.put_packets([]), 0, "untyped")
	check_equal(sender.put_packets([] as Array[PackedByteArray]), 0, "typed")
	send(sender, [numbered(1)])
	check_equal(sender.put_packets([]), 0, "open")
	_check_arrival(peer, [numbered(1)], "all")


func test_an_empty_element_is_an_empty_datagram() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for sender_is_connected: bool in [false, true]:
				var peer := receiver(background)
				var sender := (
					connected_to(peer, OURS) if sender_is_connected else sender_to(peer, OURS)
				)
				check_equal(sender.put_packets([PackedByteArray()]), 1, "one")
				_check_arrival(peer, [PackedByteArray()], "one")
				check_equal(peer.get_packet_port(), sender.get_local_port(), "its sender")
				var packets: Array[PackedByteArray] = [[], numbered(1), [], [], numbered(2), []]
				check_equal(sender.put_packets(packets), 6, "several")
				_check_arrival(peer, packets, "several")
	)


func test_without_a_destination_nothing_is_sent() -> void:
	for peer: PacketPeer in [make_peer(OURS), bound_peer(OURS)]:
		var was_open: bool = peer.is_bound()
		refused("put_packets", peer, "put_packets", [[numbered(1)]], -1)
		refused("put_segmented", peer, "put_segmented", [numbered(1), 4], -1)
		check_equal(peer.is_bound(), was_open, "is_bound after")
		check_equal(stat(peer, "packets_sent"), 0, "packets_sent")


func test_a_closed_peer_is_opened_by_sending() -> void:
	var peer := bound_peer(OURS)
	for method: String in ["put_packets", "put_segmented", "send_to"]:
		var sender := make_peer(OURS)
		match method:
			"put_packets":
				sender.set_dest_address(LOOPBACK, peer.get_local_port())
				check_equal(sender.put_packets([numbered(1)]), 1, method)
			"put_segmented":
				sender.set_dest_address(LOOPBACK, peer.get_local_port())
				check_equal(sender.put_segmented(numbered(1), 16), 1, method)
			"send_to":
				check_equal(
					sender.send_to(numbered(1), LOOPBACK, peer.get_local_port()), OK, method
				)
		check_equal(sender.is_bound(), true, "is_bound after " + method)
		check_equal(sender.is_socket_connected(), false, "is_socket_connected after " + method)
		_check_arrival(peer, [numbered(1)], method)
		check_equal(peer.get_packet_port(), sender.get_local_port(), "the sender of " + method)


func test_put_packets_stops_at_what_the_system_refuses_and_says_why() -> void:
	for sender_is_connected: bool in [false, true]:
		for before: int in [0, 1, 3, 70]:
			var peer := receiver(false, LOOPBACK, 1 << 20)
			var sender := connected_to(peer, OURS) if sender_is_connected else sender_to(peer, OURS)
			var packets: Array[PackedByteArray] = []
			for i in before:
				packets.append(numbered(i, 64))
			packets.append(numbered(99, LARGEST + 1))
			packets.append(numbered(100, 64))
			allow_lines("put_packets")
			check_equal(sender.put_packets(packets), before, "put_packets, %d before" % before)
			check(not sender.get_last_error_message().is_empty(), "no message")
			if Platform.system() == Platform.LINUX:
				check_equal(sender.get_last_os_error(), 90, "get_last_os_error: EMSGSIZE")
			send(sender, [numbered(101, 64)])
			packets.resize(before)
			packets.append(numbered(101, 64))
			_check_arrival(peer, packets, "%d before" % before)


func test_packets_of_any_size_go_out_together() -> void:
	for kind: StringName in [NATIVE, OURS]:
		var peer := bound_peer(kind, LOOPBACK, 1 << 20)
		var sender := sender_to(peer, OURS)
		for size: int in [1, 2, 8000, 16_000, 40_000, LARGEST]:
			var packets: Array[PackedByteArray] = []
			for i in 2 if size > 20_000 else 6:
				packets.append(_pattern(size, i))
			check_equal(sender.put_packets(packets), packets.size(), "%d bytes each" % size)
			_check_arrival(peer, packets, "%d bytes each" % size)


func test_put_segmented_cuts_into_packets_of_one_size() -> void:
	_to_each_receiver(
		func(sender: PacketPeer, peer: PacketPeer, what: String) -> void:
			for count in COUNTS:
				for last: int in [64, 1, 63]:
					var data := _pattern((count - 1) * 64 + last, count)
					_check_segmented(sender, peer, data, 64, what)
	)


func test_put_segmented_cuts_into_packets_of_any_size() -> void:
	_to_each_receiver(
		func(sender: PacketPeer, peer: PacketPeer, what: String) -> void:
			for row: Array in [
				[1, 1],
				[100, 1],
				[100, 100],
				[99, 100],
				[5, LARGEST],
				[1200 * 50 + 7, 1200],
				[8000 * 6 + 5, 8000],
				[40_000 + 30_000, 40_000],
				[40_000 * 2, 40_000],
				[LARGEST, LARGEST],
				[LARGEST + 1, LARGEST],
				[LARGEST, LARGEST - 1],
				[32_753 * 2, 32_753],
				[32_754 * 2, 32_754],
			]:
				_check_segmented(sender, peer, _pattern(row[0], row[1]), row[1], what)
	)


func test_put_segmented_refuses_sizes_that_no_packet_has() -> void:
	for size: int in [0, -1, LARGEST + 1, 1 << 32, (1 << 32) + 64]:
		var peer := bound_peer(OURS)
		var sender := sender_to(peer, OURS)
		refused("size %d" % size, sender, "put_segmented", [numbered(1), size], -1, [str(size)])
		send(sender, [numbered(2)])
		_check_arrival(peer, [numbered(2)], "after %d" % size)
		refused("no data", sender_to(peer, OURS), "put_segmented", [[], size], -1, [str(size)])


func test_put_segmented_of_nothing_sends_nothing() -> void:
	var peer := bound_peer(OURS)
	var sender := sender_to(peer, OURS)
	check_equal(sender.put_segmented(PackedByteArray(), 64), 0, "put_segmented")
	send(sender, [numbered(1)])
	_check_arrival(peer, [numbered(1)], "after")


func test_batches_go_to_ipv6_too() -> void:
	if not needs_ipv6():
		return
	for peer: PacketPeer in [
		bound_peer(OURS, LOOPBACK_6, 1 << 20), bound_peer(NATIVE, LOOPBACK_6, 1 << 20)
	]:
		for sender: PacketPeer in [
			sender_to(peer, OURS, LOOPBACK_6), connected_to(peer, OURS, LOOPBACK_6)
		]:
			for count in COUNTS:
				_check_segmented(sender, peer, _pattern(count * 64 - 5, count), 64, "IPv6")
			var packets: Array[PackedByteArray] = []
			for i in 70:
				packets.append(numbered(i, 64 if i < 66 else 100 - i))
			check_equal(sender.put_packets(packets), 70, "put_packets")
			_check_arrival(peer, packets, "IPv6")


func test_batches_go_to_both_families_from_one_peer() -> void:
	if not needs_ipv6():
		return
	var sender := bound_peer(OURS, "*")
	for address: String in [LOOPBACK, LOOPBACK_6, LOOPBACK]:
		var peer := bound_peer(NATIVE, address)
		sender.set_dest_address(address, peer.get_local_port())
		_check_segmented(sender, peer, _pattern(64 * 5, 1), 64, address)
		check_equal(sender.put_packets([numbered(1), numbered(2)]), 2, address)
		_check_arrival(peer, [numbered(1), numbered(2)], address)


func test_a_batch_to_a_closed_port_counts_as_sent() -> void:
	for sender_is_connected: bool in [false, true]:
		var sender := make_peer(OURS)
		var port := closed_port()
		if sender_is_connected:
			check_equal(sender.connect_to_host(LOOPBACK, port), OK, "connect")
		else:
			sender.set_dest_address(LOOPBACK, port)
		for i in 5:
			check_equal(sender.put_packets([numbered(1), numbered(2), numbered(3)]), 3, "batch")
			check_equal(sender.put_segmented(numbered(1, 64), 16), 4, "segments")


func test_a_batch_to_the_other_family_is_not_sent() -> void:
	if not needs_ipv6():
		return
	var sender := bound_peer(OURS, LOOPBACK)
	sender.set_dest_address(LOOPBACK_6, 9)
	allow_lines("put_packets|put_segmented|send_to")
	check_equal(sender.put_packets([numbered(1)]), 0, "put_packets")
	check_equal(sender.put_segmented(numbered(1), 4), 0, "put_segmented")
	check_equal(sender.send_to(numbered(1), LOOPBACK_6, 9), FAILED, "send_to")
	check(not sender.get_last_error_message().is_empty(), "no message")


func test_send_to_leaves_the_destination_as_it_is() -> void:
	var one := bound_peer(OURS)
	var other := bound_peer(NATIVE)
	var sender := sender_to(one, OURS)
	for i in 3:
		check_equal(sender.send_to(numbered(i), LOOPBACK, other.get_local_port()), OK, "send_to")
		send(sender, [numbered(10 + i)])
	_check_arrival(other, [numbered(0), numbered(1), numbered(2)], "to send_to's address")
	_check_arrival(one, [numbered(10), numbered(11), numbered(12)], "to the destination")
	var without := bound_peer(OURS)
	check_equal(without.send_to(numbered(5), LOOPBACK, one.get_local_port()), OK, "send_to")
	misuse(OURS, "still none", without, "put_packet", [bytes("x")], ERR_UNCONFIGURED)
	_check_arrival(one, [numbered(5)], "without a destination")


func test_send_to_sends_empty_datagrams() -> void:
	var peer := bound_peer(OURS)
	var sender := make_peer(OURS)
	check_equal(sender.send_to(PackedByteArray(), LOOPBACK, peer.get_local_port()), OK, "send_to")
	_check_arrival(peer, [PackedByteArray()], "what arrives")
	check_equal(peer.get_packet_port(), sender.get_local_port(), "its sender")


func test_send_to_takes_addresses_as_they_are_written() -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(OURS, "*")
	var six := bound_peer(OURS, LOOPBACK_6)
	check_equal(six.send_to(numbered(1), LOOPBACK_6, peer.get_local_port()), OK, "::1")
	_check_arrival(peer, [numbered(1)], "::1")
	var ip: String = peer.get_packet_ip()
	check_equal(peer.send_to(numbered(2), ip, peer.get_packet_port()), OK, "back to " + ip)
	_check_arrival(six, [numbered(2)], ip)
	var four := bound_peer(OURS)
	check_equal(peer.send_to(numbered(3), LOOPBACK, four.get_local_port()), OK, "to IPv4")
	_check_arrival(four, [numbered(3)], "IPv4")
	check_equal(peer.send_to(numbered(4), "::ffff:127.0.0.1", four.get_local_port()), OK, "mapped")
	_check_arrival(four, [numbered(4)], "mapped")


func test_send_to_is_locked_while_connected() -> void:
	var friend := bound_peer(NATIVE)
	var other := bound_peer(NATIVE)
	var peer := connected_to(friend, OURS)
	var arguments := [numbered(1), LOOPBACK, other.get_local_port()]
	refused("connected", peer, "send_to", arguments, ERR_LOCKED)
	send(peer, [numbered(2)])
	_check_arrival(friend, [numbered(2)], "the next packet")
	peer.close()
	check_equal(peer.callv("send_to", arguments), OK, "after close")
	_check_arrival(other, [numbered(1)], "after close")


func test_send_to_refuses_what_is_no_address() -> void:
	for address: String in ["", "*", "localhost", "1.2.3", "1.2.3.4.5", "x y", "::g", "[::1]"]:
		for peer: PacketPeer in [make_peer(OURS), bound_peer(OURS)]:
			refused(
				"to '%s'" % address,
				peer,
				"send_to",
				[numbered(1), address, 9],
				ERR_INVALID_PARAMETER,
				[address]
			)


func test_send_to_refuses_ports_that_there_are_not() -> void:
	for port: int in [-1, 65_536, 70_000, 1 << 32, (1 << 32) + 9]:
		var arguments := [numbered(1), LOOPBACK, port]
		refused("", make_peer(OURS), "send_to", arguments, ERR_INVALID_PARAMETER, [str(port)])


func test_send_to_fails_where_put_packet_does(kind: StringName) -> void:
	# Native has no send_to(); its put_packet() is compared.
	var cases: Array[Array] = [
		["port 0", LOOPBACK, 0, 10, FAILED if Platform.has(&"refused port 0") else OK],
		["too large", LOOPBACK, 9, LARGEST + 1, FAILED],
		["the largest", LOOPBACK, 9, LARGEST, OK],
		["broadcast, not enabled", "127.255.255.255", 9, 10, FAILED],
	]
	allow_lines("put_packet|send_to")
	for row in cases:
		var peer := bound_peer(kind)
		if kind == OURS:
			answer(row[0], peer.send_to(numbered(1, row[3]), row[1], row[2]), row[4])
			var has_message: bool = not peer.get_last_error_message().is_empty()
			check_equal(has_message, row[4] == FAILED, row[0] + ": has a message")
		else:
			peer.set_dest_address(row[1], row[2])
			answer(row[0], peer.put_packet(numbered(1, row[3])), row[4])


func test_several_threads_send_batches_at_once() -> void:
	var peer := receiver(false, LOOPBACK, 1 << 20)
	var sender := sender_to(peer, OURS)
	var turns := Semaphore.new()
	var send_some := func(first: int) -> int:
		var sent := 0
		for i in 100:
			turns.wait()
			var packets: Array[PackedByteArray] = []
			for k in 10:
				packets.append(numbered(first + i * 10 + k, 64))
			sent += sender.put_packets(packets)
		return sent
	var threads: Array[Thread] = []
	for t in 4:
		threads.append(in_thread(send_some.bind(t * 1000)))
	turns.post(4)
	var last: Dictionary[int, int] = {}
	var seen := 0
	while seen < 4000 and peer.wait(TIMEOUT_MSEC) == OK:
		for packet: PackedByteArray in peer.get_packets(10):
			var number := number_of(packet, 64)
			check(number > last.get(number / 1000, -1), "%d is late or torn" % number)
			last[number / 1000] = number
			seen += 1
			if seen % 10 == 0:
				turns.post()
	check_equal(seen, 4000, "packets received")
	turns.post(400)
	for thread in threads:
		check_equal(join(thread), 1000, "packets sent by a thread")


# Runs [param body] with a peer of each kind, in each mode, and a sender to it, connected or not.
func _to_each_receiver(body: Callable) -> void:
	for row: Array in [[NATIVE, false], [OURS, false], [OURS, true]]:
		for sender_is_connected: bool in [false, true]:
			var peer := bound_peer(row[0], LOOPBACK, 1 << 20)
			var what: String = row[0]
			if row[1]:
				peer.background_receive = true
				what += " in the background"
			var sender := connected_to(peer, OURS) if sender_is_connected else sender_to(peer, OURS)
			body.call(sender, peer, what + (", connected" if sender_is_connected else ""))


# Sends data in segments and checks each packet that arrives.
func _check_segmented(
	sender: PacketPeer, peer: PacketPeer, data: PackedByteArray, size: int, what: String
) -> void:
	var packets: Array[PackedByteArray] = []
	for at in range(0, data.size(), size):
		packets.append(data.slice(at, at + size))
	what = "%s: %d bytes in segments of %d" % [what, data.size(), size]
	check_equal(sender.put_segmented(data, size), packets.size(), what)
	_check_arrival(peer, packets, what)


# Exactly these packets must arrive, in this order.
func _check_arrival(peer: PacketPeer, packets: Array[PackedByteArray], what: String) -> void:
	var got := take(peer, packets.size())
	check_equal(got.size(), packets.size(), what + ": packets")
	for i in got.size():
		if got[i] != packets[i]:
			fail("%s: packet %d is %s" % [what, i, written(got[i])])
			return
	check_equal(peer.get_available_packet_count(), 0, what + ": nothing else")


# Bytes without repetition.
static func _pattern(size: int, number: int) -> PackedByteArray:
	var rng := RandomNumberGenerator.new()
	rng.seed = size * 1000 + number
	var pattern := PackedByteArray()
	pattern.resize((size + 3) / 4 * 4)
	for at in range(0, pattern.size(), 4):
		pattern.encode_u32(at, rng.randi())
	pattern.resize(size)
	return pattern
