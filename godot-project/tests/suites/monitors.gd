extends "../support/server_suite.gd"
## The custom monitors of Performance: totals of all peers in the last full second. Other tests have
## peers too, so each test first waits for a second without packets.

const Frames := preload("../support/frames.gd")

const IN := &"udp_rs/packets_in_per_sec"
const OUT := &"udp_rs/packets_out_per_sec"
const BYTES_IN := &"udp_rs/bytes_in_per_sec"
const BYTES_OUT := &"udp_rs/bytes_out_per_sec"
const DROPPED := &"udp_rs/packets_dropped"
const RATES: Array[StringName] = [IN, OUT, BYTES_IN, BYTES_OUT]
const NOTHING: Array[int] = [0, 0, 0, 0]

# When _quiet() has returned.
var _quiet_since_usec := 0


func test_they_are_there_and_nothing_at_rest() -> void:
	for monitor: StringName in RATES + ([DROPPED] as Array[StringName]):
		check(Performance.has_custom_monitor(monitor), "there is no monitor " + monitor)
		check_equal(typeof(_value(monitor)), TYPE_INT, "the type of " + monitor)
	await _quiet()
	var dropped := _value(DROPPED)
	await Frames.wait(5)
	check_equal(_rates(), NOTHING, "at rest")
	check_equal(_value(DROPPED), dropped, "dropped, at rest")


func test_they_add_up_the_last_second_of_all_peers() -> void:
	await _quiet()
	var kept: Array[PacketPeer] = []
	for i in 4:
		# Polled and in the background. Of native's packets only the receiving end is counted.
		var peer := receiver(i % 2 == 0)
		var sender := sender_to(peer, NATIVE if i == 3 else OURS)
		for k in 25:
			send(sender, [numbered(k, 40)])
		arrived(peer, 25)
		# One pair stays, one is reset, the others are closed; all but the first are freed.
		match i:
			1:
				kept = [peer, sender]
			2:
				peer.reset_stats()
				sender.reset_stats()
			_:
				peer.close()
	var sender := sender_to(kept[0], OURS)
	check_equal(sender.put_packets([numbered(1), numbered(2), numbered(3)]), 3, "put_packets")
	check_equal(sender.put_segmented(numbered(1, 100), 30), 4, "put_segmented")
	check_equal(sender.send_to(numbered(4), LOOPBACK, kept[0].get_local_port()), OK, "send_to")
	check_equal(sender.put_var("hello"), OK, "put_var")
	arrived(kept[0], 34)
	var size := 48 + 100 + 16 + var_to_bytes("hello").size()
	await _check_rates([109, 84, 4000 + size, 3000 + size])


func test_what_a_server_and_its_connections_do_is_counted_once() -> void:
	await _quiet()
	var servers: Array[RefCounted] = [server_in_mode(false), server_in_mode(true)]
	for server in servers:
		var clients := clients_of(server, 5)
		var peers := all_accepted(server, clients)  # HELLO from each
		for i in 5:
			send(clients[i], [numbered(i, 40), numbered(i, 40)])
			arrived(peers[i], 2)
			send(peers[i], [numbered(1, 30), numbered(2, 30), numbered(3, 30)])
		# Some connections are freed before the second ends, and one server with all of its own.
		peers[0].close()
		peers.clear()
	servers[1].stop()
	await _check_rates([30, 30, 2 * 5 * (HELLO.length() + 80), 2 * 5 * 90])


func test_what_a_server_drops_is_counted_and_stays() -> void:
	await _quiet()
	var before := _value(DROPPED)
	var server := listening(OURS)
	var marker := marker_of(server)
	var peer_client := sender_to(server)
	var peer := accepted(server, peer_client)
	server.max_pending_connections = 1
	for client in clients_of(server, 6):
		send(client, [numbered(1), numbered(2)])
	marker.wait_until_read()
	send_paced([peer_client], FITTING + 30, marker)
	check_equal(stat(server, "packets_dropped_pending"), 10, "packets_dropped_pending")
	check_equal(stat(peer, "packets_dropped_queue"), 30, "packets_dropped_queue")
	await _quiet()
	check_equal(_value(DROPPED), before + 40, "packets_dropped")
	peer.close()
	server.stop()
	await _quiet()
	# The two of the pending connection have gone to nobody.
	check_equal(_value(DROPPED), before + 42, "when it is stopped")
	server = null
	await _quiet()
	check_equal(_value(DROPPED), before + 42, "when it is gone")


func test_what_a_full_queue_drops_is_counted_and_stays() -> void:
	await _quiet()
	var before := _value(DROPPED)
	var peer := receiver(true, LOOPBACK, 0)
	peer.overflow_policy = DROP_OLDEST
	var sender := sender_to(peer)
	var seen := func() -> int:
		return stat(peer, "packets_received") + stat(peer, "packets_dropped_queue")
	for i in 100:
		sender.put_packet(numbered(i, 1000))
		if i % 20 == 19:
			wait_until(func() -> bool: return seen.call() > i)
	var dropped := stat(peer, "packets_dropped_queue")
	check(dropped > 30, "only %d of 100 packets of 1,000 bytes dropped" % dropped)
	await _quiet()
	check_equal(_value(DROPPED), before + dropped, "packets_dropped")
	peer.reset_stats()
	await _quiet()
	check_equal(_value(DROPPED), before + dropped, "after a reset")
	peer.close()
	peer = null
	await _quiet()
	check_equal(_value(DROPPED), before + dropped, "when the peer is gone")


func test_what_the_kernel_drops_is_counted_and_stays() -> void:
	if not needs(&"kernel drops"):
		return
	for how: String in ["closed", "freed"]:
		await _quiet()
		var before := _value(DROPPED)
		var peer := make_peer(OURS)
		peer.receive_buffer_size = 4096
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		var sender := sender_to(peer)
		for i in 200:
			sender.put_packet(numbered(i, 1000))
		until_all_known(peer, 200, peer.get_available_packet_count)
		var dropped := stat(peer, "packets_dropped_kernel")
		check(dropped > 100, "only %d of 200 packets dropped" % dropped)
		await _quiet()
		check_equal(_value(DROPPED), before + dropped, "packets_dropped")
		if how == "closed":
			peer.close()
		peer = null
		await _quiet()
		check_equal(_value(DROPPED), before + dropped, "when a %s peer is gone" % how)


func test_they_can_be_read_while_threads_make_and_free_peers() -> void:
	var stop := Semaphore.new()
	var make_and_free := func() -> int:
		var made := 0
		while not stop.try_wait():
			var peer := make_peer(OURS)
			peer.bind(0, LOOPBACK)
			peer.set_dest_address(LOOPBACK, peer.get_local_port())
			peer.put_packet(numbered(1))
			peer.get_packet()
			made += 1
		return made
	var threads: Array[Thread] = [in_thread(make_and_free), in_thread(make_and_free)]
	var last := _value(DROPPED)
	for i in 60:
		for monitor in RATES:
			check(_value(monitor) >= 0, "%s is %d" % [monitor, _value(monitor)])
		check(_value(DROPPED) >= last, "packets_dropped went back")
		last = _value(DROPPED)
		await Frames.wait(1)
	stop.post(2)
	for thread in threads:
		check(join(thread) as int > 0, "a thread made no peer")


static func _value(monitor: StringName) -> int:
	return Performance.get_custom_monitor(monitor)


static func _rates() -> Array[int]:
	var rates: Array[int] = []
	for monitor in RATES:
		rates.append(_value(monitor))
	return rates


# Adds up the seconds since _quiet() until one has no packets, and compares the sum with [param
# brought]. A second ends with a frame, so it may be longer than a second, and its rates are lower
# by the same factor. On a busy machine the traffic may take more than one second.
func _check_rates(brought: Array[int]) -> void:
	var seconds: Array[Array] = []
	var note_second := func() -> bool:
		var rates := _rates()
		if rates != NOTHING and (seconds.is_empty() or seconds[-1] != rates):
			seconds.append(rates)
		return rates == NOTHING and not seconds.is_empty()
	check(await Frames.until(note_second), "no quiet second follows: %s" % [seconds])
	if seconds.is_empty():
		return
	note("%s in seconds that brought %s" % [seconds, brought])
	var longest := (Time.get_ticks_usec() - _quiet_since_usec) / 1_000_000.0
	var sums: Array[int] = [0, 0, 0, 0]
	for rates in seconds:
		for i in rates.size():
			sums[i] += rates[i]
	var part := float(sums[3]) / brought[3]
	check(part > 1.0 / longest and part <= 1.0, "%s in %f s, not %s" % [sums, longest, brought])
	for i in sums.size():
		if seconds.size() == 1:
			var expected := brought[i] * part
			check(absf(sums[i] - expected) <= 2.0, "%s: %d, not %f" % [RATES[i], sums[i], expected])
		else:
			check(sums[i] <= brought[i] and sums[i] > 0, "%s: %d" % [RATES[i], sums[i]])


# Waits until a second has begun in which nothing was sent: one sample shows packets, and the next
# none.
func _quiet() -> void:
	var peer := bound_peer(OURS)
	peer.set_dest_address(LOOPBACK, peer.get_local_port())
	# Several: the rate of one is 0 in a second that a slow frame has made longer.
	send(peer, (range(10) as Array).map(numbered))
	take(peer, 10)
	check(await Frames.until(func() -> bool: return _value(OUT) > 0), "no second ends")
	check(await Frames.until(func() -> bool: return _value(OUT) == 0), "no second is quiet")
	_quiet_since_usec = Time.get_ticks_usec()
