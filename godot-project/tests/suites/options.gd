# gdlint: disable=max-public-methods
extends "../support/receiving.gd"
## The socket options as properties: values, refusals, and that they persist. Their effects are
## tested in the suites sharing, hop_limits and multicast.

const UNKNOWN_INTERFACE := "no-such-interface"

## Name: default, another value, type, hint and hint string.
const PROPERTIES: Dictionary[StringName, Array] = {
	&"reuse_address": [false, true, TYPE_BOOL, PROPERTY_HINT_NONE, ""],
	&"reuse_port": [false, true, TYPE_BOOL, PROPERTY_HINT_NONE, ""],
	&"time_to_live": [0, 9, TYPE_INT, PROPERTY_HINT_RANGE, "0,255,1"],
	&"traffic_class": [0, 184, TYPE_INT, PROPERTY_HINT_RANGE, "0,255,1"],
	&"multicast_time_to_live": [1, 3, TYPE_INT, PROPERTY_HINT_RANGE, "0,255,1"],
	&"multicast_loopback": [true, false, TYPE_BOOL, PROPERTY_HINT_NONE, ""],
	&"multicast_interface":
	["", "loopback", TYPE_STRING, PROPERTY_HINT_PLACEHOLDER_TEXT, "the system's choice"],
	&"packet_info": [false, true, TYPE_BOOL, PROPERTY_HINT_NONE, ""],
	&"source_address":
	["", LOOPBACK, TYPE_STRING, PROPERTY_HINT_PLACEHOLDER_TEXT, "the system's choice"],
	&"queue_size": [0, 100_000, TYPE_INT, PROPERTY_HINT_RANGE, "0,67108864,1,or_greater,suffix:B"],
}
const NUMBERS: Array[StringName] = [&"time_to_live", &"traffic_class", &"multicast_time_to_live"]
const BAD_NUMBERS: Array[int] = [
	-1, 256, 1 << 31, 1 << 40, 0x7fff_ffff_ffff_ffff, -0x8000_0000_0000_0000
]
const STATES: Array[String] = ["new", "IPv4", "IPv6", "both families", "connected", "closed"]
const WAYS: Array[String] = [
	"bind",
	"put_packet",
	"put_packets",
	"put_segmented",
	"send_to",
	"connect_to_host",
	"connect_to_host_async",
	"join_multicast_group",
]


func test_they_are_properties_with_types_and_defaults() -> void:
	for property in PROPERTIES:
		var expected := PROPERTIES[property]
		var info := _info(ClassDB.class_get_property_list(OURS, true), property)
		check_equal(info.get("type"), expected[2], "the type of " + property)
		var default: Variant = ClassDB.class_get_property_default_value(OURS, property)
		check_equal(default, expected[0], "the default of " + property)
		check_equal(make_peer(OURS).get(property), expected[0], property + " of a new peer")


func test_the_inspector_knows_what_they_may_be() -> void:
	for property in PROPERTIES:
		var info := _info(ClassDB.class_get_property_list(OURS, true), property)
		check_equal(info.get("hint"), PROPERTIES[property][3], "the hint of " + property)
		check_equal(info.get("hint_string"), PROPERTIES[property][4], "its text of " + property)


func test_they_are_shown_but_not_stored() -> void:
	var script := _subclass("")
	for list: Array in [
		ClassDB.class_get_property_list(OURS, true),
		make_peer(OURS).get_property_list(),
		script.new().get_property_list(),
	]:
		var others: Array[StringName] = [&"background_receive", &"receive_buffer_size"]
		for property: StringName in PROPERTIES.keys() + others:
			var usage: int = _info(list, property).get("usage", 0)
			check(usage & PROPERTY_USAGE_EDITOR != 0, property + " is not in the inspector")
			check(usage & PROPERTY_USAGE_STORAGE == 0, property + " is stored in scenes")


func test_every_value_in_range_is_taken_in_every_state() -> void:
	for state in STATES:
		var peer := _peer_in(state)
		if peer == null:
			continue
		for property in PROPERTIES:
			if _is_refused(property, state):
				refused_value(_peer_in(state), property, _other(property))
				continue
			for value: Variant in _good_values(property):
				peer.set(property, value)
				check_equal(
					peer.get(property), value, "%s of a peer that is %s" % [property, state]
				)
			peer.set(property, PROPERTIES[property][0])
		check_equal(peer.get_last_error_message(), "", "the message of a peer that is " + state)
		_check_still_works(peer, state)


func test_a_value_out_of_range_is_refused_in_every_state() -> void:
	for state in STATES:
		for property in NUMBERS:
			for value in BAD_NUMBERS:
				_check_refusal(state, property, value)


func test_an_interface_that_is_not_there_is_refused_in_every_state() -> void:
	for state in STATES:
		_check_refusal(state, &"multicast_interface", UNKNOWN_INTERFACE)


func test_numbers_are_converted_as_the_engine_does() -> void:
	for property in NUMBERS:
		var peer := make_peer(OURS)
		peer.set(property, 7.0)
		check_equal(peer.get(property), 7, property + " = 7.0")
	var peer := make_peer(OURS)
	peer.multicast_interface = StringName(loopback_interface())
	check_equal(peer.multicast_interface, loopback_interface(), "of a StringName")


func test_they_last_over_close_however_the_peer_is_opened() -> void:
	for way in WAYS:
		var peer := make_peer(OURS)
		for property in PROPERTIES:
			peer.set(property, _other(property))
		for i in 2:
			await _open(peer, way)
			check_equal(peer.is_bound(), true, "is_bound after " + way)
			_check_values(peer, "open by " + way)
			peer.close()
			_check_values(peer, "closed after " + way)
		check_equal(peer.get_last_error_message(), "", "the message after " + way)


func test_each_peer_has_its_own() -> void:
	var one := bound_peer(OURS)
	var other := bound_peer(OURS)
	for property in PROPERTIES:
		if not _is_refused(property, "IPv4"):
			one.set(property, _other(property))
	for property in PROPERTIES:
		check_equal(other.get(property), PROPERTIES[property][0], property + " of the other")


func test_a_script_may_set_them_when_it_is_made() -> void:
	var lines: PackedStringArray = []
	for property in PROPERTIES:
		lines.append("\t%s = %s" % [property, var_to_str(_other(property))])
	var script := _subclass("func _init() -> void:\n" + "\n".join(lines) + "\n")
	var peer: PacketPeer = script.new()
	_check_values(peer, "a subclass's")
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	_check_values(peer, "a subclass's, open")


func test_threads_may_change_them_while_others_send() -> void:
	var peer := make_peer(OURS)
	check_equal(peer.bind(0, "0.0.0.0"), OK, "bind")
	var stop := Semaphore.new()
	var change := func() -> int:
		var changes := 0
		while not stop.try_wait():
			for property in PROPERTIES:
				if not _is_refused(property, "IPv4"):
					peer.set(property, _other(property) if changes % 2 else PROPERTIES[property][0])
			changes += 1
		return changes
	var threads: Array[Thread] = [in_thread(change), in_thread(change)]
	for i in 300:
		_check_still_works(peer, "while others change its options")
	stop.post(2)
	for thread in threads:
		check(join(thread) as int > 0, "a thread changed nothing")
	for property in PROPERTIES:
		var may_be: Array = [PROPERTIES[property][0], _other(property)]
		check(peer.get(property) in may_be, "%s is %s" % [property, peer.get(property)])


func _check_values(peer: PacketPeer, what: String) -> void:
	for property in PROPERTIES:
		check_equal(peer.get(property), _other(property), "%s, %s" % [property, what])


# A peer prints a line about one property once a second, so each value has a peer of its own.
func _check_refusal(state: String, property: StringName, value: Variant) -> void:
	for before: Variant in [PROPERTIES[property][0], _other(property)]:
		if before == _other(property) and _is_refused(property, state):
			continue
		var peer := _peer_in(state)
		if peer == null:
			continue
		peer.set(property, before)
		refused_value(peer, property, value)
		var message: String = peer.get_last_error_message()
		for part: String in [property, str(value)]:
			check(part in message, "'%s' is not in the message '%s'" % [part, message])
		_check_still_works(peer, "%s, after %s = %s" % [state, property, value])
		peer.close()
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		check_equal(peer.get(property), before, property + " when bound again")
		_check_still_works(peer, "bound again after %s = %s" % [property, value])


# Whether this system refuses to change an option of a peer in a state.
static func _is_refused(property: StringName, state: String) -> bool:
	match property:
		&"reuse_address":
			return not state in ["new", "closed"] and not Platform.has(&"late reuse_address")
		&"traffic_class":
			return state == "IPv6" and not Platform.has(&"IPv6 traffic class")
	return false


# A peer in a state; null if that needs IPv6 and there is none.
func _peer_in(state: String) -> PacketPeer:
	var peer := make_peer(OURS)
	match state:
		"IPv4":
			check_equal(peer.bind(0, LOOPBACK), OK, state)
		"IPv6":
			if not has_ipv6():
				return null
			check_equal(peer.bind(0, LOOPBACK_6), OK, state)
		"both families":
			check_equal(peer.bind(0, "*"), OK, state)
		"connected":
			# To itself, so that it receives its own packets.
			check_equal(peer.bind(0, LOOPBACK), OK, state)
			check_equal(peer.connect_to_host(LOOPBACK, peer.get_local_port()), OK, state)
		"closed":
			check_equal(peer.bind(0, LOOPBACK), OK, state)
			peer.close()
	return peer


# Sends to itself, if it is open, and receives that.
func _check_still_works(peer: PacketPeer, what: String) -> void:
	if not peer.is_bound():
		return
	var host := LOOPBACK_6 if peer.get_local_address() == "0:0:0:0:0:0:0:1" else LOOPBACK
	if not peer.is_socket_connected():
		check_equal(peer.set_dest_address(host, peer.get_local_port()), OK, what)
	check_equal(peer.put_packet(numbered(5)), OK, what)
	check_equal(take(peer), [numbered(5)] as Array[PackedByteArray], what)


func _open(peer: PacketPeer, way: String) -> void:
	var port: int = bound_peer(NATIVE).get_local_port()
	peer.set_dest_address(LOOPBACK, port)
	match way:
		"bind":
			check_equal(peer.bind(0, LOOPBACK), OK, way)
		"put_packet":
			check_equal(peer.put_packet(numbered(1)), OK, way)
		"put_packets":
			check_equal(peer.put_packets([numbered(1)]), 1, way)
		"put_segmented":
			check_equal(peer.put_segmented(numbered(1), 16), 1, way)
		"send_to":
			check_equal(peer.send_to(numbered(1), LOOPBACK, port), OK, way)
		"connect_to_host":
			check_equal(peer.connect_to_host(LOOPBACK, port), OK, way)
		"connect_to_host_async":
			check_equal(peer.connect_to_host_async("localhost", port), OK, way)
			wait_until(func() -> bool: return not peer.is_resolving())
		"join_multicast_group":
			check_equal(peer.join_multicast_group("239.255.77.6", loopback_interface()), OK, way)


func _good_values(property: StringName) -> Array:
	if property in NUMBERS:
		return [0, 1, 128, 254, 255]
	if property == &"multicast_interface":
		return [loopback_interface(), "", loopback_interface()]
	if property == &"source_address":
		return [LOOPBACK, "", LOOPBACK]
	if property == &"queue_size":
		return [1, 0, 1 << 20]
	if property == &"reuse_port" and not Platform.has(property):
		return [false]
	return [true, true, false, false, true]


func _other(property: StringName) -> Variant:
	if property == &"multicast_interface":
		return loopback_interface()
	if property == &"reuse_port" and not Platform.has(property):
		return false
	return PROPERTIES[property][1]


func _subclass(body: String) -> GDScript:
	var script := GDScript.new()
	script.source_code = "extends %s\n%s" % [OURS, body]
	check_equal(script.reload(), OK, "the script compiles")
	return script


func _info(list: Array, property: StringName) -> Dictionary:
	var found := list.filter(func(info: Dictionary) -> bool: return info.name == property)
	check_equal(found.size(), 1, "properties called " + property)
	return found[0] if found else {}
