extends RefCounted
## What Alice sends when a button is pressed, and in the scripted session.

const Message := preload("message.gd")

const GREETING := "Hello, Bob! Schöne Grüße."
## The one question that Bob answers with a number (an int as a Variant).
const HOW_MANY := "How many packets have you had from me?"


static func every_byte() -> Message:
	var bytes := PackedByteArray()
	for byte in 256:
		bytes.append(byte)
	return Message.of_bytes(bytes)


## More than an Ethernet frame holds: IP fragments and reassembles it.
static func long_bytes() -> Message:
	var bytes := PackedByteArray()
	bytes.resize(8000)
	for i in bytes.size():
		bytes[i] = i % 251
	return Message.of_bytes(bytes)


static func dictionary() -> Message:
	return (
		Message
		. of_variant(
			{
				"name": "Alice",
				"position": Vector3(1.5, -2.0, 0.25),
				"inventory": [{"item": "rope", "count": 2}, {"item": "lamp"}],
			}
		)
	)


static func vectors() -> Message:
	return Message.of_variant(
		[Vector2(0.5, 1.0), Vector3i(1, 2, 3), Quaternion.IDENTITY, Color(1.0, 0.5, 0.0)]
	)


static func packed_arrays() -> Message:
	return (
		Message
		. of_variant(
			{
				"path": PackedVector2Array([Vector2(0, 0), Vector2(8, 4), Vector2(16, 4)]),
				"scores": PackedInt32Array([12, -7, 40]),
				"names": PackedStringArray(["Alice", "Bob"]),
			}
		)
	)


## Bob's answer to a text, in all his implementations.
static func text_answer(words: String, sender: String) -> String:
	return 'I read "%s" from %s.' % [words, sender]
