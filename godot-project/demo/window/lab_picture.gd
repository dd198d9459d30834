extends "picture_session.gd"
## An experiment in the Lab, and what is drawn of it. Arguments beside those of the window:
## `--preset=NAME` (none, wifi, mobile_4g, awful …), `--compare` (with PacketPeerUDP), `--freeze`
## (for a second), `--rate=N` (packets a second), `--seconds=N` (of data, before the picture),
## `--section=ends|network|relay` (folded open).

const LabMeasures := preload("../lab/lab_measures.gd")
const LabPattern := preload("../lab/lab_pattern.gd")
const LabSetup := preload("../lab/lab_setup.gd")
const LabSide := preload("../lab/lab_side.gd")
const ScriptTime := preload("lab/script_time.gd")

const RNG_SEED := 17
const SECONDS := 8.0
const FREEZE_BEFORE_SECONDS := 4.0
const IDLE_MSEC := 1000
## Drawn although nothing moves: a caret, or a button that fades.
const IDLE_FRAMES := 5
const FRAMES_BEFORE_IDLE := 5
## Where the cursor stands in the picture: two seconds before the newest values.
const CURSOR_AGE := 40

var _arguments: Dictionary[String, String] = {}


func prepare(window: SampleWindow, arguments: Dictionary[String, String]) -> void:
	super(window, arguments)
	_arguments = arguments


func perform() -> void:
	_show_choices()
	await _measure()


## The picture is of a running experiment; when it is over, its results are checked.
func _take_picture(path: String) -> void:
	var page := sample.lab_page
	page.graphs.cursor.age = CURSOR_AGE
	await super(path)
	page.lab.stop_sending()
	await until(page.lab.is_settled)
	page.stop()
	_check_claims()
	await _check_idle()


func _show_choices() -> void:
	var page := sample.lab_page
	var setup := LabSetup.new()
	setup.rng_seed = RNG_SEED
	setup.pattern = LabPattern.Kind.GAME
	setup.packet_bytes = 100
	setup.packets_per_second = _arguments.get("rate", "60").to_int()
	setup.compare_with_native = _arguments.has("compare")
	page.show_setup(setup)
	page.choose_preset(_arguments.get("preset", "none").replace("none", ""))
	page.open_section(_arguments.get("section", "network"))


func _measure() -> void:
	var page := sample.lab_page
	var seconds: float = _arguments.get("seconds", str(SECONDS)).to_float()
	var has_come_to := func(end: float) -> bool: return page.lab.seconds() >= end
	# Without a graphics card a frame takes long to draw, which is not what is measured here.
	RenderingServer.render_loop_enabled = false
	page.start()
	ScriptTime.take()
	var frame_usec := PackedInt64Array()
	var note_frame := func() -> void: frame_usec.append(ScriptTime.take())
	get_tree().process_frame.connect(note_frame)
	if _arguments.has("freeze"):
		await until(has_come_to.bind(seconds - FREEZE_BEFORE_SECONDS))
		page.freeze()
	await until(has_come_to.bind(seconds), roundi(seconds * 4000.0))
	get_tree().process_frame.disconnect(note_frame)
	_tell_cost(frame_usec, page.lab.seconds())
	RenderingServer.render_loop_enabled = true


func _tell_cost(frame_usec: PackedInt64Array, seconds: float) -> void:
	var total := 0
	for usec in frame_usec:
		total += usec
	frame_usec.sort()
	tell(
		(
			(
				"%.0f frames a second, rendering left out; the page's scripts took %.2f ms a frame,"
				% [frame_usec.size() / seconds, total / 1000.0 / frame_usec.size()]
			)
			+ " 99 of 100 at most %.2f ms" % (frame_usec[frame_usec.size() * 99 / 100] / 1000.0)
		)
	)


func _check_claims() -> void:
	var page := sample.lab_page
	for side in page.lab.sides:
		var totals := side.measures.totals()
		var sent: int = totals[&"sent"]
		claims.check(
			sent > 0 and sent == totals[&"received"] + totals[&"lost"],
			"%s: every packet has come back or is lost" % side.title(),
			str(totals)
		)
	claims.check(
		page.lab.seconds() >= SECONDS,
		"the graphs have data of %d s" % SECONDS,
		str(page.lab.seconds())
	)


## Nothing moves any more, so nothing is drawn.
func _check_idle() -> void:
	OS.low_processor_usage_mode = true
	await until(sample.lab_page.graphs.are_up_to_date)
	for i in FRAMES_BEFORE_IDLE:
		await get_tree().process_frame
	var drawn := Engine.get_frames_drawn()
	var end_msec := Time.get_ticks_msec() + IDLE_MSEC
	await until(func() -> bool: return Time.get_ticks_msec() >= end_msec)
	drawn = Engine.get_frames_drawn() - drawn
	claims.check(
		drawn <= IDLE_FRAMES, "idle, the page is not drawn anew", "%d frames drawn" % drawn
	)
