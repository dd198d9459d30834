extends "../support/suite.gd"
## When the Lab's patterns send, the values of an experiment, the relay and the export; see also
## lab_measures.gd.

const LabExport := preload("res://demo/lab/lab_export.gd")
const LabMeasures := preload("res://demo/lab/lab_measures.gd")
const LabPattern := preload("res://demo/lab/lab_pattern.gd")
const LabSchedule := preload("res://demo/lab/lab_schedule.gd")
const LabRelay := preload("res://demo/lab/lab_relay.gd")
const LabSetup := preload("res://demo/lab/lab_setup.gd")
const Networks := preload("res://demo/conditions/networks.gd")

## Any time on the clock.
const START := 5_000_000
const SECOND := 1_000_000
const BYTES := 100

# ---- patterns -----------------------------------------------------------------------------------


func test_each_pattern_sends_as_many_as_its_rate() -> void:
	for rate: int in [1, 7, 60, 100, 1234, 10_000]:
		for kind: LabPattern.Kind in [LabPattern.Kind.STEADY, LabPattern.Kind.BURSTS]:
			_check_rate(kind, rate, rate)
		_check_rate(LabPattern.Kind.GAME, rate, maxi(rate, 60))


func test_steady_packets_have_equal_distances() -> void:
	var pattern := _pattern(LabPattern.Kind.STEADY, 100)
	var moments := PackedInt32Array()
	for msec in 1000:
		for i in pattern.take_due(START + msec * 1000):
			moments.append(msec)
	check_equal(moments, PackedInt32Array(range(0, 1000, 10)), "when they are due, in ms")


func test_bursts_and_ticks_come_at_once() -> void:
	var cases: Array[Array] = [
		# As kind, rate, packets, times of it in a second.
		[LabPattern.Kind.BURSTS, 200, 50, 4],
		[LabPattern.Kind.GAME, 60, 1, 60],
		[LabPattern.Kind.GAME, 600, 10, 60],
	]
	for case in cases:
		var pattern := _pattern(case[0], case[1])
		var sizes := PackedInt32Array()
		for msec in 1000:
			var due := pattern.take_due(START + msec * 1000)
			if due:
				sizes.append(due)
		check_equal(sizes.size(), case[3], "%s: bursts" % [case])
		check_equal(sizes.count(case[2]), sizes.size(), "%s: their sizes" % [case])


func test_a_sender_that_was_kept_waiting_leaves_out_what_is_overdue() -> void:
	for kind: LabPattern.Kind in [
		LabPattern.Kind.STEADY, LabPattern.Kind.BURSTS, LabPattern.Kind.GAME
	]:
		var pattern := _pattern(kind, 10_000)
		pattern.take_due(START)
		var due := pattern.take_due(START + 3 * SECOND)
		check(due >= 1 and due <= 2500, "%s: %d at once" % [LabPattern.TITLES[kind], due])
		# It does not catch up later.
		var after := 0
		for msec in range(3001, 4001):
			after += pattern.take_due(START + msec * 1000)
		check(after in range(9833, 10_168), "%s: %d in a second" % [LabPattern.TITLES[kind], after])


func test_senders_of_one_schedule_send_the_same_packets() -> void:
	var random := RandomNumberGenerator.new()
	random.seed = 17
	for kind: LabPattern.Kind in [
		LabPattern.Kind.STEADY, LabPattern.Kind.BURSTS, LabPattern.Kind.GAME
	]:
		var schedule := LabSchedule.new(_pattern(kind, 10_000), START)
		var sent: Array[int] = [0, 0]
		var usec := START
		var largest := 0
		for i in 1000:
			# One of them comes every millisecond, the other one sometimes; once, both are away.
			usec += 3 * SECOND if i == 500 else 1000
			for sender in 2:
				if sender == 0 or random.randf() < 0.1:
					var due := schedule.due(usec, sent[sender], 0)
					largest = maxi(largest, due)
					sent[sender] += due
		var title := LabPattern.TITLES[kind]
		check(sent[0] in range(7500, 15_100), "%s: %d sent" % [title, sent[0]])
		check(largest < 10_000, "%s: %d at once" % [title, largest])
		schedule.end()
		for sender in 2:
			sent[sender] += schedule.due(usec + SECOND, sent[sender], 0)
			check_equal(schedule.due(usec + 2 * SECOND, sent[sender], 0), 0, title + ": the end")
		check_equal(sent[1], sent[0], title + ": both")


func test_a_file_is_sent_as_fast_as_its_window_allows() -> void:
	var pattern := _pattern(LabPattern.Kind.FILE, 1)
	pattern.file_bytes = 100_050
	pattern.packet_bytes = 1000
	pattern.window_packets = 64
	check_equal(pattern.problem(), "", "problem")
	var schedule := LabSchedule.new(pattern, START)
	check_equal(schedule.due(START, 0, 0), 64, "the first window")
	check_equal(schedule.due(START, 64, 64), 0, "while it is full")
	check_equal(schedule.due(START, 64, 44), 20, "when 20 have come")
	check_equal(schedule.due(START, 84, 0), 17, "the rest")
	check_equal(schedule.due(START + 200 * SECOND, 101, 0), 0, "no more")
	schedule.end()
	check_equal(schedule.due(START, 64, 0), 0, "nothing of a file after its end")
	var bytes := 0
	for number in 101:
		bytes += pattern.size_of(number)
	check_equal(bytes, 100_050, "all bytes")
	pattern.file_bytes = 100_001
	check_equal(pattern.size_of(100), LabPattern.LEAST_PACKET_BYTES, "room for the number")


# ---- values, relay, export ----------------------------------------------------------------------


func test_a_setup_says_what_cannot_be_run() -> void:
	check_equal(LabSetup.new().problem(), "", "as it is made")
	var cases: Array[Array] = [
		["near", LabSetup.EndKind.PROCESS],
		["packet_bytes", 11],
		["packet_bytes", 16_385],
		["packets_per_second", 0],
		["packets_per_second", 10_001],
	]
	for case in cases:
		var setup := LabSetup.new()
		setup.set(case[0], case[1])
		check(not setup.problem().is_empty(), "no problem with %s" % [case])
	for case: Array in [["file_bytes", 0], ["window_packets", 0]]:
		var setup := LabSetup.new()
		setup.pattern = LabPattern.Kind.FILE
		setup.set(case[0], case[1])
		check(not setup.problem().is_empty(), "no problem with %s" % [case])


func test_a_setup_has_copies_of_presets() -> void:
	var setup := LabSetup.new()
	for id in Networks.NAMES:
		setup.use_preset(id)
		var preset := Networks.preset(id)
		for conditions: UdpLinkConditions in [setup.there, setup.back]:
			check(conditions != preset, id + ": a copy")
			check_equal(conditions.latency_msec, preset.latency_msec, id)
		check(setup.there != setup.back, id + ": one for each direction")
	check(not setup.corrupts(), "no preset damages packets")
	setup.back.corrupt = 0.1
	check(setup.corrupts(), "but this does")
	setup.use_preset("")
	check_equal([setup.there, setup.back], [null, null], "no conditions")


func test_the_relay_wants_an_address_with_a_port() -> void:
	var relay := LabRelay.new()
	for address: String in [
		"",
		":",
		"127.0.0.1",
		"127.0.0.1:",
		":5",
		"0",
		"65536",
		"x",
		"127.0.0.1:0",
		"127.0.0.1:65536",
		"h:x",
		"127.0.0.1:99999999999999999999",
		"::1:5"
	]:
		check_equal(relay.start(address), ERR_INVALID_PARAMETER, "start(%s)" % address)
		check(not relay.trouble.is_empty(), "trouble with %s" % address)
		check_equal([relay.is_running(), relay.port()], [false, 0], "not running")


func test_the_relay_relays() -> void:
	var server := bound_peer(NATIVE)
	var relay := LabRelay.new()
	relay.there = UdpLinkConditions.new()
	check_equal(relay.start(" 127.0.0.1:%d " % server.get_local_port()), OK, "start")
	check_equal(relay.start("127.0.0.1:%d" % server.get_local_port()), ERR_ALREADY_IN_USE, "again")
	check(not relay.trouble.is_empty(), "trouble with the second start")
	var client := make_peer(NATIVE)
	check_equal(client.set_dest_address(LOOPBACK, relay.port()), OK, "set_dest_address")
	send(client, [bytes("hello")])
	check_equal(take(server), [bytes("hello")] as Array[PackedByteArray], "through the relay")
	var are_known := func() -> bool: return relay.stats()["to_target_packets_out"] == 1
	check(wait_until(are_known), "stats: %s" % relay.stats())
	check_equal(relay.stats()["clients"], 1, "clients")
	var port := relay.port()
	relay.stop()
	check_equal([relay.is_running(), relay.port()], [false, 0], "stopped")
	check_equal(relay.stats()["to_target_packets_out"], 1, "its counts stay")
	check_equal(relay.start(str(server.get_local_port())), OK, "start with a port alone")
	check_equal(relay.port(), port, "its own port is the one before")
	check_equal(relay.stats()["to_target_packets_out"], 0, "it counts from 0")
	relay.stop()
	var taken := PacketPeerUDP.new()
	check_equal(taken.bind(port, LOOPBACK), OK, "another program takes the port")
	allow_lines("another socket has this port")
	check_equal(relay.start(str(server.get_local_port())), OK, "start when it is taken")
	check(relay.port() not in [0, port], "then it has another port: %d" % relay.port())
	relay.stop()
	var wanted := relay.start(str(server.get_local_port()), port)
	check(wanted != OK and not relay.is_running(), "a taken port that is asked for: %d" % wanted)


func test_csv_has_the_values_of_the_series() -> void:
	var all: Array[LabMeasures] = [_begun(), _begun()]
	var random := RandomNumberGenerator.new()
	random.seed = 8
	for measures in all:
		for number in 900:
			var usec := START + number * 50_000
			if random.randf() < 0.2:
				measures.note_sent(number, usec, BYTES)
			else:
				_deliver(measures, number, usec, random.randi_range(5000, 300_000))
			measures.advance(usec)
	# One side is a few buckets ahead.
	all[1].advance(START + 900 * 50_000 + 400_000)
	var lines := LabExport.csv_of(PackedStringArray(["one", "two"]), all)
	check_equal(lines.size(), 1 + all[0].filled(), "a header, and a row for each bucket")
	var header := lines[0].split(",")
	check_equal(header.size(), 1 + 2 * LabMeasures.SERIES.size(), "columns")
	check_equal(header[0], "seconds", "the first column")
	check("one rtt_p50 (ms)" in header and "two frozen" in header, "titles: %s" % lines[0])
	var wrong := PackedStringArray()
	for row in all[0].filled():
		var cells := lines[1 + row].split(",")
		check_equal(cells.size(), header.size(), "cells of row %d" % row)
		_check_close(cells[0].to_float(), all[0].seconds_at(row), 0.001, "its time")
		var column := 1
		for measures in all:
			var place := row + all[0].newest() - measures.newest()
			for name in LabMeasures.SERIES:
				var value := measures.series(name)[place] if place >= 0 else NAN
				if not _is_written(cells[column], value):
					wrong.append("%s: '%s' for %s" % [header[column], cells[column], value])
				column += 1
	check_equal(wrong.slice(0, 3), PackedStringArray(), "cells that are not the value")


# ---- helpers ------------------------------------------------------------------------------------


func _begun() -> LabMeasures:
	var measures := LabMeasures.new()
	measures.begin(START)
	return measures


## Sends a packet, and lets it come back after so many microseconds.
func _deliver(measures: LabMeasures, number: int, usec: int, rtt: int) -> void:
	measures.note_sent(number, usec, BYTES)
	measures.note_arrived(number, usec, usec + rtt, BYTES)


func _check_close(got: float, expected: float, share: float, what: String) -> void:
	var is_close := absf(got - expected) <= absf(expected) * share + 1e-6
	check(is_close, "%s: got %s, expected %s" % [what, got, expected])


func _is_written(cell: String, value: float) -> bool:
	if is_nan(value):
		return cell.is_empty()
	return cell.is_valid_float() and absf(cell.to_float() - value) <= 0.0006


func _pattern(kind: LabPattern.Kind, rate: int) -> LabPattern:
	var pattern := LabPattern.new()
	pattern.kind = kind
	pattern.packets_per_second = rate
	pattern.begin(START)
	return pattern


## Asks each millisecond for ten seconds.
func _check_rate(kind: LabPattern.Kind, rate: int, expected: int) -> void:
	var pattern := _pattern(kind, rate)
	check_equal(pattern.problem(), "", "problem")
	check_equal(pattern.take_due(START - 1), 0, "before the start")
	var sum := 0
	for msec in 10_000:
		sum += pattern.take_due(START + msec * 1000)
	var what := "%s, %d a second: %d in 10 s" % [LabPattern.TITLES[kind], rate, sum]
	# Without what is due in the last millisecond; a part of a packet counts as one.
	check(absi(sum - 10 * expected) <= 1 + rate / 1000, what)
