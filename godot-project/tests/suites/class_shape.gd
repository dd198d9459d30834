extends "../support/suite.gd"
## The class as scripts see it: methods, subclassing, lifetime.


func test_every_method_of_native_exists_with_the_same_arguments() -> void:
	var ours: Dictionary[String, Dictionary] = {}
	for method in ClassDB.class_get_method_list(OURS, true):
		ours[method.name] = method
	for method in ClassDB.class_get_method_list(NATIVE, true):
		var twin: Dictionary = ours.get(method.name, {})
		check(not twin.is_empty(), "%s is missing" % method.name)
		if twin.is_empty():
			continue
		for i: int in method.args.size():
			if i >= twin.args.size():
				fail("%s lacks the argument %s" % [method.name, method.args[i].name])
				continue
			for property: String in ["name", "type"]:
				check_equal(
					twin.args[i][property],
					method.args[i][property],
					"%s, argument %d, %s" % [method.name, i, property]
				)
		check_equal(twin["return"].type, method["return"].type, "%s, result" % method.name)
		check_equal(
			twin["return"].class_name, method["return"].class_name, "%s, result" % method.name
		)
		if method.name != "wait":  # ours has a timeout too
			check_equal(twin.args.size(), method.args.size(), "%s, arguments" % method.name)
			check_equal(twin.default_args, method.default_args, "%s, defaults" % method.name)
	check_equal(ours["wait"].default_args, [-1], "wait, defaults")


func test_it_is_a_packet_peer(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("is PacketPeer", peer is PacketPeer, true)
	answer("is RefCounted", peer is RefCounted, true)
	answer("get_class is its name", peer.get_class() == kind, true)
	answer("PacketPeer's property", peer.encode_buffer_max_size, 8 * 1024 * 1024)


func test_arguments_are_converted_as_the_engine_does(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("bind", peer.bind(0.0, StringName(LOOPBACK), 65536.0), OK)
	var port: float = peer.get_local_port()
	answer("set_dest_address", peer.set_dest_address(StringName(LOOPBACK), port), OK)
	peer.set_broadcast_enabled(1)
	send(peer, [numbered(1)])
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])
	answer("connect_to_host", peer.connect_to_host(StringName(LOOPBACK), port), OK)


func test_methods_can_be_called_by_name(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("call", peer.call(&"bind", 0, LOOPBACK), OK)
	answer("has_method", peer.has_method(&"wait"), true)
	var count := Callable(peer, &"get_available_packet_count")
	answer("Callable", count.call(), 0)
	answer("bound Callable", peer.is_bound.bind().call(), true)


func test_a_script_can_subclass_it(kind: StringName) -> void:
	var script := GDScript.new()
	script.source_code = (
		"extends %s\n" % kind
		+ "var sent := 0\n"
		+ "func _init(address := '127.0.0.1') -> void:\n\tbind(0, address)\n"
		+ "func shout(text: String) -> Error:\n\tsent += 1\n"
		+ "\treturn put_packet(text.to_upper().to_utf8_buffer())\n"
	)
	answer("the script compiles", script.reload(), OK)
	var peer: PacketPeer = script.new()
	answer("is open after its _init", peer.is_bound(), true)
	answer("set_dest_address", peer.set_dest_address(LOOPBACK, peer.get_local_port()), OK)
	answer("its own method", peer.shout("hello"), OK)
	answer("its own variable", peer.sent, 1)
	answer("the packet", take(peer), [bytes("HELLO")] as Array[PackedByteArray])
	answer("get_class", peer.get_class() == kind, true)
	answer("is_class(PacketPeer)", peer.is_class("PacketPeer"), true)


func test_a_script_can_add_signals_and_exports(kind: StringName) -> void:
	var script := GDScript.new()
	script.source_code = (
		"extends %s\n" % kind
		+ "signal said(text: String)\n@export var nick := 'ann'\n"
		+ "func read() -> void:\n\tsaid.emit(nick + ': ' + get_packet().get_string_from_utf8())\n"
	)
	answer("the script compiles", script.reload(), OK)
	var peer: PacketPeer = script.new()
	answer("bind", peer.bind(0, LOOPBACK), OK)
	var texts: PackedStringArray = []
	peer.said.connect(func(text: String) -> void: texts.append(text))
	send(sender_to(peer), [bytes("hi")])
	if arrived(peer):
		peer.nick = "bob"
		peer.read()
	answer("received", texts, PackedStringArray(["bob: hi"]))


func test_freeing_the_last_reference_closes_the_socket(kind: StringName) -> void:
	var port := free_port()
	for i in 50:
		var peer := make_peer(kind)
		answer("bind to the port of the freed peer", peer.bind(port, free_address), OK)
		peer = null


func test_a_freed_peer_is_gone(kind: StringName) -> void:
	var peer := bound_peer(kind)
	send(sender_to(peer), [numbered(1)])
	arrived(peer)
	var observer: WeakRef = weakref(peer)
	peer = null
	answer("still there", observer.get_ref() == null, true)


func test_a_thousand_peers_can_come_and_go(kind: StringName) -> void:
	var failed := 0
	for i in 1000:
		var peer := make_peer(kind)
		if peer.bind(0, LOOPBACK) != OK or peer.get_available_packet_count() != 0:
			failed += 1
	answer("failed", failed, 0)


func test_an_idle_peer_takes_little_memory(kind: StringName) -> void:
	if not needs(&"process figures"):
		return
	check_memory(kind, kind, 8 * 1024)
