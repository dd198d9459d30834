extends "chapter.gd"
## The Lab without its window: three experiments, and that what it measures is what get_stats()
## says.

const Figures := preload("../figures.gd")
const Lab := preload("../lab/lab.gd")
const LabExport := preload("../lab/lab_export.gd")
const LabMeasures := preload("../lab/lab_measures.gd")
const LabPattern := preload("../lab/lab_pattern.gd")
const LabSetup := preload("../lab/lab_setup.gd")
const LabSide := preload("../lab/lab_side.gd")
const Networks := preload("../conditions/networks.gd")

const RNG_SEED := 17
const PRESET := "crowded_wifi"
const TALK_MSEC := 2000
const FREEZE_MSEC := 1000
## So long before and after the freeze.
const USUAL_MSEC := 300
## In a second more than the system's default buffer holds.
const BUSY_PER_SECOND := 2000
## No quantile of JITTER_LONG_TAIL is below this, in units of the jitter.
const LEAST_JITTER := -1.51
## What a busy machine may add to the median.
const SPARE_MSEC := 150.0
const RUN_MSEC := 60_000

var _lab := Lab.new()
var _trouble := ""


func _ready() -> void:
	add_child(_lab)
	_lab.trouble.connect(func(words: String) -> void: _trouble = words)


func play() -> void:
	await _measure_preset()
	await _compare_awful()
	await _compare_frozen()


## Ours alone, in a network where what the two ends see is what the counters count: nothing that was
## doubled is lost on the way back.
func _measure_preset() -> void:
	var setup := LabSetup.new()
	setup.use_preset(PRESET)
	setup.there.duplicate = 0.03
	setup.back.loss = 0.0
	setup.pattern = LabPattern.Kind.GAME
	setup.packets_per_second = 300
	tell("Ours, and a game's state 60 times a second, each in 5 packets,")
	tell("through %s there: %s" % [PRESET, Networks.describe(setup.there)])
	tell("and back: %s" % Networks.describe(setup.back))
	if not await _talk(setup, TALK_MSEC):
		return
	var side := _lab.sides[0]
	_tell_side(side)
	_check_counts(side)
	_check_round_trips(side)
	_check_csv()
	_lab.stop()


## Ours and native beside it, native through a relay.
func _compare_awful() -> void:
	var setup := LabSetup.new()
	setup.use_preset("awful")
	# Which packets are on the way back, and in which order, must not depend on the moment.
	setup.there.reorder = 0.0
	setup.back.reorder = 0.0
	setup.far = LabSetup.EndKind.PROCESS
	setup.compare_with_native = true
	tell("Ours, and native through a relay beside it, with the same seed, awful in both directions")
	tell("except that nothing is overtaken; both far ends are other processes.")
	if not await _talk(setup, TALK_MSEC):
		return
	for side in _lab.sides:
		_tell_side(side)
		_check_sum(side)
	var count := _sent_by_both()
	var lost := _lost(_lab.sides[0], count)
	var lost_by_native := _lost(_lab.sides[1], count)
	claims.check(
		lost == lost_by_native and not lost.is_empty(),
		"of the first %d packets, both have lost the same %d" % [count, lost.size()],
		"%s and %s" % [lost, lost_by_native]
	)
	_check_csv()
	_lab.stop()


## A freeze, and nothing else that could lose a packet.
func _compare_frozen() -> void:
	var setup := LabSetup.new()
	setup.compare_with_native = true
	setup.packets_per_second = BUSY_PER_SECOND
	tell(
		(
			"Both again, no conditions, %s packets a second; the game stands still for %d ms."
			% [Figures.grouped(BUSY_PER_SECOND), FREEZE_MSEC]
		)
	)
	if not await _talk(setup, USUAL_MSEC, FREEZE_MSEC):
		return
	var ours := _lab.sides[0]
	var native := _lab.sides[1]
	for side in _lab.sides:
		_tell_side(side)
	var frozen := ours.measures.series(&"frozen").count(1.0) * LabMeasures.BUCKET_MSEC
	claims.check(frozen >= FREEZE_MSEC, 'the series "frozen" has %d ms of it' % frozen)
	var lost: int = native.measures.totals()[&"lost"]
	claims.check(
		lost > BUSY_PER_SECOND / 10, "native's end has lost %s packets" % Figures.grouped(lost)
	)
	_check_sum(ours)
	claims.check(
		ours.measures.totals()[&"lost"] == 0,
		"ours has lost none of %s" % Figures.grouped(ours.measures.totals()[&"sent"]),
		"%s" % ours.measures.totals()
	)
	_check_csv()
	_lab.stop()


## Runs an experiment until nothing more can come. With `freeze_msec`, the game stands still after
## `msec`, and the experiment goes on for `msec` after that.
func _talk(setup: LabSetup, msec: int, freeze_msec := 0) -> bool:
	setup.rng_seed = RNG_SEED
	_trouble = ""
	_lab.start(setup)
	await _passed(msec)
	if freeze_msec:
		_lab.freeze(freeze_msec)
		await _passed(2 * msec + freeze_msec)
	_lab.stop_sending()
	await until(func() -> bool: return _lab.is_settled() or not _lab.is_running(), RUN_MSEC)
	var is_over := _lab.is_settled()
	if not is_over:
		claims.check(false, "the experiment ends", _trouble)
		_lab.stop()
	return is_over


func _passed(msec: int) -> void:
	await until(
		func() -> bool: return _lab.seconds() * 1000.0 > msec or not _lab.is_running(), RUN_MSEC
	)


func _tell_side(side: LabSide) -> void:
	var totals := side.measures.totals()
	tell(
		(
			"%s: %s sent, %s lost, %s late, %s twice; round trips %.1f, %.1f, %.1f ms"
			% [
				side.title(),
				Figures.grouped(totals[&"sent"]),
				Figures.grouped(totals[&"lost"]),
				Figures.grouped(totals[&"reordered"]),
				Figures.grouped(totals[&"duplicated"]),
				totals[&"rtt_p50"],
				totals[&"rtt_p95"],
				totals[&"rtt_p99"],
			]
		)
	)


## Each figure is that of a counter.
func _check_counts(side: LabSide) -> void:
	var totals := side.measures.totals()
	var counted := side.counted()
	claims.check(
		totals[&"lost"] == counted[&"lost"] + counted[&"dropped"] and totals[&"lost"] > 0,
		"%d of %d are lost, as get_stats() says" % [totals[&"lost"], totals[&"sent"]],
		"%d, and get_stats(): %s" % [totals[&"lost"], counted]
	)
	claims.check(
		totals[&"duplicated"] == counted[&"duplicated"] and totals[&"duplicated"] > 0,
		"%d have come twice, as get_stats() says" % totals[&"duplicated"],
		"%d, and get_stats(): %s" % [totals[&"duplicated"], counted]
	)
	_check_sum(side)


## What holds in every network, to the packet.
func _check_sum(side: LabSide) -> void:
	var totals := side.measures.totals()
	var counted := side.counted()
	var came: int = totals[&"received"] + totals[&"duplicated"]
	var gone := counted[&"lost"] + counted[&"dropped"] + counted[&"waiting"]
	claims.check(
		(
			totals[&"sent"] + counted[&"duplicated"] == came + gone
			and counted[&"received"] == came
			and totals[&"sent"] == totals[&"received"] + totals[&"lost"]
			and totals[&"damaged"] == 0
		),
		(
			"%d sent + %d doubled = %d received + %d lost or dropped, by get_stats() and by the Lab"
			% [totals[&"sent"], counted[&"duplicated"], came, gone]
		),
		"%s, and get_stats(): %s" % [totals, counted]
	)


func _check_round_trips(side: LabSide) -> void:
	var totals := side.measures.totals()
	var there := _lab.setup.there
	var back := _lab.setup.back
	var latency := there.latency_msec + back.latency_msec
	var jitter := there.jitter_msec + back.jitter_msec
	var least := latency + LEAST_JITTER * jitter
	var most := latency + jitter + SPARE_MSEC
	var median: float = totals[&"rtt_p50"]
	claims.check(
		median >= maxf(0.0, least) and median <= most,
		(
			"half of the round trips take %.1f ms, %.0f by latency, the rest by jitter"
			% [median, latency]
		),
		"%.1f ms, and expected are %.1f to %.1f" % [median, least, most]
	)
	claims.check(
		(
			totals[&"rtt_min"] <= median
			and median <= totals[&"rtt_p95"]
			and totals[&"rtt_p95"] <= totals[&"rtt_p99"]
			and totals[&"rtt_p99"] <= totals[&"rtt_max"]
		),
		"95 %% after %.1f, 99 %% after %.1f ms" % [totals[&"rtt_p95"], totals[&"rtt_p99"]],
		"%s" % totals
	)


func _check_csv() -> void:
	var lines := LabExport.csv(_lab)
	var filled := _lab.sides[0].measures.filled()
	var columns := 1 + _lab.sides.size() * LabMeasures.SERIES.size()
	var cells := Array(lines).map(func(line: String) -> int: return line.split(",").size())
	claims.check(
		lines.size() == 1 + filled and cells.min() == columns and cells.max() == columns,
		"as CSV: a row for each of %d buckets, %d columns" % [filled, columns],
		"%d lines of %d to %d cells" % [lines.size(), cells.min(), cells.max()]
	)


func _sent_by_both() -> int:
	var counts: Array = _lab.sides.map(
		func(side: LabSide) -> int: return side.measures.totals()[&"sent"]
	)
	return counts.min()


func _lost(side: LabSide, count: int) -> PackedInt32Array:
	var found := PackedInt32Array()
	for number in count:
		if side.measures.fate_of(number) == LabMeasures.Fate.LOST:
			found.append(number)
	return found
