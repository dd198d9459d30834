extends "../support/server_suite.gd"
## What the engine says of a call with wrong arguments, what it converts, and which methods are
## const: as with its own classes.

## Every class of the engine that ours stands for.
const TWINS: Dictionary[StringName, StringName] = {
	&"PacketPeerUDP": &"PacketPeerUdpRs", &"UDPServer": &"UdpServerRs"
}

## Methods with an argument of each type that there is, and where that argument is.
const METHODS: Array[Array] = [
	["bind", [0, "127.0.0.1", 65536], 0],
	["bind", [0, "127.0.0.1", 65536], 1],
	["bind", [0, "127.0.0.1", 65536], 2],
	["set_broadcast_enabled", [true], 0],
	["set_dest_address", ["127.0.0.1", 9], 0],
	["join_multicast_group", ["239.1.2.3", ""], 1],
]


## A value of nearly every type.
static func values() -> Array:
	var freed := Node.new()
	freed.free()
	return [
		null,
		true,
		7,
		7.9,
		"127.0.0.1",
		&"127.0.0.1",
		^"127.0.0.1",
		Vector2(1, 2),
		Vector2i(1, 2),
		Color.RED,
		Basis(),
		RID(),
		{},
		[],
		[1, 2],
		PackedByteArray([1, 2]),
		PackedInt32Array([1, 2]),
		PackedStringArray(["1"]),
		Callable(),
		Signal(),
		RefCounted.new(),
		freed,
	]


func test_arguments_of_every_type_are_taken_or_refused_as_by_native(kind: StringName) -> void:
	for row in METHODS:
		for value: Variant in values():
			var arguments: Array = row[1].duplicate()
			arguments[row[2]] = value
			_record_call(kind, row[0], arguments)


func test_a_wrong_number_of_arguments_is_refused_as_by_native(kind: StringName) -> void:
	for method: String in ["bind", "close", "set_dest_address", "get_packet_ip"]:
		for count in 5:
			var arguments := []
			for i in count:
				arguments.append("127.0.0.1" if method == "set_dest_address" and i == 0 else 0)
			_record_call(kind, method, arguments)


func test_the_engine_says_which_argument_is_wrong() -> void:
	var peer := make_peer(OURS)
	var proxy: RefCounted = ClassDB.instantiate("UdpLinkProxy")
	var conditions: Resource = ClassDB.instantiate("UdpLinkConditions")
	var cases: Array[Array] = [
		[peer, "bind", ["4433"], "Cannot convert argument 1 from String to int"],
		[peer, "bind", [], "expected 3 argument"],
		[peer, "bind", [1, "*", 1, 1], "expected 3 argument"],
		[peer, "set_time_to_live", ["x"], "Cannot convert argument 1 from String to int"],
		[peer, "get_packets", [[]], "Cannot convert argument 1 from Array to int"],
		[peer, "put_packets", [{}], "Cannot convert argument 1 from Dictionary to Array"],
		[
			peer,
			"put_segmented",
			["x", 1],
			"Cannot convert argument 1 from String to PackedByteArray"
		],
		[
			peer,
			"send_to",
			[PackedByteArray(), 1, 1],
			"Cannot convert argument 2 from int to String"
		],
		[peer, "get_broadcast_addresses", [1], "expected 0 argument"],
		[make_server(OURS), "listen", [{}], "Cannot convert argument 1 from Dictionary to int"],
		[make_server(OURS), "poll", [1], "expected 0 argument"],
		[proxy, "start", [9, 9], "Cannot convert argument 1 from int to String"],
		[proxy, "start", ["127.0.0.1"], "expected 4 argument"],
		[
			proxy,
			"set_to_target_conditions",
			[Image.new()],
			"Cannot convert argument 1 from Object to Object"
		],
		[conditions, "set_loss", ["x"], "Cannot convert argument 1 from String to float"],
	]
	for row in cases:
		var lines := lines_of(func() -> void: row[0].callv(row[1], row[2]))
		check_equal(lines.size(), 1, "%s: lines (%s)" % [row[1], "; ".join(lines)])
		for part: String in [row[1], row[3]]:
			check("".join(lines).contains(part), "'%s' is not in: %s" % [part, "; ".join(lines)])
		for word: String in ["godot-rust", "Bug", "1337", ".rs"]:
			check(not "".join(lines).contains(word), "'%s' in: %s" % [word, "; ".join(lines)])


func test_arguments_of_new_members_are_converted_as_the_engine_does() -> void:
	var peer := bound_peer(OURS)
	var port := float(peer.get_local_port())
	var untyped: Variant = peer
	check_equal(untyped.send_to([1], &"127.0.0.1", port), OK, "send_to")
	check_equal(untyped.set_dest_address(LOOPBACK, port), OK, "set_dest_address")
	check_equal(untyped.put_packets(PackedInt32Array()), 0, "put_packets")
	check_equal(take(peer), [PackedByteArray([1])] as Array[PackedByteArray], "what arrives")
	untyped.time_to_live = 7.9
	check_equal(peer.time_to_live, 7, "time_to_live")
	untyped.background_receive = 1
	check_equal(peer.background_receive, true, "background_receive")


func test_nobody_pending_is_the_same_null_as_native(kind: StringName) -> void:
	var server := make_server(kind)
	var untyped: Variant = server.call("take_connection")
	answer("equals null", untyped == null, true)
	record("type", typeof(untyped))
	record("text", str(untyped))


func test_const_methods_are_those_of_native() -> void:
	for native in TWINS:
		for method in ClassDB.class_get_method_list(native, true):
			var mine := _flags(TWINS[native], method.name)
			check_equal(mine, method.flags, "flags of %s.%s" % [TWINS[native], method.name])


func test_getters_are_const_and_setters_are_not() -> void:
	for ours: StringName in TWINS.values() + [&"UdpLinkProxy", &"UdpLinkConditions"]:
		for property in ClassDB.class_get_property_list(ours, true):
			if not property.usage & PROPERTY_USAGE_EDITOR:
				continue
			var getter := ClassDB.class_get_property_getter(ours, property.name)
			var setter := ClassDB.class_get_property_setter(ours, property.name)
			check_equal(_flags(ours, getter), METHOD_FLAG_NORMAL | METHOD_FLAG_CONST, getter)
			check_equal(_flags(ours, setter), METHOD_FLAG_NORMAL, setter)


func test_an_expression_may_only_look() -> void:
	var peer := bound_peer(OURS)
	for text: String in ["is_bound()", "get_local_port()", "get_stats()", "get_time_to_live()"]:
		check(_looks(peer, text), text)
	for text: String in ["close()", "set_time_to_live(3)", "get_packets()", "poll()"]:
		check(not _looks(peer, text), text)
	check(peer.is_bound(), "closed by an expression")


# What a call of a new peer answers, and what the engine prints, without the name of the class.
func _record_call(kind: StringName, method: String, arguments: Array) -> void:
	var peer := make_peer(kind)
	var what := "%s(%s)" % [method, ", ".join(arguments.map(_written_with_type))]
	var got := []
	var lines := lines_of(func() -> void: got.append(peer.callv(method, arguments)))
	record(what, got)
	# What the class prints by itself may differ; what the engine says of arguments may not.
	var said := Array(lines).filter(func(line: String) -> bool: return "callv" in line)
	record(what + " prints", "\n".join(said).replace(kind, "Class"))


func _written_with_type(value: Variant) -> String:
	var text := "" if typeof(value) == TYPE_OBJECT else " " + str(value).left(20)
	return type_string(typeof(value)) + text


func _flags(name: StringName, method: StringName) -> int:
	for entry in ClassDB.class_get_method_list(name, true):
		if entry.name == method:
			return entry.flags
	return -1


func _looks(peer: PacketPeer, text: String) -> bool:
	var expression := Expression.new()
	expression.parse("peer." + text, ["peer"])
	expression.execute([peer], null, false, true)
	return not expression.has_execute_failed()
