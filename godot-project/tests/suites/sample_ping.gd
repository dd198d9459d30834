extends "../support/suite.gd"
## The sample samples/ping.gd, alone and through bad networks.

const Ping := preload("res://samples/ping.gd")

## All decisions of the networks are the same in every run.
const SEED := 17


## What a ping has told.
class Notes:
	var rtts_msec: PackedFloat32Array
	var lost: PackedInt64Array
	var silences := 0

	func _init(ping: Ping) -> void:
		ping.measured.connect(_on_measured)
		ping.ping_lost.connect(_on_ping_lost)
		ping.went_silent.connect(_on_went_silent)

	func _on_measured(rtt_msec: float) -> void:
		rtts_msec.append(rtt_msec)

	func _on_ping_lost(number: int) -> void:
		lost.append(number)

	func _on_went_silent() -> void:
		silences += 1


## An end of a few lines, written after the description of the packets, with a clock of its own.
class Answerer:
	var peer := PacketPeerUDP.new()
	var clock_ahead_usec := 0
	## What happens to each answer before it is sent.
	var change := Callable()
	var asked := 0

	func answer() -> void:
		while peer.get_available_packet_count() > 0:
			var packet := peer.get_packet()
			packet.encode_u32(0, 0x474e4f50)
			packet.encode_s64(16, Time.get_ticks_usec() + clock_ahead_usec)
			packet.encode_s64(24, Time.get_ticks_usec() + clock_ahead_usec)
			peer.set_dest_address(peer.get_packet_ip(), peer.get_packet_port())
			peer.put_packet(change.call(packet) if change else packet)
			asked += 1


var _nodes: Array[Node] = []
var _own_peer: PacketPeerUdpRs


func finish() -> void:
	for node in _nodes:
		node.free()
	super()


# ---- round-trip times ---------------------------------------------------------------------------


func test_it_measures_what_the_network_delays() -> void:
	var asking := _asking(_line({latency_msec = 30.0}), _line({latency_msec = 50.0}))
	var notes := Notes.new(asking)
	_talk(asking, 20)
	_check_counts(asking)
	check(asking.get_min_msec() >= 79.5, "%.2f ms, less than the delay" % asking.get_min_msec())
	check(asking.get_min_msec() < 110.0, "%.2f ms at best" % asking.get_min_msec())
	check_equal(asking.lost_count, 0, "lost")
	# The measure is exact; the estimate is wrong by half the difference of the ways.
	var error := absi(asking.offset_usec) / 1000.0
	check(error <= asking.offset_error_usec / 1000.0, "the clock is wrong by %.2f ms" % error)
	check(error > 5.0, "the delays of both ways differ, but the clock is wrong by %.2f ms" % error)
	note("%.2f to %.2f ms" % [asking.get_min_msec(), asking.get_percentile_msec(100.0)])
	check_equal(notes.rtts_msec.size(), asking.answered_count, "measured emitted")


func test_frames_are_not_measured() -> void:
	var asking := _asking()
	asking.interval_msec = 1
	var frame := func() -> bool:
		asking.poll()
		OS.delay_msec(5)
		_nodes[0].poll()
		OS.delay_msec(60)
		return asking.answered_count >= 10
	check(wait_until(frame), "%d answered" % asking.answered_count)
	check(asking.get_min_msec() < 30.0, "%.2f ms at best" % asking.get_min_msec())
	note("median %.2f ms in frames of 65 ms" % asking.get_percentile_msec(50.0))


func test_it_smooths_as_rfc_6298_says() -> void:
	var asking := _asking(_line({jitter_msec = 15.0, latency_msec = 30.0}))
	var notes := Notes.new(asking)
	_talk(asking, 40)
	var smoothed := 0.0
	var variation := 0.0
	for i in notes.rtts_msec.size():
		var rtt := notes.rtts_msec[i]
		if i == 0:
			smoothed = rtt
			variation = rtt / 2.0
			continue
		variation = 0.75 * variation + 0.25 * absf(smoothed - rtt)
		smoothed = 0.875 * smoothed + 0.125 * rtt
	check(absf(asking.smoothed_msec - smoothed) < 0.01, "smoothed: %.3f" % asking.smoothed_msec)
	check(absf(asking.variation_msec - variation) < 0.01, "variation: %.3f" % variation)
	var sorted := notes.rtts_msec.duplicate()
	sorted.sort()
	for percent: float in [0.0, 1.0, 50.0, 95.0, 99.0, 100.0]:
		var rank := maxi(1, ceili(percent * sorted.size() / 100.0))
		check_equal(asking.get_percentile_msec(percent), sorted[rank - 1], "%d %%" % percent)
	check(asking.get_percentile_msec(95.0) > asking.get_min_msec(), "there is jitter")


func test_results_are_about_the_latest_pings() -> void:
	var asking := _asking()
	asking.interval_msec = 0
	_talk(asking, Ping.HISTORY + 10)
	check(asking.get_percentile_msec(100.0) < 60.0, "the first delays")
	_own_peer.send_conditions = _line({latency_msec = 100.0})
	_talk(asking, 2 * Ping.HISTORY + 20)
	check(asking.get_min_msec() >= 99.5, "%.2f ms are forgotten" % asking.get_min_msec())


# ---- losses -------------------------------------------------------------------------------------


func test_every_loss_is_counted() -> void:
	var asking := _asking(_line({loss = 0.3}), _line({loss = 0.1, rng_seed = SEED + 1}))
	asking.timeout_msec = 500
	asking.interval_msec = 2
	var notes := Notes.new(asking)
	_talk(asking, 150)
	asking.interval_msec = 60_000  # none from now on
	_settle(asking)
	_check_counts(asking)
	check_equal(asking.lost_count, _own_peer.get_stats().conditions_lost, "lost, as counted")
	check_equal(notes.lost.size(), asking.lost_count, "ping_lost emitted")
	check(asking.lost_count > 40, "%d lost" % asking.lost_count)
	if asking.sent_count <= Ping.HISTORY:
		check_equal(asking.get_loss(), float(asking.lost_count) / asking.sent_count, "loss")
	check(absf(asking.get_loss() - 0.37) < 0.15, "loss %.2f" % asking.get_loss())
	note("%d of %d lost" % [asking.lost_count, asking.sent_count])


func test_it_survives_awful() -> void:
	var awful: UdpLinkConditions = load("res://addons/packet_peer_udp_rs/conditions/awful.tres")
	var conditions: UdpLinkConditions = awful.duplicate()
	conditions.rng_seed = SEED
	var asking := _asking(conditions, conditions)
	asking.interval_msec = 20
	_talk(asking, 150)
	asking.interval_msec = 60_000
	_settle(asking)
	_check_counts(asking)
	check(asking.get_min_msec() > 200.0, "%.2f ms at best" % asking.get_min_msec())
	# A duplicated ping or answer is answered or ignored, not measured twice.
	check(asking.ignored_count > 0, "no duplicate came")
	var stats := _own_peer.get_stats()
	check(asking.lost_count <= stats.conditions_lost + stats.conditions_dropped, "too many lost")
	note(
		(
			"%.0f ± %.0f ms, 95 %% below %.0f, %.0f %% lost"
			% [
				asking.smoothed_msec,
				asking.variation_msec,
				asking.get_percentile_msec(95.0),
				100.0 * asking.get_loss()
			]
		)
	)


func test_duplicates_and_reordering_change_no_count() -> void:
	var bad := {duplicate = 1.0, latency_msec = 5.0, jitter_msec = 5.0, jitter_reorders = true}
	var asking := _asking(_line(bad), _line(bad))
	asking.interval_msec = 2
	var notes := Notes.new(asking)
	_talk(asking, 100)
	asking.interval_msec = 60_000
	# Each ping came twice, and each answer to it.
	var settled := func() -> bool:
		asking.poll()
		_nodes[0].poll()
		return asking.ignored_count == 3 * asking.sent_count
	check(wait_until(settled), "%d ignored of %d" % [asking.ignored_count, asking.sent_count])
	check_equal(asking.answered_count, asking.sent_count, "answered")
	check_equal(notes.rtts_msec.size(), asking.sent_count, "measured emitted")
	check_equal(asking.lost_count, 0, "lost")


func test_a_late_answer_is_a_loss() -> void:
	var asking := _asking(_line({latency_msec = 200.0}))
	asking.timeout_msec = 50
	asking.interval_msec = 20
	var enough := func() -> bool:
		asking.poll()
		_nodes[0].poll()
		return asking.ignored_count >= 5
	check(wait_until(enough), "%d late answers" % asking.ignored_count)
	check_equal(asking.answered_count, 0, "answered")
	check_equal(asking.get_loss(), 1.0, "loss")
	_check_counts(asking)


func test_silence_is_reported_once() -> void:
	var asking := _asking()
	asking.silence_msec = 100
	asking.timeout_msec = 50
	asking.interval_msec = 10
	var notes := Notes.new(asking)
	_talk(asking, 3)
	check_equal(notes.silences, 0, "silences at first")
	var blackout := _line({blackout = true})
	for i in 2:
		_own_peer.send_conditions = blackout
		var silent := func() -> bool:
			asking.poll()
			return notes.silences > i
		check(wait_until(silent), "it does not notice the silence")
		for more in 20:
			asking.poll()
			OS.delay_msec(10)
		check_equal(notes.silences, i + 1, "silences")
		_own_peer.send_conditions = null
		var answered := asking.answered_count
		var again := func() -> bool:
			asking.poll()
			_nodes[0].poll()
			return asking.answered_count > answered
		check(wait_until(again), "it is not answered again")
	_check_counts(asking)


func test_waiting_pings_are_bounded() -> void:
	var asking := _asking(_line({blackout = true}))
	asking.interval_msec = 0
	asking.timeout_msec = 600_000
	for i in 2 * Ping.MOST_WAITING:
		asking.poll()
	check(asking.get_waiting_count() <= Ping.MOST_WAITING, "%d wait" % asking.get_waiting_count())
	check(asking.lost_count >= 500, "the oldest are lost: %d" % asking.lost_count)
	_check_counts(asking)


# ---- other ends ---------------------------------------------------------------------------------


func test_the_offset_of_another_clock_is_found() -> void:
	for ahead: int in [5_000_000, -3_000_000_000, 1 << 50]:
		var answerer := Answerer.new()
		check_equal(answerer.peer.bind(0, LOOPBACK), OK, "bind")
		answerer.clock_ahead_usec = ahead
		var asking := _asking_at(answerer.peer.get_local_port())
		if ahead < 0:
			# Its clock is behind by more than the engine has run: no clock is below zero.
			_answered_by(answerer, asking, func() -> bool: return asking.ignored_count >= 5)
			check_equal(asking.answered_count, 0, "answers from before the start")
			continue
		_answered_by(answerer, asking, func() -> bool: return asking.answered_count >= 10)
		var error := absi(asking.offset_usec - ahead)
		check(error <= asking.offset_error_usec, "wrong by %d µs" % error)
		var other := asking.get_other_ticks_usec() - Time.get_ticks_usec() - ahead
		check(absi(other) <= asking.offset_error_usec + 1000, "get_other_ticks_usec: %d" % other)


func test_both_ends_may_be_native() -> void:
	var answering := _node(Ping.new(PacketPeerUDP.new()))
	check_equal(answering.listen(0, LOOPBACK), OK, "listen")
	var asking := _node(Ping.new(PacketPeerUDP.new()))
	check_equal(asking.start(LOOPBACK, answering.get_port()), OK, "start")
	asking.interval_msec = 5
	_talk(asking, 20)
	_check_counts(asking)
	# One end native, in either role.
	for pair: Array in [[null, PacketPeerUDP.new()], [PacketPeerUDP.new(), null]]:
		var one := _node(Ping.new(pair[0]))
		var other := _node(Ping.new(pair[1]))
		check_equal(other.listen(0, LOOPBACK), OK, "listen")
		check_equal(one.start(LOOPBACK, other.get_port()), OK, "start")
		one.interval_msec = 5
		_nodes[0] = other
		_talk(one, 20)
		check(one.get_min_msec() < 30.0, "%.2f ms at best" % one.get_min_msec())
		_nodes[0] = answering


func test_both_ends_may_ask() -> void:
	var one := _node(Ping.new())
	var other := _node(Ping.new())
	check_equal(one.listen(0), OK, "listen")
	var port := one.get_port()
	check_equal(other.start(LOOPBACK, port), OK, "start of the other")
	check_equal(one.start(LOOPBACK, other.get_port(), port), OK, "start")
	for ping: Ping in [one, other]:
		ping.interval_msec = 5
	var both := func() -> bool:
		one.poll()
		other.poll()
		return one.answered_count >= 10 and other.answered_count >= 10
	check(wait_until(both), "%d and %d" % [one.answered_count, other.answered_count])
	check_equal(one.ignored_count + other.ignored_count, 0, "ignored")


func test_it_works_in_the_tree_and_in_a_paused_game() -> void:
	var asking := _asking()
	var tree: SceneTree = Engine.get_main_loop()
	for node: Node in _nodes:
		tree.root.add_child.call_deferred(node)
	asking.interval_msec = 5
	tree.paused = true
	var frames := 0
	while asking.answered_count < 5 and frames < 2000:
		await tree.process_frame
		frames += 1
	tree.paused = false
	check(asking.answered_count >= 5, "answered in %d frames: %d" % [frames, asking.answered_count])
	tree.root.remove_child(asking)
	check(not _own_peer.is_bound(), "the port is open after the node has left the tree")


func test_arguments_that_are_wrong_are_refused() -> void:
	var ping := _node(Ping.new())
	check_equal(ping.start(LOOPBACK, 0), ERR_INVALID_PARAMETER, "port 0")
	check_equal(ping.start(LOOPBACK, 65_536), ERR_INVALID_PARAMETER, "port 65,536")
	check_equal(ping.start("no such host.invalid", 1), ERR_CANT_RESOLVE, "a bad name")
	ping.poll()
	ping.stop()
	ping.poll()
	check_equal(ping.sent_count, 0, "sent")
	check_equal(ping.get_min_msec(), 0.0, "minimum of nothing")
	check_equal(ping.get_loss(), 0.0, "loss of nothing")


# ---- hostile packets ----------------------------------------------------------------------------


func test_forged_and_absurd_answers_are_ignored() -> void:
	var changes: Dictionary[String, Callable] = {
		"another secret": _with.bind(8, 1),
		"another number": _with.bind(4, 0x7000_0000_0000),
		"an answer before the ping came": _with.bind(24, 0),
		"held for longer than the round trip": _with.bind(24, 1 << 50),
		"the largest numbers": _with.bind(16, 0x7fff_ffff_ffff_ffff, 24, 0x7fff_ffff_ffff_ffff),
		"negative times": _with.bind(16, -2, 24, -1),
		"too short": func(packet: PackedByteArray) -> PackedByteArray: return packet.slice(0, 31),
		"too long": func(packet: PackedByteArray) -> PackedByteArray: return packet + packet,
	}
	for what in changes:
		var answerer := Answerer.new()
		check_equal(answerer.peer.bind(0, LOOPBACK), OK, "bind")
		answerer.change = changes[what]
		var asking := _asking_at(answerer.peer.get_local_port())
		_answered_by(answerer, asking, func() -> bool: return asking.ignored_count >= 3)
		check_equal(asking.answered_count, 0, what)
		check_equal(asking.offset_error_usec, -1, what + ": the offset")
		# The true answer to a later ping is still taken.
		answerer.change = Callable()
		_answered_by(answerer, asking, func() -> bool: return asking.answered_count >= 1)
		_check_counts(asking)


func test_a_flood_of_garbage_changes_nothing() -> void:
	var asking := _asking()
	asking.interval_msec = 5
	var random := RandomNumberGenerator.new()
	random.seed = SEED
	var sender := PacketPeerUDP.new()
	var sent := PackedInt64Array([0])  # an array: a lambda cannot assign to a local variable
	var flood_and_talk := func() -> bool:
		for node: Ping in _nodes:
			for i in 100:
				sender.set_dest_address(LOOPBACK, node.get_port())
				sender.put_packet(_garbage(random))
				sent[0] += 1
			node.poll()
		return asking.answered_count >= 50 and sent[0] > 20_000
	# The system may drop some of a flood, and a ping with it.
	check(wait_until(flood_and_talk), "%d answered" % asking.answered_count)
	check(asking.ignored_count > 1000, "%d ignored" % asking.ignored_count)
	asking.interval_msec = 60_000
	_settle(asking)
	_check_counts(asking)
	check(asking.get_percentile_msec(100.0) < 3000.0, "absurd round-trip times")


func test_an_answer_is_not_longer_than_the_ping() -> void:
	var answering := _node(Ping.new())
	check_equal(answering.listen(0, LOOPBACK), OK, "listen")
	var stranger := connected_to(_port_of(answering), NATIVE)
	var ping := PackedByteArray()
	ping.resize(Ping.PACKET_BYTES)
	ping.encode_u32(0, Ping.PING)
	for short: int in [4, 16, 31]:
		send(stranger, [ping.slice(0, short)])
	send(stranger, [ping])
	var answered := func() -> bool:
		answering.poll()
		return stranger.get_available_packet_count() > 0
	check(wait_until(answered), "no answer")
	check_equal(stranger.get_packet().size(), ping.size(), "bytes of the answer")
	check_equal(answering.ignored_count, 3, "ignored")
	answering.answers_pings = false
	send(stranger, [ping])
	var ignored := func() -> bool:
		answering.poll()
		return answering.ignored_count == 4
	check(wait_until(ignored), "with answers_pings off it is answered")


# -------------------------------------------------------------------------------------------------


func _node(ping: Ping) -> Ping:
	_nodes.append(ping)
	return ping


# An end that asks another one, which is the first of _nodes, through conditions.
func _asking(there: UdpLinkConditions = null, back: UdpLinkConditions = null) -> Ping:
	var answering := _node(Ping.new())
	check_equal(answering.listen(0, LOOPBACK), OK, "listen")
	_own_peer = PacketPeerUdpRs.new()
	_own_peer.background_receive = true
	_own_peer.send_conditions = there
	_own_peer.receive_conditions = back
	var asking := _node(Ping.new(_own_peer))
	check_equal(asking.start(LOOPBACK, answering.get_port()), OK, "start")
	asking.interval_msec = 10
	return asking


func _asking_at(port: int) -> Ping:
	var asking := _node(Ping.new())
	check_equal(asking.start(LOOPBACK, port), OK, "start")
	asking.interval_msec = 5
	return asking


func _line(properties: Dictionary) -> UdpLinkConditions:
	var conditions := UdpLinkConditions.new()
	conditions.rng_seed = SEED
	for property: String in properties:
		conditions.set(property, properties[property])
	return conditions


# Lets both ends work until so many pings were answered or lost.
func _talk(asking: Ping, count: int) -> void:
	var enough := func() -> bool:
		asking.poll()
		_nodes[0].poll()
		return asking.answered_count + asking.lost_count >= count
	check(wait_until(enough), "%d of %d pings" % [asking.answered_count, count])


# Until each ping has its result.
func _settle(asking: Ping) -> void:
	var settled := func() -> bool:
		asking.poll()
		_nodes[0].poll()
		return asking.get_waiting_count() == 0
	check(wait_until(settled), "%d pings wait" % asking.get_waiting_count())


func _answered_by(answerer: Answerer, asking: Ping, until: Callable) -> void:
	var step := func() -> bool:
		asking.poll()
		answerer.answer()
		return until.call()
	check(wait_until(step), "it was asked %d times" % answerer.asked)


func _check_counts(ping: Ping) -> void:
	var known := ping.answered_count + ping.lost_count + ping.get_waiting_count()
	check_equal(known, ping.sent_count, "answered, lost and waiting")


# A peer that knows the port of a ping, for connected_to().
func _port_of(ping: Ping) -> RefCounted:
	return ping._peer


# The packet with one or two other numbers of eight bytes.
static func _with(
	packet: PackedByteArray, at: int, number: int, also_at := -1, another := 0
) -> PackedByteArray:
	packet.encode_s64(at, number)
	if also_at >= 0:
		packet.encode_s64(also_at, another)
	return packet


# Random bytes of any length, often with the begin of a packet.
static func _garbage(random: RandomNumberGenerator) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(random.randi_range(1, 64) if random.randf() < 0.5 else Ping.PACKET_BYTES)
	for i in packet.size():
		packet[i] = random.randi() & 0xff
	if packet.size() >= 4 and random.randf() < 0.5:
		packet.encode_u32(0, Ping.ANSWER)
	return packet
