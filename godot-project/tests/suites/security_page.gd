extends "../support/suite.gd"
## docs/security.md: the scripts do what the page says, and the limits are those of the classes.

const Frames := preload("../support/frames.gd")
const MutatedVariants := preload("../support/mutated_variants.gd")
## From the project's folder.
const PAGE := "../docs/security.md"
const MOST_PLAYERS := 64

var _server: Node


func finish() -> void:
	if _server != null:
		_server.free()
	super()


func test_the_limits_in_the_table_are_the_defaults() -> void:
	if not _has_page():
		return
	var row := RegEx.create_from_string("(?m)^\\| `(\\w+)\\.(\\w+)` \\| ([\\d,]+)")
	var seen: PackedStringArray
	for found in row.search_all(_page()):
		var value := int(found.get_string(3).replace(",", ""))
		var object: RefCounted = ClassDB.instantiate(found.get_string(1))
		var of := "%s.%s" % [found.get_string(1), found.get_string(2)]
		check_equal(int(object.get(found.get_string(2))), value, of)
		seen.append(of)
	for object: String in ["PacketPeerUdpRs", "UdpServerRs", "UdpLinkProxy", "UdpLinkConditions"]:
		check(object in "".join(seen), "no limit of %s is in the table" % object)


func test_a_client_is_a_player_when_it_has_sent_its_ticket_back() -> void:
	if not _has_page() or not _open_server():
		return
	var client := connected_to(_server.server, OURS)
	send(client, [PackedByteArray([1, 2, 3])])
	await _frames_until(func() -> bool: return _server.server.get_stats().packets_received == 1)
	await _frames(3)
	check_equal(queued(client), 0, "answers to a short packet")
	var ticket := await _ticket_for(client)
	check_equal(ticket.size(), 32, "bytes of the ticket")
	check_equal(_server.players.size(), 0, "players with a ticket that was not sent back")
	var other := connected_to(_server.server, OURS)
	check((await _ticket_for(other)) != ticket, "another client has the same ticket")
	send(other, [ticket])
	check((await _ticket_from(other)) != ticket, "a stranger's ticket is answered with its own")
	check_equal(_server.players.size(), 0, "players with the ticket of another")
	send(client, [ticket])
	await _frames_until(func() -> bool: return _server.players.size() == 1)
	check_equal(_server.players.size(), 1, "players with their ticket")
	if _server.players.size() == 1:
		check_equal(
			_server.players[0].get_packet_port(), client.get_local_port(), "the player's port"
		)
	send(client, [ticket])
	await _frames_until(func() -> bool: return _server.server.get_stats().packets_received == 6)
	await _frames(3)
	check_equal(_server.players.size(), 1, "players that send their ticket again")


func test_no_more_players_than_there_may_be() -> void:
	if not _has_page() or not _open_server():
		return
	for i in MOST_PLAYERS + 2:
		# A frame admits 16 newcomers, and each client is one twice.
		await _frames(1)
		var client := connected_to(_server.server, OURS)
		_kept.append(client)
		send(client, [await _ticket_for(client)])
		await _frames_until(
			func() -> bool: return _server.players.size() == mini(i + 1, MOST_PLAYERS)
		)
	await _frames(3)
	check_equal(_server.players.size(), MOST_PLAYERS, "players")


func test_only_a_move_is_read() -> void:
	if not _has_page():
		return
	var reader: Object = _script("read_move").new()
	check_equal(reader.read_move(var_to_bytes([1, Vector2.ONE])), [1, Vector2.ONE], "a move")
	var node := Node.new()
	for value: Variant in [
		null,
		1,
		[],
		[1],
		[1, Vector2.ONE, 1],
		["1", Vector2.ONE],
		[1, Vector3.ONE],
		[1, Vector2(NAN, 0)],
		[1, Vector2(0, INF)],
		[node.renamed, Vector2.ONE],
		node.renamed,
	]:
		check_equal(reader.read_move(var_to_bytes(value)), [], "of %s" % [value])
	node.free()
	check_equal(reader.read_move(MutatedVariants.colliding()), [], "of a large packet")
	var padded := var_to_bytes([1, Vector2.ONE])
	padded.resize(1201)
	check_equal(reader.read_move(padded), [], "of a move with much behind it")
	var packets := MutatedVariants.new(1)
	for i in 2000:
		var move: Array = reader.read_move(packets.next())
		check(move.is_empty() or move.size() == 2 and move[0] is int, "became %s" % [move])


func _has_page() -> bool:
	if _page().is_empty():
		skip("the page is not beside the project")
		return false
	return true


static func _page() -> String:
	var path := ProjectSettings.globalize_path("res://").path_join(PAGE)
	return FileAccess.get_file_as_string(path) if FileAccess.file_exists(path) else ""


# The script of the page that has this word, compiled.
static func _script(word: String) -> GDScript:
	var block := RegEx.create_from_string("(?s)```gdscript\\n(.*?)```")
	for found in block.search_all(_page()):
		if word in found.get_string(1):
			var script := GDScript.new()
			script.source_code = found.get_string(1).replace("4242", '0, "127.0.0.1"')
			script.reload()
			return script
	return null


func _open_server() -> bool:
	_server = _script("_ticket").new()
	_server._ready()
	check(_server.server.is_listening(), "it listens")
	return _server.server.is_listening()


# Repeats the first packet until a ticket comes.
func _ticket_for(client: PacketPeer) -> PackedByteArray:
	var first := PackedByteArray()
	first.resize(32)
	send(client, [first])
	return await _ticket_from(client)


func _ticket_from(client: PacketPeer) -> PackedByteArray:
	await _frames_until(func() -> bool: return queued(client) > 0)
	check_equal(queued(client), 1, "answers")
	return client.get_packet()


# New clients are admitted in frames of the engine, in which the script's node would be called.
func _frames_until(condition: Callable) -> void:
	var is_so := func() -> bool:
		_server._process(0.0)
		return condition.call()
	await Frames.until(is_so)
	check(condition.call(), "it does not come to that")


func _frames(count: int) -> void:
	for i in count:
		await Frames.wait(1)
		_server._process(0.0)
