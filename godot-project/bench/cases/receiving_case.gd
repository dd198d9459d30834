extends "burst_case.gd"
## Receiving bursts. Native counts, then gets, packet by packet. In the background only what the
## game's thread still has to do is measured: the burst is queued already.

var _way: StringName
var _traffic: StringName
var _background: bool


## [param way] is how ours takes the packets, [param traffic] how they were sent to it.
func _init(way: StringName, traffic: StringName, packet_size: int, background: bool) -> void:
	super("%s of %s%s" % [way, traffic, " in background" if background else ""], packet_size)
	_way = way
	_traffic = traffic
	_background = background


func _needs() -> PackedStringArray:
	var needed: PackedStringArray = [_way, _traffic]
	if _way == &"get_packets_joined":
		needed.append("get_batch_sizes")
	if _background:
		needed.append("background_receive")
	return needed


func _open() -> String:
	# Packets sent one by one come from the same class, whoever receives them.
	var sender := NATIVE if _traffic == &"put_packet" else OURS
	_lanes = {
		NATIVE: Lane.new(NATIVE, NATIVE, size),
		OURS: Lane.new(sender, OURS, size, _background),
	}
	_lanes[OURS].check_content(_traffic, _way, _background)
	_lanes[NATIVE].check_content(&"put_packet", &"get_packet", false)
	return _problem()


func _round(kind: StringName) -> float:
	var lane := _lanes[kind]
	var is_ours := kind == OURS
	var usec := 0
	for i in BURSTS:
		lane.send(_traffic if is_ours else &"put_packet")
		if is_ours and _background:
			lane.await_queued()
		usec += lane.take(_way if is_ours else &"get_packet")
	lane.check_empty()
	return float(usec) / (BURSTS * Lane.BURST)
