extends PanelContainer
## One game in the list: host, players, and a line for each address.

const Entry := preload("../lobby/lobby_entry.gd")
const Message := preload("../lobby/lobby_message.gd")
const Path := preload("../lobby/lobby_path.gd")

## Of the addresses, so that what stands beside them is in line from card to card.
const ADDRESS_WIDTH := 224.0

var entry: Entry

# The paths that the lines show; the lines are made again when these change.
var _lines_of := ""


func show_entry(new_entry: Entry, is_own: bool) -> void:
	entry = new_entry
	%Badge.theme_type_variation = &"AliceBadge" if is_own else &"BobBadge"
	%Own.visible = is_own
	refresh()


func refresh() -> void:
	%Initial.text = entry.game_name.left(1).to_upper()
	%Name.text = entry.game_name
	%Players.text = "%d of %d players" % [entry.players, entry.max_players]
	var idle_sec := (Time.get_ticks_usec() - entry.last_received_usec()) / 1_000_000.0
	%LastReceived.text = "port %d  ·  heard %.1f s ago" % [entry.game_port, maxf(idle_sec, 0.0)]
	var best := entry.best_path()
	%RoundTrip.text = best.round_trip_words() if best.has_round_trip() else "–"
	var lines_of := " ".join(entry.paths.map(func(path: Path) -> String: return _line(path)))
	if lines_of != _lines_of:
		_lines_of = lines_of
		_make_lines()
	for i in entry.paths.size():
		var label: Label = %Paths.get_child(i * 3 + 2)
		label.text = entry.paths[i].round_trip_words()


func _line(path: Path) -> String:
	return "%s %s" % [path.ip, path.ways]


func _make_lines() -> void:
	for old in %Paths.get_children():
		%Paths.remove_child(old)
		old.queue_free()
	for path in entry.paths:
		var address := _label(path.short_ip(), &"Label")
		address.custom_minimum_size.x = ADDRESS_WIDTH
		%Paths.add_child(address)
		var ways := HBoxContainer.new()
		ways.size_flags_horizontal = SIZE_EXPAND_FILL
		for way in path.ways:
			ways.add_child(_label(Message.WAY_NAMES[way], &"TagLabel"))
		%Paths.add_child(ways)
		%Paths.add_child(_label("", &"MutedLabel"))


func _label(text: String, variation: StringName) -> Label:
	var label := Label.new()
	label.text = text
	label.theme_type_variation = variation
	return label
