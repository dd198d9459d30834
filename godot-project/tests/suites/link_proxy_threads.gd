extends "../support/proxy_suite.gd"
## UdpLinkProxy used by several threads at once, while packets pass.


func test_any_thread_may_start_and_stop_it() -> void:
	var target := bound_peer(NATIVE)
	var proxy := make_proxy()
	var started := in_thread(proxy.start.bind(LOOPBACK, target.get_local_port()))
	check_equal(join(started), OK, "start")
	var client := sender_to(proxy)
	introduce(client, target)
	var port: int = proxy.get_local_port()
	var stopped := in_thread(proxy.stop)
	join(stopped)
	check_equal(proxy.is_running(), false, "is_running")
	check_equal(make_peer(NATIVE).bind(port, LOOPBACK), OK, "its port")


func test_the_port_is_free_for_every_thread_whose_stop_has_returned() -> void:
	const COUNT := 100
	var target := bound_peer(OURS, LOOPBACK, 1 << 20)
	target.background_receive = true
	var proxies: Array[RefCounted] = []
	for i in COUNT:
		proxies.append(make_proxy())
		proxies[i].to_target_conditions = conditions_of({"latency_msec": 1}) if i % 2 else null
		var error: Error = proxies[i].start(
			LOOPBACK, target.get_local_port(), free_port(), free_address
		)
		check_equal(error, OK, "start %d" % i)
		for k in 10:
			send(sender_to(proxies[i], NATIVE, free_address), [numbered(k)])
	arrived(target, 10 * COUNT)
	var ports := proxies.map(func(proxy: RefCounted) -> int: return proxy.get_local_port())
	var stop := func(number: int) -> bool:
		proxies[number].stop()
		return not proxies[number].is_running()
	var stop_and_bind := func(number: int) -> bool:
		proxies[number].stop()
		return PacketPeerUDP.new().bind(ports[number], free_address) == OK
	check_equal(race(COUNT, stop, stop_and_bind), [0, 0], "what failed")


func test_threads_may_change_its_conditions_while_packets_pass() -> void:
	in_both_directions(
		func(way: Way) -> void:
			way.receiver.background_receive = true
			way.receiver.queue_size = 1 << 22
			var stop := Semaphore.new()
			var change := func() -> int:
				var conditions := conditions_of({"latency_msec": 1, "jitter_msec": 1})
				var changes := 0
				while not stop.try_wait():
					way.assign(conditions if changes % 3 else null)
					conditions.set(&"duplicate", 0.5 * (changes % 2))
					changes += 1
				return changes
			var changing := in_thread(change)
			var sent := 0
			var got := 0
			while sent < 2000:
				for i in 10:
					sent += int(way.sender.put_packet(numbered(1)) == OK)
				have_come(way, sent)
				for packet: PackedByteArray in way.receiver.get_packets():
					got += int(number_of(packet) == 1)
			stop.post()
			check(join(changing) as int > 0, "nothing was changed")
			way.assign(null)
			emptied(way.proxy)
			got += take(way.receiver, way.stat("packets_out") - got).size()
			check_stat(way, "packets_in", sent)
			check_stat(way, "packets_out", sent + way.stat("duplicated"))
			check_equal(got, way.stat("packets_out"), "packets that arrived"),
		OURS
	)


func test_threads_may_make_and_free_proxies() -> void:
	var target := bound_peer(NATIVE)
	var port: int = target.get_local_port()
	var conditions := conditions_of({"latency_msec": 1})
	var make_and_free := func() -> int:
		var failed := 0
		for i in 100:
			var proxy := make_proxy()
			proxy.to_target_conditions = conditions if i % 2 else null
			failed += int(proxy.start(LOOPBACK, port) != OK)
			var client := PacketPeerUDP.new()
			client.set_dest_address(LOOPBACK, proxy.get_local_port())
			failed += int(client.put_packet(numbered(i)) != OK)
			if i % 3 == 0:
				proxy.stop()
		return failed
	var threads: Array[Thread] = []
	for i in 4:
		threads.append(in_thread(make_and_free))
	for thread in threads:
		check_equal(join(thread), 0, "what failed")


func test_a_thread_may_drop_the_last_reference_while_packets_pass() -> void:
	for i in 20:
		var made := relayed()
		var holder: Array[RefCounted] = [made.proxy]
		var id := made.proxy.get_instance_id()
		var port: int = made.proxy.get_local_port()
		made.proxy.to_client_conditions = conditions_of({"latency_msec": 1}) if i % 2 else null
		made.proxy = null
		var stop := Semaphore.new()
		var threads: Array[Thread] = [
			in_thread(keep_sending.bind(port, stop)),
			in_thread(keep_sending.bind(made.client.get_local_port(), stop)),
		]
		check(arrived(made.target), "nothing passes")
		join(in_thread(holder.clear))
		check(not is_instance_id_valid(id), "it lives on")
		check_equal(PacketPeerUDP.new().bind(port, LOOPBACK), OK, "the port is free")
		stop.post(2)
		for thread in threads:
			join(thread)


func test_six_threads_hammer_one_proxy_while_packets_pass() -> void:
	var target := bound_peer(OURS, LOOPBACK, 1 << 20)
	target.background_receive = true
	var proxy := make_proxy()
	var port := free_port()
	for line in hammered(_hammer.bind(proxy, target, port, free_address)):
		# Once a stop has returned, the port is free for the next start.
		check("UdpLinkProxy." in line and not "another socket" in line, "in the log: " + line)

	# It works in whatever state the threads left it, and every packet is accounted for.
	proxy.stop()
	check(is_balanced(proxy), "%s" % proxy.get_stats())
	var passed: int = target.get_stats().packets_received
	note("%d packets through it" % passed)
	check(passed > 100, "only %d packets have passed" % passed)
	check_equal(proxy.get_client_count(), 0, "get_client_count")
	proxy.to_target_conditions = null
	proxy.to_client_conditions = null
	proxy.client_timeout_msec = 30_000
	proxy.max_clients = 1024
	target.get_packets()
	check_equal(proxy.start(LOOPBACK, target.get_local_port(), port, free_address), OK, "start")
	var client := sender_to(proxy, NATIVE, free_address)
	introduce(client, target)
	send(target, [numbered(1)])
	check_equal(numbers_of(take(client)), PackedInt32Array([1]), "the answer")


# Calls methods at random; returns unexpected answers.
static func _hammer(
	rng_seed: int, end_msec: int, proxy: RefCounted, target: PacketPeer, port: int, address: String
) -> PackedStringArray:
	var rng := RandomNumberGenerator.new()
	rng.seed = rng_seed
	var client: PacketPeer = ClassDB.instantiate(OURS)
	client.set_dest_address(address, port)
	var conditions := conditions_of({"latency_msec": 1, "jitter_msec": 1, "duplicate": 0.2})
	var start: Callable = proxy.start.bind(LOOPBACK, target.get_local_port(), port, address)
	var answer := func() -> void:
		var packet: PackedByteArray = target.get_packet()
		if not packet.is_empty():
			target.send_to(packet, LOOPBACK, target.get_packet_port())
	# The results that each call may have while other threads start and stop it: a start that a stop
	# has overtaken is unavailable.
	var calls: Array[Array] = [
		["start", start, [OK, ERR_ALREADY_IN_USE, ERR_UNAVAILABLE]],
		["start", start, [OK, ERR_ALREADY_IN_USE, ERR_UNAVAILABLE]],
		["wrong start", proxy.start.bind("two words", 9), [ERR_CANT_RESOLVE, ERR_ALREADY_IN_USE]],
		["stop", proxy.stop, [null]],
		["is_running", proxy.is_running, [true, false]],
		["get_local_port", proxy.get_local_port, [0, port]],
		["get_client_count", proxy.get_client_count, []],
		["get_stats", proxy.get_stats, []],
		["get_last_os_error", proxy.get_last_os_error, []],
		["get_last_error_message", proxy.get_last_error_message, []],
		["to target", proxy.set.bind("to_target_conditions", conditions), [null]],
		["to client", proxy.set.bind("to_client_conditions", conditions), [null]],
		["to target, null", proxy.set.bind("to_target_conditions", null), [null]],
		["to client, null", proxy.set.bind("to_client_conditions", null), [null]],
		["conditions", func() -> Resource: return proxy.to_target_conditions, []],
		["a loss", conditions.set.bind("loss", 0.5), [null]],
		["no loss", conditions.set.bind("loss", 0.0), [null]],
		["time-out", proxy.set.bind("client_timeout_msec", 2), [null]],
		["no time-out", proxy.set.bind("client_timeout_msec", 0), [null]],
		["few", proxy.set.bind("max_clients", 3), [null]],
		["many", proxy.set.bind("max_clients", 1000), [null]],
		["too few", proxy.set.bind("max_clients", -1), [null]],
		["answer", answer, [null]],
	]
	for i in 8:
		calls.append(["knock", client.put_packet.bind(numbered(rng_seed, 100)), [OK, ERR_BUSY]])
	calls.append(["knock anew", client.close, [null]])
	var choose := func() -> Array: return calls[rng.randi_range(0, calls.size() - 1)]
	return call_at_random(choose, end_msec)
