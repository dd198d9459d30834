extends "../support/suite.gd"
## What the Lab measures, against worked examples and plain lists.

const LabMeasures := preload("res://demo/lab/lab_measures.gd")

## Any time on the clock.
const START := 5_000_000
const SECOND := 1_000_000
const BYTES := 100
const LAST := LabMeasures.BUCKETS - 1
## The width of a histogram's bin.
const BIN_SHARE := 0.045
## Loosely: measuring 10,000 packets a second takes less than a third of a processor.
const MOST_USEC_PER_PACKET := 30.0

# ---- round-trip times ---------------------------------------------------------------------------


func test_percentiles_are_those_of_sorted_times() -> void:
	var random := RandomNumberGenerator.new()
	random.seed = 3
	for spread: float in [0.05, 0.5, 2.0]:
		for count: int in [1, 2, 3, 20, 500]:
			var measures := _begun()
			var times := PackedInt64Array()
			for number in count:
				times.append(int(20_000.0 * exp(random.randfn() * spread)))
				measures.note_sent(number, START, BYTES)
			for number in count:
				measures.note_arrived(number, START, START + times[number], BYTES)
			times.sort()
			var totals := measures.totals()
			var what := "%d times, spread %.2f" % [count, spread]
			_check_close(totals[&"rtt_min"], times[0] / 1000.0, 0.0, what + ": min")
			_check_close(totals[&"rtt_max"], times[-1] / 1000.0, 0.0, what + ": max")
			for percent: int in [50, 95, 99]:
				var nearest_rank := ceili(percent / 100.0 * count)
				var expected := times[nearest_rank - 1] / 1000.0
				var name := StringName("rtt_p%d" % percent)
				_check_close(totals[name], expected, BIN_SHARE, "%s: %s" % [what, name])


func test_each_bucket_has_percentiles_of_its_own() -> void:
	var measures := _begun()
	_deliver(measures, 0, START, 10_000)
	_deliver(measures, 1, START + SECOND, 40_000)
	_deliver(measures, 2, START + SECOND, 80_000)
	measures.advance(START + 2 * SECOND - 1)
	var median := measures.series(&"rtt_p50")
	check_equal(median.size(), LabMeasures.BUCKETS, "values of the series")
	check_equal(_where_valid(median), PackedInt32Array([0, 20, 21]), "buckets with a value")
	_check_close(_at(measures, &"rtt_p50", 0), 10.0, BIN_SHARE, "the first bucket")
	_check_close(_at(measures, &"rtt_p50", 20), 40.0, BIN_SHARE, "after 1.04 s")
	_check_close(_at(measures, &"rtt_p99", 21), 80.0, BIN_SHARE, "after 1.08 s")
	_deliver(measures, 3, START + 2 * SECOND, 0)
	check_equal(_at(measures, &"rtt_min", 40), 0.0, "no time at all")
	check(_at(measures, &"rtt_p50", 40) <= 0.001, "its percentile")


func test_times_out_of_the_window_no_longer_count() -> void:
	var measures := _begun()
	for number in 100:
		_deliver(measures, number, START, 900_000)
	_deliver(measures, 100, START + 20 * SECOND, 5000)
	_check_close(measures.totals()[&"rtt_p50"], 900.0, BIN_SHARE, "before")
	measures.advance(START + 32 * SECOND)
	var totals := measures.totals()
	for name: StringName in [&"rtt_min", &"rtt_p50", &"rtt_p99", &"rtt_max"]:
		_check_close(totals[name], 5.0, BIN_SHARE, "later: " + name)
	measures.advance(START + 100 * SECOND)
	check(is_nan(measures.totals()[&"rtt_p50"]), "when all are out of the window")
	check_equal(measures.totals()[&"received"], 101, "received, since the start")


## RFC 3550, 6.4.1: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1)) / 16.
func test_jitter_is_that_of_rfc_3550() -> void:
	var measures := _begun()
	var transits: Array[int] = [10_000, 12_000, 11_000, 20_000, 10_000]
	# 2/16; + (1 - 0.125)/16; + (9 - …)/16; + (10 - …)/16
	var expected: Array[float] = [NAN, 0.125, 0.1796875, 0.7309570313, 1.3102722168]
	for number in transits.size():
		# A packet that came twice is compared once.
		_deliver(measures, number, START + number * SECOND, transits[number])
		var again := START + number * SECOND + transits[number] + 700
		measures.note_arrived(number, START + number * SECOND, again, BYTES)
		if number > 0:
			_check_close(
				measures.totals()[&"jitter"], expected[number], 1e-6, "after packet %d" % number
			)
	measures.advance(START + 5 * SECOND)
	check(is_nan(_at(measures, &"jitter", 0)), "before the second packet")
	for number in range(1, transits.size()):
		for between: int in [0, 1, 19]:
			var bucket := number * 20 + between
			_check_close(
				_at(measures, &"jitter", bucket), expected[number], 1e-5, "bucket %d" % bucket
			)


func test_jitter_keeps_its_value_in_buckets_that_opened_early() -> void:
	var measures := _begun()
	for number in 3:
		measures.note_sent(number, START, BYTES)
	measures.advance(START + 2 * SECOND)
	# As after a freeze: what came meanwhile is noted now.
	measures.note_arrived(0, START, START + 100_000, BYTES)
	measures.note_arrived(1, START, START + 500_000, BYTES)
	measures.note_arrived(2, START, START + 1_500_000, BYTES)
	measures.advance(START + 2 * SECOND + 1000)
	for case: Array in [[0, NAN], [9, 0.0], [10, 25.0], [29, 25.0], [30, 85.9375], [40, 85.9375]]:
		if not is_nan(case[1]):
			_check_close(_at(measures, &"jitter", case[0]), case[1], 1e-5, "bucket %d" % case[0])


# ---- what becomes of packets --------------------------------------------------------------------


## RFC 4737, 3.3: a packet is reordered if its number is below the next one that is expected.
func test_reordering_is_that_of_rfc_4737() -> void:
	var cases: Array[Array] = [
		[[0, 1, 2, 3, 4, 5], []],
		[[0, 2, 1, 3, 4, 5], [1]],
		[[0, 4, 1, 2, 3, 5], [1, 2, 3]],
		[[5, 4, 3, 2, 1, 0], [4, 3, 2, 1, 0]],
		# Neither losses nor copies reorder.
		[[0, 1, 4, 5], []],
		[[0, 2, 2, 0, 3], []],
		[[0, 2, 1, 1, 3], [1]],
	]
	for case in cases:
		var measures := _begun()
		for number in 6:
			measures.note_sent(number, START, BYTES)
		for number: int in case[0]:
			measures.note_arrived(number, START, START + 1000, BYTES)
		var overtaken: Array = case[1]
		check_equal(measures.totals()[&"reordered"], overtaken.size(), "in %s" % [case[0]])
		check_equal(_at(measures, &"reordered", 0), float(overtaken.size()), "the series")
		for number: int in overtaken:
			check_equal(measures.fate_of(number), LabMeasures.Fate.OVERTAKEN, "fate of %d" % number)


func test_a_loss_is_known_when_a_later_packet_has_come() -> void:
	var measures := _begun()
	measures.note_sent(0, START, BYTES)
	measures.note_sent(1, START + 30_000, BYTES)
	_deliver(measures, 2, START + 900_000, 200_000)
	measures.advance(START + 1_100_000)
	check_equal(_counts(measures), PackedInt32Array([3, 1, 0, 2]), "after 1.1 s")
	_deliver(measures, 3, START + 1_010_000, 200_000)
	measures.advance(START + 1_210_000)
	check_equal(_counts(measures), PackedInt32Array([4, 2, 1, 1]), "of number 0 alone")
	check_equal(measures.fate_of(0), LabMeasures.Fate.LOST, "fate of 0")
	check_equal(measures.fate_of(1), LabMeasures.Fate.FLYING, "fate of 1")
	check_equal(_at(measures, &"lost", 0), 1.0, "in the bucket in which it was sent")
	check(is_nan(_at(measures, &"loss_percent", 18)), "a share of less than a second")
	_check_close(
		_at(measures, &"loss_percent", 19), 100.0 / 3.0, 1e-6, "of three in the first second"
	)


func test_a_loss_is_known_four_seconds_later_where_nothing_comes() -> void:
	var measures := _begun()
	for number in 10:
		measures.note_sent(number, START + number * SECOND / 2, BYTES)
	measures.advance(START + 4 * SECOND)
	check_equal(_counts(measures), PackedInt32Array([10, 0, 0, 10]), "after 4 s")
	measures.advance(START + 5 * SECOND + 1)
	check_equal(_counts(measures), PackedInt32Array([10, 0, 3, 7]), "after 5 s")
	measures.settle()
	check_equal(_counts(measures), PackedInt32Array([10, 0, 10, 0]), "when nothing comes any more")
	check_equal(measures.totals()[&"loss_percent"], 100.0, "loss_percent")


func test_what_comes_after_all_was_not_lost() -> void:
	for seconds: int in [5, 29, 31, 50]:
		var measures := _begun()
		measures.note_sent(0, START, BYTES)
		measures.advance(START + 5 * SECOND)
		check_equal(_counts(measures), PackedInt32Array([1, 0, 1, 0]), "lost")
		measures.advance(START + seconds * SECOND)
		measures.note_arrived(0, START, START + seconds * SECOND, BYTES)
		check_equal(_counts(measures), PackedInt32Array([1, 1, 0, 0]), "after %d s" % seconds)
		check_equal(_sum(measures, &"lost"), 0.0, "the series")
		check_equal(_sum(measures, &"received"), 1.0, "the series of what came")


func test_what_was_never_sent_is_damaged() -> void:
	var measures := _begun()
	measures.note_sent(0, START, BYTES)
	for case: Array in [[1, START], [0, START + 1], [0xffff_ffff, START], [0, 1 << 62], [0, -1]]:
		measures.note_arrived(case[0], case[1], START + 1000, BYTES)
	check_equal(measures.totals()[&"damaged"], 5, "damaged")
	check_equal(_counts(measures), PackedInt32Array([1, 0, 0, 1]), "nothing came")
	check_equal(measures.totals()[&"bytes_received"], 0, "bytes")


func test_what_is_no_longer_remembered_is_lost() -> void:
	var measures := _begun()
	for number in LabMeasures.REMEMBERED + 5:
		measures.note_sent(number, START, BYTES)
	check_equal(measures.totals()[&"lost"], 5, "lost")
	check_equal(measures.in_flight(), LabMeasures.REMEMBERED, "in flight")
	measures.note_arrived(0, START, START, BYTES)
	check_equal(measures.totals()[&"damaged"], 1, "one that comes later")
	measures.note_arrived(5, START, START, BYTES)
	check_equal(measures.totals()[&"received"], 1, "the oldest that is remembered")
	measures.settle()
	check_equal(measures.in_flight(), 0, "in flight in the end")
	check_equal(measures.totals()[&"lost"], LabMeasures.REMEMBERED + 4, "lost in the end")


func test_the_counts_are_those_of_plain_lists_whatever_comes() -> void:
	var random := RandomNumberGenerator.new()
	for round_number in 10:
		random.seed = round_number
		var measures := _begun()
		# [time of arrival, number]
		var arrivals: Array[Array] = []
		var sent: Array[int] = []
		for number in 2000:
			sent.append(START + number * 9000)
			for copy in random.randi_range(0, 2) if random.randf() < 0.3 else 1:
				arrivals.append([sent[number] + random.randi_range(1000, 60_000), number])
		arrivals.sort()
		var next := 0
		var expected := {&"received": 0, &"duplicated": 0, &"reordered": 0}
		var seen := {}
		for arrival in arrivals:
			while next < sent.size() and sent[next] <= arrival[0]:
				measures.note_sent(next, sent[next], BYTES)
				next += 1
			var number: int = arrival[1]
			if number in seen:
				expected[&"duplicated"] += 1
			else:
				expected[&"received"] += 1
				if seen.keys().any(func(other: int) -> bool: return other > number):
					expected[&"reordered"] += 1
			seen[number] = true
			measures.note_arrived(number, sent[number], arrival[0], BYTES)
			measures.advance(arrival[0])
		while next < sent.size():
			measures.note_sent(next, sent[next], BYTES)
			next += 1
		measures.settle()
		var totals := measures.totals()
		for name: StringName in expected:
			check_equal(totals[name], expected[name], "%s, round %d" % [name, round_number])
			check_equal(_sum(measures, name), float(expected[name]), "the series " + name)
		check_equal(totals[&"lost"], 2000 - seen.size(), "lost, round %d" % round_number)
		check_equal(_sum(measures, &"lost"), 2000.0 - seen.size(), "the series lost")
		check_equal(totals[&"bytes_received"], arrivals.size() * BYTES, "bytes received")


# ---- the last 30 seconds ------------------------------------------------------------------------


func test_the_series_are_those_of_the_last_30_seconds() -> void:
	var measures := _begun()
	check_equal(measures.filled(), 1, "at the beginning")
	# 100 a second for 47 s; every tenth is lost.
	var lost := 0
	for number in 4700:
		var usec := START + number * 10_000
		if number % 10 == 0:
			measures.note_sent(number, usec, BYTES)
			lost += 1
		else:
			_deliver(measures, number, usec, 2000)
		measures.advance(usec + 2000)
		if number == 999:
			check_equal(measures.filled(), 200, "after 10 s")
			check_equal(measures.seconds_at(LAST - 199), 0.0, "the first bucket")
			check(measures.seconds_at(LAST - 200) < 0.0, "the one before")
			check(is_nan(measures.series(&"sent")[LAST - 200]), "and its value")
	measures.settle()
	check_equal(measures.filled(), LabMeasures.BUCKETS, "filled")
	check_equal(measures.newest(), 47 * 20 - 1, "the newest bucket")
	check_equal(_counts(measures), PackedInt32Array([4700, 4700 - lost, lost, 0]), "all counts")
	for case: Array in [[&"sent", 3000.0], [&"received", 2700.0], [&"lost", 300.0]]:
		check_equal(_sum(measures, case[0]), case[1], "the series %s" % case[0])
	check_equal(Array(measures.series(&"sent")).count(5.0), LabMeasures.BUCKETS, "5 in each bucket")
	# 100 packets a second of 100 + 28 bytes.
	_check_close(measures.series(&"throughput_sent")[7], 102.4, 1e-6, "throughput_sent")
	_check_close(_mean(measures, &"throughput_received"), 92.16, 1e-5, "throughput_received")
	_check_close(measures.series(&"loss_percent")[LAST], 10.0, 1e-6, "loss_percent")
	check(is_nan(measures.series(&"loss_percent")[18]), "the second before it is forgotten")
	_check_close(measures.series(&"loss_percent")[19], 10.0, 1e-6, "in the oldest whole second")
	_check_close(measures.seconds_at(0), 17.0, 1e-6, "the oldest bucket")
	_check_close(measures.seconds_at(LAST), 46.95, 1e-6, "the newest one")


func test_a_pause_longer_than_the_window_leaves_it_empty() -> void:
	var measures := _begun()
	for number in 50:
		_deliver(measures, number, START + number * 1000, 1000)
	measures.advance(START + 1000 * SECOND)
	for name in LabMeasures.SERIES:
		var values := measures.series(name)
		var is_empty := true
		for value in values:
			is_empty = is_empty and (is_nan(value) or value == 0.0)
		check(is_empty, "%s: %s" % [name, values.slice(0, 5)])
	check_equal(measures.totals()[&"received"], 50, "but the totals stay")
	# What comes with an older time is counted, but is in no bucket.
	measures.note_sent(50, START + 900 * SECOND, BYTES)
	measures.note_arrived(50, START + 900 * SECOND, START + 900 * SECOND + 10, BYTES)
	check_equal(measures.totals()[&"received"], 51, "counted")
	check_equal(_sum(measures, &"received"), 0.0, "in no bucket")


func test_queue_and_freeze_are_in_their_buckets() -> void:
	var measures := _begun()
	for packets: int in [3, 7, 5]:
		measures.note_queue(packets)
	measures.advance(START + 100_000)
	measures.note_queue(0)
	measures.note_frozen(START + 120_000, START + 1_120_000)
	measures.note_queue(900)
	check_equal(_at(measures, &"queue", 0), 7.0, "the most of the first bucket")
	check(is_nan(_at(measures, &"queue", 1)), "no frame was in the second")
	check_equal(_at(measures, &"queue", 2), 0.0, "none waited")
	check_equal(measures.series(&"queue")[LAST], 900.0, "after the freeze")
	check_equal(measures.totals()[&"queue"], 900.0, "now")
	check_equal(_sum(measures, &"frozen"), 21.0, "buckets of which a part was frozen")
	check_equal(_at(measures, &"frozen", 1), 0.0, "before")


func test_begin_forgets_everything() -> void:
	var measures := _begun()
	for number in 500:
		measures.note_sent(number, START + number * 1000, BYTES)
		if number % 3:
			measures.note_arrived(number, START + number * 1000, START + number * 1500, BYTES)
	measures.note_queue(5)
	measures.advance(START + 9 * SECOND)
	measures.begin(START)
	var fresh := _begun()
	check_equal(str(measures.totals()), str(fresh.totals()), "totals")
	for name in LabMeasures.SERIES:
		check_equal(str(measures.series(name)), str(fresh.series(name)), "the series " + name)
	check_equal(measures.recent_numbers, fresh.recent_numbers, "recent_numbers")
	check_equal(measures.recent_fates, fresh.recent_fates, "recent_fates")


func test_the_lane_remembers_every_nth_packet() -> void:
	var measures := _begun()
	measures.recent_every = 10
	var count := 10 * LabMeasures.RECENT + 100
	for number in count:
		measures.note_sent(number, START + number, BYTES)
	var last := count - 10
	var slot := last / 10 % LabMeasures.RECENT
	check_equal(measures.recent_numbers[slot], last, "the newest")
	check_equal(measures.recent_numbers.count(-1), 0, "empty slots")
	check_equal(measures.recent_arrived_usec[slot], -1, "not arrived")
	check_equal(measures.recent_fates[slot], LabMeasures.Fate.FLYING as int, "flying")
	for usec: int in [200, 300]:
		measures.note_arrived(last, START + last, START + last + usec, BYTES)
	check_equal(measures.recent_arrived_usec[slot], START + last + 200, "the first arrival")
	check_equal(measures.recent_arrivals[slot], 2, "how often it came")
	measures.note_arrived(last - 10, START + last - 10, START + last + 300, BYTES)
	check_equal(measures.recent_fates[slot - 1], LabMeasures.Fate.OVERTAKEN as int, "overtaken")
	# Its slot has another packet by now.
	measures.note_arrived(0, START, START + 300, BYTES)
	check_equal(measures.recent_arrivals[0], 0, "of a packet that is not remembered")
	measures.settle()
	check_equal(measures.recent_fates[slot - 2], LabMeasures.Fate.LOST as int, "lost")


func test_10000_packets_a_second_are_measured_without_falling_behind() -> void:
	var measures := _begun()
	var random := RandomNumberGenerator.new()
	random.seed = 1
	var jitters := PackedInt32Array()
	for i in 1000:
		jitters.append(random.randi_range(0, 5000))
	var seconds := 4
	# Of three frames each, of which one reads everything.
	var spans := PackedInt64Array()
	var arrived := 0
	var began := Time.get_ticks_usec()
	for frame in seconds * 60:
		var first := frame * 10_000 / 60
		for number in range(first, (frame + 1) * 10_000 / 60):
			measures.note_sent(number, START + number * 100, BYTES)
		# What was sent half a second ago; every hundredth is lost, every fiftieth comes twice.
		for number in range(maxi(0, first - 5000), maxi(0, (frame + 1) * 10_000 / 60 - 5000)):
			for copy in 0 if number % 100 == 0 else 2 if number % 50 == 0 else 1:
				var usec := START + number * 100 + 480_000 + jitters[number % 1000]
				measures.note_arrived(number, START + number * 100, usec, BYTES)
				arrived += 1
		measures.advance(START + frame * SECOND / 60)
		if frame % 3 == 0:
			for name in LabMeasures.SERIES:
				measures.series(name)
			measures.totals()
			spans.append(Time.get_ticks_usec() - began)
			began = Time.get_ticks_usec()
	# On a busy machine, other programs have run in the middle of the slower ones.
	spans.sort()
	var each := spans[spans.size() / 4] / (10_000 * 3 / 60.0)
	note("%.1f µs for each packet, with everything read 20 times a second" % each)
	check(each < MOST_USEC_PER_PACKET, "%.1f µs for each packet" % each)
	var totals := measures.totals()
	check_equal(totals[&"received"] + totals[&"duplicated"], arrived, "received")


# ---- helpers ------------------------------------------------------------------------------------


func _begun() -> LabMeasures:
	var measures := LabMeasures.new()
	measures.begin(START)
	return measures


## Sends a packet, and lets it come back after so many microseconds.
func _deliver(measures: LabMeasures, number: int, usec: int, rtt: int) -> void:
	measures.note_sent(number, usec, BYTES)
	measures.note_arrived(number, usec, usec + rtt, BYTES)


## sent, received, lost, in flight
func _counts(measures: LabMeasures) -> PackedInt32Array:
	var totals := measures.totals()
	return [totals[&"sent"], totals[&"received"], totals[&"lost"], totals[&"in_flight"]]


## The value of a bucket that is counted from the start.
func _at(measures: LabMeasures, name: StringName, bucket: int) -> float:
	return measures.series(name)[LAST - measures.newest() + bucket]


func _sum(measures: LabMeasures, name: StringName) -> float:
	var sum := 0.0
	for value in measures.series(name).slice(LabMeasures.BUCKETS - measures.filled()):
		sum += value
	return sum


func _mean(measures: LabMeasures, name: StringName) -> float:
	return _sum(measures, name) / measures.filled()


## The buckets, counted from the start, that have a value, while none has left the window.
func _where_valid(values: PackedFloat32Array) -> PackedInt32Array:
	var found := PackedInt32Array()
	for i in values.size():
		if not is_nan(values[i]):
			found.append(i - (LAST - 39))
	return found


func _check_close(got: float, expected: float, share: float, what: String) -> void:
	var is_close := absf(got - expected) <= absf(expected) * share + 1e-6
	check(is_close, "%s: got %s, expected %s" % [what, got, expected])
