extends "../support/suite.gd"
## samples/state_replication.gd: twenty clients in good and bad networks see each other where the
## server has them, within bounds that are computed here; and whatever else arrives changes nothing.

const Frames := preload("../support/frames.gd")
const Sample := preload("res://samples/state_replication.gd")

const PRESETS := "res://addons/packet_peer_udp_rs/conditions/%s.tres"
## On a machine that does other work, frames take longer.
const LONGEST_FRAME_USEC := 50_000
const PLAYERS := 20
## Metres per second, along circles of at least this radius.
const SPEED := 5.0
const LEAST_RADIUS := 3.0
## What rounding does at most to a position, and to a velocity.
const ROUNDING := sqrt(3.0) * Sample.UNIT / 2


## Where a player is at a moment: a circle of its own.
class Path:
	var radius: float
	var center: Vector3
	var turn: float

	func _init(id: int) -> void:
		radius = LEAST_RADIUS + id % 5
		turn = SPEED / radius
		center = Vector3(id * 7 - 80, id % 3, id * 3 - 40)

	func position_at(time: float) -> Vector3:
		return center + radius * Vector3(cos(turn * time), 0, sin(turn * time))

	func velocity_at(time: float) -> Vector3:
		return SPEED * Vector3(-sin(turn * time), 0, cos(turn * time))


## Compares in every frame what a client shows with where the players are at the shown moment. Add
## it to the tree after the client.
class Watch:
	extends Node

	var client: Sample.Client
	var paths: Dictionary[int, Path] = {}
	var frames := 0
	var interpolated := 0
	## Distances to the truth, of all players in all frames.
	var errors: PackedFloat32Array
	var longest_missing := 0.0
	var most_shown := 0
	var delays: PackedFloat32Array
	var snaps: PackedFloat32Array
	## What is beyond the bounds.
	var faults: PackedStringArray

	var _is_snap := false
	# A bound for the correction that fades.
	var _fading := 0.0
	var _time := 0.0
	var _snapshots := 0
	var _missing := 0.0
	var _positions: Dictionary[int, Vector3] = {}

	func _init(of: Sample.Client) -> void:
		client = of
		client.snapped.connect(
			func(seconds: float) -> void:
				_is_snap = true
				snaps.append(seconds)
		)

	func _process(delta: float) -> void:
		if client.players.is_empty():
			return
		frames += 1
		interpolated += int(client.missing_sec == 0)
		longest_missing = maxf(longest_missing, client.missing_sec)
		most_shown = maxi(most_shown, client.players.size())
		delays.append(client.delay_sec)
		# What was shown goes on, and the difference to what is right fades.
		var fading_before := _fading
		if _missing > 0 and client.snapshots > _snapshots:
			_fading += _bound(_missing) + _bound(0)
		var start := _fading
		_fading *= exp(-delta / Sample.Client.FADE_SEC)
		var faded := maxf(start, fading_before) - _fading
		for id in client.players:
			_check_player(id, faded)
		_is_snap = false
		_time = client.render_time
		_snapshots = client.snapshots
		_missing = client.missing_sec
		for id: int in _positions.keys():
			if not client.players.has(id):
				_positions.erase(id)

	func _check_player(id: int, faded: float) -> void:
		if not paths.has(id):
			paths[id] = Path.new(id)
		var shown := client.players[id].position
		var error := shown.distance_to(paths[id].position_at(client.render_time))
		errors.append(error)
		var most := _bound(client.missing_sec) + _fading + 1e-4
		if error > most and faults.size() < 5:
			faults.append(
				(
					"player %d is %.3f m off, more than %.3f (%.3f s missing, fading %.3f)"
					% [id, error, most, client.missing_sec, _fading]
				)
			)
		if _positions.has(id) and not _is_snap:
			# Rounding of two snapshots makes it faster between them: by the slope of the curve, which is
			# 1.5 times that of a line at most, and by the velocities.
			var speed := SPEED + 3 * ROUNDING * client_rate() + 2 * ROUNDING
			var step := shown.distance_to(_positions[id])
			var most_step := speed * absf(client.render_time - _time) + faded + 1e-3
			if step > most_step and faults.size() < 5:
				faults.append("player %d jumps by %.3f m, more than %.3f" % [id, step, most_step])
		_positions[id] = shown

	func client_rate() -> float:
		return 30.0

	## How far a player may be from the truth, if the nearest snapshot is [param missing] away.
	func _bound(missing: float) -> float:
		# Cubic curve: a quarter of the time between two snapshots times the error of the velocities,
		# and h^4 / 384 times the fourth derivative.
		var gap := client.max_gap_sec
		var turn := SPEED / LEAST_RADIUS
		var curve := ROUNDING * gap / 4 + LEAST_RADIUS * pow(turn * gap, 4) / 384
		# Straight on, and then not at all.
		var straight := minf(missing, client.extrapolation_sec)
		var beyond := SPEED * turn * straight * straight / 2 + ROUNDING * straight
		return ROUNDING + maxf(curve, beyond) + SPEED * (missing - straight)

	func error_below(share: float) -> float:
		var sorted := errors.duplicate()
		sorted.sort()
		return sorted[int(share * (sorted.size() - 1))]


# ---- networks -----------------------------------------------------------------------------------


func test_twenty_clients_without_conditions() -> void:
	await _twenty_clients("", 3.0, 0.2)


func test_twenty_clients_over_mobile_4g() -> void:
	await _twenty_clients("mobile_4g", 4.0, 0.3)


func test_twenty_clients_over_an_awful_network() -> void:
	# A stall every two seconds, and not only every ten.
	var snaps := await _twenty_clients("awful", 6.0, 0.5, {"spike_interval_msec": 2000})
	check(snaps > 0, "stalls of 500 ms are no gaps")


func test_after_long_frames_and_a_frozen_second_it_goes_on() -> void:
	var server := _server()
	var clients: Array[Sample.Client] = [_client(server), _client(server)]
	var watches := await _all_shown(server, clients, 2)
	for i in 3:
		OS.delay_msec(150)
		await Frames.wait(20)
	# The server skips what it cannot make up for. The clients jump, and go on as before.
	OS.delay_msec(1000)
	var end := server.tick + 90
	check(await Frames.until(func() -> bool: return server.tick >= end), "it takes too long")
	_check_watches(watches)
	for watch in watches:
		check(watch.client.players.size() == 2 and watch.frames > 20, "it has stopped")
		check(watch.snaps.size() > 0, "a frozen second is no gap")
		var behind := watch.client._newest_tick / 30.0 - watch.client.render_time
		check(behind < 0.6, "%.3f s behind" % behind)
		note("longest missing %.3f, delay %.3f" % [watch.longest_missing, watch.client.delay_sec])
	_free([server] + clients + watches)


# Twenty clients in this network, for so many seconds after the last has joined. Returns how often
# players have jumped.
func _twenty_clients(preset: String, seconds: float, most_delay: float, changes := {}) -> int:
	var max_fps := Engine.max_fps
	Engine.max_fps = 60
	var server := _server()
	var clients: Array[Sample.Client] = []
	for i in PLAYERS:
		var client := _client(server, preset, i + 1, changes)
		client.move = Vector2.from_angle(i) * 0.5
		client.look = i * 0.3
		client.buttons = i
		clients.append(client)
	# Usec: the longest frame, and when the last one was.
	var frames: Array[int] = [0, Time.get_ticks_usec()]
	var note_frame := func() -> void:
		var now := Time.get_ticks_usec()
		frames.assign([maxi(frames[0], now - frames[1]), now])
	var tree: SceneTree = Engine.get_main_loop()
	tree.process_frame.connect(note_frame)
	var watches := await _all_shown(server, clients, PLAYERS)
	var end := server.tick + int(seconds * server.snapshots_per_second)
	check(await Frames.until(func() -> bool: return server.tick >= end), "it takes too long")
	Engine.max_fps = max_fps
	tree.process_frame.disconnect(note_frame)
	_check_watches(watches)
	# Long frames are jitter to the clients, and the delay is what they need.
	var is_judged := frames[0] <= LONGEST_FRAME_USEC
	if not is_judged:
		note("delays are not judged: a frame took %d ms" % (frames[0] / 1000))
	for i in PLAYERS:
		var player := server.players[clients[i].id]
		check(player.move.distance_to(clients[i].move) < 0.01, "the move of %d" % i)
		check(absf(angle_difference(player.look, clients[i].look)) < 0.001, "the look of %d" % i)
		check_equal(player.buttons, i, "the buttons of %d" % i)
		check_equal(clients[i].malformed, 0, "malformed packets at a client")
		if is_judged:
			check(clients[i].delay_sec <= most_delay, "a delay of %.3f s" % clients[i].delay_sec)
	check_equal(server.malformed, 0, "malformed packets at the server")
	check_equal(server.players.size(), PLAYERS, "players")
	check_equal(server.snapshot_bytes, 346, "bytes of a snapshot with 20 players")
	var snaps := _note_figures(clients, watches)
	_free([server] + clients + watches)
	return snaps


# Returns how often players have jumped.
func _note_figures(clients: Array[Sample.Client], watches: Array[Watch]) -> int:
	var all := Watch.new(Sample.Client.new())
	var delay := 0.0
	for watch in watches:
		all.errors.append_array(watch.errors)
		all.frames += watch.frames
		all.interpolated += watch.interpolated
		all.snaps.append_array(watch.snaps)
		all.longest_missing = maxf(all.longest_missing, watch.longest_missing)
		delay += watch.delays[-1] / watches.size()
	var outdated := 0
	for client in clients:
		outdated += client.outdated
	note(
		(
			"%d positions: median %.3f m off, 99 %% below %.3f, most %.3f; %.2f %% of frames between two"
			% [
				all.errors.size(),
				all.error_below(0.5),
				all.error_below(0.99),
				all.error_below(1.0),
				100.0 * all.interpolated / all.frames
			]
		)
	)
	note(
		(
			"delay %.0f ms on average at the end; %d snaps, longest without a snapshot %.0f ms; %d outdated"
			% [delay * 1000, all.snaps.size(), all.longest_missing * 1000, outdated]
		)
	)
	# Half of what is shown is as good as rounding allows, in every network.
	check(all.error_below(0.5) < ROUNDING + 0.002, "median: %.3f m" % all.error_below(0.5))
	var snaps := all.snaps.size()
	all.client.free()
	all.free()
	return snaps


func _check_watches(watches: Array[Watch]) -> void:
	for watch in watches:
		check(watch.frames > 0, "nothing is shown")
		for fault in watch.faults:
			fail(fault)
		for seconds in watch.snaps:
			check(seconds > watch.client.max_gap_sec, "a jump after %.3f s" % seconds)


# ---- coming and going ---------------------------------------------------------------------------


func test_a_late_joiner_sees_all_and_is_seen() -> void:
	var server := _server()
	var clients: Array[Sample.Client] = []
	for i in 3:
		clients.append(_client(server, "mobile_4g", i + 1))
	var watches := await _all_shown(server, clients, 3)
	var appeared: Array[int] = []
	clients[0].player_appeared.connect(func(id: int) -> void: appeared.append(id))
	var late := _client(server, "mobile_4g", 9)
	watches.append_array(await _all_shown(server, [late], 4))
	check(await Frames.until(func() -> bool: return not appeared.is_empty()), "it is not seen")
	check_equal(appeared, [late.id] as Array[int], "who appeared")
	await Frames.wait(30)
	_check_watches(watches)
	_free([server] + clients + [late] + watches)


func test_who_leaves_vanishes_and_who_is_silent_times_out() -> void:
	var server := _server()
	server.timeout_msec = 700
	server.socket.peer_timeout_msec = 700
	var clients: Array[Sample.Client] = [_client(server), _client(server), _client(server)]
	var watches := await _all_shown(server, clients, 3)
	var gone: Array[int] = []
	clients[0].player_vanished.connect(func(id: int) -> void: gone.append(id))
	var reasons: Array[int] = []
	clients[1].left.connect(func(reason: int) -> void: reasons.append(reason))
	var ids := [clients[1].id, clients[2].id]
	var of_own: Array[int] = []
	clients[1].player_vanished.connect(func(id: int) -> void: of_own.append(id))
	clients[1].leave()
	check(await Frames.until(func() -> bool: return gone == [ids[0]]), "gone: %s" % [gone])
	check_equal(reasons, [Sample.Reason.LEFT] as Array[int], "its reason")
	check_equal(of_own.size(), 3, "who vanished at the one that left")
	check_equal(clients[1].is_open(), false, "is_open")
	clients[2].socket.close()
	check(await Frames.until(func() -> bool: return gone == ids), "gone: %s" % [gone])
	check_equal(server.players.keys(), [clients[0].id], "who is left")
	# And again.
	clients[1].join(LOOPBACK, server.socket.get_local_port())
	check(await Frames.until(func() -> bool: return clients[0].players.size() == 2), "not back")
	check(clients[1].id not in ids, "an id comes again")
	_check_watches(watches)
	_free([server] + clients + watches)


func test_a_server_that_closes_is_full_or_silent() -> void:
	var server := _server()
	server.max_players = 1
	var client := _client(server)
	var reasons: Array[int] = []
	client.left.connect(func(reason: int) -> void: reasons.append(reason))
	_free(await _all_shown(server, [client], 1))
	var other := _client(server)
	other.left.connect(func(reason: int) -> void: reasons.append(reason))
	check(await Frames.until(func() -> bool: return reasons.size() == 1), "it is not refused")
	server.close()
	check(await Frames.until(func() -> bool: return reasons.size() == 2), "it is not told")
	var silent := bound_peer(NATIVE)
	client.timeout_msec = 300
	client.join(LOOPBACK, silent.get_local_port())
	check(await Frames.until(func() -> bool: return reasons.size() == 3), "it waits for ever")
	# A handler may leave at once, and join again.
	client.joined.connect(func(_id: int) -> void: client.leave())
	_drive(server)
	check_equal(server.open(0, LOOPBACK), OK, "open again")
	client.join(LOOPBACK, server.socket.get_local_port())
	check(await Frames.until(func() -> bool: return reasons.size() == 4), "it stays")
	var lines := lines_of(
		func() -> void: check_equal(client.join(LOOPBACK, 0), ERR_INVALID_PARAMETER, "port 0")
	)
	check_equal(lines.size(), 1, "lines")
	check_equal(
		reasons,
		(
			[
				Sample.Reason.SERVER_FULL,
				Sample.Reason.SERVER_CLOSED,
				Sample.Reason.TIMED_OUT,
				Sample.Reason.LEFT
			]
			as Array[int]
		),
		"reasons"
	)
	_free([server, client, other])


func test_it_works_with_conditions_of_the_server() -> void:
	var server := _server()
	server.socket.send_conditions = load(PRESETS % "mobile_3g")
	server.socket.receive_conditions = load(PRESETS % "mobile_3g")
	var clients: Array[Sample.Client] = [_client(server), _client(server)]
	var watches := await _all_shown(server, clients, 2)
	await Frames.wait(30)
	_check_watches(watches)
	_free([server] + clients + watches)


# ---- what does not belong here ------------------------------------------------------------------


func test_hostile_packets_change_nothing_at_the_server() -> void:
	var rng := RandomNumberGenerator.new()
	rng.seed = 17
	var server := _server()
	var client := _client(server)
	_free(await _all_shown(server, [client], 1))
	var stranger := sender_to(server.socket)
	var hello := PackedByteArray([Sample.Kind.HELLO])
	hello.resize(Sample.HELLO_BYTES)
	hello.encode_u32(1, Sample.MAGIC)
	var input := PackedByteArray([Sample.Kind.INPUT, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5])
	var bye := PackedByteArray([Sample.Kind.BYE, 1, 2, 3, 4, 5, 6, 7, 8])
	var corpus: Array[PackedByteArray] = [hello, input, bye]
	for i in 40:
		for k in 50:
			var packet := _mutated(corpus[rng.randi() % 3], rng)
			if not packet.is_empty():
				stranger.put_packet(packet)
				# The player itself sends some, but neither a newer INPUT nor its ticket.
				if packet[0] != Sample.Kind.INPUT and packet[0] != Sample.Kind.BYE:
					client.socket.put_packet(packet)
		await Frames.wait(1)
	var are_counted := func() -> bool: return server.refused > 100 and server.malformed > 100
	check(await Frames.until(are_counted), "%d, %d" % [server.refused, server.malformed])
	check_equal(server.players.keys(), [client.id], "the players")
	# A HELLO without a ticket is answered by less than it is long, and makes no player.
	var other := sender_to(server.socket)
	other.put_packet(hello)
	check(await Frames.until(func() -> bool: return queued(other) > 0), "no ticket")
	var answer := other.get_packet()
	check_equal(answer.size(), 9, "bytes of the ticket")
	check_equal(server.players.size(), 1, "players")
	# With a ticket of another address, it gets its own.
	hello.encode_u64(5, answer.decode_u64(1) + 1)
	other.put_packet(hello)
	check(await Frames.until(func() -> bool: return queued(other) > 0), "no ticket again")
	check_equal(other.get_packet(), answer, "the ticket")
	hello.encode_u64(5, answer.decode_u64(1))
	other.put_packet(hello)
	check(await Frames.until(func() -> bool: return server.players.size() == 2), "no player")
	_free([server, client])


func test_hostile_packets_change_nothing_at_a_client() -> void:
	var rng := RandomNumberGenerator.new()
	rng.seed = 18
	var server := bound_peer(NATIVE)
	var client := Sample.Client.new()
	_add(client)
	client.join(LOOPBACK, server.get_local_port())
	check(await Frames.until(func() -> bool: return queued(server) > 0), "no HELLO")
	server.get_packet()
	server.set_dest_address(LOOPBACK, server.get_packet_port())
	server.put_packet(PackedByteArray([Sample.Kind.WELCOME, 7, 0, 30, 0, 0, 0, 0]))
	check(await Frames.until(func() -> bool: return client.id == 7), "no WELCOME")
	var players: Dictionary[int, Sample.Player] = {}
	for id in 5:
		players[id] = Sample.Player.new()
		players[id].position = Vector3(id, id, id)
	var used := 0
	for tick in range(1, 1001):
		var snapshot := Sample.Wire.encode_snapshot(tick, players)
		for k in 3:
			var packet := _mutated(snapshot, rng)
			# Its tick is the server's to choose.
			if packet.size() >= 6:
				packet.encode_u32(2, [0, tick, 0xffff_ffff][k])
			if not packet.is_empty() and packet[0] != Sample.Kind.BYE:
				server.put_packet(packet)
		if tick % 20 == 0:
			await Frames.wait(1)
		used = client.snapshots
	check(client.malformed > 500, "malformed: %d" % client.malformed)
	check(used > 0, "none was used")
	check(client.is_open(), "it has left")
	var last := Sample.Wire.encode_snapshot(1001, players)
	server.put_packet(last)
	check(await Frames.until(func() -> bool: return client.snapshots > used), "not used")
	# What is told by others than the server does not arrive.
	check(client.is_open(), "it has left")
	var stranger := sender_to(client.socket)
	stranger.put_packet(PackedByteArray([Sample.Kind.BYE, 1]))
	await Frames.wait(5)
	check(client.is_open(), "a stranger has ended it")
	_free([client])


static func _mutated(packet: PackedByteArray, rng: RandomNumberGenerator) -> PackedByteArray:
	var mutated := packet.duplicate()
	match rng.randi() % 4:
		0:
			mutated.resize(rng.randi() % (packet.size() + 1))
		1:
			mutated.resize(packet.size() + 1 + rng.randi() % 40)
		2:
			mutated[0] = rng.randi() % 256
	for i in rng.randi() % 4:
		if mutated.size() > 1:
			mutated[1 + rng.randi() % (mutated.size() - 1)] = rng.randi() % 256
	return mutated


# ---- parts --------------------------------------------------------------------------------------


func test_snapshots_are_small_and_exact_to_the_rounding() -> void:
	var rng := RandomNumberGenerator.new()
	rng.seed = 19
	var players: Dictionary[int, Sample.Player] = {}
	for i in Sample.MAX_PLAYERS:
		var player := Sample.Player.new()
		for axis in 3:
			player.position[axis] = rng.randf_range(-511.9, 511.9)
			player.velocity[axis] = rng.randf_range(-100, 100)
		player.yaw = rng.randf_range(-10, 10)
		player.teleports = rng.randi() % 256
		players[rng.randi() % 1000 + i * 1000 & 0xffff] = player
	var packet := Sample.Wire.encode_snapshot(123456, players)
	check(packet.size() <= Sample.MAX_BYTES, "%d bytes" % packet.size())
	check(packet.size() + Sample.PLAYER_BYTES > Sample.MAX_BYTES, "one more fits")
	var snapshot := Sample.Wire.decode_snapshot(packet, 0.05)
	check_equal(snapshot.tick, 123456, "tick")
	check_equal(snapshot.time, 123456 * 0.05, "time")
	check_equal(snapshot.states.keys(), players.keys(), "ids")
	for id in players:
		var state := snapshot.states[id]
		check(state.position.distance_to(players[id].position) <= ROUNDING + 1e-4, "position")
		check(state.velocity.distance_to(players[id].velocity) <= ROUNDING + 1e-4, "velocity")
		check(absf(angle_difference(state.yaw, players[id].yaw)) < 1e-4, "yaw")
		check_equal(state.teleports, players[id].teleports, "teleports")
	var outside := Sample.Player.new()
	outside.position = Vector3(1e9, -1e9, NAN)
	outside.yaw = INF
	players = {1: outside}
	snapshot = Sample.Wire.decode_snapshot(Sample.Wire.encode_snapshot(1, players), 0.05)
	check(snapshot.states[1].position.is_finite(), "outside: %s" % snapshot.states[1].position)


func test_a_press_survives_three_losses_in_a_row() -> void:
	var server := Sample.Server.new()
	_add(server)
	check_equal(server.open(0, LOOPBACK), OK, "open")
	var client := _client(server)
	check(await Frames.until(func() -> bool: return server.players.size() == 1), "no player")
	var player: Sample.Player = server.players.values()[0]
	check(await Frames.until(func() -> bool: return player.input_number > 3), "no input")
	player.take_pressed()
	var line := UdpLinkConditions.new()
	line.blackout = true
	client.socket.send_conditions = line
	client.buttons = 4
	var first := client.input_number
	check(await Frames.until(func() -> bool: return client.input_number == first + 1), "not sent")
	client.buttons = 0
	check(await Frames.until(func() -> bool: return client.input_number == first + 3), "not sent")
	line.blackout = false
	check(await Frames.until(func() -> bool: return player.input_number > first + 3), "no more")
	check_equal(player.buttons, 0, "buttons")
	check_equal(player.take_pressed(), 4, "what was pressed")
	check_equal(player.take_pressed(), 0, "the second time")
	check_equal(player.inputs_lost, 0, "lost inputs")
	# An older one changes nothing.
	var old := PackedByteArray([Sample.Kind.INPUT, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 8])
	check(player.take_input(old), "it is an input")
	check_equal(player.take_pressed(), 0, "after an old one")
	# One wrong number does not make all that follow outdated; two in a row are believed, and left.
	var number := player.input_number
	for next: int in [0xffff_ffff, number + 1, 0xffff_fff0, 0xffff_fff1, number + 2, number + 3]:
		old.encode_u32(1, next)
		player.take_input(old)
		if next == number + 1 or next == 0xffff_fff1 or next == number + 3:
			check_equal(player.input_number, next, "the number after %d" % next)
	check_equal(player.inputs_lost, 0, "inputs lost to wrong numbers")
	old.encode_u32(1, number + 4)
	old.encode_u32(5, 0xffff_ffff)
	check(player.take_input(old, 1000), "it is an input")
	check_equal(player.tick_seen, 1000, "a tick that the server has not reached")
	_free([server, client])


func test_a_teleport_is_not_interpolated() -> void:
	var server := _server()
	var client := _client(server)
	_free(await _all_shown(server, [client], 1))
	var player: Sample.Player = server.players[client.id]
	server.ticked.disconnect(server.ticked.get_connections()[0].callable)
	player.velocity = Vector3.ZERO
	await Frames.wait(20)
	var places: Array[Vector3] = [player.position, Vector3(200, 3, -200)]
	player.teleport_to(places[1])
	var seen: Array[Vector3] = []
	var is_there := func() -> bool:
		seen.append(client.players[client.id].position)
		return seen[-1].distance_to(places[1]) < 0.1
	check(await Frames.until(is_there), "it never arrives")
	for place in seen.slice(-10):
		var distance := minf(place.distance_to(places[0]), place.distance_to(places[1]))
		check(distance < 0.5, "in between, at %s" % place)
	_free([server, client])


func test_the_delay_adapts_to_jitter_and_to_another_path() -> void:
	var rng := RandomNumberGenerator.new()
	rng.seed = 20
	var playout := Sample.Playout.new(0.05)
	# Phases: seconds, latency, jitter; then the delay that is expected, at least and at most.
	var phases: Array[Array] = [
		[10, 0.03, 0.0, 0.1, 0.1],
		[20, 0.03, 0.2, 0.15, 0.26],
		[20, 0.03, 0.0, 0.1, 0.1],
		# Another path: 0.2 s more.
		[20, 0.23, 0.0, 0.1, 0.1],
		# And the clocks of a server that stood still.
		[20, 5.0, 0.0, 0.1, 0.1],
		[20, 0.05, 0.0, 0.1, 0.1],
	]
	var sent := 100.0
	var now := 0.0
	var shown := 0.0
	var newest := 0.0
	var dry := 0
	for phase in phases:
		var arrivals: Array[Array] = []
		var last := now
		for i in int(phase[0] / 0.05):
			sent += 0.05
			# In order, as on one line.
			last = maxf(last, sent - 100 + phase[1] + rng.randf() * phase[2])
			arrivals.append([sent, last])
		dry = 0
		while not arrivals.is_empty():
			now += 1.0 / 60
			while not arrivals.is_empty() and arrivals[0][1] <= now:
				newest = arrivals[0][0]
				var arrival: Array = arrivals.pop_front()
				playout.note_arrival(arrival[0], arrival[1])
			if not playout.has_started():
				continue
			var has_jumped := playout.advance(now)
			check(has_jumped or playout.time >= shown, "time runs backwards")
			shown = playout.time
			dry += int(shown > newest and sent - newest < phase[0] - 10)
		var title := "%s: delay %.3f, shown %.3f behind" % [phase, playout.delay, newest - shown]
		check(playout.delay >= phase[3] - 1e-6 and playout.delay <= phase[4] + 1e-6, title)
		check(newest - shown > 0, title)
		check(newest - shown < phase[4] + 0.05, title)
		note(title + ", %d frames too late" % dry)


# ---- helpers ------------------------------------------------------------------------------------


static func _add(node: Node) -> void:
	# The runner: the first test begins before the root takes children.
	(Engine.get_main_loop() as SceneTree).root.get_child(-1).add_child(node)


static func _free(nodes: Array) -> void:
	for node: Node in nodes:
		node.free()


# A server that moves its players along their paths.
func _server() -> Sample.Server:
	var server := Sample.Server.new()
	_drive(server)
	_add(server)
	check_equal(server.open(0, LOOPBACK), OK, "open")
	return server


static func _drive(server: Sample.Server) -> void:
	for connection in server.ticked.get_connections():
		server.ticked.disconnect(connection.callable)
	server.ticked.connect(
		func(_delta: float) -> void:
			var time := float(server.tick) / server.snapshots_per_second
			for id in server.players:
				var path := Path.new(id)
				server.players[id].position = path.position_at(time)
				server.players[id].velocity = path.velocity_at(time)
	)


func _client(server: Sample.Server, preset := "", rng_seed := 1, changes := {}) -> Sample.Client:
	var client := Sample.Client.new()
	_add(client)
	if not preset.is_empty():
		for property: StringName in [&"send_conditions", &"receive_conditions"]:
			var conditions: UdpLinkConditions = load(PRESETS % preset).duplicate()
			conditions.rng_seed = rng_seed * 2 + int(property == &"send_conditions")
			for key: String in changes:
				conditions.set(key, changes[key])
			client.socket.set(property, conditions)
	check_equal(client.join(LOOPBACK, server.socket.get_local_port()), OK, "join")
	return client


# Waits until each shows so many players. Returns a watch for each.
func _all_shown(server: Sample.Server, clients: Array[Sample.Client], players: int) -> Array[Watch]:
	var watches: Array[Watch] = []
	for client in clients:
		watches.append(Watch.new(client))
		_add(watches[-1])
	var are_shown := func() -> bool:
		return clients.all(
			func(client: Sample.Client) -> bool: return client.players.size() == players
		)
	check(await Frames.until(are_shown), "%d players joined" % server.players.size())
	return watches
