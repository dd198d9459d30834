extends "../support/suite.gd"
## A peer that was never opened, or was closed.


func test_a_new_peer_answers_as_closed(kind: StringName) -> void:
	_check_closed(kind, make_peer(kind))


func test_a_closed_peer_answers_as_a_new_one(kind: StringName) -> void:
	var peer := bound_peer(kind)
	peer.close()
	_check_closed(kind, peer)


func test_closing_twice_or_a_new_peer_does_nothing(kind: StringName) -> void:
	var peer := make_peer(kind)
	peer.close()
	peer.close()
	answer("is_bound", peer.is_bound(), false)
	answer("bind", peer.bind(0, LOOPBACK), OK)
	peer.close()
	peer.close()
	answer("is_bound after", peer.is_bound(), false)


func test_get_var_of_a_closed_peer_is_null(kind: StringName) -> void:
	var peer := make_peer(kind)
	misuse(kind, "get_var", peer, "get_var", [], null)
	answer("get_packet_error", peer.get_packet_error(), OK)


func test_put_without_a_destination_is_unconfigured(kind: StringName) -> void:
	misuse(kind, "new", make_peer(kind), "put_packet", [bytes("x")], ERR_UNCONFIGURED)
	misuse(
		kind,
		"bound",
		bound_peer(kind),
		"put_packet",
		[bytes("x")],
		ERR_UNCONFIGURED,
		["put_packet"]
	)
	misuse(kind, "put_var", make_peer(kind), "put_var", [1], ERR_UNCONFIGURED)


func test_put_of_nothing_is_ok_and_sends_nothing(kind: StringName) -> void:
	var nothing := PackedByteArray()
	answer("new", make_peer(kind).put_packet(nothing), OK)
	answer("bound", bound_peer(kind).put_packet(nothing), OK)
	var receiver := bound_peer(NATIVE)
	var sender := sender_to(receiver, kind)
	answer("with a destination", sender.put_packet(nothing), OK)
	answer("is_bound", sender.is_bound(), false)
	answer("connected", connected_to(receiver, kind).put_packet(nothing), OK)
	send(sender, [numbered(1)])
	answer("what arrives", take(receiver), [numbered(1)] as Array[PackedByteArray])
	answer("nothing else", receiver.get_available_packet_count(), 0)


func test_wait_on_a_closed_peer_is_unconfigured(kind: StringName) -> void:
	misuse(kind, "new", make_peer(kind), "wait", [], ERR_UNCONFIGURED)
	var peer := bound_peer(kind)
	peer.close()
	misuse(kind, "closed", peer, "wait", [], ERR_UNCONFIGURED)


func test_get_local_port_of_a_closed_peer_is_0(kind: StringName) -> void:
	misuse(kind, "new", make_peer(kind), "get_local_port", [], 0)


func test_broadcast_may_be_set_on_a_closed_peer(kind: StringName) -> void:
	var peer := make_peer(kind)
	peer.set_broadcast_enabled(true)
	peer.set_broadcast_enabled(false)
	answer("is_bound", peer.is_bound(), false)


func test_the_sender_and_the_destination_are_kept_by_close(kind: StringName) -> void:
	var other := bound_peer(kind)
	var peer := sender_to(other, kind)
	send(peer, [numbered(1)])
	take(other)
	answer("set_dest_address", other.set_dest_address(LOOPBACK, peer.get_local_port()), OK)
	send(other, [numbered(2)])
	take(peer)
	var other_port: int = other.get_local_port()
	peer.close()
	answer("get_packet_ip", peer.get_packet_ip(), LOOPBACK)
	answer("get_packet_port", peer.get_packet_port() == other_port, true)
	answer("the next put opens again", peer.put_packet(numbered(3)), OK)
	answer("is_bound", peer.is_bound(), true)
	answer("what arrives", take(other), [numbered(3)] as Array[PackedByteArray])


func test_a_put_after_close_opens_unconnected(kind: StringName) -> void:
	var other := bound_peer(NATIVE)
	var peer := connected_to(other, kind)
	answer("connected", peer.is_socket_connected(), true)
	peer.close()
	answer("connected after close", peer.is_socket_connected(), false)
	answer("put_packet", peer.put_packet(numbered(1)), OK)
	answer("is_bound", peer.is_bound(), true)
	answer("is_socket_connected", peer.is_socket_connected(), false)
	answer("what arrives", take(other), [numbered(1)] as Array[PackedByteArray])
	answer("the destination can be changed", peer.set_dest_address(LOOPBACK, 9), OK)


func test_a_closed_peer_can_be_bound_again(kind: StringName) -> void:
	var peer := connected_to(bound_peer(NATIVE), kind)
	peer.close()
	answer("bind", peer.bind(0, LOOPBACK), OK)
	answer("is_socket_connected", peer.is_socket_connected(), false)
	send(sender_to(peer), [numbered(1)])
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])


func _check_closed(kind: StringName, peer: PacketPeer) -> void:
	answer("is_bound", peer.is_bound(), false)
	answer("is_socket_connected", peer.is_socket_connected(), false)
	misuse(kind, "get_local_port", peer, "get_local_port", [], 0)
	answer("get_packet_ip", peer.get_packet_ip(), "")
	answer("get_packet_port", peer.get_packet_port(), 0)
	answer("get_packet_error", peer.get_packet_error(), OK)
	answer("get_available_packet_count", peer.get_available_packet_count(), -1)
	answer("get_packet", peer.get_packet(), PackedByteArray())
	answer("get_packet_error then", peer.get_packet_error(), FAILED)
