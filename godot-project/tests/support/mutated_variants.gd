extends RefCounted
## Packets that a hostile sender might make of Variants: valid encodings of every type, of objects
## and of what nests deeply or claims to be huge, most of them mutated. The same seed gives the same
## packets.

const Values := preload("variant_values.gd")
## The largest datagram over IPv4.
const LARGEST := 65_507
## Types above the last one, too: an engine to come may have them.
const TYPES := TYPE_MAX + 2
## What follows a type: 64 bits; an object as its id; the types of an array's elements, and of a
## dictionary's keys and values.
const FLAGS: PackedInt64Array = [0, 0, 0, 1 << 16, 2 << 16, 3 << 16, 1 << 18, 2 << 18, 15 << 16]
## Lengths and numbers near limits.
const NUMBERS: PackedInt64Array = [
	0,
	1,
	2,
	3,
	0x7f,
	0xff,
	0x400,
	0xffff,
	0x10000,
	0x00ffffff,
	0x10000000,
	0x20000000,
	0x3fffffff,
	0x40000000,
	0x7ffffffe,
	0x7fffffff,
	0x80000000,
	0x80000001,
	0xfffffffc,
	0xfffffffe,
	0xffffffff,
]

var _rng := RandomNumberGenerator.new()
var _whole: Array[PackedByteArray]
# The signals of this object are sent, as a sender might that knows or guesses the number of an
# object of the receiver.
var _node := Node.new()


func _init(seed_of_all: int) -> void:
	_rng.seed = seed_of_all
	for value: Variant in Values.all() + _objects():
		_whole.append(var_to_bytes(value))
		_whole.append(var_to_bytes_with_objects(value))
	_whole.append(var_to_bytes(Values.all()))
	_whole.append(_typed_by_script("res://tests/support/variant_values.gd"))
	_whole.append(_typed_by_script("res://no_such_script.gd"))


func _notification(what: int) -> void:
	if what == NOTIFICATION_PREDELETE:
		_node.free()


## The next packet.
func next() -> PackedByteArray:
	match _rng.randi_range(0, 99):
		0:
			return _noise(_rng.randi_range(0, 64))
		1:
			return nested(_rng.randi_range(1, 40) if _rng.randf() < 0.9 else 1100)
	var packet := _any().duplicate()
	for i in _rng.randi_range(0, 3):
		packet = _mutated(packet)
	return packet.slice(0, LARGEST)


## Arrays and dictionaries in one another, [param depth] of them.
func nested(depth: int) -> PackedByteArray:
	var packet := PackedByteArray()
	for i in depth:
		var is_array := _rng.randf() < 0.5
		packet.append_array(_words([TYPE_ARRAY if is_array else TYPE_DICTIONARY, 1]))
		if not is_array:
			packet.append_array(var_to_bytes(i))
	packet.append_array(var_to_bytes(null))
	return packet.slice(0, LARGEST)


## A dictionary whose keys are numbers that the engine's hash does not tell apart, as many as fit
## into [param size] bytes: finding the place of each takes a time that grows with all before it.
static func colliding(size := LARGEST) -> PackedByteArray:
	var count := (size - 8) / 16
	var packet := _words([TYPE_DICTIONARY, count])
	for i in count:
		packet.append_array(var_to_bytes(_of_hash(4711, i + 1)))
		packet.append_array(var_to_bytes(null))
	return packet


## An array of dictionaries with one pair each, in [param size] bytes: memory of many times that.
static func expanding(size := LARGEST) -> PackedByteArray:
	var count := (size - 8) / 16
	var packet := _words([TYPE_ARRAY, count])
	for i in count:
		packet.append_array(_words([TYPE_DICTIONARY, 1, TYPE_NIL, TYPE_NIL]))
	return packet


## What a value contains that no packet may make: an object other than the number of one. Null if
## there is none.
static func object_in(value: Variant) -> Object:
	var left := [value]
	while not left.is_empty():
		var one: Variant = left.pop_back()
		match typeof(one):
			TYPE_ARRAY:
				left.append_array(one)
			TYPE_DICTIONARY:
				left.append_array(one.keys())
				left.append_array(one.values())
			TYPE_OBJECT:
				if one != null and not one is EncodedObjectAsID:
					return one
	return null


func _objects() -> Array:
	var gradient := Gradient.new()
	gradient.colors = [Color.RED, Color.BLUE]
	var of_script: Array[Values] = [Values.new()]
	var of_class: Array[Gradient] = [gradient]
	var pairs: Dictionary[StringName, Gradient] = {&"one": gradient}
	return [
		gradient,
		{"object": gradient, "again": [gradient, gradient]},
		of_script,
		of_class,
		pairs,
		_node.renamed,
		_node.get_name,
		[_node.renamed, {_node.get_name: _node.tree_entered}],
	]


func _any() -> PackedByteArray:
	return _whole[_rng.randi_range(0, _whole.size() - 1)]


func _mutated(packet: PackedByteArray) -> PackedByteArray:
	if packet.size() < 4:
		return packet + _noise(4)
	var at := _rng.randi_range(0, packet.size() - 1)
	var word := _rng.randi_range(0, packet.size() / 4 - 1) * 4
	match _rng.randi_range(0, 9):
		0:
			packet[at] = _rng.randi_range(0, 255)
		1:
			packet[at] ^= 1 << _rng.randi_range(0, 7)
		2, 3:
			packet.encode_u32(word, NUMBERS[_rng.randi_range(0, NUMBERS.size() - 1)])
		4:
			packet.encode_u32(
				word, (packet.decode_u32(word) + _rng.randi_range(-9, 9)) & 0xffffffff
			)
		5:
			var flags := FLAGS[_rng.randi_range(0, FLAGS.size() - 1)]
			packet.encode_u32(word, _rng.randi_range(0, TYPES) | flags)
		6:
			return packet.slice(0, at)
		7:
			return packet + _noise(_rng.randi_range(1, 16))
		8:
			return packet.slice(0, word) + _any() + packet.slice(word)
		9:
			return packet.slice(0, word) + packet.slice(word + 4 * _rng.randi_range(1, 3))
	return packet


func _noise(size: int) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(size)
	for i in size:
		packet[i] = _rng.randi_range(0, 255)
	return packet


# An empty array whose elements are of the class of a script: decoding it with objects allowed loads
# the script, which runs its static initializers.
static func _typed_by_script(path: String) -> PackedByteArray:
	var text := path.to_utf8_buffer()
	var packet := _words([TYPE_ARRAY | 3 << 16, text.size()]) + text
	packet.resize((packet.size() + 3) / 4 * 4)
	return packet + _words([0])


static func _words(words: Array) -> PackedByteArray:
	return PackedInt32Array(words).to_byte_array()


# ---- numbers of one hash ------------------------------------------------------------------------


# The engine hashes an integer by steps that can each be taken back (Thomas Wang's 64 bits to 32),
# and keeps the lower half of the result: this is the number with these halves.
static func _of_hash(lower: int, upper: int) -> int:
	var value := _unshifted(lower | upper << 32, 22)
	value = _unshifted(value * _inverse(65), 11)
	value = _unshifted(value * _inverse(21), 31)
	return (value + 1) * _inverse((1 << 18) - 1)


# The number that becomes [param value] when it is combined with itself, shifted by [param bits].
static func _unshifted(value: int, bits: int) -> int:
	var result := value
	for i in 64 / bits + 1:
		result = value ^ ((result >> bits) & ((1 << (64 - bits)) - 1))
	return result


# By which an odd number is multiplied to get 1, modulo 2^64.
static func _inverse(odd: int) -> int:
	var result := odd
	for i in 6:
		result *= 2 - odd * result
	return result
