extends "../support/suite.gd"
## bind().


func test_bind_to_port_0_gets_a_free_port(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("bind", peer.bind(0, LOOPBACK), OK)
	answer("is_bound", peer.is_bound(), true)
	answer("is_socket_connected", peer.is_socket_connected(), false)
	var port: int = peer.get_local_port()
	answer("a real port", port > 0 and port < 65536, true)
	answer("another one", bound_peer(kind).get_local_port() != port, true)


func test_bind_to_a_chosen_port_gets_it(kind: StringName) -> void:
	var port := free_port()
	var peer := make_peer(kind)
	answer("bind", peer.bind(port, free_address), OK)
	answer("get_local_port", peer.get_local_port() == port, true)


func test_a_port_out_of_range_is_an_invalid_parameter(kind: StringName) -> void:
	for port: int in [-1, 65536, 70000, -2147483648]:
		var peer := make_peer(kind)
		var named := [str(port)]
		misuse(kind, "port %d" % port, peer, "bind", [port], ERR_INVALID_PARAMETER, named)
		answer("is_bound", peer.is_bound(), false)


func test_an_address_that_is_none_is_an_invalid_parameter(kind: StringName) -> void:
	for address: String in [
		"", "localhost", "1.2.3", "256.1.1.1", "1.2.3.4.5", "x y", "::g", "[::1]"
	]:
		var peer := make_peer(kind)
		var named := [address]
		misuse(kind, "'%s'" % address, peer, "bind", [0, address], ERR_INVALID_PARAMETER, named)
		answer("is_bound", peer.is_bound(), false)


func test_zeros_in_front_of_the_numbers_of_an_address_mean_nothing(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("bind", peer.bind(0, "127.000.000.001"), OK)
	var sender := make_peer(kind)
	answer("dest", sender.set_dest_address("127.0.0.01", peer.get_local_port()), OK)
	send(sender, [numbered(1)])
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])


func test_a_refused_bind_leaves_the_peer_usable(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("bind to what no interface has", peer.bind(0, "192.0.2.1"), ERR_UNAVAILABLE)
	answer("is_bound", peer.is_bound(), false)
	answer("bind", peer.bind(0, LOOPBACK), OK)
	answer("is_bound then", peer.is_bound(), true)


func test_a_port_in_use_is_unavailable(kind: StringName) -> void:
	for owner_kind: StringName in [NATIVE, kind]:
		var port: int = taken_port(owner_kind)
		var peer := make_peer(kind)
		answer("the same address", peer.bind(port, LOOPBACK), ERR_UNAVAILABLE)
		answer("is_bound", peer.is_bound(), false)
		answer("every address", peer.bind(port), ERR_UNAVAILABLE)
		answer("is_bound still", peer.is_bound(), false)


func test_an_address_of_no_interface_is_unavailable(kind: StringName) -> void:
	for address: String in ["192.0.2.1", "2001:db8::1"]:
		var peer := make_peer(kind)
		answer(address, peer.bind(0, address), ERR_UNAVAILABLE)
		answer("is_bound", peer.is_bound(), false)


func test_binding_an_open_peer_is_already_in_use(kind: StringName) -> void:
	var bound := bound_peer(kind)
	misuse(kind, "bound", bound, "bind", [0], ERR_ALREADY_IN_USE)
	bound = bound_peer(kind)
	misuse(kind, "before the port is looked at", bound, "bind", [-1], ERR_ALREADY_IN_USE)
	answer("still open", bound.get_available_packet_count(), 0)

	var sender := sender_to(bound, kind)
	send(sender, [numbered(1)])
	misuse(kind, "opened by put_packet", sender, "bind", [0], ERR_ALREADY_IN_USE)

	var connected := connected_to(bound, kind)
	misuse(kind, "opened by connect_to_host", connected, "bind", [0], ERR_ALREADY_IN_USE)
	answer("still connected", connected.is_socket_connected(), true)

	var member := make_peer(kind)
	answer("join", member.join_multicast_group("239.255.77.1", loopback_interface()), OK)
	misuse(kind, "opened by joining", member, "bind", [0], ERR_ALREADY_IN_USE)


func test_a_receive_buffer_of_any_size_is_ok(kind: StringName) -> void:
	for size: int in [0, -1, 16, 1024, 65536, 1 << 20, 1 << 24]:
		answer("recv_buf_size %d" % size, make_peer(kind).bind(0, LOOPBACK, size), OK)


func test_the_port_is_free_again_after_close(kind: StringName) -> void:
	var peer := make_peer(kind)
	var port := free_port()
	for i in 20:
		answer("bind", peer.bind(port, free_address), OK)
		peer.close()
