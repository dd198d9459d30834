extends "../support/server_suite.gd"
## Servers and peers on one port: reuse_address, which servers have by default, and reuse_port. The
## rules are Linux'.

const ANYWHERE: Array[String] = ["*", LOOPBACK, "0.0.0.0"]


func test_ours_shares_where_native_does(kind: StringName) -> void:
	var server := listening(kind)
	var other := make_server(kind)
	var expected := OK if Platform.has(&"shared servers") else ERR_UNAVAILABLE
	answer("listen on its port", other.listen(server.get_local_port(), LOOPBACK), expected)
	answer("is_listening", other.is_listening(), expected == OK)


func test_servers_share_a_port(kind: StringName) -> void:
	if not needs(&"shared ports"):
		return
	# The port of this server is free on all addresses, and stays reserved while others share it.
	var owner := listening(OURS, "*")
	var port: int = owner.get_local_port()
	for other_kind: StringName in [NATIVE, kind]:
		for address in ANYWHERE:
			var other := make_server(other_kind)
			check_equal(other.listen(port, address), OK, "listen on " + address)
			for own_address in ANYWHERE:
				var server := make_server(kind)
				answer(
					"listen on %s beside a server on %s" % [own_address, address],
					server.listen(port, own_address),
					OK
				)


func test_a_port_that_the_system_chooses_is_shared_with_nothing() -> void:
	if not needs(&"shared ports"):
		return
	# Native may get the port of another server, as both share theirs.
	var servers: Array[RefCounted] = []
	var ports: Dictionary[int, bool] = {}
	for i in 500:
		servers.append(listening(OURS))
		ports[servers[i].get_local_port()] = true
	check_equal(ports.size(), 500, "ports")


func test_of_two_servers_on_one_port_the_last_one_receives(kind: StringName) -> void:
	if not needs(&"shared ports"):
		return
	var first := listening(kind)
	var last := make_server(kind)
	answer("listen", last.listen(first.get_local_port(), LOOPBACK), OK)
	var client := sender_to(first)
	accepted(last, client)
	answer("poll", first.poll(), OK)
	answer("the first has a connection", first.is_connection_available(), false)
	last.stop()
	accepted(first, client)


func test_a_peers_port_is_unavailable_to_a_server(kind: StringName) -> void:
	if not needs(&"shared ports"):
		return
	for other_kind: StringName in [NATIVE, kind]:
		for address in ANYWHERE:
			var peer := bound_peer(other_kind, address)
			for own_address in ANYWHERE:
				var server := make_server(kind)
				answer(
					"listen on %s beside a peer on %s" % [own_address, address],
					server.listen(peer.get_local_port(), own_address),
					ERR_UNAVAILABLE
				)
				answer("is_listening", server.is_listening(), false)


func test_a_servers_port_is_unavailable_to_a_peer(kind: StringName) -> void:
	if not needs(&"shared ports"):
		return
	for other_kind: StringName in [NATIVE, kind]:
		for address in ANYWHERE:
			var server := listening(kind, address)
			for own_address in ANYWHERE:
				answer(
					"bind to %s beside a server on %s" % [own_address, address],
					make_peer(other_kind).bind(server.get_local_port(), own_address),
					ERR_UNAVAILABLE
				)


func test_a_peer_that_shares_may_have_a_servers_port() -> void:
	if not needs(&"shared ports"):
		return
	var server := listening(OURS)
	var peer := make_peer(OURS)
	peer.reuse_address = true
	check_equal(peer.bind(server.get_local_port(), LOOPBACK), OK, "bind")
	server.stop()
	check_equal(make_server(OURS).listen(peer.get_local_port(), LOOPBACK), OK, "listen")


func test_its_port_is_shared_unless_reuse_address_is_off() -> void:
	if not needs(&"shared ports"):
		return
	var server := listening(OURS)
	check_equal(make_server(OURS).listen(server.get_local_port(), LOOPBACK), OK, "by default")
	for kind: StringName in [NATIVE, OURS]:
		var alone := make_server(OURS)
		alone.reuse_address = false
		check_equal(alone.listen(0, LOOPBACK), OK, "listen")
		var port: int = alone.get_local_port()
		check_equal(make_server(kind).listen(port, LOOPBACK), ERR_UNAVAILABLE, "beside one alone")
		alone.stop()
		var other := listening(kind)
		check_equal(
			alone.listen(other.get_local_port(), LOOPBACK), ERR_UNAVAILABLE, "one alone beside it"
		)
		var message: String = alone.get_last_error_message()
		check("in use" in message.to_lower(), message)


func test_reuse_port_distributes_the_clients() -> void:
	if not needs(&"shared ports"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var servers: Array[RefCounted] = []
			var port := 0
			for i in 3:
				var server := make_server(OURS)
				server.reuse_address = false
				server.reuse_port = true
				server.background_receive = background
				server.max_pending_connections = 60
				check_equal(server.listen(port, LOOPBACK), OK, "listen")
				port = server.get_local_port()
				servers.append(server)
			for client in clients_of(servers[0], 60):
				send(client, [numbered(1), numbered(2)])
			var received := func() -> int:
				var sum := 0
				for server in servers:
					read(server)
					sum += stat(server, "packets_received")
				return sum
			check(wait_until(func() -> bool: return received.call() == 120), "packets were lost")
			var count := 0
			for server in servers:
				var peers := take_all(server)
				check(not peers.is_empty(), "a server got none of 60 clients")
				count += peers.size()
				for peer in peers:
					check_equal(peer.get_available_packet_count(), 2, "packets of a client")
			check_equal(count, 60, "connections")
	)
