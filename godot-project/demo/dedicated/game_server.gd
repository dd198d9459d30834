extends Node
## A dedicated server. Players join it, send it their positions, and receive the positions around
## them, thirty times a second each (see wire.gd). Add it to the tree, and call open().
##
## It accepts any position inside the arena. In a real game players would send their input, and
## the server would move them.

signal player_joined(player: Player)
## It has said bye or timed out, see has_said_bye().
signal player_left(player: Player)

const Account := preload("account.gd")
const Arena := preload("arena.gd")
const Pace := preload("pace.gd")
const Player := preload("player.gd")
const Sockets := preload("sockets.gd")
const Tally := preload("tally.gd")
const TickClock := preload("tick_clock.gd")
const Wire := preload("wire.gd")
const Workload := preload("workload.gd")

## How many new clients may be pending. After a restart all players connect in one frame.
const MAX_PENDING := 256
## A player's bye is answered for this long, because an answer may be lost.
const FAREWELL_MSEC := 1000

## 0: the system chooses, see local_port().
@export_range(0, 65535) var port := 24278
## One address of this machine, or "*": all of them.
@export var bind_address := "*"
@export_range(1, 10_000) var max_players := 1000
## A player that sends nothing for this long is removed.
@export_range(100, 60_000) var timeout_msec := 5000
## A thread of the addon reads the socket continuously, so that long frames lose no update.
@export var background_receive := true
## Uses the engine's UDPServer, for comparison. It has neither of the two above: it is polled, and
## this script removes idle players.
@export var native := false
## The snapshot with this number is not sent, which shows that losses are noticed; 0: all are sent.
@export var leave_out := 0

## By id, in the order of joining.
var players: Dictionary[int, Player] = {}
## Players that said bye, and that timed out.
var left := 0
var timed_out := 0
## First packets that were no hello or found no room. They change nothing.
var strangers := 0
var tick := 0
var workload := Workload.new()

## UdpServerRs or UDPServer.
var _server: RefCounted
var _clock: TickClock
var _arena := Arena.new()
var _next_id := 1
var _secret := Crypto.new().generate_random_bytes(16)
# Which player has which peer.
var _players_of := {}
# Totals of players that have left.
var _past_moves := Account.new()
var _past_snapshots := Account.new()
var _past_bad_packets := 0


func _process(_delta: float) -> void:
	if not is_open():
		return
	workload.begin()
	if not _reads_by_itself():
		_server.poll()
	_accept()
	for player: Player in _players_with_packets():
		_receive(player)
	for player: Player in players.values():
		if _is_over(player):
			_remove(player)
	for i in _clock.due():
		_tick()
	workload.end()


func _exit_tree() -> void:
	close()


func open() -> Error:
	close()
	_server = Sockets.new_server(native)
	_server.max_pending_connections = MAX_PENDING
	if not native:
		_server.background_receive = background_receive
		_server.peer_timeout_msec = timeout_msec
		_server.peer_timed_out.connect(_on_peer_timed_out)
	_clock = TickClock.new(Wire.UPDATES_PER_SECOND)
	return _server.listen(port, bind_address)


func close() -> void:
	if _server:
		_server.stop()
	for player: Player in players.values():
		_remove(player)


func is_open() -> bool:
	return _server != null and _server.is_listening()


func local_port() -> int:
	return _server.get_local_port() if is_open() else 0


## How the server receives, as text.
func describe() -> String:
	if native:
		return "UDPServer, polled"
	return "UdpServerRs, " + ("background_receive" if background_receive else "polled")


## Why open() failed.
func get_last_error_message() -> String:
	return "" if native or _server == null else _server.get_last_error_message()


## Empty for the engine's class, which has no statistics.
func stats() -> Dictionary:
	return {} if native or _server == null else _server.get_stats()


## What all players sent, including those that have left. For players that have not said bye, it is
## what their latest moves show.
func moves() -> Account:
	var sum := Account.new()
	sum.add(_past_moves)
	for player: Player in players.values():
		sum.add(player.moves_account())
	return sum


## What was sent to all players.
func snapshots() -> Account:
	var sum := Account.new()
	sum.add(_past_snapshots)
	for player: Player in players.values():
		sum.add(player.snapshots_account())
	return sum


## Packets of players that were malformed or impossible. They change nothing.
func bad_packets() -> int:
	return players.values().reduce(
		func(sum: int, player: Player) -> int: return sum + player.bad_packets, _past_bad_packets
	)


func skipped_ticks() -> int:
	return _clock.skipped if _clock else 0


func _reads_by_itself() -> bool:
	return background_receive and not native


func _accept() -> void:
	# A flood of new clients must not delay the players.
	for i in MAX_PENDING:
		if not _server.is_connection_available():
			return
		var peer = _server.take_connection()
		if peer:
			_admit(peer)


## A client that is not admitted leaves nothing behind: its peer is freed, so the server drops the
## connection.
func _admit(peer) -> void:
	var message := Wire.take_from(peer)
	var is_hello: bool = not message.is_empty() and message[0] == Wire.Kind.HELLO
	if not is_hello or not Wire.is_name(message[1]) or players.size() >= max_players:
		strangers += 1
		return
	var ticket := _ticket_for(peer)
	if message[2] != ticket:
		peer.put_var([Wire.Kind.TICKET, ticket])
		return
	var player := Player.new(_next_id, message[1], peer)
	_next_id += 1
	players[player.id] = player
	_players_of[peer] = player
	player.welcome()
	player_joined.emit(player)


## Only a receiver at that address can know it, and the server need not store it.
func _ticket_for(peer) -> String:
	var address: String = "%s %d" % [peer.get_packet_ip(), peer.get_packet_port()]
	return (_secret + address.to_utf8_buffer()).hex_encode().sha256_text().left(16)


## Ours knows which peers have packets. With the engine's class each peer has to be asked.
func _players_with_packets() -> Array:
	if native:
		return players.values()
	var senders: Array[Player] = []
	for peer in _server.get_ready_peers():
		if peer in _players_of:
			senders.append(_players_of[peer])
	return senders


func _receive(player: Player) -> void:
	for i: int in player.peer.get_available_packet_count():
		var message := Wire.take_from(player.peer)
		player.last_received_msec = Time.get_ticks_msec()
		if message.is_empty() or not _handle(player, message):
			player.bad_packets += 1


## The addon has closed it, because it was idle for too long.
func _on_peer_timed_out(peer) -> void:
	if peer in _players_of:
		_remove(_players_of[peer])


func _is_over(player: Player) -> bool:
	var now := Time.get_ticks_msec()
	if player.has_said_bye():
		return now - player.bye_msec > FAREWELL_MSEC
	return native and now - player.last_received_msec > timeout_msec


## Returns whether the message is possible.
func _handle(player: Player, message: Array) -> bool:
	match message[0]:
		Wire.Kind.HELLO:
			# The welcome was lost.
			player.welcome()
		Wire.Kind.MOVE:
			return _move(player, message[1], message[2], message[3])
		Wire.Kind.BYE:
			if not player.take_bye(message[1], message[2]):
				return false
			player.answer_bye()
		_:
			return false
	return true


func _move(player: Player, number: int, position: Vector2, missed: int) -> bool:
	if not Arena.contains(position) or missed < 0 or missed > player.snapshots_sent:
		return false
	var verdict := player.moves.take(number)
	if verdict == Tally.Verdict.ABSURD:
		return false
	# A late move counts, but does not change the position.
	if verdict == Tally.Verdict.NEW:
		player.pace.note(Pace.arrival_usec(player.peer))
		player.position = position
		player.snapshots_missed = missed
	return true


func _tick() -> void:
	tick += 1
	_arena.clear(tick)
	for player: Player in players.values():
		if player.has_moved() and not player.has_said_bye():
			_arena.place(player.id, player.position)
	for player: Player in players.values():
		if not player.has_said_bye():
			player.send_snapshot(tick, _arena.view_from(player.position), leave_out)


func _remove(player: Player) -> void:
	# A handler of an earlier signal may have closed the server.
	if not players.erase(player.id):
		return
	_players_of.erase(player.peer)
	_past_moves.add(player.moves_account())
	_past_snapshots.add(player.snapshots_account())
	_past_bad_packets += player.bad_packets
	if player.has_said_bye():
		left += 1
	else:
		timed_out += 1
	player.peer.close()
	player_left.emit(player)
