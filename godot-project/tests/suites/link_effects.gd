# gdlint: disable=max-public-methods
extends "../support/server_suite.gd"
## What link conditions do to packets, as a script sees it: for what is sent and for what is
## received, by a peer with a socket of its own and by a server's, polled and in the background.
## That the figures are right is tested in the core, by many packets.

const Frames := preload("../support/frames.gd")
const Tally := preload("../support/tally.gd")

const CONDITIONS := &"UdpLinkConditions"
## What a packet that is held back counts for beside its payload, in bytes.
const HELD_OVERHEAD := 128
const HOUR_MSEC := 3_600_000
## Enough for a busy machine to do something else meanwhile, and short enough to wait for.
const LATENCY_MSEC := 40


## One direction of a link between two peers.
class Link:
	var sender: PacketPeer
	var receiver: PacketPeer
	## Which of the two has the conditions, and as which property.
	var owner: PacketPeer
	var property: StringName
	var title: String
	## Where one of the two is a server's.
	var server: RefCounted

	func assign(conditions: Resource) -> void:
		owner.set(property, conditions)


# ---- effects ------------------------------------------------------------------------------------


func test_without_conditions_and_with_ones_that_do_nothing_packets_pass() -> void:
	in_each_link(
		func(link: Link) -> void:
			for conditions: Resource in [null, _conditions({}), null]:
				link.assign(conditions)
				_check_passes(link, [1, 2, 3])
			check_equal(_sum(link.owner), 0, "what is counted: %s" % link.owner.get_stats())
	)


func test_a_loss_of_1_loses_all_and_nobody_is_told() -> void:
	in_each_link(
		func(link: Link) -> void:
			link.assign(_conditions({"loss": 1.0}))
			send(link.sender, _numbered(20))
			_reaches(link, "conditions_lost", 20)
			link.assign(null)
			_check_passes(link, [99])
			check_equal(link.owner.get_last_error_message(), "", "the message")
			check_equal(_sum(link.owner), 20, "what is counted: %s" % link.owner.get_stats())
	)


func test_a_packet_is_late_by_the_latency_and_a_wait_ends_when_it_is_due() -> void:
	in_each_link(
		func(link: Link) -> void:
			link.assign(_conditions({"latency_msec": LATENCY_MSEC}))
			for i in 3:
				var start := Time.get_ticks_usec()
				send(link.sender, [numbered(i)])
				# Native's wait() has no parameter.
				var is_ours := link.receiver.get_class() == OURS
				var error: Error = (
					link.receiver.wait(TIMEOUT_MSEC) if is_ours else link.receiver.wait()
				)
				var late := Time.get_ticks_usec() - start
				check_equal(error, OK, "wait")
				check(late >= LATENCY_MSEC * 1000, "after %d µs" % late)
				check(late < AT_ONCE_MSEC * 1000, "after %d µs" % late)
				check_equal(_taken(link, 1), [i], "what arrives")
	)


func test_a_packet_that_is_held_back_is_counted_as_waiting_and_is_not_there() -> void:
	in_each_link(
		func(link: Link) -> void:
			link.assign(_conditions({"latency_msec": HOUR_MSEC}))
			send(link.sender, _numbered(5))
			_reaches(link, "conditions_waiting", 5)
			check_equal(queued(link.receiver), 0, "packets that are there")
			link.owner.reset_stats()
			check_equal(stat(link.owner, "conditions_waiting"), 5, "after reset_stats")
	)


func test_null_delivers_what_is_held_back_in_its_order() -> void:
	in_each_link(
		func(link: Link) -> void:
			link.assign(_conditions({"latency_msec": HOUR_MSEC, "jitter_msec": 1000}))
			send(link.sender, _numbered(20))
			_reaches(link, "conditions_waiting", 20)
			link.assign(null)
			check_equal(_taken(link, 20), range(20), "what arrives")
			check_equal(_sum(link.owner), 0, "what is counted: %s" % link.owner.get_stats())
			_check_passes(link, [20, 21])
	)


func test_a_changed_property_takes_effect_at_once() -> void:
	in_each_link(
		func(link: Link) -> void:
			var conditions := _conditions({"loss": 1.0})
			link.assign(conditions)
			send(link.sender, _numbered(3))
			_reaches(link, "conditions_lost", 3)
			conditions.loss = 0.0
			_check_passes(link, [1, 2])
			conditions.blackout = true
			send(link.sender, _numbered(3))
			_reaches(link, "conditions_lost", 6)
			conditions.blackout = false
			_check_passes(link, [3, 4])
			conditions.latency_msec = HOUR_MSEC
			send(link.sender, [numbered(5)])
			_reaches(link, "conditions_waiting", 1)
	)


func test_what_falls_due_in_a_blackout_is_lost() -> void:
	in_each_link(
		func(link: Link) -> void:
			var conditions := _conditions({"latency_msec": LATENCY_MSEC})
			link.assign(conditions)
			send(link.sender, _numbered(5))
			conditions.blackout = true
			_reaches(link, "conditions_lost", 5)
			check_equal(stat(link.owner, "conditions_waiting"), 0, "conditions_waiting")
			conditions.blackout = false
			_check_passes(link, [6])
	)


func test_larger_packets_than_the_path_carries_are_dropped() -> void:
	in_each_link(
		func(link: Link) -> void:
			link.assign(_conditions({"max_packet_size": 100}))
			for size: int in [100, 101, 1500, 16]:
				check_equal(link.sender.put_packet(numbered(size, size)), OK, "%d bytes" % size)
			_reaches(link, "conditions_dropped", 2)
			var sizes: Array = take(link.receiver, 2).map(
				func(packet: PackedByteArray) -> int: return packet.size()
			)
			check_equal(sizes, [100, 16], "the sizes that arrive")
	)


func test_a_duplicate_of_1_doubles_each_packet() -> void:
	in_each_link(
		func(link: Link) -> void:
			link.assign(_conditions({"duplicate": 1.0}))
			send(link.sender, _numbered(5))
			check_equal(_taken(link, 10), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], "what arrives")
			check_equal(stat(link.owner, "conditions_duplicated"), 5, "conditions_duplicated")
	)


func test_a_corrupt_of_1_flips_one_bit_of_each_packet() -> void:
	in_each_link(
		func(link: Link) -> void:
			link.assign(_conditions({"corrupt": 1.0}))
			for i in 20:
				var packet := numbered(i, 1 + 7 * i if i > 0 else 4)
				send(link.sender, [packet])
				var got := take(link.receiver)[0]
				check_equal(got.size(), packet.size(), "bytes")
				check_equal(_different_bits(got, packet), 1, "bits of %d bytes" % packet.size())
			check_equal(stat(link.owner, "conditions_corrupted"), 20, "conditions_corrupted")
	)


func test_a_full_queue_of_the_line_drops_the_newest() -> void:
	in_each_link(
		func(link: Link) -> void:
			# Eight seconds for each packet with its headers.
			link.assign(_conditions({"bandwidth_kbps": 1, "queue_limit_msec": 20_000}))
			for i in 10:
				send(link.sender, [numbered(i, 1000 - 28)])
			_reaches(link, "conditions_dropped", 7)
			check_equal(stat(link.owner, "conditions_waiting"), 3, "conditions_waiting")
			link.assign(null)
			var numbers := numbers_of(take(link.receiver, 3), 1000 - 28)
			check_equal(numbers, PackedInt32Array([0, 1, 2]), "what arrives")
	)


func test_a_line_carries_its_bandwidth() -> void:
	in_each_link(
		func(link: Link) -> void:
			# 10 ms for each packet with its headers.
			link.assign(_conditions({"bandwidth_kbps": 800, "queue_limit_msec": 60_000}))
			var start := Time.get_ticks_usec()
			for i in 5:
				send(link.sender, [numbered(i, 1000 - 28)])
			var numbers := numbers_of(take(link.receiver, 5), 1000 - 28)
			var msec := (Time.get_ticks_usec() - start) / 1000.0
			check_equal(numbers, PackedInt32Array(range(5)), "what arrives")
			check(msec >= 50, "50 ms of packets came through in %s ms" % msec)
	)


func test_jitter_keeps_the_order_unless_it_may_not() -> void:
	in_each_link(
		func(link: Link) -> void:
			var conditions := _conditions(
				{"latency_msec": 20, "jitter_msec": 20, "jitter_distribution": 0}
			)
			link.assign(conditions)
			send(link.sender, _numbered(50))
			check_equal(_taken(link, 50), range(50), "in order")
			check_equal(stat(link.owner, "conditions_reordered"), 0, "conditions_reordered")
			conditions.jitter_reorders = true
			send(link.sender, _numbered(50))
			var numbers := _taken(link, 50)
			check(numbers != range(50), "nothing is reordered")
			numbers.sort()
			check_equal(numbers, range(50), "what arrives")
			check(stat(link.owner, "conditions_reordered") > 0, "nothing is counted as reordered")
	)


func test_a_packet_that_is_held_back_is_overtaken() -> void:
	in_each_link(
		func(link: Link) -> void:
			var conditions := _conditions({"reorder": 1.0, "reorder_delay_msec": HOUR_MSEC})
			link.assign(conditions)
			send(link.sender, [numbered(1)])
			_reaches(link, "conditions_waiting", 1)
			conditions.reorder = 0.0
			_check_passes(link, [2, 3])
			check_equal(stat(link.owner, "conditions_reordered"), 1, "conditions_reordered")
			link.assign(null)
			check_equal(_taken(link, 1), [1], "what was held back")
	)


func test_a_stall_delays_what_comes_meanwhile() -> void:
	in_each_link(
		func(link: Link) -> void:
			# The stall that begins after 50 ms ends when the next one begins.
			link.assign(_conditions({"spike_interval_msec": 50, "spike_msec": 50}))
			var start := Time.get_ticks_usec()
			send(link.sender, [numbered(0)])
			check_equal(_taken(link, 1), [0], "before the first stall")
			var passed := Time.get_ticks_usec()
			wait_until(func() -> bool: return Time.get_ticks_usec() - passed > 60_000)
			send(link.sender, [numbered(1), numbered(2)])
			check_equal(_taken(link, 2), [1, 2], "what has waited")
			check(Time.get_ticks_usec() - start >= 100_000, "the stall was too short")
	)


# ---- the same decisions -------------------------------------------------------------------------


func test_a_seed_repeats_what_becomes_of_each_packet() -> void:
	var patterns: Dictionary[String, Array] = {}
	var values := {"loss": 0.3, "loss_burst": 2.0, "duplicate": 0.2, "rng_seed": 4711}
	for round in 2:
		in_each_link(
			func(link: Link) -> void:
				link.assign(_conditions(values))
				var numbers := _pattern(link, 100)
				check(numbers.size() > 20 and numbers.size() < 120, "%d arrive" % numbers.size())
				# The same polled and in the background.
				var title := link.title.get_slice(",", 0)
				if title in patterns:
					check_equal(numbers, patterns[title], "the numbers that arrive")
				patterns[title] = numbers
		)


func test_a_seed_begins_anew_when_the_peer_is_opened_and_when_it_is_set() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var conditions := _conditions({"loss": 0.5, "rng_seed": 5})
			var link := _link_to_own(background)
			link.assign(conditions)
			var first := _pattern(link, 50)
			check(_pattern(link, 50) != first, "the next packets have the same decisions")
			conditions.rng_seed = 6
			check(_pattern(link, 50) != first, "another seed has the same decisions")
			conditions.rng_seed = 5
			check_equal(_pattern(link, 50), first, "when the seed is set again")
			link.receiver.close()
			check_equal(link.receiver.bind(0, LOOPBACK), OK, "bind")
			link.sender.set_dest_address(LOOPBACK, link.receiver.get_local_port())
			check_equal(_pattern(link, 50), first, "when it is opened again")
	)


func test_one_effect_does_not_change_what_the_others_decide() -> void:
	in_each_link(
		func(link: Link) -> void:
			link.assign(_conditions({"loss": 0.3, "rng_seed": 7}))
			var plain := _pattern(link, 60)
			link.assign(_conditions({"loss": 0.3, "rng_seed": 7, "jitter_msec": 2, "corrupt": 0.0}))
			check_equal(_pattern(link, 60), plain, "with jitter")
	)


func test_without_a_seed_every_run_is_another_one() -> void:
	var link := _link_to_own(false)
	var patterns := []
	for i in 3:
		link.assign(_conditions({"loss": 0.5}))
		patterns.append(_pattern(link, 64))
	check(patterns[0] != patterns[1] or patterns[1] != patterns[2], "three are the same")


# ---- what is counted ----------------------------------------------------------------------------


func test_every_packet_is_accounted_for() -> void:
	in_each_link(
		func(link: Link) -> void:
			(
				link
				. assign(
					_conditions(
						{
							"loss": 0.2,
							"duplicate": 0.2,
							"reorder": 0.2,
							"corrupt": 0.1,
							"latency_msec": 2,
							"jitter_msec": 1,
							"max_packet_size": 100,
						}
					)
				)
			)
			link.owner.reset_stats()
			var before := _passed(link)
			for i in 100:
				send(link.sender, [numbered(i, 100 + int(i % 10 == 0))])
			var are_known := func() -> bool:
				queued(link.receiver)
				var stats: Dictionary = link.owner.get_stats()
				return (
					stats.conditions_waiting == 0
					and (
						100 + stats.conditions_duplicated
						== (
							_passed(link)
							- before
							+ stats.conditions_lost
							+ stats.conditions_dropped
						)
					)
				)
			check(wait_until(are_known), "of 100 packets: %s" % [link.owner.get_stats()])
			for key: String in ["lost", "duplicated", "reordered", "corrupted", "dropped"]:
				check(stat(link.owner, "conditions_" + key) > 0, "none is " + key)
			link.owner.reset_stats()
			check_equal(_sum(link.owner), 0, "after a reset: %s" % link.owner.get_stats())
	)


func test_a_server_counts_what_becomes_of_its_peers_packets() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 2)
			var peers := all_accepted(server, clients)
			for peer in peers:
				peer.send_conditions = _conditions({"loss": 1.0})
				peer.receive_conditions = _conditions({"latency_msec": HOUR_MSEC})
				send(peer, _numbered(3))
			for client in clients:
				send(client, _numbered(2))
			var are_held := func() -> bool:
				read(server)
				return stat(server, "conditions_waiting") == 4
			check(wait_until(are_held), "%s" % server.get_stats())
			check_equal(stat(server, "conditions_lost"), 6, "conditions_lost")
			for peer in peers:
				check_equal(stat(peer, "conditions_lost"), 3, "a peer's conditions_lost")
				check_equal(stat(peer, "conditions_waiting"), 2, "a peer's conditions_waiting")
			server.reset_stats()
			check_equal(stat(server, "conditions_lost"), 0, "after reset_stats")
			check_equal(stat(server, "conditions_waiting"), 4, "after reset_stats")
			check_equal(stat(peers[1], "conditions_lost"), 3, "a peer's after reset_stats")
			server.stop()
			check_equal(stat(server, "conditions_waiting"), 0, "when it has stopped")
			check_equal(stat(server, "conditions_dropped"), 4, "what was dropped then")
			check_equal(stat(peers[1], "conditions_dropped"), 2, "what a peer has dropped")
	)


func test_close_drops_and_counts_what_is_held_back() -> void:
	in_each_link(
		func(link: Link) -> void:
			if link.server != null and link.owner == link.receiver:
				return  # see the next test
			link.assign(_conditions({"latency_msec": HOUR_MSEC}))
			send(link.sender, _numbered(5))
			_reaches(link, "conditions_waiting", 5)
			link.owner.close()
			check_equal(stat(link.owner, "conditions_waiting"), 0, "conditions_waiting")
			check_equal(stat(link.owner, "conditions_dropped"), 5, "conditions_dropped")
			link.owner.set(link.property, null)
			check_equal(stat(link.owner, "conditions_dropped"), 5, "conditions_dropped, then")
	)


func test_what_a_closed_peer_of_a_server_would_have_got_is_a_new_connection() -> void:
	# As on a real network, where packets that are on their way arrive all the same.
	in_both_modes(
		func(background: bool) -> void:
			var link := _link_to_accepted(background)
			link.assign(_conditions({"latency_msec": 200}))
			send(link.sender, _numbered(3))
			_reaches(link, "conditions_waiting", 3)
			link.receiver.close()
			check_equal(link.server.is_connection_available(), false, "pending at once")
			var peer := next_connection(link.server)
			check_equal(numbers_of(take(peer, 3)), PackedInt32Array([0, 1, 2]), "what arrives")
			check_equal(stat(link.server, "conditions_dropped"), 0, "conditions_dropped")
			check_equal(stat(link.server, "conditions_waiting"), 0, "conditions_waiting")
	)


func test_a_peer_holds_back_what_its_queue_may_hold() -> void:
	for background: bool in [false, true]:
		for is_sending: bool in [false, true]:
			var link := _link_from_own() if is_sending else _link_to_own(background)
			link.owner.queue_size = 10 * (1000 + HELD_OVERHEAD)
			link.assign(_conditions({"latency_msec": HOUR_MSEC}))
			for i in 15:
				send(link.sender, [numbered(i, 1000)])
			_reaches(link, "conditions_dropped", 5)
			check_equal(stat(link.owner, "conditions_waiting"), 10, "conditions_waiting")
			link.assign(null)
			check_equal(
				numbers_of(take(link.receiver, 10), 1000),
				PackedInt32Array(range(10)),
				"what arrives"
			)


# ---- every way of sending and taking ------------------------------------------------------------


func test_every_way_of_sending_passes_through() -> void:
	var receiver := bound_peer(NATIVE, LOOPBACK, 1 << 20)
	var port: int = receiver.get_local_port()
	for values: Dictionary in [{"latency_msec": HOUR_MSEC}, {"loss": 1.0}, {"latency_msec": 1}]:
		var sender := sender_to(receiver, OURS)
		sender.send_conditions = _conditions(values)
		check_equal(sender.put_packet(numbered(0)), OK, "put_packet")
		check_equal(sender.put_var(1), OK, "put_var")
		check_equal(sender.send_to(numbered(2), LOOPBACK, port), OK, "send_to")
		check_equal(sender.put_packets([numbered(3), numbered(4, 20)]), 2, "put_packets")
		check_equal(sender.put_segmented(numbered(5, 40), 16), 3, "put_segmented")
		var stats: Dictionary = sender.get_stats()
		if "loss" in values:
			check_equal(stats.conditions_lost, 8, "conditions_lost")
			continue
		if values.latency_msec == HOUR_MSEC:
			check_equal(stats.conditions_waiting, 8, "conditions_waiting")
			check_equal(stats.packets_sent, 0, "packets_sent")
			sender.send_conditions = null
		var packets := take(receiver, 8)
		check_equal(packets[0], numbered(0), "put_packet")
		check_equal(packets[1], var_to_bytes(1), "put_var")
		check_equal(packets[2], numbered(2), "send_to")
		check_equal(packets.slice(3, 5), [numbered(3), numbered(4, 20)], "put_packets")
		var joined := packets[5] + packets[6] + packets[7]
		check_equal(joined, numbered(5, 40), "put_segmented")
		check_equal(stat(sender, "packets_sent"), 8, "packets_sent")


func test_a_broadcast_passes_through() -> void:
	var sender := make_peer(OURS)
	sender.set_broadcast_enabled(true)
	sender.send_conditions = _conditions({"blackout": true})
	var networks: int = sender.get_broadcast_addresses().size()
	check_equal(sender.put_packet_broadcast(numbered(1), 9), networks, "put_packet_broadcast")
	check_equal(stat(sender, "conditions_lost"), networks, "conditions_lost")


func test_a_packet_to_many_peers_takes_the_way_of_each() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 4)
			var peers := all_accepted(server, clients)
			peers[0].send_conditions = _conditions({"loss": 1.0})
			peers[1].send_conditions = _conditions({"latency_msec": HOUR_MSEC})
			peers[2].send_conditions = _conditions({"duplicate": 1.0})
			check_equal(server.put_packet_to(peers, numbered(1)), 4, "put_packet_to")
			check_equal(numbers_of(take(clients[2], 2)), PackedInt32Array([1, 1]), "doubled")
			check_equal(numbers_of(take(clients[3])), PackedInt32Array([1]), "without conditions")
			check_equal(stat(peers[0], "conditions_lost"), 1, "conditions_lost")
			check_equal(stat(peers[1], "conditions_waiting"), 1, "conditions_waiting")
			peers[1].send_conditions = null
			check_equal(numbers_of(take(clients[1])), PackedInt32Array([1]), "held back")
			peers[0].send_conditions = null
			send(peers[0], [numbered(2)])
			check_equal(numbers_of(take(clients[0])), PackedInt32Array([2]), "after the loss")
	)


func test_variants_pass_both_ways() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.send_conditions = _conditions({"latency_msec": 5, "jitter_msec": 1})
			server.receive_conditions = server.send_conditions
			var client := sender_to(server, OURS)
			client.background_receive = background
			client.send_conditions = server.send_conditions
			client.receive_conditions = server.send_conditions
			var start := Time.get_ticks_msec()
			client.put_var({"hello": 0})
			var peer := next_connection(server)
			for i in 5:
				check(arrived(peer), "message %d is missing" % i)
				var message: Dictionary = peer.get_var()
				check_equal(message, {"hello": i}, "the message")
				peer.put_var([message.hello + 1])
				check(arrived(client), "answer %d is missing" % i)
				check_equal(client.get_var(), [i + 1], "the answer")
				client.put_var({"hello": i + 1})
			note("five round trips in %d ms" % (Time.get_ticks_msec() - start))
	)


func test_every_way_of_taking_gives_what_is_due() -> void:
	in_each_flavour(
		func(peer: PacketPeer, sender: PacketPeer) -> void:
			peer.receive_conditions = _conditions({"latency_msec": LATENCY_MSEC})
			var start := Time.get_ticks_usec()
			send(sender, _numbered(6))
			check_equal(Array(peer.get_packets()), [], "get_packets at once")
			arrived(peer, 6)
			check_equal(peer.get_packet(), numbered(0), "get_packet")
			var time: int = peer.get_packet_time_usec()
			check(time >= start + LATENCY_MSEC * 1000, "%d µs after" % (time - start))
			check(time <= Time.get_ticks_usec(), "it comes from the future")
			check_equal(peer.get_packet_port(), sender.get_local_port(), "get_packet_port")
			check_equal(peer.get_packet_ip(), LOOPBACK, "get_packet_ip")
			check_equal(Array(peer.get_packets(2)), [numbered(1), numbered(2)], "get_packets")
			for usec: int in peer.get_batch_times_usec():
				check(usec >= start + LATENCY_MSEC * 1000, "%d µs after" % (usec - start))
			check_equal(peer.get_batch_ports().count(sender.get_local_port()), 2, "ports")
			var joined := numbered(3) + numbered(4) + numbered(5)
			check_equal(peer.get_packets_joined(), joined, "get_packets_joined")
			check_equal(peer.get_batch_sizes(), PackedInt32Array([16, 16, 16]), "get_batch_sizes")
	)


func test_a_signal_comes_when_a_packet_is_due() -> void:
	for is_accepted: bool in [false, true]:
		var server := server_in_mode(true)
		var peer := receiver(true)
		var sender := sender_to(peer)
		if is_accepted:
			sender = sender_to(server)
			peer = accepted(server, sender)
		# What has come by now was signalled.
		await Frames.wait(2)
		peer.receive_conditions = _conditions({"latency_msec": LATENCY_MSEC})
		var times: PackedInt64Array = []
		peer.packets_available.connect(
			func(_count: int) -> void: times.append(Time.get_ticks_usec())
		)
		var start := Time.get_ticks_usec()
		send(sender, [numbered(1)])
		check(await Frames.until(func() -> bool: return not times.is_empty()), "no signal")
		if not times.is_empty():
			check(times[0] - start >= LATENCY_MSEC * 1000, "%d µs after" % (times[0] - start))
		check_equal(numbers_of(take(peer)), PackedInt32Array([1]), "what arrives")


# ---- servers ------------------------------------------------------------------------------------


func test_a_newcomer_is_pending_when_its_packet_is_due() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.receive_conditions = _conditions({"latency_msec": LATENCY_MSEC})
			for i in 3:
				var start := Time.get_ticks_usec()
				var client := sender_to(server)
				send(client, [numbered(i)])
				var peer := next_connection(server)
				var late := Time.get_ticks_usec() - start
				check(late >= LATENCY_MSEC * 1000, "pending after %d µs" % late)
				check_equal(numbers_of(take(peer)), PackedInt32Array([i]), "what arrives")
	)


func test_a_newcomer_whose_packets_are_lost_is_never_pending() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.receive_conditions = _conditions({"loss": 1.0})
			var client := sender_to(server)
			send(client, _numbered(3))
			var are_lost := func() -> bool:
				read(server)
				return stat(server, "conditions_lost") == 3
			check(wait_until(are_lost), "%s" % server.get_stats())
			check_equal(server.is_connection_available(), false, "is_connection_available")
			server.receive_conditions = null
			send(client, [numbered(4)])
			check_equal(
				numbers_of(take(next_connection(server))), PackedInt32Array([4]), "without them"
			)
	)


func test_a_servers_conditions_apply_to_the_peers_that_are_taken_then() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 3)
			var before := accepted(server, clients[0])
			server.send_conditions = _conditions({"duplicate": 1.0})
			server.receive_conditions = _conditions({"duplicate": 1.0})
			send(clients[1], [numbered(1)])
			var after := next_connection(server)
			check_equal(numbers_of(take(after, 2)), PackedInt32Array([1, 1]), "the first packet")
			send(after, [numbered(2)])
			check_equal(numbers_of(take(clients[1], 2)), PackedInt32Array([2, 2]), "an answer")
			send(before, [numbered(3), numbered(4)])
			check_equal(numbers_of(take(clients[0], 2)), PackedInt32Array([3, 4]), "before: sent")
			send(clients[0], [numbered(5), numbered(6)])
			check_equal(numbers_of(take(before, 2)), PackedInt32Array([5, 6]), "before: received")
			# Null for one peer is for this peer only.
			send(clients[2], [numbered(7)])
			var other := next_connection(server)
			check_equal(numbers_of(take(other, 2)), PackedInt32Array([7, 7]), "another client")
			after.send_conditions = null
			after.receive_conditions = null
			send(after, [numbered(8), numbered(9)])
			check_equal(numbers_of(take(clients[1], 2)), PackedInt32Array([8, 9]), "null: sent")
			send(clients[1], [numbered(8), numbered(9)])
			check_equal(numbers_of(take(after, 2)), PackedInt32Array([8, 9]), "null: received")
			send(other, [numbered(10)])
			check_equal(numbers_of(take(clients[2], 2)), PackedInt32Array([10, 10]), "the other")
			send(clients[2], [numbered(11)])
			check_equal(numbers_of(take(other, 2)), PackedInt32Array([11, 11]), "the other")
	)


# ---- all at once --------------------------------------------------------------------------------


func test_a_conversation_survives_the_worst_preset() -> void:
	var awful: Resource = load("res://addons/packet_peer_udp_rs/conditions/awful.tres")
	var one := bound_peer(OURS)
	var other := bound_peer(OURS)
	one.set_dest_address(LOOPBACK, other.get_local_port())
	other.set_dest_address(LOOPBACK, one.get_local_port())
	one.send_conditions = awful
	one.receive_conditions = awful
	# Each sends its number again until the other has answered with the next one.
	var numbers := PackedInt32Array([1, 0])
	var peers: Array[PacketPeer] = [one, other]
	var last_sent := 0
	var exchange := func() -> bool:
		for i in 2:
			while peers[i].get_available_packet_count() > 0:
				var number := number_of(peers[i].get_packet())
				if number > numbers[i]:
					numbers[i] = number + 1
		return numbers[0] >= 7
	var talk := func() -> bool:
		if Time.get_ticks_msec() - last_sent >= 50:
			last_sent = Time.get_ticks_msec()
			for i in 2:
				if numbers[i] > 0:
					peers[i].put_packet(numbered(numbers[i]))
		return exchange.call()
	check(wait_until(talk), "it ends at %s; %s" % [numbers, one.get_stats()])


func test_threads_may_send_and_take_while_the_conditions_change() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var link := _link_to_own(background)
			link.receiver.queue_size = 1 << 22
			var stop := Semaphore.new()
			var change := func() -> int:
				var conditions := _conditions({"latency_msec": 1, "jitter_msec": 1})
				var changes := 0
				while not stop.try_wait():
					link.assign(conditions if changes % 3 else null)
					conditions.set(&"duplicate", 0.5 * (changes % 2))
					changes += 1
				return changes
			var changing := in_thread(change)
			var sent := 0
			var got := Tally.new()
			var take_all := func() -> void:
				for packet: PackedByteArray in link.receiver.get_packets():
					got.add(int(number_of(packet) == 1))
			var end := Time.get_ticks_msec() + 1000
			while Time.get_ticks_msec() < end:
				for i in 10:
					sent += int(link.sender.put_packet(numbered(1)) == OK)
				take_all.call()
			stop.post()
			check(join(changing) as int > 0, "nothing was changed")
			link.assign(null)
			var all_have_come := func() -> bool:
				take_all.call()
				var stats: Dictionary = link.receiver.get_stats()
				return (
					got.count() + stats.packets_dropped_kernel >= sent + stats.conditions_duplicated
				)
			check(
				wait_until(all_have_come),
				"%d sent, %d arrived, %s" % [sent, got.count(), link.receiver.get_stats()]
			)
	)


# ---- helpers ------------------------------------------------------------------------------------


## Runs [param body] with a link of each kind.
func in_each_link(body: Callable) -> void:
	for make: Callable in [
		_link_from_own,
		_link_to_own.bind(false),
		_link_to_own.bind(true),
		_link_from_accepted.bind(false),
		_link_from_accepted.bind(true),
		_link_to_accepted.bind(false),
		_link_to_accepted.bind(true),
	]:
		var before := failures.size()
		var link: Link = make.call()
		body.call(link)
		for i in range(before, failures.size()):
			failures[i] += " (%s)" % link.title


func _link_from_own() -> Link:
	var link := Link.new()
	link.title = "sent by a peer"
	link.receiver = bound_peer(NATIVE, LOOPBACK, 1 << 20)
	link.sender = sender_to(link.receiver, OURS)
	link.owner = link.sender
	link.property = &"send_conditions"
	return link


func _link_to_own(background: bool) -> Link:
	var link := Link.new()
	link.title = "received by a peer" + (", in the background" if background else ", polled")
	link.receiver = receiver(background, LOOPBACK, 1 << 20)
	link.sender = sender_to(link.receiver)
	link.owner = link.receiver
	link.property = &"receive_conditions"
	return link


func _link_from_accepted(background: bool) -> Link:
	var link := Link.new()
	link.title = "sent by a server's peer" + (", in the background" if background else ", polled")
	link.server = server_in_mode(background)
	link.receiver = sender_to(link.server)
	link.sender = accepted(link.server, link.receiver)
	link.owner = link.sender
	link.property = &"send_conditions"
	return link


func _link_to_accepted(background: bool) -> Link:
	var link := Link.new()
	link.title = "received by a server's peer"
	link.title += ", in the background" if background else ", polled"
	link.server = server_in_mode(background)
	link.sender = sender_to(link.server)
	link.receiver = accepted(link.server, link.sender)
	link.owner = link.receiver
	link.property = &"receive_conditions"
	return link


static func _conditions(values: Dictionary) -> Resource:
	var conditions: Resource = ClassDB.instantiate(CONDITIONS)
	for property: Variant in values:
		conditions.set(property, values[property])
	return conditions


static func _numbered(count: int) -> Array[PackedByteArray]:
	var packets: Array[PackedByteArray] = []
	for i in count:
		packets.append(numbered(i))
	return packets


# Takes packets, and returns their numbers.
func _taken(link: Link, count: int) -> Array:
	return Array(numbers_of(take(link.receiver, count)))


# Packets with these numbers come through, in this order, and no other before them.
func _check_passes(link: Link, numbers: Array) -> void:
	for number: int in numbers:
		send(link.sender, [numbered(number)])
	check_equal(_taken(link, numbers.size()), numbers, "what passes")


# Waits until the owner has counted so many, which it does when it reads its socket.
func _reaches(link: Link, key: String, value: int) -> void:
	var is_reached := func() -> bool:
		queued(link.receiver)
		return stat(link.owner, key) >= value
	wait_until(is_reached)
	check_equal(stat(link.owner, key), value, key)


# The sum of all that is counted of conditions.
static func _sum(owner: RefCounted) -> int:
	var sum := 0
	var stats: Dictionary = owner.get_stats()
	for key: String in stats:
		if key.begins_with("conditions_"):
			sum += stats[key]
	return sum


# How many packets the owner has let pass.
static func _passed(link: Link) -> int:
	var is_sender := link.owner == link.sender
	return stat(link.owner, "packets_sent" if is_sender else "packets_received")


# Sends so many packets, waits until what became of each is known, and returns the numbers of those
# that have arrived.
func _pattern(link: Link, count: int) -> Array:
	link.owner.reset_stats()
	send(link.sender, _numbered(count))
	var passed := func() -> int:
		queued(link.receiver)
		var stats: Dictionary = link.owner.get_stats()
		return count + stats.conditions_duplicated - stats.conditions_lost
	var are_known := func() -> bool:
		return passed.call() == _passed(link) and stat(link.owner, "conditions_waiting") == 0
	check(wait_until(are_known), "of %d packets: %s" % [count, link.owner.get_stats()])
	return _taken(link, passed.call())


static func _different_bits(one: PackedByteArray, other: PackedByteArray) -> int:
	var different := 0
	for i in mini(one.size(), other.size()):
		var bits := one[i] ^ other[i]
		while bits != 0:
			different += bits & 1
			bits >>= 1
	return different
