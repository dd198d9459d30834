extends RefCounted
## The changes of a browser's list, as lines to print.

## A new line.
signal said(line: String)

const Browser := preload("lobby_browser.gd")
const Entry := preload("lobby_entry.gd")
const Path := preload("lobby_path.gd")

var _start_usec := Time.get_ticks_usec()
# The ways last printed for each address of each host.
var _written: Dictionary[int, Dictionary] = {}


func _init(browser: Browser) -> void:
	browser.host_found.connect(_on_found)
	browser.host_changed.connect(_on_changed)
	browser.paths_changed.connect(_on_paths_changed)
	browser.host_lost.connect(_on_lost)


## The list as it is now.
static func list(browser: Browser) -> PackedStringArray:
	var lines := PackedStringArray()
	for entry: Entry in browser.entries.values():
		lines.append(entry.describe())
		for path in entry.paths:
			lines.append("    " + path.describe())
	return lines


func _on_found(entry: Entry) -> void:
	_written[entry.id] = {}
	_say("found", entry.describe())


func _on_changed(entry: Entry) -> void:
	_say("changed", entry.describe())


func _on_paths_changed(entry: Entry) -> void:
	var written := _written[entry.id]
	for path in entry.paths:
		# An address is printed once there is a way back to it.
		if path.has_round_trip() and written.get(path) != path.way_names():
			written[path] = path.way_names()
			_say("heard", "%s at %s" % [entry.game_name, path.describe()])
	for path: Path in written.keys():
		if path not in entry.paths:
			written.erase(path)
			_say("silent", "%s at %s" % [entry.game_name, path.short_ip()])


func _on_lost(entry: Entry) -> void:
	_written.erase(entry.id)
	var idle := (Time.get_ticks_usec() - entry.last_received_usec()) / 1_000_000.0
	_say("lost", "%s, silent for %.1f s" % [entry.game_name, idle])


func _say(what: String, words: String) -> void:
	var seconds := (Time.get_ticks_usec() - _start_usec) / 1_000_000.0
	said.emit("%6.2f s  %-8s %s" % [seconds, what, words])
