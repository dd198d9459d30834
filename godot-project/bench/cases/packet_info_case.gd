extends "burst_case.gd"
## Receiving bursts with packet_info, against ours without it (in native's place).

const METHOD := &"get_packets"
const PROPERTY := &"packet_info"


func _init(packet_size: int) -> void:
	super("get_packets with packet_info", packet_size)


func to_dictionary() -> Dictionary:
	var row := super()
	row.against = "PacketPeerUdpRs without packet_info"
	return row


func _needs() -> PackedStringArray:
	return [METHOD, PROPERTY]


func _open() -> String:
	_pairs = {NATIVE: Pair.new(NATIVE, OURS, size), OURS: Pair.new(NATIVE, OURS, size)}
	_pairs[OURS].set_of_receiver(PROPERTY, true)
	for kind in _pairs:
		_pairs[kind].check_content(&"put_packet", METHOD, false)
	return _problem()


func _round(kind: StringName) -> float:
	var pair := _pairs[kind]
	var usec := 0
	for i in BURSTS:
		pair.send(&"put_packet")
		usec += pair.take(METHOD)
	pair.check_empty()
	return float(usec) / (BURSTS * Pair.BURST)
