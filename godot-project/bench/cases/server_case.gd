extends "case.gd"
## A server whose peers have all been sent packets: what it costs to poll, and to take them. The
## senders come in no order, so that what a large crowd costs a processor's caches is in it.

const Clients := preload("../clients.gd")
const Crowd := preload("../crowd.gd")

## So many packets in each round of each class, or one of every peer.
const PACKETS := 4000

var peers: int

var _clients: Clients
var _crowds: Dictionary[StringName, Crowd] = {}
var _passes := 0
var _rounds_begun: Dictionary[StringName, int] = {NATIVE: 0, OURS: 0}
# Microseconds per packet, a figure per round.
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
	# Who is first gets other memory than who is second: in turn, too.
	_passes += 1
	for kind: StringName in [NATIVE, OURS] if _passes % 2 else [OURS, NATIVE]:
		_crowds[kind] = Crowd.new(kind, _clients)
		_crowds[kind].accept(peers)
		if _crowds[kind].problem.is_empty():
			_crowds[kind].check_content()
	return _problem()


func _round(kind: StringName) -> float:
	var crowd := _crowds[kind]
	crowd.polling_usec = 0
	crowd.taking_usec = 0
	# The same for both classes in the same round.
	_rounds_begun[kind] += 1
	var order := _order(_rounds_begun[kind])
	for first in range(0, order.size(), Crowd.BATCH):
		if crowd.problem.is_empty():
			crowd.exchange(order.slice(first, first + Crowd.BATCH))
	return float(crowd.polling_usec + crowd.taking_usec) / order.size()


func _keep(kind: StringName, usec: float) -> void:
	super(kind, usec)
	var crowd := _crowds[kind]
	var polling_share := float(crowd.polling_usec) / (crowd.polling_usec + crowd.taking_usec)
	_polling[kind].append(usec * polling_share)
	_taking[kind].append(usec * (1 - polling_share))


# Every client, in another order each time, as often as it takes.
func _order(random_seed: int) -> PackedInt32Array:
	seed(random_seed)
	var turn := range(peers)
	var order := PackedInt32Array()
	while order.size() < PACKETS:
		turn.shuffle()
		order.append_array(PackedInt32Array(turn))
	return order


func _problem() -> String:
	for kind in _crowds:
		if not _crowds[kind].problem.is_empty():
			return "%s: %s" % [Crowd.SERVERS[kind], _crowds[kind].problem]
	return ""


func _close() -> void:
	for kind in _crowds:
		_crowds[kind].close()
	_crowds.clear()
