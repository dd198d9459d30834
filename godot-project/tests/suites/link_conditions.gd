# gdlint: disable=max-public-methods
extends "../support/server_suite.gd"
## The class UdpLinkConditions, and the properties that take one. What conditions do to packets is
## tested in the suite link_effects.

const CallingLogger := preload("../support/calling_logger.gd")

const CONDITIONS := &"UdpLinkConditions"
const ADDON := "res://addons/packet_peer_udp_rs/"
const SHARE := "0,1,0.0001"
const MOST := 4_294_967_295

## Name: default, another value, hint, hint string.
const PROPERTIES: Dictionary[StringName, Array] = {
	&"loss": [0.0, 0.25, PROPERTY_HINT_RANGE, SHARE],
	&"loss_burst": [1.0, 2.5, PROPERTY_HINT_RANGE, "1,20,0.1,or_greater"],
	&"duplicate": [0.0, 0.25, PROPERTY_HINT_RANGE, SHARE],
	&"latency_msec": [0.0, 1.5, PROPERTY_HINT_RANGE, "0,1000,0.1,or_greater,suffix:ms"],
	&"jitter_msec": [0.0, 1.5, PROPERTY_HINT_RANGE, "0,200,0.1,or_greater,suffix:ms"],
	&"jitter_distribution": [1, 2, PROPERTY_HINT_ENUM, "Uniform,Normal,Long tail"],
	&"jitter_reorders": [false, true, PROPERTY_HINT_NONE, ""],
	&"reorder": [0.0, 0.25, PROPERTY_HINT_RANGE, SHARE],
	&"reorder_delay_msec": [10.0, 1.5, PROPERTY_HINT_RANGE, "0,200,0.1,or_greater,suffix:ms"],
	&"bandwidth_kbps": [0, 256, PROPERTY_HINT_RANGE, "0,100000,1,or_greater,suffix:kbit/s"],
	&"queue_limit_msec": [200, 300, PROPERTY_HINT_RANGE, "0,2000,1,or_greater,suffix:ms"],
	&"spike_interval_msec": [0, 300, PROPERTY_HINT_RANGE, "0,60000,1,or_greater,suffix:ms"],
	&"spike_msec": [0, 300, PROPERTY_HINT_RANGE, "0,2000,1,or_greater,suffix:ms"],
	&"max_packet_size": [0, 1200, PROPERTY_HINT_RANGE, "0,65535,1,suffix:B"],
	&"corrupt": [0.0, 0.25, PROPERTY_HINT_RANGE, SHARE],
	&"blackout": [false, true, PROPERTY_HINT_NONE, ""],
	&"rng_seed": [0, -7, PROPERTY_HINT_NONE, ""],
}

const BAD_SHARES: Array = [-0.1, 1.01, 2, -1, NAN, INF, -INF, 1.0e300]
const BAD_MSECS: Array = [-0.1, -1, NAN, INF, -INF, MOST + 1, 1.0e300]
const BAD_COUNTS: Array = [-1, MOST + 1, 1 << 62, -0x8000_0000_0000_0000]

## Values that are refused.
const BAD_VALUES: Dictionary[StringName, Array] = {
	&"loss": BAD_SHARES,
	&"loss_burst": [0.99, 0, -1, NAN, INF, MOST + 1],
	&"duplicate": BAD_SHARES,
	&"latency_msec": BAD_MSECS,
	&"jitter_msec": BAD_MSECS,
	&"jitter_distribution": [-1, 3, 1 << 62],
	&"reorder": BAD_SHARES,
	&"reorder_delay_msec": BAD_MSECS,
	&"bandwidth_kbps": BAD_COUNTS,
	&"queue_limit_msec": BAD_COUNTS,
	&"spike_interval_msec": BAD_COUNTS,
	&"spike_msec": BAD_COUNTS,
	&"max_packet_size": [-1, 65_536, 1 << 62],
	&"corrupt": BAD_SHARES,
}

## The ends of the range.
const ENDS: Dictionary[StringName, Array] = {
	&"loss": [0.0, 1.0],
	&"loss_burst": [1.0, float(MOST)],
	&"duplicate": [0.0, 1.0],
	&"latency_msec": [0.0, float(MOST)],
	&"jitter_msec": [0.0, float(MOST)],
	&"jitter_distribution": [0, 2],
	&"reorder": [0.0, 1.0],
	&"reorder_delay_msec": [0.0, float(MOST)],
	&"bandwidth_kbps": [0, MOST],
	&"queue_limit_msec": [0, MOST],
	&"spike_interval_msec": [0, MOST],
	&"spike_msec": [0, MOST],
	&"max_packet_size": [0, 65_535],
	&"corrupt": [0.0, 1.0],
	&"rng_seed": [-0x8000_0000_0000_0000, 0x7fff_ffff_ffff_ffff],
}

## As in docs/conditions.md; all others are the defaults.
const PRESETS: Dictionary[String, Dictionary] = {
	"wifi":
	{
		"latency_msec": 2.0,
		"jitter_msec": 1.3,
		"loss": 0.0006,
		"spike_msec": 200,
		"spike_interval_msec": 33_000,
	},
	"crowded_wifi": {"latency_msec": 12.0, "jitter_msec": 24.0, "loss": 0.02, "loss_burst": 3.0},
	"mobile_4g":
	{
		"latency_msec": 27.0,
		"jitter_msec": 8.0,
		"loss": 0.001,
		"loss_burst": 2.0,
		"bandwidth_kbps": 6000,
		"queue_limit_msec": 300,
	},
	"mobile_3g":
	{
		"latency_msec": 75.0,
		"jitter_msec": 20.0,
		"loss": 0.005,
		"loss_burst": 5.0,
		"bandwidth_kbps": 1600,
		"queue_limit_msec": 500,
	},
	"transatlantic": {"latency_msec": 45.0, "jitter_msec": 6.0, "loss": 0.001, "loss_burst": 2.0},
	"satellite":
	{
		"latency_msec": 342.0,
		"jitter_msec": 20.0,
		"loss": 0.005,
		"loss_burst": 3.0,
		"bandwidth_kbps": 3000,
		"queue_limit_msec": 500,
	},
	"awful":
	{
		"latency_msec": 150.0,
		"jitter_msec": 30.0,
		"loss": 0.08,
		"loss_burst": 4.0,
		"bandwidth_kbps": 256,
		"queue_limit_msec": 500,
		"spike_msec": 500,
		"spike_interval_msec": 10_000,
		"duplicate": 0.02,
		"reorder": 0.02,
		"reorder_delay_msec": 40.0,
	},
}

const ASSIGNED: Array[StringName] = [&"send_conditions", &"receive_conditions"]

# ---- the class ----------------------------------------------------------------------------------


func test_it_is_a_resource_with_these_properties_and_no_other() -> void:
	check_equal(ClassDB.get_parent_class(CONDITIONS), &"Resource", "its parent")
	var names: Array[StringName] = []
	for info in ClassDB.class_get_property_list(CONDITIONS, true):
		names.append(info.name)
		var row: Array = PROPERTIES.get(StringName(info.name), [])
		if row.is_empty():
			fail("%s is not in the documentation" % info.name)
			continue
		check_equal(info.type, typeof(row[0]), "the type of " + info.name)
		check_equal(info.hint, row[2], "the hint of " + info.name)
		check_equal(info.hint_string, row[3], "the hint's text of " + info.name)
		check_equal(info.usage, PROPERTY_USAGE_DEFAULT, "the usage of " + info.name)
	check_equal(names.size(), PROPERTIES.size(), "properties")


func test_they_have_their_defaults() -> void:
	var conditions := _new()
	for property in PROPERTIES:
		var default: Variant = ClassDB.class_get_property_default_value(CONDITIONS, property)
		check_equal(default, PROPERTIES[property][0], "the default of " + property)
		check_equal(conditions.get(property), PROPERTIES[property][0], property + " of a new one")


func test_the_distributions_are_constants() -> void:
	var names := ["JITTER_UNIFORM", "JITTER_NORMAL", "JITTER_LONG_TAIL"]
	check_equal(Array(ClassDB.class_get_integer_constant_list(CONDITIONS, true)), names, "names")
	for i in 3:
		check_equal(ClassDB.class_get_integer_constant(CONDITIONS, names[i]), i, names[i])


func test_every_value_in_range_is_taken() -> void:
	for property in PROPERTIES:
		var conditions := _new()
		for value: Variant in ENDS.get(property, []) + PROPERTIES[property].slice(0, 2):
			conditions.set(property, value)
			check_equal(conditions.get(property), value, property)
			for other in PROPERTIES:
				if other != property:
					check_equal(conditions.get(other), PROPERTIES[other][0], other + " meanwhile")


func test_a_value_out_of_range_is_refused() -> void:
	for property in BAD_VALUES:
		for value: Variant in BAD_VALUES[property]:
			for before: Variant in PROPERTIES[property].slice(0, 2):
				# An object prints a line about one property once a second.
				var conditions := _new({property: before})
				var changes := _changes_of(conditions)
				refused_value(conditions, property, value)
				check_equal(changes.count(), 0, "%s = %s: changed" % [property, value])


func test_the_line_says_what_the_value_may_be() -> void:
	var words: Dictionary[StringName, String] = {
		&"loss": "0 to 1",
		&"loss_burst": "1 to 4294967295",
		&"latency_msec": "0 to 4294967295 milliseconds",
		&"jitter_distribution": "JITTER_UNIFORM (0), JITTER_NORMAL (1) or JITTER_LONG_TAIL (2)",
		&"bandwidth_kbps": "1 to 4294967295, or 0 for no limit",
		&"spike_msec": "0 to 4294967295 milliseconds",
		&"max_packet_size": "1 to 65535 bytes, or 0 for no limit",
	}
	for property in words:
		var conditions := _new()
		var lines := lines_of(func() -> void: conditions.set(property, -1))
		var line := "; ".join(lines)
		for part: String in ["UdpLinkConditions." + property, "is out of range", words[property]]:
			check(part in line, "'%s' is not in: %s" % [part, line])


func test_a_thousand_refusals_print_one_line() -> void:
	var conditions := _new()
	var refuse := func() -> void:
		for i in 1000:
			conditions.loss = 2.0 + i
	var lines: PackedStringArray
	var msec := msec_of(func() -> void: lines = lines_of(refuse))
	check(lines.size() <= 1 + msec / 1000, "%d lines in %d ms" % [lines.size(), msec])


func test_numbers_are_converted_as_the_engine_does() -> void:
	var conditions := _new({"latency_msec": 40, "bandwidth_kbps": 99.9, "blackout": 1})
	check_equal(conditions.latency_msec, 40.0, "latency_msec = 40")
	check_equal(conditions.bandwidth_kbps, 99, "bandwidth_kbps = 99.9")
	check_equal(conditions.blackout, true, "blackout = 1")
	for wrong: Variant in ["x", [], null]:
		conditions.set("loss", wrong)
		check_equal(conditions.loss, 0.0, "loss = %s" % [wrong])


func test_changed_is_emitted_when_a_value_is_another_one() -> void:
	for property in PROPERTIES:
		var conditions := _new()
		var changes := _changes_of(conditions)
		for i in 2:
			conditions.set(property, PROPERTIES[property][1])
			check_equal(changes.count(), 2 * i + 1, property + " set")
			conditions.set(property, PROPERTIES[property][1])
			check_equal(changes.count(), 2 * i + 1, property + " set to what it is")
			conditions.set(property, PROPERTIES[property][0])
			check_equal(changes.count(), 2 * i + 2, property + " set back")


func test_a_handler_of_changed_may_do_anything() -> void:
	var peer := bound_peer(OURS)
	var holder: Array[Resource] = [_new()]
	peer.send_conditions = holder[0]
	var seen: PackedFloat64Array = []
	var on_changed := func() -> void:
		seen.append(holder[0].loss)
		if seen.size() == 1:
			holder[0].loss = 0.5
		else:
			# Drops the last references.
			peer.send_conditions = null
			holder.clear()
	holder[0].changed.connect(on_changed)
	var observer: WeakRef = weakref(holder[0])
	holder[0].loss = 0.25
	check_equal(seen, PackedFloat64Array([0.25, 0.5]), "what the handler has seen")
	check(observer.get_ref() == null, "it lives on")


func test_a_logger_may_use_the_object_that_prints() -> void:
	var conditions := _new()
	var peer := make_peer(OURS)
	var logger := CallingLogger.new()
	logger.use = func() -> void:
		conditions.latency_msec += 1
		peer.send_conditions = conditions if peer.send_conditions == null else null
	allow_lines("loss|corrupt")
	OS.add_logger(logger)
	conditions.loss = 2
	conditions.corrupt = 2
	conditions.loss_burst = 0
	OS.remove_logger(logger)
	logger.use = Callable()
	check_equal(logger.calls, 3, "calls of the logger")
	check_equal(conditions.latency_msec, 3.0, "what it has set")
	check(peer.send_conditions == conditions, "what it has assigned")


func test_a_script_can_subclass_it() -> void:
	var script := GDScript.new()
	script.source_code = (
		"extends UdpLinkConditions\n@export var place := 'tunnel'\n"
		+ "func _init() -> void:\n\tloss = 0.5\n\tlatency_msec = 30\n"
		+ "func _notification(what: int) -> void:\n\tif what == NOTIFICATION_PREDELETE:\n"
		+ "\t\tblackout = true\n"
	)
	check_equal(script.reload(), OK, "the script compiles")
	var conditions: Resource = script.new()
	check_equal([conditions.loss, conditions.latency_msec], [0.5, 30.0], "of its _init")
	var peer := make_peer(OURS)
	peer.receive_conditions = conditions
	check(peer.receive_conditions == conditions, "it is assigned")
	check_equal(peer.receive_conditions.place, "tunnel", "its own variable")
	conditions = null
	peer.receive_conditions = null


func test_threads_may_change_one_while_others_read_and_assign_it() -> void:
	var conditions := _new()
	var peers: Array[PacketPeer] = [bound_peer(OURS), bound_peer(OURS)]
	var body := func(rng_seed: int, end_msec: int) -> PackedStringArray:
		var rng := RandomNumberGenerator.new()
		rng.seed = rng_seed
		var choose := func() -> Array:
			var peer := peers[rng.randi() % 2]
			var property: StringName = PROPERTIES.keys()[rng.randi() % PROPERTIES.size()]
			var values := PROPERTIES[property].slice(0, 2)
			match rng.randi() % 5:
				0:
					return ["set", conditions.set.bind(property, values[rng.randi() % 2]), []]
				1:
					return [property, conditions.get.bind(property), values]
				2:
					var value: Variant = conditions if rng.randi() % 2 else null
					return ["assign", peer.set.bind(ASSIGNED[rng.randi() % 2], value), []]
				3:
					return ["send_to", peer.send_to.bind(numbered(1), LOOPBACK, 9), []]
			return ["read", _of.bind(peer, ASSIGNED[rng.randi() % 2]), [conditions, null]]
		return call_at_random(choose, end_msec)
	hammered(body)


# ---- files --------------------------------------------------------------------------------------


func test_a_file_has_what_differs_from_the_defaults() -> void:
	var folder := DirAccess.create_temp("conditions")
	var path := folder.get_current_dir().path_join("mine.tres")
	check_equal(ResourceSaver.save(_new(), path), OK, "save")
	check_equal(_assignments(path), PackedStringArray(), "of the defaults")
	var conditions := _new({"loss": 0.25, "queue_limit_msec": 300, "rng_seed": -7})
	check_equal(ResourceSaver.save(conditions, path), OK, "save")
	check_equal(
		_assignments(path),
		PackedStringArray(["loss = 0.25", "queue_limit_msec = 300", "rng_seed = -7"]),
		"of what was set"
	)


func test_it_is_loaded_as_it_was_saved() -> void:
	var folder := DirAccess.create_temp("conditions")
	for extension: String in ["tres", "res"]:
		for column in 2:
			var path := folder.get_current_dir().path_join("%d.%s" % [column, extension])
			var conditions := _new()
			for property in PROPERTIES:
				conditions.set(property, PROPERTIES[property][column])
			check_equal(ResourceSaver.save(conditions, path), OK, "save " + extension)
			var loaded := ResourceLoader.load(path, "", ResourceLoader.CACHE_MODE_IGNORE)
			check(loaded != conditions, "it was not loaded")
			for property in PROPERTIES:
				var expected: Variant = PROPERTIES[property][column]
				check_equal(loaded.get(property), expected, "%s in a %s" % [property, extension])


func test_a_file_with_a_value_out_of_range_has_the_default_instead() -> void:
	var folder := DirAccess.create_temp("conditions")
	var path := folder.get_current_dir().path_join("wrong.tres")
	var file := FileAccess.open(path, FileAccess.WRITE)
	file.store_string(
		'[gd_resource type="UdpLinkConditions" format=3]\n\n[resource]\nloss = 8.0\nreorder = 0.5\n'
	)
	file.close()
	var loaded: Array[Resource] = []
	var lines := lines_of(func() -> void: loaded.append(ResourceLoader.load(path)))
	check_equal(lines.size(), 1, "lines")
	check("UdpLinkConditions.loss: 8" in "".join(lines), "; ".join(lines))
	check_equal([loaded[0].loss, loaded[0].reorder], [0.0, 0.5], "loss and reorder")


func test_a_duplicate_is_one_of_its_own() -> void:
	var conditions := _new()
	for property in PROPERTIES:
		conditions.set(property, PROPERTIES[property][1])
	var copy := conditions.duplicate()
	for property in PROPERTIES:
		check_equal(copy.get(property), PROPERTIES[property][1], property + " of the copy")
		copy.set(property, PROPERTIES[property][0])
		check_equal(conditions.get(property), PROPERTIES[property][1], property)


func test_the_presets_are_as_documented() -> void:
	for title in PRESETS:
		var preset: Resource = load(ADDON + "conditions/%s.tres" % title)
		check(preset != null and preset.get_class() == CONDITIONS, title + " is missing")
		if preset == null:
			continue
		var expected := PRESETS[title].merged({"jitter_distribution": 2})
		for property in PROPERTIES:
			var value: Variant = expected.get(String(property), PROPERTIES[property][0])
			check_equal(preset.get(property), value, "%s of %s" % [property, title])
	var files := Array(ResourceLoader.list_directory(ADDON + "conditions"))
	check_equal(files.size(), PRESETS.size(), "files: %s" % [files])


# ---- the properties of peers and servers --------------------------------------------------------


func test_they_take_one_or_null() -> void:
	for owner: RefCounted in [
		make_peer(OURS), bound_peer(OURS), make_server(OURS), _peer_of_server()
	]:
		for property in ASSIGNED:
			var info := _info(owner, property)
			check_equal(info.get("type"), TYPE_OBJECT, "the type of " + property)
			check_equal(info.get("class_name"), CONDITIONS, "the class of " + property)
			check_equal(info.get("hint"), PROPERTY_HINT_RESOURCE_TYPE, "the hint of " + property)
			check_equal(info.get("hint_string"), String(CONDITIONS), "its text of " + property)
			check_equal(info.get("usage"), PROPERTY_USAGE_EDITOR, "the usage of " + property)
			check(owner.get(property) == null, property + " of a new one")
			for i in 2:
				var conditions := _new()
				owner.set(property, conditions)
				check(owner.get(property) == conditions, property + " is what was assigned")
				owner.set(property, conditions)
				check(owner.get(property) == conditions, property + ", assigned twice")
			owner.set(property, null)
			check(owner.get(property) == null, property + " after null")


func test_an_object_of_another_class_is_refused_in_the_engines_words() -> void:
	var sprite := Sprite2D.new()
	for wrong: Variant in [Resource.new(), RefCounted.new(), sprite, 7, "x", []]:
		var type := type_string(typeof(wrong))
		for owner in _owners():
			for property in ASSIGNED:
				var conditions := _new()
				owner.set(property, conditions)
				owner.set(property, wrong)
				check(owner.get(property) == conditions, "%s after %s" % [property, type])
				var setter := "set_" + property
				var lines := lines_of(func() -> void: owner.callv(setter, [wrong]))
				check_equal(lines.size(), 1, "lines after " + type)
				for part: String in [
					owner.get_class() + "::" + setter,
					"Cannot convert argument 1 from %s to Object" % type
				]:
					check(part in "; ".join(lines), "'%s' is not in: %s" % [part, "; ".join(lines)])
				check(owner.get(property) == conditions, "%s after the call" % property)
	sprite.free()


func test_a_script_that_assigns_another_class_does_not_compile() -> void:
	var script := GDScript.new()
	var body := "static func run(peer: PacketPeerUdpRs) -> void:\n\tpeer.send_conditions = %s\n"
	allow_lines("(?s).*")
	for row: Array in [
		["UdpLinkConditions.new()", OK],
		["null", OK],
		["Image.new()", ERR_PARSE_ERROR],
		["7", ERR_PARSE_ERROR],
	]:
		script = GDScript.new()
		script.source_code = body % row[0]
		Engine.print_error_messages = false
		var error := script.reload()
		Engine.print_error_messages = true
		check_equal(error, row[1], row[0])


func test_a_peer_keeps_the_resource_alive() -> void:
	for make: Callable in [make_peer.bind(OURS), make_server.bind(OURS), _peer_of_server]:
		for property in ASSIGNED:
			var owner: RefCounted = make.call()
			var first := _assign_new(owner, property)
			check(first.get_ref() != null, property + " is gone")
			var second := _assign_new(owner, property)
			check(first.get_ref() == null, property + " lives on when it was replaced")
			owner.set(property, null)
			check(second.get_ref() == null, property + " lives on after null")
			var third := _assign_new(owner, property)
			owner = null
			check(third.get_ref() == null, property + " lives on when its owner is gone")


func test_they_last_over_close() -> void:
	var peer := make_peer(OURS)
	var server := make_server(OURS)
	for property in ASSIGNED:
		peer.set(property, _new())
		server.set(property, _new())
	var of_peer := _both(peer)
	var of_server := _both(server)
	for i in 2:
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		check(_both(peer) == of_peer, "of a bound peer")
		check_equal(peer.connect_to_host(LOOPBACK, 9), OK, "connect")
		check(_both(peer) == of_peer, "of a connected peer")
		peer.close()
		check(_both(peer) == of_peer, "of a closed peer")
		check_equal(server.listen(0, LOOPBACK), OK, "listen")
		check(_both(server) == of_server, "of a listening server")
		server.stop()
		check(_both(server) == of_server, "of a stopped server")


func test_a_servers_peers_start_with_what_the_server_has() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var before := accepted(server, sender_to(server))
			for property in ASSIGNED:
				server.set(property, _new())
			var of_server := _both(server)
			var peers := all_accepted(server, clients_of(server, 2))
			check(_both(before) == [null, null], "a peer that was taken before")
			for peer in peers:
				check(_both(peer) == of_server, "a peer that was taken then")
			peers[0].send_conditions = null
			var own := _new()
			peers[0].receive_conditions = own
			check(_both(peers[0]) == [null, own], "a peer with its own")
			check(_both(peers[1]) == of_server, "the other peer")
			check(_both(server) == of_server, "the server")
			server.send_conditions = null
			check(peers[1].send_conditions == of_server[0], "the other peer, then")
			var after := accepted(server, sender_to(server))
			check(_both(after) == [null, of_server[1]], "a peer that was taken last")
			server.stop()
			check(_both(peers[1]) == of_server, "a peer of a stopped server")
	)


func test_a_thousand_can_come_and_go_with_their_peers() -> void:
	var wrong := 0
	for i in 1000:
		var peer := make_peer(OURS)
		peer.send_conditions = _new({"latency_msec": 10})
		peer.receive_conditions = peer.send_conditions
		wrong += int(peer.bind(0, LOOPBACK) != OK or peer.receive_conditions.latency_msec != 10.0)
	check_equal(wrong, 0, "failed")


# ---- helpers ------------------------------------------------------------------------------------


static func _new(values: Dictionary = {}) -> Resource:
	var conditions: Resource = ClassDB.instantiate(CONDITIONS)
	for property: Variant in values:
		conditions.set(property, values[property])
	return conditions


static func _changes_of(conditions: Resource) -> Changes:
	var changes := Changes.new()
	conditions.changed.connect(changes.note)
	return changes


# Everything that has conditions, in each state that matters.
func _owners() -> Array[RefCounted]:
	return [make_peer(OURS), bound_peer(OURS), make_server(OURS), _peer_of_server()]


# Leaves no reference on the caller's stack.
static func _assign_new(owner: RefCounted, property: StringName) -> WeakRef:
	var conditions := _new()
	owner.set(property, conditions)
	return weakref(conditions)


# What is assigned; a null without a type where nothing is.
static func _of(owner: RefCounted, property: StringName) -> Variant:
	var assigned: Variant = owner.get(property)
	return null if assigned == null else assigned


static func _both(owner: RefCounted) -> Array:
	return ASSIGNED.map(func(property: StringName) -> Variant: return _of(owner, property))


func _peer_of_server() -> PacketPeer:
	var server := listening(OURS)
	return accepted(server, sender_to(server))


static func _info(owner: Object, property: StringName) -> Dictionary:
	for info in ClassDB.class_get_property_list(owner.get_class(), true):
		if info.name == property:
			return info
	return {}


# The assignments in a text resource.
static func _assignments(path: String) -> PackedStringArray:
	var lines: PackedStringArray = []
	for line in FileAccess.get_file_as_string(path).split("\n"):
		if " = " in line:
			lines.append(line)
	return lines


class Changes:
	var _count := 0

	func note() -> void:
		_count += 1

	func count() -> int:
		return _count
