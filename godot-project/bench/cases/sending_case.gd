extends "burst_case.gd"
## Sending bursts. Native sends with put_packet, or as ours if it has what that needs.

const PACKET_BY_PACKET: Array[StringName] = [&"put_packet", Pair.READDRESSED]

var _method: StringName


func _init(method: StringName, packet_size: int) -> void:
	super(method, packet_size)
	_method = method


func _needs() -> PackedStringArray:
	return [] if _method in PACKET_BY_PACKET else [_method]


func _open() -> String:
	# Only a receiver of ours has room for many packets at a time. Packets sent one by one go to the
	# same class, so that only the sender differs.
	var receiver := NATIVE if _method in PACKET_BY_PACKET else OURS
	_pairs = {NATIVE: Pair.new(NATIVE, NATIVE, size), OURS: Pair.new(OURS, receiver, size)}
	for kind in _pairs:
		_pairs[kind].check_content(_method_of(kind), &"get_packet", false)
	return _problem()


func _round(kind: StringName) -> float:
	var pair := _pairs[kind]
	var method := _method_of(kind)
	var usec := 0
	for i in BURSTS:
		usec += pair.send(method)
		pair.take(&"get_packet")
	pair.check_empty()
	return float(usec) / (BURSTS * Pair.BURST)


func _method_of(kind: StringName) -> StringName:
	return _method if kind == OURS or _method in PACKET_BY_PACKET else &"put_packet"
