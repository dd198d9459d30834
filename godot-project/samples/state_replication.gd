extends RefCounted
## A server sends the state of all players to all players, and each client shows them moving
## smoothly, however irregularly the packets arrive. One file to copy; [Server] and [Client] are
## nodes. The page docs/samples/state_replication.md explains it.
##
## Everything is unreliable: what is lost is not sent again, a newer state is on its way already.
## Numbers are little-endian. Whatever is read is checked before it is used.
##
## | kind     | from, to         | after the kind (one byte)                                      |
## |----------|------------------|----------------------------------------------------------------|
## | HELLO    | client to server | magic u32, ticket u64 (0: none yet); repeated until WELCOME    |
## | TICKET   | server to client | ticket u64                                                     |
## | WELCOME  | server to client | id u16, snapshots per second u8, tick u32                      |
## | INPUT    | client to server | number u32, newest tick seen u32, count u8, then for each,     |
## |          |                  | newest first: move 2 × s8, look u16, buttons u8                |
## | SNAPSHOT | server to client | count u8, tick u32, then for each player: id u16, position     |
## |          |                  | 3 × s16, velocity 3 × s16, yaw u16, teleports u8               |
## | BYE      | both             | to the server: ticket u64; to the client: reason u8            |
##
## The ticket proves that a client receives at its address: without it, anyone could send a HELLO
## with a forged sender, and the server would flood that address with snapshots. No answer to a
## stranger is longer than its HELLO.

enum Kind { HELLO = 1, TICKET, WELCOME, INPUT, SNAPSHOT, BYE }
## Why a client is no longer connected: [method Client.leave] was called; the server was closed, is
## full, is silent; or its name has no address.
enum Reason { LEFT, SERVER_CLOSED, SERVER_FULL, TIMED_OUT, UNKNOWN_HOST }

## The protocol and its version. Choose another for your game.
const MAGIC := 0x31525350
## Every network carries this in one packet.
const MAX_BYTES := 1200
const SNAPSHOT_HEADER_BYTES := 6
const PLAYER_BYTES := 17
## As many as fit into one snapshot; no part of a player does.
@warning_ignore("integer_division")
const MAX_PLAYERS := (MAX_BYTES - SNAPSHOT_HEADER_BYTES) / PLAYER_BYTES
## Positions are rounded to this many metres and velocities to this many metres per second. 16 bits
## hold up to 512 of either.
const UNIT := 1.0 / 64
const INPUTS_PER_SECOND := 60
## Each packet repeats the inputs before, so that a press survives three losses in a row.
const INPUTS_PER_PACKET := 4
## An interruption of more inputs than this is believed when it is confirmed: ten seconds.
const MOST_INPUTS_MISSING := 10 * INPUTS_PER_SECOND
const INPUT_HEADER_BYTES := 10
const INPUT_BYTES := 5
const HELLO_BYTES := 13
const WELCOME_BYTES := 8


## What is replicated of a player.
class State:
	var position := Vector3.ZERO
	## Metres per second. Has to be right: clients use it between snapshots and beyond them.
	var velocity := Vector3.ZERO
	## Radians.
	var yaw := 0.0
	## Counts from 0 to 255 and starts again. Where it changes, nothing is interpolated.
	var teleports := 0

	## Moves without passing the places in between, as at a new start.
	func teleport_to(place: Vector3) -> void:
		position = place
		teleports = (teleports + 1) & 0xff

	func copy_from(other: State) -> void:
		position = other.position
		velocity = other.velocity
		yaw = other.yaw
		teleports = other.teleports

	## What lies between two states that are [param seconds] apart, at [param weight] from 0 to 1:
	## the cubic (Hermite) curve with both positions and both velocities.
	func interpolate(from: State, to: State, seconds: float, weight: float) -> void:
		var square := weight * weight
		var cube := square * weight
		position = (
			from.position * (2 * cube - 3 * square + 1)
			+ to.position * (3 * square - 2 * cube)
			+ from.velocity * ((cube - 2 * square + weight) * seconds)
			+ to.velocity * ((cube - square) * seconds)
		)
		velocity = from.velocity.lerp(to.velocity, weight)
		yaw = lerp_angle(from.yaw, to.yaw, weight)
		teleports = from.teleports


## A player of the server. The game moves it, in [signal Server.ticked].
class Player:
	extends State

	var id := 0
	var peer: PacketPeerUdpRs
	## The newest input: at most 1 long.
	var move := Vector2.ZERO
	## Where the player looks; radians.
	var look := 0.0
	## The buttons that are down, as bits.
	var buttons := 0
	## The number of the newest input, and how many never arrived, not even repeated.
	var input_number := 0
	var inputs_lost := 0
	## The newest tick that the client had when it sent its input.
	var tick_seen := 0

	var _pressed := 0
	# What confirms a number that is far from the last one.
	var _expected_number := -1

	## The buttons that were down at any time since the last call, as bits.
	func take_pressed() -> int:
		var pressed := _pressed | buttons
		_pressed = 0
		return pressed

	## Returns whether [param packet] is an INPUT that is possible. One that is not newer changes
	## nothing. [param newest_tick]: the server's, later ones cannot have been seen.
	func take_input(packet: PackedByteArray, newest_tick := 0xffff_ffff) -> bool:
		var count := packet[9] if packet.size() > INPUT_HEADER_BYTES else 0
		if count < 1 or packet.size() != INPUT_HEADER_BYTES + count * INPUT_BYTES:
			return false
		var number := packet.decode_u32(1)
		var fresh := number - input_number
		# A single wrong number must not make all that follow outdated: one that is far away is
		# believed when the next packet follows it.
		if absi(fresh) > MOST_INPUTS_MISSING:
			if number != _expected_number:
				_expected_number = number + 1
				return false
			fresh = count
		elif fresh <= 0:
			return true
		_expected_number = -1
		inputs_lost += maxi(0, fresh - count)
		input_number = number
		tick_seen = maxi(tick_seen, mini(packet.decode_u32(5), newest_tick))
		for i in mini(fresh, count):
			_pressed |= packet[INPUT_HEADER_BYTES + i * INPUT_BYTES + 4]
		move = Vector2(packet.decode_s8(10), packet.decode_s8(11)) / 127
		move = move.limit_length()
		look = packet.decode_u16(12) * TAU / 0x10000
		buttons = packet[14]
		return true


## The state of all players at one moment, as a client has received it.
class Snapshot:
	var tick := 0
	## On the server's clock: the tick, in seconds.
	var time := 0.0
	var states: Dictionary[int, State] = {}


## How states and snapshots are written and read.
class Wire:
	static func encode_snapshot(tick: int, players: Dictionary[int, Player]) -> PackedByteArray:
		var packet := PackedByteArray()
		packet.resize(SNAPSHOT_HEADER_BYTES + players.size() * PLAYER_BYTES)
		packet[0] = Kind.SNAPSHOT
		packet[1] = players.size()
		packet.encode_u32(2, tick)
		var at := SNAPSHOT_HEADER_BYTES
		for id in players:
			var state := players[id]
			packet.encode_u16(at, id)
			for axis in 3:
				packet.encode_s16(at + 2 + axis * 2, rounded(state.position[axis]))
				packet.encode_s16(at + 8 + axis * 2, rounded(state.velocity[axis]))
			packet.encode_u16(at + 14, encoded_angle(state.yaw))
			packet[at + 16] = state.teleports & 0xff
			at += PLAYER_BYTES
		return packet

	## Null if [param packet] is no snapshot. [param interval]: seconds between two ticks.
	static func decode_snapshot(packet: PackedByteArray, interval: float) -> Snapshot:
		if packet.size() < SNAPSHOT_HEADER_BYTES or packet[0] != Kind.SNAPSHOT:
			return null
		if packet.size() != SNAPSHOT_HEADER_BYTES + packet[1] * PLAYER_BYTES:
			return null
		var snapshot := Snapshot.new()
		snapshot.tick = packet.decode_u32(2)
		snapshot.time = snapshot.tick * interval
		for at in range(SNAPSHOT_HEADER_BYTES, packet.size(), PLAYER_BYTES):
			var state := State.new()
			for axis in 3:
				state.position[axis] = packet.decode_s16(at + 2 + axis * 2) * UNIT
				state.velocity[axis] = packet.decode_s16(at + 8 + axis * 2) * UNIT
			state.yaw = packet.decode_u16(at + 14) * TAU / 0x10000
			state.teleports = packet[at + 16]
			snapshot.states[packet.decode_u16(at)] = state
		return snapshot

	static func rounded(value: float) -> int:
		return clampi(roundi(value / UNIT), -0x8000, 0x7fff)

	static func encoded_angle(angle: float) -> int:
		return roundi(angle / TAU * 0x10000) & 0xffff

	static func with_u64(kind: Kind, value: int) -> PackedByteArray:
		var packet := PackedByteArray()
		packet.resize(9)
		packet[0] = kind
		packet.encode_u64(1, value)
		return packet


## The server. Add it to the tree, connect [signal ticked], and call [method open].
class Server:
	extends Node

	signal player_joined(player: Player)
	signal player_left(player: Player)
	## Move the players now, by [param delta] seconds. Then a snapshot is sent.
	signal ticked(delta: float)

	## After a long frame, no more ticks than this are made up for; the others are skipped.
	const MOST_TICKS_AT_ONCE := 8
	## Of one player in one frame; the rest waits for the next.
	const MOST_PACKETS_AT_ONCE := 32
	## Clients that have no ticket yet. More than these are answered and forgotten.
	const MOST_STRANGERS := 64

	@export_range(1, MAX_PLAYERS) var max_players := 20
	## Set before [method open].
	@export_range(1, 120) var snapshots_per_second := 30
	## A player that sends nothing for this long is removed.
	@export_range(100, 60_000) var timeout_msec := 5000

	## Its conditions, options and statistics. [method open] sets those that are needed.
	var socket := UdpServerRs.new()
	## By id.
	var players: Dictionary[int, Player] = {}
	## The number of the last tick: the time since [method open] in ticks.
	var tick := 0
	## Bytes of the last snapshot.
	var snapshot_bytes := 0
	## Packets of players that say nothing, and of others that are no HELLO. They change nothing.
	var malformed := 0
	var refused := 0

	var _start_usec := 0
	var _secret := Crypto.new().generate_random_bytes(16)
	var _players_of: Dictionary[PacketPeerUdpRs, Player] = {}
	var _strangers: Dictionary[PacketPeerUdpRs, bool] = {}
	var _last_id := 0

	func _init() -> void:
		socket.peer_timed_out.connect(_on_peer_timed_out)

	func _process(_delta: float) -> void:
		if not socket.is_listening():
			return
		# Bounded: the server admits no more than max_pending_connections in a frame.
		while socket.is_connection_available():
			_meet(socket.take_connection())
		for peer in socket.get_ready_peers():
			for packet in peer.get_packets(MOST_PACKETS_AT_ONCE):
				# A BYE before it has closed the peer.
				if peer.is_socket_connected():
					_receive(peer, packet)
		_run_ticks()

	func _exit_tree() -> void:
		close()

	## Port 0: the system chooses, see [method UdpServerRs.get_local_port].
	func open(port: int, bind_address := "*") -> Error:
		close()
		socket.background_receive = true
		socket.reuse_address = false
		socket.max_pending_connections = MOST_STRANGERS
		socket.peer_timeout_msec = timeout_msec
		tick = 0
		_start_usec = Time.get_ticks_usec()
		return socket.listen(port, bind_address)

	## Tells all players, and stops. What link conditions hold back is dropped.
	func close() -> void:
		for player: Player in players.values():
			player.peer.put_packet(PackedByteArray([Kind.BYE, Reason.SERVER_CLOSED]))
			remove(player)
		_strangers.clear()
		socket.stop()

	func remove(player: Player) -> void:
		if players.erase(player.id):
			_players_of.erase(player.peer)
			player.peer.close()
			player_left.emit(player)

	func _meet(peer: PacketPeerUdpRs) -> void:
		if peer == null:
			return
		if _strangers.size() >= MOST_STRANGERS:
			var oldest: PacketPeerUdpRs = _strangers.keys()[0]
			_strangers.erase(oldest)
		_strangers[peer] = true

	func _receive(peer: PacketPeerUdpRs, packet: PackedByteArray) -> void:
		var player: Player = _players_of.get(peer)
		if player == null:
			_greet(peer, packet)
		elif not _hear(player, packet):
			malformed += 1

	## A stranger that is not kept leaves nothing behind: its peer is freed.
	func _greet(peer: PacketPeerUdpRs, packet: PackedByteArray) -> void:
		if not _is_hello(packet):
			refused += 1
			_strangers.erase(peer)
		elif packet.decode_u64(5) != _ticket_for(peer):
			peer.put_packet(Wire.with_u64(Kind.TICKET, _ticket_for(peer)))
		elif players.size() >= mini(max_players, MAX_PLAYERS):
			peer.put_packet(PackedByteArray([Kind.BYE, Reason.SERVER_FULL]))
		else:
			_admit(peer)

	func _admit(peer: PacketPeerUdpRs) -> void:
		_strangers.erase(peer)
		var player := Player.new()
		while _last_id == 0 or players.has(_last_id):
			_last_id = (_last_id + 1) & 0xffff
		player.id = _last_id
		_last_id = (_last_id + 1) & 0xffff
		player.peer = peer
		players[player.id] = player
		_players_of[peer] = player
		_welcome(player)
		player_joined.emit(player)

	func _welcome(player: Player) -> void:
		var packet := PackedByteArray()
		packet.resize(WELCOME_BYTES)
		packet[0] = Kind.WELCOME
		packet.encode_u16(1, player.id)
		packet[3] = snapshots_per_second
		packet.encode_u32(4, tick)
		player.peer.put_packet(packet)

	## Returns whether the packet is one that players send.
	func _hear(player: Player, packet: PackedByteArray) -> bool:
		if packet.is_empty():
			return false
		match packet[0]:
			Kind.HELLO:
				# The WELCOME was lost.
				if _is_hello(packet):
					_welcome(player)
					return true
			Kind.INPUT:
				return player.take_input(packet, tick)
			Kind.BYE:
				if packet.size() == 9 and packet.decode_u64(1) == _ticket_for(player.peer):
					remove(player)
					return true
		return false

	static func _is_hello(packet: PackedByteArray) -> bool:
		return (
			packet.size() == HELLO_BYTES
			and packet[0] == Kind.HELLO
			and packet.decode_u32(1) == MAGIC
		)

	## Only a receiver at that address can know it, and nothing is stored for it.
	func _ticket_for(peer: PacketPeerUdpRs) -> int:
		var address := "%s %d" % [peer.get_packet_ip(), peer.get_packet_port()]
		return (_secret.hex_encode() + address).sha256_buffer().decode_u64(0)

	func _run_ticks() -> void:
		# Whole ticks.
		@warning_ignore("integer_division")
		var due := (Time.get_ticks_usec() - _start_usec) * snapshots_per_second / 1_000_000
		if due <= tick:
			return
		# Tick and time belong together, so a skipped tick is a missing number.
		tick = maxi(tick, due - MOST_TICKS_AT_ONCE)
		while tick < due:
			tick += 1
			ticked.emit(1.0 / snapshots_per_second)
		# A handler may have closed the server.
		if socket.is_listening():
			_send_snapshot()

	func _send_snapshot() -> void:
		var packet := Wire.encode_snapshot(tick, players)
		snapshot_bytes = packet.size()
		var peers: Array[PacketPeerUdpRs] = []
		for player: Player in players.values():
			# The addon closes idle peers at any moment, and one that is closed would stop all.
			if player.peer.is_socket_connected():
				peers.append(player.peer)
		socket.put_packet_to(peers, packet)

	func _on_peer_timed_out(peer: PacketPeerUdpRs) -> void:
		_strangers.erase(peer)
		if _players_of.has(peer):
			remove(_players_of[peer])


## Decides which moment of the server's time is shown: a bit in the past, so that the snapshots
## around it are there, and no further in the past than the network needs. All times are seconds.
class Playout:
	## About four seconds of snapshots.
	const WINDOW := 128
	## Of so many snapshots the next one has to come before this one is used up.
	const QUANTILE := 0.95
	## How much faster or slower than the server's the shown time may run.
	const SLEW := 0.1
	## Time that is wrong by more is set, and not slewed.
	const MOST_WRONG := 0.5
	## If all packets are later than the longest delay for this long, the path has changed.
	const CHANGED_AFTER := 0.5

	var max_delay := 0.5
	## The moment that is shown.
	var time := 0.0
	## How far that is behind the newest snapshot of a perfect network.
	var delay := 0.0

	var _interval: float
	# The local time less the server's, and how long a snapshot was needed until the next one came.
	var _offsets: PackedFloat64Array
	var _needs: PackedFloat64Array
	var _arrivals := 0
	var _fastest := 0.0
	var _newest := 0.0
	var _last_arrival := 0.0
	var _late_since := -1.0
	var _has_jumped := false
	var _now := 0.0

	func _init(interval: float) -> void:
		_interval = interval
		delay = 2 * interval

	func has_started() -> bool:
		return _arrivals > 0

	## A snapshot of the time [param sent], newer than all before, has arrived at [param at].
	func note_arrival(sent: float, at: float) -> void:
		if has_started() and _is_another_path(at - sent - _fastest, at):
			_offsets.clear()
			_needs.clear()
			_arrivals = 0
			_has_jumped = true
		if not has_started():
			_now = at
			time = sent - delay
		_put(_offsets, at - sent, _arrivals)
		_fastest = _offsets[0]
		for offset in _offsets:
			_fastest = minf(_fastest, offset)
		# What comes together with others after a stall was not needed any more.
		if _arrivals > 0 and at - _last_arrival >= _interval / 4:
			_put(_needs, at - _fastest - _newest, _arrivals)
			_update_delay()
		_arrivals += 1
		_newest = sent
		_last_arrival = at

	## Call once a frame. Returns whether the shown time has jumped.
	func advance(now: float) -> bool:
		var passed := maxf(0, now - _now)
		_now = now
		time += passed
		var wrong := now - _fastest - delay - time
		if absf(wrong) > MOST_WRONG:
			time += wrong
			_has_jumped = true
		else:
			time += clampf(wrong, -SLEW * passed, SLEW * passed)
		var has_jumped := _has_jumped
		_has_jumped = false
		return has_jumped

	func _update_delay() -> void:
		var sorted := _needs.duplicate()
		sorted.sort()
		var needed := sorted[ceili(QUANTILE * sorted.size()) - 1]
		# Two intervals: one lost snapshot is never noticed.
		delay = clampf(needed, 2 * _interval, maxf(max_delay, 2 * _interval))

	func _is_another_path(late: float, at: float) -> bool:
		if late <= max_delay:
			_late_since = -1
		elif _late_since < 0:
			_late_since = at
		elif at - _late_since > CHANGED_AFTER:
			_late_since = -1
			return true
		return false

	static func _put(ring: PackedFloat64Array, value: float, number: int) -> void:
		if ring.size() < WINDOW:
			ring.append(value)
		else:
			ring[number % WINDOW] = value


## A client. Add it to the tree, and call [method join]. In every frame set [member move],
## [member look] and [member buttons], and show [member players].
class Client:
	extends Node

	signal joined(id: int)
	signal left(reason: Reason)
	signal player_appeared(id: int)
	signal player_vanished(id: int)
	## Nothing had arrived for so long that the players have jumped to where they are now.
	signal snapped(missing_sec: float)

	const HELLO_MSEC := 100
	const MOST_BUFFERED := 256
	## An error of extrapolation fades with this time constant.
	const FADE_SEC := 0.1

	## How far behind the newest snapshot the shown moment may be.
	@export_range(0.1, 2.0) var max_delay_sec := 0.5
	## Where the next snapshot is missing, players move on for this long, and then stand still.
	@export_range(0.0, 0.5) var extrapolation_sec := 0.1
	## Snapshots that are further apart are not interpolated: the players jump.
	@export_range(0.05, 2.0) var max_gap_sec := 0.25
	## Without a packet of the server for this long, the client has left.
	@export_range(100, 60_000) var timeout_msec := 5000

	## Its conditions, options and statistics.
	var socket := PacketPeerUdpRs.new()
	## 0: has not joined.
	var id := 0
	## The input that is sent next, see [Player].
	var move := Vector2.ZERO
	var look := 0.0
	var buttons := 0
	## What is shown now, by id: for reading. One's own player is among them.
	var players: Dictionary[int, State] = {}
	## The moment that is shown, in seconds of the server, and how far it is behind.
	var render_time := 0.0
	var delay_sec := 0.0
	## How far the shown moment is from the nearest snapshot, if it is not between two.
	var missing_sec := 0.0
	## The number of the last input.
	var input_number := 0
	## Snapshots that were used; that came after a newer one; packets that say nothing.
	var snapshots := 0
	var outdated := 0
	var malformed := 0

	var _ticket := 0
	var _interval := 0.0
	var _playout: Playout
	# In the order of their ticks. The first is the last one that the shown moment has passed.
	var _buffer: Array[Snapshot] = []
	var _newest_tick := 0
	var _shown_tick := -1
	var _corrections: Dictionary[int, Vector3] = {}
	var _snap_sec := 0.0
	var _inputs: Array[PackedByteArray] = []
	var _next_input_usec := 0
	var _next_hello_msec := 0
	var _last_heard_msec := 0

	func _init() -> void:
		socket.host_resolved.connect(_on_host_resolved)

	func _process(delta: float) -> void:
		if not socket.is_socket_connected():
			return
		_receive()
		if Time.get_ticks_msec() - _last_heard_msec > timeout_msec:
			_end(Reason.TIMED_OUT)
		if not socket.is_socket_connected():
			return
		if id == 0:
			_send_hello()
			return
		_send_input()
		if _playout.has_started():
			_show(delta)

	func _exit_tree() -> void:
		if is_open():
			leave()

	## Answers by [signal joined] or [signal left].
	func join(host: String, port: int) -> Error:
		_reset()
		socket.background_receive = true
		# After a long frame the newest snapshots count.
		socket.overflow_policy = PacketPeerUdpRs.DROP_OLDEST
		return socket.connect_to_host_async(host, port)

	func leave() -> void:
		if socket.is_socket_connected():
			socket.put_packet(Wire.with_u64(Kind.BYE, _ticket))
		_end(Reason.LEFT)

	func is_open() -> bool:
		return socket.is_resolving() or socket.is_socket_connected()

	func _reset() -> void:
		socket.close()
		id = 0
		var vanished := players.keys()
		players.clear()
		_buffer.clear()
		_corrections.clear()
		_inputs.clear()
		_ticket = 0
		_newest_tick = 0
		_shown_tick = -1
		_snap_sec = 0
		render_time = 0
		missing_sec = 0
		input_number = 0
		_next_hello_msec = 0
		_last_heard_msec = Time.get_ticks_msec()
		for player_id: int in vanished:
			player_vanished.emit(player_id)

	func _end(reason: Reason) -> void:
		_reset()
		left.emit(reason)

	func _on_host_resolved(error: Error, _ip: String) -> void:
		_last_heard_msec = Time.get_ticks_msec()
		if error != OK:
			_end(Reason.UNKNOWN_HOST)

	func _send_hello() -> void:
		if Time.get_ticks_msec() < _next_hello_msec:
			return
		_next_hello_msec = Time.get_ticks_msec() + HELLO_MSEC
		var packet := PackedByteArray()
		packet.resize(HELLO_BYTES)
		packet[0] = Kind.HELLO
		packet.encode_u32(1, MAGIC)
		packet.encode_u64(5, _ticket)
		socket.put_packet(packet)

	func _send_input() -> void:
		var now := Time.get_ticks_usec()
		if now < _next_input_usec:
			return
		# At a lower frame rate there is one a frame.
		_next_input_usec = maxi(_next_input_usec + floori(1e6 / INPUTS_PER_SECOND), now - 8000)
		input_number += 1
		_inputs.push_front(_encoded_input())
		if _inputs.size() > INPUTS_PER_PACKET:
			_inputs.pop_back()
		var packet := PackedByteArray()
		packet.resize(INPUT_HEADER_BYTES)
		packet[0] = Kind.INPUT
		packet.encode_u32(1, input_number)
		packet.encode_u32(5, _newest_tick)
		packet[9] = _inputs.size()
		for input in _inputs:
			packet.append_array(input)
		socket.put_packet(packet)

	func _encoded_input() -> PackedByteArray:
		var input := PackedByteArray()
		input.resize(INPUT_BYTES)
		var limited := move.limit_length() * 127
		input.encode_s8(0, roundi(limited.x))
		input.encode_s8(1, roundi(limited.y))
		input.encode_u16(2, Wire.encoded_angle(look))
		input[4] = buttons & 0xff
		return input

	func _receive() -> void:
		var packets := socket.get_packets()
		var times := socket.get_batch_times_usec()
		var had_passed_all := _buffer.size() == 1 and render_time > _buffer[0].time
		var newest_before := _newest_tick
		for i in packets.size():
			if not _take(packets[i], times[i] / 1e6):
				malformed += 1
			if not socket.is_socket_connected():
				return
		if had_passed_all and _newest_tick != newest_before:
			_correct()

	## Returns whether the packet is one that a server sends.
	func _take(packet: PackedByteArray, at: float) -> bool:
		var kind := packet[0] if packet.size() > 0 else 0
		if kind == Kind.SNAPSHOT and id != 0:
			var snapshot := Wire.decode_snapshot(packet, _interval)
			return snapshot != null and _take_snapshot(snapshot, at)
		if kind == Kind.TICKET and packet.size() == 9:
			_ticket = packet.decode_u64(1)
			_next_hello_msec = 0 if id == 0 else _next_hello_msec
		elif kind == Kind.WELCOME and packet.size() == WELCOME_BYTES and packet[3] > 0:
			if id == 0 and packet.decode_u16(1) != 0:
				_start(packet.decode_u16(1), packet[3], packet.decode_u32(4))
		elif kind == Kind.BYE and packet.size() == 2 and packet[1] in [1, 2]:
			_end(packet[1] as Reason)
		else:
			# Snapshots come before the WELCOME if that was lost.
			return kind == Kind.SNAPSHOT
		_last_heard_msec = Time.get_ticks_msec()
		return true

	func _start(own_id: int, snapshots_per_second: int, tick: int) -> void:
		id = own_id
		_newest_tick = tick
		_interval = 1.0 / snapshots_per_second
		_playout = Playout.new(_interval)
		_playout.max_delay = max_delay_sec
		joined.emit(id)

	## Returns whether the snapshot is possible.
	func _take_snapshot(snapshot: Snapshot, at: float) -> bool:
		# A single wrong number must not make all that follow outdated.
		var most := _newest_tick + ceili((timeout_msec / 1000.0 + 1) / _interval)
		if snapshot.tick > most:
			return false
		_last_heard_msec = Time.get_ticks_msec()
		if snapshot.tick <= _newest_tick:
			outdated += 1
			return true
		snapshots += 1
		_newest_tick = snapshot.tick
		_playout.note_arrival(snapshot.time, at)
		_buffer.append(snapshot)
		if _buffer.size() > MOST_BUFFERED:
			_buffer.pop_front()
		return true

	func _show(delta: float) -> void:
		if _playout.advance(Time.get_ticks_usec() / 1e6):
			_snap(absf(_playout.time - render_time))
		render_time = _playout.time
		delay_sec = _playout.delay
		_drop_what_has_passed()
		var fade := exp(-delta / FADE_SEC)
		missing_sec = _missing_at(render_time)
		var base := _buffer[0]
		var vanished: Array[int] = []
		var appeared: Array[int] = []
		if base.tick != _shown_tick:
			_shown_tick = base.tick
			vanished.assign(
				players.keys().filter(func(key: int) -> bool: return key not in base.states)
			)
			appeared.assign(
				base.states.keys().filter(func(key: int) -> bool: return key not in players)
			)
			_update_players(vanished, appeared)
		for player_id in players:
			var state := players[player_id]
			_sample(player_id, render_time, state)
			if _corrections.has(player_id):
				_corrections[player_id] *= fade
				state.position += _corrections[player_id]
		var seconds := _snap_sec
		_snap_sec = 0
		# Last: a handler may leave.
		for player_id in vanished:
			player_vanished.emit(player_id)
		for player_id in appeared:
			player_appeared.emit(player_id)
		if seconds > 0:
			snapped.emit(seconds)

	## The shown moment was past all snapshots, and newer ones have come: the players go on from
	## where they are shown, and the difference fades. After a long time they jump.
	func _correct() -> void:
		if missing_sec > max_gap_sec:
			_snap(missing_sec)
			return
		_drop_what_has_passed()
		if _snap_sec > 0:
			return
		var base := _buffer[0]
		var state := State.new()
		for player_id in players:
			if base.states.has(player_id):
				_sample(player_id, render_time, state)
				if state.teleports == players[player_id].teleports:
					_corrections[player_id] = players[player_id].position - state.position

	func _snap(seconds: float) -> void:
		_snap_sec = maxf(_snap_sec, seconds)
		_corrections.clear()

	func _drop_what_has_passed() -> void:
		while _buffer.size() > 1:
			var gap := _buffer[1].time - _buffer[0].time
			# In a gap that is not interpolated, the nearer snapshot counts.
			var is_wide := gap > max_gap_sec
			if render_time < _buffer[1].time - (gap / 2 if is_wide else 0.0):
				return
			_buffer.pop_front()
			if is_wide:
				_snap(gap)

	## The snapshot after the first one, if both are interpolated at [param time].
	func _next_at(time: float) -> Snapshot:
		var base := _buffer[0]
		if _buffer.size() < 2 or time < base.time or _buffer[1].time - base.time > max_gap_sec:
			return null
		return _buffer[1]

	func _missing_at(time: float) -> float:
		return 0.0 if _next_at(time) != null else absf(time - _buffer[0].time)

	func _sample(player_id: int, time: float, into: State) -> void:
		var base := _buffer[0]
		var from := base.states[player_id]
		var next := _next_at(time)
		var to: State = next.states.get(player_id) if next != null else null
		if to != null and to.teleports == from.teleports:
			var seconds := next.time - base.time
			into.interpolate(from, to, seconds, (time - base.time) / seconds)
			return
		into.copy_from(from)
		var beyond := clampf(time - base.time, -extrapolation_sec, extrapolation_sec)
		into.position += from.velocity * beyond

	func _update_players(vanished: Array[int], appeared: Array[int]) -> void:
		for player_id in vanished:
			players.erase(player_id)
			_corrections.erase(player_id)
		for player_id in appeared:
			players[player_id] = State.new()
