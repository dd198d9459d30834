extends "chapter.gd"
## A dedicated server with bots from two more processes. One process is killed; every update of the
## other is accounted for, in both directions.

const Account := preload("../dedicated/account.gd")
const EngineProcess := preload("../engine_process.gd")
const GameServer := preload("../dedicated/game_server.gd")
const Player := preload("../dedicated/player.gd")
const Wire := preload("../dedicated/wire.gd")

const BOTS_PER_PROCESS := 4
const PLAY_SECONDS := 3
## Which move the bots that are to be killed leave out.
const LEFT_OUT := 10
## For an engine that starts on a slow machine.
const START_MSEC := 30_000
const TIMEOUT_MSEC := 3000
## The goodbye takes about a second; a busy machine may take longer.
const END_MSEC := 30_000

var _server := GameServer.new()
var _surviving := EngineProcess.new()
var _killed := EngineProcess.new()
# By their names.
var _joined: Dictionary[String, Player] = {}
var _gone: Dictionary[String, Player] = {}


func _ready() -> void:
	_server.port = 0
	_server.bind_address = HOST
	_server.timeout_msec = TIMEOUT_MSEC
	_server.player_joined.connect(func(player: Player) -> void: _joined[player.name] = player)
	_server.player_left.connect(func(player: Player) -> void: _gone[player.name] = player)
	add_child(_server)


func _exit_tree() -> void:
	_surviving.stop()
	_killed.stop()


func play() -> void:
	var error := _server.open()
	claims.check(
		error == OK,
		"a server listens: %s" % _server.describe(),
		"%s, %s" % [error_string(error), _server.get_last_error_message()]
	)
	if error != OK:
		return
	tell("Two more processes bring %d bots each. Those of the second leave out" % BOTS_PER_PROCESS)
	tell("their move %d, to see whether that is noticed." % LEFT_OUT)
	_start(_surviving, "honest", ["--seconds=%d" % PLAY_SECONDS])
	_start(_killed, "doomed", ["--seconds=60", "--leave-out=%d" % LEFT_OUT])
	await until(_have_joined, START_MSEC)
	claims.check(_have_joined(), "%d bots have joined" % _joined.size(), str(_joined.keys()))
	if _have_joined():
		await _send_garbage()
		await _find_what_is_left_out()
		await _kill_process()
		await _say_goodbye()
	_server.close()


func _start(process: EngineProcess, bots_name: String, more: PackedStringArray) -> void:
	var arguments: PackedStringArray = [
		"--dedicated=bots",
		"--server=%s:%d" % [HOST, _server.local_port()],
		"--bots=%d" % BOTS_PER_PROCESS,
		"--name=" + bots_name,
	]
	if not process.run(arguments + more):
		claims.check(false, "the process of the %s bots starts" % bots_name)


func _have_joined() -> bool:
	return _joined.size() == 2 * BOTS_PER_PROCESS


## Any program can send to the port.
func _send_garbage() -> void:
	var garbage: Array[PackedByteArray] = [
		"hello".to_utf8_buffer(),
		var_to_bytes("hello"),
		var_to_bytes([Wire.Kind.HELLO]),
		var_to_bytes([Wire.Kind.HELLO, 1, 2]),
		var_to_bytes([Wire.Kind.HELLO, "\u001b[2J", ""]),
		var_to_bytes([Wire.Kind.MOVE, 1, Vector2.ZERO, 0]),
	]
	var before := _server.strangers
	var strangers: Array[PacketPeerUdpRs] = []
	for packet in garbage:
		var stranger := PacketPeerUdpRs.new()
		stranger.send_to(packet, HOST, _server.local_port())
		strangers.append(stranger)
	await until(func() -> bool: return _server.strangers - before >= garbage.size())
	claims.check(
		_server.strangers - before == garbage.size() and _have_joined(),
		"%d packets that are no hello were counted, and changed nothing" % garbage.size(),
		"%d were counted; %s" % [_server.strangers - before, _joined.keys()]
	)


func _find_what_is_left_out() -> void:
	var doomed := _players_of("doomed", _joined)
	var are_past := func() -> bool:
		return doomed.all(func(player: Player) -> bool: return player.moves.newest > LEFT_OUT)
	await until(are_past, END_MSEC)
	var lost := doomed.map(func(player: Player) -> int: return player.moves_account().lost())
	claims.check(
		lost == [1, 1, 1, 1],
		"the server's account of each of the second four lacks one update",
		"lost are %s" % [lost]
	)


func _kill_process() -> void:
	tell("The second process is killed.")
	_killed.stop()
	var start := Time.get_ticks_msec()
	await until(
		func() -> bool: return _players_of("doomed", _gone).size() == BOTS_PER_PROCESS,
		TIMEOUT_MSEC + END_MSEC
	)
	claims.check(
		_players_of("doomed", _gone).size() == BOTS_PER_PROCESS,
		(
			"peer_timeout_msec: %.1f s later its bots are gone"
			% ((Time.get_ticks_msec() - start) / 1000.0)
		),
		"gone are %s" % [_gone.keys()]
	)


func _say_goodbye() -> void:
	await until(
		func() -> bool: return _server.players.is_empty() and not _surviving.is_running(),
		PLAY_SECONDS * 1000 + END_MSEC
	)
	var exit_code := OS.get_process_exit_code(_surviving.pid)
	claims.check(
		(
			_server.left == BOTS_PER_PROCESS
			and _server.timed_out == BOTS_PER_PROCESS
			and exit_code == 0
		),
		"the others said goodbye; their process has missed nothing, by its exit code",
		"%d left, %d timed_out, exit code %d" % [_server.left, _server.timed_out, exit_code]
	)
	var moves := Account.new()
	var snapshots := Account.new()
	for player: Player in _players_of("honest", _gone):
		moves.add(player.moves_account())
		snapshots.add(player.snapshots_account())
	claims.check(
		moves.is_whole() and moves.sent > 0,
		"they sent %d updates, and %d came in, in order" % [moves.sent, moves.received],
		moves.describe()
	)
	claims.check(
		snapshots.is_whole() and snapshots.sent > 0,
		"the server sent them %d, and they have %d" % [snapshots.sent, snapshots.received],
		snapshots.describe()
	)


func _players_of(bots_name: String, players: Dictionary[String, Player]) -> Array:
	return players.values().filter(
		func(player: Player) -> bool: return player.name.begins_with(bots_name)
	)
