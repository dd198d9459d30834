extends "../support/suite.gd"
## IPv4, IPv6 and both on one socket.


func test_an_ipv6_sender_is_written_as_eight_groups(kind: StringName) -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(kind, LOOPBACK_6)
	send(sender_to(peer, NATIVE, LOOPBACK_6), [numbered(1)])
	take(peer)
	answer("get_packet_ip", peer.get_packet_ip(), "0:0:0:0:0:0:0:1")


func test_an_ipv6_sender_can_be_answered_as_written(kind: StringName) -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(kind, LOOPBACK_6)
	var other := sender_to(peer, NATIVE, LOOPBACK_6)
	send(other, [numbered(1)])
	take(peer)
	answer("dest", peer.set_dest_address(peer.get_packet_ip(), peer.get_packet_port()), OK)
	send(peer, [numbered(2)])
	answer("the answer", take(other), [numbered(2)] as Array[PackedByteArray])


func test_ipv6_connects(kind: StringName) -> void:
	if not needs_ipv6():
		return
	var other := bound_peer(NATIVE, LOOPBACK_6)
	var peer := connected_to(other, kind, LOOPBACK_6)
	answer("is_socket_connected", peer.is_socket_connected(), true)
	send(peer, [numbered(1)])
	take(other)
	answer("sender", other.get_packet_ip(), "0:0:0:0:0:0:0:1")


func test_the_wildcard_serves_both_families(kind: StringName) -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(kind, "*")
	var four := sender_to(peer)
	var six := sender_to(peer, NATIVE, LOOPBACK_6)
	send(four, [numbered(4)])
	answer("from IPv4", take(peer), [numbered(4)] as Array[PackedByteArray])
	answer("written plainly", peer.get_packet_ip(), LOOPBACK)
	answer("dest", peer.set_dest_address(LOOPBACK, four.get_local_port()), OK)
	send(peer, [numbered(5)])
	answer("to IPv4", take(four), [numbered(5)] as Array[PackedByteArray])
	send(six, [numbered(6)])
	answer("from IPv6", take(peer), [numbered(6)] as Array[PackedByteArray])
	answer("written", peer.get_packet_ip(), "0:0:0:0:0:0:0:1")
	answer("dest 6", peer.set_dest_address(LOOPBACK_6, six.get_local_port()), OK)
	send(peer, [numbered(7)])
	answer("to IPv6", take(six), [numbered(7)] as Array[PackedByteArray])


func test_the_wildcard_serves_ipv4_on_any_machine(kind: StringName) -> void:
	var peer := bound_peer(kind, "*")
	send(sender_to(peer), [numbered(1)])
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])
	answer("get_packet_ip", peer.get_packet_ip(), LOOPBACK)


func test_the_wildcard_takes_the_port_of_both_families(kind: StringName) -> void:
	if not needs_ipv6():
		return
	var port: int = taken_port(kind, "*")
	answer("IPv4", make_peer(NATIVE).bind(port, LOOPBACK), ERR_UNAVAILABLE)
	answer("IPv6", make_peer(NATIVE).bind(port, LOOPBACK_6), ERR_UNAVAILABLE)


func test_the_families_have_ports_of_their_own(kind: StringName) -> void:
	if not needs_ipv6():
		return
	# Another program may use the port in the other family; then another port is tried.
	var found := false
	for i in 20:
		var port: int = taken_port(kind, "0.0.0.0")
		found = found or make_peer(kind).bind(port, "::") == OK
	answer("bind to the port that IPv4 has", found, true)


func test_a_connected_wildcard_receives_from_its_partner(kind: StringName) -> void:
	if not needs_ipv6():
		return
	for address: String in [LOOPBACK, LOOPBACK_6]:
		var other := bound_peer(NATIVE, address)
		var peer := bound_peer(kind, "*")
		answer("connect", peer.connect_to_host(address, other.get_local_port()), OK)
		send(peer, [numbered(1)])
		answer("the other got", take(other), [numbered(1)] as Array[PackedByteArray])
		answer("back", other.set_dest_address(address, other.get_packet_port()), OK)
		send(other, [numbered(2)])
		answer("the one got", take(peer), [numbered(2)] as Array[PackedByteArray])


func test_an_ipv4_socket_cannot_send_to_ipv6(kind: StringName) -> void:
	if needs_ipv6():
		_cannot_send(kind, ["0.0.0.0", LOOPBACK], LOOPBACK_6)


func test_an_ipv6_socket_cannot_send_to_ipv4(kind: StringName) -> void:
	if needs_ipv6():
		_cannot_send(kind, ["::", LOOPBACK_6], LOOPBACK)


func test_a_peer_opened_by_sending_has_the_family_of_its_destination(kind: StringName) -> void:
	if not needs_ipv6():
		return
	for row: Array in [[LOOPBACK, LOOPBACK_6], [LOOPBACK_6, LOOPBACK]]:
		var receiver := bound_peer(NATIVE, row[0])
		var sender := sender_to(receiver, kind, row[0])
		send(sender, [numbered(1)])
		answer("what arrives", take(receiver), [numbered(1)] as Array[PackedByteArray])
		answer("dest", sender.set_dest_address(row[1], 9), OK)
		misuse(kind, "the other family", sender, "put_packet", [bytes("x")], FAILED)
		answer("back", sender.set_dest_address(row[0], receiver.get_local_port()), OK)
		send(sender, [numbered(2)])
		answer("what arrives then", take(receiver), [numbered(2)] as Array[PackedByteArray])


func test_an_ipv6_socket_receives_no_ipv4(kind: StringName) -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(kind, "::")
	send(sender_to(peer), [numbered(4)])
	send(sender_to(peer, NATIVE, LOOPBACK_6), [numbered(6)])
	answer("what arrives", take(peer), [numbered(6)] as Array[PackedByteArray])
	answer("nothing else", peer.get_available_packet_count(), 0)


# Peers bound to these addresses stay open, and cannot send to [param destination].
func _cannot_send(kind: StringName, bound_to: Array[String], destination: String) -> void:
	for address in bound_to:
		var peer := bound_peer(kind, address)
		answer("dest", peer.set_dest_address(destination, 9), OK)
		misuse(kind, "bound to " + address, peer, "put_packet", [bytes("x")], FAILED)
		answer("is_bound", peer.is_bound(), true)
