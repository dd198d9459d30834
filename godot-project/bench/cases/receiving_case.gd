extends "burst_case.gd"
## Receiving bursts. Native counts and gets packet by packet. In background mode the burst is queued
## before the measurement, which then is the game thread's share.

var _method: StringName
var _traffic: StringName
var _background: bool


## Ours takes the packets with [param method]; they were sent with [param traffic].
func _init(method: StringName, traffic: StringName, packet_size: int, background: bool) -> void:
	super("%s of %s%s" % [method, traffic, " in background" if background else ""], packet_size)
	_method = method
	_traffic = traffic
	_background = background


func _needs() -> PackedStringArray:
	var needed: PackedStringArray = [_method, _traffic]
	if _method == &"get_packets_joined":
		needed.append("get_batch_sizes")
	if _background:
		needed.append("background_receive")
	return needed


func _open() -> String:
	# Both receivers get packets sent one by one from the same class.
	var sender := NATIVE if _traffic == &"put_packet" else OURS
	_pairs = {
		NATIVE: Pair.new(NATIVE, NATIVE, size),
		OURS: Pair.new(sender, OURS, size, _background),
	}
	_pairs[OURS].check_content(_traffic, _method, _background)
	_pairs[NATIVE].check_content(&"put_packet", &"get_packet", false)
	return _problem()


func _round(kind: StringName) -> float:
	var pair := _pairs[kind]
	var is_ours := kind == OURS
	var usec := 0
	for i in BURSTS:
		pair.send(_traffic if is_ours else &"put_packet")
		if is_ours and _background:
			pair.await_queued()
		usec += pair.take(_method if is_ours else &"get_packet")
	pair.check_empty()
	return float(usec) / (BURSTS * Pair.BURST)
