# gdlint: disable=max-public-methods
extends "../support/suite.gd"
## The sample samples/reliable.gd through bad networks, with the native class, and against hostile
## packets. Every message has to arrive once and in order.

const Reliable := preload("res://samples/reliable.gd")

## All decisions of the networks are the same in every run.
const SEED := 1717
## The first sequence numbers of both ends: a few before the range ends.
const NEAR_THE_END := 0x5eed_fff0


## One end, and what it has received.
class End:
	var peer: PacketPeer
	var link: Reliable
	var messages: Array[PackedByteArray] = []
	var states: PackedInt64Array
	var connections := 0
	var time_outs := 0
	## Called with each message.
	var on_message := Callable()

	func _init(socket: PacketPeer, own_id := 0) -> void:
		peer = socket
		link = Reliable.new(socket, own_id)
		link.connected.connect(_on_connected)
		link.message_received.connect(_on_message_received)
		link.latest_received.connect(_on_latest_received)
		link.timed_out.connect(_on_timed_out)

	func _on_connected() -> void:
		connections += 1

	func _on_message_received(message: PackedByteArray) -> void:
		messages.append(message)
		if on_message:
			on_message.call(message)

	func _on_latest_received(state: PackedByteArray) -> void:
		states.append(state.decode_u32(0))

	func _on_timed_out() -> void:
		time_outs += 1


## What is on the wire of two ends, to look into it and to change it.
class Wire:
	var sides: Array[PacketPeerUDP] = [PacketPeerUDP.new(), PacketPeerUDP.new()]
	## By direction: the latest packet.
	var latest: Array[PackedByteArray] = [PackedByteArray(), PackedByteArray()]
	## By direction: how many packets passed, and whether they pass.
	var counts: PackedInt64Array = [0, 0]
	var is_open: Array[bool] = [true, true]

	func pass_on() -> void:
		for i in 2:
			while sides[i].get_available_packet_count() > 0:
				latest[i] = sides[i].get_packet()
				counts[i] += 1
				if is_open[i]:
					sides[1 - i].put_packet(latest[i])


# ---- bad networks -------------------------------------------------------------------------------


func test_every_message_arrives_once_and_in_order_under_awful() -> void:
	var awful: UdpLinkConditions = load("res://addons/packet_peer_udp_rs/conditions/awful.tres")
	var conditions: UdpLinkConditions = awful.duplicate()
	conditions.rng_seed = SEED
	for far: StringName in [OURS, NATIVE]:
		var ends := _pair(far, conditions, conditions)
		var msec := msec_of(func() -> void: _exchange(ends, 150, 64))
		var link := ends[0].link
		note("%s: %d ms, %d sent again, %s" % [far, msec, link.resent_count, _times(link)])
		check(link.resent_count > 0, "nothing was lost")
		check(link.smoothed_msec > 250.0, "smoothed %.0f ms" % link.smoothed_msec)
		var lost: int = ends[0].peer.get_stats().conditions_lost
		check(lost > 0, "the network lost nothing")


func test_large_messages_get_through_a_narrow_line() -> void:
	# A window of them is more than the line's queue holds.
	var narrow := _line({bandwidth_kbps = 512, queue_limit_msec = 200, latency_msec = 20.0})
	var ends := _pair(NATIVE, narrow, narrow)
	var msec := msec_of(func() -> void: _exchange(ends, 60, Reliable.MOST_MESSAGE_BYTES))
	var dropped: int = ends[0].peer.get_stats().conditions_dropped
	check(dropped > 0, "the line dropped nothing")
	note("%d ms, %d dropped, %d sent again" % [msec, dropped, ends[0].link.resent_count])


func test_thirty_percent_loss() -> void:
	for burst: float in [1.0, 5.0]:
		for far: StringName in [OURS, NATIVE]:
			var line := {loss = 0.3, loss_burst = burst, latency_msec = 20.0}
			var ends := _pair(far, _line(line), _line(line))
			var msec := msec_of(func() -> void: _exchange(ends, 150))
			note(
				(
					"bursts of %d, %s: %d ms, %d sent again"
					% [burst, far, msec, ends[0].link.resent_count]
				)
			)


func test_reordering_and_duplicates() -> void:
	var mess := _line(
		{
			duplicate = 1.0,
			reorder = 0.3,
			reorder_delay_msec = 30.0,
			latency_msec = 10.0,
			jitter_msec = 10.0,
			jitter_reorders = true,
		}
	)
	for far: StringName in [OURS, NATIVE]:
		var ends := _pair(far, mess, mess)
		_exchange(ends, 300)
		for end in ends:
			check(end.link.duplicate_count >= 300, "%d duplicates" % end.link.duplicate_count)
			check_equal(end.link.get_early_count(), 0, "held at the end")


func test_sequence_numbers_wrap_around() -> void:
	var line := {loss = 0.2, latency_msec = 5.0, reorder = 0.1, duplicate = 0.1}
	for far: StringName in [OURS, NATIVE]:
		var ends := _pair(far, _line(line), _line(line), NEAR_THE_END)
		_exchange(ends, 200)
		check(ends[0].link._expected < 0x8000, "the numbers have not wrapped around")
		_exchange_states(ends, 200)


func test_all_sequence_numbers_are_used() -> void:
	# More messages than there are numbers, on a good network: both ends take them at once.
	var ends := _pair(OURS)
	for end in ends:
		end.peer.background_receive = true
		end.peer.queue_size = 1 << 20
	_connect(ends)
	var count := 0x1_0000 + 1000
	var progress := PackedInt64Array([0])
	var step := func() -> bool:
		while progress[0] < count and ends[0].link.send(numbered(progress[0], 8)) == OK:
			progress[0] += 1
		_poll(ends)
		return ends[1].messages.size() >= count
	var deadline := Time.get_ticks_msec() + 2 * TIMEOUT_MSEC
	while not step.call() and Time.get_ticks_msec() < deadline:
		pass
	_check_messages(ends[1], count, 8)


func test_a_good_network_sends_nothing_again() -> void:
	var steady := _line({latency_msec = 20.0})
	var ends := _pair(OURS, steady, steady)
	_exchange(ends, 200)
	for end in ends:
		check_equal(end.link.resent_count, 0, "sent again")
		check_equal(end.link.duplicate_count, 0, "duplicates")
		check_equal(end.link.ignored_count, 0, "ignored")
		check_equal(end.connections, 1, "connected")
	check(ends[0].link.smoothed_msec >= 39.5, "smoothed %.2f ms" % ends[0].link.smoothed_msec)


func test_a_handler_may_send_and_poll() -> void:
	var ends := _pair(NATIVE, _line({loss = 0.1}), _line({loss = 0.1}))
	ends[1].on_message = func(message: PackedByteArray) -> void:
		check_equal(ends[1].link.send(message), OK, "send in the handler")
		ends[1].link.poll()
	_connect(ends)
	for i in 100:
		ends[0].link.send(numbered(i))
	_until(ends, func() -> bool: return ends[0].messages.size() >= 100)
	_check_messages(ends[0], 100)
	ends[1].on_message = Callable()


func test_a_handler_may_drop_the_object_and_close_the_peer() -> void:
	var ends := _pair(OURS)
	_connect(ends)
	var gone: WeakRef = weakref(ends[1].link)
	ends[1].on_message = func(_message: PackedByteArray) -> void:
		ends[1].link = null
		ends[1].peer.close()
	for i in 5:
		ends[0].link.send(numbered(i))
	var dropped := func() -> bool:
		ends[0].link.poll()
		if ends[1].link != null:
			ends[1].link.poll()
		return ends[1].link == null
	check(wait_until(dropped), "no message arrived")
	check(gone.get_ref() == null, "the object is still there")
	ends[1].on_message = Callable()


func test_clients_of_a_server() -> void:
	var server := UdpServerRs.new()
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	var ends: Array[End] = []
	for i in 5:
		ends.append(End.new(connected_to(server, OURS if i % 2 else NATIVE)))
		if i % 2:
			ends[i].peer.send_conditions = _line({loss = 0.3, rng_seed = SEED + i})
		for number in 40:
			ends[i].link.send(numbered(number))
	var taken: Array[End] = []
	var step := func() -> bool:
		server.poll()
		while server.is_connection_available():
			taken.append(End.new(server.take_connection()))
			for number in 40:
				taken[-1].link.send(numbered(number))
		_poll(ends + taken)
		return (ends + taken).all(func(end: End) -> bool: return end.messages.size() >= 40)
	check(wait_until(step), "not all messages have arrived")
	check_equal(taken.size(), 5, "connections")
	for end: End in ends + taken:
		_check_messages(end, 40)


# ---- states -------------------------------------------------------------------------------------


func test_only_newer_states_are_delivered() -> void:
	var mess := _line({reorder = 0.3, reorder_delay_msec = 20.0, duplicate = 0.3, loss = 0.1})
	for far: StringName in [OURS, NATIVE]:
		var ends := _pair(far, mess, mess)
		check_equal(
			ends[0].link.send_latest(numbered(0)), ERR_UNAVAILABLE, "before it is connected"
		)
		_exchange_states(ends, 200)
		check(ends[1].link.duplicate_count > 0, "none was late")
		# Messages beside them.
		_exchange(ends, 50)


func test_states_do_not_wait_for_messages() -> void:
	var ends := _pair(OURS)
	_connect(ends)
	var wire := _wire(ends)
	ends[0].link.send(numbered(0))
	var lost := wire.counts[0]
	wire.is_open[0] = false  # the message is lost
	_until(ends, func() -> bool: return wire.counts[0] > lost, wire)
	wire.is_open[0] = true
	ends[0].link.send_latest(numbered(1))
	_until(ends, func() -> bool: return not ends[1].states.is_empty(), wire)
	check_equal(ends[1].messages.size(), 0, "messages before the one that was lost")
	_until(ends, func() -> bool: return not ends[1].messages.is_empty(), wire)


# ---- resending ----------------------------------------------------------------------------------


func test_the_resend_time_doubles_and_recovers() -> void:
	var ends := _pair(OURS)
	_connect(ends)
	var link := ends[0].link
	check_equal(link.rto_msec, 1000.0, "RTO before a measurement")
	_exchange(ends, 20)
	var usual := link.rto_msec
	check(usual >= Reliable.MIN_RTO_MSEC and usual < 1000.0, "RTO %.0f" % usual)
	var smoothed := link.smoothed_msec
	ends[0].peer.send_conditions = _line({blackout = true})
	# Several that were on their way together count once.
	for i in 5:
		link.send(numbered(i))
	_until(ends, func() -> bool: return link.resent_count == 5)
	check(is_equal_approx(link.rto_msec, 2.0 * usual), "RTO %.0f" % link.rto_msec)
	_until(ends, func() -> bool: return link.resent_count == 10)
	check(is_equal_approx(link.rto_msec, 4.0 * usual), "RTO %.0f" % link.rto_msec)
	ends[0].peer.send_conditions = null
	_until(ends, func() -> bool: return link.get_pending_count() == 0)
	# Karn's rule: what was sent again measures nothing, and ends no doubling.
	check(link.rto_msec >= 4.0 * usual - 0.01, "RTO %.0f" % link.rto_msec)
	check_equal(link.smoothed_msec, smoothed, "smoothed")
	ends[1].messages.clear()
	link.send(numbered(5))
	_until(ends, func() -> bool: return link.get_pending_count() == 0)
	check(link.rto_msec < 2.0 * usual, "RTO %.0f after a measurement" % link.rto_msec)


func test_the_resend_time_has_an_upper_bound() -> void:
	var ends := _pair(OURS)
	_connect(ends)
	var link := ends[0].link
	link.timeout_msec = 1 << 40
	link.send(numbered(0))
	ends[0].peer.send_conditions = _line({blackout = true})
	for i in 20:
		link._window[0].sent_usec -= int(link.rto_msec * 1000.0)
		link._last_backoff_usec = link._window[0].sent_usec
		link.poll()
	check_equal(link.rto_msec, Reliable.MAX_RTO_MSEC, "RTO")


func test_an_overtaken_message_is_sent_again_at_once() -> void:
	var steady := _line({latency_msec = 40.0})
	var ends := _pair(OURS, steady, steady)
	_connect(ends)
	var wire := _wire(ends)
	var link := ends[0].link
	# There is no measurement yet: the resend time is a second.
	wire.is_open[0] = false
	var passed := wire.counts[0]
	link.send(numbered(0))
	_until(ends, func() -> bool: return wire.counts[0] > passed, wire)
	wire.is_open[0] = true
	var start := Time.get_ticks_msec()
	for i in range(1, 5):
		link.send(numbered(i))
	_until(ends, func() -> bool: return ends[1].messages.size() == 5, wire)
	_check_messages(ends[1], 5)
	check_equal(link.resent_count, 1, "sent again")
	check(Time.get_ticks_msec() - start < 900, "%d ms" % (Time.get_ticks_msec() - start))


# ---- limits -------------------------------------------------------------------------------------


func test_a_message_that_is_too_large_is_refused_with_a_line() -> void:
	var ends := _pair(OURS)
	_connect(ends)
	var most := PackedByteArray()
	most.resize(Reliable.MOST_MESSAGE_BYTES)
	check_equal(ends[0].link.send(most), OK, "the largest message")
	for size: int in [Reliable.MOST_MESSAGE_BYTES + 1, 100_000]:
		var large := PackedByteArray()
		large.resize(size)
		for method: StringName in [&"send", &"send_latest"]:
			var errors: Array[Error] = []
			var call := func() -> void: errors.append(ends[0].link.call(method, large))
			var lines := lines_of(call)
			check_equal(errors, [ERR_INVALID_PARAMETER] as Array[Error], method)
			check_equal(lines.size(), 1, "lines of %s: %s" % [method, lines])
			for word: String in [str(size), str(Reliable.MOST_MESSAGE_BYTES)]:
				check(word in lines[0], "%s is not in: %s" % [word, lines[0]])
	_until(ends, func() -> bool: return ends[0].link.get_pending_count() == 0)
	check_equal(ends[1].messages, [most] as Array[PackedByteArray], "messages")


func test_empty_messages_arrive() -> void:
	var ends := _pair(NATIVE)
	_connect(ends)
	check_equal(ends[0].link.send(PackedByteArray()), OK, "send of nothing")
	_until(ends, func() -> bool: return not ends[1].messages.is_empty())
	check_equal(ends[1].messages, [PackedByteArray()] as Array[PackedByteArray], "messages")


func test_memory_is_bounded_when_the_other_end_is_silent() -> void:
	var ends := _pair(OURS)
	_connect(ends)
	var link := ends[0].link
	link.timeout_msec = 1 << 40
	var large := PackedByteArray()
	large.resize(Reliable.MOST_MESSAGE_BYTES)
	var refused := 0
	for i in 3000:
		if link.send(large) == ERR_BUSY:
			refused += 1
	check_equal(link.get_pending_count(), link.most_waiting + Reliable.WINDOW, "pending")
	check_equal(refused, 3000 - link.get_pending_count(), "refused")
	var before := OS.get_static_memory_usage()
	for i in 20_000:
		link.send(large)
		if i % 100 == 0:
			link.poll()
	var grown := OS.get_static_memory_usage() - before
	check(grown < 100_000, "%d bytes more" % grown)
	link.most_waiting = 1
	check_equal(link.send(large), ERR_BUSY, "over a smaller limit")


func test_keep_alive_and_time_out() -> void:
	var ends := _pair(NATIVE)
	for end in ends:
		end.link.timeout_msec = 400
		end.link.keep_alive_msec = 100
	_connect(ends)
	var start := Time.get_ticks_msec()
	_until(ends, func() -> bool: return Time.get_ticks_msec() - start > 1000)
	check_equal(ends[0].time_outs + ends[1].time_outs, 0, "time-outs while both are there")
	ends[0].link.send(numbered(0))
	ends[1].peer.close()
	# Only one polls: the other end is gone.
	var alone: Array[End] = [ends[0]]
	_until(alone, func() -> bool: return ends[0].time_outs > 0)
	check(not ends[0].link.is_active(), "is_active")
	check_equal(ends[0].link.send(numbered(0)), ERR_UNAVAILABLE, "send afterwards")
	check_equal(ends[0].link.send_latest(numbered(0)), ERR_UNAVAILABLE, "send_latest afterwards")
	check_equal(ends[0].link.get_pending_count(), 0, "pending afterwards")
	for i in 10:
		ends[0].link.poll()
	check_equal(ends[0].time_outs, 1, "time-outs")


func test_nobody_answers() -> void:
	var end := End.new(bound_peer(OURS))
	end.peer.set_dest_address(LOOPBACK, closed_port())
	end.link.timeout_msec = 300
	end.link.send(numbered(0))
	_until([end], func() -> bool: return end.time_outs > 0)
	check_equal(end.connections, 0, "connections")


# ---- other packets than those of the connection -------------------------------------------------


func test_a_new_object_at_one_end_is_not_the_old_connection() -> void:
	var ends := _pair(OURS)
	_exchange(ends, 10)
	ends[0].link.timeout_msec = 500
	ends[0].link.keep_alive_msec = 100
	# The program at the other end was started again, on the same port.
	ends[1] = End.new(ends[1].peer)
	_until(ends, func() -> bool: return ends[0].time_outs > 0)
	check_equal(ends[1].connections, 0, "connections to the old object")
	check_equal(ends[0].messages.size(), 10, "messages at the old object")
	check(ends[0].link.ignored_count > 0, "its packets are not ignored")
	ends[0] = End.new(ends[0].peer)
	_exchange(ends, 10)


func test_stray_packets_of_an_earlier_connection_change_nothing() -> void:
	var ends := _pair(NATIVE)
	_connect(ends)
	var wire := _wire(ends)
	var old: Array[PackedByteArray] = []
	for i in 5:
		var passed := wire.counts[0]
		ends[0].link.send(numbered(100 + i))
		_until(ends, func() -> bool: return wire.counts[0] > passed, wire)
		old.append(wire.latest[0])
	ends = [End.new(ends[0].peer), End.new(ends[1].peer)]
	for packet in old:
		wire.sides[1].put_packet(packet)
	_exchange(ends, 20, 16, wire)
	for packet in old:
		wire.sides[1].put_packet(packet)
	_exchange(ends, 20, 16, wire)
	check(ends[1].link.ignored_count >= 5, "%d ignored" % ends[1].link.ignored_count)


func test_a_flood_of_garbage_changes_nothing() -> void:
	# Bound peers take packets from everyone.
	for far: StringName in [OURS, NATIVE]:
		var ends := _pair(far, _line({loss = 0.1, latency_msec = 5.0}))
		var random := RandomNumberGenerator.new()
		random.seed = SEED
		var stranger := PacketPeerUDP.new()
		var sent := PackedInt64Array([0])
		for i in 100:
			for end in ends:
				check_equal(end.link.send(numbered(i)), OK, "send")
		var flood_and_poll := func() -> bool:
			for end in ends:
				stranger.set_dest_address(LOOPBACK, end.peer.get_local_port())
				for i in 50:
					stranger.put_packet(_garbage(random))
					sent[0] += 1
			_poll(ends)
			var done := ends.all(func(end: End) -> bool: return end.messages.size() >= 100)
			return done and sent[0] >= 20_000
		check(wait_until(flood_and_poll), "%d messages" % ends[0].messages.size())
		for end in ends:
			_check_messages(end, 100)
			check(end.link.ignored_count > 1000, "%d ignored" % end.link.ignored_count)
			check_equal(end.connections, 1, "connections")
			check(end.link.get_early_count() < Reliable.WINDOW, "early")


func test_a_flood_of_hellos_does_not_keep_two_ends_apart() -> void:
	var ends := _pair(OURS)
	var random := RandomNumberGenerator.new()
	random.seed = SEED
	var stranger := bound_peer(NATIVE)
	for i in 20:
		for end in ends:
			stranger.set_dest_address(LOOPBACK, end.peer.get_local_port())
			for more in 50:
				stranger.put_packet(_packet(Reliable.NOTHING, random.randi(), 0))
		_poll(ends)
	_exchange(ends, 20)
	# They were answered at the destination, not at the stranger.
	check_equal(stranger.get_available_packet_count(), 0, "answers to a stranger")


func test_absurd_packets_with_the_right_numbers_are_ignored() -> void:
	var ends := _pair(NATIVE)
	_exchange(ends, 40)
	var wire := _wire(ends)
	var passed := wire.counts[0]
	ends[0].link.send(numbered(40))
	_until(ends, func() -> bool: return wire.counts[0] > passed, wire)
	_until(ends, func() -> bool: return ends[1].messages.size() == 41, wire)
	var real := wire.latest[0]
	var sequence := real.decode_u16(12)
	var acknowledged := real.decode_u16(14)
	var link := ends[1].link
	var before := link.ignored_count
	var changes: Array[PackedByteArray] = []
	for far: int in [33, 34, 1000, 0x7fff]:
		changes.append(_with_u16(real, 12, sequence + far))
	for far: int in [1, 2, 32, 1000, 0x7fff]:
		changes.append(_with_u16(real, 14, acknowledged + far))
	for kind: int in [3, 4, 255]:
		changes.append(real.duplicate())
		changes[-1][3] = kind
	for offset: int in [0, 1, 2, 4, 7, 8, 11]:  # magic and both ends
		changes.append(real.duplicate())
		changes[-1][offset] ^= 0x55
	for size: int in [0, 1, 19]:
		changes.append(real.slice(0, size))
	changes.append(real.duplicate())
	changes[-1].resize(Reliable.MOST_PACKET_BYTES + 1)
	var expected := before
	for packet in changes:
		if packet.is_empty():  # put_packet() does not send it
			continue
		wire.sides[1].put_packet(packet)
		expected += 1
		_until(ends, func() -> bool: return link.ignored_count == expected, wire)
		check_equal(ends[1].messages.size(), 41, "messages after %s" % packet.slice(0, 20))
	check_equal(link.get_early_count(), 0, "held")
	# The real one again: a duplicate, which is acknowledged.
	var duplicates := link.duplicate_count
	var answers := wire.counts[1]
	wire.sides[1].put_packet(real)
	_until(ends, func() -> bool: return wire.counts[1] > answers, wire)
	check_equal(link.duplicate_count, duplicates + 1, "duplicates")
	_exchange(ends, 20, 16, wire)


func test_one_who_knows_the_numbers_cannot_fill_the_memory() -> void:
	var ends := _pair(NATIVE)
	_connect(ends)
	var wire := _wire(ends)
	_exchange(ends, 1, 16, wire)
	wire.is_open = [false, false]
	var real := _packet(Reliable.MESSAGE, ends[0].link._own_id, ends[1].link._own_id)
	real.encode_u16(14, ends[1].link._next_sequence)
	real.resize(Reliable.MOST_PACKET_BYTES)
	for number in 0x1_0000:
		if number == ends[1].link._expected:
			continue  # else all before it are delivered
		real.encode_u16(12, number)
		wire.sides[1].put_packet(real)
		if number % 64 == 0:
			_poll(ends)
			wire.pass_on()
	_poll(ends)
	check(ends[1].link.get_early_count() < Reliable.WINDOW, "%d" % ends[1].link.get_early_count())
	check_equal(ends[1].messages.size(), 1, "messages")


# ---- two ends -----------------------------------------------------------------------------------


# Two ends that send to each other. The first is ours and has the conditions.
func _pair(
	far: StringName, there: UdpLinkConditions = null, back: UdpLinkConditions = null, own_id := 0
) -> Array[End]:
	var near_peer := bound_peer(OURS)
	var far_peer := bound_peer(far)
	near_peer.set_dest_address(LOOPBACK, far_peer.get_local_port())
	far_peer.set_dest_address(LOOPBACK, near_peer.get_local_port())
	near_peer.send_conditions = there
	near_peer.receive_conditions = back
	var other_id := own_id + 1 if own_id else 0
	return [End.new(near_peer, own_id), End.new(far_peer, other_id)]


# Puts a wire between two ends.
func _wire(ends: Array[End]) -> Wire:
	var wire := Wire.new()
	for i in 2:
		check_equal(wire.sides[i].bind(0, LOOPBACK), OK, "bind")
		wire.sides[i].set_dest_address(LOOPBACK, ends[i].peer.get_local_port())
		ends[i].peer.set_dest_address(LOOPBACK, wire.sides[i].get_local_port())
	return wire


func _line(properties: Dictionary) -> UdpLinkConditions:
	var conditions := UdpLinkConditions.new()
	conditions.rng_seed = SEED
	for property: String in properties:
		conditions.set(property, properties[property])
	return conditions


func _poll(ends: Array[End]) -> void:
	for end in ends:
		end.link.poll()


func _until(ends: Array[End], condition: Callable, wire: Wire = null) -> void:
	var step := func() -> bool:
		_poll(ends)
		if wire != null:
			wire.pass_on()
		return condition.call()
	if not wait_until(step):
		var words: PackedStringArray = []
		for end in ends:
			var link := end.link
			words.append(
				(
					"%d messages, %d pending, %d ignored"
					% [end.messages.size(), link.get_pending_count(), link.ignored_count]
				)
			)
		fail("it does not happen: " + "; ".join(words))


func _connect(ends: Array[End]) -> void:
	_until(ends, func() -> bool: return ends.all(func(end: End) -> bool: return end.connections))


# Both ends send numbered messages, more than the window holds at once, and all arrive.
func _exchange(ends: Array[End], count: int, size := 16, wire: Wire = null) -> void:
	for end in ends:
		end.messages.clear()
		for number in count:
			check_equal(end.link.send(numbered(number, size)), OK, "send")
	var all_arrived := func() -> bool:
		return ends.all(
			func(end: End) -> bool:
				return end.messages.size() >= count and end.link.get_pending_count() == 0
		)
	_until(ends, all_arrived, wire)
	for end in ends:
		_check_messages(end, count, size)
		check_equal(end.connections, 1, "connections")
		check_equal(end.time_outs, 0, "time-outs")


func _check_messages(end: End, count: int, size := 16) -> void:
	check_equal(end.messages.size(), count, "messages")
	for number in mini(count, end.messages.size()):
		if number_of(end.messages[number], size) != number:
			fail("message %d is %s" % [number, end.messages[number].slice(0, 16)])
			return


# Both send states, of which those that arrive are in order, and the last one comes at last.
func _exchange_states(ends: Array[End], count: int) -> void:
	_connect(ends)
	for number in count:
		for end in ends:
			check_equal(end.link.send_latest(numbered(number)), OK, "send_latest")
		var until := Time.get_ticks_usec() + 500
		while Time.get_ticks_usec() < until:
			_poll(ends)
	var last := func() -> bool:
		for end in ends:
			end.link.send_latest(numbered(count))
		return ends.all(func(end: End) -> bool: return count in end.states)
	_until(ends, last)
	for end in ends:
		for i in range(1, end.states.size()):
			if end.states[i] < end.states[i - 1]:
				fail("state %d after %d" % [end.states[i], end.states[i - 1]])
		check(end.states.size() > count / 4, "%d states" % end.states.size())


static func _times(link: Reliable) -> String:
	return "%.0f ± %.0f ms, RTO %.0f" % [link.smoothed_msec, link.variation_msec, link.rto_msec]


static func _with_u16(packet: PackedByteArray, at: int, number: int) -> PackedByteArray:
	var changed := packet.duplicate()
	changed.encode_u16(at, number & 0xffff)
	return changed


static func _packet(kind: int, from: int, to: int) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(Reliable.HEADER_BYTES)
	packet.encode_u32(0, Reliable.MAGIC | kind << 24)
	packet.encode_u32(4, from)
	packet.encode_u32(8, to)
	return packet


# Random bytes, often with the begin of a packet.
static func _garbage(random: RandomNumberGenerator) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(random.randi_range(1, 60))
	for i in packet.size():
		packet[i] = random.randi() & 0xff
	if packet.size() >= 12 and random.randf() < 0.5:
		packet.encode_u32(0, Reliable.MAGIC | random.randi_range(0, 2) << 24)
		if random.randf() < 0.5:
			packet.encode_u32(8, 0)
	return packet
