extends Node
## A dedicated server. Players join it, tell it where they are, and are told what is around them,
## each of it thirty times a second (wire.gd says how). Add it to the tree, and call open().
##
## It takes its players' word for where they are, as long as that is in the arena. In a game they
## would rather send what they want to do, and the server would move them.

signal player_joined(player: Player)
## It has said bye, or (see has_said_bye()) it has fallen silent.
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

## So many that have just sent their first packet wait to be looked at. When all players come back
## at once, as after a restart, they come in one frame.
const MAX_PENDING := 256
## Who has said bye is answered for so long: an answer may be lost.
const FAREWELL_MSEC := 1000

## 0: the system chooses, see local_port().
@export_range(0, 65535) var port := 24278
## One address of this machine, or "*": all of them.
@export var bind_address := "*"
@export_range(1, 10_000) var max_players := 1000
## Who is silent for so long is gone.
@export_range(100, 60_000) var timeout_msec := 5000
## A thread of the addon reads the socket all the time: no update is lost while a frame is long.
@export var background_receive := true
## Uses the engine's UDPServer, to compare. It has neither of the two above: it is polled, and this
## script looks for the silent.
@export var native := false
## The snapshot of that number is sent to nobody, which shows that losses are noticed; 0: none is
## left out.
@export var leave_out := 0

## By their ids, in the order in which they came.
var players: Dictionary[int, Player] = {}
## Players that said bye, and that fell silent.
var left := 0
var timed_out := 0
## First packets that were no hello, or found no room. They change nothing.
var strangers := 0
var tick := 0
var workload := Workload.new()

## UdpServerRs or UDPServer.
var _server: RefCounted
var _clock: TickClock
var _arena := Arena.new()
var _next_id := 1
var _secret := Crypto.new().generate_random_bytes(16)
# Of players that are no longer here.
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
	for player: Player in players.values():
		_receive(player)
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


## What can be said of the way it receives.
func describe() -> String:
	if native:
		return "UDPServer, polled"
	return "UdpServerRs, " + ("background_receive" if background_receive else "polled")


## Why open() failed.
func get_last_error_message() -> String:
	return "" if native or _server == null else _server.get_last_error_message()


## Empty for the engine's class, which does not count.
func stats() -> Dictionary:
	return {} if native or _server == null else _server.get_stats()


## What all players sent, those that are gone included. Of those that have not said bye, what is
## known of it by their latest moves.
func moves() -> Account:
	var sum := Account.new()
	sum.add(_past_moves)
	for player: Player in players.values():
		sum.add(player.moves_account())
	return sum


## What was sent to them all.
func snapshots() -> Account:
	var sum := Account.new()
	sum.add(_past_snapshots)
	for player: Player in players.values():
		sum.add(player.snapshots_account())
	return sum


## Packets of players that were no message, or said what cannot be. They change nothing.
func bad_packets() -> int:
	return players.values().reduce(
		func(sum: int, player: Player) -> int: return sum + player.bad_packets, _past_bad_packets
	)


func skipped_ticks() -> int:
	return _clock.skipped if _clock else 0


func _reads_by_itself() -> bool:
	return background_receive and not native


func _accept() -> void:
	# A flood of newcomers is no reason to forget those who play.
	for i in MAX_PENDING:
		if not _server.is_connection_available():
			return
		var peer = _server.take_connection()
		if peer:
			_admit(peer)


## Whoever is not let in leaves nothing behind: nobody keeps the peer, so the server forgets it.
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
	player.welcome()
	player_joined.emit(player)


## Nobody else can know it, and nothing has to be remembered for it.
func _ticket_for(peer) -> String:
	var address: String = "%s %d" % [peer.get_packet_ip(), peer.get_packet_port()]
	return (_secret + address.to_utf8_buffer()).hex_encode().sha256_text().left(16)


func _receive(player: Player) -> void:
	# -1 when the addon has closed it, because it was silent for too long.
	var count: int = player.peer.get_available_packet_count()
	for i in count:
		var message := Wire.take_from(player.peer)
		player.last_received_msec = Time.get_ticks_msec()
		if message.is_empty() or not _handle(player, message):
			player.bad_packets += 1
	if count < 0 or _is_over(player):
		_remove(player)


func _is_over(player: Player) -> bool:
	var now := Time.get_ticks_msec()
	if player.has_said_bye():
		return now - player.bye_msec > FAREWELL_MSEC
	return native and now - player.last_received_msec > timeout_msec


## Returns whether the message says something that can be.
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
	# A late one counts, but moves nobody back.
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
	# Who was told of another one may have closed the server.
	if not players.erase(player.id):
		return
	_past_moves.add(player.moves_account())
	_past_snapshots.add(player.snapshots_account())
	_past_bad_packets += player.bad_packets
	if player.has_said_bye():
		left += 1
	else:
		timed_out += 1
	player.peer.close()
	player_left.emit(player)
