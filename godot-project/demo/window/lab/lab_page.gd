extends HBoxContainer
## The page of the Lab: user interface only. The experiment is in lab/lab.gd, which the scripted
## session uses too.

const ConditionsEditor := preload("conditions_editor.gd")
const Figures := preload("../../figures.gd")
const Lab := preload("../../lab/lab.gd")
const LabExport := preload("../../lab/lab_export.gd")
const LabGraphs := preload("lab_graphs.gd")
const LabPattern := preload("../../lab/lab_pattern.gd")
const LabSetup := preload("../../lab/lab_setup.gd")
const LabSide := preload("../../lab/lab_side.gd")
const LaneFeed := preload("lane_feed.gd")
const Networks := preload("../../conditions/networks.gd")
const PacketLane := preload("packet_lane.gd")
const ScriptTime := preload("script_time.gd")
const Track := preload("lane_track.gd")

const FREEZE_MSEC := 1000
const TOTALS_MSEC := 250
const NEAR_ENDS: Array[LabSetup.EndKind] = [LabSetup.EndKind.OURS, LabSetup.EndKind.NATIVE]
const FAR_ENDS: Array[LabSetup.EndKind] = [
	LabSetup.EndKind.OURS, LabSetup.EndKind.NATIVE, LabSetup.EndKind.PROCESS
]
## What is shown of LabSide.counted().
const COUNTED: Dictionary[StringName, String] = {
	&"lost": "lost",
	&"dropped": "dropped",
	&"reordered": "reordered",
	&"duplicated": "doubled",
	&"waiting": "waiting",
	&"dropped_queue": "for a full queue",
}
const PATTERN_WORDS := (
	"Steady: one packet after the other.\nBursts: a quarter of a second's packets at once.\n"
	+ "A game's state: 60 times a second, as many packets at once as Packets a second needs.\n"
	+ "A file: as fast as a window allows, then nothing."
)

const START_WORDS := "Begins an experiment"
const STOP_WORDS := "Sends nothing more, and waits for packets on their way; again: does not wait"

var lab := Lab.new()

var _next_totals_msec := 0
var _trouble := ""
var _saved := ""
# The experiment has drawn its seed, so the field says 0 again when it is over.
var _is_seed_drawn := false

@onready var editor: ConditionsEditor = %Editor
@onready var graphs: LabGraphs = %Graphs
@onready var lane: PacketLane = %Lane
## What can be changed only between experiments.
@onready
var _fixed: Array[Control] = [%Pattern, %Near, %Far, %Background, %Compare, %Relayed, %Rate, %Bytes]


func _ready() -> void:
	add_child(lab)
	_fill_choices()
	_connect_controls()
	lane.source = func(number: int) -> Array[Track.Passage]:
		return LaneFeed.passages(lab.sides[number].measures)
	%Relay.use_conditions(editor.there, editor.back)
	visibility_changed.connect(_show_state)
	_show_network()
	_show_tracks()
	_show_state()


func _process(_delta: float) -> void:
	var start_usec := Time.get_ticks_usec()
	if lab.is_running() and is_visible_in_tree() and Time.get_ticks_msec() >= _next_totals_msec:
		_next_totals_msec = Time.get_ticks_msec() + TOTALS_MSEC
		_show_totals()
	ScriptTime.add(start_usec)


func start() -> void:
	_trouble = ""
	_saved = ""
	var setup := setup_of_controls()
	_is_seed_drawn = setup.rng_seed == 0
	if lab.start(setup) == OK:
		graphs.show_sides(lab.sides)
		_show_tracks()
	editor.refresh()
	_show_state()


## Waits for what is on its way; again: does not wait.
func stop() -> void:
	if lab.is_finishing():
		lab.stop()
	else:
		lab.finish()
		_show_state()


## So that Enter starts the experiment.
func focus_start() -> void:
	if is_visible_in_tree():
		%Start.grab_focus()


func freeze() -> void:
	lab.freeze(FREEZE_MSEC)


## What the controls say.
func setup_of_controls() -> LabSetup:
	var setup := LabSetup.new()
	setup.near = NEAR_ENDS[%Near.selected]
	setup.far = FAR_ENDS[%Far.selected]
	setup.compare_with_native = %Compare.button_pressed
	setup.background_receive = %Background.button_pressed
	setup.through_relay = %Relayed.button_pressed
	setup.there = editor.there
	setup.back = editor.back
	setup.rng_seed = editor.there.rng_seed
	setup.pattern = %Pattern.get_selected_id()
	setup.packets_per_second = int(%Rate.value)
	setup.packet_bytes = int(%Bytes.value)
	return setup


## The controls show these values; the network stays.
func show_setup(setup: LabSetup) -> void:
	%Near.select(NEAR_ENDS.find(setup.near))
	%Far.select(FAR_ENDS.find(setup.far))
	%Compare.set_pressed_no_signal(setup.compare_with_native)
	%Background.set_pressed_no_signal(setup.background_receive)
	%Relayed.set_pressed_no_signal(setup.through_relay)
	%Pattern.select(%Pattern.get_item_index(setup.pattern))
	%Rate.value = setup.packets_per_second
	%Bytes.value = setup.packet_bytes
	_set_seed(setup.rng_seed)
	_show_state()


func choose_preset(id: String) -> void:
	editor.choose_preset(id)


## Unfolds one of "ends", "network" and "relay", and folds the others.
func open_section(id: String) -> void:
	var sections: Dictionary[String, FoldableContainer] = {
		"ends": %EndsSection, "network": %NetworkSection, "relay": %RelaySection
	}
	for key in sections:
		sections[key].folded = key != id


## The text of the status line.
func status() -> String:
	if lab.sides.is_empty():
		return "Choose a network, and press Start."
	if lab.is_running() and lab.sides.any(_is_starting):
		return "The second process starts …"
	var words := "%.0f s" % lab.seconds()
	if lab.is_finishing():
		words = "waiting for the last packets"
	elif not lab.is_running():
		words = "stopped after " + words
	words += "  ·  seed %d" % lab.setup.rng_seed
	return "%s  ·  %s" % [words, _saved] if _saved else words


func _fill_choices() -> void:
	%Preset.add_item("None: this machine as it is")
	for id in Networks.NAMES:
		%Preset.add_item(Networks.NAMES[id])
		%Preset.set_item_tooltip(-1, Networks.describe(Networks.preset(id)))
	%Preset.add_item("Of your own")
	for kind in LabPattern.TITLES:
		%Pattern.add_item(
			LabPattern.TITLES[kind].left(1).to_upper() + LabPattern.TITLES[kind].substr(1), kind
		)
	%Pattern.tooltip_text = PATTERN_WORDS
	for kind in NEAR_ENDS:
		%Near.add_item(LabSetup.END_TITLES[kind])
	for kind in FAR_ENDS:
		%Far.add_item(LabSetup.END_TITLES[kind])
	var setup := LabSetup.new()
	setup.pattern = LabPattern.Kind.GAME
	setup.packet_bytes = 100
	show_setup(setup)


func _connect_controls() -> void:
	%Preset.item_selected.connect(_on_preset_selected)
	%Start.pressed.connect(_on_start_pressed)
	%Freeze.pressed.connect(freeze)
	%Near.item_selected.connect(func(_number: int) -> void: _show_state())
	%Pattern.item_selected.connect(func(_number: int) -> void: _show_state())
	%Compare.toggled.connect(func(_on: bool) -> void: _show_tracks())
	%Csv.pressed.connect(save_csv)
	%Picture.pressed.connect(save_picture)
	%Show.pressed.connect(func() -> void: OS.shell_show_in_file_manager(%Show.get_meta(&"path")))
	editor.edited.connect(_on_network_edited)
	lab.started.connect(_show_state)
	lab.stopped.connect(_on_stopped)
	lab.trouble.connect(_on_trouble)


func _unhandled_key_input(event: InputEvent) -> void:
	if event.is_action_pressed(&"ui_cancel") and is_visible_in_tree():
		graphs.cursor.age = LabGraphs.Cursor.NOWHERE


func _on_start_pressed() -> void:
	if lab.is_running():
		stop()
	else:
		start()


func _on_preset_selected(number: int) -> void:
	var ids := [ConditionsEditor.NONE] + Networks.NAMES.keys()
	if number < ids.size():
		choose_preset(ids[number])
	else:
		open_section("network")
	_show_network()


func _on_network_edited(property: String) -> void:
	# A seed that was typed stays.
	if property == "rng_seed":
		_is_seed_drawn = false
	_show_network()


func _show_network() -> void:
	var ids := [ConditionsEditor.NONE] + Networks.NAMES.keys() + [ConditionsEditor.CUSTOM]
	%Preset.select(ids.find(editor.preset()))


func _set_seed(value: int) -> void:
	editor.there.rng_seed = value
	editor.back.rng_seed = value
	editor.refresh()


func _on_stopped() -> void:
	# When the page is freed, its controls go first, and then the experiment ends.
	if not has_node(^"%Start"):
		return
	if _is_seed_drawn:
		_set_seed(0)
	_show_state()
	_show_totals()


func _on_trouble(words: String) -> void:
	_trouble = words
	_show_state()


func _is_starting(side: LabSide) -> bool:
	return side.state == LabSide.State.STARTING


func _show_state() -> void:
	var is_running := lab.is_running()
	%Start.text = "Stop" if is_running else "Start"
	%Start.tooltip_text = STOP_WORDS if is_running else START_WORDS
	%Freeze.disabled = not is_running or lab.is_finishing()
	for control in _fixed:
		if control is SpinBox:
			control.editable = not is_running
		else:
			control.disabled = is_running
	var is_native := NEAR_ENDS[%Near.selected] == LabSetup.EndKind.NATIVE
	for box: CheckBox in [%Background, %Compare, %Relayed]:
		box.disabled = is_running or is_native
	if %Pattern.get_selected_id() == LabPattern.Kind.FILE:
		%Rate.editable = false
	for button: Button in [%Csv, %Picture]:
		button.disabled = lab.sides.is_empty()
	%Trouble.text = _trouble
	%Trouble.visible = _trouble != ""
	lane.is_running = is_running and is_visible_in_tree()


## The lane's tracks, also before an experiment.
func _show_tracks() -> void:
	var tracks: Array[Track] = []
	var setup := setup_of_controls()
	var kinds: Array[LabSetup.EndKind] = [setup.near]
	if setup.compare_with_native and setup.near == LabSetup.EndKind.OURS:
		kinds.append(LabSetup.EndKind.NATIVE)
	for kind in kinds:
		var track := Track.new()
		track.title = LabSetup.END_TITLES[kind]
		track.is_native = kind == LabSetup.EndKind.NATIVE
		tracks.append(track)
	lane.show_tracks(tracks)


func _show_totals() -> void:
	var labels: Array[Label] = [%First, %Second]
	for number in labels.size():
		var is_side := number < lab.sides.size()
		labels[number].visible = is_side or lab.sides.size() == 1
		if is_side:
			var side := lab.sides[number]
			var is_native := side.near == LabSetup.EndKind.NATIVE
			labels[number].theme_type_variation = &"NativeLabel" if is_native else &"OursLabel"
			labels[number].text = _totals_words(side)
			labels[number].tooltip_text = "\n".join(
				[side.title(), labels[number].text, _counted_words(side)]
			)
	if lab.sides.size() == 1:
		%Second.theme_type_variation = &"FieldLabel"
		%Second.text = _counted_words(lab.sides[0])
		%Second.tooltip_text = %Second.text


func _totals_words(side: LabSide) -> String:
	var totals := side.measures.totals()
	var share: float = totals.get(&"loss_percent", NAN)
	var parts := PackedStringArray(
		[
			"%s sent" % Figures.grouped(totals.get(&"sent", 0)),
			"%s back" % Figures.grouped(totals.get(&"received", 0)),
			"%s lost" % Figures.grouped(totals.get(&"lost", 0)),
			"%s overtaken" % Figures.grouped(totals.get(&"reordered", 0)),
			"%s doubled" % Figures.grouped(totals.get(&"duplicated", 0)),
			"%s under way" % Figures.grouped(totals.get(&"in_flight", 0)),
		]
	)
	if is_finite(share):
		parts[2] += " (%.1f %%)" % share
	return ", ".join(parts)


func _counted_words(side: LabSide) -> String:
	var counted := side.counted()
	var parts := PackedStringArray()
	for key in COUNTED:
		if counted.get(key, -1) >= 0:
			parts.append("%s %s" % [Figures.grouped(counted[key]), COUNTED[key]])
	return "get_stats(): " + ", ".join(parts)


func save_csv() -> void:
	var path := _path("csv")
	_show_saved(path, LabExport.save_csv(lab, path))


func save_picture() -> void:
	_saved = ""
	# A frame is drawn only where something has changed.
	lane.queue_redraw()
	await RenderingServer.frame_post_draw
	var path := _path("png")
	_show_saved(path, LabExport.save_picture(get_viewport(), path))


func _path(ending: String) -> String:
	var folder := OS.get_system_dir(OS.SYSTEM_DIR_DOCUMENTS)
	if not DirAccess.dir_exists_absolute(folder):
		folder = OS.get_user_data_dir()
	var now := Time.get_datetime_string_from_system().replace(":", "-").replace("T", "_")
	return folder.path_join("udp_lab_%s.%s" % [now, ending])


func _show_saved(path: String, error: Error) -> void:
	_saved = "Saved: %s" % path if error == OK else "%s: %s" % [path, error_string(error)]
	%Show.disabled = error != OK
	%Show.set_meta(&"path", path)
