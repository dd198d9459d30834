extends Control
## A lane in which packets travel to the far end and back, fall when they are lost, and overtake
## each other, in slow motion: in truth a packet crosses it within a few frames.

const Figures := preload("../../figures.gd")
const Scale := preload("graph_scale.gd")
const ScriptTime := preload("script_time.gd")
const Track := preload("lane_track.gd")

const COLOURS := &"Graph"
const HEAD := 24.0
const END_WIDTH := 124.0
const MARGIN := 10.0
const TRACK_HEIGHT := 54.0
const TRACK_GAP := 6.0
const PACKET := Vector2(5, 11)
const FALL_PX := 20.0
const NEW_SLOWNESS := 1.4
const LEGEND: Array[String] = ["arrives", "is overtaken", "is lost"]

var tracks: Array[Track] = []
## Returns the recent passages of the track with this number.
var source := Callable()
## Whether packets move. Without, nothing is drawn anew.
var is_running := false:
	set(value):
		is_running = value
		set_process(value)
		queue_redraw()

var _clock := 0.0
var _slowness := 1.0


func _ready() -> void:
	set_process(is_running)


## The lane's tracks from now on, without packets.
func show_tracks(new_tracks: Array[Track]) -> void:
	tracks = new_tracks
	custom_minimum_size.y = HEAD + MARGIN + tracks.size() * (TRACK_HEIGHT + TRACK_GAP) - TRACK_GAP
	queue_redraw()


func _process(delta: float) -> void:
	var start_usec := Time.get_ticks_usec()
	_clock += delta
	for number in tracks.size():
		var track := tracks[number]
		track.drop_finished(_clock)
		if track.wants_excerpt(_clock):
			var passages: Array[Track.Passage] = source.call(number)
			if number == 0:
				_choose_slowness(passages)
			track.take_excerpt(passages, _clock, _slowness)
	queue_redraw()
	ScriptTime.add(start_usec)


## One for all tracks; it changes only when it would be quite another.
func _choose_slowness(passages: Array[Track.Passage]) -> void:
	var wanted := Scale.round_to_two_digits(Track.slowness_of(passages))
	if maxf(wanted, _slowness) > minf(wanted, _slowness) * NEW_SLOWNESS:
		_slowness = wanted


func _notification(what: int) -> void:
	if what == NOTIFICATION_THEME_CHANGED or what == NOTIFICATION_RESIZED:
		queue_redraw()


func _draw() -> void:
	var start_usec := Time.get_ticks_usec()
	draw_style_box(get_theme_stylebox(&"panel", COLOURS), Rect2(Vector2.ZERO, size))
	_draw_head()
	for number in tracks.size():
		var top := HEAD + number * (TRACK_HEIGHT + TRACK_GAP)
		_draw_ends(tracks[number], top)
		var from := END_WIDTH + MARGIN * 1.6
		var road := Rect2(from, top, size.x - 2.0 * from, TRACK_HEIGHT)
		for flight in tracks[number].flights:
			if flight.start <= _clock and not flight.is_over(_clock):
				_draw_packet(flight, tracks[number].is_native, road)
	ScriptTime.add(start_usec)


func _draw_head() -> void:
	var words := get_theme_color(&"words", COLOURS)
	var title := "Packets on their way"
	var title_size := get_theme_font_size(&"title", COLOURS)
	var font := get_theme_default_font()
	draw_string(
		font,
		Vector2(10, 17),
		title,
		HORIZONTAL_ALIGNMENT_LEFT,
		-1,
		title_size,
		get_theme_color(&"title", COLOURS)
	)
	var left := 16.0 + font.get_string_size(title, HORIZONTAL_ALIGNMENT_LEFT, -1, title_size).x
	var explanation := "there above, back below"
	if _slowness > 1.0:
		explanation += "; %s times slower" % Scale.words(_slowness)
	_write(explanation, Vector2(left, 17), words)
	var right := size.x - MARGIN
	for fate: Track.Fate in [Track.Fate.LOST, Track.Fate.IS_OVERTAKEN, Track.Fate.ARRIVES]:
		right -= _width(LEGEND[fate])
		_write(LEGEND[fate], Vector2(right, 17), words)
		right -= 12.0
		_draw_mark(fate, tracks.size() == 1 and tracks[0].is_native, Vector2(right, 12.5), 1.0)
		right -= 18.0


func _draw_ends(track: Track, top: float) -> void:
	var end := get_theme_color(&"end", COLOURS)
	var colour := get_theme_color(&"native_words" if track.is_native else &"ours_words", COLOURS)
	var words := get_theme_color(&"words", COLOURS)
	var right := size.x - MARGIN - END_WIDTH
	for left: float in [MARGIN, right]:
		draw_rect(Rect2(left, top, END_WIDTH, TRACK_HEIGHT), end)
	_write(track.title, Vector2(MARGIN + 8, top + 22), colour)
	_write("sends", Vector2(MARGIN + 8, top + 40), words)
	_write("the far end", Vector2(right + 8, top + 22), colour)
	_write("answers", Vector2(right + 8, top + 40), words)
	for way: float in [0.28, 0.72]:
		var y := roundf(top + TRACK_HEIGHT * way) + 0.5
		draw_line(
			Vector2(MARGIN + END_WIDTH, y), Vector2(right, y), get_theme_color(&"grid", COLOURS)
		)


func _draw_packet(flight: Track.Flight, is_native: bool, road: Rect2) -> void:
	var progress := flight.progress(_clock)
	var way := progress * 2.0 if progress < 0.5 else 2.0 - progress * 2.0
	var at := road.position + Vector2(road.size.x * way, 0.0)
	at.y += road.size.y * (0.28 if progress < 0.5 else 0.72)
	var alpha := 1.0
	var falling := flight.falling(_clock)
	if falling >= 0.0:
		var share := falling / Track.FALL_SEC
		at.y += share * share * FALL_PX
		alpha = 1.0 - share * share
	var fate := flight.fate
	if fate == Track.Fate.LOST and falling < 0.0:
		fate = Track.Fate.ARRIVES
	_draw_mark(fate, is_native, at, alpha)


## Each fate has a shape of its own beside the colour; the native peer's packets are hollow.
func _draw_mark(fate: Track.Fate, is_native: bool, at: Vector2, alpha: float) -> void:
	match fate:
		Track.Fate.ARRIVES:
			var colour := _colour(&"native" if is_native else &"ours", alpha)
			draw_rect(
				Rect2(at - PACKET / 2.0, PACKET), colour, not is_native, 1.5 if is_native else -1.0
			)
		Track.Fate.IS_OVERTAKEN:
			var colour := _colour(&"late", alpha)
			var reach := 6.0
			var corners := PackedVector2Array(
				[
					at + Vector2(0, -reach),
					at + Vector2(reach, 0),
					at + Vector2(0, reach),
					at + Vector2(-reach, 0)
				]
			)
			draw_colored_polygon(corners, colour)
		Track.Fate.LOST:
			var colour := _colour(&"lost", alpha)
			var reach := Vector2(4.5, 4.5)
			draw_line(at - reach, at + reach, colour, 2.0, true)
			reach.x = -reach.x
			draw_line(at - reach, at + reach, colour, 2.0, true)


func _colour(item: StringName, alpha: float) -> Color:
	return Color(get_theme_color(item, COLOURS), alpha)


func _width(words: String) -> float:
	var size_of_words := get_theme_font_size(&"words", COLOURS)
	return get_theme_default_font().get_string_size(words, 0, -1, size_of_words).x


func _write(words: String, at: Vector2, colour: Color) -> void:
	draw_string(
		get_theme_default_font(),
		at,
		words,
		HORIZONTAL_ALIGNMENT_LEFT,
		-1,
		get_theme_font_size(&"words", COLOURS),
		colour
	)
