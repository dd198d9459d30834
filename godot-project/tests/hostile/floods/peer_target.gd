extends "target.gd"
## A bound peer, from which each frame takes a limited number of packets.

## Packets that a frame takes at most.
const PER_FRAME := 1000
const BUFFER := 1 << 18

var _kind: StringName
var _background: bool
var _peer: PacketPeer
var _taken := 0
var _sent_last := 0
var _sender: PacketPeerUDP


func _init(of: String, kind: StringName, background: bool) -> void:
	super(of)
	_kind = kind
	_background = background
	is_native = kind == &"PacketPeerUDP"


func open() -> bool:
	_peer = ClassDB.instantiate(_kind)
	if _background:
		_peer.background_receive = true
	return _peer.bind(0, LOOPBACK, BUFFER) == OK


func port() -> int:
	return _peer.get_local_port()


func on_frame() -> void:
	if is_native:
		for i in mini(_peer.get_available_packet_count(), PER_FRAME):
			_look_at(_peer.get_packet())
	else:
		for packet: PackedByteArray in _peer.get_packets(5 * PER_FRAME if is_over else PER_FRAME):
			_look_at(packet)


func report() -> Dictionary:
	var account := super()
	account.sent = _sent_last
	if is_native:
		account.received = _taken + maxi(_peer.get_available_packet_count(), 0)
		account.kernel = Sockets.drops_of(port())
		account.queue = "?"
		account.refused = "-"
	else:
		var stats: Dictionary = _peer.get_stats()
		account.received = stats.packets_received
		account.kernel = stats.packets_dropped_kernel
		account.queue = stats.packets_dropped_queue
	return account


func is_drained() -> bool:
	return _peer.get_available_packet_count() == 0


func send_last() -> void:
	_sender = PacketPeerUDP.new()
	_sender.set_dest_address(LOOPBACK, port())
	_sender.put_packet(packet_of(LAST))
	_sent_last += 1


func bound() -> int:
	return 2 * BUFFER  # the queue holds the next power of two above


func problems() -> PackedStringArray:
	var stats: Dictionary = _peer.get_stats()
	if stats.packets_received != _taken + _peer.get_available_packet_count():
		return ["%d packets received, %d taken" % [stats.packets_received, _taken]]
	return []


func close() -> void:
	_peer.close()


func _look_at(packet: PackedByteArray) -> void:
	_taken += 1
	if mark_of(packet) == LAST:
		_has_last = true
