extends RefCounted
## The end that sends every packet back to where it came from, from a thread: like another computer
## it does not wait for this game's frames. It is a PacketPeerUdpRs or the engine's PacketPeerUDP.

const LabPattern := preload("lab_pattern.gd")

const HOST := "127.0.0.1"
const BUFFER_BYTES := 8 * 1024 * 1024
## A packet of so many bytes ends a wait and is not answered.
const WAKE_BYTES := 1

# PacketPeerUdpRs or PacketPeerUDP.
var _peer
var _thread := Thread.new()
# Only used by the thread: where the packets come from.
var _ip := ""
var _port := 0
# What follows is shared with the thread, under the mutex.
var _mutex := Mutex.new()
var _stopped := false


func _init(peer) -> void:
	_peer = peer


func start() -> Error:
	var error: Error = _peer.bind(0, HOST, BUFFER_BYTES)
	if error == OK:
		error = _thread.start(_echo_all)
	return error


func port() -> int:
	return _peer.get_local_port()


func stop() -> void:
	_mutex.lock()
	_stopped = true
	_mutex.unlock()
	if not _thread.is_started():
		return
	# PacketPeerUDP.wait() ends with a packet only, and that may be dropped where the buffer is full:
	# then there are others.
	var waker := PacketPeerUDP.new()
	waker.set_dest_address(HOST, port())
	var wake := PackedByteArray()
	wake.resize(WAKE_BYTES)
	waker.put_packet(wake)
	_thread.wait_to_finish()
	_peer.close()


func _is_stopped() -> bool:
	_mutex.lock()
	var stopped := _stopped
	_mutex.unlock()
	return stopped


func _echo_all() -> void:
	while not _is_stopped():
		if _peer.wait() != OK:
			return
		if _peer is PacketPeerUdpRs:
			_echo_batch()
		else:
			_echo_each()


func _echo_batch() -> void:
	var packets: Array[PackedByteArray] = _peer.get_packets()
	if packets.is_empty() or packets[-1].size() < LabPattern.LEAST_PACKET_BYTES:
		return
	_answer_to(_peer.get_packet_ip(), _peer.get_packet_port())
	_peer.put_packets(packets)


func _echo_each() -> void:
	while _peer.get_available_packet_count() > 0:
		var packet: PackedByteArray = _peer.get_packet()
		if packet.size() >= LabPattern.LEAST_PACKET_BYTES:
			_answer_to(_peer.get_packet_ip(), _peer.get_packet_port())
			_peer.put_packet(packet)


func _answer_to(ip: String, sender_port: int) -> void:
	if ip != _ip or sender_port != _port:
		_ip = ip
		_port = sender_port
		_peer.set_dest_address(ip, sender_port)
