extends "../support/suite.gd"
## The sample's dedicated server, with the engine's UDPServer and with UdpServerRs.

const Account := preload("res://demo/dedicated/account.gd")
const Arena := preload("res://demo/dedicated/arena.gd")
const Bot := preload("res://demo/dedicated/bot.gd")
const Frames := preload("../support/frames.gd")
const GameServer := preload("res://demo/dedicated/game_server.gd")
const ManualClient := preload("../support/manual_client.gd")
const Player := preload("res://demo/dedicated/player.gd")
const TickClock := preload("res://demo/dedicated/tick_clock.gd")
const Wire := preload("res://demo/dedicated/wire.gd")

var _servers: Array[GameServer] = []


func finish() -> void:
	for server in _servers:
		server.free()
	super()


func test_no_update_is_lost_between_server_and_bots(kind: StringName) -> void:
	var server := _server(kind)
	var bots := _played(server, 5)
	for bot in bots:
		answer(bot.name + " has left", bot.state, Bot.State.LEFT)
		check(bot.moves_account().is_whole(), "moves: " + bot.moves_account().describe())
		check(
			bot.snapshots_account().is_whole(), "snapshots: " + bot.snapshots_account().describe()
		)
		check(bot.moves_sent > 5 and bot.snapshots.received > 5, "a bot has sent and received some")
	_check_both_ends_agree(server, bots)
	answer("left, timed_out", [server.left, server.timed_out], [5, 0])
	answer("strangers, bad packets", [server.strangers, server.bad_packets()], [0, 0])


func test_an_update_that_is_left_out_is_missed_at_both_ends(kind: StringName) -> void:
	var server := _server(kind)
	server.leave_out = 4
	var bots := _played(server, 3, 5)
	for bot in bots:
		answer(bot.name + " has left", bot.state, Bot.State.LEFT)
		answer("moves lost", bot.moves_account().lost(), 1)
		answer("snapshots lost", bot.snapshots_account().lost(), 1)
	_check_both_ends_agree(server, bots)
	answer("moves lost of all", server.moves().lost(), 3)
	answer("snapshots lost of all", server.snapshots().lost(), 3)


func test_late_and_repeated_moves_count_but_change_no_position(kind: StringName) -> void:
	var server := _server(kind)
	var client := _joined_client(server)
	var player := _only_player(server)
	for number: int in [1, 3, 2, 2]:
		client.move(number, Vector2(number, 0.0))
	_frames_until(server, func() -> bool: return player.moves.repeated == 1)
	answer("received, repeated, late", player.moves.figures(), PackedInt32Array([3, 1, 1]))
	answer("position", player.position, Vector2(3.0, 0.0))


func test_a_hello_without_a_ticket_is_answered_with_no_more_than_it_was(kind: StringName) -> void:
	var server := _server(kind)
	var client := ManualClient.new(server)
	var hello := [Wire.Kind.HELLO, "player", ""]
	client.say(hello)
	var ticket := client.next(Wire.Kind.TICKET)
	check(var_to_bytes(ticket).size() <= var_to_bytes(hello).size(), "the ticket is longer")
	answer("players", server.players.size(), 0)
	# The server keeps nothing of that address: its next packet is a first packet again.
	client.move(1)
	_frames_until(server, func() -> bool: return server.strangers == 1)
	answer("strangers", server.strangers, 1)


func test_the_ticket_of_another_client_is_refused(kind: StringName) -> void:
	var server := _server(kind)
	var client := ManualClient.new(server)
	client.say([Wire.Kind.HELLO, "player", ""])
	var ticket := client.next(Wire.Kind.TICKET)
	var thief := ManualClient.new(server)
	thief.say([Wire.Kind.HELLO, "thief", ticket[1]])
	var other_ticket := thief.next(Wire.Kind.TICKET)
	check(not other_ticket.is_empty() and other_ticket[1] != ticket[1], "got %s" % [other_ticket])
	answer("players", server.players.size(), 0)


func test_a_hello_again_is_welcomed_again(kind: StringName) -> void:
	var server := _server(kind)
	var client := _joined_client(server)
	client.say([Wire.Kind.HELLO, "player", ""])
	answer("the same id", client.next(Wire.Kind.WELCOME), [Wire.Kind.WELCOME, 1])
	answer("players", server.players.size(), 1)


func test_names_that_could_write_on_a_terminal_are_refused(kind: StringName) -> void:
	var server := _server(kind)
	var names: Array[String] = ["", "  ", "\u001b[2J", "a\nb", "a name that is too long", "\u0085"]
	for name in names:
		ManualClient.new(server).say([Wire.Kind.HELLO, name, ""])
	# Packets arrive in order: all others are handled when this one is.
	check(ManualClient.new(server).join("Ada Lovelace"), "a good name is welcome")
	answer("strangers", server.strangers, names.size())


func test_no_more_players_than_there_is_room_for(kind: StringName) -> void:
	var server := _server(kind)
	server.max_players = 1
	var first := _joined_client(server)
	var second := ManualClient.new(server)
	second.say([Wire.Kind.HELLO, "second", ""])
	_frames_until(server, func() -> bool: return server.strangers == 1)
	answer("strangers, players", [server.strangers, server.players.size()], [1, 1])
	first.say([Wire.Kind.BYE, 0, PackedInt32Array([0, 0, 0])])
	_frames_until(server, func() -> bool: return server.players.is_empty())
	check(second.join(), "once the first has left, there is room")


func test_malformed_messages_are_counted_and_change_nothing(kind: StringName) -> void:
	var server := _server(kind)
	var client := _joined_client(server)
	var player := _only_player(server)
	client.move(1)
	var garbage := _garbage()
	for packet in garbage:
		send(client.socket, [packet])
	# No error line is expected: strangers cannot fill the log.
	_frames_until(server, func() -> bool: return player.bad_packets >= garbage.size())
	answer("bad packets", player.bad_packets, garbage.size())
	answer("of all", server.bad_packets(), garbage.size())
	answer("received", player.moves.figures(), PackedInt32Array([1, 0, 0]))
	answer("position", player.position, Vector2(100.0, 100.0))
	answer("it still plays", [server.players.size(), player.has_said_bye()], [1, false])
	client.move(2)
	_frames_until(server, func() -> bool: return player.moves.received == 2)
	answer("and its moves count", player.moves.received, 2)


# What is behind a Variant is not read, so this one would be decoded.
func test_a_packet_that_is_larger_than_any_message_is_not_decoded(kind: StringName) -> void:
	var server := _server(kind)
	var client := _joined_client(server)
	var player := _only_player(server)
	client.move(1)
	var move := var_to_bytes([Wire.Kind.MOVE, 2, Vector2.ONE, 0])
	for size: int in [Wire.MAX_BYTES + 1, Wire.MAX_BYTES]:
		move.resize(size)
		send(client.socket, [move])
	_frames_until(server, func() -> bool: return player.moves.received == 2)
	answer("moves, bad packets", [player.moves.received, player.bad_packets], [2, 1])


func test_an_idle_player_is_removed(kind: StringName) -> void:
	var server := _server(kind, 400)
	var gone: Array[Player] = []
	server.player_left.connect(func(player: Player) -> void: gone.append(player))
	_joined_client(server, "silent")
	var talker := _joined_client(server, "talker")
	var numbers := [0]
	var pauses: Array[int] = [0]
	var last: Array[int] = [Time.get_ticks_msec()]
	var talk := func() -> bool:
		numbers[0] += 1
		talker.move(numbers[0])
		server._process(0.0)
		pauses.append(Time.get_ticks_msec() - last[0])
		last[0] = Time.get_ticks_msec()
		return not gone.is_empty()
	# Without poll(), the addon closes idle connections once a frame.
	await Frames.until(talk)
	if pauses.max() >= 200:
		check(not gone.is_empty(), "no player is gone")
		skip("the machine is too busy to keep talking")
		return
	answer("gone", gone.map(func(player: Player) -> String: return player.name), ["silent"])
	answer("it said bye", gone[0].has_said_bye() if gone else null, false)
	answer("left, timed_out", [server.left, server.timed_out], [0, 1])
	answer("players", server.players.size(), 1)


func test_an_impossible_bye_is_refused_and_a_repeated_one_is_answered(kind: StringName) -> void:
	var server := _server(kind)
	var client := _joined_client(server)
	var player := _only_player(server)
	for number: int in [1, 2]:
		client.move(number)
	_frames_until(server, func() -> bool: return player.snapshots_sent > 0)
	client.say([Wire.Kind.BYE, 1, PackedInt32Array([0, 0, 0])])
	client.say([Wire.Kind.BYE, 2, PackedInt32Array([1 << 30, 0, 0])])
	client.say([Wire.Kind.BYE, 2, PackedInt32Array([0, 0])])
	client.say([Wire.Kind.BYE, 2, PackedInt32Array([0, -1, 0])])
	_frames_until(server, func() -> bool: return player.bad_packets == 4)
	answer("bad packets, has said bye", [player.bad_packets, player.has_said_bye()], [4, false])
	var answers := []
	for i in 3:
		client.say([Wire.Kind.BYE, 2, PackedInt32Array([0, 0, 0])])
		answers.append(client.next(Wire.Kind.FAREWELL))
	var tally := PackedInt32Array([2, 0, 0])
	var client_tally := PackedInt32Array([0, 0, 0])
	for farewell: Array in answers:
		check_equal(
			farewell, [Wire.Kind.FAREWELL, player.snapshots_sent, tally, client_tally], "farewell"
		)


func test_a_bot_stays_until_the_server_knows_its_final_tally(kind: StringName) -> void:
	var server := bound_peer(kind)
	var bot := Bot.new()
	bot.name = "bot"
	bot.seconds = 0.0
	bot.phase = 1.0
	check_equal(bot.open(LOOPBACK, server.get_local_port(), kind == NATIVE), OK, "open")
	bot.play_frame()
	arrived(server)
	check_equal(server.get_var(), [Wire.Kind.HELLO, "bot", ""], "hello")
	server.set_dest_address(LOOPBACK, server.get_packet_port())
	server.put_var([Wire.Kind.WELCOME, 7])
	_play_until(bot, func() -> bool: return bot.state == Bot.State.LEAVING)
	server.put_var([Wire.Kind.SNAPSHOT, 1, 1, PackedInt32Array(), PackedVector2Array()])
	var none := PackedInt32Array([0, 0, 0])
	# All snapshots have arrived, but the server's farewell refers to an older bye.
	server.put_var([Wire.Kind.FAREWELL, 1, none, none])
	_play_until(bot, func() -> bool: return bot._farewell_msec > 0)
	answer("state before", bot.state, Bot.State.LEAVING)
	server.put_var([Wire.Kind.FAREWELL, 1, none, PackedInt32Array([1, 0, 0])])
	_play_until(bot, bot.is_over)
	answer("state at the end", bot.state, Bot.State.LEFT)
	answer("id", bot.id, 7)


func test_the_largest_snapshot_fits_every_network() -> void:
	var arena := Arena.new()
	var seen: Dictionary[int, bool] = {}
	for tick in range(1, 11):
		arena.clear(tick)
		for id in 300:
			arena.place(id, Vector2(50.0, 50.0))
		var view := arena.view_from(Vector2(60.0, 60.0))
		check_equal(view.size(), Arena.MAX_SEEN, "players in a view")
		var largest := [Wire.Kind.SNAPSHOT, 1 << 40, 1 << 40, view.ids, view.positions]
		check(var_to_bytes(largest).size() <= Wire.MAX_BYTES, "it has too many bytes")
		for id in view.ids:
			seen[id] = true
	check_equal(seen.size(), 300, "each player is shown in turn")


func test_a_player_sees_its_cell_and_those_around_it() -> void:
	var arena := Arena.new()
	arena.clear(1)
	for id in 100:
		arena.place(id, Vector2(id % 10, id / 10) * Arena.CELL)
	var ids := Array(arena.view_from(Vector2(3.5, 4.5) * Arena.CELL).ids)
	ids.sort()
	check_equal(ids, [32, 33, 34, 42, 43, 44, 52, 53, 54], "in the middle")
	ids = Array(arena.view_from(Vector2.ZERO).ids)
	ids.sort()
	check_equal(ids, [0, 1, 10, 11], "in a corner")


func test_ticks_that_are_long_overdue_are_left_out_and_counted() -> void:
	var clock := TickClock.new(1000)
	OS.delay_msec(20)
	check_equal(clock.due(), TickClock.MAX_AT_ONCE, "due at once")
	check(clock.skipped >= 15, "%d left out" % clock.skipped)
	check(clock.due() <= TickClock.MAX_AT_ONCE, "and then it goes on")


func _server(kind: StringName, timeout_msec := 60_000) -> GameServer:
	var server := GameServer.new()
	_servers.append(server)
	server.port = 0
	server.bind_address = LOOPBACK
	server.native = kind == NATIVE
	server.timeout_msec = timeout_msec
	check_equal(server.open(), OK, "open")
	return server


func _joined_client(server: GameServer, name := "player") -> ManualClient:
	var client := ManualClient.new(server)
	check(client.join(name), "%s is welcome" % name)
	return client


func _only_player(server: GameServer) -> Player:
	return server.players.values()[0]


## Runs frames of the server until the condition holds.
func _frames_until(server: GameServer, condition: Callable) -> bool:
	return wait_until(
		func() -> bool:
			server._process(0.0)
			return condition.call()
	)


func _play_until(bot: Bot, condition: Callable) -> void:
	wait_until(
		func() -> bool:
			bot.play_frame()
			return condition.call()
	)


## Bots that have played for half a second and left.
func _played(server: GameServer, count: int, leave_out := 0) -> Array[Bot]:
	var bots: Array[Bot] = []
	for i in count:
		var bot := Bot.new()
		bot.name = "bot %d" % (i + 1)
		bot.seconds = 0.5
		bot.leave_out = leave_out
		check_equal(bot.open(LOOPBACK, server.local_port(), server.native), OK, "open")
		bots.append(bot)
	var are_over := func() -> bool:
		for bot in bots:
			bot.play_frame()
		return bots.all(func(bot: Bot) -> bool: return bot.is_over()) and server.players.is_empty()
	check(_frames_until(server, are_over), "the bots come and go")
	return bots


func _check_both_ends_agree(server: GameServer, bots: Array[Bot]) -> void:
	var moves := Account.new()
	var snapshots := Account.new()
	for bot in bots:
		moves.add(bot.moves_account())
		snapshots.add(bot.snapshots_account())
	check_equal(server.moves().describe(), moves.describe(), "moves")
	check_equal(server.snapshots().describe(), snapshots.describe(), "snapshots")


func _garbage() -> Array[PackedByteArray]:
	var garbage: Array[PackedByteArray] = [
		bytes("x"),
		bytes("hello, server"),
		PackedByteArray([4, 0, 0, 0, 200, 0, 0, 0, 1]),
		PackedByteArray([4, 0, 0, 0, 3, 0, 0, 0, 255, 254, 253, 0]),
		PackedByteArray([28, 0, 0, 0, 255, 255, 255, 127, 1]),
		var_to_bytes_with_objects(Resource.new()),
	]
	var messages := [
		null,
		"a text",
		[],
		["MOVE", 2, Vector2.ZERO, 0],
		[-1],
		[99, 2],
		[Wire.Kind.MOVE],
		[Wire.Kind.MOVE, 2, Vector2.ZERO],
		[Wire.Kind.MOVE, 2.0, Vector2.ZERO, 0],
		[Wire.Kind.MOVE, 2, Vector2i.ZERO, 0],
		[Wire.Kind.MOVE, 2, Vector2.ZERO, 0, 0],
		[Wire.Kind.MOVE, 2, Vector2(NAN, 0.0), 0],
		[Wire.Kind.MOVE, 2, Vector2(INF, 0.0), 0],
		[Wire.Kind.MOVE, 2, Vector2(-1.0, 0.0), 0],
		[Wire.Kind.MOVE, 2, Vector2.ZERO, -1],
		[Wire.Kind.MOVE, 2, Vector2.ZERO, 1 << 40],
		[Wire.Kind.MOVE, 0, Vector2.ZERO, 0],
		[Wire.Kind.MOVE, 1 << 40, Vector2.ZERO, 0],
		[Wire.Kind.WELCOME, 1],
		[Wire.Kind.BYE, "1", PackedInt32Array()],
	]
	for message: Variant in messages:
		garbage.append(var_to_bytes(message))
	return garbage
