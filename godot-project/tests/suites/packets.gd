extends "../support/suite.gd"
## Sending and receiving: put_packet(), get_packet(), sizes, senders and counts.


func test_packets_go_both_ways_between_all_kinds(kind: StringName) -> void:
	for address in loopback_addresses():
		for other_kind: StringName in [NATIVE, kind]:
			var one := bound_peer(kind, address)
			var other := bound_peer(other_kind, address)
			one.set_dest_address(address, other.get_local_port())
			other.set_dest_address(address, one.get_local_port())
			send(one, [bytes("ping"), numbered(1)])
			answer("there", take(other, 2), [bytes("ping"), numbered(1)] as Array[PackedByteArray])
			send(other, [bytes("pong"), numbered(2)])
			answer("back", take(one, 2), [bytes("pong"), numbered(2)] as Array[PackedByteArray])


func test_a_peer_can_send_to_itself(kind: StringName) -> void:
	var peer := bound_peer(kind)
	peer.set_dest_address(LOOPBACK, peer.get_local_port())
	send(peer, [numbered(1)])
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])
	answer("from itself", peer.get_packet_port() == peer.get_local_port(), true)


func test_packets_of_every_size_arrive_whole(kind: StringName) -> void:
	var receiver := bound_peer(kind, LOOPBACK, 1 << 20)
	var sender := sender_to(receiver, kind)
	for size: int in [4, 5, 63, 64, 65, 508, 512, 1200, 1472, 1473, 1500, 4096, 9000, 32768, 65507]:
		send(sender, [numbered(size, size)])
		answer("%d bytes" % size, number_of(take(receiver)[0], size), size)
	send(sender, [PackedByteArray([42])])
	answer("1 byte", take(receiver), [PackedByteArray([42])] as Array[PackedByteArray])


func test_the_largest_packet_is_65507_bytes_over_ipv4_and_65527_over_ipv6(kind: StringName) -> void:
	for address in loopback_addresses():
		var largest := 65_507 if address == LOOPBACK else 65_527
		var receiver := bound_peer(kind, address, 1 << 20)
		var sender := sender_to(receiver, kind, address)
		answer("%d bytes" % largest, sender.put_packet(numbered(1, largest)), OK)
		misuse(kind, "a byte more", sender, "put_packet", [numbered(2, largest + 1)], FAILED)
		answer("is_bound", sender.is_bound(), true)
		answer("then", sender.put_packet(numbered(3)), OK)
		var packets := take(receiver, 2)
		answer("the large one", number_of(packets[0], largest), 1)
		answer("the next one", packets[1], numbered(3))


func test_nothing_there_is_unavailable(kind: StringName) -> void:
	var peer := bound_peer(kind)
	answer("count", peer.get_available_packet_count(), 0)
	answer("get_packet_error before", peer.get_packet_error(), OK)
	answer("get_packet", peer.get_packet(), PackedByteArray())
	answer("get_packet_error", peer.get_packet_error(), ERR_UNAVAILABLE)
	send(sender_to(peer), [numbered(1)])
	take(peer)
	answer("get_packet_error after a packet", peer.get_packet_error(), OK)


func test_an_empty_datagram_is_a_packet(kind: StringName) -> void:
	for address in loopback_addresses():
		var peer := bound_peer(kind, address)
		if not send_empty_datagram(peer.get_local_port(), address) or not arrived(peer):
			return
		answer("count", peer.get_available_packet_count(), 1)
		answer("the packet", peer.get_packet(), PackedByteArray())
		answer("get_packet_error", peer.get_packet_error(), OK)
		var ip := LOOPBACK if address == LOOPBACK else "0:0:0:0:0:0:0:1"
		answer("get_packet_ip", peer.get_packet_ip(), ip)
		answer("count after", peer.get_available_packet_count(), 0)
		answer("get_packet", peer.get_packet(), PackedByteArray())
		answer("get_packet_error after", peer.get_packet_error(), ERR_UNAVAILABLE)


func test_an_empty_datagram_keeps_its_place_between_others(kind: StringName) -> void:
	var peer := bound_peer(kind)
	var sender := sender_to(peer)
	send(sender, [numbered(1)])
	if not arrived(peer) or not send_empty_datagram(peer.get_local_port()) or not arrived(peer, 2):
		return
	send(sender, [numbered(3)])
	answer(
		"what arrives",
		take(peer, 3),
		[numbered(1), PackedByteArray(), numbered(3)] as Array[PackedByteArray]
	)


func test_an_empty_datagram_is_no_variant(kind: StringName) -> void:
	var peer := bound_peer(kind)
	if not send_empty_datagram(peer.get_local_port()) or not arrived(peer):
		return
	misuse(kind, "get_var", peer, "get_var", [], null)
	answer("count after", peer.get_available_packet_count(), 0)


func test_the_count_includes_what_arrives_while_packets_are_queued(kind: StringName) -> void:
	var peer := bound_peer(kind)
	var sender := sender_to(peer)
	send(sender, [numbered(1), numbered(2), numbered(3)])
	arrived(peer, 3)
	answer("count", peer.get_available_packet_count(), 3)
	send(sender, [numbered(4), numbered(5)])
	arrived(peer, 5)
	answer("count then", peer.get_available_packet_count(), 5)
	take(peer, 2)
	answer("count after taking two", peer.get_available_packet_count(), 3)


func test_packets_come_in_the_order_they_were_sent(kind: StringName) -> void:
	var peer := bound_peer(kind, LOOPBACK, 1 << 20)
	var sender := sender_to(peer, kind)
	var got: PackedInt32Array
	for i in 60:
		send(sender, [numbered(i)])
	for packet in take(peer, 60):
		got.append(number_of(packet))
	answer("order", got, PackedInt32Array(range(60)))


func test_the_sender_is_that_of_the_last_packet_taken(kind: StringName) -> void:
	var peer := bound_peer(kind)
	answer("ip before any", peer.get_packet_ip(), "")
	answer("port before any", peer.get_packet_port(), 0)
	var one := sender_to(peer)
	var other := sender_to(peer)
	send(one, [numbered(1)])
	arrived(peer)
	send(other, [numbered(2)])
	arrived(peer, 2)
	answer("ip before taking", peer.get_packet_ip(), "")
	answer("port before taking", peer.get_packet_port(), 0)
	take(peer)
	answer("ip", peer.get_packet_ip(), LOOPBACK)
	answer("first port", peer.get_packet_port() == one.get_local_port(), true)
	peer.get_available_packet_count()
	answer("first port still", peer.get_packet_port() == one.get_local_port(), true)
	take(peer)
	answer("other port", peer.get_packet_port() == other.get_local_port(), true)
	peer.get_packet()
	answer("the port after an empty take", peer.get_packet_port() == other.get_local_port(), true)


func test_a_failed_take_leaves_the_next_packet_alone(kind: StringName) -> void:
	var peer := bound_peer(kind)
	peer.get_packet()
	answer("error", peer.get_packet_error(), ERR_UNAVAILABLE)
	send(sender_to(peer), [numbered(1)])
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])


func test_a_taken_packet_stays_what_it_is(kind: StringName) -> void:
	var peer := bound_peer(kind)
	var sender := sender_to(peer)
	send(sender, [numbered(1, 64), numbered(2, 64)])
	var packets := take(peer, 2)
	send(sender, [numbered(3, 64)])
	take(peer)
	answer("the first", number_of(packets[0], 64), 1)
	answer("the second", number_of(packets[1], 64), 2)


func test_a_refused_port_does_not_disturb_an_unconnected_peer(kind: StringName) -> void:
	var peer := make_peer(kind)
	peer.set_dest_address(LOOPBACK, closed_port())
	for i in 5:
		answer("put_packet", peer.put_packet(numbered(i)), OK)
		answer("count", peer.get_available_packet_count(), 0)
