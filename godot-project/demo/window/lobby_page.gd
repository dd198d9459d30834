extends HBoxContainer
## The page of the LAN lobby: user interface only. The logic is in lobby/lobby_host.gd and
## lobby/lobby_browser.gd, which a game can copy.

const Browser := preload("../lobby/lobby_browser.gd")
const Entry := preload("../lobby/lobby_entry.gd")
const Host := preload("../lobby/lobby_host.gd")
const HostProcess := preload("../lobby/host_process.gd")
const LobbyCard := preload("lobby_card.gd")
const Message := preload("../lobby/lobby_message.gd")
const Network := preload("../lobby/lobby_network.gd")

const LOBBY_CARD := preload("lobby_card.tscn")
## How often the figures are refreshed.
const REFRESH_MSEC := 250
const MOST_PLAYERS := 8
## Names of hosts in processes of their own.
const NAMES: Array[String] = ["Bob", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo"]

## Set these before the page is shown.
var lobby_port := Network.PORT
var this_machine_only := false

var host := Host.new()
var browser := Browser.new()

var _others: Array[HostProcess] = []
var _cards: Dictionary[int, LobbyCard] = {}
var _next_refresh_msec := 0
var _trouble := ""


func _ready() -> void:
	add_child(host)
	add_child(browser)
	visibility_changed.connect(_on_visibility_changed)
	browser.host_found.connect(_on_host_found)
	for change: Signal in [browser.host_changed, browser.paths_changed]:
		change.connect(func(entry: Entry) -> void: _cards[entry.id].refresh())
	browser.host_lost.connect(_on_host_lost)
	%Host.pressed.connect(_toggle_host)
	%Name.text_changed.connect(func(_words: String) -> void: _take_over_inputs())
	%Players.value_changed.connect(func(_value: float) -> void: _take_over_inputs())
	%StartHost.pressed.connect(_start_next_host)
	%EndHost.pressed.connect(_end_host)
	_take_over_inputs()
	refresh()


func _process(_delta: float) -> void:
	if visible and Time.get_ticks_msec() >= _next_refresh_msec:
		_next_refresh_msec = Time.get_ticks_msec() + REFRESH_MSEC
		refresh()


func _exit_tree() -> void:
	for process in _others:
		process.stop()


func host_game(game_name: String, players: int, max_players: int) -> void:
	%Name.text = game_name
	%Players.set_value_no_signal(players)
	host.max_players = max_players
	_take_over_inputs()
	host.lobby_port = lobby_port
	host.this_machine_only = this_machine_only
	_trouble = "" if host.open() == OK else host.get_last_error_message()
	refresh()


## Starts a host in another process, as on another machine.
func start_host(host_name: String, players: int, max_players: int) -> void:
	var process := HostProcess.new()
	if process.start(host_name, players, max_players, lobby_port, this_machine_only):
		_others.append(process)
	else:
		_trouble = "%s's process does not start." % host_name
	refresh()


## The text of the status line.
func status() -> String:
	if _trouble:
		return _trouble
	var interfaces := ", ".join(browser.joined_interfaces())
	var parts := PackedStringArray()
	parts.append("listening on port %d" % lobby_port)
	parts.append("multicasts on: %s" % (interfaces if interfaces else "no interface"))
	parts.append("strangers' packets: %d" % browser.strangers)
	return "  ·  ".join(parts)


func shown_names() -> PackedStringArray:
	return PackedStringArray(
		_cards.values().map(func(card: LobbyCard) -> String: return card.entry.game_name)
	)


func refresh() -> void:
	%Host.text = "Stop hosting" if host.is_open() else "Host this game"
	%Sent.text = _sent_words()
	%EndHost.disabled = _others.is_empty()
	%StartHost.disabled = _others.size() == NAMES.size()
	%Nobody.visible = _cards.is_empty()
	%Count.text = "1 game" if _cards.size() == 1 else "%d games" % _cards.size()
	for card: LobbyCard in _cards.values():
		card.refresh()


func _sent_words() -> String:
	if not host.is_open():
		return "Then everyone on this network hears of it once a second."
	var lines := PackedStringArray(["Sent once a second:"])
	for way in host.sent:
		lines.append("%d × %s" % [host.sent[way], Message.WAY_NAMES[way]])
	lines.append("Pings answered: %d" % host.answered)
	return "\n".join(lines)


## The browser listens only while the page is visible. A host keeps announcing.
func _on_visibility_changed() -> void:
	if not is_visible_in_tree():
		browser.close()
	elif not browser.is_open():
		browser.lobby_port = lobby_port
		_trouble = "" if browser.open() == OK else browser.get_last_error_message()


func _on_host_found(entry: Entry) -> void:
	var card: LobbyCard = LOBBY_CARD.instantiate()
	_cards[entry.id] = card
	%Cards.add_child(card)
	card.show_entry(entry, entry.id == host.id)
	refresh()


func _on_host_lost(entry: Entry) -> void:
	_cards[entry.id].queue_free()
	_cards.erase(entry.id)
	refresh()


func _toggle_host() -> void:
	if host.is_open():
		host.close()
		refresh()
	else:
		host_game(%Name.text, int(%Players.value), MOST_PLAYERS)


## Changes are sent with the next announcement.
func _take_over_inputs() -> void:
	# Browsers ignore a game without a name.
	var words: String = %Name.text.strip_edges()
	host.game_name = words if words else %Name.placeholder_text
	host.players = int(%Players.value)


func _start_next_host() -> void:
	var taken := _others.map(func(process: HostProcess) -> String: return process.game_name)
	for host_name in NAMES:
		if host_name not in taken:
			start_host(host_name, randi_range(1, MOST_PLAYERS), MOST_PLAYERS)
			return


func _end_host() -> void:
	var process: HostProcess = _others.pop_back()
	process.stop()
	refresh()
