extends "../support/suite.gd"
## put_var() and get_var(). The engine encodes, so both ends may be of either kind.

const PacketTakingResource := preload("../support/packet_taking_resource.gd")
const Values := preload("../support/variant_values.gd")


func test_variants_of_every_type_go_from_any_kind_to_any(kind: StringName) -> void:
	for other_kind: StringName in [NATIVE, kind]:
		for way: Array in [[kind, other_kind], [other_kind, kind]]:
			var receiver := bound_peer(way[1], LOOPBACK, 1 << 20)
			var sender := sender_to(receiver, way[0])
			for value: Variant in Values.all():
				var what := "%s %s" % [type_string(typeof(value)), written(value)]
				answer("put " + what, sender.put_var(value), OK)
				if arrived(receiver):
					var got: Variant = receiver.get_var()
					answer("error " + what, receiver.get_packet_error(), OK)
					answer(what, _same_variant(got, value), true)


func test_every_type_of_variant_is_among_the_tried() -> void:
	var tried: Dictionary[int, bool] = {TYPE_OBJECT: true, TYPE_CALLABLE: true, TYPE_SIGNAL: true}
	for value: Variant in Values.all():
		tried[typeof(value)] = true
	for type in TYPE_MAX:
		check(type in tried, "no value of the type %s is tried" % type_string(type))


func test_objects_go_when_allowed(kind: StringName) -> void:
	for other_kind: StringName in [NATIVE, kind]:
		var receiver := bound_peer(other_kind)
		var sender := sender_to(receiver, kind)
		var gradient := Gradient.new()
		gradient.offsets = [0.25, 0.5, 0.75]
		gradient.colors = [Color.RED, Color.GREEN, Color.BLUE]
		answer("put_var", sender.put_var({"gradient": gradient}, true), OK)
		if not arrived(receiver):
			return
		var got: Variant = receiver.get_var(true)
		answer("is a Gradient", got is Dictionary and got.gradient is Gradient, true)
		answer("another one", got.gradient != gradient, true)
		answer("offsets", got.gradient.offsets, gradient.offsets)
		answer("colors", got.gradient.colors, gradient.colors)


func test_objects_are_refused_when_not_allowed(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	answer("put_var", sender_to(receiver, kind).put_var(Gradient.new(), true), OK)
	if arrived(receiver):
		_misread(receiver)


func test_objects_go_as_ids_when_not_asked_for_whole(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	var object := RefCounted.new()
	answer("put_var", sender_to(receiver, kind).put_var(object), OK)
	if arrived(receiver):
		var got: Variant = receiver.get_var()
		answer("is an id", got is EncodedObjectAsID, true)
		answer("of the object", got.object_id == object.get_instance_id(), true)


func test_callables_and_signals_go_as_the_engine_encodes_them(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	var sender := sender_to(receiver, kind)
	var object := Node.new()
	for value: Variant in [object.get_name, object.renamed]:
		answer("put_var", sender.put_var(value), OK)
		if arrived(receiver):
			record("get_var", typeof(receiver.get_var()))
			record("get_packet_error", receiver.get_packet_error())
			record("count", receiver.get_available_packet_count())
	object.free()
	allow_lines("(?i)callable|signal|Condition|Variant")


func test_nothing_there_is_null_and_keeps_the_error(kind: StringName) -> void:
	var peer := bound_peer(kind)
	misuse(kind, "get_var", peer, "get_var", [], null)
	answer("get_packet_error", peer.get_packet_error(), OK)
	peer.get_packet()
	misuse(kind, "get_var after get_packet", peer, "get_var", [], null)
	answer("get_packet_error then", peer.get_packet_error(), ERR_UNAVAILABLE)


func test_garbage_is_null_and_consumed(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	var sender := sender_to(receiver)
	for garbage: PackedByteArray in [
		PackedByteArray([1, 2, 3]),
		PackedByteArray([255, 255, 255, 255]),
		PackedByteArray([4, 0, 0, 0, 200, 0, 0, 0]),  # a String whose 200 bytes are missing
	]:
		send(sender, [garbage])
		if arrived(receiver):
			_misread(receiver)
	send(sender, [var_to_bytes("whole")])
	arrived(receiver)
	answer("the next one", receiver.get_var(), "whole")


func test_a_variant_beyond_the_encode_buffer_is_out_of_memory(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	var sender := sender_to(receiver, kind)
	sender.encode_buffer_max_size = 1024
	answer("encode_buffer_max_size", sender.encode_buffer_max_size, 1024)
	misuse(kind, "2,000 bytes", sender, "put_var", [numbered(1, 2000)], ERR_OUT_OF_MEMORY)
	answer("1,000 bytes", sender.put_var(numbered(2, 1000)), OK)
	arrived(receiver)
	answer("what arrives", receiver.get_var(), numbered(2, 1000))


func test_the_encode_buffer_has_its_bounds(kind: StringName) -> void:
	var peer := make_peer(kind)
	misuse(kind, "too small", peer, "set_encode_buffer_max_size", [1023], null)
	misuse(kind, "too large", peer, "set_encode_buffer_max_size", [(256 << 20) + 1], null)
	answer("unchanged", peer.encode_buffer_max_size, 8 << 20)


func test_a_variant_larger_than_a_packet_fails(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	var sender := sender_to(receiver, kind)
	misuse(kind, "66,000 bytes", sender, "put_var", [numbered(1, 66_000)], FAILED)
	answer("65,499 bytes", sender.put_var(numbered(2, 65_499 - 3)), OK)  # 8 bytes of header
	arrived(receiver)
	answer("what arrives", receiver.get_var(), numbered(2, 65_499 - 3))


func test_variants_and_plain_packets_mix(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	var sender := sender_to(receiver, kind)
	send(sender, [bytes("plain")])
	answer("put_var", sender.put_var([1, "two"]), OK)
	send(sender, [var_to_bytes(3.5)])
	arrived(receiver, 3)
	answer("plain", receiver.get_packet(), bytes("plain"))
	answer("Variant", receiver.get_var(), [1, "two"])
	answer("Variant of put_packet", receiver.get_var(), 3.5)
	answer("put_var again", sender.put_var("text"), OK)
	arrived(receiver)
	answer("as bytes", bytes_to_var(receiver.get_packet()), "text")


func test_a_setter_may_take_a_packet_while_its_object_is_read(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	var sender := sender_to(receiver, kind)
	var resource := PacketTakingResource.new()
	resource.first = 1
	resource.second = "a property that is read after the setter has run"
	answer("put_var", sender.put_var(resource, true), OK)
	send(sender, [numbered(2, 60_000)])
	arrived(receiver, 2)
	PacketTakingResource.other = receiver
	if kind == NATIVE:
		allow_lines("(?i)get_var|decode|err != OK|Condition")
	# Native decodes what the second packet has overwritten; ours keeps the first packet while it is
	# decoded.
	var got: Variant = receiver.get_var(true)
	if kind == OURS:
		check(got is PacketTakingResource, "no object but " + str(got))
		check_equal(got.second if got else "", resource.second, "what was read after the setter")
	PacketTakingResource.other = null
	answer("both are taken", receiver.get_available_packet_count(), 0)
	send(sender, [var_to_bytes("whole")])
	arrived(receiver)
	answer("the next one", receiver.get_var(), "whole")


# The packet is no Variant: the result is null, the engine prints a line, and the packet is gone.
func _misread(peer: PacketPeer) -> void:
	var got := []
	record("lines", lines_of(func() -> void: got.append(peer.get_var())))
	answer("get_var", got, [null])
	answer("get_packet_error", peer.get_packet_error(), OK)
	answer("count", peer.get_available_packet_count(), 0)


# The types of elements must be equal too, and every bit.
static func _same_variant(got: Variant, expected: Variant) -> bool:
	if typeof(got) != typeof(expected) or var_to_bytes(got) != var_to_bytes(expected):
		return false
	if expected is Array:
		return expected.is_same_typed(got)
	if expected is Dictionary:
		return expected.is_same_typed(got)
	return true
