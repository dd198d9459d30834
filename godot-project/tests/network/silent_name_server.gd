extends "../support/names.gd"
## Names looked up at a slow or silent server: no call waits for it.

## How many threads of the addon look up names at once at most.
const MOST_THREADS := 8


func test_no_call_and_no_frame_waits_for_a_slow_server() -> void:
	if not needs_server():
		return
	for method in METHODS:
		server.pause()
		var peer := make_peer(OURS)
		var listener := Listener.new(peer)
		var name := new_name("both.test")
		var start := Time.get_ticks_msec()
		check_equal(peer.call(method, name, 9), OK, method)
		for i in 10:
			peer.get_available_packet_count()
			await Frames.wait(1)
		# A call that waited for the server would have ended the look-up.
		check_equal(peer.is_resolving(), true, "is_resolving while the server is silent")
		check_equal(listener.count(), 0, "signals while the server is silent")
		note("%s and ten frames took %d ms" % [method, Time.get_ticks_msec() - start])
		server.resume()
		await Frames.until(func() -> bool: return listener.count() > 0)
		listener.check_last(self, OK, FAR_IPV6[0], method)


func test_until_the_answer_arrives_the_destination_stays() -> void:
	if not needs_server():
		return
	var before := far_socket()
	var after := far_socket("::")
	var peer := bound_peer(OURS, "*")
	peer.set_dest_address(FAR_IPV4[0], before.port)
	var listener := Listener.new(peer)
	server.pause()
	for method in METHODS:
		check_equal(peer.call(method, new_name("six.test"), after.port), OK, method)
		await Frames.wait(5)
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		check_equal(before.values_of("number"), [1], "what arrives where they went")
		check_equal(peer.is_socket_connected(), false, "is_socket_connected")
	check_equal(listener.count(), 0, "signals")
	server.resume()
	await Frames.until(func() -> bool: return listener.count() > 0)
	listener.check_last(self, OK, FAR_IPV6[0], "in the end")
	check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
	check_equal(after.values_of("number"), [2], "what arrives then")


func test_newer_calls_and_close_cancel_it() -> void:
	if not needs_server():
		return
	var far := far_socket()
	for way: String in ["close()", "close() and bind()", "set_dest_address()", "connect_to_host()"]:
		for method in METHODS:
			server.pause()
			var name := new_name("six.test")
			var peer := make_peer(OURS)
			var other := make_peer(OURS)
			var listener := Listener.new(peer)
			var other_listener := Listener.new(other)
			check_equal(peer.call(method, name, 9), OK, "call")
			check_equal(other.set_dest_address_async(name, 9), OK, "the call of the other peer")
			await Frames.wait(2)
			check_equal(peer.is_resolving(), true, "is_resolving, " + way)
			_cancel(way, peer, far)
			check_equal(peer.is_resolving(), false, "is_resolving after " + way)
			check_equal(other.is_resolving(), true, "%s waited for the server" % way)
			server.resume()
			await Frames.until(func() -> bool: return other_listener.count() > 0)
			other_listener.check_last(self, OK, FAR_IPV6[0], "the other peer")
			await Frames.wait(5)
			check_equal(listener.count(), 0, "signals after " + way)
			match way:
				"close()":
					check_equal(peer.is_bound(), false, "is_bound")
					check_equal(peer.put_packet(numbered(1)), ERR_UNCONFIGURED, "no destination")
					allow_lines("put_packet")
				"close() and bind()":
					check_equal(peer.is_socket_connected(), false, "is_socket_connected")
				_:
					check_equal(peer.put_packet(numbered(1)), OK, "put_packet after " + way)
					check_equal(far.values_of("number"), [1], "what arrives after " + way)


func test_a_new_call_cancels_the_one_before() -> void:
	if not needs_server():
		return
	for first in METHODS:
		for second in METHODS:
			for address: String in ["", FAR_IPV4[0]]:
				var far := far_socket()
				var peer := make_peer(OURS)
				var listener := Listener.new(peer)
				server.pause()
				for i in 10:
					check_equal(peer.call(first, new_name("six.test"), 9), OK, first)
				var host := new_name("four.test") if address.is_empty() else address
				check_equal(peer.call(second, host, far.port), OK, second)
				check_equal(peer.is_resolving(), address.is_empty(), "is_resolving")
				await Frames.wait(3)
				server.resume()
				await Frames.until(func() -> bool: return listener.count() > 0)
				await Frames.wait(5)
				var what := "%s, then %s" % [first, second]
				listener.check_last(self, OK, FAR_IPV4[0], what)
				check_equal(listener.count(), 1, "signals, " + what)
				check_equal(peer.put_packet(numbered(1)), OK, "put_packet, " + what)
				check_equal(far.values_of("number"), [1], "what arrives, " + what)


func test_a_peer_may_be_freed_while_it_resolves() -> void:
	if not needs_server():
		return
	server.pause()
	var kept: Array[PacketPeer] = []
	var listeners: Array[Listener] = []
	var freed: Array[Array] = []  # signals of freed peers
	for i in 60:
		var peer := make_peer(OURS)
		var of_it := []
		freed.append(of_it)
		check_equal(peer.call(METHODS[i % 2], new_name("both.test"), 9), OK, "call")
		if i % 3 == 0:
			kept.append(peer)
			listeners.append(Listener.new(peer))
		else:
			peer.host_resolved.connect(func(error: Error, _ip: String) -> void: of_it.append(error))
		peer = null
		if i == 30:
			server.resume()
		if i % 5 == 0:
			await Frames.wait(1)
	await Frames.until(
		func() -> bool: return listeners.all(func(one: Listener) -> bool: return one.count() > 0)
	)
	for listener in listeners:
		listener.check_last(self, OK, FAR_IPV6[0], "of one that lives")
		check_equal(listener.count(), 1, "signals of one that lives")
	for of_it in freed:
		check_equal(of_it, [], "signals of one that is gone")


func test_an_engine_that_quits_while_resolving_ends_at_once() -> void:
	if not needs_server():
		return
	server.pause()
	var project := ProjectSettings.globalize_path("res://")
	var script := "res://tests/support/quits_while_resolving.gd"
	var arguments: PackedStringArray = ["--headless", "--path", project, "--script", script]
	var output := []
	var codes := []
	codes.append(OS.execute(OS.get_environment("GODOT"), arguments, output, true))
	var end := Time.get_unix_time_from_system()
	var said: String = "".join(output)
	check_equal(codes, [0], "exit code (%s)" % said)
	check("resolving: 20" in said, "it was not resolving: " + said)
	check(not "ERROR" in said and not "eaked" in said, said)
	# The bound is the subject: the resolver would give up after ten seconds.
	var found := RegEx.create_from_string("quits at: ([0-9.]+)").search(said)
	var seconds := end - found.get_string(1).to_float() if found else INF
	check(seconds < 8.0, "it took %f s to quit" % seconds)


func test_many_names_at_once_take_few_threads() -> void:
	if not needs_server():
		return
	var before := settled_threads()
	server.pause()
	var listeners: Array[Listener] = []
	var longest := 0
	for i in 200:
		var peer := make_peer(OURS)
		var name := new_name("both.test")
		var listener := Listener.new(peer)
		listeners.append(listener)
		longest = maxi(
			longest,
			msec_of(func() -> void: check_equal(peer.call(METHODS[i % 2], name, 9), OK, "call"))
		)
	var most := 0
	for i in 20:
		most = maxi(most, Process.threads())
		await Frames.wait(1)
	note("the longest of 200 calls took %d ms; %d threads more" % [longest, most - before])
	check(most - before <= MOST_THREADS, "%d threads more" % (most - before))
	check(most > before, "no thread is looking up names")
	for listener in listeners:
		check_equal(listener.count(), 0, "signals while the server is silent")
		check_equal(listener.peer.is_resolving(), true, "is_resolving")
	server.resume()
	await Frames.until(
		func() -> bool: return listeners.all(func(one: Listener) -> bool: return one.count() > 0)
	)
	await Frames.wait(5)
	for listener in listeners:
		listener.check_last(self, OK, FAR_IPV6[0], "of 200")
		check_equal(listener.count(), 1, "signals of each")
	check_equal(settled_threads(), before, "threads at the end")


func test_one_name_for_many_peers_takes_one_thread() -> void:
	if not needs_server():
		return
	var before := settled_threads()
	server.pause()
	var name := new_name("both.test")
	var listeners: Array[Listener] = []
	for i in 50:
		var peer := make_peer(OURS)
		listeners.append(Listener.new(peer))
		check_equal(peer.call(METHODS[i % 2], name, 9), OK, "call")
	await Frames.wait(5)
	check(Process.threads() <= before + 1, "%d threads more" % (Process.threads() - before))
	server.resume()
	await Frames.until(
		func() -> bool: return listeners.all(func(one: Listener) -> bool: return one.count() > 0)
	)
	for listener in listeners:
		listener.check_last(self, OK, FAR_IPV6[0], "of 50")


func test_a_known_name_takes_effect_within_the_call() -> void:
	if not needs_server():
		return
	var known := new_name("four.test")
	check_equal(make_peer(OURS).set_dest_address(known, 9), OK, "resolved once")
	var before := settled_threads()
	server.pause()
	for host: String in [known, FAR_IPV4[0]]:
		for method in METHODS:
			var far := far_socket()
			var peer := make_peer(OURS)
			var listener := Listener.new(peer)
			check_equal(peer.call(method, host, far.port), OK, method)
			check_equal(listener.count(), 0, "signals within the call")
			check_equal(peer.is_resolving(), false, "is_resolving")
			check_equal(Process.threads(), before, "threads")
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
			check_equal(far.values_of("number"), [1], "what arrives")
			await Frames.until(func() -> bool: return listener.count() > 0)
			await Frames.wait(3)
			listener.check_last(self, OK, FAR_IPV4[0], "%s of %s" % [method, host])
			check_equal(listener.count(), 1, "signals")


# Makes a call that cancels a look-up.
func _cancel(way: String, peer: PacketPeer, far: FarSocket) -> void:
	match way:
		"close()":
			peer.close()
		"close() and bind()":
			peer.close()
			check_equal(peer.bind(0, "0.0.0.0"), OK, "bind")
		"set_dest_address()":
			check_equal(peer.set_dest_address(FAR_IPV4[0], far.port), OK, "dest")
		"connect_to_host()":
			check_equal(peer.connect_to_host(FAR_IPV4[0], far.port), OK, "connect")
