extends RefCounted
## What comes through when a whole crowd sends at once while the game's thread is held up.

const Case := preload("case.gd")
const Clients := preload("../clients.gd")
const Crowd := preload("../crowd.gd")

## Packets of each client.
const PACKETS := 5
## Nothing new for so long: nothing more will come.
const QUIET_MSEC := 200
const MODES: Array[StringName] = [&"native", &"polled", &"background"]

## A dictionary per mode.
var results: Array[Dictionary] = []

# Of one flood: the least number that the next packet of each client may have, and the like.
var _next: PackedInt32Array
var _received := 0
var _in_order := true


## Floods each so many times, and keeps the worst. What went wrong; "" where nothing did.
func run(clients: Clients, count: int, times: int) -> String:
	for mode in MODES:
		var result := {"mode": mode, "peers": count, "sent": count * PACKETS, "size": Clients.SIZE}
		results.append(result)
		var kind := Case.NATIVE if mode == &"native" else Case.OURS
		var crowd := Crowd.new(kind, clients, mode == &"background")
		crowd.accept(count)
		result.received = result.sent
		result.in_order = true
		for i in times:
			if crowd.problem.is_empty():
				_flood(crowd, i, result)
		result.dropped = crowd.dropped()
		crowd.close()
		if not crowd.problem.is_empty():
			return crowd.problem
	return ""


func _flood(crowd: Crowd, random_seed: int, result: Dictionary) -> void:
	_next.resize(crowd.peers.size())
	_next.fill(0)
	_received = 0
	_in_order = true
	crowd.flood(PACKETS, random_seed)
	crowd.drain(QUIET_MSEC, _take)
	result.received = mini(result.received, _received)
	result.in_order = result.in_order and _in_order


func _take(client: int, packet: PackedByteArray) -> void:
	var whole := packet.size() == Clients.SIZE and packet.decode_u32(0) == client
	var number := packet.decode_u32(4) if whole else -1
	# Lost ones leave gaps; those that are there keep their order.
	_in_order = _in_order and number >= _next[client]
	_next[client] = number + 1
	_received += 1
