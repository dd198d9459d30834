extends "../support/server_suite.gd"
## Which address of this machine a packet was sent to (packet_info), and which one packets leave
## (source_address).

const SOURCES: Array[String] = ["127.0.0.2", "127.3.2.1", "127.0.0.1"]
## TEST-NET-2, which no machine has.
const NOT_OURS := "198.51.100.7"


func test_they_are_off_at_first_and_kept_across_close() -> void:
	var peer := make_peer(OURS)
	check_equal(peer.packet_info, false, "packet_info")
	check_equal(peer.source_address, "", "source_address")
	check_equal(peer.get_packet_local_ip(), "", "get_packet_local_ip of a new peer")
	check_equal(peer.get_packet_interface(), "", "get_packet_interface of a new peer")
	check_equal(peer.get_batch_local_ips(), PackedStringArray(), "get_batch_local_ips")
	peer.packet_info = true
	peer.source_address = LOOPBACK
	for i in 2:
		check_equal(peer.bind(0, "*"), OK, "bind")
		check_equal(peer.packet_info, true, "packet_info when open")
		check_equal(peer.source_address, LOOPBACK, "source_address when open")
		peer.close()
		check_equal(peer.packet_info, true, "packet_info when closed")
		check_equal(peer.source_address, LOOPBACK, "source_address when closed")


func test_without_it_nothing_is_told() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, "*")
			send(sender_to(peer), [numbered(1), numbered(2)])
			take(peer)
			_check_told(peer, "", "")
			arrived(peer)
			check_equal(peer.get_packets().size(), 1, "packets")
			check_equal(peer.get_batch_local_ips(), PackedStringArray([""]), "of a batch")
	)


func test_each_packet_tells_which_address_it_was_sent_to() -> void:
	if not needs(&"many loopback addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			for bound: String in ["*", "0.0.0.0"]:
				var peer := informed_receiver(background, bound)
				for address in SOURCES:
					send(sender_to(peer, NATIVE, address), [numbered(1)])
					take(peer)
					_check_told(peer, address, _loopback_text())
	)


func test_a_peer_on_one_address_tells_it_too() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for address in loopback_addresses():
				var peer := informed_receiver(background, address)
				send(sender_to(peer, NATIVE, address), [numbered(1)])
				take(peer)
				_check_told(peer, _written(address), _loopback_text())
	)


func test_packets_of_ipv6_tell_it_on_a_dual_stack_socket() -> void:
	if not needs_ipv6():
		return
	in_both_modes(
		func(background: bool) -> void:
			for bound: String in ["*", "::"]:
				var peer := informed_receiver(background, bound)
				send(sender_to(peer, NATIVE, LOOPBACK_6), [numbered(1)])
				take(peer)
				_check_told(peer, _written(LOOPBACK_6), _loopback_text())
				if bound == "*":
					send(sender_to(peer), [numbered(1)])
					take(peer)
					_check_told(peer, LOOPBACK, _loopback_text())
	)


func test_a_batch_tells_it_of_each_packet() -> void:
	if not needs(&"many loopback addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			for method: StringName in [&"get_packets", &"get_packets_joined"]:
				var peer := informed_receiver(background, "*")
				var expected: PackedStringArray = []
				for i in 30:
					var address := SOURCES[i % 2 if i < 20 else 2]
					send(sender_to(peer, NATIVE, address), [numbered(i)])
					expected.append(address)
				arrived(peer, 30)
				peer.call(method)
				check_equal(peer.get_batch_local_ips(), expected, method)
				peer.call(method)
				check_equal(peer.get_batch_local_ips(), PackedStringArray(), "with nothing left")
	)


func test_packets_that_were_sent_as_one_tell_it_each() -> void:
	if not needs(&"many loopback addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var peer := informed_receiver(background, "*")
			var sender := sender_to(peer, OURS, SOURCES[0])
			check_equal(sender.put_segmented(numbered(1, 400), 100), 4, "put_segmented")
			arrived(peer, 4)
			check_equal(peer.get_packets().size(), 4, "packets")
			var expected := PackedStringArray([SOURCES[0], SOURCES[0], SOURCES[0], SOURCES[0]])
			check_equal(peer.get_batch_local_ips(), expected, "of each")
	)


func test_it_can_be_switched_at_any_time() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, "*")
			var sender := sender_to(peer)
			for on: bool in [true, false, true, true, false]:
				peer.packet_info = on
				send(sender, [numbered(1)])
				take(peer)
				_check_told(peer, LOOPBACK if on else "", _loopback_text() if on else "")
	)


func test_the_queue_holds_as_many_packets_with_it() -> void:
	for on: bool in [false, true]:
		var peer := receiver(true)
		peer.packet_info = on
		var sender := sender_to(peer)
		for i in 200:
			send(sender, [numbered(i, 1000)])
			var is_known := func() -> bool:
				return stat(peer, "packets_received") + stat(peer, "packets_dropped_queue") > i
			check(wait_until(is_known), "packet %d is lost" % i)
		check_equal(peer.get_available_packet_count(), 127, "packets, packet_info %s" % on)


func test_a_source_address_is_what_packets_leave_from() -> void:
	if not needs(&"many loopback addresses") or not needs(&"source addresses"):
		return
	var receiving := bound_peer(NATIVE, "*")
	for bound: String in ["*", "0.0.0.0"]:
		var peer := bound_peer(OURS, bound)
		peer.set_dest_address(LOOPBACK, receiving.get_local_port())
		for source: String in SOURCES + [""] as Array[String]:
			peer.source_address = source
			for way in 4:
				_send_by(peer, way, receiving.get_local_port())
				take(receiving)
				var expected := LOOPBACK if source.is_empty() else source
				check_equal(receiving.get_packet_ip(), expected, "'%s', way %d" % [source, way])


func test_a_source_address_of_a_closed_peer_holds_from_its_first_packet_on() -> void:
	if not needs(&"many loopback addresses") or not needs(&"source addresses"):
		return
	var receiving := bound_peer(NATIVE, "*")
	var peer := make_peer(OURS)
	peer.source_address = SOURCES[0]
	peer.set_dest_address(LOOPBACK, receiving.get_local_port())
	send(peer, [numbered(1)])
	take(receiving)
	check_equal(receiving.get_packet_ip(), SOURCES[0], "the sender")


func test_packets_of_ipv6_may_have_a_source_address() -> void:
	if not needs_ipv6():
		return
	var receiving := bound_peer(NATIVE, LOOPBACK_6)
	for bound: String in ["*", "::"]:
		var peer := bound_peer(OURS, bound)
		peer.source_address = LOOPBACK_6
		peer.set_dest_address(LOOPBACK_6, receiving.get_local_port())
		send(peer, [numbered(1)])
		take(receiving)
		check_equal(receiving.get_packet_ip(), _written(LOOPBACK_6), "the sender")


func test_an_answer_may_leave_from_the_address_that_was_asked() -> void:
	if not needs(&"many loopback addresses") or not needs(&"source addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var peer := informed_receiver(background, "*")
			for asked in SOURCES:
				var client := connected_to(peer, NATIVE, asked)
				send(client, [numbered(1)])
				var packet: PackedByteArray = take(peer)[0]
				peer.source_address = peer.get_packet_local_ip()
				check_equal(
					peer.send_to(packet, peer.get_packet_ip(), peer.get_packet_port()),
					OK,
					"send_to"
				)
				check_equal(numbers_of(take(client)), PackedInt32Array([1]), "the answer")
	)


func test_text_that_is_no_address_of_this_machine_is_refused() -> void:
	for is_open: bool in [false, true]:
		var broadcast := "127.255.255.255"
		var texts: Array[String] = [
			"localhost", "1.2.3", "300.0.0.1", "*", " ", NOT_OURS, broadcast
		]
		for text: String in texts + (["2001:db8::7"] as Array[String]):
			# A line once a second, peer and member: a peer for each text.
			var peer := bound_peer(OURS, "*") if is_open else make_peer(OURS)
			peer.source_address = LOOPBACK
			refused_value(peer, &"source_address", text)


func test_a_destination_that_the_source_address_does_not_reach_names_it() -> void:
	if not needs(&"source addresses"):
		return
	var peer := bound_peer(OURS, "*")
	peer.source_address = LOOPBACK
	# An address for documentation, which loopback does not reach: nothing leaves the machine.
	check_equal(peer.send_to(numbered(1), NOT_OURS, 9), FAILED, "send_to")
	var message: String = peer.get_last_error_message()
	check("source_address" in message, message)
	peer.source_address = ""
	check_equal(peer.source_address, "", "the remedy")


func test_accepted_peers_have_neither() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server)
			var peer := accepted(server, client)
			for row: Array in [[&"packet_info", true], [&"source_address", LOOPBACK]]:
				var before: Variant = peer.get(row[0])
				var lines := lines_of(func() -> void: peer.set(row[0], row[1]))
				check_equal(peer.get(row[0]), before, row[0])
				check_equal(lines.size(), 1, "%s: lines printed" % row[0])
				check(row[0] in "".join(lines), "%s is not named" % row[0])
			send(client, [numbered(1)])
			take(peer)
			_check_told(peer, "", "")
	)


func _check_told(peer: PacketPeer, ip: String, interface: String) -> void:
	check_equal(peer.get_packet_local_ip(), ip, "get_packet_local_ip")
	check_equal(peer.get_packet_interface(), interface, "get_packet_interface")


func _send_by(peer: PacketPeer, way: int, port: int) -> void:
	match way:
		0:
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		1:
			check_equal(peer.send_to(numbered(1), LOOPBACK, port), OK, "send_to")
		2:
			check_equal(peer.put_packets([numbered(1)]), 1, "put_packets")
		3:
			check_equal(peer.put_segmented(numbered(1), 16), 1, "put_segmented")


# As get_packet_interface() writes it.
func _loopback_text() -> String:
	return loopback_interface() if Platform.has(&"interface names") else loopback_index()


# As get_packet_ip() writes it.
static func _written(address: String) -> String:
	return "0:0:0:0:0:0:0:1" if address == LOOPBACK_6 else address
