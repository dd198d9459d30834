extends "../support/suite.gd"
## Variants that a hostile sender has made: what get_var() makes of them is what the engine makes of
## them, no object comes of it, and nothing stays. scripts/variants.sh does the same with a million.

const MutatedVariants := preload("../support/mutated_variants.gd")
const VariantDoors := preload("../support/variant_doors.gd")
const Values := preload("../support/variant_values.gd")

const PACKETS := 20_000
const SEED := 20_261


func test_mutated_variants_are_what_the_engine_makes_of_them() -> void:
	var doors := VariantDoors.new()
	check(doors.open(), "the peers cannot be opened")
	var packets := MutatedVariants.new(SEED)
	doors.run_batch(packets)
	var objects := int(Performance.get_monitor(Performance.OBJECT_COUNT))
	while doors.count < PACKETS and doors.failures.is_empty():
		doors.run_batch(packets)
	check_equal(int(Performance.get_monitor(Performance.OBJECT_COUNT)), objects, "objects")
	for failure in doors.failures:
		fail(failure)
	check(doors.refused > doors.count / 10, "only %d packets were refused" % doors.refused)
	check(doors.refused < doors.count * 9 / 10, "%d packets were refused" % doors.refused)
	note("%d packets, %d refused" % [doors.count, doors.refused])
	doors.close()


func test_the_same_seed_makes_the_same_packets() -> void:
	var one := MutatedVariants.new(SEED)
	var same := MutatedVariants.new(SEED)
	var other := MutatedVariants.new(SEED + 1)
	var is_other := false
	for i in 200:
		var packet := one.next()
		# The signals in them have the numbers of objects, which differ.
		check_equal(same.next().size(), packet.size(), "packet %d" % i)
		is_other = is_other or other.next() != packet
	check(is_other, "another seed makes the same packets")


func test_an_object_is_found_wherever_it_is() -> void:
	var object := RefCounted.new()
	for value: Variant in [object, [1, [object]], {object: 1}, {1: {2: [object]}}]:
		check(MutatedVariants.object_in(value) == object, "not found in %s" % [value])
	for value: Variant in [null, 1, [1, [null]], {1: null}, EncodedObjectAsID.new()]:
		check(MutatedVariants.object_in(value) == null, "found in %s" % [value])


func test_variants_that_cost_the_receiver_much() -> void:
	var doors := VariantDoors.new()
	check(doors.open(), "the peers cannot be opened")
	var packets := MutatedVariants.new(SEED)
	var costly: Array[PackedByteArray] = [
		packets.nested(1000),
		packets.nested(8000),
		MutatedVariants.expanding(),
		MutatedVariants.colliding(16_000),
		MutatedVariants.colliding(1200),
	]
	for i in 3:  # each goes to another peer
		doors.run(costly)
	for failure in doors.failures:
		fail(failure)
	check_equal(doors.count, 3 * costly.size(), "packets")
	var values: Dictionary = bytes_to_var(MutatedVariants.colliding(16_000))
	check_equal(values.size(), 999, "pairs")
	var hashes := {}
	for key: int in values:
		hashes[hash(key)] = true
	note("%d numbers have %d hashes" % [values.size(), hashes.size()])
	doors.close()


# What docs/security.md warns of: a Signal is no object, but refers to one of the receiver.
func test_a_signal_refers_to_an_object_of_the_receiver(kind: StringName) -> void:
	var receiver := bound_peer(kind)
	var object := Node.new()
	send(sender_to(receiver), [var_to_bytes(object.renamed)])
	if arrived(receiver):
		var got: Variant = receiver.get_var()
		answer("type", typeof(got), TYPE_SIGNAL)
		answer("its object", got is Signal and (got as Signal).get_object() == object, true)
	object.free()
	if bytes_to_var(var_to_bytes(Signal())) == null:
		skip("this engine decodes no signals")


# What docs/security.md recommends.
func test_a_checked_packet_is_decoded_and_a_large_one_is_not() -> void:
	var receiver := bound_peer(OURS, LOOPBACK, 1 << 18)
	var sender := sender_to(receiver, OURS)
	send(sender, [MutatedVariants.colliding(), var_to_bytes({"x": 1.5})])
	var decoded := []
	for packet in take(receiver, 2):
		if packet.size() <= 1200:
			decoded.append(bytes_to_var(packet))
	check_equal(decoded, [{"x": 1.5}], "decoded")
