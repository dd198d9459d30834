extends RefCounted
## One packet of the lobby, as it travels and as it is read. Any program on the network can send
## to the lobby's port, so what comes is looked at byte by byte, and what is not exactly one of
## these is no message:
##
## | bytes | announcement of a host    | ping, and the pong that answers it   |
## |-------|---------------------------|--------------------------------------|
## | 4     | "LAN!"                    | "LAN!"                               |
## | 1, 1  | version, kind             | version, kind                        |
## | 8     | the host's id             | the host's id                        |
## | 4     | port, players, most of    | token: the pong repeats the ping's   |
## | 1     | way, see Way              | (4 bytes) how long the host held the |
## | 4 a   | its name, 4 bytes each    | ping before it answered, in µs       |
## | letter|                           |                                      |
##
## A name is sent as UTF-32, because whether that is sound can be checked without the engine
## complaining in the log about a stranger's bytes.

enum Kind { ANNOUNCEMENT, PING, PONG }
## The way by which an announcement was sent: the receiving socket does not report it.
enum Way { MACHINE, BROADCAST, MULTICAST_IPV4, MULTICAST_IPV6 }

const Message := preload("lobby_message.gd")

const WAY_NAMES: Dictionary[Way, String] = {
	Way.MACHINE: "this machine",
	Way.BROADCAST: "broadcast",
	Way.MULTICAST_IPV4: "IPv4 multicast",
	Way.MULTICAST_IPV6: "IPv6 multicast",
}

## Give your game a signature of its own, so that it ignores other games' lobbies.
const SIGNATURE := 0x214E414C  # "LAN!"
## Increase it with every change of the layout: old and new games then ignore each other.
const VERSION := 1
const MAX_LETTERS := 24
const MAX_PLAYERS := 255

const HEAD_BYTES := 14
const ECHO_BYTES := HEAD_BYTES + 8
const NAMELESS_BYTES := HEAD_BYTES + 5
const LETTER_BYTES := 4
const MAX_BYTES := NAMELESS_BYTES + MAX_LETTERS * LETTER_BYTES

var kind := Kind.ANNOUNCEMENT
## The sending host, or the receiving one of a ping: random, new at each start.
var host_id := 0

## Of announcements: the game, as the host describes it.
var game_name := ""
var players := 0
var max_players := 0
## Where players connect to the game itself.
var game_port := 0
var way := Way.MACHINE

## Of pings and pongs.
var token := 0
var held_usec := 0


## null for anything but a message of this version.
static func read(packet: PackedByteArray) -> Message:
	var size := packet.size()
	if size < NAMELESS_BYTES or size > MAX_BYTES:
		return null
	if packet.decode_u32(0) != SIGNATURE or packet[4] != VERSION:
		return null
	var message := Message.new()
	message.host_id = packet.decode_s64(6)
	match packet[5]:
		Kind.ANNOUNCEMENT when message._read_announcement(packet):
			message.kind = Kind.ANNOUNCEMENT
		Kind.PING when size == ECHO_BYTES:
			message.kind = Kind.PING
			message._read_echo(packet)
		Kind.PONG when size == ECHO_BYTES:
			message.kind = Kind.PONG
			message._read_echo(packet)
		_:
			return null
	return message


static func ping(to_host: int, with_token: int) -> Message:
	var message := Message.new()
	message.kind = Kind.PING
	message.host_id = to_host
	message.token = with_token
	return message


## The answer to this ping.
func pong(after_usec: int) -> Message:
	var answer := Message.ping(host_id, token)
	answer.kind = Kind.PONG
	answer.held_usec = clampi(after_usec, 0, 0xFFFFFFFF)
	return answer


func to_packet() -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(NAMELESS_BYTES if kind == Kind.ANNOUNCEMENT else ECHO_BYTES)
	packet.encode_u32(0, SIGNATURE)
	packet[4] = VERSION
	packet[5] = kind
	packet.encode_s64(6, host_id)
	if kind != Kind.ANNOUNCEMENT:
		packet.encode_u32(HEAD_BYTES, token)
		packet.encode_u32(HEAD_BYTES + 4, held_usec)
		return packet
	packet.encode_u16(HEAD_BYTES, game_port)
	packet[HEAD_BYTES + 2] = clampi(players, 0, MAX_PLAYERS)
	packet[HEAD_BYTES + 3] = clampi(max_players, 0, MAX_PLAYERS)
	packet[HEAD_BYTES + 4] = way
	return packet + game_name.left(MAX_LETTERS).to_utf32_buffer()


func _read_echo(packet: PackedByteArray) -> void:
	token = packet.decode_u32(HEAD_BYTES)
	held_usec = packet.decode_u32(HEAD_BYTES + 4)


func _read_announcement(packet: PackedByteArray) -> bool:
	game_port = packet.decode_u16(HEAD_BYTES)
	players = packet[HEAD_BYTES + 2]
	max_players = packet[HEAD_BYTES + 3]
	if game_port == 0 or players > max_players or packet[HEAD_BYTES + 4] >= Way.size():
		return false
	way = packet[HEAD_BYTES + 4] as Way
	var letters := packet.slice(NAMELESS_BYTES)
	if letters.is_empty() or letters.size() % LETTER_BYTES != 0:
		return false
	for letter in letters.to_int32_array():
		if not _is_printable(letter):
			return false
	game_name = letters.get_string_from_utf32()
	return not game_name.strip_edges().is_empty()


## No control character, and a valid Unicode code point.
static func _is_printable(letter: int) -> bool:
	if letter < 0x20 or letter > 0x10FFFF:
		return false
	return (letter < 0x7F or letter >= 0xA0) and (letter < 0xD800 or letter >= 0xE000)
