extends RefCounted
## How much arrives of what is sent while the game's thread is held up and reads nothing. A thread
## sends as fast as it can; the game's thread reads only when that has ended.

const Case := preload("case.gd")

## What is asked for at bind(); native gives it to its own queue only.
const BUFFER := 64 << 20
## Nothing new for so long: nothing more will come.
const QUIET_MSEC := 200

## Who receives in the background, how many packets of which size.
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


## Runs each so many times, and keeps the worst. What went wrong; "" where nothing did.
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
	while received < count and Time.get_ticks_msec() < quiet_since + QUIET_MSEC:
		while peer.get_available_packet_count() > 0:
			var packet: PackedByteArray = peer.get_packet()
			var number := packet.decode_u32(0) if packet.size() == size else -1
			# Lost ones leave gaps; those that are there keep their order.
			in_order = in_order and number >= next
			next = number + 1
			received += 1
			quiet_since = Time.get_ticks_msec()
	return {"received": received, "in_order": in_order, "granted": granted if granted else 0}


func _send(port: int, count: int, size: int) -> void:
	var sender := PacketPeerUDP.new()
	sender.set_dest_address("127.0.0.1", port)
	var packet := PackedByteArray()
	packet.resize(size)
	for i in count:
		packet.encode_u32(0, i)
		sender.put_packet(packet)
