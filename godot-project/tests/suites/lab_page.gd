extends "../support/suite.gd"
## The page of the Lab, as far as it can be tested without a window: axes, the cursor, what a graph
## draws, the lane, the editor of conditions, and the colours of both themes.

const ConditionsEditor := preload("res://demo/window/lab/conditions_editor.gd")
const Cursor := preload("res://demo/window/lab/graph_cursor.gd")
const Graph := preload("res://demo/window/lab/graph.gd")
const LabGraphs := preload("res://demo/window/lab/lab_graphs.gd")
const LabMeasures := preload("res://demo/lab/lab_measures.gd")
const LabPage := preload("res://demo/window/lab/lab_page.gd")
const LaneFeed := preload("res://demo/window/lab/lane_feed.gd")
const Line := preload("res://demo/window/lab/graph_line.gd")
const Networks := preload("res://demo/conditions/networks.gd")
const PropertyRow := preload("res://demo/window/lab/property_row.gd")
const Scale := preload("res://demo/window/lab/graph_scale.gd")
const Terms := preload("res://demo/window/lab/terms.gd")
const Themes := preload("res://demo/window/themes.gd")
const Track := preload("res://demo/window/lab/lane_track.gd")

const EDITOR := "res://demo/window/lab/conditions_editor.tscn"
const PAGE := "res://demo/window/lab/lab_page.tscn"
const TEXT_CONTRAST := 4.5
const MARK_CONTRAST := 3.0
## Of Label and its variations: which surfaces each lies on.
const SURFACES: Dictionary[StringName, Array] = {
	&"Label": [&"PanelContainer", &"SunkenPanel", &"WindowPanel", &"AliceCard", &"BobCard"],
	&"MutedLabel": [&"PanelContainer", &"SunkenPanel", &"WindowPanel"],
	&"FieldLabel": [&"PanelContainer", &"WindowPanel"],
	&"SmallLabel": [&"AliceCard", &"BobCard", &"PanelContainer"],
	&"OursLabel": [&"WindowPanel"],
	&"NativeLabel": [&"WindowPanel"],
	&"ErrorLabel": [&"PanelContainer"],
	&"ReceivedLabel": [&"PanelContainer"],
	&"LostLabel": [&"PanelContainer"],
	&"GoodVerdictLabel": [&"PanelContainer"],
	&"BadVerdictLabel": [&"PanelContainer"],
	&"VerdictLabel": [&"PanelContainer"],
	&"BadgeLabel": [&"AliceBadge", &"BobBadge"],
}

# ---- axes and lines ------------------------------------------------------------------------------


func test_axis_ends() -> void:
	for values: Array in [
		[0.0, 1.0], [1.0, 1.0], [1.01, 1.5], [7.0, 8.0], [99.0, 100.0], [0.03, 0.03]
	]:
		check(
			is_equal_approx(Scale.round_up(values[0]), values[1]),
			"round_up(%s) is %s, expected %s" % [values[0], Scale.round_up(values[0]), values[1]]
		)
	check_equal(Scale.axis_end(120.0, 100.0, 5.0), 150.0, "a larger value")
	check_equal(Scale.axis_end(60.0, 100.0, 5.0), 100.0, "a somewhat smaller value")
	check_equal(Scale.axis_end(12.0, 100.0, 5.0), 15.0, "a much smaller value")
	check_equal(Scale.axis_end(0.0, 100.0, 5.0), 5.0, "nothing")


func test_axis_lines() -> void:
	for end: float in [1.0, 1.5, 2.0, 3.0, 50.0, 800.0, 1500.0, 20_000.0]:
		for most: int in [2, 3, 6, 9]:
			var lines := end / Scale.line_distance(end, most)
			check(
				lines > 0.99 and lines < most + 0.01, "%d lines up to %s: %s" % [most, end, lines]
			)


func test_words_of_values() -> void:
	var words := {
		0.0: "0", 0.424: "0.42", 7.34: "7.34", 12.34: "12.3", 123.4: "123", 1250.4: "1,250"
	}
	for value: float in words:
		check_equal(Scale.words(value), words[value], "words of %s" % value)
	check_equal(Scale.words(NAN), "–", "words of nothing")
	check_equal(Scale.axis_words(2.5), "2.5", "an axis")
	check_equal(Scale.axis_words(12.5), "12.5", "an axis")
	check_equal(Scale.axis_words(5.0), "5", "an axis")
	check_equal(Scale.axis_words(1500.0), "1,500", "an axis")


func test_a_line_has_gaps_where_nothing_is_known() -> void:
	var line := Line.new()
	line.values = _ramp(40)
	for i in range(10, 30):
		line.values[i] = NAN
	line.share_points(1)
	check_equal(line.pieces(Transform2D.IDENTITY).size(), 2, "pieces around a long gap")
	line.values = _ramp(40)
	line.values[20] = NAN
	line.share_points(1)
	check_equal(line.pieces(Transform2D.IDENTITY).size(), 1, "pieces around a short gap")
	line.lower = line.values.duplicate()
	line.share_points(1)
	check_equal(line.area(Transform2D.IDENTITY).size(), 38 * 6, "corners around a short gap")
	for i in range(10, 30):
		line.values[i] = NAN
		line.lower[i] = NAN
	line.share_points(1)
	check_equal(line.area(Transform2D.IDENTITY).size(), 18 * 6, "corners around a long gap")
	line.values = PackedFloat32Array([NAN, NAN])
	line.share_points(1)
	check_equal(line.pieces(Transform2D.IDENTITY).size(), 0, "pieces of nothing")


func test_points_keep_their_values_while_they_move() -> void:
	var line := Line.new()
	line.values = PackedFloat32Array([1, 2, 3, 4, 5, 6, 7, 8])
	line.newest = 7
	line.share_points(4)
	check_equal(line.value_at(0), 6.5, "the newest four")
	check_equal(line.value_at(4), 2.5, "the four before")
	line.values = PackedFloat32Array([2, 3, 4, 5, 6, 7, 8, 9])
	line.newest = 8
	line.share_points(4)
	check_equal(line.value_at(0), 9.0, "one that is alone yet")
	check_equal(line.value_at(1), 6.5, "the same four, a bucket later")
	line.shows_largest = true
	line.share_points(4)
	check_equal(line.value_at(1), 8.0, "the largest of them")
	check_equal(line.largest(), 9.0, "the largest of all")


func test_dashes_do_not_hide_a_peak() -> void:
	var line := Line.new(Line.Style.LINE, true)
	line.values.resize(200)
	for peak in 200:
		line.values.fill(1.0)
		line.values[peak] = 50.0
		line.newest = 199
		line.share_points(1)
		var pairs := line.dashes(Transform2D.IDENTITY, 3.0, 4.0)
		check(pairs.has(Vector2(peak, 50.0)), "the peak at %d is drawn" % peak)
		check(pairs.size() < 2 * 199, "there are gaps")


func test_share_of_a_second() -> void:
	var parts := PackedFloat32Array([NAN, 1, 1, 0, 0, 0, NAN])
	var wholes := PackedFloat32Array([NAN, 1, 1, 1, 1, 0, 0])
	var shares := LabGraphs.share_of_second(parts, wholes, 2)
	check(is_nan(shares[1]), "no share of half the time")
	check_equal(shares.slice(2, 6), PackedFloat32Array([100, 50, 0, 0]), "shares")
	check(is_nan(shares[6]), "no share of nothing")


# ---- the cursor ----------------------------------------------------------------------------------


func test_the_cursor_reads_values() -> void:
	var graph := _graph()
	graph.lines[0].values[-1 - 100] = 77.0
	graph.refresh()
	var x := graph.plot().end.x - graph.plot().size.x * 100 / (graph.buckets - 1)
	check_equal(graph.age_at(x), 100, "the age at a place")
	var motion := InputEventMouseMotion.new()
	motion.position = Vector2(x, 60.0)
	graph._gui_input(motion)
	check_equal(graph.cursor.age, 100, "the mouse moves the cursor")
	check_equal(graph.reading_of(false), "77", "ours at the cursor")
	check_equal(graph.reading_of(true), "500", "native at the cursor")
	var place := graph.place_of_values()
	check(
		(place * Vector2(599.0, 0.0)).is_equal_approx(graph.plot().end), "the newest value is right"
	)
	graph.free()


func test_keys_move_the_cursor() -> void:
	var graph := _graph()
	await _show(graph)
	graph.grab_focus()
	var expected := {KEY_HOME: 599, KEY_RIGHT: 598, KEY_LEFT: 599, KEY_END: 0, KEY_ESCAPE: -1}
	for key: Key in expected:
		_press(graph, key)
		check_equal(graph.cursor.age, expected[key], "after " + OS.get_keycode_string(key))
	_press(graph, KEY_LEFT, true)
	check_equal(graph.cursor.age, 19, "after Shift and left")
	check(graph.has_focus(), "the focus stays")
	graph.free()


## All graphs have the same cursor, and only a change of it asks for drawing.
func test_the_cursor_is_shared() -> void:
	var graphs := LabGraphs.new()
	await _show(graphs)
	var moves := []
	graphs.cursor.moved.connect(func() -> void: moves.append(graphs.cursor.age))
	for id in LabGraphs.GRAPHS:
		check(graphs.graph(id).cursor == graphs.cursor, "the cursor of " + id)
	graphs.cursor.age = 7
	graphs.cursor.age = 7
	check_equal(moves, [7], "moves")
	graphs.free()


# ---- the lane ------------------------------------------------------------------------------------


func test_the_lane_shows_what_became_of_packets() -> void:
	var measures := LabMeasures.new()
	measures.begin(0)
	for number in 5:
		measures.note_sent(number, number * 10_000, 100)
	# 1 is late, 3 is lost, 4 is still on its way.
	for arrival: Array in [[0, 20_000], [2, 45_000], [1, 50_000]]:
		measures.note_arrived(arrival[0], arrival[0] * 10_000, arrival[1], 100)
	var passages := LaneFeed.passages(measures)
	check_equal(passages.size(), 3, "packets before the first one that is still on its way")
	check_equal(passages[0].arrived_usec, 20_000, "arrival of the first")
	check(passages[1].is_overtaken and not passages[2].is_overtaken, "1 was overtaken, 2 was not")
	measures.settle()
	passages = LaneFeed.passages(measures)
	check_equal(passages.size(), 5, "packets when all is over")
	check_equal(passages[3].arrived_usec, Track.Passage.NEVER, "the lost one")


func test_packets_travel_and_fall() -> void:
	var track := Track.new()
	var passages: Array[Track.Passage] = []
	for i in 3:
		var passage := Track.Passage.new()
		passage.sent_usec = i * 10_000
		passage.arrived_usec = Track.Passage.NEVER if i == 1 else i * 10_000 + 100_000
		passages.append(passage)
	check_equal(Track.slowness_of(passages), Track.WAY_SEC * 10.0, "slowness of 100 ms")
	track.take_excerpt(passages, 5.0, 10.0)
	check_equal(track.flights.size(), 3, "flights")
	check(not track.wants_excerpt(5.0 + Track.EXCERPT_SEC * 0.9), "an excerpt takes its time")
	check(track.wants_excerpt(5.0 + Track.EXCERPT_SEC), "then it wants the next one")
	var arrives := track.flights[0]
	check(is_equal_approx(arrives.progress(arrives.start + 0.5), 0.5), "halfway is the far end")
	var lost := track.flights[1]
	var fall := lost.start + lost.length * lost.fall_at
	check(lost.falling(fall - 0.01) < 0.0 and lost.falling(fall + 0.01) > 0.0, "it falls")
	check(is_equal_approx(lost.progress(fall + 0.5), lost.fall_at), "it does not travel on")
	track.drop_finished(1000.0)
	check_equal(track.flights.size(), 0, "flights when all is over")


# ---- the editor ----------------------------------------------------------------------------------


func test_the_editor_has_a_control_for_every_property() -> void:
	var editor: ConditionsEditor = await _editor()
	var properties := ConditionsEditor.properties()
	check(properties.size() >= 17, "%d properties" % properties.size())
	for info in properties:
		var property: String = info["name"]
		check(Terms.PROPERTIES.has(property), "a name and an explanation of " + property)
		var row: PropertyRow = editor.row_of(property)
		check(row.input().tooltip_text.contains(property), "a tooltip of " + property)
		check(row.input().focus_mode == Control.FOCUS_ALL or row.input() is SpinBox, "focus")
		_check_control(editor, row, info)
	editor.free()


func test_directions_are_linked_or_not() -> void:
	var editor: ConditionsEditor = await _editor()
	editor.set_property("loss", 0.5)
	check_equal(editor.back.loss, 0.5, "back, linked")
	editor.link(false)
	editor.show_direction(ConditionsEditor.Direction.BACK)
	editor.set_property("loss", 0.25)
	check_equal([editor.there.loss, editor.back.loss], [0.5, 0.25], "not linked")
	check_equal((editor.row_of("loss").input() as SpinBox).value, 25.0, "what is shown")
	editor.link(true)
	check_equal([editor.there.loss, editor.back.loss], [0.25, 0.25], "linked again")
	editor.free()


func test_presets() -> void:
	var editor: ConditionsEditor = await _editor()
	editor.set_property("rng_seed", 5)
	for id: String in Networks.NAMES.keys() + [ConditionsEditor.NONE]:
		editor.choose_preset(id)
		check_equal(editor.preset(), id, "the preset")
		check_equal(editor.there.rng_seed, 5, "the seed stays")
	editor.set_property("loss", 0.123)
	check_equal(editor.preset(), ConditionsEditor.CUSTOM, "a network of one's own")
	check_equal(Networks.preset("awful").loss, 0.08, "the addon's preset stays as it is")
	editor.free()


# ---- the page ------------------------------------------------------------------------------------


func test_the_page_runs_an_experiment() -> void:
	var page: LabPage = load(PAGE).instantiate()
	var tree: SceneTree = Engine.get_main_loop()
	await _show(page)
	page.choose_preset("mobile_4g")
	var setup := page.setup_of_controls()
	setup.rng_seed = 3
	setup.compare_with_native = true
	page.show_setup(setup)
	check_equal(page.setup_of_controls().rng_seed, 3, "the seed of the controls")
	check(page.setup_of_controls().compare_with_native, "the comparison of the controls")
	page.start()
	check(page.lab.is_running(), "it runs")
	check_equal(page.lab.sides.size(), 2, "sides")
	check_equal(page.lane.tracks.size(), 2, "tracks of the lane")
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	var has_come := func() -> bool:
		return page.lab.sides.all(
			func(side: LabPage.LabSide) -> bool: return side.measures.totals()[&"received"] > 10
		)
	while not has_come.call() and Time.get_ticks_msec() < deadline:
		await tree.process_frame
	check(has_come.call(), "packets come back")
	for id in LabGraphs.GRAPHS:
		page.graphs.refresh(id)
		check(page.graphs.graph(id).lines.size() >= 2, "lines of " + id)
	page.stop()
	check(page.lab.is_running() and page.lab.is_finishing(), "it waits for the last packets")
	while page.lab.is_running() and Time.get_ticks_msec() < deadline:
		await tree.process_frame
	check(
		not page.lab.is_running() and not page.lane.is_processing(), "it stops, and the lane rests"
	)
	for side in page.lab.sides:
		var totals := side.measures.totals()
		check_equal(totals[&"in_flight"], 0, "under way in the end")
		check_equal(totals[&"received"] + totals[&"lost"], totals[&"sent"], "what was sent")
	var sent: int = page.lab.sides[0].measures.totals()[&"sent"]
	check_equal(page.lab.sides[1].measures.totals()[&"sent"], sent, "both have sent the same")
	setup.rng_seed = 0
	page.show_setup(setup)
	page.start()
	var drawn := page.lab.setup.rng_seed
	check_equal(page.editor.there.rng_seed, drawn, "a drawn seed while it is used")
	page.stop()
	page.stop()
	check(not page.lab.is_running(), "the second stop does not wait")
	check_equal(page.editor.there.rng_seed, 0, "the seed when it is over")
	check("seed %d" % drawn in page.status(), "the status line: " + page.status())
	page.start()
	page.free()


func test_everything_is_reached_by_keyboard() -> void:
	var page: LabPage = load(PAGE).instantiate()
	page.size = Vector2(1124, 600)
	await _show(page)
	for section: String in ["ends", "network", "relay"]:
		page.open_section(section)
		var reached: Array[Control] = []
		var control: Control = page.get_node("%Start")
		while control not in reached:
			reached.append(control)
			control = control.find_next_valid_focus()
		var missed := page.find_children("*", "Control", true, false).filter(
			func(node: Control) -> bool:
				var is_input := node is BaseButton or node is LineEdit or node is Graph
				var is_off: bool = node is BaseButton and node.disabled
				return is_input and node.is_visible_in_tree() and not is_off and node not in reached
		)
		check(missed.is_empty(), "%s: not reached: %s" % [section, missed])
		check(reached.size() > 10, "%d controls" % reached.size())
	page.free()


# ---- colours -------------------------------------------------------------------------------------


func test_every_colour_has_a_partner() -> void:
	for type in Themes.DARK.get_type_list():
		for item in Themes.DARK.get_color_list(type):
			var colour := Themes.DARK.get_color(item, type)
			check(Themes.has_partner(colour), "%s/%s %s" % [type, item, colour.to_html()])
		for item in Themes.DARK.get_stylebox_list(type):
			var box := Themes.DARK.get_stylebox(item, type) as StyleBoxFlat
			if box and box.draw_center:
				check(Themes.has_partner(box.bg_color), "%s/%s" % [type, item])


func test_text_is_readable() -> void:
	for is_light: bool in [false, true]:
		var theme := Themes.theme(is_light)
		var least := 21.0
		for type in SURFACES:
			for surface: StringName in SURFACES[type]:
				var colour := theme.get_color(&"font_color", type)
				least = minf(least, _check_contrast(theme, colour, &"panel", surface, type))
		var on_boxes: Array[Array] = [
			[&"Button", &"font_color", &"normal"],
			[&"Button", &"font_hover_color", &"hover"],
			[&"Button", &"font_pressed_color", &"pressed"],
			[&"BigButton", &"font_color", &"normal"],
			[&"BigButton", &"font_hover_color", &"hover"],
			[&"LineEdit", &"font_color", &"normal"],
			[&"LineEdit", &"font_placeholder_color", &"normal"],
			# What can be set only between experiments is read while one runs.
			[&"Button", &"font_disabled_color", &"disabled"],
			[&"LineEdit", &"font_uneditable_color", &"read_only"],
			[&"PopupMenu", &"font_disabled_color", &"panel"],
			[&"TabBar", &"font_selected_color", &"tab_selected"],
			[&"TabBar", &"font_hovered_color", &"tab_hovered"],
			[&"PopupMenu", &"font_color", &"panel"],
			[&"PopupMenu", &"font_hover_color", &"hover"],
			[&"FoldableContainer", &"font_color", &"title_panel"],
			[&"FoldableContainer", &"hover_font_color", &"title_hover_panel"],
			[&"TagLabel", &"font_color", &"normal"],
			[&"PhaseLabel", &"font_color", &"normal"],
			[&"CurrentPhaseLabel", &"font_color", &"normal"],
		]
		for pair in on_boxes:
			var colour := theme.get_color(pair[1], pair[0])
			least = minf(least, _check_contrast(theme, colour, pair[2], pair[0], pair[0]))
		var on_panel: Array[Array] = [
			[&"CheckBox", &"font_color", &"PanelContainer"],
			[&"CheckBox", &"font_disabled_color", &"PanelContainer"],
			[&"TabBar", &"font_unselected_color", &"WindowPanel"],
			[&"TooltipLabel", &"font_color", &"TooltipPanel"],
			[&"Graph", &"title", &"Graph"],
			[&"Graph", &"words", &"Graph"],
			[&"Graph", &"ours_words", &"Graph"],
			[&"Graph", &"native_words", &"Graph"],
		]
		for pair in on_panel:
			var colour := theme.get_color(pair[1], pair[0])
			least = minf(least, _check_contrast(theme, colour, &"panel", pair[2], pair[1]))
		for item: StringName in [&"words", &"ours_words", &"native_words"]:
			var contrast := Themes.contrast(
				theme.get_color(item, &"Graph"), theme.get_color(&"end", &"Graph")
			)
			check(contrast >= TEXT_CONTRAST, "%s on the lane's end: %.2f" % [item, contrast])
			least = minf(least, contrast)
		note("%s: text has a contrast of at least %.2f" % ["light" if is_light else "dark", least])


func test_marks_are_visible() -> void:
	for is_light: bool in [false, true]:
		var theme := Themes.theme(is_light)
		for item: StringName in [&"ours", &"native", &"lost", &"late", &"cursor"]:
			var surface := (theme.get_stylebox(&"panel", &"Graph") as StyleBoxFlat).bg_color
			var colour := theme.get_color(item, &"Graph")
			var contrast := Themes.contrast(colour, surface)
			check(contrast >= MARK_CONTRAST, "%s: %.2f" % [item, contrast])
			contrast = Themes.contrast(surface.lerp(colour, Graph.THIN_ALPHA), surface)
			check(contrast >= MARK_CONTRAST, "%s, as a thin line: %.2f" % [item, contrast])
		for type: StringName in [&"Button", &"LineEdit", &"CheckBox", &"TabBar", &"Graph"]:
			var item := &"tab_focus" if type == &"TabBar" else &"focus"
			var border := (theme.get_stylebox(item, type) as StyleBoxFlat).border_color
			var surface := (
				(theme.get_stylebox(&"panel", &"PanelContainer") as StyleBoxFlat).bg_color
			)
			check(Themes.contrast(border, surface) >= MARK_CONTRAST, "focus of " + type)


# ---- helpers -------------------------------------------------------------------------------------


func _check_contrast(
	theme: Theme, colour: Color, box: StringName, surface: StringName, what: StringName
) -> float:
	var contrast := Themes.contrast(
		colour, (theme.get_stylebox(box, surface) as StyleBoxFlat).bg_color
	)
	check(contrast >= TEXT_CONTRAST, "%s on %s: %.2f" % [what, surface, contrast])
	return contrast


func _check_control(editor: ConditionsEditor, row: PropertyRow, info: Dictionary) -> void:
	var property: String = info["name"]
	var input := row.input()
	if input is CheckBox:
		input.button_pressed = true
		check_equal(editor.there.get(property), true, property)
	elif input is OptionButton:
		input.item_selected.emit(2)
		check_equal(editor.there.get(property), 2, property)
	else:
		var number: SpinBox = input
		number.value = number.min_value + 5.0
		var is_share: bool = info["hint_string"].begins_with("0,1,")
		var expected := (number.min_value + 5.0) / (100.0 if is_share else 1.0)
		var got: float = editor.there.get(property)
		check(is_equal_approx(got, expected), "%s: got %s, expected %s" % [property, got, expected])
		if row.slider():
			row.slider().value = 1.0
			check(
				is_equal_approx(number.value, number.max_value), "the slider's end of " + property
			)
			row.slider().value = 0.0
			check_equal(number.value, number.min_value, "the slider's beginning of " + property)


## While the root sets up its children, it takes no others.
func _show(node: Node) -> void:
	var tree: SceneTree = Engine.get_main_loop()
	await tree.process_frame
	tree.root.add_child(node)


func _editor() -> ConditionsEditor:
	var editor: ConditionsEditor = load(EDITOR).instantiate()
	await _show(editor)
	return editor


func _graph() -> Graph:
	var graph := Graph.new()
	graph.cursor = Cursor.new()
	graph.size = Vector2(1300, 200)
	for is_native: bool in [false, true]:
		var line := Line.new(Line.Style.LINE, is_native)
		line.values = _ramp(600)
		line.newest = 599
		graph.lines.append(line)
	graph.lines[1].values.fill(500.0)
	graph.refresh()
	return graph


func _ramp(count: int) -> PackedFloat32Array:
	var values := PackedFloat32Array()
	for i in count:
		values.append(i)
	return values


func _press(graph: Graph, key: Key, with_shift := false) -> void:
	var event := InputEventKey.new()
	event.keycode = key
	event.pressed = true
	event.shift_pressed = with_shift
	graph._gui_input(event)
