extends "../support/suite.gd"
## samples/motion_capture.gd: a thousand packets a second while the main thread is busy, the
## examples of the OSC 1.0 specification byte by byte, and ten thousand damaged packets.

const Frames := preload("../support/frames.gd")
const Sample := preload("res://samples/motion_capture.gd")

const RATE := 1000
const SECONDS := 2
## How long a frame of a busy game takes.
const BUSY_MSEC := 100
const SEED := 17
## The examples of the specification.
const FREQUENCY := "2f6f7363 696c6c61 746f722f 342f6672 65717565 6e637900" + "2c660000 43dc0000"
const FOO_HEADER := "2f666f6f 00000000 2c696973 66660000"
const FOO := FOO_HEADER + "000003e8 ffffffff 68656c6c 6f000000 3f9df3b6 40b5b22d"


## Sends packets at a rate from a thread, and knows when.
class PacedSender:
	var packets: Array[PackedByteArray] = []
	var first_usec := 0
	var last_usec := 0
	var failed := 0

	func run(port: int) -> void:
		var socket := PacketPeerUDP.new()
		socket.set_dest_address("127.0.0.1", port)
		var start := Time.get_ticks_usec()
		for i in packets.size():
			var due := start + i * 1_000_000 / RATE
			var now := Time.get_ticks_usec()
			while now < due:
				OS.delay_usec(due - now)
				now = Time.get_ticks_usec()
			failed += int(socket.put_packet(packets[i]) != OK)
			last_usec = now
			if i == 0:
				first_usec = now

	func rate() -> float:
		return (packets.size() - 1) * 1e6 / (last_usec - first_usec)


# ---- a stream -----------------------------------------------------------------------------------


func test_a_thousand_osc_packets_a_second_while_the_game_is_busy() -> void:
	var sender := PacedSender.new()
	for i in RATE * SECONDS:
		sender.packets.append(
			_message("/hand/left", ",iffs", _ints([i]) + _floats([i, -i]) + _text("a"))
		)
	var capture := _capture()
	var seen := await _received_while_busy(capture, sender)
	var numbers := seen.map(func(sample: Sample.Sample) -> int: return sample.arguments[0])
	check_equal(numbers, range(RATE * SECONDS), "the numbers")
	check_equal(seen[77].arguments, [77, 77.0, -77.0, "a"], "arguments")
	check_equal(capture.latest.keys(), ["/hand/left"], "addresses")
	check_equal(capture.get_value("/hand/left")[0], RATE * SECONDS - 1, "the newest")
	check_equal(capture.get_value("/hand/right"), [], "one that never came")
	check_equal(capture.osc.malformed + capture.osc.unsupported, 0, "malformed")
	capture.free()


func test_a_thousand_raw_frames_a_second_while_the_game_is_busy() -> void:
	var sender := PacedSender.new()
	for i in RATE * SECONDS:
		# It starts again at 0 on its way. 21 joints with seven values.
		var values := PackedFloat32Array()
		values.resize(147)
		values.fill(i)
		sender.packets.append(_frame(i - 1000, values))
	var capture := _capture(Sample.Format.RAW)
	var seen := await _received_while_busy(capture, sender)
	var values := seen.map(func(sample: Sample.Sample) -> float: return sample.arguments[0][146])
	check_equal(values, range(RATE * SECONDS).map(func(i: int) -> float: return i), "the frames")
	check_equal([capture.lost, capture.late, capture.malformed], [0, 0, 0], "lost, late, malformed")
	capture.free()


# Receives what is sent, in frames of 100 ms, and returns all samples.
func _received_while_busy(capture: Sample, sender: PacedSender) -> Array[Sample.Sample]:
	var seen: Array[Sample.Sample] = []
	var counts := PackedInt32Array()
	var parsing := PackedInt32Array()
	capture.received.connect(
		func(count: int) -> void:
			counts.append(count)
			seen.append_array(capture.samples)
	)
	# All of the stream is measured.
	capture.arrivals.window_usec = 1_000_000_000
	var thread := in_thread(sender.run.bind(capture.socket.get_local_port()))
	while thread.is_alive():
		OS.delay_msec(BUSY_MSEC)
		var start := Time.get_ticks_usec()
		capture._process(0)
		parsing.append(Time.get_ticks_usec() - start)
		await Frames.wait(1)
	join(thread)
	var all_came := func() -> bool: return seen.size() >= sender.packets.size()
	check(await Frames.until(all_came, 5000), "%d came" % seen.size())
	check_equal(sender.failed, 0, "not sent")
	check_equal(capture.get_dropped(), 0, "dropped")
	check_equal(capture.arrivals.packets, sender.packets.size(), "packets")
	var rate := capture.arrivals.get_rate()
	check(absf(rate / sender.rate() - 1) < 0.01, "%.2f Hz, sent: %.2f" % [rate, sender.rate()])
	check(counts.size() < SECONDS * 1000 / BUSY_MSEC * 2, "frames: %d" % counts.size())
	for i in range(1, seen.size()):
		if seen[i].time_usec < seen[i - 1].time_usec:
			fail("packet %d arrived before the one before" % i)
	check(seen[0].time_usec >= sender.first_usec - 1000, "the first came before it was sent")
	check(capture.arrivals.jitter_usec < 1e6, "jitter")
	var sorted := parsing.duplicate()
	sorted.sort()
	note(
		(
			"%.1f Hz, jitter %.0f µs, longest gap %d µs; %d frames, %d µs each for %d packets"
			% [
				rate,
				capture.arrivals.jitter_usec,
				capture.arrivals.longest_gap_usec,
				parsing.size(),
				sorted[sorted.size() / 2],
				BUSY_MSEC * RATE / 1000
			]
		)
	)
	return seen


func test_rate_jitter_and_gaps_are_measured_from_the_times() -> void:
	var arrivals := Sample.Arrivals.new()
	check_equal(arrivals.get_rate(), 0.0, "the rate of nothing")
	var times := PackedInt64Array()
	for i in 5000:
		# Every second one is 200 µs late: the gaps differ by 200 µs from their mean.
		times.append(1_000_000 + i * 1000 + 200 * (i % 2))
	for i in range(0, 5000, 50):
		arrivals.add(times.slice(i, i + 50))
	check(absf(arrivals.get_rate() - 1000) < 1, "%f Hz" % arrivals.get_rate())
	check(absf(arrivals.jitter_usec - 200) < 2, "jitter %f" % arrivals.jitter_usec)
	check_equal(arrivals.longest_gap_usec, 1200, "the longest gap")
	# Half as fast: after the window it is the rate.
	for i in 1500:
		arrivals.add([6_000_000 + i * 2000])
	check(absf(arrivals.get_rate() - 500) < 1, "%f Hz" % arrivals.get_rate())
	check(arrivals.jitter_usec < 1, "jitter %f" % arrivals.jitter_usec)
	arrivals.add([arrivals._times[-1], arrivals._times[-1] - 5])
	check_equal(arrivals.packets, 6502, "packets")
	arrivals.reset()
	check_equal(arrivals.get_rate(), 0.0, "the rate after reset()")


func test_only_one_sender_is_read() -> void:
	var capture := _capture()
	capture.only_from = "127.0.0.9"
	var sender := sender_to(capture.socket)
	send(sender, [_message("/a", ",i", _ints([1])), _message("/b", ",i", _ints([2]))])
	check(await Frames.until(func() -> bool: return capture.ignored == 2), "not ignored")
	check_equal(capture.latest.size(), 0, "addresses")
	capture.only_from = LOOPBACK
	send(sender, [_message("/a", ",i", _ints([3]))])
	check(await Frames.until(func() -> bool: return not capture.latest.is_empty()), "not read")
	check_equal(capture.get_value("/a"), [3], "the value")
	capture.most_addresses = 1
	send(sender, [_message("/b", ",i", _ints([4])), _message("/a", ",i", _ints([5]))])
	check(await Frames.until(func() -> bool: return capture.get_value("/a") == [5]), "not read")
	check_equal(capture.ignored, 3, "ignored")
	check_equal(capture.latest.keys(), ["/a"], "addresses")
	capture.free()


func test_raw_frames_are_counted_by_their_numbers() -> void:
	var capture := _capture(Sample.Format.RAW)
	var sender := sender_to(capture.socket)
	var numbers: Array[int] = []
	capture.received.connect(
		func(_count: int) -> void:
			for sample in capture.samples:
				numbers.append(sample.number)
	)
	for number: int in [-3, -2, 1, 0, 1, 1, 5, 2_000_000_000, 2_000_000_001, 7, 8]:
		send(sender, [_frame(number, [1.5])])
	send(sender, [bytes("short"), bytes("sevenby"), bytes("1234")])
	check(await Frames.until(func() -> bool: return capture.malformed == 3), "malformed")
	check_equal(
		numbers, [0xffff_fffd, 0xffff_fffe, 1, 5, 2_000_000_001, 8] as Array[int], "the numbers"
	)
	check_equal([capture.lost, capture.late], [5, 5], "lost, late")
	check_equal(capture.latest[Sample.RAW_ADDRESS].arguments, [PackedFloat32Array([1.5])], "latest")
	capture.free()


func test_one_wrong_number_does_not_make_what_follows_late() -> void:
	for wrong: int in [50 + 2999, 50 + 99_000, 50 - 2999]:
		var capture := _capture(Sample.Format.RAW)
		var sender := sender_to(capture.socket)
		for i in 200:
			send(sender, [_frame(wrong if i == 50 else i, [1.5])])
		check(await Frames.until(func() -> bool: return capture.arrivals.packets == 200), "not all")
		# The wrong one, and the next one after it where it was believed.
		check(capture.late <= 2, "late: %d after %d" % [capture.late, wrong])
		check_equal(capture._last_number, 199, "the last number")
		capture.free()


func test_strangers_cannot_fill_the_memory() -> void:
	var capture := _capture()
	var sender := sender_to(capture.socket)
	for i in 100:
		send(sender, [_message("/%d/" % i + "a".repeat(60_000), ",", [])])
		check(
			await Frames.until(func() -> bool: return capture.arrivals.packets == i + 1), "packets"
		)
	var bytes := 0
	for sample: Sample.Sample in capture.latest.values():
		bytes += sample.size
	check(bytes <= Sample.MOST_LATEST_BYTES, "%d bytes" % bytes)
	check(capture.latest.size() > 50, "%d addresses" % capture.latest.size())
	check(capture.ignored > 0, "all were kept")
	check_equal(capture.latest.size() + capture.ignored, 100, "addresses and ignored")
	capture.free()


func test_packets_that_are_slow_to_read_do_not_stop_the_game() -> void:
	var capture := _capture()
	capture.set_process(false)
	capture.most_msec_per_frame = 1
	var sender := sender_to(capture.socket)
	# A text that is new each time is checked byte by byte.
	for i in 40:
		send(sender, [_message("/%d/" % i + "a".repeat(60_000), ",", [])])
		check(
			await Frames.until(func() -> bool: return queued(capture.socket) == i + 1),
			"not arrived"
		)
	capture._receive()
	check(capture.arrivals.packets < 40, "%d packets at once" % capture.arrivals.packets)
	while queued(capture.socket) > 0:
		capture._receive()
	check_equal(capture.arrivals.packets, 40, "packets in the end")
	check_equal(capture.latest.size(), 40, "addresses")
	capture.free()


# ---- OSC ----------------------------------------------------------------------------------------


func test_the_examples_of_the_specification() -> void:
	var osc := Sample.Osc.new()
	var samples := _parsed(osc, [_hex(FREQUENCY), _hex(FOO)])
	check_equal(samples.size(), 2, "messages")
	check_equal(samples[0].address, "/oscillator/4/frequency", "address")
	check_equal(samples[0].arguments, [440.0], "arguments")
	check_equal(samples[0].time_tag, 1, "the time tag of a message by itself")
	check_equal(samples[0].time_usec, 1000, "time of arrival")
	check_equal(samples[1].time_usec, 1001, "time of arrival")
	check_equal(samples[1].address, "/foo", "address")
	var arguments := samples[1].arguments
	check_equal(arguments.slice(0, 3), [1000, -1, "hello"], "arguments")
	check(is_equal_approx(arguments[3], 1.234), "%s" % arguments[3])
	check(is_equal_approx(arguments[4], 5.678), "%s" % arguments[4])
	# The specification's strings: "OSC" takes four bytes, "data" eight.
	samples = _parsed(osc, [_message("/t", ",ss", _hex("4f534300 64617461 00000000"))])
	check_equal(samples[0].arguments, ["OSC", "data"], "strings")
	check_equal(osc.malformed, 0, "malformed")


func test_all_types() -> void:
	var osc := Sample.Osc.new()
	var blobs := _blob([1, 2, 3]) + _blob([]) + _blob([1, 2, 3, 4])
	var data := _ints([-0x8000_0000, 0x7fff_ffff]) + _text("") + _text("größe") + blobs
	var samples := _parsed(osc, [_message("/all/types", ",iTissbbbF", data)])
	check_equal(samples.size(), 1, "messages")
	check_equal(
		samples[0].arguments,
		[
			-0x8000_0000,
			true,
			0x7fff_ffff,
			"",
			"größe",
			PackedByteArray([1, 2, 3]),
			PackedByteArray(),
			PackedByteArray([1, 2, 3, 4]),
			false
		],
		"arguments"
	)
	samples = _parsed(osc, [_message("/none", ",", [])])
	check_equal(samples[0].arguments, [], "no arguments")
	check_equal(osc.malformed + osc.unsupported, 0, "left out")


func test_bundles() -> void:
	var osc := Sample.Osc.new()
	var one := _message("/one", ",i", _ints([1]))
	var two := _message("/two", ",i", _ints([2]))
	var inner := _bundle("00000002 80000000", [two])
	var bundle := _bundle("00000001 80000000", [one, inner, one])
	var samples := _parsed(osc, [bundle, one, _bundle("00000000 00000001", [])])
	var found := samples.map(
		func(sample: Sample.Sample) -> Array: return [sample.address, sample.time_tag]
	)
	check_equal(
		found,
		[
			["/one", 0x1_8000_0000],
			["/two", 0x2_8000_0000],
			["/one", 0x1_8000_0000],
			["/one", 1],
		],
		"messages"
	)
	check_equal(osc.malformed, 0, "malformed")
	# A wrong element ends nothing but itself; a wrong size ends the bundle.
	samples = _parsed(osc, [_bundle("00000000 00000001", [one, bytes("/bad"), two])])
	check_equal(samples.size(), 2, "messages around a wrong one")
	check_equal(osc.malformed, 1, "malformed")
	for i in 12:
		one = _bundle("00000000 00000001", [one])
	check_equal(_parsed(osc, [one]).size(), 0, "messages in too many bundles")
	check_equal(osc.malformed, 2, "malformed")


func test_what_is_malformed_is_counted() -> void:
	var wrong: Array[PackedByteArray] = [
		PackedByteArray(),
		bytes("/ab"),
		bytes("/abcdef"),
		bytes("/abcdefg"),
		_hex("2f610000"),
		_hex("2f610000 69000000"),
		_hex("2f610000 2c690000"),
		_hex("2f610000 2c690000 00000001 00000002"),
		_hex("2f610000 2c690000 0000"),
		# A byte after a null, in the address and in the padding.
		_hex("2f006100 2c000000"),
		_hex("2f610062 2c000000"),
		_hex("2f610000 2c730000 68006869 00000000"),
		# Strings and blobs that go on beyond the end, or have wrong sizes.
		_hex("2f610000 2c730000 68656c6c"),
		_hex("2f610000 2c620000 00000005 01020304"),
		_hex("2f610000 2c620000 ffffffff 01020304"),
		_hex("2f610000 2c620000 7fffffff 01020304"),
		_hex("2f610000 2c62"),
		# No UTF-8: a byte without its first, too long, a surrogate, above the last character, cut off.
		_hex("2f800000 2c000000"),
		_hex("2f610000 2c730000 c0af0000"),
		_hex("2f610000 2c730000 eda08000"),
		_hex("2f610000 2c730000 f4908080 00000000"),
		_hex("2f610000 2c730000 e2820000"),
		# Bundles: another name, no time, a size below zero, beyond the end, no size.
		_hex("2362756e 646c6500 00000000"),
		_hex("2362756e 646c6600 00000000 00000001"),
		_hex("2362756e 646c6500 00000000 00000001 fffffffc"),
		_hex("2362756e 646c6500 00000000 00000001 00000004"),
		_hex("2362756e 646c6500 00000000 00000001 00000000"),
	]
	for packet in wrong:
		var osc := Sample.Osc.new()
		# What comes after it in the batch is not touched.
		var samples := _parsed(osc, [packet, _hex(FREQUENCY)])
		check_equal(samples.size(), 1, "messages with " + packet.hex_encode())
		check_equal(osc.malformed, 1, "malformed with " + packet.hex_encode())
	var osc := Sample.Osc.new()
	_parsed(osc, [_message("/a", ",d", _hex("00000000 00000000"))])
	check_equal([osc.malformed, osc.unsupported], [0, 1], "another type")
	_parsed(osc, [_message("/a", "," + "T".repeat(60_000), [])])
	check_equal([osc.malformed, osc.unsupported], [0, 2], "60,000 arguments")
	osc.most_messages = 3
	check_equal(_parsed(osc, [_hex(FOO), _hex(FOO), _hex(FOO), _hex(FOO)]).size(), 3, "messages")
	check_equal(osc.skipped, 1, "skipped")


func test_nothing_is_read_beyond_a_bundle() -> void:
	var osc := Sample.Osc.new()
	for size: int in [1, 2, 3]:
		# The element leaves less than four bytes, and nothing follows: the engine would report it.
		var bundle := _bundle("00000000 00000001", []) + _ints([size]) + _hex("2f000000")
		check_equal(_parsed(osc, [bundle]).size(), 0, "messages")
		check_equal(osc.malformed, 2 * size, "malformed")


func test_ten_thousand_damaged_packets_print_nothing() -> void:
	const COUNT := 10_000
	var rng := RandomNumberGenerator.new()
	rng.seed = SEED
	var corpus: Array[PackedByteArray] = [
		_hex(FREQUENCY),
		_hex(FOO),
		_message("/all", ",iTsbF", _ints([1]) + _text("größe") + _blob([1, 2, 3])),
	]
	corpus.append(_bundle("00000000 00000001", corpus))
	corpus.append(_bundle("00000000 00000001", [corpus[3], corpus[0]]))
	var capture := _capture()
	var messages := [0]
	capture.received.connect(
		func(_count: int) -> void:
			messages[0] += capture.samples.size()
			for sample in capture.samples:
				check(sample.address.begins_with("/"), "address " + sample.address)
	)
	var sender := sender_to(capture.socket)
	var sent := 0
	for i in COUNT:
		var packet := _damaged(corpus, rng)
		# The engine's peer sends no empty ones.
		if packet.is_empty():
			packet = corpus[0]
		sent += int(sender.put_packet(packet) == OK)
		if i % 100 == 99:
			check(
				await Frames.until(func() -> bool: return capture.arrivals.packets == sent), "lost"
			)
	check_equal(sent, COUNT, "sent")
	check(capture.osc.malformed > COUNT / 4, "malformed: %d" % capture.osc.malformed)
	check(messages[0] > COUNT / 10, "messages: %d" % messages[0])
	send(sender, [_message("/last", ",s", _text("whole"))])
	check(
		await Frames.until(func() -> bool: return capture.get_value("/last") == ["whole"]), "last"
	)
	note(
		(
			"%d messages, %d malformed, %d unsupported"
			% [messages[0], capture.osc.malformed, capture.osc.unsupported]
		)
	)
	capture.free()


# One of the packets with some bytes changed, cut, made longer, or with a part of another.
static func _damaged(corpus: Array[PackedByteArray], rng: RandomNumberGenerator) -> PackedByteArray:
	var packet := corpus[rng.randi() % corpus.size()].duplicate()
	match rng.randi() % 5:
		0:
			packet.resize(rng.randi() % (packet.size() + 1))
		1:
			packet.resize(packet.size() + rng.randi() % 9)
		2:
			var other := corpus[rng.randi() % corpus.size()]
			var half := packet.slice(0, rng.randi() % packet.size() / 4 * 4)
			packet = half + other.slice(rng.randi() % other.size() / 4 * 4)
	for i in rng.randi() % 4:
		if not packet.is_empty():
			var at := rng.randi() % packet.size()
			packet[at] = [0, 0xff, 0x80, rng.randi() % 256, packet[at] ^ (1 << rng.randi() % 8)][
				rng.randi() % 5
			]
	return packet


# ---- helpers ------------------------------------------------------------------------------------


# In the tree, below the runner: the first test begins before the root takes children.
func _capture(format := Sample.Format.OSC) -> Sample:
	var capture := Sample.new()
	(Engine.get_main_loop() as SceneTree).root.get_child(-1).add_child(capture)
	check_equal(capture.open(0, LOOPBACK, format), OK, "open")
	return capture


# The messages of packets that arrived at 1,000 µs, 1,001 µs …
static func _parsed(osc: Sample.Osc, packets: Array) -> Array[Sample.Sample]:
	var joined := PackedByteArray()
	var sizes := PackedInt32Array()
	var times := PackedInt64Array()
	for packet: PackedByteArray in packets:
		joined.append_array(packet)
		times.append(1000 + sizes.size())
		sizes.append(packet.size())
	return osc.parse(joined, sizes, times)


static func _hex(text: String) -> PackedByteArray:
	return text.replace(" ", "").hex_decode()


static func _message(address: String, types: String, data: PackedByteArray) -> PackedByteArray:
	return _text(address) + _text(types) + data


static func _bundle(time_tag: String, elements: Array) -> PackedByteArray:
	var bundle := _text("#bundle") + _hex(time_tag)
	for element: PackedByteArray in elements:
		bundle += _ints([element.size()]) + element
	return bundle


static func _text(text: String) -> PackedByteArray:
	var padded := text.to_utf8_buffer()
	padded.resize(padded.size() / 4 * 4 + 4)
	return padded


static func _ints(values: Array) -> PackedByteArray:
	var packed := PackedByteArray()
	packed.resize(values.size() * 4)
	for i in values.size():
		packed.encode_s32(i * 4, values[i])
	return _swapped(packed)


static func _floats(values: Array) -> PackedByteArray:
	var packed := PackedByteArray()
	packed.resize(values.size() * 4)
	for i in values.size():
		packed.encode_float(i * 4, values[i])
	return _swapped(packed)


static func _blob(values: Array) -> PackedByteArray:
	var blob := PackedByteArray(values)
	blob.resize((values.size() + 3) / 4 * 4)
	return _ints([values.size()]) + blob


# Big-endian.
static func _swapped(packed: PackedByteArray) -> PackedByteArray:
	for at in range(0, packed.size(), 4):
		var four := packed.slice(at, at + 4)
		for i in 4:
			packed[at + i] = four[3 - i]
	return packed


static func _frame(number: int, values: PackedFloat32Array) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(4)
	packet.encode_u32(0, number & 0xffff_ffff)
	return packet + values.to_byte_array()
