extends RefCounted
## One line of a peer's transcript: what it sent or received, and its destination or sender. A Bob
## in another process sends its notes as JSON, so that a Python program can write them too.

const Message := preload("message.gd")
const Note := preload("note.gd")

var sent := false
var kind := ""
## "ip:port" of the sender, or of the destination for what was sent.
var address := ""
var words := ""
## Bytes of the datagram.
var size := 0


static func of_received(message: Message) -> Note:
	return _of(message, false, message.sender())


static func of_sent(message: Message, destination: String) -> Note:
	return _of(message, true, destination)


## null if the text is no note.
static func from_json(json: String) -> Note:
	var fields: Variant = JSON.parse_string(json)
	if not fields is Dictionary:
		return null
	var note := Note.new()
	note.sent = fields.get("sent", false)
	note.kind = fields.get("kind", "")
	note.address = fields.get("address", "")
	note.words = fields.get("words", "")
	note.size = fields.get("size", 0)
	return note


static func _of(message: Message, was_sent: bool, where: String) -> Note:
	var note := Note.new()
	note.sent = was_sent
	note.kind = message.kind_name()
	note.address = where
	note.words = message.describe()
	note.size = message.size
	return note


func to_json() -> String:
	return JSON.stringify(
		{"sent": sent, "kind": kind, "address": address, "words": words, "size": size}
	)
