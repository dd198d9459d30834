extends Node
## A host, or a browser, in a process of its own without a window. After `--` on the command line:
## - `--lobby=host`, and what it announces: `--name=Ada --players=3 --max-players=8
##   --game-port=7777`;
## - `--lobby=browse`: prints what it finds and loses; with `--until-lost` it ends when it has lost
##   one;
## - for both: `--seconds=8` ends it after so long, `--port=` chooses another lobby port, and with
##   `--this-machine` nothing leaves this machine.

const Browser := preload("lobby_browser.gd")
const Entry := preload("lobby_entry.gd")
const Host := preload("lobby_host.gd")
const Network := preload("lobby_network.gd")
const Transcript := preload("lobby_transcript.gd")

var _browser: Browser
var _transcript: Transcript
var _end_msec := 0


func play(arguments: Dictionary[String, String]) -> void:
	# Nothing is drawn here: a hundred looks a second at the sockets are plenty.
	Engine.max_fps = 100
	if arguments.has("seconds"):
		_end_msec = Time.get_ticks_msec() + roundi(arguments["seconds"].to_float() * 1000.0)
	var is_started := false
	match arguments["lobby"]:
		"host":
			is_started = _host(arguments)
		"browse":
			is_started = _browse(arguments)
		_:
			printerr("lobby: --lobby=host or --lobby=browse")
	if not is_started:
		get_tree().quit(1)


func _process(_delta: float) -> void:
	if _end_msec and Time.get_ticks_msec() > _end_msec:
		_end_msec = 0
		_end()


func _host(arguments: Dictionary[String, String]) -> bool:
	var host := Host.new()
	host.game_name = arguments.get("name", host.game_name)
	host.players = arguments.get("players", "1").to_int()
	host.max_players = arguments.get("max-players", "8").to_int()
	host.game_port = arguments.get("game-port", "7777").to_int()
	host.lobby_port = _lobby_port(arguments)
	host.this_machine_only = arguments.has("this-machine")
	add_child(host)
	if host.open() != OK:
		printerr("lobby: ", host.get_last_error_message())
		return false
	print('lobby: announcing "%s" on port %d' % [host.game_name, host.lobby_port])
	return true


func _browse(arguments: Dictionary[String, String]) -> bool:
	_browser = Browser.new()
	_browser.lobby_port = _lobby_port(arguments)
	_transcript = Transcript.new(_browser)
	_transcript.said.connect(func(line: String) -> void: print(line))
	if arguments.has("until-lost"):
		_browser.host_lost.connect(func(_entry: Entry) -> void: _end_msec = Time.get_ticks_msec())
	add_child(_browser)
	if _browser.open() != OK:
		printerr("lobby: ", _browser.get_last_error_message())
		return false
	var interfaces := ", ".join(_browser.joined_interfaces())
	print(
		(
			"lobby: listening on port %d; multicasts on: %s"
			% [_browser.lobby_port, interfaces if interfaces else "no interface"]
		)
	)
	return true


func _end() -> void:
	if _browser:
		print("lobby: at the end, with %d strange packets:" % _browser.strangers)
		for line in Transcript.list(_browser):
			print("  ", line)
	get_tree().quit()


func _lobby_port(arguments: Dictionary[String, String]) -> int:
	return arguments.get("port", str(Network.PORT)).to_int()
