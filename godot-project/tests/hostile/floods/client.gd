extends RefCounted
## A client that sends a numbered packet in each frame, and counts the answers.

const Target := preload("target.gd")

var sent := 0
var answered := 0
## The longest time without an answer since [method begin].
var longest_silence_msec := 0

var _peer: PacketPeer = ClassDB.instantiate(&"PacketPeerUdpRs")
var _answered_at := 0
var _sent_before := 0
var _answered_before := 0


func connect_to(port: int) -> bool:
	return _peer.connect_to_host(Target.LOOPBACK, port) == OK


## From now on it is measured how it is served.
func begin() -> void:
	_answered_at = Time.get_ticks_msec()
	_sent_before = sent
	_answered_before = answered
	longest_silence_msec = 0


func on_frame(mark := Target.KNOWN) -> void:
	for packet: PackedByteArray in _peer.get_packets():
		if Target.mark_of(packet) == Target.KNOWN:
			answered += 1
			longest_silence_msec = maxi(longest_silence_msec, Time.get_ticks_msec() - _answered_at)
			_answered_at = Time.get_ticks_msec()
	if _peer.put_packet(Target.packet_of(mark, sent)) == OK:
		sent += 1


## The share of its packets since [method begin] that were answered.
func share() -> float:
	return minf(float(answered - _answered_before) / maxi(sent - _sent_before, 1), 1.0)


## What has come from its server altogether.
func received() -> int:
	_peer.get_packets()
	return _peer.get_stats().packets_received


func dropped_by_kernel() -> int:
	return _peer.get_stats().packets_dropped_kernel


func close() -> void:
	_peer.close()
