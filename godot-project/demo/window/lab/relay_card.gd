extends VBoxContainer
## The relay for one's own server: an address in, a port out, and what passes. It has the network of
## the page.

const Figures := preload("../../figures.gd")
const LabRelay := preload("../../lab/lab_relay.gd")

const REFRESH_MSEC := 250
const HOST := "127.0.0.1"
## What is counted in both directions: the key of UdpLinkProxy.get_stats(), and its name.
const COUNTS: Dictionary[String, String] = {
	"packets_in": "came in",
	"packets_out": "went out",
	"lost": "lost",
	"dropped": "dropped",
	"reordered": "reordered",
	"duplicated": "doubled",
	"waiting": "held now",
}

var relay := LabRelay.new()

var _next_refresh_msec := 0
# To the server and to the clients.
var _labels: Dictionary[String, Array] = {}


func _ready() -> void:
	for heading: String in ["packets", "to the server", "to clients"]:
		_add_label(heading, &"FieldLabel")
	for key in COUNTS:
		_add_label(COUNTS[key], &"FieldLabel")
		_labels[key] = [_add_label("", &"FieldLabel"), _add_label("", &"FieldLabel")]
	%Toggle.pressed.connect(toggle)
	%Address.text_submitted.connect(func(_words: String) -> void: toggle())
	%Copy.pressed.connect(func() -> void: DisplayServer.clipboard_set(address()))
	refresh()


func _process(_delta: float) -> void:
	if relay.is_running() and is_visible_in_tree() and Time.get_ticks_msec() >= _next_refresh_msec:
		_next_refresh_msec = Time.get_ticks_msec() + REFRESH_MSEC
		refresh()


func _exit_tree() -> void:
	relay.stop()


## Where clients connect to.
func address() -> String:
	return "%s:%d" % [HOST, relay.port()]


func use_conditions(there: UdpLinkConditions, back: UdpLinkConditions) -> void:
	relay.there = there
	relay.back = back


func toggle() -> void:
	if relay.is_running():
		relay.stop()
	else:
		relay.start(%Address.text)
	refresh()


func refresh() -> void:
	var is_running := relay.is_running()
	%Toggle.text = "Stop" if is_running else "Start"
	%Address.editable = not is_running
	%Out.visible = is_running
	# The counts stay when it has stopped.
	%Counts.visible = is_running or %Counts.visible
	%Toggle.tooltip_text = "Ends it" if is_running else "Begins to listen for your clients"
	%Trouble.visible = relay.trouble != "" and not is_running
	%Trouble.text = relay.trouble
	if not %Counts.visible:
		return
	var stats := relay.stats()
	%Port.text = "Connect to %s" % address()
	%Clients.text = Figures.counted(stats.get("clients", 0), "client")
	for key in _labels:
		_labels[key][0].text = Figures.grouped(stats.get("to_target_" + key, 0))
		_labels[key][1].text = Figures.grouped(stats.get("to_client_" + key, 0))


func _add_label(words: String, variation: StringName) -> Label:
	var label := Label.new()
	label.text = words
	label.theme_type_variation = variation
	label.size_flags_horizontal = SIZE_EXPAND_FILL
	if %Counts.get_child_count() % 3 > 0:
		label.horizontal_alignment = HORIZONTAL_ALIGNMENT_RIGHT
	%Counts.add_child(label)
	return label
