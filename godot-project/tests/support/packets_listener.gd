extends RefCounted
## Records packets_available of a peer: counts and frames.

var counts: PackedInt32Array
var frames: PackedInt64Array
var in_other_threads := 0
var wrong_counts := 0
# Weak: a strong reference would be a cycle.
var _peer: WeakRef


func _init(peer: PacketPeer) -> void:
	_peer = weakref(peer)
	peer.packets_available.connect(on_packets_available)


func on_packets_available(count: int) -> void:
	counts.append(count)
	frames.append(Engine.get_process_frames())
	in_other_threads += int(OS.get_thread_caller_id() != OS.get_main_thread_id())
	# More packets may have arrived since the count, and none was taken.
	var queued: int = _peer.get_ref().get_available_packet_count()
	wrong_counts += int(count < 1 or count > queued)


func last() -> int:
	return counts[-1] if not counts.is_empty() else 0


func check_all(suite: RefCounted) -> void:
	suite.check_equal(in_other_threads, 0, "emissions in other threads")
	suite.check_equal(wrong_counts, 0, "emissions with a wrong count")
	for i in range(1, frames.size()):
		suite.check(frames[i] > frames[i - 1], "two emissions in frame %d" % frames[i])
