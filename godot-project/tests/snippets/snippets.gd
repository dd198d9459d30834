extends "../support/suite.gd"
## Every GDScript snippet of the documentation and of the class reference runs, with somebody who
## answers it, in the network that scripts/snippets.sh makes: it reaches all its blocks, but those
## that report an error, and leaves nothing behind. Where its port is taken, it reaches those.

const Frames := preload("../support/frames.gd")
const Marks := preload("../support/snippet_marks.gd")
const Snippets := preload("../support/snippets.gd")
const Worlds := preload("../support/snippet_worlds.gd")

## The longest time that a snippet may need on a busy machine.
const PATIENCE_MSEC := 20_000
## A snippet runs for so many frames at least.
const LEAST_FRAMES := 4
## Snippets that need more than strangers: the page or source, a text of the snippet, its world, and
## times that are shortened. Each describes one snippet, or some that are alike; a snippet has one.
const ROWS: Array[Array] = [
	["", "peer_timeout_msec = 10_000\n", Worlds.World, {"10_000": "150"}],
	["", "peer_timeout_msec = 10_000  #", Worlds.World, {"10_000": "150"}],
	["README.md", "put_packet_broadcast", Worlds.Nobody, {"timer.start(1.0)": "timer.start(0.1)"}],
	["README.md", "const AWFUL", Worlds.Nobody],
	# ENet takes seconds to connect where many packets are lost.
	["docs/conditions.md", "ENetMultiplayerPeer", Worlds.Nobody, {"awful.tres": "wifi.tres"}],
	["docs/guide.md", "join_multicast_group", Worlds.Lobby],
	["docs/samples/motion_capture.md", "const MotionCapture", Worlds.Device],
	["docs/samples/motion_capture.md", "packet.resize(4)", Worlds.Frames],
	["docs/samples/multicast_receivers.md", "Sender.new()", Worlds.Nobody],
	["docs/samples/multicast_receivers.md", "Receiver.new()", Worlds.Multicasts],
	["docs/samples/nat_punching.md", "stun_host", Worlds.Punching],
	["docs/samples/nat_punching.md", "Rendezvous", Worlds.Meeting],
	[
		"docs/samples/nat_punching.md",
		"ENetMultiplayerPeer",
		Worlds.Continuing,
		{"create_timer(1.0)": "create_timer(0.6)"}
	],
	["docs/samples/ping.md", "ping.listen(", Worlds.Pinging],
	["docs/samples/ping.md", "PacketPeerUDP.new", Worlds.Pinging],
	["docs/samples/ping.md", "ping.start(", Worlds.Answering],
	["docs/samples/reliable.md", "connect_to_host", Worlds.ReliableServer],
	["docs/samples/reliable.md", "UdpServerRs", Worlds.ReliableClients],
	["docs/samples/state_replication.md", "StateReplication.Server", Worlds.Joining],
	["docs/samples/state_replication.md", "Client.new()", Worlds.StateServer],
	["docs/samples/state_replication.md", "try_it", Worlds.Trying],
	["docs/security.md", "TICKET_BYTES", Worlds.Strangers],
	["docs/security.md", "read_move", Worlds.Moves],
	["rust/gdext/src/packet_peer/mod.rs", "get_packets()", Worlds.Bound],
	["rust/gdext/src/packet_peer/mod.rs", "get_packets_joined()", Worlds.Bound],
	["rust/gdext/src/udp_link_proxy.rs", "func join", Worlds.Relayed, {"awful.tres": "wifi.tres"}],
	["rust/gdext/src/udp_server.rs", "get_ready_peers()", Worlds.Listening],
]
## Snippets that do not run: the page or source, a text of the snippet, the reason.
const LEFT_OUT: Array[Array] = []

var _tree: SceneTree = Engine.get_main_loop()


func test_every_snippet_runs() -> void:
	await _warm_up()
	var used: Array[Array] = []
	var count := 0
	var times: Array[Array] = []
	for source in Snippets.pages() + Snippets.sources():
		var text := Snippets.text_of(source)
		var snippets := Snippets.snippets_of(text)
		for i in snippets.size():
			var snippet := snippets[i]
			count += 1
			var where := "%s:%d" % [source, Snippets.lines_of(text)[i]]
			var reasons := _rows_of(LEFT_OUT, source, snippet)
			var rows := _rows_of(ROWS, source, snippet)
			used += rows + reasons
			check(rows.size() + reasons.size() < 2, where + ": more than one row describes it")
			if not reasons.is_empty():
				note("not run: %s: %s" % [where, reasons[0][2]])
				continue
			var start := Time.get_ticks_msec()
			for problem in await _run(
				snippet, ["", "", Worlds.World] if rows.is_empty() else rows[0]
			):
				fail("%s: %s" % [where, problem])
			times.append([Time.get_ticks_msec() - start, where])
	times.sort()
	for row: Array in times.slice(-5):
		note("%d ms: %s" % row)
	note("%d snippets" % count)
	check(count >= 45, "only %d snippets were found" % count)
	for row: Array in ROWS + LEFT_OUT:
		check(row in used, "no snippet is described by the row %s" % [row.slice(0, 2)])


func test_every_snippet_reports_that_its_port_is_taken() -> void:
	await _warm_up()
	var count := 0
	for source in Snippets.pages() + Snippets.sources():
		var text := Snippets.text_of(source)
		var snippets := Snippets.snippets_of(text)
		for i in snippets.size():
			var world := Worlds.Taken.new()
			world.code = snippets[i]
			if world.ports_opened().is_empty() or not "push_error" in snippets[i]:
				continue
			count += 1
			for problem in await _run(snippets[i], ["", "", Worlds.Taken]):
				fail("%s:%d: %s" % [source, Snippets.lines_of(text)[i], problem])
	note("%d snippets" % count)
	check(count >= 15, "only %d snippets open a port and report an error" % count)


func test_a_snippet_that_does_not_work_is_noticed() -> void:
	await _warm_up()
	var plain: Array = ["", "", Worlds.World]
	check_equal(
		await _run("peer.bind(4433)\nprint(peer)", plain), PackedStringArray(), "one that works"
	)
	for row: Array in [
		[
			"peer.bind(4433)\nif peer.is_socket_connected():\n\tpass",
			"has not come to: sample: if peer."
		],
		[
			'peer.connect_to_host_async("192.0.2.7", 4433)\npeer.close()\nawait peer.host_resolved',
			"the end"
		],
		[
			'peer.connect_to_host("127.0.0.1", 4433)\npeer.put_packets([])',
			"what it does is not seen"
		],
		['Engine.set_meta(&"left", Node.new())', "it leaves nodes"],
		[
			'var left := PacketPeerUDP.new()\nleft.bind(0)\nEngine.set_meta(&"left", left)',
			"1 files open"
		],
		["var a: Array[Callable] = [func() -> void: print()]\nprint(a)", "func() -> void: print()"],
		[
			"func _ready() -> void:\n\tpass\n\n\nfunc unused() -> void:\n\tpass",
			"unused: func unused"
		],
	]:
		var problems := await _run(row[0], plain, 100)
		check(row[1] in "\n".join(problems), "%s: not noticed: %s" % [row[0], problems])
		if Engine.has_meta(&"left"):
			var left: Object = Engine.get_meta(&"left")
			Engine.remove_meta(&"left")
			if left is Node:
				left.free()
	var silent := 'if peer.bind(0) != OK:\n\tpush_error("never")\npeer.bind(4433)'
	var missed := await _run(silent, ["", "", Worlds.Taken], 100)
	check("has not come to: error: " in "\n".join(missed), "an error: not noticed: %s" % [missed])
	# No line of the log may be a script's error, not even one that was expected.
	Engine.print_error_messages = false
	var problems := await _run("var none: Node = null\nprint(none.name)", plain, 100)
	Engine.print_error_messages = true
	check("has not come to: sample: the end" in problems, "a script error: %s" % [problems])


# Lets the tree be set up, which takes no children meanwhile, and has the addon open the descriptor
# that it keeps for later waits.
static func _warm_up() -> void:
	await Frames.wait(1)
	var peer := PacketPeerUdpRs.new()
	peer.bind(0, LOOPBACK)
	peer.wait(1)


# Runs a snippet in the world that a row says, and returns what is wrong.
func _run(snippet: String, row: Array, patience_msec := PATIENCE_MSEC) -> PackedStringArray:
	var problems: PackedStringArray
	var code := Snippets.wrapped(snippet)
	var shorter: Dictionary = row[3] if row.size() > 3 else {}
	for text: String in shorter:
		if text not in code:
			problems.append("it has no '%s' to shorten" % text)
		code = code.replace(text, shorter[text])
	var blocks: PackedStringArray
	var script := GDScript.new()
	script.source_code = Snippets.marked(code, blocks)
	if script.reload() != OK:
		return PackedStringArray(["it does not compile:\n" + script.source_code])
	var descriptors := Process.descriptors()
	var nodes := _nodes()
	Marks.clear()
	# What snippets print is much.
	Engine.print_to_stdout = false
	var world := (row[2] as GDScript).new() as Worlds.World
	world.code = code
	world.node = script.new()
	world.prepare()
	_tree.root.add_child(world.node)
	if world.node.has_method(Snippets.STATEMENTS):
		world.node.call(Snippets.STATEMENTS)
	world.begin()
	await Frames.wait(LEAST_FRAMES)
	var is_error := world is Worlds.Taken
	var has_run := func() -> bool:
		world.step()
		return world.is_done() and _missing(blocks, is_error, false).is_empty()
	await Frames.until(has_run, patience_msec)
	if not world.is_done():
		problems.append("what it does is not seen")
	# As when the scene changes; free() refuses an object whose method runs in a thread.
	world.node.queue_free()
	await Frames.wait(2)
	world.end()
	# The lambda keeps the world, whose peers are open as long as it lives.
	has_run = Callable()
	world = null
	Engine.print_to_stdout = true
	for line in _error_log.take_lines():
		if is_error and not _is_fault(line):
			expected_line_count += 1
		elif _is_allowed(line):
			_unclaimed_lines.append(line)
		else:
			problems.append("it prints: " + line)
	for block in _missing(blocks, is_error, true):
		problems.append("has not come to: " + block)
	var is_gone := func() -> bool: return Process.descriptors() <= descriptors
	if not await Frames.until(is_gone, patience_msec):
		problems.append("it leaves %d files open" % (Process.descriptors() - descriptors))
	if _nodes() != nodes:
		problems.append("it leaves nodes: %d, before: %d" % [_nodes(), nodes])
	return problems


# The blocks that have not been run: either those that report an error, or the others. Those of
# _exit_tree() count only if it has left.
static func _missing(
	blocks: PackedStringArray, is_error: bool, has_left: bool
) -> PackedStringArray:
	var missing: PackedStringArray
	for i in blocks.size():
		var is_due := has_left or not "_exit_tree: " in blocks[i]
		if is_due and is_error == blocks[i].begins_with(Snippets.ERROR) and not Marks.has(i):
			missing.append(blocks[i])
	return missing


# How many there are, in the tree and outside of it.
static func _nodes() -> int:
	var orphans := Performance.get_monitor(Performance.OBJECT_ORPHAN_NODE_COUNT)
	return roundi(Performance.get_monitor(Performance.OBJECT_NODE_COUNT) + orphans)


static func _rows_of(rows: Array[Array], source: String, snippet: String) -> Array[Array]:
	return rows.filter(
		func(row: Array) -> bool: return row[0] in ["", source] and String(row[1]) in snippet
	)
