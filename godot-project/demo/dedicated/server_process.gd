extends Node
## The server in a process of its own, without a window. It shows what it does: in a terminal as a
## table that is drawn again every second, otherwise as a line every five. After `--` on the command
## line:
## - `--dedicated=server`, and where it listens: `--port=24278` (0: the system chooses),
##   `--address=127.0.0.1`;
## - `--polled`: without background_receive; `--native`: with the engine's UDPServer;
##   `--timeout=MSEC`: idle players are removed after this time; `--max-players=N`;
## - `--hitch=MSEC`: every five seconds a frame takes that long, as when a server saves its game;
## - `--leave-out=N`: the N-th snapshot of each player is not sent, to see that losses are noticed;
## - `--rows=N`: how many players the table shows;
## - `--seconds=N`, `--until-gone=N`: it ends after that time, or when so many players have come and
##   gone;
## - `--port-file=PATH`: where it writes its port once it listens; `--report=PATH`: where it writes
##   its figures at the end (see report.gd).

const FRAMES_PER_SECOND := 120
const TABLE_MSEC := 1000
const LINE_MSEC := 5000
const HITCH_EVERY_MSEC := 5000

const GameServer := preload("game_server.gd")
const Report := preload("report.gd")
const StatusTable := preload("status_table.gd")

var _arguments: Dictionary[String, String] = {}
var _table: StatusTable
var _is_terminal := OS.get_stdout_type() == OS.STD_HANDLE_CONSOLE
var _lines_drawn := 0
var _start_msec := 0
var _next_look_msec := 0
var _next_hitch_msec := 0

@onready var _server: GameServer = $GameServer


func play(arguments: Dictionary[String, String]) -> void:
	_arguments = arguments
	# Without a limit the loop would use a whole processor.
	Engine.max_fps = FRAMES_PER_SECOND
	_set_up()
	if _server.open() != OK:
		printerr("dedicated: cannot listen on port %d. " % _server.port, _why())
		get_tree().quit(1)
		return
	_table = StatusTable.new(_server)
	_table.rows = arguments.get("rows", str(_table.rows)).to_int()
	_start_msec = Time.get_ticks_msec()
	_next_look_msec = _start_msec + (0 if _is_terminal else LINE_MSEC)
	_next_hitch_msec = _start_msec + HITCH_EVERY_MSEC
	if arguments.has("port-file"):
		Report.write_file(arguments["port-file"], str(_server.local_port()))
	if not _is_terminal:
		print("dedicated: %s, listening on port %d" % [_server.describe(), _server.local_port()])


func _process(_delta: float) -> void:
	if not _server.is_open():
		return
	var now := Time.get_ticks_msec()
	if now >= _next_look_msec:
		_next_look_msec = now + (TABLE_MSEC if _is_terminal else LINE_MSEC)
		_show()
	if _arguments.has("hitch") and now >= _next_hitch_msec:
		_next_hitch_msec = now + HITCH_EVERY_MSEC
		OS.delay_msec(_arguments["hitch"].to_int())
	if _is_over():
		_end()


func _set_up() -> void:
	_server.port = _arguments.get("port", str(_server.port)).to_int()
	_server.bind_address = _arguments.get("address", _server.bind_address)
	_server.timeout_msec = _arguments.get("timeout", str(_server.timeout_msec)).to_int()
	_server.max_players = _arguments.get("max-players", str(_server.max_players)).to_int()
	_server.leave_out = _arguments.get("leave-out", "0").to_int()
	_server.background_receive = not _arguments.has("polled")
	_server.native = _arguments.has("native")


func _why() -> String:
	var message := _server.get_last_error_message()
	return message if message else "Is it taken?"


func _show() -> void:
	_table.look()
	if not _is_terminal:
		print(_table.line())
		return
	# Moves the cursor to the first line of the last table and clears it. Long lines are cut off: a
	# line that wraps would be counted as one.
	var back := "\u001b[%dA\u001b[J" % _lines_drawn if _lines_drawn else ""
	var lines := _table.table()
	_lines_drawn = lines.size()
	print(back, "\u001b[?7l", "\n".join(lines), "\u001b[?7h")


func _is_over() -> bool:
	var gone := _server.left + _server.timed_out
	if _arguments.has("until-gone") and gone >= _arguments["until-gone"].to_int():
		return true
	var msec := Time.get_ticks_msec() - _start_msec
	return _arguments.has("seconds") and msec > _arguments["seconds"].to_float() * 1000.0


func _end() -> void:
	_show()
	if _arguments.has("report"):
		Report.of_server(_server).save(_arguments["report"])
	_server.close()
	get_tree().quit()
