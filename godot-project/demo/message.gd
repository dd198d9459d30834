extends RefCounted
## One message of the chat: how it travels, how it is read, how it is put in words.
##
## On the wire a message is one datagram, and its first byte tells what it is:
## - "T" and text in UTF-8, or "R" and raw bytes: sent with put_packet();
## - a Variant just as put_var() writes it. Such a packet begins with the number of its type, 0 to
##   38, which is no letter, so the kinds cannot be confused;
## - "P" alone: the death pill, which tells the receiver to stop; "K" alone: a sign of life.

enum Kind { TEXT, RAW, VARIANT, PILL, KEEP_ALIVE, UNKNOWN }

const Message := preload("message.gd")

const TEXT_LETTER := 0x54
const RAW_LETTER := 0x52
const PILL_LETTER := 0x50
const KEEP_ALIVE_LETTER := 0x4B

## How much of a long message is put in words.
const MAX_WORDS := 300
const MAX_HEX_BYTES := 12
## A larger Variant is not decoded: a stranger's could take longer than a frame.
const MAX_VARIANT_BYTES := 1200

var kind := Kind.UNKNOWN
## A String, a PackedByteArray, or any Variant: what `kind` says.
var value: Variant
## Bytes of the whole datagram, 0 before it is known.
var size := 0
## Who sent it: empty and 0 for a message that was not received.
var ip := ""
var port := 0


static func of_text(words: String) -> Message:
	return _make(Kind.TEXT, words)


static func of_bytes(bytes: PackedByteArray) -> Message:
	return _make(Kind.RAW, bytes)


static func of_variant(any: Variant) -> Message:
	return _make(Kind.VARIANT, any)


static func pill() -> Message:
	return _make(Kind.PILL, null)


static func keep_alive() -> Message:
	return _make(Kind.KEEP_ALIVE, null)


## Takes the next packet from `socket` and reads it. `socket` is a PacketPeerUdpRs or a
## PacketPeerUDP: they have the same methods but no common type, so none is written here.
static func take_from(socket) -> Message:
	var packet: PackedByteArray = socket.get_packet()
	var message := from_packet(packet)
	# They belong to the packet taken last.
	message.ip = socket.get_packet_ip()
	message.port = socket.get_packet_port()
	return message


static func from_packet(packet: PackedByteArray) -> Message:
	var message := Message.new()
	message.size = packet.size()
	message.value = packet
	if packet.is_empty():
		return message

	match packet[0]:
		TEXT_LETTER:
			message.kind = Kind.TEXT
			message.value = packet.slice(1).get_string_from_utf8()
		RAW_LETTER:
			message.kind = Kind.RAW
			message.value = packet.slice(1)
		PILL_LETTER:
			message.kind = Kind.PILL
		KEEP_ALIVE_LETTER:
			message.kind = Kind.KEEP_ALIVE
		var type when type < TYPE_MAX and packet.size() <= MAX_VARIANT_BYTES:
			message.kind = Kind.VARIANT
			message.value = bytes_to_var(packet)
	return message


static func _make(new_kind: Kind, new_value: Variant) -> Message:
	var message := Message.new()
	message.kind = new_kind
	message.value = new_value
	return message


## Sends it to the destination of `socket`.
func send_by(socket) -> Error:
	var packet := to_packet()
	size = packet.size()
	# put_var() writes the same bytes as to_packet(); a game would call it.
	return socket.put_var(value) if kind == Kind.VARIANT else socket.put_packet(packet)


func to_packet() -> PackedByteArray:
	match kind:
		Kind.TEXT:
			return PackedByteArray([TEXT_LETTER]) + (value as String).to_utf8_buffer()
		Kind.RAW:
			return PackedByteArray([RAW_LETTER]) + (value as PackedByteArray)
		Kind.VARIANT:
			return var_to_bytes(value)
		Kind.PILL:
			return PackedByteArray([PILL_LETTER])
		Kind.KEEP_ALIVE:
			return PackedByteArray([KEEP_ALIVE_LETTER])
	return value


## Whether both carry the same, down to the types inside a Variant.
func equals(other: Message) -> bool:
	return other != null and kind == other.kind and to_packet() == other.to_packet()


func sender() -> String:
	return "%s:%d" % [ip, port]


func kind_name() -> String:
	match kind:
		Kind.TEXT:
			return "text"
		Kind.RAW:
			return "raw bytes"
		Kind.VARIANT:
			return "Variant: " + type_string(typeof(value))
		Kind.PILL:
			return "death pill"
		Kind.KEEP_ALIVE:
			return "sign of life"
	return "unknown"


## The content as text, shortened if it is long.
func describe() -> String:
	match kind:
		Kind.TEXT, Kind.VARIANT:
			var words := str(value)
			return words if words.length() <= MAX_WORDS else words.left(MAX_WORDS) + "…"
		Kind.RAW, Kind.UNKNOWN:
			return _describe_bytes(value)
	return "one byte"


static func _describe_bytes(bytes: PackedByteArray) -> String:
	var hex := PackedStringArray()
	for byte in bytes.slice(0, MAX_HEX_BYTES):
		hex.append("%02x" % byte)
	var dots := " …" if bytes.size() > MAX_HEX_BYTES else ""
	return "%d bytes: %s%s" % [bytes.size(), " ".join(hex), dots]
