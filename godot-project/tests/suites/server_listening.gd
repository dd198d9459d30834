extends "../support/server_suite.gd"
## UDPServer and UdpServerRs: listen(), stop(), and what a server answers while it does not listen.


func test_a_new_server_answers_as_a_stopped_one(kind: StringName) -> void:
	_check_stopped(kind, make_server(kind))


func test_a_stopped_server_answers_as_a_new_one(kind: StringName) -> void:
	var server := listening(kind)
	accepted(server, sender_to(server))
	send(sender_to(server), [numbered(1)])
	is_pending(server)
	server.stop()
	_check_stopped(kind, server)


func test_stopping_twice_or_a_new_server_does_nothing(kind: StringName) -> void:
	var server := make_server(kind)
	server.stop()
	server.stop()
	answer("is_listening", server.is_listening(), false)
	answer("listen", server.listen(0, LOOPBACK), OK)
	server.stop()
	server.stop()
	answer("is_listening after", server.is_listening(), false)
	answer("listen again", server.listen(0, LOOPBACK), OK)


func test_listening_to_port_0_gets_a_free_port(kind: StringName) -> void:
	var server := make_server(kind)
	answer("listen", server.listen(0, LOOPBACK), OK)
	answer("is_listening", server.is_listening(), true)
	var port: int = server.get_local_port()
	answer("a real port", port > 0 and port < 65536, true)
	answer("another one", listening(kind).get_local_port() != port, true)
	answer("poll", server.poll(), OK)


func test_listening_to_a_chosen_port_gets_it(kind: StringName) -> void:
	var port := free_port()
	var server := make_server(kind)
	answer("listen", server.listen(port, free_address), OK)
	answer("get_local_port", server.get_local_port() == port, true)
	accepted(server, sender_to(server, NATIVE, free_address))


func test_without_an_address_it_listens_on_all(kind: StringName) -> void:
	var server := make_server(kind)
	answer("listen", server.listen(0), OK)
	accepted(server, sender_to(server))
	if has_ipv6():
		accepted(server, sender_to(server, NATIVE, LOOPBACK_6))


func test_listening_twice_is_already_in_use(kind: StringName) -> void:
	var server := listening(kind)
	var port: int = server.get_local_port()
	for arguments: Array in [[0], [9, LOOPBACK], [-1], [0, "localhost"], [0, "192.0.2.1"]]:
		misuse(kind, "listen%s" % [arguments], server, "listen", arguments, ERR_ALREADY_IN_USE)
		answer("is_listening", server.is_listening(), true)
		answer("on the same port", server.get_local_port() == port, true)
		if kind == OURS:
			# A new server prints again within the same second.
			server = listening(kind)
			port = server.get_local_port()
	accepted(server, sender_to(server))


func test_of_a_port_only_the_lower_16_bits_count(kind: StringName) -> void:
	var free := free_port()
	for port: int in [free + (1 << 16), free - (1 << 16), free + (1 << 32), free - (1 << 40)]:
		var server := make_server(kind)
		var errors: Array[Error] = []
		var lines := lines_of(func() -> void: errors.append(server.listen(port, free_address)))
		answer("listen", errors[0], OK)
		answer("the lower bits", server.get_local_port() == free, true)
		if kind == OURS:  # native prints nothing
			check_equal(lines.size(), 1, "lines for port %d" % port)
			for part: String in ["UdpServerRs.listen()", str(port)]:
				check(part in "".join(lines), "'%s' is not in: %s" % [part, "; ".join(lines)])
	for port: int in [1 << 16, -(1 << 31), 1 << 32]:
		var server := make_server(kind)
		var errors: Array[Error] = []
		lines_of(func() -> void: errors.append(server.listen(port, free_address)))
		answer("listen to port 0 in the lower bits", errors[0], OK)
		answer("a free port", server.get_local_port() > 0, true)


func test_it_listens_on_every_kind_of_address(kind: StringName) -> void:
	var addresses: Array[String] = ["*", "0.0.0.0", LOOPBACK, "127.000.000.001", "::ffff:127.0.0.1"]
	if Platform.system() == Platform.LINUX:
		# Whether other systems bind to an address of no interface varies.
		addresses += ["127.0.0.2", "224.0.0.1", "239.1.2.3", "255.255.255.255"] as Array[String]
	if has_ipv6():
		addresses += ["::", LOOPBACK_6] as Array[String]
	for address in addresses:
		var server := make_server(kind)
		answer(address, server.listen(0, address), OK)
		answer("is_listening", server.is_listening(), true)
		answer("poll", server.poll(), OK)


func test_an_address_that_is_none_is_an_invalid_parameter(kind: StringName) -> void:
	for address: String in [
		"", "localhost", "1.2.3", "256.1.1.1", "1.2.3.4.5", "x y", "::g", "[::1]"
	]:
		var server := make_server(kind)
		var what := "'%s'" % address
		misuse(kind, what, server, "listen", [0, address], ERR_INVALID_PARAMETER, [address])
		answer("is_listening", server.is_listening(), false)
		answer("poll", server.poll(), ERR_UNCONFIGURED)


func test_an_address_of_no_interface_is_unavailable(kind: StringName) -> void:
	for address: String in ["192.0.2.1", "2001:db8::1", "ff02::1"]:
		var server := make_server(kind)
		answer(address, server.listen(0, address), ERR_UNAVAILABLE)
		answer("is_listening", server.is_listening(), false)


func test_a_link_local_address_needs_its_interface() -> void:
	if not needs_ipv6():
		return
	var server := make_server(OURS)
	refused("fe80::1", server, "listen", [0, "fe80::1"], ERR_UNAVAILABLE, ["fe80::1", "interface"])
	check_equal(server.is_listening(), false, "is_listening")
	# Native refuses the text; no interface has this address.
	check_equal(server.listen(0, "fe80::77%lo"), ERR_UNAVAILABLE, "with an interface")


func test_a_refused_listen_leaves_the_server_usable(kind: StringName) -> void:
	var server := make_server(kind)
	answer("what no interface has", server.listen(0, "192.0.2.1"), ERR_UNAVAILABLE)
	misuse(kind, "malformed", server, "listen", [0, "nobody"], ERR_INVALID_PARAMETER, ["nobody"])
	answer("is_listening", server.is_listening(), false)
	answer("listen", server.listen(0, LOOPBACK), OK)
	answer("is_listening then", server.is_listening(), true)
	accepted(server, sender_to(server))


func test_the_port_is_free_at_once_after_stop(kind: StringName) -> void:
	var server := make_server(kind)
	var port := free_port()
	answer("listen", server.listen(port, free_address), OK)
	for i in 20:
		accepted(server, sender_to(server, NATIVE, free_address))
		send(sender_to(server, NATIVE, free_address), [numbered(1)])
		is_pending(server)
		server.stop()
		answer("bind", _bound_to(port), OK)
		answer("listen again", server.listen(port, free_address), OK)
		answer("the same port", server.get_local_port() == port, true)
		answer("pending", server.is_connection_available(), false)


func test_freeing_the_last_reference_frees_the_port(kind: StringName) -> void:
	var port := free_port()
	for i in 50:
		var server := make_server(kind)
		answer("listen", server.listen(port, free_address), OK)
		server = null
		answer("bind", _bound_to(port), OK)


func test_arguments_are_converted_as_the_engine_does(kind: StringName) -> void:
	var server := make_server(kind)
	answer("listen", server.listen(0.0, StringName(LOOPBACK)), OK)
	accepted(server, sender_to(server))


# The result of binding a peer to the port; the peer is closed again.
func _bound_to(port: int) -> Error:
	return PacketPeerUDP.new().bind(port, free_address)


func _check_stopped(kind: StringName, server: RefCounted) -> void:
	answer("is_listening", server.is_listening(), false)
	misuse(kind, "get_local_port", server, "get_local_port", [], 0)
	answer("is_connection_available", server.is_connection_available(), false)
	answer("take_connection gives null", server.take_connection() == null, true)
	misuse(kind, "poll", server, "poll", [], ERR_UNCONFIGURED)
	answer("max_pending_connections", server.max_pending_connections, 16)
