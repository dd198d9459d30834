extends RefCounted
## One of the peers that the stall compares: how it is set up, and which packets it gave the game.
## All of them are bound with the same buffer size and read by the same lines.

const Figures := preload("../figures.gd")
const PacedSender := preload("paced_sender.gd")
const Span := preload("span.gd")

const HOST := "127.0.0.1"
const BUFFER_BYTES := 64 * 1024 * 1024
const MOST_PER_FRAME := 500

## How the game receives with it.
var manner: String
## How many packets the game has taken from it.
var taken := 0
## Whether each of them came after all that were sent before it, and none twice.
var is_in_order := true
## What the system granted of BUFFER_BYTES, in its own figure; 0 where the class cannot tell.
var granted_bytes := 0
## How many packets the system has dropped because its buffer was full, and the peer because its
## queue was; -1 where the class cannot tell.
var dropped_by_kernel := -1
var dropped_by_queue := -1

# PacketPeerUdpRs or PacketPeerUDP: they have the same methods but no common type.
var _socket
var _last_number := -1
# By its number, 1 for each packet that has come.
var _has_come := PackedByteArray()


func _init(socket, how: String) -> void:
	_socket = socket
	manner = how
	_has_come.resize(PacedSender.LIMIT)


func open() -> Error:
	return _socket.bind(0, HOST, BUFFER_BYTES)


## Closes the peer, and keeps what it knows about the packets that were lost.
func close() -> void:
	if _socket is PacketPeerUdpRs and _socket.is_bound():
		var stats: Dictionary = _socket.get_stats()
		granted_bytes = _socket.receive_buffer_size
		dropped_by_kernel = stats["packets_dropped_kernel"]
		dropped_by_queue = stats["packets_dropped_queue"]
	_socket.close()


func class_title() -> String:
	return _socket.get_class()


func port() -> int:
	return _socket.get_local_port()


## What a game does once a frame. After the freeze there is much to catch up with: that is spread
## over some frames, lest it become the next freeze.
func read() -> void:
	for i in mini(_socket.get_available_packet_count(), MOST_PER_FRAME):
		var number: int = _socket.get_packet().decode_u32(0)
		is_in_order = is_in_order and number > _last_number
		_last_number = number
		_has_come[number] = 1
		taken += 1


## How many of the packets that were sent in the span have reached the game.
func count(span: Span) -> int:
	return _has_come.slice(span.first, span.end).count(1)


func lost(span: Span) -> int:
	return span.sent() - count(span)


## Why it lost what it lost, in words.
func explanation() -> String:
	if not _socket is PacketPeerUdpRs:
		return "recv_buf_size does not reach the system, which keeps to its default buffer."
	if _socket.background_receive:
		return "A thread of the addon emptied the system's buffer all the while."
	var words := "The system's buffer: %s granted." % Figures.bytes(granted_bytes)
	if dropped_by_kernel > 0:
		words += " It was full, and dropped %s." % Figures.grouped(dropped_by_kernel)
	return words
