extends "../support/receiving.gd"
## Taking many packets in one call: get_packets(), get_packets_joined(), and the metadata of each
## packet.

## More than the kernel hands over in one piece.
const MANY := 60


func test_get_packets_takes_all_there_are_oldest_first() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, LOOPBACK, 1 << 20)
			_send_numbered(peer, MANY)
			check_equal(numbers_of(peer.get_packets()), _range(0, MANY), "what is taken")
			check_equal(peer.get_available_packet_count(), 0, "count after")
			_check_empty(peer.get_packets(), "with nothing there")
	)


func test_get_packets_takes_no_more_than_asked() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, LOOPBACK, 1 << 20)
			_send_numbered(peer, MANY)
			_check_empty(peer.get_packets(0), "none asked")
			check_equal(peer.get_available_packet_count(), MANY, "count after none")
			check_equal(numbers_of(peer.get_packets(1)), _range(0, 1), "one")
			check_equal(numbers_of(peer.get_packets(5)), _range(1, 6), "five")
			check_equal(peer.get_available_packet_count(), MANY - 6, "count after six")
			check_equal(number_of(peer.get_packet()), 6, "one by get_packet")
			check_equal(numbers_of(peer.get_packets(MANY)), _range(7, MANY), "more than there are")
			_check_empty(peer.get_packets(1 << 40), "more than anyone has")
	)


func test_get_packets_reads_what_has_arrived_by_itself() -> void:
	var peer := receiver(false, LOOPBACK, 1 << 20)
	_send_numbered(peer, MANY, false)
	# No call has read yet, so all packets are in the kernel.
	var got: PackedInt32Array
	var take_more := func() -> bool:
		got.append_array(numbers_of(peer.get_packets()))
		return got.size() >= MANY
	wait_until(take_more)
	check_equal(got, _range(0, MANY), "what is taken")


func test_get_packets_goes_on_in_the_kernel_where_the_queue_ends() -> void:
	var peer := receiver(false, LOOPBACK, 1 << 20)
	_send_numbered(peer, 10)
	_send_numbered(peer, 10, false)
	var got := numbers_of(peer.get_packets(15))
	arrived(peer, 20 - got.size())
	got.append_array(numbers_of(peer.get_packets()))
	check_equal(got, _range(0, 10) + _range(0, 10), "what is taken")


func test_get_packets_takes_what_a_full_queue_had_no_room_for() -> void:
	var peer := receiver(false, LOOPBACK, 0)
	for i in 80:  # the queue holds 63 of these
		sender_to(peer).put_packet(numbered(i, 1000))
		if i % 20 == 19:
			arrived(peer, mini(i + 1, 63))
	var got: PackedInt32Array
	var take_more := func() -> bool:
		got.append_array(numbers_of(peer.get_packets(), 1000))
		return got.size() >= 80
	wait_until(take_more)
	check_equal(got, _range(0, 80), "what is taken")
	check_equal(stat(peer, "packets_dropped_queue"), 0, "packets_dropped_queue")


func test_get_packets_answers_a_typed_array() -> void:
	var peer := bound_peer(OURS)
	_check_typed(peer.get_packets(), "empty")
	_send_numbered(peer, 2)
	_check_typed(peer.get_packets(), "of two")
	var typed: Array[PackedByteArray] = peer.get_packets(0)
	_check_typed(typed, "of none")
	lines_of(func() -> void: typed = peer.get_packets(-2))
	_check_typed(typed, "after a misuse")


func test_the_packets_belong_to_the_script() -> void:
	var peer := receiver(false, LOOPBACK, 1 << 20)
	_send_numbered(peer, 3)
	var first: Array[PackedByteArray] = peer.get_packets()
	_send_numbered(peer, 3)
	var second: Array[PackedByteArray] = peer.get_packets()
	second[0].fill(0xff)
	second.append(PackedByteArray())
	peer.close()
	check_equal(numbers_of(first), _range(0, 3), "the first batch")
	check_equal(numbers_of(second.slice(1, 3)), _range(1, 3), "the rest of the second")


func test_get_packets_joined_is_the_same_packets_back_to_back() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, LOOPBACK, 1 << 20)
			var sender := sender_to(peer)
			var sizes: PackedInt32Array = [16, 1200, 4, 64, 64, 64, 30_000, 5]
			var joined := PackedByteArray()
			for i in sizes.size():
				send(sender, [numbered(i, sizes[i])])
				joined.append_array(numbered(i, sizes[i]))
			arrived(peer, sizes.size())
			check_equal(peer.get_packets_joined(0), PackedByteArray(), "none asked")
			check_equal(peer.get_batch_sizes(), PackedInt32Array(), "sizes of none")
			check_equal(peer.get_packets_joined(2), joined.slice(0, 1216), "two")
			check_equal(peer.get_batch_sizes(), sizes.slice(0, 2), "sizes of two")
			check_equal(peer.get_packets_joined(1), joined.slice(1216, 1220), "one")
			check_equal(peer.get_batch_sizes(), sizes.slice(2, 3), "sizes of one")
			check(peer.get_packets_joined(100) == joined.slice(1220), "the rest is not as sent")
			check_equal(peer.get_batch_sizes(), sizes.slice(3), "sizes of the rest")
			check_equal(peer.get_packets_joined(), PackedByteArray(), "with nothing there")
			check_equal(peer.get_batch_sizes(), PackedInt32Array(), "sizes then")
	)


func test_a_number_below_minus_1_is_refused() -> void:
	for number: int in [-2, -1000, -(1 << 40)]:
		for method: StringName in [&"get_packets", &"get_packets_joined"]:
			var peer := bound_peer(OURS)
			_send_numbered(peer, 2)
			refused(method, peer, method, [number], _nothing(method), [str(number)])
			check_equal(peer.get_available_packet_count(), 2, "count after %s" % method)


func test_a_closed_peer_has_nothing_and_says_so() -> void:
	for method: StringName in [&"get_packets", &"get_packets_joined"]:
		refused(method + " of a new peer", make_peer(OURS), method, [], _nothing(method))
		var peer := bound_peer(OURS)
		_send_numbered(peer, 2)
		peer.close()
		refused(method + " of a closed peer", peer, method, [5], _nothing(method))


func test_a_new_peer_has_no_batch() -> void:
	var peer := make_peer(OURS)
	check_equal(peer.get_batch_ips(), PackedStringArray(), "get_batch_ips")
	check_equal(peer.get_batch_ports(), PackedInt32Array(), "get_batch_ports")
	check_equal(peer.get_batch_times_usec(), PackedInt64Array(), "get_batch_times_usec")
	check_equal(peer.get_batch_sizes(), PackedInt32Array(), "get_batch_sizes")


func test_each_packet_has_its_sender_of_either_family() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for joined: bool in [false, true]:
				var peer := receiver(background, "*", 1 << 20)
				var senders := _senders_to(peer)
				for i in MANY:
					# Each sender has numbers of its own, so every third or sixth.
					senders[i % senders.size()].put_packet(numbered(i, 16 + i))
				arrived(peer, MANY)
				for count: int in [1, 20, -1]:
					_check_senders(_take_batch(peer, count, joined), peer, senders)
	)


func test_an_empty_datagram_has_its_sender_and_place() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for joined: bool in [false, true]:
				var peer := receiver(background, "*", 1 << 20)
				var senders := _senders_to(peer)
				var order := PackedInt32Array()
				for i in 12:
					var sender := senders[i % senders.size()]
					if i % 3 == 1:  # only ours can send empty datagrams
						check_equal(sender.put_packets([PackedByteArray()]), 1, "put_packets")
					else:
						send(sender, [numbered(i, 16 + i)])
					order.append(sender.get_local_port())
					arrived(peer, i + 1)
				var packets := _take_batch(peer, -1, joined)
				for i in 12:
					var sent := PackedByteArray() if i % 3 == 1 else numbered(i, 16 + i)
					check_equal(packets[i] if i < packets.size() else null, sent, "packet %d" % i)
				check_equal(peer.get_batch_ports(), order, "get_batch_ports")
				check_equal(peer.get_packet_port(), order[-1], "get_packet_port")
	)


func test_the_last_sender_is_that_of_the_last_take_of_any_kind() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background)
			var senders: Array[PacketPeer] = []
			for i in 6:
				senders.append(sender_to(peer))
				send(senders[i], [numbered(i)])
				arrived(peer, i + 1)
			check_equal(peer.get_packet_ip(), "", "ip before any")
			peer.get_packets(2)
			_check_last(peer, senders[1], "get_packets")
			peer.get_packet()
			_check_last(peer, senders[2], "get_packet")
			# The batch is that of the last call that took one.
			var ports: PackedInt32Array = peer.get_batch_ports()
			check_equal(ports[0], senders[0].get_local_port(), "the batch after a get_packet")
			check_equal(ports.size(), 2, "the size of the batch after a get_packet")
			peer.get_packets_joined(2)
			_check_last(peer, senders[4], "get_packets_joined")
			peer.get_packets(0)
			_check_last(peer, senders[4], "get_packets(0)")
			peer.get_var()
			_check_last(peer, senders[5], "get_var")
			peer.get_packets()
			_check_last(peer, senders[5], "get_packets with nothing there")
			check_equal(peer.get_batch_ports(), PackedInt32Array(), "the batch of nothing")
			check_equal(peer.get_batch_ips(), PackedStringArray(), "its ips")
			check_equal(peer.get_batch_times_usec(), PackedInt64Array(), "its times")
	)


func test_a_batch_tells_the_sizes_however_it_was_taken() -> void:
	var peer := bound_peer(OURS)
	var sender := sender_to(peer)
	send(sender, [numbered(0, 16), numbered(1, 300), numbered(2, 4)])
	arrived(peer, 3)
	peer.get_packets()
	check_equal(peer.get_batch_sizes(), PackedInt32Array([16, 300, 4]), "sizes")


func test_variants_and_batches_share_a_queue() -> void:
	var peer := bound_peer(OURS)
	var sender := sender_to(peer)
	for value: Variant in ["a", 5, {"b": Vector2.ONE}]:
		check_equal(sender.put_var(value), OK, "put_var")
	arrived(peer, 3)
	check_equal(peer.get_var(), "a", "get_var")
	var packets: Array[PackedByteArray] = peer.get_packets()
	var values := packets.map(func(packet: PackedByteArray) -> Variant: return bytes_to_var(packet))
	check_equal(values, [5, {"b": Vector2.ONE}], "get_packets")


# Sends packets numbered from 0; with [param wait] it waits until all are queued.
func _send_numbered(peer: PacketPeer, count: int, wait := true) -> void:
	var sender := sender_to(peer)
	var queued: int = peer.get_available_packet_count() if wait else 0
	for i in count:
		send(sender, [numbered(i)])
	if wait:
		arrived(peer, queued + count)


static func _range(from: int, to: int) -> PackedInt32Array:
	return PackedInt32Array(range(from, to))


# The result of a method that takes many packets if there are none.
static func _nothing(method: StringName) -> Variant:
	var none: Array[PackedByteArray] = []
	return none if method == &"get_packets" else PackedByteArray()


func _check_empty(packets: Array[PackedByteArray], what: String) -> void:
	check_equal(packets.size(), 0, "packets taken: " + what)


func _check_typed(packets: Array, what: String) -> void:
	check_equal(packets.get_typed_builtin(), TYPE_PACKED_BYTE_ARRAY, "the elements' type: " + what)


# Peers of both kinds, in both families where there is IPv6, that send to one peer.
func _senders_to(peer: PacketPeer) -> Array[PacketPeer]:
	var senders: Array[PacketPeer] = []
	for address in loopback_addresses():
		for kind: StringName in [NATIVE, OURS, NATIVE]:
			var sender := bound_peer(kind, address)
			sender.set_dest_address(address, peer.get_local_port())
			senders.append(sender)
	return senders


func _take_batch(peer: PacketPeer, count: int, joined: bool) -> Array[PackedByteArray]:
	if not joined:
		return peer.get_packets(count)
	var packets: Array[PackedByteArray] = []
	var together: PackedByteArray = peer.get_packets_joined(count)
	var at := 0
	for size: int in peer.get_batch_sizes():
		packets.append(together.slice(at, at + size))
		at += size
	check_equal(together.size(), at, "the sum of the sizes")
	return packets


# Sender i % senders has sent packet i.
func _check_senders(
	packets: Array[PackedByteArray], peer: PacketPeer, senders: Array[PacketPeer]
) -> void:
	var ips: PackedStringArray = peer.get_batch_ips()
	var ports: PackedInt32Array = peer.get_batch_ports()
	check(not packets.is_empty(), "no packets were taken")
	check_equal(ips.size(), packets.size(), "get_batch_ips")
	check_equal(ports.size(), packets.size(), "get_batch_ports")
	check_equal(peer.get_batch_times_usec().size(), packets.size(), "get_batch_times_usec")
	check_equal(peer.get_batch_sizes().size(), packets.size(), "get_batch_sizes")
	for i in mini(ips.size(), packets.size()):
		var number := packets[i].decode_u32(0) if packets[i].size() >= 4 else -1
		check_equal(number_of(packets[i], 16 + number), number, "the packet")
		var sender := senders[number % senders.size()]
		check_equal(ports[i], sender.get_local_port(), "the port of packet %d" % number)
		var is_ipv4 := number % senders.size() < 3
		check_equal(ips[i], LOOPBACK if is_ipv4 else "0:0:0:0:0:0:0:1", "the ip of %d" % number)
	if not ips.is_empty():
		check_equal(peer.get_packet_ip(), ips[-1], "get_packet_ip")
		check_equal(peer.get_packet_port(), ports[-1], "get_packet_port")


func _check_last(peer: PacketPeer, sender: PacketPeer, what: String) -> void:
	check_equal(peer.get_packet_ip(), LOOPBACK, "get_packet_ip after " + what)
	check_equal(peer.get_packet_port(), sender.get_local_port(), "get_packet_port after " + what)
