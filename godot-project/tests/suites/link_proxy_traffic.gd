# gdlint: disable=max-public-methods
extends "../support/proxy_suite.gd"
## What passes through a UdpLinkProxy: packets of both families, clients that come and go, what link
## conditions do to them, and that every packet is accounted for. That the figures are right is
## tested in the core, by many packets.

## How long the game's thread does something else.
const BUSY_MSEC := 100
## By how much the clocks of sender and receiver may differ.
const SLACK_USEC := 3000

# ---- what passes --------------------------------------------------------------------------------


func test_a_conversation_of_variants_passes() -> void:
	for kind: StringName in [NATIVE, OURS]:
		_converse(kind, LOOPBACK, LOOPBACK, LOOPBACK)
		_converse(kind, LOOPBACK, "*", LOOPBACK)
		_converse(kind, LOOPBACK, LOOPBACK, "localhost", "*")


func test_a_conversation_of_variants_passes_over_ipv6_and_between_both() -> void:
	if not needs_ipv6():
		return
	for kind: StringName in [NATIVE, OURS]:
		for client: String in [LOOPBACK, LOOPBACK_6]:
			for target: String in [LOOPBACK, LOOPBACK_6]:
				_converse(kind, client, client, target)
				_converse(kind, client, "*", target)


func test_packets_of_every_size_pass_whole_both_ways() -> void:
	in_both_directions(
		func(way: Way) -> void:
			var sum := 0
			for size: int in [4, 5, 63, 508, 1200, 1472, 1473, 9000, 32_768, 65_507]:
				var packet := numbered(size, size)
				send(way.sender, [packet])
				var got := take(way.receiver)
				check(got == ([packet] as Array[PackedByteArray]), "%d bytes" % size)
				sum += size
			settled(way.proxy)
			for key: String in ["bytes_in", "bytes_out"]:
				check_stat(way, key, sum)
			for key: String in ["packets_in", "packets_out"]:
				check_stat(way, key, 10)
	)


func test_empty_packets_pass() -> void:
	var target := bound_peer(OURS)
	var proxy := proxy_to(target)
	send_empty_datagram(proxy.get_local_port())
	check_equal(take(target), [PackedByteArray()] as Array[PackedByteArray], "what arrives")
	settled(proxy)
	var stats: Dictionary = proxy.get_stats()
	check_equal([stats.to_target_packets_out, stats.to_target_bytes_out], [1, 0], "what left")


func test_a_stream_passes_whole_and_in_order_both_ways() -> void:
	in_both_directions(
		func(way: Way) -> void:
			var stream := Stream.new(30_000)
			var sending := in_thread(stream.send.bind(way.sender))
			take_stream(stream, way.receiver)
			check_equal(join(sending), stream.length, "packets sent")
			settled(way.proxy)
			check_stat(way, "packets_out", stream.length)
			check_stat(way, "dropped", 0),
		OURS
	)


func test_batches_pass_whole_and_in_order() -> void:
	in_both_directions(
		func(way: Way) -> void:
			var joined := PackedByteArray()
			var packets: Array[PackedByteArray] = []
			for i in 30:
				packets.append(numbered(i, 1000))
				joined += packets[-1]
			for i in 3:
				check_equal(way.sender.put_packets(packets), 30, "put_packets")
				check(take(way.receiver, 30) == packets, "what put_packets has sent")
				check_equal(way.sender.put_segmented(joined, 1000), 30, "put_segmented")
				check(take(way.receiver, 30) == packets, "what put_segmented has sent")
			settled(way.proxy)
			check_stat(way, "packets_out", 180),
		OURS
	)


func test_proxies_may_be_chained() -> void:
	var target := bound_peer(NATIVE)
	var chain: Array[RefCounted] = [proxy_to(target)]
	for i in 3:
		chain.append(proxy_to(chain[-1]))
		chain[-1].to_target_conditions = conditions_of({"latency_msec": 5})
	var client := sender_to(chain[-1])
	var start := Time.get_ticks_usec()
	introduce(client, target)
	check(Time.get_ticks_usec() - start >= 15_000, "three times 5 ms in too short a time")
	send(target, [numbered(1)])
	check_equal(numbers_of(take(client)), PackedInt32Array([1]), "the answer")


# The proxy works while the game's thread does something else: frames have no part in it.
func test_packets_pass_in_time_while_the_game_is_busy() -> void:
	for latency_msec: int in [0, 20]:
		in_both_directions(
			func(way: Way) -> void:
				way.receiver.background_receive = true
				if latency_msec > 0:
					way.assign(conditions_of({"latency_msec": latency_msec}))
				# A busy machine may be late, and two clocks are compared.
				var late: PackedInt64Array = []
				var is_in_time := false
				for attempt in 5:
					late = _times_while_busy(way, BUSY_MSEC)
					is_in_time = (
						late[0] > latency_msec * 1000 - SLACK_USEC and late[-1] < BUSY_MSEC * 1000
					)
					if is_in_time:
						break
				note("%s µs after sending" % late)
				check(is_in_time, "not in time: %s µs" % late),
			OURS
		)


# ---- clients ------------------------------------------------------------------------------------


func test_each_client_has_a_port_of_its_own_and_gets_its_own_answers() -> void:
	var target := bound_peer(NATIVE, LOOPBACK, 1 << 20)
	var proxy := proxy_to(target)
	var clients: Array[PacketPeer] = []
	var ports: Array[int] = []
	for i in 20:
		clients.append(sender_to(proxy))
		ports.append(introduce(clients[i], target))
		check_equal(target.get_packet_ip(), LOOPBACK, "the address of a client")
		check_equal(proxy.get_client_count(), i + 1, "get_client_count")
		check(ports.count(ports[i]) == 1, "port %d belongs to two clients" % ports[i])
		check(ports[i] != proxy.get_local_port(), "a client has the port that the proxy listens on")
	for i in 20:
		target.set_dest_address(LOOPBACK, ports[i])
		send(target, [numbered(i)])
	for i in 20:
		check_equal(numbers_of(take(clients[i])), PackedInt32Array([i]), "client %d" % i)
		check_equal(clients[i].get_packet_port(), proxy.get_local_port(), "its sender")
		send(clients[i], [numbered(100 + i)])
		check_equal(numbers_of(take(target)), PackedInt32Array([100 + i]), "again")
		check_equal(target.get_packet_port(), ports[i], "the port of client %d" % i)


func test_a_server_takes_each_client_as_a_connection() -> void:
	for title: StringName in [&"UDPServer", &"UdpServerRs"]:
		var server: RefCounted = ClassDB.instantiate(title)
		check_equal(server.listen(0, LOOPBACK), OK, "listen")
		var proxy := proxy_to(server)
		for i in 3:
			var client := sender_to(proxy)
			send(client, [numbered(i)])
			var is_pending := func() -> bool:
				server.poll()
				return server.is_connection_available()
			check(wait_until(is_pending), "client %d of a %s" % [i, title])
			var peer: PacketPeer = server.take_connection()
			check_equal(numbers_of([peer.get_packet()]), PackedInt32Array([i]), "its packet")
			send(peer, [numbered(10 + i)])
			check_equal(numbers_of(take(client)), PackedInt32Array([10 + i]), "the answer")
			peer.close()


func test_a_silent_client_is_forgotten_and_comes_again_as_another() -> void:
	var target := bound_peer(NATIVE)
	var proxy := proxy_to(target)
	var client := sender_to(proxy)
	var port := introduce(client, target)
	proxy.client_timeout_msec = 50
	check(wait_until(func() -> bool: return proxy.get_client_count() == 0), "it is not forgotten")
	# What the target sends to the port that it had is for nobody.
	send(target, [numbered(1)])
	proxy.client_timeout_msec = 0
	check(introduce(client, target) != port, "it has the same port again")
	check_equal(proxy.get_client_count(), 1, "get_client_count")
	send(target, [numbered(2)])
	check_equal(numbers_of(take(client)), PackedInt32Array([2]), "the answer")
	check_equal(proxy.get_stats().to_client_packets_in, 1, "what came from the target")


func test_a_client_with_something_held_back_is_not_silent() -> void:
	in_both_directions(
		func(way: Way) -> void:
			var other := sender_to(way.proxy)
			introduce(other, way.relayed.target)
			introduce(way.relayed.client, way.relayed.target)
			settled(way.proxy)
			way.proxy.reset_stats()
			way.assign(conditions_of({"latency_msec": HOUR_MSEC}))
			send_numbers(way, 3)
			have_come(way, 3)
			way.proxy.client_timeout_msec = 10
			var is_forgotten := func() -> bool: return way.proxy.get_client_count() < 2
			check(wait_until(is_forgotten), "the other client stays")
			check_equal(way.proxy.get_client_count(), 1, "get_client_count")
			check_stat(way, "waiting", 3)
			way.assign(null)
			check_equal(numbers_from(way, 3), [0, 1, 2], "what was held back")
			var is_empty := func() -> bool: return way.proxy.get_client_count() == 0
			check(wait_until(is_empty), "%d clients in the end" % way.proxy.get_client_count())
	)


func test_clients_over_the_limit_are_dropped_and_counted() -> void:
	var target := bound_peer(NATIVE)
	var proxy := proxy_to(target)
	proxy.max_clients = 2
	var clients: Array[PacketPeer] = []
	for i in 3:
		clients.append(sender_to(proxy))
	introduce(clients[0], target)
	introduce(clients[1], target)
	for i in 5:
		send(clients[2], [numbered(i)])
	var are_dropped := func() -> bool: return proxy.get_stats().to_target_dropped >= 5
	check(wait_until(are_dropped), "%s" % proxy.get_stats())
	check_equal(proxy.get_client_count(), 2, "get_client_count")
	send(clients[0], [numbered(7)])
	check_equal(numbers_of(take(target)), PackedInt32Array([7]), "of a client within the limit")
	proxy.max_clients = 1
	send(clients[1], [numbered(8)])
	check_equal(numbers_of(take(target)), PackedInt32Array([8]), "of one that was there before")
	proxy.max_clients = 3
	introduce(clients[2], target)
	check_equal(proxy.get_client_count(), 3, "get_client_count")
	settled(proxy)
	check_equal(proxy.get_stats().to_target_dropped, 5, "to_target_dropped")
	proxy.stop()
	proxy.max_clients = 0
	check_equal(proxy.start(LOOPBACK, target.get_local_port()), OK, "start")
	send(sender_to(proxy), [numbered(9)])
	are_dropped = func() -> bool: return proxy.get_stats().to_target_dropped == 6
	check(wait_until(are_dropped), "with a limit of 0: %s" % proxy.get_stats())


# ---- what the network refuses -------------------------------------------------------------------


func test_a_refusal_is_silence_and_is_counted_and_the_target_may_come_later() -> void:
	if not needs(&"refusals"):
		return
	var port := free_port()
	var proxy := make_proxy()
	check_equal(proxy.start(free_address, port), OK, "start")
	var client := connected_to(proxy, OURS)
	var sent := 0
	while sent < 5 and failures.is_empty():
		var before: int = proxy.get_stats().to_target_refused
		send(client, [numbered(sent)])
		sent += 1
		var is_refused := func() -> bool: return proxy.get_stats().to_target_refused > before
		check(wait_until(is_refused), "not refused: %s" % proxy.get_stats())
	settled(proxy)
	check_equal(proxy.get_stats().to_target_refused, sent, "to_target_refused")
	check_equal(proxy.get_stats().to_client_packets_in, 0, "to_client_packets_in")
	check_equal(client.wait(0), ERR_TIMEOUT, "the client waits")
	check_equal(client.get_available_packet_count(), 0, "what the client gets")
	check_equal(client.get_last_error_message(), "", "what the client hears")
	check_equal(stat(client, "receive_errors"), 0, "receive_errors of the client")
	check(not proxy.get_last_error_message().is_empty(), "the proxy knows nothing")
	var target := make_peer(NATIVE)
	check_equal(target.bind(port, free_address), OK, "bind")
	send(client, [numbered(9)])
	check_equal(numbers_of(take(target)), PackedInt32Array([9]), "what arrives then")
	target.set_dest_address(target.get_packet_ip(), target.get_packet_port())
	send(target, [numbered(10)])
	check_equal(numbers_of(take(client)), PackedInt32Array([10]), "the answer")
	proxy.reset_stats()
	check_equal(proxy.get_stats().to_target_refused, 0, "after reset_stats")


func test_what_the_system_does_not_send_is_dropped_and_the_reason_is_kept() -> void:
	if not needs(&"guarded connecting"):
		return
	var proxy := make_proxy()
	check_equal(proxy.start("127.255.255.255", 9), OK, "start")
	check_equal(proxy.get_last_os_error(), 0, "get_last_os_error")
	send(sender_to(proxy), [numbered(1), numbered(2)])
	var are_dropped := func() -> bool: return proxy.get_stats().to_target_dropped == 2
	check(wait_until(are_dropped), "%s" % proxy.get_stats())
	check_equal(proxy.get_last_os_error(), 13, "get_last_os_error: EACCES")
	check("127.255.255.255" in proxy.get_last_error_message(), proxy.get_last_error_message())
	check_equal(proxy.is_running(), true, "is_running")


# ---- link conditions ----------------------------------------------------------------------------


func test_a_loss_of_1_loses_all_and_nobody_is_told() -> void:
	in_both_directions(
		func(way: Way) -> void:
			way.assign(conditions_of({"loss": 1.0}))
			send_numbers(way, 20)
			have_come(way, 20)
			check_stat(way, "lost", 20)
			check_stat(way, "packets_out", 0)
			way.assign(null)
			send_numbers(way, 3, 50)
			check_equal(numbers_from(way, 3), [50, 51, 52], "what arrives then")
			_check_other_way_is_idle(way)
			check_equal(way.proxy.get_last_error_message(), "", "the message")
	)


func test_a_packet_is_late_by_the_latency() -> void:
	in_both_directions(
		func(way: Way) -> void:
			way.assign(conditions_of({"latency_msec": LATENCY_MSEC}))
			for i in 3:
				var start := Time.get_ticks_usec()
				send_numbers(way, 1, i)
				check_equal(numbers_from(way, 1), [i], "what arrives")
				var late := Time.get_ticks_usec() - start
				check(late >= LATENCY_MSEC * 1000, "after %d µs" % late)
				check(late < AT_ONCE_MSEC * 1000, "after %d µs" % late)
			_check_other_way_is_idle(way)
	)


func test_a_duplicate_of_1_doubles_each_packet() -> void:
	in_both_directions(
		func(way: Way) -> void:
			way.assign(conditions_of({"duplicate": 1.0}))
			send_numbers(way, 5)
			check_equal(numbers_from(way, 10), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], "what arrives")
			settled(way.proxy)
			check_stat(way, "duplicated", 5)
			check_stat(way, "packets_out", 10)
			check_stat(way, "bytes_out", 160)
			_check_other_way_is_idle(way)
	)


func test_the_other_effects_are_those_of_a_peer() -> void:
	in_both_directions(
		func(way: Way) -> void:
			way.assign(conditions_of({"corrupt": 1.0}))
			send_numbers(way, 10)
			var got := take(way.receiver, 10)
			for i in 10:
				check_equal(got[i].size(), 16, "bytes of a corrupt packet")
				check(got[i] != numbered(i), "packet %d is not corrupt" % i)
			way.assign(conditions_of({"max_packet_size": 16}))
			send(way.sender, [numbered(1, 17), numbered(2)])
			check_equal(numbers_from(way, 1), [2], "the one that is small enough")
			# Eight seconds for each packet with its headers.
			way.assign(conditions_of({"bandwidth_kbps": 1, "queue_limit_msec": 20_000}))
			for i in 10:
				send(way.sender, [numbered(i, 1000 - 28)])
			have_come(way, 22)
			settled(way.proxy)
			check_stat(way, "corrupted", 10)
			check_stat(way, "dropped", 1 + 7)
			check_stat(way, "waiting", 3)
			way.assign(null)
			var numbers := numbers_of(take(way.receiver, 3), 1000 - 28)
			check_equal(numbers, PackedInt32Array([0, 1, 2]), "what was held back")
			_check_other_way_is_idle(way)
	)


func test_a_packet_that_is_held_back_is_overtaken() -> void:
	in_both_directions(
		func(way: Way) -> void:
			var conditions := conditions_of({"reorder": 1.0, "reorder_delay_msec": HOUR_MSEC})
			way.assign(conditions)
			send_numbers(way, 1)
			have_come(way, 1)
			conditions.reorder = 0.0
			send_numbers(way, 2, 1)
			check_equal(numbers_from(way, 2), [1, 2], "what arrives")
			settled(way.proxy)
			check_stat(way, "reordered", 1)
			check_stat(way, "waiting", 1)
			way.assign(null)
			check_equal(numbers_from(way, 1), [0], "what was held back")
	)


func test_a_changed_property_takes_effect_at_once_for_clients_that_are_there() -> void:
	in_both_directions(
		func(way: Way) -> void:
			var conditions := conditions_of({"blackout": true})
			way.assign(conditions)
			send_numbers(way, 5)
			have_come(way, 5)
			check_stat(way, "lost", 5)
			conditions.blackout = false
			send_numbers(way, 2)
			check_equal(numbers_from(way, 2), [0, 1], "when it is over")
			conditions.latency_msec = LATENCY_MSEC
			send_numbers(way, 5)
			conditions.blackout = true
			emptied(way.proxy)
			have_come(way, 12)
			emptied(way.proxy)
			check_stat(way, "lost", 10)
	)


func test_null_delivers_what_is_held_back_in_its_order() -> void:
	in_both_directions(
		func(way: Way) -> void:
			way.assign(conditions_of({"latency_msec": HOUR_MSEC, "jitter_msec": 1000}))
			send_numbers(way, 20)
			have_come(way, 20)
			check_stat(way, "waiting", 20)
			check_equal(queued(way.receiver), 0, "packets that are there")
			way.proxy.reset_stats()
			check_stat(way, "waiting", 20)
			check_stat(way, "packets_in", 0)
			way.assign(null)
			check_equal(numbers_from(way, 20), range(20), "what arrives")
			_check_other_way_is_idle(way)
	)


func test_each_client_has_a_line_of_its_own() -> void:
	var conditions := conditions_of({"loss": 0.5, "rng_seed": 7})
	var runs: Array[Array] = []
	for i in 2:
		var target := bound_peer(NATIVE, LOOPBACK, 1 << 20)
		var proxy := proxy_to(target)
		proxy.to_target_conditions = conditions
		var survivors := []
		for k in 2:
			var client := sender_to(proxy)
			for number in 64:
				send(client, [numbered(100 * k + number)])
			var have_all := func() -> bool:
				return proxy.get_stats().to_target_packets_in == 64 * (k + 1)
			check(wait_until(have_all), "%s" % proxy.get_stats())
			settled(proxy)
			var of_all: int = proxy.get_stats().to_target_packets_out
			var before: int = 0 if k == 0 else survivors[0].size()
			survivors.append(
				Array(numbers_of(take(target, of_all - before))).map(
					func(number: int) -> int: return number - 100 * k
				)
			)
			check(survivors[k].size() > 10 and survivors[k].size() < 54, "%s" % [survivors[k]])
		check(survivors[0] != survivors[1], "both clients lose the same")
		runs.append(survivors)
	check_equal(runs[1], runs[0], "what arrives of the same seed")


# ---- what is counted ----------------------------------------------------------------------------


func test_every_packet_is_accounted_for() -> void:
	in_both_directions(
		func(way: Way) -> void:
			# The kernel has no room for all of them.
			way.receiver.background_receive = true
			way.assign(_bad())
			for i in 400:
				send(way.sender, [numbered(i, 100 + int(i % 10 == 0))])
			have_come(way, 400)
			emptied(way.proxy)
			check_stat(way, "packets_in", 400)
			check_stat(way, "bytes_in", 400 * 100 + 40)
			check_stat(way, "bytes_out", 100 * way.stat("packets_out"))
			for key: String in ["lost", "duplicated", "reordered", "corrupted", "dropped"]:
				check(way.stat(key) > 0, "none is " + key)
			var left: int = way.stat("packets_out")
			check_equal(take(way.receiver, left).size(), left, "packets that arrive")
			check_equal(queued(way.receiver), 0, "packets that were not counted")
			_check_other_way_is_idle(way),
		OURS
	)


func test_every_packet_is_accounted_for_when_it_stops_in_the_middle() -> void:
	in_both_directions(
		func(way: Way) -> void:
			var conditions := _bad()
			conditions.latency_msec = HOUR_MSEC
			way.assign(conditions)
			for i in 400:
				send(way.sender, [numbered(i, 100 + int(i % 10 == 0))])
			have_come(way, 400)
			var before: Dictionary = way.proxy.get_stats()
			var waiting := way.stat("waiting")
			var dropped := way.stat("dropped")
			check(waiting > 200, "only %d of 400 are held back" % waiting)
			way.proxy.stop()
			check(is_balanced(way.proxy), "%s" % way.proxy.get_stats())
			check_stat(way, "waiting", 0)
			check_stat(way, "dropped", dropped + waiting)
			for key: String in COUNTERS:
				if not key in ["waiting", "dropped"]:
					check_stat(way, key, before[way.direction + key])
			check_equal(queued(way.receiver), 0, "packets that came all the same")
			way.assign(null)
			check_stat(way, "dropped", dropped + waiting)
			way.proxy.reset_stats()
			for direction in DIRECTIONS:
				for key in COUNTERS:
					check_equal(way.proxy.get_stats()[direction + key], 0, direction + key)
	)


func test_every_packet_is_accounted_for_while_it_stops_under_load() -> void:
	for i in 10:
		var made := relayed()
		var proxy := made.proxy
		if i % 2:
			proxy.to_target_conditions = _bad()
			proxy.to_client_conditions = _bad()
		var stop := Semaphore.new()
		var threads: Array[Thread] = [
			in_thread(keep_sending.bind(proxy.get_local_port(), stop)),
			in_thread(keep_sending.bind(proxy.get_local_port(), stop)),
		]
		var is_busy := func() -> bool: return proxy.get_stats().to_target_packets_in > 100
		check(wait_until(is_busy), "nothing comes: %s" % proxy.get_stats())
		proxy.stop()
		check(is_balanced(proxy), "round %d: %s" % [i, proxy.get_stats()])
		var at_rest: Dictionary = proxy.get_stats()
		check_equal(at_rest.to_target_waiting, 0, "to_target_waiting")
		stop.post(2)
		for thread in threads:
			join(thread)
		check_equal(proxy.get_stats(), at_rest, "counted after stop() has returned")


func test_what_a_forgotten_client_loses_is_known() -> void:
	var made := relayed()
	made.proxy.client_timeout_msec = 20
	check(wait_until(func() -> bool: return made.proxy.get_client_count() == 0), "not forgotten")
	# The port by which the target knew it is closed.
	send(made.target, [numbered(1)])
	made.proxy.client_timeout_msec = 0
	introduce(made.client, made.target)
	settled(made.proxy)
	var stats: Dictionary = made.proxy.get_stats()
	check_equal([stats.to_target_packets_in, stats.to_client_packets_in], [1, 0], "what came")


# ---- helpers ------------------------------------------------------------------------------------


# A conversation of two peers through a proxy that listens on [param listen].
func _converse(
	kind: StringName, client_at: String, listen: String, target_at: String, target_binds := ""
) -> void:
	var what := "%s at %s through %s to %s" % [kind, client_at, listen, target_at]
	var before := failures.size()
	var target := bound_peer(kind, target_at if target_binds.is_empty() else target_binds, 1 << 20)
	var proxy := proxy_to(target, target_at, listen)
	proxy.to_target_conditions = conditions_of({"latency_msec": 1})
	var client := bound_peer(kind, client_at, 1 << 20)
	client.set_dest_address(client_at, proxy.get_local_port())
	for i in 5:
		var message := _message(i)
		check_equal(client.put_var(message), OK, "put_var")
		if not arrived(target):
			break
		check(target.get_var() == message, "the message")
		if i == 0:
			target.set_dest_address(target.get_packet_ip(), target.get_packet_port())
		check_equal(target.put_var([message, i]), OK, "put_var of the answer")
		if not arrived(client):
			break
		check(client.get_var() == [message, i], "the answer")
		var from: String = client.get_packet_ip()  # native writes "::1" in full
		check(from in [client_at, "0:0:0:0:0:0:0:1"], "the answer comes from " + from)
		check_equal(client.get_packet_port(), proxy.get_local_port(), "its port")
	check_equal(proxy.get_client_count(), 1, "get_client_count")
	for i in range(before, failures.size()):
		failures[i] += " (%s)" % what


# Up to 60,000 bytes.
static func _message(number: int) -> Dictionary:
	var inner := {"place": Vector3(1, 2, number), "colour": Color.RED, &"name": ^"some/path"}
	var text := "täxt %d, ".repeat(number) % range(number)
	var raw := numbered(number, 4 + 10_000 * number)
	return {
		"number": number,
		"nested": [[[inner, [inner, {"deep": {7: {true: null}}}]]], text],
		"arrays": [raw, PackedFloat64Array([1.5, INF]), PackedStringArray(["a", "ü", ""])],
	}


# Some of everything.
static func _bad() -> Resource:
	return conditions_of(
		{
			"loss": 0.1,
			"duplicate": 0.1,
			"reorder": 0.1,
			"corrupt": 0.1,
			"latency_msec": 2,
			"jitter_msec": 1,
			"max_packet_size": 100,
		}
	)


# Sends ten packets, and is busy. Returns by how many µs each arrived after it was sent, sorted.
func _times_while_busy(way: Way, busy_msec: int) -> PackedInt64Array:
	var sent: PackedInt64Array = []
	for i in 10:
		sent.append(Time.get_ticks_usec())
		send_numbers(way, 1, i)
	OS.delay_msec(busy_msec)  # no frame passes meanwhile
	var late: PackedInt64Array = []
	for i in 10:
		check_equal(numbers_from(way, 1), [i], "what arrives")
		late.append(way.receiver.get_packet_time_usec() - sent[i])
	late.sort()
	return late


func _check_other_way_is_idle(way: Way) -> void:
	var other := DIRECTIONS[1 - DIRECTIONS.find(way.direction)]
	var stats: Dictionary = way.proxy.get_stats()
	for key in COUNTERS:
		check_equal(stats[other + key], 0, other + key)
