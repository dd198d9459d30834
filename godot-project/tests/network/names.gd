extends "../support/names.gd"
## Names that a real name server resolves, or not.

const BARRED := "10.99.0.1"


func test_a_name_gets_the_address_that_the_socket_can_send_to() -> void:
	if not needs_server():
		return
	# If a name has both, the system prefers IPv6.
	for row: Array in [
		["not open", "both.test", FAR_IPV6[0]],
		["not open", "four.test", FAR_IPV4[0]],
		["not open", "six.test", FAR_IPV6[0]],
		["0.0.0.0", "both.test", FAR_IPV4[0]],
		["0.0.0.0", "four.test", FAR_IPV4[0]],
		["::", "both.test", FAR_IPV6[0]],
		["::", "six.test", FAR_IPV6[0]],
		["*", "both.test", FAR_IPV6[0]],
		["*", "four.test", FAR_IPV4[0]],
		["*", "six.test", FAR_IPV6[0]],
	]:
		for method in METHODS:
			var what := "%s, %s, %s" % [row[0], row[1], method]
			var peer := make_peer(OURS) if row[0] == "not open" else bound_peer(OURS, row[0])
			var far := far_socket("::" if ":" in row[2] else "0.0.0.0")
			var listener := Listener.new(peer)
			check_equal(peer.call(method, new_name(row[1]), far.port), OK, what)
			check_equal(listener.count(), 0, "signals within the call, " + what)
			await Frames.until(func() -> bool: return listener.count() > 0)
			listener.check_last(self, OK, row[2], what)
			check_equal(peer.is_resolving(), false, "is_resolving at the end, " + what)
			var is_connected: bool = method == METHODS[1]
			check_equal(peer.is_socket_connected(), is_connected, "is_socket_connected, " + what)
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet, " + what)
			check_equal(far.values_of("number"), [1], "what arrives, " + what)
			await Frames.wait(3)
			check_equal(listener.count(), 1, "signals, " + what)


func test_an_address_of_the_other_family_is_taken_where_there_is_no_better() -> void:
	if not needs_server():
		return
	for row: Array in [["0.0.0.0", "six.test", FAR_IPV6[0]], ["::", "four.test", FAR_IPV4[0]]]:
		var peer := bound_peer(OURS, row[0])
		var listener := Listener.new(peer)
		check_equal(peer.set_dest_address_async(new_name(row[1]), 9), OK, "call")
		await Frames.until(func() -> bool: return listener.count() > 0)
		listener.check_last(self, OK, row[2], "dest of a peer bound to %s" % row[0])
		check_equal(peer.put_packet(numbered(1)), FAILED, "put_packet, as with a numeric address")
		# As with connect_to_host(), connecting to the other family closes the peer.
		allow_lines("put_packet|connect_to_host_async")
		check_equal(peer.connect_to_host_async(new_name(row[1]), 9), OK, "call")
		await Frames.until(func() -> bool: return listener.count() > 1)
		listener.check_last(self, FAILED, row[2], "connect of a peer bound to %s" % row[0])
		check_equal(peer.is_bound(), false, "is_bound")


func test_resolving_within_the_call_is_as_native(kind: StringName) -> void:
	if not needs_server():
		return
	for opened: String in ["not open", "*"]:
		for name: String in ["both.test", "four.test", "six.test"]:
			var far_ipv4 := far_socket()
			var far_ipv6 := far_socket("::", far_ipv4.port)
			var peer := make_peer(kind) if opened == "not open" else bound_peer(kind, opened)
			answer("dest", peer.set_dest_address("native." + name, far_ipv4.port), OK)
			answer("put_packet", peer.put_packet(numbered(1)), OK)
			var to_ipv4 := []
			var to_ipv6 := []
			var has_come := func() -> bool:
				to_ipv4.append_array(far_ipv4.values_of("number", 1, 0))
				to_ipv6.append_array(far_ipv6.values_of("number", 1, 0))
				return not to_ipv4.is_empty() or not to_ipv6.is_empty()
			wait_until(has_come)
			record("%s, %s: by IPv4" % [opened, name], to_ipv4)
			record("by IPv6", to_ipv6)
			check_equal(to_ipv4 + to_ipv6, [1], "what arrives at %s" % name)
	var peer := make_peer(kind)
	misuse(kind, "nobody", peer, "set_dest_address", ["nobody.test", 9], ERR_CANT_RESOLVE)


func test_the_answer_takes_effect_without_a_frame() -> void:
	if not needs_server():
		return
	for method in METHODS:
		var far := far_socket()
		var peer := make_peer(OURS)
		var listener := Listener.new(peer)
		check_equal(peer.call(method, new_name("four.test"), far.port), OK, method)
		check(wait_until(func() -> bool: return not peer.is_resolving()), "still resolving")
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		check_equal(far.values_of("number"), [1], "what arrives")
		check_equal(listener.count(), 0, "signals before a frame")
		await Frames.until(func() -> bool: return listener.count() > 0)
		listener.check_last(self, OK, FAR_IPV4[0], method)


func test_a_name_that_does_not_exist() -> void:
	if not needs_server():
		return
	for method in METHODS:
		var far := far_socket()
		var peer := make_peer(OURS)
		var listener := Listener.new(peer)
		peer.set_dest_address(FAR_IPV4[0], far.port)
		server.pause()
		check_equal(peer.call(method, new_name("nobody.test"), 9), OK, method)
		check_equal(peer.is_resolving(), true, "is_resolving")
		server.resume()
		await Frames.until(func() -> bool: return listener.count() > 0)
		await Frames.wait(3)
		listener.check_last(self, ERR_CANT_RESOLVE, "", method)
		check_equal(listener.count(), 1, "signals")
		check_equal(peer.is_resolving(), false, "is_resolving at the end")
		check(not peer.get_last_error_message().is_empty(), "no message")
		check_equal(peer.is_socket_connected(), false, "is_socket_connected")
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		check_equal(far.values_of("number"), [1], "what arrives where it went before")


func test_without_a_server_a_name_does_not_resolve() -> void:
	if not needs_server():
		return
	server.stop()
	for method in METHODS:
		var peer := make_peer(OURS)
		var listener := Listener.new(peer)
		check_equal(peer.call(method, new_name("both.test"), 9), OK, method)
		await Frames.until(func() -> bool: return listener.count() > 0)
		listener.check_last(self, ERR_CANT_RESOLVE, "", method)


func test_a_name_that_failed_is_asked_for_again() -> void:
	if not needs_server():
		return
	server.stop()
	var name := new_name("four.test")
	var peer := make_peer(OURS)
	var listener := Listener.new(peer)
	check_equal(peer.set_dest_address_async(name, 9), OK, "call")
	await Frames.until(func() -> bool: return listener.count() > 0)
	listener.check_last(self, ERR_CANT_RESOLVE, "", "without a server")
	check(server.start(), "the server does not start again")
	check_equal(peer.set_dest_address_async(name, 9), OK, "call")
	await Frames.until(func() -> bool: return listener.count() > 1)
	listener.check_last(self, OK, FAR_IPV4[0], "with one")


func test_a_host_that_cannot_be_reached_fails_with_a_reason() -> void:
	if not needs_server():
		return
	change("route add unreachable 10.99.0.0/24", "route del unreachable 10.99.0.0/24")
	for host: String in [new_name("barred.test"), BARRED]:
		for opened: bool in [false, true]:
			var peer := bound_peer(OURS, "0.0.0.0") if opened else make_peer(OURS)
			var listener := Listener.new(peer)
			allow_lines("connect_to_host_async")
			peer.connect_to_host_async(host, 9)
			await Frames.until(func() -> bool: return listener.count() > 0)
			listener.check_last(self, FAILED, BARRED, host)
			check_equal(peer.is_bound(), false, "is_bound")
			check("route" in peer.get_last_error_message(), peer.get_last_error_message())


func test_a_connected_peer_keeps_its_destination() -> void:
	if not needs_server():
		return
	var far := far_socket()
	var peer := make_peer(OURS)
	check_equal(peer.connect_to_host(FAR_IPV4[0], far.port), OK, "connect")
	var listener := Listener.new(peer)
	refused("dest", peer, "set_dest_address_async", [new_name("six.test"), 9], OK)
	await Frames.until(func() -> bool: return listener.count() > 0)
	await Frames.wait(3)
	listener.check_last(self, ERR_LOCKED, "", "dest of a connected peer")
	check_equal(listener.count(), 1, "signals")
	check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
	check_equal(far.values_of("number"), [1], "what arrives")


func test_what_is_wrong_with_the_call_is_answered_at_once() -> void:
	for row: Array in [
		["connect_to_host", "", 9],
		["connect_to_host", "a b", 9],
		["connect_to_host", "*", 9],
		["connect_to_host", "both.test", 0],
		["connect_to_host", "both.test", 65_536],
		["connect_to_host", "both.test", -1],
		["connect_to_host", FAR_IPV4[0], 0],
		["set_dest_address", "", 9],
		["set_dest_address", "*", 9],
		["set_dest_address", "a b", 9],
		["set_dest_address", "fe80::1%nope", 9],
	]:
		var peer := make_peer(OURS)
		var listener := Listener.new(peer)
		var errors: Array[Error] = []
		for suffix: String in ["", "_async"]:
			lines_of(func() -> void: errors.append(peer.call(row[0] + suffix, row[1], row[2])))
		check(errors[0] != OK, "%s is taken" % [row])
		check_equal(errors[1], errors[0], "%s without waiting" % [row])
		check_equal(peer.is_resolving(), false, "is_resolving")
		await Frames.wait(3)
		check_equal(listener.count(), 0, "signals, %s" % [row])


func test_it_may_be_called_again_in_the_handler() -> void:
	if not needs_server():
		return
	var peer := make_peer(OURS)
	var hosts: Array[String] = [
		new_name("four.test"), new_name("six.test"), FAR_IPV4[0], FAR_IPV6[0]
	]
	var ips: PackedStringArray = []
	var go_on := func(_error: Error, ip_text: String) -> void:
		ips.append(ip_text)
		if not hosts.is_empty():
			peer.set_dest_address_async(hosts.pop_front(), 9)
	peer.host_resolved.connect(go_on)
	peer.set_dest_address_async(hosts.pop_front(), 9)
	await Frames.until(func() -> bool: return ips.size() >= 4)
	await Frames.wait(3)
	var expected: PackedStringArray = [FAR_IPV4[0], FAR_IPV6[0], FAR_IPV4[0], FAR_IPV6[0]]
	check_equal(ips, expected, "answers")
	peer.host_resolved.disconnect(go_on)  # a cycle of peer and connection


func test_any_thread_may_call() -> void:
	if not needs_server():
		return
	var peers: Array[PacketPeer] = []
	var listeners: Array[Listener] = []
	for i in 20:
		peers.append(make_peer(OURS))
		listeners.append(Listener.new(peers[i]))
	var names := range(20).map(func(_i: int) -> String: return new_name("both.test"))
	var call_all := func(from: int) -> void:
		for i in range(from, 20, 4):
			peers[i].call(METHODS[i % 2], names[i], 9)
	for thread: Thread in range(4).map(
		func(from: int) -> Thread: return in_thread(call_all.bind(from))
	):
		join(thread)
	await Frames.until(
		func() -> bool: return listeners.all(func(one: Listener) -> bool: return one.count() > 0)
	)
	for listener in listeners:
		listener.check_last(self, OK, FAR_IPV6[0], "called by a thread")
		check_equal(listener.count(), 1, "signals")
