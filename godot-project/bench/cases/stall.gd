extends RefCounted
## The number of packets that survive a stall of the game's thread: another thread sends without
## pauses, and the game's thread reads only after all packets have been sent.

const Case := preload("case.gd")

## The argument of bind(). Native uses it for its own queue only.
const BUFFER := 64 << 20
## Reading ends when no packet has come for this long. Where all packets must arrive, it is a limit
## that only a failure reaches.
const QUIET_MSEC := 200
const LOSSLESS_QUIET_MSEC := 20_000

## Mode, number of packets, size in bytes.
const STALLS: Array[Array] = [
	["native", 20_000, 64],
	["polled", 20_000, 64],
	["background", 20_000, 64],
	["native", 20_000, 1200],
	["polled", 20_000, 1200],
	["background", 20_000, 1200],
	["background", 200_000, 64],
]

## A dictionary per row of [constant STALLS].
var results: Array[Dictionary] = []

var _fault := ""


func missing_members() -> PackedStringArray:
	return Case.lacking(["background_receive", "receive_buffer_size"])


## Runs each row [param times] times and keeps the worst result. Returns the reason of a failure, or
## or "".
func run(times: int) -> String:
	var can_background := Case.lacking(["background_receive"]).is_empty()
	for row in STALLS:
		var result := {"mode": row[0], "sent": row[1], "size": row[2]}
		if row[0] == "background" and not can_background:
			result.missing = ["background_receive"]
		else:
			for i in times:
				result.merge(_worse(result, _stalled(row[0], row[1], row[2])), true)
		results.append(result)
	return _fault


static func _worse(one: Dictionary, other: Dictionary) -> Dictionary:
	if not one.has("received"):
		return other
	return {
		"received": mini(one.received, other.received),
		"in_order": one.in_order and other.in_order,
		"granted": other.granted,
	}


func _stalled(mode: String, count: int, size: int) -> Dictionary:
	var peer: Variant = ClassDB.instantiate(Case.NATIVE if mode == "native" else Case.OURS)
	if mode == "background":
		peer.background_receive = true
	if peer.bind(0, "127.0.0.1", BUFFER) != OK:
		_fault = "bind fails"
	var granted: Variant = peer.get("receive_buffer_size")
	var sender := Thread.new()
	sender.start(_send.bind(peer.get_local_port(), count, size))
	sender.wait_to_finish()

	var received := 0
	var in_order := true
	var next := 0
	var quiet_since := Time.get_ticks_msec()
	var quiet_msec := LOSSLESS_QUIET_MSEC if mode == "background" else QUIET_MSEC
	while received < count and Time.get_ticks_msec() < quiet_since + quiet_msec:
		while peer.get_available_packet_count() > 0:
			var packet: PackedByteArray = peer.get_packet()
			var number := packet.decode_u32(0) if packet.size() == size else -1
			# Lost packets leave gaps; the others keep their order.
			in_order = in_order and number >= next
			next = number + 1
			received += 1
			quiet_since = Time.get_ticks_msec()
		OS.delay_usec(200)
	return {"received": received, "in_order": in_order, "granted": granted if granted else 0}


func _send(port: int, count: int, size: int) -> void:
	var sender := PacketPeerUDP.new()
	sender.set_dest_address("127.0.0.1", port)
	var packet := PackedByteArray()
	packet.resize(size)
	for i in count:
		packet.encode_u32(0, i)
		sender.put_packet(packet)
