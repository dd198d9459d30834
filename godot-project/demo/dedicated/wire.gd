extends RefCounted
## What the server and its players say to each other: arrays, sent with put_var(), whose first
## element is the kind. Anyone can send anything to a port, so whatever is read is checked, down to
## the types, before any of it is used.
##
## | kind     | from, to         | after the kind                                              |
## |----------|------------------|-------------------------------------------------------------|
## | HELLO    | player to server | its name, its ticket ("" when it has none); repeated until  |
## |          |                  | it is welcome                                               |
## | TICKET   | server to player | the ticket                                                  |
## | WELCOME  | server to player | its id                                                      |
## | MOVE     | player to server | number, position, how many snapshots it has missed          |
## | SNAPSHOT | server to player | number, tick, ids of the players it sees, their positions   |
## | BYE      | player to server | how many moves it sent, its tally of snapshots              |
## | FAREWELL | server to player | how many snapshots it sent, its tally of moves, and the     |
## |          |                  | tally that the player has told                              |
##
## The ticket proves that a player receives at its address. Otherwise anyone could send a hello with
## a forged sender, and the server would flood that address with snapshots.
##
## Moves and snapshots are numbered from 1 for each player and each direction, so both ends know
## exactly what is missing. They are never sent again: a newer one is on its way already.

enum Kind { HELLO, TICKET, WELCOME, MOVE, SNAPSHOT, BYE, FAREWELL }

const SHAPES: Dictionary[int, Array] = {
	Kind.HELLO: [TYPE_STRING, TYPE_STRING],
	Kind.TICKET: [TYPE_STRING],
	Kind.WELCOME: [TYPE_INT],
	Kind.MOVE: [TYPE_INT, TYPE_VECTOR2, TYPE_INT],
	Kind.SNAPSHOT: [TYPE_INT, TYPE_INT, TYPE_PACKED_INT32_ARRAY, TYPE_PACKED_VECTOR2_ARRAY],
	Kind.BYE: [TYPE_INT, TYPE_PACKED_INT32_ARRAY],
	Kind.FAREWELL: [TYPE_INT, TYPE_PACKED_INT32_ARRAY, TYPE_PACKED_INT32_ARRAY],
}

const UPDATES_PER_SECOND := 30
## Every network carries this in one packet. No message is longer.
const MAX_BYTES := 1200
const MAX_LETTERS := 16


## The next message of a socket that has a packet; empty if it is malformed. A larger packet than
## any message is not decoded: 64 KiB of well-chosen keys of a dictionary take the engine frames.
## The engine prints an error for each malformed Variant, so anyone could fill the log; printing is
## off during the call.
static func take_from(socket) -> Array:
	var packet: PackedByteArray = socket.get_packet()
	if packet.size() > MAX_BYTES:
		return []
	Engine.print_error_messages = false
	# Without objects: a sender of objects could run code here.
	var value: Variant = bytes_to_var(packet)
	Engine.print_error_messages = true
	if is_message(value):
		return value
	return []


static func is_message(value: Variant) -> bool:
	if not value is Array or value.is_empty() or typeof(value[0]) != TYPE_INT:
		return false
	var shape: Array = SHAPES.get(value[0], [])
	if shape.is_empty() or value.size() != shape.size() + 1:
		return false
	for i in shape.size():
		if typeof(value[i + 1]) != shape[i]:
			return false
	return true


## Only printable letters: names are printed, and strangers choose them.
static func is_name(text: String) -> bool:
	if text.strip_edges().is_empty() or text.length() > MAX_LETTERS:
		return false
	for i in text.length():
		if text.unicode_at(i) < 0x20 or text.unicode_at(i) > 0x7E:
			return false
	return true
