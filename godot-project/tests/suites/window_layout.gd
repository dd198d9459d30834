extends "../support/suite.gd"
## The sample project's window in its smallest size and on a 4K screen, in both themes: on every
## page, no words are cut off, nothing lies outside the window, and tooltips can be seen. The
## contrast of words is tested in lab_page.gd.

const ErrorSamples := preload("res://demo/error_samples.gd")
const Graph := preload("res://demo/window/lab/graph.gd")
const LabGraphs := preload("res://demo/window/lab/lab_graphs.gd")
const LabMeasures := preload("res://demo/lab/lab_measures.gd")
const Line := preload("res://demo/window/lab/graph_line.gd")
const LobbyClaims := preload("res://demo/scripted/lobby_claims.gd")
const Message := preload("res://demo/message.gd")
const SampleWindow := preload("res://demo/window/sample_window.gd")
const Themes := preload("res://demo/window/themes.gd")

const WINDOW := "res://demo/window/sample_window.tscn"
## The size of the window in pixels: how many of them there are to a unit of the layout.
const SIZES: Dictionary[Vector2i, float] = {
	SampleWindow.SMALLEST_WINDOW: 1.0, Vector2i(1920, 1080): 1.0, Vector2i(3840, 2160): 2.0
}
const PAGES: Array[String] = ["lab", "chat", "stall", "lobby"]
const SECTIONS: Array[String] = ["ends", "network", "relay"]
## What a container, and then the containers in it, need to be laid out.
const LAYOUT_FRAMES := 4
const ROUNDING := 0.51

var _window: Window
var _sample: SampleWindow
var _port_owner := PacketPeerUdpRs.new()


func test_nothing_is_cut_off() -> void:
	await _open()
	await _fill_pages()
	var seen := 0
	for size in SIZES:
		for is_light: bool in [false, true]:
			await _set_up(size, is_light)
			check_equal(_window.content_scale_factor, SIZES[size], "the scale at %s" % size)
			for page in PAGES:
				seen += await _check_page(page, "%s, %s" % [size, "light" if is_light else "dark"])
	note("%d labels, buttons and fields were measured" % seen)
	_close()


func test_tooltips_can_be_seen() -> void:
	await _open()
	await _fill_pages()
	var count := 0
	for node: Control in _sample.find_children("*", "Control", true, false):
		if node.tooltip_text:
			count += 1
			check(
				node.mouse_filter != Control.MOUSE_FILTER_IGNORE, "the tooltip of %s" % _name(node)
			)
	check(count > 40, "%d tooltips" % count)
	_close()


## The head of a graph at the smallest size, with the readings of both peers.
func test_heads_of_graphs_have_room() -> void:
	await _open()
	await _set_up(SampleWindow.SMALLEST_WINDOW, false)
	for id in LabGraphs.GRAPHS:
		var graph := _sample.lab_page.graphs.graph(id)
		var is_shortened := false
		for value: float in [0.0, 8.88, 88.8, 888.0, 8888.0, 88_888.0]:
			_fill(graph, 3 if id == &"rtt" else 2 if id == &"throughput" else 1, value)
			var words := graph.head_words()
			check(
				graph.width_of_head(words) <= graph.size.x,
				"%s at %s: %s" % [id, value, " ".join(words)]
			)
			check(words[3].begins_with(graph.unit), "%s at %s has no unit" % [id, value])
			is_shortened = is_shortened or words[0] != graph.title
		check_equal(is_shortened, id == &"rtt", "the short title of " + id)
	_close()


## Red and green look alike to some: what was lost is pale in a frame.
func test_lost_and_received_differ_without_colour() -> void:
	for is_light: bool in [false, true]:
		var theme := Themes.theme(is_light)
		var bar := (theme.get_stylebox(&"panel", &"BarPanel") as StyleBoxFlat).bg_color
		var lost: StyleBoxFlat = theme.get_stylebox(&"panel", &"LostPart")
		var received: StyleBoxFlat = theme.get_stylebox(&"panel", &"ReceivedPart")
		var inside := bar.lerp(Color(lost.bg_color, 1.0), lost.bg_color.a)
		var contrast := Themes.contrast(inside, received.bg_color)
		check(contrast >= 2.0, "lost beside received: %.2f" % contrast)
		check(Themes.contrast(lost.border_color, bar) >= 3.0, "the frame of lost")
		check(lost.border_width_left >= 2, "how wide the frame is")


# ---- helpers -------------------------------------------------------------------------------------


func _open() -> void:
	var tree: SceneTree = Engine.get_main_loop()
	await tree.process_frame
	_window = Window.new()
	_sample = load(WINDOW).instantiate()
	_window.add_child(_sample)
	tree.root.add_child(_window)
	# No packet of the lobby leaves this machine.
	_sample.lobby_page.lobby_port = LobbyClaims.reserve_port(_port_owner)
	_sample.lobby_page.this_machine_only = true
	_sample.play({})
	# The window asks for it; the tests go on as before.
	OS.low_processor_usage_mode = false


func _close() -> void:
	_sample.lab_page.stop()
	_sample.free()
	_window.free()
	_port_owner.close()


## Puts the longest words on the pages that they can have without a long session.
func _fill_pages() -> void:
	var lab_page := _sample.lab_page
	var setup := lab_page.setup_of_controls()
	setup.compare_with_native = true
	lab_page.show_setup(setup)
	lab_page.choose_preset("awful")
	lab_page.start()
	lab_page.get_node("%Relay").toggle()
	var chat := _sample.chat
	chat.choose_network("awful")
	chat.start_waiting()
	chat.waiting.interrupt()
	chat.provoke(ErrorSamples.too_large)
	var lobby_page := _sample.lobby_page
	lobby_page.show()
	lobby_page.host_game("A game with a long name", 8, 8)
	var has_come := func() -> bool:
		return (
			lab_page.get_node("%Second").text != ""
			and chat.conversation.bob_is_here
			and not chat.waiting.is_waiting()
			and not chat.error_samples.is_busy()
			and not lobby_page.shown_names().is_empty()
		)
	await _until(has_come, "the pages have words")
	var noted := chat.get_node("%Bob/%Cards").get_child_count()
	chat.conversation.network = null
	chat.send(Message.of_text("A text that is too long for one line. ".repeat(8)))
	await _until(
		func() -> bool: return chat.get_node("%Bob/%Cards").get_child_count() > noted,
		"a text has come"
	)
	chat.choose_network("awful")
	lobby_page.hide()


func _set_up(size: Vector2i, is_light: bool) -> void:
	_window.size = size
	_sample.is_light = is_light
	await _let_frames_pass()


func _until(condition: Callable, what: String) -> void:
	var tree: SceneTree = Engine.get_main_loop()
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while not condition.call() and Time.get_ticks_msec() < deadline:
		await tree.process_frame
	check(condition.call(), what)


func _let_frames_pass() -> void:
	var tree: SceneTree = Engine.get_main_loop()
	for i in LAYOUT_FRAMES:
		await tree.process_frame


## Returns how many controls with words were measured.
func _check_page(page: String, where: String) -> int:
	(_sample.get_node("%Tabs") as TabBar).current_tab = PAGES.find(page)
	var count := 0
	for section: String in SECTIONS if page == "lab" else [""]:
		if section:
			_sample.lab_page.open_section(section)
		await _let_frames_pass()
		var name_of_page := "%s %s at %s" % [page, section, where]
		var measured := 0
		for node: Control in _sample.find_children("*", "Control", true, false):
			if node.is_visible_in_tree():
				_check_place(node, name_of_page)
				measured += int(_check_words(node, name_of_page))
		check(measured >= 10, "%s: %d controls have words" % [name_of_page, measured])
		count += measured
	return count


## A control is as large as it must be, and lies within the window. What can be scrolled may lie
## outside, above or below.
func _check_place(node: Control, page: String) -> void:
	var least := node.get_combined_minimum_size()
	check(
		node.size.x >= least.x - ROUNDING and node.size.y >= least.y - ROUNDING,
		"%s: %s is %s, and needs %s" % [page, _name(node), node.size, least]
	)
	var inside := _sample.get_global_rect()
	var scroll := _scroll_around(node)
	if scroll:
		var view := scroll.get_global_rect()
		inside = Rect2(view.position.x, -1e6, view.size.x, 2e6)
	check(
		inside.grow(ROUNDING).encloses(node.get_global_rect()),
		"%s: %s is at %s, outside of %s" % [page, _name(node), node.get_global_rect(), inside]
	)


func _scroll_around(node: Control) -> ScrollContainer:
	var parent := node.get_parent_control()
	while parent and not parent is ScrollContainer:
		parent = parent.get_parent_control()
	# A scroll container's bars are its own, and move nothing.
	return null if node is ScrollBar else parent


## Whether the control has words; they must have room.
func _check_words(node: Control, page: String) -> bool:
	if node is Label:
		var label: Label = node
		if label.text == "":
			return false
		var room := label.size - label.get_theme_stylebox(&"normal").get_minimum_size()
		if label.autowrap_mode == TextServer.AUTOWRAP_OFF:
			var width := _width(label, label.text)
			check(
				width <= room.x + ROUNDING,
				"%s: %s is cut off: %s" % [page, _name(label), label.text]
			)
		check_equal(
			label.get_visible_line_count(),
			label.get_line_count(),
			"%s: lines of %s" % [page, _name(label)]
		)
		return true
	if node is Button:
		var button: Button = node
		# A list is as wide as its longest choice only when its text may not be cut.
		check(
			not button.clip_text and button.text_overrun_behavior == TextServer.OVERRUN_NO_TRIMMING,
			"%s: the words of %s may be cut" % [page, _name(button)]
		)
		return button.text != ""
	if node is LineEdit:
		var field: LineEdit = node
		var words := field.text if field.text else field.placeholder_text
		var room := field.size.x - field.get_theme_stylebox(&"normal").get_minimum_size().x
		check(_width(field, words) <= room + ROUNDING, "%s: %s is cut off" % [page, words])
		return words != ""
	if node is FoldableContainer:
		var fold: FoldableContainer = node
		check(_width(fold, fold.title) < fold.size.x - 40.0, "%s: %s" % [page, fold.title])
		return true
	return false


func _width(node: Control, words: String) -> float:
	var font := node.get_theme_font(&"font")
	var font_size := node.get_theme_font_size(&"font_size")
	var width := 0.0
	for line in words.split("\n"):
		var size := font.get_string_size(line, HORIZONTAL_ALIGNMENT_LEFT, -1, font_size)
		width = maxf(width, size.x)
	return width


func _fill(graph: Graph, lines: int, value: float) -> void:
	graph.lines.clear()
	for is_native: bool in [false, true]:
		for i in lines:
			var line := Line.new(Line.Style.LINE, is_native)
			line.values.resize(LabMeasures.BUCKETS)
			line.values.fill(value)
			graph.lines.append(line)
	graph.refresh()


func _name(node: Control) -> String:
	return str(_sample.get_path_to(node))
