extends "case.gd"
## The cost of poll() and of counting and taking, per packet, for a server with many peers. Clients
## send in random order, so that the figures contain the cache misses of many peers.

const Clients := preload("../clients.gd")
const ServerWithPeers := preload("../server_with_peers.gd")

## Packets per round and class, at least; always the same number from every client.
const PACKETS := 4000

var peers: int

var _clients: Clients
var _servers: Dictionary[StringName, ServerWithPeers] = {}
var _passes := 0
var _rounds_begun: Dictionary[StringName, int] = {NATIVE: 0, OURS: 0}
# Microseconds per packet, one figure per round.
var _polling: Dictionary[StringName, PackedFloat64Array] = {}
var _taking: Dictionary[StringName, PackedFloat64Array] = {}


func _init(peer_count: int, clients: Clients) -> void:
	super("server", Clients.SIZE)
	peers = peer_count
	_clients = clients
	for kind: StringName in [NATIVE, OURS]:
		_polling[kind] = PackedFloat64Array()
		_taking[kind] = PackedFloat64Array()


func name() -> String:
	return "%s, %d peers" % [id, peers]


func to_dictionary() -> Dictionary:
	return {
		"peers": peers,
		"size": size,
		"polling": {"native": _polling[NATIVE], "ours": _polling[OURS]},
		"taking": {"native": _taking[NATIVE], "ours": _taking[OURS]},
	}


func _open() -> String:
	# The class that is created first gets other memory: alternate that too.
	_passes += 1
	for kind: StringName in [NATIVE, OURS] if _passes % 2 else [OURS, NATIVE]:
		_servers[kind] = ServerWithPeers.new(kind, _clients)
		_servers[kind].accept(peers)
		if _servers[kind].problem.is_empty():
			_servers[kind].check_content()
	return _problem()


func _round(kind: StringName) -> float:
	var server := _servers[kind]
	server.polling_usec = 0
	server.taking_usec = 0
	# Both classes get the same order in the same round.
	_rounds_begun[kind] += 1
	var order := _order(_rounds_begun[kind])
	for first in range(0, order.size(), ServerWithPeers.BATCH):
		if server.problem.is_empty():
			server.exchange(order.slice(first, first + ServerWithPeers.BATCH))
	return float(server.polling_usec + server.taking_usec) / order.size()


func _keep(kind: StringName, usec: float) -> void:
	super(kind, usec)
	var server := _servers[kind]
	var polling_share := float(server.polling_usec) / (server.polling_usec + server.taking_usec)
	_polling[kind].append(usec * polling_share)
	_taking[kind].append(usec * (1 - polling_share))


# All clients in random order, repeated until there are enough packets.
func _order(random_seed: int) -> PackedInt32Array:
	seed(random_seed)
	var turn := range(peers)
	var order := PackedInt32Array()
	while order.size() < PACKETS:
		turn.shuffle()
		order.append_array(PackedInt32Array(turn))
	return order


func _problem() -> String:
	for kind in _servers:
		if not _servers[kind].problem.is_empty():
			return "%s: %s" % [ServerWithPeers.SERVERS[kind], _servers[kind].problem]
	return ""


func _close() -> void:
	for kind in _servers:
		_servers[kind].close()
	_servers.clear()
