extends "../support/suite.gd"
## The sample of multicast receivers: three of one stream on the loopback interface, and its figures
## with packets made by hand.

const MulticastReceivers := preload("res://samples/multicast_receivers.gd")

const GROUP := "239.255.77.61"
const OTHER_GROUP := "239.255.77.62"

var _open: Array[RefCounted] = []


func finish() -> void:
	for one in _open:
		one.call(&"close")
	super()


# ---- on the loopback interface ------------------------------------------------------------------


func test_every_receiver_gets_the_whole_stream() -> void:
	if not needs(&"loopback groups"):
		return
	var receivers := _receivers(3, [GROUP])
	var sender := _sender(receivers, GROUP)
	var heard := _Heard.new(receivers)
	for i in 200:
		check_equal(sender.send(numbered(i)), OK, "send")
	check(_until_received(receivers, GROUP, 200), "all have come")
	for i in 3:
		var stream := receivers.receivers[i].find(GROUP)
		check_equal(stream.highest, 199, "the last one")
		check_equal(stream.get_lost(), 0, "lost")
		check_equal(stream.duplicated + stream.reordered + stream.too_late, 0, "irregular ones")
		check_equal(heard.numbers[i], PackedInt32Array(range(200)), "numbers, in order")
		check_equal(heard.wrong_payloads, 0, "payloads")
		check(heard.are_times_good, "times go up, and none is in the future")
		check_equal(receivers.receivers[i].strangers, 0, "strangers")
	var result := receivers.compare(GROUP)
	check_equal(result.common, 200, "packets that all have")
	check_equal(result.missing, PackedInt32Array([0, 0, 0]), "missing")
	check(result.firsts[0] + result.firsts[1] + result.firsts[2] >= 200, "each came first once")
	note("spread %.1f µs, at most %d" % [result.spread_mean_usec, result.spread_max_usec])
	check_equal(receivers.compare(GROUP, 50).common, 50, "the newest 50")
	check_equal(receivers.compare("239.255.77.99").common, 0, "a group that nobody is in")


func test_what_one_receiver_loses_is_missing_there() -> void:
	if not needs(&"loopback groups"):
		return
	var receivers := _receivers(3, [GROUP])
	var conditions := UdpLinkConditions.new()
	conditions.loss = 0.2
	conditions.rng_seed = 17
	var bad := receivers.receivers[1]
	bad.peer.receive_conditions = conditions
	var sender := _sender(receivers, GROUP)
	for i in 500:
		sender.send()
		# Not more at a time than the system's buffer holds.
		if i % 50 == 49:
			_until_received(
				receivers, GROUP, i + 1, 0, [receivers.receivers[0], receivers.receivers[2]]
			)
	# The end of the stream is sent until it comes, so that what is lost is known.
	bad.peer.receive_conditions = null
	sender.send()
	var has_ended := func() -> bool:
		receivers.poll()
		return receivers.receivers.all(
			func(one: MulticastReceivers.Receiver) -> bool:
				return one.find(GROUP) != null and one.find(GROUP).highest == 500
		)
	check(wait_until(has_ended), "the last one has come everywhere")
	var lost: int = bad.peer.get_stats().conditions_lost
	check(lost > 50 and lost < 150, "%d of 500 are lost" % lost)
	var stream := bad.find(GROUP)
	# What was lost before the first one is not known to be sent.
	check_equal(stream.get_lost() + stream.first, lost, "lost, as the peer counts")
	check_equal(stream.received, 501 - lost, "received")
	check(absf(stream.get_loss() - stream.get_lost() / (501.0 - stream.first)) < 1e-9, "the share")
	var result := receivers.compare(GROUP)
	check_equal(result.missing, PackedInt32Array([0, stream.get_lost(), 0]), "missing")
	check_equal(result.common, stream.received, "packets that all have")


func test_a_receiver_that_is_later_lags() -> void:
	if not needs(&"loopback groups"):
		return
	var receivers := _receivers(3, [GROUP])
	var conditions := UdpLinkConditions.new()
	conditions.latency_msec = 40
	receivers.receivers[2].peer.receive_conditions = conditions
	var sender := _sender(receivers, GROUP)
	for i in 50:
		sender.send()
		OS.delay_msec(2)
	check(_until_received(receivers, GROUP, 50), "all have come")
	var result := receivers.compare(GROUP)
	check_equal(result.common, 50, "packets that all have")
	check(result.lag_mean_usec[2] >= 39_000, "it lags by %.0f µs" % result.lag_mean_usec[2])
	check(result.lag_mean_usec[0] < result.lag_mean_usec[2], "another lags less")
	check_equal(result.firsts[2], 0, "how often it was the first")
	check(result.spread_mean_usec >= 39_000, "the spread")
	check(result.spread_max_usec >= result.lag_max_usec[2], "the largest one")


func test_arrivals_are_those_of_packets_not_of_frames() -> void:
	if not needs(&"loopback groups"):
		return
	var receivers := _receivers(3, [GROUP])
	var sender := _sender(receivers, GROUP)
	# A frame of 200 ms, in which packets come every 10 ms.
	for i in 20:
		sender.send()
		OS.delay_msec(10)
	check(_until_received(receivers, GROUP, 20), "all have come")
	for receiver in receivers.receivers:
		var stream := receiver.find(GROUP)
		var span := stream.arrival_of(19) - stream.arrival_of(0)
		check(span >= 150_000, "from the first to the last one: %d µs" % span)


func test_groups_at_one_port_are_told_apart() -> void:
	if not needs(&"own groups"):
		return
	var receivers := _receivers(1, [GROUP, OTHER_GROUP])
	var port := receivers.receivers[0].peer.get_local_port()
	check(receivers.add(port, [OTHER_GROUP], loopback_interface()) != null, "a second one")
	var one := _sender(receivers, GROUP)
	var other := _sender(receivers, OTHER_GROUP)
	for i in 30:
		one.send()
		if i < 20:
			other.send()
	check(_until_received(receivers, OTHER_GROUP, 20), "all of one group have come")
	var both := receivers.receivers[0]
	var has_come := func() -> bool:
		both.poll()
		return both.find(GROUP) != null and both.find(GROUP).received == 30
	check(wait_until(has_come), "and of the other")
	check_equal(both.find(GROUP).sender_id, one.id, "the sender of one")
	check_equal(both.find(OTHER_GROUP).sender_id, other.id, "the sender of the other")
	var single := receivers.receivers[1]
	check(single.find(GROUP) == null, "a group that it has not joined")
	check_equal(single.find(OTHER_GROUP).received, 20, "the one that it has joined")
	check_equal(both.strangers + single.strangers, 0, "strangers")


func test_a_sender_that_starts_again_is_a_new_stream() -> void:
	if not needs(&"loopback groups"):
		return
	var receivers := _receivers(2, [GROUP])
	var sender := _sender(receivers, GROUP)
	for i in 30:
		sender.send()
	check(_until_received(receivers, GROUP, 30), "the first stream")
	var before := sender.id
	sender.close()
	var port := receivers.receivers[0].peer.get_local_port()
	check_equal(sender.open(GROUP, port, loopback_interface()), OK, "open again")
	for i in 10:
		sender.send()
	check(_until_received(receivers, GROUP, 10, sender.id), "the second one")
	var stream := receivers.receivers[0].find(GROUP)
	check_equal(stream.sender_id, sender.id, "the newest one is found")
	check(before != sender.id, "another id")
	check_equal(stream.get_lost(), 0, "lost")
	check_equal(receivers.compare(GROUP).common, 10, "it is compared")


func test_hostile_packets_change_nothing() -> void:
	if not needs(&"loopback groups"):
		return
	var receivers := _receivers(2, [GROUP])
	var sender := _sender(receivers, GROUP)
	for i in 10:
		sender.send()
	check(_until_received(receivers, GROUP, 10), "the stream has begun")
	var port := receivers.receivers[0].peer.get_local_port()
	var random := RandomNumberGenerator.new()
	random.seed = 17
	var hostile := make_peer(OURS)
	hostile.multicast_interface = loopback_interface()
	check_equal(hostile.bind(0, "0.0.0.0"), OK, "bind")
	var packets: Array[PackedByteArray] = [PackedByteArray(), bytes("hello"), bytes("MCST")]
	for i in 100:
		var noise := PackedByteArray()
		for k in random.randi_range(0, 60):
			noise.append(random.randi() & 0xFF)
		packets.append(noise)
	for row: Array in [
		[sender.id, 1 << 50, 0],
		[sender.id, -1, 0],
		[sender.id, 5, 0],
		[sender.id, 11, -5],
		[sender.id, 1 << 62, 0],
		[sender.id, (1 << 63) - 1, (1 << 63) - 1],
	]:
		packets.append(_packet(row[0], row[1], row[2]))
	for packet in packets:
		check_equal(hostile.send_to(packet, GROUP, port), OK, "send")
	# A right one to the machine's own address, not to the group, and ever new senders.
	hostile.send_to(_packet(sender.id, 10, 0), LOOPBACK, port)
	for i in 100:
		hostile.send_to(_packet(1000 + i, i, 0), GROUP, port)
	var have_come := func() -> bool:
		receivers.poll()
		return receivers.receivers[0].strangers >= packets.size() + 100 - 15
	check(wait_until(have_come), "%d strangers" % receivers.receivers[0].strangers)
	sender.send()
	check(_until_received(receivers, GROUP, 11, sender.id), "the stream goes on")
	for receiver in receivers.receivers:
		var stream := receiver.find(GROUP, sender.id)
		check_equal(stream.get_lost(), 0, "lost")
		check_equal(stream.highest, 10, "the last number")
		check(receiver.streams.size() <= MulticastReceivers.MAX_STREAMS, "streams")
		for one in receiver.streams:
			check_equal(one.group, GROUP, "the group of a stream")


func test_what_cannot_be_opened() -> void:
	var receivers := MulticastReceivers.new()
	_open.append(receivers)
	for row: Array in [[70_000, GROUP], [0, "192.0.2.1"], [0, "no address"]]:
		var added := []
		var lines := lines_of(func() -> void: added.append(receivers.add(row[0], [row[1]])))
		check_equal(added, [null], "add %s" % [row])
		check(not lines.is_empty(), "the log explains it")
	check_equal(receivers.receivers.size(), 0, "receivers")
	receivers.poll()
	# Elsewhere a port may be shared with one that did not agree.
	if not Platform.has(&"shared ports"):
		return
	var taken := taken_port(OURS, "0.0.0.0")
	lines_of(func() -> void: check(receivers.add(taken, [GROUP]) == null, "a port that is taken"))


# ---- figures, by hand ---------------------------------------------------------------------------


func test_lost_repeated_and_late_packets() -> void:
	var stream := MulticastReceivers.Stream.new()
	for number: int in [100, 101, 104, 102]:
		check(stream.take(number, 0, 0), "%d" % number)
	check(not stream.take(104, 0, 0), "104 again")
	check(stream.take(110, 0, 0), "110")
	check_equal(stream.received, 5, "received")
	check_equal(stream.duplicated, 1, "duplicated")
	check_equal(stream.reordered, 1, "reordered")
	check_equal(stream.get_lost(), 6, "lost: 103 and 105 to 109")
	check(absf(stream.get_loss() - 6.0 / 11) < 1e-9, "their share")
	check(stream.take(99, 0, 0), "one from before the first")
	check_equal(stream.get_lost(), 6, "lost")
	check_equal(stream.first, 99, "the first")
	# Further behind than what is known.
	for number in range(111, 111 + MulticastReceivers.WINDOW):
		stream.take(number, 0, 0)
	check(not stream.take(103, 0, 0), "it may have come before")
	check_equal(stream.too_late, 1, "too late")
	check_equal(stream.get_lost(), 6, "so it stays lost")
	check_equal(stream.arrival_of(103), -1, "its arrival")


func test_a_long_interruption_is_believed_when_it_is_confirmed() -> void:
	var stream := MulticastReceivers.Stream.new()
	stream.take(0, 0, 0)
	check(stream.take(3000, 0, 0), "3,000 ahead")
	check_equal(stream.get_lost(), 2999, "lost")
	check(not stream.take(900_000, 0, 0), "far ahead")
	check(not stream.take(500_000, 0, 0), "elsewhere far ahead")
	check(stream.take(3001, 0, 0), "where it was")
	check_equal(stream.get_lost(), 2999, "lost")
	check(not stream.take(900_000, 0, 0), "far ahead again")
	check(stream.take(900_001, 0, 0), "and the next")
	check_equal(stream.get_lost(), 900_002 - 4, "lost")


func test_jitter_is_that_of_rfc_3550() -> void:
	var stream := MulticastReceivers.Stream.new()
	# The sender's clock is another one: what counts are differences.
	var offset := 123_456_789
	var expected := 0.0
	var last := 0
	var delays := [1000, 1000, 1800, 1000, 5000, 4200, 1000, 900]
	for i in delays.size():
		var sent := 20_000 * i
		stream.take(i, sent + offset, sent + delays[i])
		if i > 0:
			expected += (absi(delays[i] - last) - expected) / 16.0
		last = delays[i]
		check(absf(stream.jitter_usec - expected) < 1e-6, "jitter after %d" % i)
		check_equal(
			stream.delay_usec, delays[i] - delays.slice(0, i + 1).min(), "above the fastest"
		)
	check(expected > 100.0, "it is some")


func test_a_comparison_by_hand() -> void:
	var receivers := MulticastReceivers.new()
	# Arrivals of packets 0 to 4 at each receiver; -1: it does not come.
	var rows := [[10, 20, 30, 40, 50], [13, 20, -1, 41, 50], [12, 26, 36, -1, 51]]
	for row: Array in rows:
		var receiver := MulticastReceivers.Receiver.new()
		var stream := MulticastReceivers.Stream.new()
		stream.group = GROUP
		stream.sender_id = 1
		for i in row.size():
			if row[i] >= 0:
				stream.take(i, 0, row[i])
		receiver.streams.append(stream)
		receivers.receivers.append(receiver)
	var result := receivers.compare(GROUP)
	check_equal(result.common, 3, "packets that all have: 0, 1 and 4")
	check_equal(result.missing, PackedInt32Array([0, 1, 1]), "missing")
	check_equal(result.firsts, PackedInt32Array([3, 2, 0]), "first here")
	for i in 3:
		var expected: float = [0.0, 1.0, 3.0][i]
		check(absf(result.lag_mean_usec[i] - expected) < 1e-9, "mean lag of %d" % i)
	check_equal(result.lag_max_usec, PackedInt64Array([0, 3, 6]), "largest lags")
	check(absf(result.spread_mean_usec - 10.0 / 3) < 1e-9, "mean spread")
	check_equal(result.spread_max_usec, 6, "largest spread")


# ---- helpers ------------------------------------------------------------------------------------


## Receivers that share a port.
func _receivers(count: int, groups: PackedStringArray) -> MulticastReceivers:
	var receivers := MulticastReceivers.new()
	_open.append(receivers)
	var port := 0
	for i in count:
		var receiver := receivers.add(port, groups, loopback_interface())
		check(receiver != null, "receiver %d" % i)
		port = receiver.peer.get_local_port()
	return receivers


func _sender(receivers: MulticastReceivers, group: String) -> MulticastReceivers.Sender:
	var sender := MulticastReceivers.Sender.new()
	_open.append(sender)
	var port := receivers.receivers[0].peer.get_local_port()
	check_equal(sender.open(group, port, loopback_interface()), OK, "open")
	return sender


## Waits until every receiver, or each of [param some], has so many packets of the stream.
func _until_received(
	receivers: MulticastReceivers, group: String, count: int, sender_id := 0, some := []
) -> bool:
	var has_all := func(receiver: MulticastReceivers.Receiver) -> bool:
		var stream := receiver.find(group, sender_id)
		return stream != null and stream.received >= count
	var have_all := func() -> bool:
		receivers.poll()
		return (some if some else receivers.receivers).all(has_all)
	return wait_until(have_all)


static func _packet(id: int, number: int, sent_usec: int) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(MulticastReceivers.HEAD_BYTES)
	packet.encode_u32(0, MulticastReceivers.MAGIC)
	packet[4] = MulticastReceivers.VERSION
	packet.encode_s64(5, id)
	packet.encode_s64(13, number)
	packet.encode_s64(21, sent_usec)
	return packet


## What receivers have told.
class _Heard:
	var numbers: Array[PackedInt32Array] = []
	var wrong_payloads := 0
	var are_times_good := true

	func _init(receivers: MulticastReceivers) -> void:
		for i in receivers.receivers.size():
			numbers.append(PackedInt32Array())
			receivers.receivers[i].packet_received.connect(_note.bind(i, [0]))

	func _note(
		_stream: MulticastReceivers.Stream,
		number: int,
		payload: PackedByteArray,
		arrived_usec: int,
		i: int,
		last: Array
	) -> void:
		numbers[i].append(number)
		wrong_payloads += int(number_of(payload) != number)
		var is_good: bool = arrived_usec >= last[0] and arrived_usec <= Time.get_ticks_usec()
		are_times_good = are_times_good and is_good
		last[0] = arrived_usec

	static func number_of(payload: PackedByteArray) -> int:
		return payload.decode_u32(0) if payload.size() == 16 else -1
