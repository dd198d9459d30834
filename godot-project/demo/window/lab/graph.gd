extends Control
## A graph of the last seconds: one or more lines over time, an axis with a unit, and a cursor that
## reads values. The mouse moves the cursor, and so do the arrow keys when the graph has the focus.
## It draws itself anew only when it is told that the lines, the cursor or the theme have changed.

const Cursor := preload("graph_cursor.gd")
const Line := preload("graph_line.gd")
const Scale := preload("graph_scale.gd")
const ScriptTime := preload("script_time.gd")

const COLOURS := &"Graph"
const MARGIN_LEFT := 44.0
const MARGIN_RIGHT := 10.0
const HEAD := 28.0
const FOOT := 18.0
const SECONDS_PER_MARK := 10
const LINE_WIDTH := 1.6
const THIN_WIDTH := 0.75
const DASH_PX := 2.8
const STEEP_PX := 10.0
## Of the plot's height.
const STEEP_SHARE := 0.12
const PX_PER_MARK := 44.0
const MARK_WIDTH := 60.0
const PX_PER_POINT := 1.8
const BAND_ALPHA := 0.28
const THIN_ALPHA := 0.9
## Of the line in front of a reading.
const KEY_WIDTH := 18.0
const KEY_GAP := 5.0
const READING_GAP := 12.0
const TITLE_LEFT := 10.0
const TITLE_GAP := 6.0
## Without a cursor, the newest values are read that are known, unless they are older.
const OLDEST_NOW := 40
const CURSOR_PAGE := 20

var title := ""
## Instead of `title` where the unit has no room beside that.
var short_title := ""
var unit := ""
## What a reading consists of: "p50 / p95 / p99", or nothing.
var reading := ""
## The axis ends here at least.
var smallest_end := 1.0
var lines: Array[Line] = []
var cursor: Cursor
## Values in a graph, and how much time lies between two.
var buckets := 600
var bucket_msec := 50
## 1 where the game stood still.
var frozen: PackedFloat32Array

var _axis_end := 1.0


func _ready() -> void:
	focus_mode = Control.FOCUS_ALL
	mouse_filter = Control.MOUSE_FILTER_STOP
	custom_minimum_size = Vector2(260, 96)
	clip_contents = true
	focus_entered.connect(_on_focus_entered)
	focus_exited.connect(queue_redraw)
	mouse_exited.connect(_on_mouse_exited)
	cursor.moved.connect(queue_redraw)
	_axis_end = smallest_end


## To be called when `lines` have new values.
func refresh() -> void:
	_share_points()
	var largest := 0.0
	for line in lines:
		largest = maxf(largest, line.largest())
	_axis_end = Scale.axis_end(largest, _axis_end, smallest_end)
	queue_redraw()


## The place of the lines, without words.
func plot() -> Rect2:
	return Rect2(
		MARGIN_LEFT, HEAD, size.x - MARGIN_LEFT - MARGIN_RIGHT, maxf(size.y - HEAD - FOOT, 1.0)
	)


## Moves (number of the value in a line, value) to a point of this control.
func place_of_values() -> Transform2D:
	var area := plot()
	return Transform2D(
		Vector2(area.size.x / (buckets - 1), 0.0),
		Vector2(0.0, -area.size.y / _axis_end),
		Vector2(area.position.x, area.end.y)
	)


## The cursor's `age` for a point of this control.
func age_at(x: float) -> int:
	var area := plot()
	var share := clampf((area.end.x - x) / area.size.x, 0.0, 1.0)
	return roundi(share * (buckets - 1))


## What the graph says of one of the two peers, at the cursor or now: "54 / 71 / 88".
func reading_of(is_native: bool) -> String:
	var parts := PackedStringArray()
	for line in lines:
		if line.is_native == is_native:
			var age := cursor.age if cursor.is_shown() else line.newest_age(OLDEST_NOW)
			parts.append(Scale.words(line.value_at(age)))
	return " / ".join(parts)


## Where the cursor is: seconds before now, and since the start, as in the CSV file.
func cursor_words() -> String:
	var second := cursor.age * bucket_msec / 1000.0
	if lines.is_empty():
		return "−%.2f s" % second
	return "−%.2f s (at %.2f s)" % [second, lines[0].newest * bucket_msec / 1000.0 - second]


## Over the head only: below, it would cover the values that the mouse reads.
func _get_tooltip(at_position: Vector2) -> String:
	return tooltip_text if at_position.y < HEAD else ""


func _gui_input(event: InputEvent) -> void:
	if event is InputEventMouseMotion:
		cursor.age = age_at(event.position.x)
	elif event is InputEventMouseButton and event.pressed:
		grab_focus()
	elif event is InputEventKey and event.pressed and _move_cursor(event):
		accept_event()


func _move_cursor(event: InputEventKey) -> bool:
	var step := CURSOR_PAGE if event.shift_pressed else _values_per_point()
	match event.keycode:
		KEY_LEFT:
			cursor.age = mini(cursor.age + step, buckets - 1)
		KEY_RIGHT:
			cursor.age = maxi(cursor.age - step, 0)
		KEY_HOME:
			cursor.age = buckets - 1
		KEY_END:
			cursor.age = 0
		KEY_ESCAPE:
			cursor.age = Cursor.NOWHERE
		_:
			return false
	return true


func _on_focus_entered() -> void:
	queue_redraw()


## Over no graph the cursor would be where nobody has put it; the keyboard's stays.
func _on_mouse_exited() -> void:
	if not has_focus():
		cursor.age = Cursor.NOWHERE


func _notification(what: int) -> void:
	if what == NOTIFICATION_RESIZED:
		# Other values share a point, so the largest is another one.
		refresh()
	elif what == NOTIFICATION_THEME_CHANGED:
		queue_redraw()


func _draw() -> void:
	var start_usec := Time.get_ticks_usec()
	draw_style_box(get_theme_stylebox(&"panel", COLOURS), Rect2(Vector2.ZERO, size))
	_draw_frozen()
	_draw_axes()
	# Where both are the same, ours is seen through the dashes of native.
	for of_native: bool in [false, true]:
		for line in lines:
			if line.is_native == of_native:
				_draw_line(line)
	if cursor.is_shown():
		_draw_cursor()
	_draw_head()
	if has_focus():
		draw_style_box(get_theme_stylebox(&"focus", COLOURS), Rect2(Vector2.ZERO, size))
	ScriptTime.add(start_usec)


func _share_points() -> void:
	for line in lines:
		line.share_points(_values_per_point())


## A point for each PX_PER_POINT, at most.
func _values_per_point() -> int:
	return maxi(1, ceili(PX_PER_POINT / place_of_values().x.x))


func _draw_axes() -> void:
	var area := plot()
	var grid := get_theme_color(&"grid", COLOURS)
	var distance := Scale.line_distance(_axis_end, maxi(2, int(area.size.y / PX_PER_MARK)))
	var value := 0.0
	while value <= _axis_end * 1.0001:
		var y := roundf(area.end.y - value / _axis_end * area.size.y) + 0.5
		var colour := grid if value > 0.0 else get_theme_color(&"axis", COLOURS)
		draw_line(Vector2(area.position.x, y), Vector2(area.end.x, y), colour)
		_write(
			Scale.axis_words(value),
			Vector2(0.0, y + 4.0),
			MARGIN_LEFT - 6.0,
			HORIZONTAL_ALIGNMENT_RIGHT
		)
		value += distance
	var span := buckets * bucket_msec / 1000
	for second in range(0, span + 1, SECONDS_PER_MARK):
		var x := roundf(area.end.x - area.size.x * second / span) + 0.5
		draw_line(Vector2(x, area.position.y), Vector2(x, area.end.y + 3.0), grid)
		var words := "−%d s" % second if second else "now"
		# The outer ones stay within the plot: on the left, the axis has its 0.
		var left := x - MARK_WIDTH / 2.0
		var alignment := HORIZONTAL_ALIGNMENT_CENTER
		if second == 0:
			left = area.end.x - MARK_WIDTH
			alignment = HORIZONTAL_ALIGNMENT_RIGHT
		elif second == span:
			left = area.position.x
			alignment = HORIZONTAL_ALIGNMENT_LEFT
		_write(words, Vector2(left, size.y - 4.0), MARK_WIDTH, alignment)


## A grey area where the game stood still.
func _draw_frozen() -> void:
	var area := plot()
	var place := place_of_values()
	var from := frozen.find(1.0)
	while from >= 0:
		var to := frozen.find(0.0, from)
		to = frozen.size() if to < 0 else to
		var left := place.origin.x + place.x.x * (buckets - frozen.size() + from)
		var wide := minf(place.x.x * (to - from), area.end.x - left)
		var part := Rect2(left, area.position.y, wide, area.size.y)
		draw_rect(part, get_theme_color(&"axis", COLOURS))
		from = frozen.find(1.0, to) if to < frozen.size() else -1


func _draw_line(line: Line) -> void:
	var place := place_of_values()
	# A line that is shorter than the graph ends on the right, at "now".
	place.origin.x += place.x.x * (buckets - line.values.size())
	var colour := get_theme_color(&"native" if line.is_native else &"ours", COLOURS)
	if line.style == Line.Style.BAND:
		colour.a = BAND_ALPHA
		_draw_area(line.area(place), colour)
		return
	var is_thin := line.style == Line.Style.THIN
	var width := THIN_WIDTH if is_thin else LINE_WIDTH
	if is_thin:
		colour.a = THIN_ALPHA
	if line.is_native:
		var dashes := line.dashes(place, DASH_PX, maxf(STEEP_PX, plot().size.y * STEEP_SHARE))
		if not dashes.is_empty():
			draw_multiline(dashes, colour, width, true)
		return
	for piece in line.pieces(place):
		draw_polyline(piece, colour, width, true)


func _draw_area(corners: PackedVector2Array, colour: Color) -> void:
	if not corners.is_empty():
		RenderingServer.canvas_item_add_triangle_array(
			get_canvas_item(), PackedInt32Array(range(corners.size())), corners, [colour]
		)


func _draw_cursor() -> void:
	var area := plot()
	var x := area.end.x - area.size.x * cursor.age / (buckets - 1)
	var colour := get_theme_color(&"cursor", COLOURS)
	draw_line(Vector2(x, area.position.y), Vector2(x, area.end.y), colour, 1.0)
	for line in lines:
		var value := line.value_at(cursor.age)
		if is_finite(value):
			var y := area.end.y - area.size.y * value / _axis_end
			draw_circle(Vector2(x, y), 3.0, colour)
	var words := cursor_words()
	var words_size := get_theme_font_size(&"words", COLOURS)
	var wide := get_theme_default_font().get_string_size(words, 0, -1, words_size).x + 8.0
	var left := clampf(x - wide * 0.5, 0.0, size.x - wide)
	var back := Rect2(left, size.y - FOOT + 2.0, wide, FOOT - 3.0)
	draw_rect(back, get_theme_color(&"axis", COLOURS))
	_write(words, Vector2(left + 4.0, size.y - 4.0), -1.0, HORIZONTAL_ALIGNMENT_LEFT, colour)


func _draw_head() -> void:
	var right := size.x - MARGIN_RIGHT
	var words := head_words()
	for of_native: bool in [true, false]:
		if not _has_lines(of_native):
			continue
		var reading_words := words[2 if of_native else 1]
		var colour := get_theme_color(&"native_words" if of_native else &"ours_words", COLOURS)
		# Digits have one width, so that the words stand still.
		right -= _width(reading_words)
		_write(reading_words, Vector2(right, 17.0), -1.0, HORIZONTAL_ALIGNMENT_LEFT, colour)
		right -= KEY_WIDTH + KEY_GAP
		draw_key(self, Vector2(right, 12.5), of_native)
		right -= READING_GAP
	draw_string(
		get_theme_default_font(),
		Vector2(TITLE_LEFT, 17.0),
		words[0],
		HORIZONTAL_ALIGNMENT_LEFT,
		-1,
		get_theme_font_size(&"title", COLOURS),
		get_theme_color(&"title", COLOURS)
	)
	_write(words[3], Vector2(TITLE_LEFT + _width(words[0], &"title") + TITLE_GAP, 17.0))


## What stands above the plot: title, the readings of both peers, and the unit with what a reading
## consists of. Where there is less room, a reading is explained by the tooltip only, the title is
## the short one, and at last a reading has its first value only. The unit stays.
func head_words() -> PackedStringArray:
	var readings: Array[String] = [reading_of(false), reading_of(true)]
	var words := PackedStringArray()
	for names: Array in [[title, unit + "   " + reading], [title, unit], [short_title, unit]]:
		words = PackedStringArray([names[0], readings[0], readings[1], names[1]])
		if width_of_head(words) <= size.x:
			return words
	for i: int in [1, 2]:
		words[i] = words[i].get_slice(" / ", 0)
	return words


## How wide a graph must be for these words.
func width_of_head(words: PackedStringArray) -> float:
	var width := TITLE_LEFT + _width(words[0], &"title") + TITLE_GAP + _width(words[3])
	for of_native: bool in [false, true]:
		if _has_lines(of_native):
			width += READING_GAP + KEY_WIDTH + KEY_GAP + _width(words[2 if of_native else 1])
	return width + MARGIN_RIGHT


func _has_lines(of_native: bool) -> bool:
	return lines.any(func(line: Line) -> bool: return line.is_native == of_native)


func _width(words: String, font_size := &"words") -> float:
	return (
		get_theme_default_font()
		. get_string_size(
			words, HORIZONTAL_ALIGNMENT_LEFT, -1, get_theme_font_size(font_size, COLOURS)
		)
		. x
	)


## The line that stands for a peer, in front of words.
static func draw_key(on: Control, from: Vector2, of_native: bool) -> void:
	var colour := on.get_theme_color(&"native" if of_native else &"ours", COLOURS)
	if of_native:
		for i in 3:
			var start := from + Vector2(7.0 * i, 0.0)
			on.draw_line(start, start + Vector2(4.0, 0.0), colour, 2.0)
	else:
		on.draw_line(from, from + Vector2(KEY_WIDTH, 0.0), colour, 2.0)


func _write(
	words: String,
	at: Vector2,
	width := -1.0,
	alignment := HORIZONTAL_ALIGNMENT_LEFT,
	colour := get_theme_color(&"words", COLOURS)
) -> void:
	draw_string(
		get_theme_default_font(),
		at,
		words,
		alignment,
		width,
		get_theme_font_size(&"words", COLOURS),
		colour
	)
