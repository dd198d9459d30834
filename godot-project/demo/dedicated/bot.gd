extends RefCounted
## A player that plays by itself: it joins, wanders about for a while, and leaves in good order, so
## that both ends know what the other sent and received. Set what it is, call open(), and then
## play_frame() once a frame until it is over.

enum State { JOINING, PLAYING, LEAVING, LEFT, FAILED }

const Account := preload("account.gd")
const Arena := preload("arena.gd")
const Pace := preload("pace.gd")
const Sockets := preload("sockets.gd")
const Tally := preload("tally.gd")
const TickClock := preload("tick_clock.gd")
const Wire := preload("wire.gd")

## A hello or a bye that is not answered is sent again after that time.
const RETRY_MSEC := 200
## The server must answer a hello within this time, and send something within the next one later.
const JOIN_MSEC := 15_000
const IDLE_MSEC := 5000
## Packets that are on their way at the goodbye are waited for.
const LINGER_MSEC := 1000
const SPEED := 120.0

var state := State.JOINING
## Why it has failed.
var trouble := ""
var name := ""
## How long it plays.
var seconds := 10.0
## Where in the time between two ticks its own tick is, from 0 to 1: not all bots of a process send
## in one moment.
var phase := 0.0
## The move of that number is not sent at all, which shows that losses are noticed; 0: all are sent.
var leave_out := 0

## Given by the server.
var id := 0
var moves_sent := 0
var snapshots := Tally.new()
var pace := Pace.new(Wire.UPDATES_PER_SECOND)
## How many players the latest snapshot showed, itself included.
var seen := 0
## Packets that were no message for a player.
var bad_packets := 0

## PacketPeerUdpRs or PacketPeerUDP.
var _socket
var _clock: TickClock
var _position := Vector2.ZERO
var _velocity := Vector2.ZERO
var _state_msec := 0
var _last_received_msec := 0
var _next_try_msec := 0
var _ticket := ""
# What the server said of itself with its last farewell.
var _snapshots_sent := 0
var _move_figures: PackedInt32Array = [0, 0, 0]
# When the first one came.
var _farewell_msec := 0


func open(host: String, port: int, native: bool) -> Error:
	_socket = Sockets.new_peer(native)
	_position = Vector2(randf(), randf()) * Arena.BOUNDS.size
	_velocity = Vector2.from_angle(randf() * TAU) * SPEED
	_enter(State.JOINING)
	return _socket.connect_to_host(host, port)


func close() -> void:
	if _socket:
		_socket.close()


func is_over() -> bool:
	return state == State.LEFT or state == State.FAILED


func play_frame() -> void:
	if is_over():
		return
	_receive()
	match state:
		State.JOINING:
			_repeat([Wire.Kind.HELLO, name, _ticket])
			if _state_age_msec() > JOIN_MSEC:
				_fail("the server does not answer")
		State.PLAYING:
			for i in _clock.due():
				_move()
			if _state_age_msec() > seconds * 1000.0:
				_enter(State.LEAVING)
		State.LEAVING:
			_repeat([Wire.Kind.BYE, moves_sent, snapshots.figures()])
	if not is_over() and state != State.JOINING and _idle_msec() > IDLE_MSEC:
		_fail("the server has fallen silent")


func skipped_ticks() -> int:
	return _clock.skipped if _clock else 0


## What it sent, and what came of that by the server's account.
func moves_account() -> Account:
	return Account.of(moves_sent, _move_figures)


## What it received of what the server said it sent.
func snapshots_account() -> Account:
	return Account.of(_snapshots_sent, snapshots.figures(), pace)


func _enter(next: State) -> void:
	state = next
	_state_msec = Time.get_ticks_msec()
	_next_try_msec = 0
	if state == State.PLAYING:
		_clock = TickClock.new(Wire.UPDATES_PER_SECOND, phase)


func _fail(why: String) -> void:
	trouble = why
	_enter(State.FAILED)
	close()


func _state_age_msec() -> int:
	return Time.get_ticks_msec() - _state_msec


func _idle_msec() -> int:
	return Time.get_ticks_msec() - _last_received_msec


## Sends now, and again every now and then.
func _repeat(message: Array) -> void:
	if Time.get_ticks_msec() >= _next_try_msec:
		_next_try_msec = Time.get_ticks_msec() + RETRY_MSEC
		_socket.put_var(message)


func _move() -> void:
	_velocity = _velocity.rotated(randf_range(-0.1, 0.1))
	_position += _velocity / Wire.UPDATES_PER_SECOND
	if not Arena.contains(_position):
		_position = _position.clamp(Vector2.ZERO, Arena.BOUNDS.size - Vector2.ONE)
		_velocity = -_velocity
	var number := moves_sent + 1
	var error := OK
	if number != leave_out:
		error = _socket.put_var([Wire.Kind.MOVE, number, _position, snapshots.missing()])
	# What the system did not take was not sent, and its number goes to the next one.
	if error == OK:
		moves_sent = number


func _receive() -> void:
	for i in _socket.get_available_packet_count():
		var message := Wire.take_from(_socket)
		_last_received_msec = Time.get_ticks_msec()
		if message.is_empty() or not _take(message):
			bad_packets += 1
		if is_over():
			return


## Returns whether the message says something that can be.
func _take(message: Array) -> bool:
	match message[0]:
		Wire.Kind.TICKET:
			_ticket = message[1]
			_next_try_msec = 0
		Wire.Kind.WELCOME:
			if state == State.JOINING:
				id = message[1]
				_enter(State.PLAYING)
		Wire.Kind.SNAPSHOT:
			return _take_snapshot(message[1], message[3], message[4])
		Wire.Kind.FAREWELL:
			return _take_farewell(message[1], message[2], message[3])
		_:
			return false
	return true


## A game would move the others to where they are now, unless the snapshot is late.
func _take_snapshot(number: int, ids: PackedInt32Array, positions: PackedVector2Array) -> bool:
	if ids.size() != positions.size():
		return false
	var verdict := snapshots.take(number)
	if verdict == Tally.Verdict.NEW:
		pace.note(Pace.arrival_usec(_socket))
		seen = ids.size()
	return verdict != Tally.Verdict.ABSURD


## It may go once the server knows its final tally, and nothing is missing that may still come.
func _take_farewell(sent: int, figures: PackedInt32Array, own_figures: PackedInt32Array) -> bool:
	if state != State.LEAVING or sent < snapshots.newest or not Tally.are_figures(figures):
		return false
	_snapshots_sent = sent
	_move_figures = figures
	if _farewell_msec == 0:
		_farewell_msec = Time.get_ticks_msec()
	var has_waited := Time.get_ticks_msec() - _farewell_msec > LINGER_MSEC
	var has_all := snapshots.received == sent and figures[0] == moves_sent
	if own_figures == snapshots.figures() and (has_all or has_waited):
		_enter(State.LEFT)
		close()
	return true
