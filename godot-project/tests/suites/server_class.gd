extends "../support/server_suite.gd"
## The class UdpServerRs as scripts see it: methods, properties, subclassing, lifetime.

const CallingLogger := preload("../support/calling_logger.gd")

const OWN: Array[StringName] = [
	&"get_peer_count", &"get_stats", &"get_last_os_error", &"get_last_error_message"
]
const PROPERTIES: Dictionary[StringName, Variant] = {
	&"max_pending_connections": 16,
	&"peer_timeout_msec": 0,
	&"queue_size": 0,
	&"background_receive": false,
	&"reuse_address": true,
	&"reuse_port": false,
	&"receive_buffer_size": 0,
	&"send_buffer_size": 0,
	&"traffic_class": 0,
	&"time_to_live": 0,
}


func test_every_method_of_native_exists_with_the_same_arguments() -> void:
	var ours := _methods(SERVERS[OURS])
	var native := _methods(SERVERS[NATIVE])
	check(native.size() >= 9, "native has only %d methods" % native.size())
	for title in native:
		check(title in ours, "%s is missing" % title)
		if title in ours:
			for part: String in ["names", "types", "defaults", "returns"]:
				check_equal(ours[title][part], native[title][part], "%s, %s" % [title, part])


func test_its_own_methods_take_nothing() -> void:
	var ours := _methods(SERVERS[OURS])
	for title in OWN:
		check_equal(ours.get(title, {}).get("types"), [], title)


func test_its_properties_have_their_defaults() -> void:
	for property in PROPERTIES:
		var expected: Variant = PROPERTIES[property]
		if property == &"reuse_address":
			expected = Platform.has(&"shared servers")
		var default: Variant = ClassDB.class_get_property_default_value(SERVERS[OURS], property)
		check_equal(default, expected, "the default of " + property)
		check_equal(make_server(OURS).get(property), expected, property + " of a new one")


func test_it_is_reference_counted(kind: StringName) -> void:
	var server := make_server(kind)
	answer("is RefCounted", server is RefCounted, true)
	answer("its parent", ClassDB.get_parent_class(SERVERS[kind]), &"RefCounted")
	answer("its name", server.get_class() == SERVERS[kind], true)


func test_its_limit_is_a_property_with_a_setter_and_a_getter(kind: StringName) -> void:
	var found := ClassDB.class_get_property_list(SERVERS[kind], true).filter(
		func(info: Dictionary) -> bool: return info.name == "max_pending_connections"
	)
	answer("properties of that name", found.size(), 1)
	for key: String in ["type", "hint"]:
		record(key, found[0][key])
	var server := make_server(kind)
	server.set_max_pending_connections(7)
	answer("get_max_pending_connections", server.get_max_pending_connections(), 7)
	answer("max_pending_connections", server.max_pending_connections, 7)


func test_a_script_can_subclass_it(kind: StringName) -> void:
	var script := GDScript.new()
	script.source_code = (
		"extends %s\n" % SERVERS[kind]
		+ "signal joined(peer: PacketPeer)\n@export var welcomed := 0\n"
		+ "func _init(address := '127.0.0.1') -> void:\n\tlisten(0, address)\n"
		+ "func welcome() -> void:\n\tpoll()\n\twhile is_connection_available():\n"
		+ "\t\tvar peer: %s = take_connection()\n\t\twelcomed += 1\n" % kind
		+ "\t\tpeer.put_packet('welcome'.to_utf8_buffer())\n\t\tjoined.emit(peer)\n"
	)
	answer("the script compiles", script.reload(), OK)
	var server: RefCounted = script.new()
	answer("listens after its _init", server.is_listening(), true)
	var welcomed: Array[PacketPeer] = []
	server.joined.connect(func(peer: PacketPeer) -> void: welcomed.append(peer))
	var client := sender_to(server)
	send(client, [numbered(1)])
	var is_welcomed := func() -> bool:
		server.welcome()
		return not welcomed.is_empty()
	answer("welcomed", wait_until(is_welcomed), true)
	answer("its own variable", server.welcomed, 1)
	answer("the packet", numbers_of(take(welcomed[0])), PackedInt32Array([1]))
	answer("what the client gets", take(client), [bytes("welcome")] as Array[PackedByteArray])


func test_methods_can_be_called_by_name(kind: StringName) -> void:
	var server := make_server(kind)
	answer("call", server.call(&"listen", 0, LOOPBACK), OK)
	answer("has_method", server.has_method(&"take_connection"), true)
	answer("Callable", Callable(server, &"is_listening").call(), true)


func test_a_thousand_servers_can_come_and_go(kind: StringName) -> void:
	var failed := 0
	for i in 1000:
		var server: RefCounted = ClassDB.instantiate(SERVERS[kind])
		failed += int(server.listen(0, LOOPBACK) != OK or server.poll() != OK)
	answer("failed", failed, 0)


func test_a_logger_may_use_the_server_that_prints() -> void:
	var server := listening(OURS)
	var clients := clients_of(server, 3)
	for client in clients:
		send(client, [numbered(1)])
	var peers: Array[PacketPeer] = []
	var logger := CallingLogger.new()
	logger.use = func() -> void:
		server.poll()
		if server.is_connection_available():
			peers.append(server.take_connection())
		for peer in peers:
			peer.put_packet(numbered(2))
		server.get_stats()
		server.peer_timeout_msec = 60_000
		if logger.calls == 4:
			server.stop()
	allow_lines("listen|max_pending_connections|send_to|bind")
	OS.add_logger(logger)
	check_equal(server.listen(0, LOOPBACK), ERR_ALREADY_IN_USE, "listen")
	server.max_pending_connections = -1
	check_equal(peers[0].send_to(numbered(1), LOOPBACK, 9), ERR_LOCKED, "send_to")
	check_equal(peers[0].bind(0), ERR_ALREADY_IN_USE, "bind")
	OS.remove_logger(logger)
	logger.use = Callable()  # a cycle of logger and server
	check_equal(logger.calls, 4, "calls of the logger")
	check_equal(peers.size(), 3, "connections that it took")
	check_equal(server.is_listening(), false, "is_listening")
	for peer in peers:
		check_equal(peer.is_bound(), false, "is_bound")
	check_equal(numbers_of(take(clients[0], 4)), PackedInt32Array([2, 2, 2, 2]), "what was sent")


func test_an_accepted_idle_connection_takes_little_memory(kind: StringName) -> void:
	if not needs(&"process figures"):
		return
	check_memory(kind, SERVERS[kind], 4 * 1024)


# What scripts see of each method.
static func _methods(title: StringName) -> Dictionary[StringName, Dictionary]:
	var found: Dictionary[StringName, Dictionary] = {}
	for method in ClassDB.class_get_method_list(title, true):
		found[method.name] = {
			"names": method.args.map(func(info: Dictionary) -> String: return info.name),
			"types": method.args.map(func(info: Dictionary) -> int: return info.type),
			"defaults": method.default_args,
			"returns":
			[
				method["return"].type,
				String(method["return"].class_name).replace(NATIVE, OURS),
			],
		}
	return found
