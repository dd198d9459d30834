extends "burst_case.gd"
## Sending, or receiving, with conditions that do nothing, against ours without conditions (in
## native's place).

const PROPERTIES: Dictionary[StringName, StringName] = {
	&"put_packet": &"send_conditions", &"get_packet": &"receive_conditions"
}

var _method: StringName


func _init(method: StringName, packet_size: int) -> void:
	super("%s with conditions that do nothing" % method, packet_size)
	_method = method


func to_dictionary() -> Dictionary:
	var row := super()
	row.against = "PacketPeerUdpRs without conditions"
	return row


func _needs() -> PackedStringArray:
	return PROPERTIES.values()


func _open() -> String:
	_pairs = {NATIVE: Pair.new(OURS, OURS, size), OURS: Pair.new(OURS, OURS, size)}
	var conditions: Resource = ClassDB.instantiate(&"UdpLinkConditions")
	if _method == &"put_packet":
		_pairs[OURS].set_of_sender(PROPERTIES[_method], conditions)
	else:
		_pairs[OURS].set_of_receiver(PROPERTIES[_method], conditions)
	for kind in _pairs:
		_pairs[kind].check_content(&"put_packet", &"get_packet", false)
	return _problem()


func _round(kind: StringName) -> float:
	var pair := _pairs[kind]
	var usec := 0
	for i in BURSTS:
		var sending := pair.send(&"put_packet")
		var receiving := pair.take(&"get_packet")
		usec += sending if _method == &"put_packet" else receiving
	pair.check_empty()
	return float(usec) / (BURSTS * Pair.BURST)
