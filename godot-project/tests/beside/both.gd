extends RefCounted
## Checks that the addon and another extension work in one process.
## See scripts/two_extensions_test.sh.

const HOST := "127.0.0.1"
const TIMEOUT_MSEC := 10_000

var failures: PackedStringArray
var checks := 0


# Both extensions' classes, in turns. `tree` gives the frames in which answers arrive.
func check_all(tree: SceneTree) -> void:
	await _check_ours(tree)
	await _check_neighbour(tree)
	await _check_ours(tree)


func _check_ours(tree: SceneTree) -> void:
	var peer: PacketPeer = ClassDB.instantiate(&"PacketPeerUdpRs")
	var server: RefCounted = ClassDB.instantiate(&"UdpServerRs")
	var other := PacketPeerUDP.new()
	peer.background_receive = true
	check(peer.bind(0, HOST) == OK and other.bind(0, HOST) == OK, "bind")
	check(server.listen(0, HOST) == OK, "listen")
	peer.set_dest_address(HOST, other.get_local_port())
	other.set_dest_address(HOST, peer.get_local_port())
	check(peer.put_var("there") == OK and other.put_var("back") == OK, "put_var")
	await _until(tree, func() -> bool: return other.get_available_packet_count() > 0)
	await _until(tree, func() -> bool: return peer.get_available_packet_count() > 0)
	check(other.get_var() == "there" and peer.get_var() == "back", "the packets")
	# The signals come from a callback once a frame.
	var counts: PackedInt64Array
	peer.packets_available.connect(func(count: int) -> void: counts.append(count))
	other.put_packet([1])
	await _until(tree, func() -> bool: return not counts.is_empty())
	check(counts == PackedInt64Array([1]), "the signal: %s" % counts)


func _check_neighbour(tree: SceneTree) -> void:
	var neighbour: PacketPeer = ClassDB.instantiate(&"NeighbourPeer")
	check(neighbour.put_var([1, "two"]) == OK, "NeighbourPeer.put_var")
	check(neighbour.get_available_packet_count() == 1, "NeighbourPeer's packets")
	check(neighbour.get_var() == [1, "two"], "NeighbourPeer.get_var")
	var sums: PackedInt64Array
	neighbour.summed.connect(func(sum: int) -> void: sums.append(sum))
	neighbour.sum([1, 2, 39])
	check(sums == PackedInt64Array([42]), "NeighbourPeer.sum: %s" % sums)
	var frames: int = neighbour.frames()
	await _until(tree, func() -> bool: return neighbour.frames() > frames + 1)
	check(neighbour.frames() > frames + 1, "NeighbourPeer.frames: %d" % frames)


func check(condition: bool, what: String) -> void:
	checks += 1
	if not condition:
		failures.append(what)


# Prints the outcome and ends the engine.
func finish(tree: SceneTree, what: String) -> void:
	for failure in failures:
		print("beside: FAILED: " + failure)
	if failures.is_empty():
		var extensions: PackedStringArray
		for path in GDExtensionManager.get_loaded_extensions():
			extensions.append(path.get_file().get_basename())
		print("beside: all %d checks held, %s, %s" % [checks, what, " then ".join(extensions)])
	tree.quit(0 if failures.is_empty() else 1)


static func _until(tree: SceneTree, condition: Callable) -> void:
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while not condition.call() and Time.get_ticks_msec() < deadline:
		await tree.process_frame
