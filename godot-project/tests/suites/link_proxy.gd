# gdlint: disable=max-public-methods
extends "../support/proxy_suite.gd"
## The class UdpLinkProxy as scripts see it: members, results, lifetime. What passes through it is
## tested in the suite link_proxy_traffic.

const CallingLogger := preload("../support/calling_logger.gd")

const UNRESOLVABLE := (
	"a-label-of-more-than-sixty-three-characters-which-no-resolver-would-accept" + ".invalid"
)
const MOST := 4_294_967_295
const ACTION := METHOD_FLAG_NORMAL
const GETTER := METHOD_FLAG_NORMAL | METHOD_FLAG_CONST

## Name: arguments and their types, the defaults of the last ones, the result's type, the flags.
const METHODS: Dictionary[StringName, Array] = {
	&"start":
	[
		{
			"target_host": TYPE_STRING,
			"target_port": TYPE_INT,
			"listen_port": TYPE_INT,
			"listen_address": TYPE_STRING,
		},
		[0, "127.0.0.1"],
		TYPE_INT,
		ACTION,
	],
	&"stop": [{}, [], TYPE_NIL, ACTION],
	&"is_running": [{}, [], TYPE_BOOL, GETTER],
	&"get_local_port": [{}, [], TYPE_INT, GETTER],
	&"get_client_count": [{}, [], TYPE_INT, GETTER],
	&"get_stats": [{}, [], TYPE_DICTIONARY, GETTER],
	&"reset_stats": [{}, [], TYPE_NIL, ACTION],
	&"get_last_os_error": [{}, [], TYPE_INT, GETTER],
	&"get_last_error_message": [{}, [], TYPE_STRING, GETTER],
}

## Name: type, default, hint, hint string.
const PROPERTIES: Dictionary[StringName, Array] = {
	&"to_target_conditions": [TYPE_OBJECT, null, PROPERTY_HINT_RESOURCE_TYPE, "UdpLinkConditions"],
	&"to_client_conditions": [TYPE_OBJECT, null, PROPERTY_HINT_RESOURCE_TYPE, "UdpLinkConditions"],
	&"client_timeout_msec":
	[TYPE_INT, 30_000, PROPERTY_HINT_RANGE, "0,600000,1,or_greater,suffix:ms"],
	&"max_clients": [TYPE_INT, 1024, PROPERTY_HINT_RANGE, "1,4096,1,or_greater"],
}
const NUMBERS: Array[StringName] = [&"client_timeout_msec", &"max_clients"]
const ASSIGNED: Array[StringName] = [&"to_target_conditions", &"to_client_conditions"]

# ---- the class ----------------------------------------------------------------------------------


func test_it_is_reference_counted_and_has_nothing_but_members() -> void:
	check_equal(ClassDB.get_parent_class(PROXY), &"RefCounted", "its parent")
	check_equal(make_proxy().get_class(), String(PROXY), "its name")
	check_equal(ClassDB.class_get_signal_list(PROXY, true).size(), 0, "signals")
	check_equal(ClassDB.class_get_integer_constant_list(PROXY, true).size(), 0, "constants")


func test_it_has_these_methods_and_no_other() -> void:
	var names: Array[StringName] = []
	for info in ClassDB.class_get_method_list(PROXY, true):
		var title := StringName(info.name)
		if title.trim_prefix("get_") in PROPERTIES or title.trim_prefix("set_") in PROPERTIES:
			continue
		names.append(title)
		var row: Array = METHODS.get(title, [])
		if row.is_empty():
			fail("%s is not in the documentation" % title)
			continue
		var arguments: Dictionary = {}
		for argument: Dictionary in info.args:
			arguments[argument.name] = argument.type
		check_equal(arguments, row[0], title + ": arguments")
		check_equal(info.default_args, row[1], title + ": defaults")
		check_equal(info["return"].type, row[2], title + ": result")
		check_equal(info.flags, row[3], title + ": flags")
	check_equal(names.size(), METHODS.size(), "methods")
	for info in ClassDB.class_get_method_list(PROXY, true):
		if info.name == "start":
			check_equal(info["return"].class_name, &"Error", "start: the enum of its result")


func test_it_has_these_properties_and_no_other() -> void:
	var names: Array[StringName] = []
	for info in ClassDB.class_get_property_list(PROXY, true):
		names.append(info.name)
		var row: Array = PROPERTIES.get(StringName(info.name), [])
		if row.is_empty():
			fail("%s is not in the documentation" % info.name)
			continue
		check_equal(info.type, row[0], "the type of " + info.name)
		check_equal(info.hint, row[2], "the hint of " + info.name)
		check_equal(info.hint_string, row[3], "the hint's text of " + info.name)
		check_equal(info.usage, PROPERTY_USAGE_EDITOR, "the usage of " + info.name)
		var default: Variant = ClassDB.class_get_property_default_value(PROXY, info.name)
		check(default == row[1], "the default of %s is %s" % [info.name, default])
		check(make_proxy().get(info.name) == row[1], info.name + " of a new one")
	check_equal(names.size(), PROPERTIES.size(), "properties")


func test_one_that_does_not_run_has_and_counts_nothing() -> void:
	var proxy := make_proxy()
	for i in 2:
		check_equal(proxy.is_running(), false, "is_running")
		check_equal(proxy.get_client_count(), 0, "get_client_count")
		refused("get_local_port", make_proxy(), &"get_local_port", [], 0, ["start()"])
		check_equal(proxy.get_last_os_error(), 0, "get_last_os_error")
		check_equal(proxy.get_last_error_message(), "", "get_last_error_message")
		proxy.stop()
		proxy.reset_stats()


func test_its_statistics_have_these_keys() -> void:
	var keys: Array = ["to_target_refused"]
	for direction in DIRECTIONS:
		for key in COUNTERS:
			keys.append(direction + key)
	keys.sort()
	var stats: Dictionary = make_proxy().get_stats()
	var got: Array = stats.keys()
	got.sort()
	check_equal(got, keys, "the keys")
	for key: Variant in stats:
		check_equal(stats[key], 0, "%s of a new one" % key)
	check_equal(stats.is_read_only(), false, "read-only")


func test_every_number_in_range_is_taken_and_others_are_refused() -> void:
	for running: bool in [false, true]:
		for property in NUMBERS:
			for value: int in [0, 1, 77, MOST]:
				var proxy := _proxy_that(running)
				proxy.set(property, value)
				check_equal(proxy.get(property), value, property)
				check_equal(proxy.call("get_" + property), value, "get_" + property)
			for value: int in [-1, MOST + 1, 1 << 62, -0x8000_0000_0000_0000]:
				# An object prints a line about one property once a second.
				refused_value(_proxy_that(running), property, value)
	var words: Dictionary[StringName, String] = {
		&"client_timeout_msec": "1 to 4294967295 milliseconds, or 0 for never",
		&"max_clients": "0 to 4294967295; with 0 no client is let in",
	}
	for property in words:
		var proxy := make_proxy()
		var lines := lines_of(func() -> void: proxy.set(property, -1))
		var line := "; ".join(lines)
		for part: String in ["UdpLinkProxy." + property, "-1 is out of range", words[property]]:
			check(part in line, "'%s' is not in: %s" % [part, line])
		check("-1 is out of range" in proxy.get_last_error_message(), "the message")


func test_numbers_are_converted_as_the_engine_does() -> void:
	for property in NUMBERS:
		var proxy := make_proxy()
		proxy.set(property, 99.9)
		check_equal(proxy.get(property), 99, property + " = 99.9")
		for wrong: Variant in ["x", [], null]:
			proxy.set(property, wrong)
			check_equal(proxy.get(property), 99, "%s = %s" % [property, wrong])
	var proxy := make_proxy()
	var target := bound_peer(NATIVE)
	var port := float(target.get_local_port())
	check_equal(proxy.start(&"127.0.0.1", port, 0.0, &"127.0.0.1"), OK, "start")
	var client := sender_to(proxy)
	send(client, [numbered(1)])
	check_equal(numbers_of(take(target)), PackedInt32Array([1]), "what arrives")


func test_arguments_of_a_wrong_type_are_refused_in_the_engines_words() -> void:
	for row: Array in [
		["start", [], "expected 4 argument"],
		["start", ["127.0.0.1"], "expected 4 argument"],
		["start", ["127.0.0.1", 9, 0, "*", 1], "expected 4 argument"],
		["start", [null, 9], "Cannot convert argument 1 from Nil to String"],
		["start", ["127.0.0.1", "9"], "Cannot convert argument 2 from String to int"],
		["start", ["127.0.0.1", 9, null], "Cannot convert argument 3 from Nil to int"],
		["start", ["127.0.0.1", 9, 0, 7], "Cannot convert argument 4 from int to String"],
		["stop", [1], "expected 0 argument"],
		["set_max_clients", ["x"], "Cannot convert argument 1 from String to int"],
	]:
		var proxy := make_proxy()
		var got := []
		var lines := lines_of(func() -> void: got.append(proxy.callv(row[0], row[1])))
		check_equal(got, [null], "%s%s" % [row[0], row[1]])
		check_equal(lines.size(), 1, "%s%s: lines" % [row[0], row[1]])
		for part: String in ["UdpLinkProxy::" + row[0], row[2]]:
			check(part in "; ".join(lines), "'%s' is not in: %s" % [part, "; ".join(lines)])
		check_equal(proxy.is_running(), false, "is_running")


# ---- its conditions -----------------------------------------------------------------------------


func test_its_conditions_are_what_was_assigned() -> void:
	for running: bool in [false, true]:
		for property in ASSIGNED:
			var proxy := _proxy_that(running)
			for i in 2:
				var conditions := conditions_of({})
				proxy.set(property, conditions)
				check(proxy.get(property) == conditions, property + " is what was assigned")
				proxy.set(property, conditions)
				check(proxy.call("get_" + property) == conditions, property + ", assigned twice")
				for other in ASSIGNED:
					if other != property:
						check(proxy.get(other) == null, other + " meanwhile")
			proxy.set(property, null)
			check(proxy.get(property) == null, property + " after null")


func test_an_object_of_another_class_is_refused_in_the_engines_words() -> void:
	var sprite := Sprite2D.new()
	for wrong: Variant in [Resource.new(), RefCounted.new(), make_proxy(), sprite, 7, "x", []]:
		var type := type_string(typeof(wrong))
		for property in ASSIGNED:
			var proxy := _proxy_that(true)
			var conditions := conditions_of({})
			proxy.set(property, conditions)
			proxy.set(property, wrong)
			check(proxy.get(property) == conditions, "%s after %s" % [property, type])
			var setter := "set_" + property
			var lines := lines_of(func() -> void: proxy.callv(setter, [wrong]))
			check_equal(lines.size(), 1, "lines after " + type)
			for part: String in [
				"UdpLinkProxy::" + setter, "Cannot convert argument 1 from %s to Object" % type
			]:
				check(part in "; ".join(lines), "'%s' is not in: %s" % [part, "; ".join(lines)])
			check(proxy.get(property) == conditions, "%s after the call" % property)
	sprite.free()


func test_a_proxy_keeps_its_conditions_alive_and_over_a_stop() -> void:
	for property in ASSIGNED:
		var proxy := _proxy_that(true)
		var first := _assign_new(proxy, property)
		check(first.get_ref() != null, property + " is gone")
		proxy.stop()
		check(proxy.get(property) == first.get_ref(), property + " of a stopped one")
		check_equal(proxy.start(LOOPBACK, 9), OK, "start")
		check(proxy.get(property) == first.get_ref(), property + " when it runs again")
		var second := _assign_new(proxy, property)
		check(first.get_ref() == null, property + " lives on when it was replaced")
		proxy.set(property, null)
		check(second.get_ref() == null, property + " lives on after null")
		var third := _assign_new(proxy, property)
		proxy = null
		check(third.get_ref() == null, property + " lives on when its proxy is gone")


# ---- start and stop -----------------------------------------------------------------------------


func test_it_listens_from_start_to_stop() -> void:
	var target := bound_peer(NATIVE)
	var proxy := make_proxy()
	for port: int in [0, free_port(), free_port()]:
		check_equal(proxy.start(LOOPBACK, target.get_local_port(), port, free_address), OK, "start")
		check_equal(proxy.is_running(), true, "is_running")
		check(port in [0, proxy.get_local_port()], "listens on %d" % proxy.get_local_port())
		port = proxy.get_local_port()
		check_equal(make_peer(NATIVE).bind(port, free_address), ERR_UNAVAILABLE, "its port")
		var client := sender_to(proxy, NATIVE, free_address)
		send(client, [numbered(port)])
		check_equal(numbers_of(take(target)), PackedInt32Array([port]), "what arrives")
		check_equal(proxy.get_client_count(), 1, "get_client_count")
		for i in 2:
			proxy.stop()
			check_equal(proxy.is_running(), false, "is_running when stopped")
			check_equal(proxy.get_client_count(), 0, "get_client_count when stopped")
		check_equal(make_peer(NATIVE).bind(port, free_address), OK, "its port when stopped")
	check_equal(proxy.get_last_error_message(), "", "the message")


func test_it_listens_on_this_machine_only_unless_told_otherwise() -> void:
	var target := bound_peer(NATIVE)
	var proxy := make_proxy()
	check_equal(proxy.start(LOOPBACK, target.get_local_port()), OK, "start")
	var port: int = proxy.get_local_port()
	check(port > 0, "it has no port")
	check_equal(make_peer(NATIVE).bind(port, LOOPBACK), ERR_UNAVAILABLE, "bind to 127.0.0.1")
	if Platform.has(&"many loopback addresses"):
		check_equal(make_peer(NATIVE).bind(port, "127.0.0.3"), OK, "bind to another address")


func test_a_proxy_that_runs_refuses_another_start() -> void:
	for arguments: Array in [[LOOPBACK, 9], [LOOPBACK, 0], ["two words", 9], [LOOPBACK, 9, -1]]:
		var proxy := _proxy_that(true)
		var port: int = proxy.get_local_port()
		var named := ["already runs, on port %d" % port, "stop()"]
		refused(str(arguments), proxy, &"start", arguments, ERR_ALREADY_IN_USE, named)
		check_equal(proxy.is_running(), true, "is_running")
		check_equal(proxy.get_local_port(), port, "get_local_port")


func test_wrong_ports_and_addresses_are_refused() -> void:
	for port: int in [0, -1, 65_536, 1 << 40, -0x8000_0000_0000_0000]:
		_refuses([LOOPBACK, port], ERR_INVALID_PARAMETER, ["target_port %d" % port, "1 to 65535"])
	for port: int in [-1, 65_536, 1 << 40]:
		var named := ["listen_port %d" % port, "1 to 65535, or 0"]
		_refuses([LOOPBACK, 9, port], ERR_INVALID_PARAMETER, named)
	for address: String in ["", "localhost", "127.0.0", "127.0.0.1:80", "two words"]:
		var named := ['"%s"' % address, '"*"']
		_refuses([LOOPBACK, 9, 0, address], ERR_INVALID_PARAMETER, named)
	if has_ipv6() and Platform.has(&"link scopes"):
		var named := ['"nowhere"', "IP.get_local_interfaces()"]
		_refuses([LOOPBACK, 9, 0, "fe80::1%nowhere"], ERR_INVALID_PARAMETER, named)


func test_a_host_that_has_no_address_is_refused() -> void:
	for host: String in ["two words", "*"]:
		_refuses([host, 9], ERR_CANT_RESOLVE, ['"%s"' % host, "an IP address", "a host name"])
	_refuses([UNRESOLVABLE, 9], ERR_CANT_RESOLVE, [UNRESOLVABLE, "numeric address"])
	if Platform.has(&"unresolvable empty name"):
		_refuses(["", 9], ERR_CANT_RESOLVE, ['""', "a host name"])


func test_a_port_that_is_taken_is_refused() -> void:
	var taken := taken_port(NATIVE)
	var named := [str(taken), "another socket has this port", "or 0"]
	_refuses([LOOPBACK, 9, taken], ERR_UNAVAILABLE, named)
	var other := _proxy_that(true)
	_refuses([LOOPBACK, 9, other.get_local_port()], ERR_UNAVAILABLE, ["another socket"])
	# Its own port: what it sends would come back to it for ever.
	var port := free_port()
	named = [str(port), "the target has this port"]
	_refuses([free_address, port, port, free_address], ERR_UNAVAILABLE, named)
	_refuses([LOOPBACK, 9, 0, "192.0.2.1"], ERR_UNAVAILABLE, ["192.0.2.1", "no interface"])


func test_why_a_start_has_failed_is_kept() -> void:
	var proxy := make_proxy()
	var taken := taken_port(NATIVE)
	lines_of(proxy.start.bind(LOOPBACK, 9, taken))
	var message: String = proxy.get_last_error_message()
	check("another socket has this port" in message, "the message: " + message)
	var code: int = proxy.get_last_os_error()
	check(code != 0, "no code")
	if Platform.system() == Platform.LINUX:
		check_equal(code, 98, "get_last_os_error: EADDRINUSE")
	check_equal(proxy.start(LOOPBACK, 9), OK, "start")
	check_equal(proxy.get_last_error_message(), message, "a success clears nothing")
	check_equal(proxy.get_last_os_error(), code, "a success clears no code")
	proxy.max_clients = 3
	proxy.stop()
	lines_of(proxy.start.bind(LOOPBACK, 0))
	check_equal(proxy.get_last_os_error(), 0, "of a call that asked no system")


func test_a_thousand_refusals_print_one_line_a_second() -> void:
	var proxy := make_proxy()
	var refuse := func() -> void:
		for i in 1000:
			proxy.start(LOOPBACK, -1)
	var lines: PackedStringArray
	var msec := msec_of(func() -> void: lines = lines_of(refuse))
	check(lines.size() <= 1 + msec / 1000, "%d lines in %d ms" % [lines.size(), msec])


# ---- lifetime -----------------------------------------------------------------------------------


func test_dropping_the_last_reference_stops_it() -> void:
	var target := bound_peer(NATIVE)
	var port := free_port()
	for i in 30:
		var proxy := make_proxy()
		var error: Error = proxy.start(LOOPBACK, target.get_local_port(), port, free_address)
		check_equal(error, OK, "start on the port of the freed one")
		if i % 3 == 0:
			proxy.to_target_conditions = conditions_of({"latency_msec": HOUR_MSEC})
		var client := sender_to(proxy, NATIVE, free_address)
		send(client, [numbered(i)])
		if i % 3 == 1:
			check_equal(numbers_of(take(target)), PackedInt32Array([i]), "what arrives")
		var observer: WeakRef = weakref(proxy)
		proxy = null
		check(observer.get_ref() == null, "it lives on")
		while target.get_available_packet_count() > 0:
			target.get_packet()


func test_a_thousand_can_come_and_go() -> void:
	var target := bound_peer(NATIVE)
	var failed := 0
	for i in 1000:
		var proxy := make_proxy()
		failed += int(proxy.start(LOOPBACK, target.get_local_port()) != OK)
		failed += int(not proxy.is_running())
	check_equal(failed, 0, "failed")


func test_a_script_can_subclass_it() -> void:
	var script := GDScript.new()
	script.source_code = (
		"extends UdpLinkProxy\nvar starts := 0\n"
		+ "func _init(port: int) -> void:\n\tto_target_conditions = UdpLinkConditions.new()\n"
		+ "\tbegin(port)\n"
		+ "func begin(port: int) -> Error:\n\tstarts += 1\n\treturn start('127.0.0.1', port)\n"
	)
	check_equal(script.reload(), OK, "the script compiles")
	var target := bound_peer(NATIVE)
	var proxy: RefCounted = script.new(target.get_local_port())
	check_equal(proxy.is_running(), true, "runs after its _init")
	check_equal(proxy.starts, 1, "its own variable")
	proxy.to_target_conditions.duplicate = 1.0
	var client := sender_to(proxy)
	send(client, [numbered(1)])
	check_equal(numbers_of(take(target, 2)), PackedInt32Array([1, 1]), "what arrives")
	check_equal(Callable(proxy, &"get_client_count").call(), 1, "by name")


func test_a_script_may_use_its_types() -> void:
	var script := GDScript.new()
	script.source_code = (
		"static func run(port: int) -> int:\n\tvar proxy := UdpLinkProxy.new()\n"
		+ "\tvar error: Error = proxy.start('127.0.0.1', port)\n"
		+ "\tvar local: int = proxy.get_local_port()\n\tvar stats: Dictionary = proxy.get_stats()\n"
		+ "\tproxy.to_client_conditions = null\n"
		+ "\tvar link: UdpLinkConditions = proxy.to_client_conditions\n\tproxy.stop()\n"
		+ "\treturn 0 if error or link or local == 0 else stats.size()\n"
	)
	check_equal(script.reload(), OK, "the script compiles")
	check_equal(script.run(9), 21, "what it returns")


func test_a_logger_may_use_the_proxy_that_prints() -> void:
	var target := bound_peer(NATIVE)
	var proxy := proxy_to(target)
	var port: int = proxy.get_local_port()
	var logger := CallingLogger.new()
	logger.use = func() -> void:
		proxy.get_stats()
		proxy.max_clients += 1
		proxy.to_client_conditions = conditions_of({})
		if logger.calls == 2:
			proxy.stop()
			proxy.start(LOOPBACK, target.get_local_port(), port)
	allow_lines("start|max_clients|client_timeout_msec")
	OS.add_logger(logger)
	check_equal(proxy.start(LOOPBACK, 9), ERR_ALREADY_IN_USE, "start")
	proxy.max_clients = -1
	proxy.client_timeout_msec = -1
	OS.remove_logger(logger)
	logger.use = Callable()  # a cycle of logger and proxy
	check_equal(logger.calls, 3, "calls of the logger")
	check_equal(proxy.max_clients, 1027, "what it has set")
	check_equal(proxy.is_running(), true, "is_running")
	var client := sender_to(proxy)
	send(client, [numbered(1)])
	check_equal(numbers_of(take(target)), PackedInt32Array([1]), "what arrives")


# ---- helpers ------------------------------------------------------------------------------------


func _proxy_that(runs: bool) -> RefCounted:
	var proxy := make_proxy()
	if runs:
		check_equal(proxy.start(LOOPBACK, 9), OK, "start")
	return proxy


# A start must answer [param expected] and print one line, which names everything in [param named].
func _refuses(arguments: Array, expected: Error, named: Array) -> void:
	var proxy := make_proxy()
	refused("start%s" % [arguments], proxy, &"start", arguments, expected, named)
	check_equal(proxy.is_running(), false, "is_running after start%s" % [arguments])
	check(not proxy.get_last_error_message().is_empty(), "no message of start%s" % [arguments])


# Leaves no reference on the caller's stack.
static func _assign_new(proxy: RefCounted, property: StringName) -> WeakRef:
	var conditions := conditions_of({})
	proxy.set(property, conditions)
	return weakref(conditions)
