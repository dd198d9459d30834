extends "burst_case.gd"
## Sending bursts. Native sends packet by packet with put_packet.

var _way: StringName


func _init(way: StringName, packet_size: int) -> void:
	super(way, packet_size)
	_way = way


func _needs() -> PackedStringArray:
	return [_way]


func _open() -> String:
	# What goes out many at a time is taken over whole by a receiver of our own, and by no other. For
	# the single packet both have the same receiver: only the sender differs.
	var receiver := NATIVE if _way == &"put_packet" else OURS
	_lanes = {NATIVE: Lane.new(NATIVE, NATIVE, size), OURS: Lane.new(OURS, receiver, size)}
	_lanes[OURS].check_content(_way, &"get_packet", false)
	_lanes[NATIVE].check_content(&"put_packet", &"get_packet", false)
	return _problem()


func _round(kind: StringName) -> float:
	var lane := _lanes[kind]
	var way := _way if kind == OURS else &"put_packet"
	var usec := 0
	for i in BURSTS:
		usec += lane.send(way)
		lane.take(&"get_packet")
	lane.check_empty()
	return float(usec) / (BURSTS * Lane.BURST)
