extends GridContainer
## The graphs of an experiment: one for each thing that is measured, with a line for each side. One
## of them is brought up to date in a frame, so that no frame has to do all.

const Cursor := preload("graph_cursor.gd")
const Graph := preload("graph.gd")
const LabMeasures := preload("../../lab/lab_measures.gd")
const LabSide := preload("../../lab/lab_side.gd")
const Line := preload("graph_line.gd")
const ScriptTime := preload("script_time.gd")

const REFRESH_MSEC := 50
const SLOW_FRAME_SEC := 0.03
const BUCKETS_PER_SECOND := 1000 / LabMeasures.BUCKET_MSEC
## It takes so long, beside the round-trip time, until a packet is known to be lost.
const UNDECIDED_BUCKETS := 24
## Three columns where there is so much room.
const WIDE_PX := 1500.0

## Title, unit, what a reading consists of, where the axis ends at least, what it means.
const GRAPHS: Dictionary[StringName, Array] = {
	&"rtt":
	[
		"Round-trip time",
		"ms",
		"p50 / p95 / p99",
		5.0,
		(
			"From sending a packet until its answer is here, both directions and waiting included.\n"
			+ "p50: half of the packets took at most so long; p95, p99: 95 and 99 of a hundred.\n"
			+ "Line: p50. Thin line: p95. The tinted area reaches from p50 to p99."
		),
	],
	&"throughput":
	[
		"Throughput",
		"kbit/s",
		"received / sent",
		10.0,
		(
			"What went out (thin line) and what came back, with 28 bytes of headers for each packet,\n"
			+ "in thousands of bits a second."
		),
	],
	&"loss":
	[
		"Loss",
		"%",
		"",
		5.0,
		(
			"Share of the packets sent within a second that never came back.\n"
			+ "It is known a second later, so this graph is late by that much."
		),
	],
	&"reordering":
	[
		"Reordering",
		"%",
		"",
		5.0,
		(
			"Share of the packets received within a second that came after one that was sent later\n"
			+ "(RFC 4737)."
		),
	],
	&"queue":
	[
		"Queue",
		"packets",
		"",
		5.0,
		"How many packets wait: on the line in both directions, and in the receive queue of this end.",
	],
	&"jitter":
	[
		"Arrival jitter",
		"ms",
		"",
		2.0,
		"How much the time between two packets changes on their way, smoothed (RFC 3550).",
	],
}

const SHORT_TITLES: Dictionary[StringName, String] = {&"rtt": "Round trip"}

const FOR_ALL := (
	"\nGrey: the game stood still.\nThe mouse, or left and right (with Shift further, Home, End), move"
	+ " the cursor. Esc: none."
)

var cursor := Cursor.new()

var _sides: Array[LabSide] = []
var _graphs: Dictionary[StringName, Graph] = {}
var _due: Array[StringName] = []
var _versions := PackedInt64Array()
var _next_refresh_msec := 0


func _ready() -> void:
	for id in GRAPHS:
		var graph := Graph.new()
		graph.title = GRAPHS[id][0]
		graph.short_title = SHORT_TITLES.get(id, graph.title)
		graph.unit = GRAPHS[id][1]
		graph.reading = GRAPHS[id][2]
		graph.smallest_end = GRAPHS[id][3]
		graph.tooltip_text = GRAPHS[id][4] + FOR_ALL
		graph.cursor = cursor
		graph.buckets = LabMeasures.BUCKETS
		graph.bucket_msec = LabMeasures.BUCKET_MSEC
		graph.size_flags_horizontal = SIZE_EXPAND_FILL
		graph.size_flags_vertical = SIZE_EXPAND_FILL
		_graphs[id] = graph
		add_child(graph)
	resized.connect(func() -> void: columns = 3 if size.x >= WIDE_PX else 2)


func graph(id: StringName) -> Graph:
	return _graphs[id]


## Shows these sides from now on.
func show_sides(sides: Array[LabSide]) -> void:
	_sides = sides
	cursor.age = Cursor.NOWHERE
	_versions.clear()
	_due.assign(GRAPHS.keys())


func _process(delta: float) -> void:
	var start_usec := Time.get_ticks_usec()
	if _due.is_empty() and is_visible_in_tree() and Time.get_ticks_msec() >= _next_refresh_msec:
		var versions := _present_versions()
		if versions != _versions:
			_versions = versions
			_next_refresh_msec = Time.get_ticks_msec() + REFRESH_MSEC
			_due.assign(GRAPHS.keys())
	# Slow frames show the same moment in all.
	var count := 1 if delta < SLOW_FRAME_SEC else _due.size()
	for i in mini(count, _due.size()):
		refresh(_due.pop_front())
	ScriptTime.add(start_usec)


## Whether all graphs show what is measured.
func are_up_to_date() -> bool:
	return _due.is_empty() and _versions == _present_versions()


func _present_versions() -> PackedInt64Array:
	var versions := PackedInt64Array()
	for side in _sides:
		versions.append(side.measures.version)
	return versions


## Brings a graph up to date.
func refresh(id: StringName) -> void:
	var shown := _graphs[id]
	shown.lines.clear()
	for number in _sides.size():
		var side := _sides[number]
		var lines := _lines(id, side.measures, _is_native(number))
		var is_over := side.state == LabSide.State.STOPPED and side.measures.in_flight() == 0
		if id == &"loss" and not is_over:
			_leave_out_newest(lines[0], side.measures)
		shown.lines.append_array(lines)
	if not _sides.is_empty():
		shown.frozen = _sides[0].measures.series(&"frozen")
	shown.refresh()


## Nobody misses a packet that was sent just now: the line would always end too low.
func _leave_out_newest(line: Line, measures: LabMeasures) -> void:
	var trips := Line.new()
	trips.values = measures.series(&"rtt_p99")
	var msec := trips.value_at(trips.newest_age(UNDECIDED_BUCKETS))
	var late := ceili(msec / LabMeasures.BUCKET_MSEC) if is_finite(msec) else 0
	for age in mini(UNDECIDED_BUCKETS + late, line.values.size()):
		line.values[-1 - age] = NAN


func _is_native(number: int) -> bool:
	return _sides[number].near == LabSide.LabSetup.EndKind.NATIVE


func _lines(id: StringName, measures: LabMeasures, is_native: bool) -> Array[Line]:
	var main := Line.new(Line.Style.LINE, is_native)
	var lines: Array[Line] = [main]
	match id:
		&"rtt":
			main.values = measures.series(&"rtt_p50")
			var thin := Line.new(Line.Style.THIN, is_native)
			thin.values = measures.series(&"rtt_p95")
			var band := Line.new(Line.Style.BAND, is_native)
			band.lower = main.values
			band.values = measures.series(&"rtt_p99")
			lines.append_array([thin, band])
			for line: Line in [thin, band]:
				line.shows_largest = true
		&"throughput":
			main.values = measures.series(&"throughput_received")
			var thin := Line.new(Line.Style.THIN, is_native)
			thin.values = measures.series(&"throughput_sent")
			lines.append(thin)
		&"loss":
			main.values = measures.series(&"loss_percent")
		&"reordering":
			main.values = share_of_second(
				measures.series(&"reordered"), measures.series(&"received"), BUCKETS_PER_SECOND
			)
		_:
			main.values = measures.series(id)
			main.shows_largest = id == &"queue"
	for line in lines:
		line.newest = roundi(measures.seconds_at(LabMeasures.BUCKETS - 1) * BUCKETS_PER_SECOND)
	return lines


## For each bucket, the share in percent that `parts` are of `wholes` in so many buckets up to it;
## NAN where there is no whole, or where not all of the buckets are known.
static func share_of_second(
	parts: PackedFloat32Array, wholes: PackedFloat32Array, buckets: int
) -> PackedFloat32Array:
	var shares := PackedFloat32Array()
	shares.resize(parts.size())
	var part := 0.0
	var whole := 0.0
	var known := 0
	for i in parts.size():
		known = 0 if is_nan(wholes[i]) else known + 1
		part += 0.0 if is_nan(parts[i]) else parts[i]
		whole += 0.0 if is_nan(wholes[i]) else wholes[i]
		if i >= buckets:
			part -= 0.0 if is_nan(parts[i - buckets]) else parts[i - buckets]
			whole -= 0.0 if is_nan(wholes[i - buckets]) else wholes[i - buckets]
		shares[i] = 100.0 * part / whole if whole > 0.0 and known >= buckets else NAN
	return shares
