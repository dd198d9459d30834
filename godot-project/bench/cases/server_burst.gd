extends RefCounted
## The number of packets that survive when all clients of a server send at once while the game's
## thread is stalled.

const Case := preload("case.gd")
const Clients := preload("../clients.gd")
const ServerWithPeers := preload("../server_with_peers.gd")

## Packets per client.
const PACKETS := 5
## Reading ends when no packet has come for this long. Where all packets must arrive, it is a limit
## that only a failure reaches.
const QUIET_MSEC := 200
const LOSSLESS_QUIET_MSEC := 20_000
const MODES: Array[StringName] = [&"native", &"polled", &"background"]

## A dictionary per mode.
var results: Array[Dictionary] = []

# Of the current burst: the lowest number that each client's next packet may have, and totals.
var _next: PackedInt32Array
var _received := 0
var _in_order := true


## Runs each mode [param times] times and keeps the worst result. Returns the reason of a failure,
## or "".
func run(clients: Clients, count: int, times: int) -> String:
	for mode in MODES:
		var result := {"mode": mode, "peers": count, "sent": count * PACKETS, "size": Clients.SIZE}
		results.append(result)
		var kind := Case.NATIVE if mode == &"native" else Case.OURS
		var server := ServerWithPeers.new(kind, clients, mode == &"background")
		server.accept(count)
		result.received = result.sent
		result.in_order = true
		for i in times:
			if server.problem.is_empty():
				_run_once(server, i, result)
		result.dropped = server.dropped()
		server.close()
		if not server.problem.is_empty():
			return server.problem
	return ""


func _run_once(server: ServerWithPeers, random_seed: int, result: Dictionary) -> void:
	_next.resize(server.peers.size())
	_next.fill(0)
	_received = 0
	_in_order = true
	server.flood(PACKETS, random_seed)
	var quiet_msec := LOSSLESS_QUIET_MSEC if result.mode == &"background" else QUIET_MSEC
	server.drain(result.sent, quiet_msec, _take)
	result.received = mini(result.received, _received)
	result.in_order = result.in_order and _in_order


func _take(client: int, packet: PackedByteArray) -> void:
	var whole := packet.size() == Clients.SIZE and packet.decode_u32(0) == client
	var number := packet.decode_u32(4) if whole else -1
	# Lost packets leave gaps; the others keep their order.
	_in_order = _in_order and number >= _next[client]
	_next[client] = number + 1
	_received += 1
