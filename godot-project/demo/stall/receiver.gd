extends RefCounted
## One of the peers that the stall compares: how it is set up, and which packets it gave the game.
## All of them are bound with the same buffer size and read by the same lines.

const Figures := preload("../figures.gd")
const PacedSender := preload("paced_sender.gd")
const Span := preload("span.gd")

const HOST := "127.0.0.1"
const BUFFER_BYTES := 64 * 1024 * 1024
const MOST_PER_FRAME := 500

## How the game reads this peer.
var manner: String
## How many packets the game has taken from it.
var taken := 0
## Whether all packets arrived in order, none twice.
var is_in_order := true
## How many bytes of BUFFER_BYTES the system granted; 0 if the class does not report it.
var granted_bytes := 0
## How many packets the system and the peer's queue dropped because they were full; -1 if the class
## does not report it.
var dropped_by_kernel := -1
var dropped_by_queue := -1

# PacketPeerUdpRs or PacketPeerUDP: they have the same methods but no common type.
var _socket
var _last_number := -1
# 1 at the number of each packet that has arrived.
var _has_come := PackedByteArray()


func _init(socket, how: String) -> void:
	_socket = socket
	manner = how
	_has_come.resize(PacedSender.LIMIT)


func open() -> Error:
	return _socket.bind(0, HOST, BUFFER_BYTES)


## Closes the peer and keeps its counts of lost packets.
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


## Reads packets, once a frame. After the freeze there are many: reading all in one frame would be
## another freeze.
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


## The reason for the losses, as text.
func explanation() -> String:
	if not _socket is PacketPeerUdpRs:
		return "recv_buf_size does not reach the system, which keeps to its default buffer."
	if _socket.background_receive:
		return "A thread of the addon emptied the system's buffer all the while."
	var words := "The system's buffer: %s granted." % Figures.bytes(granted_bytes)
	if dropped_by_kernel > 0:
		words += " It was full, and dropped %s." % Figures.grouped(dropped_by_kernel)
	return words
