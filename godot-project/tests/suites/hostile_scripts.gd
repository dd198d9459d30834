extends "../support/server_suite.gd"
## Scripts that run in the middle of a call, and do there what a game might: a Logger that is told
## of an error, a setter of an object that is being decoded, NOTIFICATION_PREDELETE. No line of the
## engine or of the addon about itself may come of it ("panic", "leaked").

const CallingLogger := preload("../support/calling_logger.gd")
const ScriptedValue := preload("../support/scripted_value.gd")

## More than any number of nested decodings that a thread could keep by a fixed limit.
const DEEP := 12

## What the engine names in what it prints of the classes.
const CLASSES := "PacketPeerUdpRs|UdpServerRs|UdpLinkProxy|UdpLinkConditions"

# Members, which a call uses without a reference of its own.
var _peer: PacketPeerUdpRs
var _untyped_peer: Variant
var _server: UdpServerRs
var _untyped_server: Variant
var _proxy: UdpLinkProxy
var _untyped_proxy: Variant
var _conditions: UdpLinkConditions
var _untyped_conditions: Variant


func test_a_packet_stays_intact_while_scripts_take_others() -> void:
	in_each_flavour(
		func(peer: PacketPeer, sender: PacketPeer) -> void:
			for i in DEEP:
				sender.put_packet(_scripted_packet(i))
			arrived(peer, DEEP)
			var values := {}
			var decode := func(_first: int) -> void:
				if peer.get_available_packet_count() > 0:
					_keep(values, peer.get_var(true))
			ScriptedValue.hook = decode
			_keep(values, peer.get_var(true))
			ScriptedValue.hook = Callable()
			check_equal(values.size(), DEEP, "values")
			for i: int in values:
				check_equal(values[i], _text(i), "value %d" % i)
	)


func test_a_packet_stays_intact_while_scripts_close_and_reopen_the_peer() -> void:
	for action: String in ["take", "close", "reopen", "free", "notify", "other", "take no object"]:
		_peer = bound_peer(OURS)
		var other := bound_peer(OURS)
		var port := _peer.get_local_port()
		var sender := sender_to(_peer)
		for i in DEEP:
			sender.put_packet(
				_scripted_packet(i) if action != "take no object" or i == 0 else _filled(i)
			)
			sender_to(other).put_packet(_scripted_packet(100 + i))
		arrived(_peer, DEEP)
		arrived(other, DEEP)
		ScriptedValue.hook = func(first: int) -> void:
			if first == 0:
				ScriptedValue.hook = Callable()
				_act(action, port, other, true)
		var value: Variant = _peer.get_var(true)
		ScriptedValue.hook = Callable()
		check(value is ScriptedValue and value.second == _text(0), "intact, " + action)
		_peer = null


func test_text_that_is_no_utf8_is_refused_as_by_native_whatever_a_logger_does() -> void:
	allow_lines("append_utf8|nicode|err != OK|parse_utf8|decode|ERR_")
	var samples := [
		"text",
		&"name",
		^"some/path",
		PackedStringArray(["one", "text"]),
		["text", "b"],
		{"text": 1}
	]
	for sample: Variant in samples:
		for action: String in ["take", "close", "reopen", "free", "notify", "other"]:
			_peer = bound_peer(OURS)
			var native := bound_peer(NATIVE)
			var other := bound_peer(OURS)
			var port := _peer.get_local_port()
			var packet := _with_a_bad_byte(var_to_bytes(sample))
			sender_to(native).put_packet(packet)
			var sender := sender_to(_peer)
			sender.put_packet(packet)
			for i in DEEP:
				sender.put_packet(_filled(i))
				sender_to(other).put_packet(_filled(i))
			arrived(_peer, DEEP + 1)
			arrived(other, DEEP)
			arrived(native)
			var expected: Variant = native.get_var()
			var logger := CallingLogger.new()
			logger.use = func() -> void:
				logger.use = func() -> void: pass
				# The engine tells no logger of an error that is printed within one.
				_act(action, port, other, false)
			OS.add_logger(logger)
			var got: Variant = _peer.get_var()
			OS.remove_logger(logger)
			logger.use = Callable()
			check_equal(got, expected, "%s, %s" % [type_string(typeof(sample)), action])
			_peer = null


# (Calls on itself are refused there by the engine: a reference cannot be counted any more.)
func test_every_property_may_be_used_while_its_object_is_freed() -> void:
	allow_lines(CLASSES)
	for ours: StringName in [OURS, SERVERS[OURS], &"UdpLinkProxy", &"UdpLinkConditions"]:
		var script := GDScript.new()
		var lines: PackedStringArray = []
		for property in ClassDB.class_get_property_list(ours, true):
			if property.usage & PROPERTY_USAGE_EDITOR:
				lines.append("%s = %s" % [property.name, property.name])
				match property.type:
					TYPE_INT, TYPE_FLOAT:
						lines.append("%s = -7" % property.name)
						lines.append("%s = 1" % property.name)
					TYPE_BOOL:
						lines.append("%s = not %s" % [property.name, property.name])
					TYPE_OBJECT:
						lines.append("%s = UdpLinkConditions.new()" % property.name)
						lines.append("%s.loss = 1" % property.name)
						lines.append("%s = null" % property.name)
		script.source_code = (
			"extends %s\nvar done: Array\nfunc _notification(what: int) -> void:\n" % ours
			+ "\tif what != NOTIFICATION_PREDELETE: return\n\t"
			+ "\n\t".join(lines)
			+ "\n\tdone.append(true)\n"
		)
		check_equal(script.reload(), OK, "the script compiles")
		var done := []
		var object: RefCounted = script.new()
		object.done = done
		var id := object.get_instance_id()
		object = null
		check_equal(done, [true], "%s: its notification ran to its end" % ours)
		check(not is_instance_id_valid(id), "%s: it is freed" % ours)


func test_a_logger_may_notify_the_object_that_is_printing() -> void:
	var actions := _printing_actions()
	allow_lines(CLASSES)
	for what: String in actions:
		for notification: int in [0, 1, 2, 3, 1003, 27]:
			_renew()
			var logger := CallingLogger.new()
			logger.use = func() -> void:
				for object: Object in _objects():
					object.notification(notification)
					object.notification(notification, true)
			OS.add_logger(logger)
			actions[what].call()
			OS.remove_logger(logger)
			logger.use = Callable()
			check(logger.calls > 0, "%s prints" % what)
			check_equal(_peer.get_available_packet_count(), -1, "works after " + what)


func test_a_logger_may_drop_the_last_reference_to_the_object_that_is_printing() -> void:
	var actions := _printing_actions()
	allow_lines(CLASSES)
	for what: String in actions:
		_renew()
		var ids := _objects().map(func(object: Object) -> int: return object.get_instance_id())
		var logger := CallingLogger.new()
		logger.use = func() -> void:
			_peer = null
			_untyped_peer = null
			_server = null
			_untyped_server = null
			_proxy = null
			_untyped_proxy = null
			_conditions = null
			_untyped_conditions = null
		OS.add_logger(logger)
		actions[what].call()
		OS.remove_logger(logger)
		logger.use = Callable()
		check(logger.calls > 0, "%s prints" % what)
		for id: int in ids:
			check(not is_instance_id_valid(id), "freed by " + what)


func test_a_port_is_free_when_a_logger_has_freed_its_socket() -> void:
	allow_lines(CLASSES)
	for what: String in ["peer", "server", "proxy"]:
		_renew()
		_server.reuse_address = false
		var owner: RefCounted = {"peer": _peer, "server": _server, "proxy": _proxy}[what]
		var opened: Error
		match what:
			"peer":
				opened = _peer.bind(0, LOOPBACK)
			"server":
				opened = _server.listen(0, LOOPBACK)
			"proxy":
				opened = _proxy.start(LOOPBACK, 9)
		check_equal(opened, OK, "open")
		var port: int = owner.get_local_port()
		owner = null
		var logger := CallingLogger.new()
		logger.use = func() -> void:
			_server = null
			_peer = null
			_proxy = null
		OS.add_logger(logger)
		match what:
			"peer":
				_peer.time_to_live = 999
			"server":
				_server.peer_timeout_msec = -5
			"proxy":
				_proxy.max_clients = -5
		OS.remove_logger(logger)
		logger.use = Callable()
		check_equal(make_peer(NATIVE).bind(port, LOOPBACK), OK, "bind to the port of the " + what)


func test_conditions_may_use_their_owner_while_they_are_freed() -> void:
	var script := _hooked_script()
	var target := bound_peer(NATIVE)
	var proxy := UdpLinkProxy.new()
	check_equal(proxy.start(LOOPBACK, target.get_local_port()), OK, "start")
	for owner: RefCounted in [sender_to(target, OURS), listening(OURS), proxy]:
		for property in ClassDB.class_get_property_list(owner.get_class(), true):
			if property.class_name != &"UdpLinkConditions":
				continue
			var title: String = property.name
			var seen: PackedFloat64Array = []
			var use := func(loss: float) -> void:
				seen.append(loss)
				owner.set(title, UdpLinkConditions.new())
				owner.get_stats()
				if owner == proxy:
					proxy.stop()
					proxy.start(LOOPBACK, target.get_local_port())
			# Freed when they are replaced, and when their owner has none any more.
			for next: UdpLinkConditions in [UdpLinkConditions.new(), null]:
				owner.set(title, _hooked(script, use))
				owner.set(title, next)
				# What the script has set came last.
				check(owner.get(title) != null and owner.get(title) != next, "set by the script")
			check_equal(seen, PackedFloat64Array([0.5, 0.5]), title + ": what the script has seen")


func test_conditions_may_be_freed_with_their_owner() -> void:
	var script := _hooked_script()
	for ours: StringName in [OURS, SERVERS[OURS], &"UdpLinkProxy"]:
		for property in ClassDB.class_get_property_list(ours, true):
			if property.class_name != &"UdpLinkConditions":
				continue
			var seen: PackedFloat64Array = []
			var owner: RefCounted = ClassDB.instantiate(ours)
			var id := owner.get_instance_id()
			owner.set(property.name, _hooked(script, func(loss: float) -> void: seen.append(loss)))
			owner = null
			check(not is_instance_id_valid(id), "%s is not freed" % ours)
			check_equal(seen, PackedFloat64Array([0.5]), "%s of a %s" % [property.name, ours])


func test_a_wait_keeps_its_peer() -> void:
	_peer = bound_peer(OURS)
	var id := _peer.get_instance_id()
	var waiting := in_thread(func() -> Error: return _peer.wait(400))
	OS.delay_msec(100)
	_peer = null
	check(is_instance_id_valid(id), "freed while a thread waits")
	check_equal(join(waiting), ERR_TIMEOUT, "wait")
	check(not is_instance_id_valid(id), "freed when the wait has ended")


# Of conditions that call their hook when they are freed.
func _hooked_script() -> GDScript:
	var script := GDScript.new()
	script.source_code = (
		"extends UdpLinkConditions\nvar hook: Callable\nfunc _notification(what: int) -> void:\n"
		+ "\tif what == NOTIFICATION_PREDELETE:\n\t\tloss = 0.5\n\t\thook.call(loss)\n"
	)
	check_equal(script.reload(), OK, "the script compiles")
	return script


# Such conditions, with a hook. Leaves no reference on the caller's stack.
func _hooked(script: GDScript, hook: Callable) -> UdpLinkConditions:
	var conditions: UdpLinkConditions = script.new()
	conditions.set("hook", hook)
	return conditions


# Calls that print, each on a member without another reference.
func _printing_actions() -> Dictionary[String, Callable]:
	return {
		"a property": func() -> void: _peer.time_to_live = 999,
		"a property, untyped": func() -> void: _untyped_peer.time_to_live = 999,
		"a setter": func() -> void: _peer.set_overflow_policy(9),
		"a setter, untyped": func() -> void: _untyped_peer.set_overflow_policy(9),
		"bind": func() -> void: _peer.bind(-5),
		"bind, untyped": func() -> void: _untyped_peer.bind(-5),
		"get_local_port": func() -> void: _peer.get_local_port(),
		"put_packet": func() -> void: _peer.put_packet(PackedByteArray([1])),
		"put_packet, untyped": func() -> void: _untyped_peer.put_packet(PackedByteArray([1])),
		"put_var": func() -> void: _peer.put_var([1]),
		"put_packets": func() -> void: _peer.put_packets([1]),
		"send_to": func() -> void: _peer.send_to(PackedByteArray([1]), "x", 1),
		"wait": func() -> void: _peer.wait(-2),
		"get_packets": func() -> void: _peer.get_packets(-2),
		"a server's property": func() -> void: _server.peer_timeout_msec = -5,
		"a server's property, untyped": func() -> void: _untyped_server.peer_timeout_msec = -5,
		"a server's setter": func() -> void: _server.set_time_to_live(-5),
		"a server's get_local_port": func() -> void: _server.get_local_port(),
		"a server's get_local_port, untyped": func() -> void: _untyped_server.get_local_port(),
		"listen": func() -> void: _server.listen(0, "x y"),
		"a proxy's property": func() -> void: _proxy.max_clients = -5,
		"a proxy's property, untyped": func() -> void: _untyped_proxy.max_clients = -5,
		"a proxy's setter": func() -> void: _proxy.set_client_timeout_msec(-5),
		"a proxy's get_local_port": func() -> void: _proxy.get_local_port(),
		"start": func() -> void: _proxy.start("x y", 1),
		"start, untyped": func() -> void: _untyped_proxy.start("127.0.0.1", 0),
		"a property of conditions": func() -> void: _conditions.loss = 7,
		"a property of conditions, untyped": func() -> void: _untyped_conditions.loss = 7,
		"a setter of conditions": func() -> void: _conditions.set_spike_msec(-5),
	}


func _renew() -> void:
	_peer = PacketPeerUdpRs.new()
	_untyped_peer = PacketPeerUdpRs.new()
	_server = UdpServerRs.new()
	_untyped_server = UdpServerRs.new()
	_proxy = UdpLinkProxy.new()
	_untyped_proxy = UdpLinkProxy.new()
	_conditions = UdpLinkConditions.new()
	_untyped_conditions = UdpLinkConditions.new()


func _objects() -> Array[Object]:
	return [
		_peer,
		_untyped_peer,
		_server,
		_untyped_server,
		_proxy,
		_untyped_proxy,
		_conditions,
		_untyped_conditions,
	]


# What a script does while a packet of _peer is being decoded.
func _act(action: String, port: int, other: PacketPeer, decodes: bool) -> void:
	match action:
		"take":
			while _peer.get_available_packet_count() > 0:
				_take_or_decode(_peer, decodes)
		"take no object":
			_peer.get_packets()
		"close":
			_peer.get_packet()
			_peer.close()
		"reopen":
			_peer.close()
			check_equal(_peer.bind(port, LOOPBACK), OK, "reopen")
			var sender := sender_to(_peer)
			for i in DEEP:
				sender.put_packet(_filled(i))
			arrived(_peer, DEEP)
			take(_peer)
		"free":
			for i in DEEP:
				_peer.get_packet()
			_peer = null
		"notify":
			_peer.notification(NOTIFICATION_POSTINITIALIZE)
			_peer.notification(NOTIFICATION_PREDELETE)
			_peer.get_packet()
		"other":
			while other.get_available_packet_count() > 0:
				_take_or_decode(other, decodes)
			other.close()


func _take_or_decode(peer: PacketPeer, decodes: bool) -> void:
	if decodes:
		peer.get_var(true)
	else:
		peer.get_packet()


# A packet with an object that runs ScriptedValue.hook before its end is read.
func _scripted_packet(number: int) -> PackedByteArray:
	var hook := ScriptedValue.hook
	ScriptedValue.hook = Callable()
	var value := ScriptedValue.new()
	value.first = number
	value.second = _text(number)
	ScriptedValue.hook = hook
	return var_to_bytes_with_objects(value)


func _text(number: int) -> String:
	# Small ones, which are copied, and larger ones, which are shared with the queue.
	return ("%d." % number).repeat(20 if number % 3 == 2 else 1000)


func _filled(number: int) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(3000)
	packet.fill(200 + number)
	return packet


func _keep(values: Dictionary, value: Variant) -> void:
	if value is ScriptedValue:
		values[value.first] = value.second
	else:
		fail("no object but %s" % written(value))


# The packet with the last byte of its text replaced by one that is no UTF-8.
func _with_a_bad_byte(packet: PackedByteArray) -> PackedByteArray:
	for i in range(packet.size() - 1, 0, -1):
		if packet[i] >= 0x61:
			packet[i] = 0xff
			break
	return packet
