extends "case.gd"
## A frame of a server with many peers of which few have sent a packet: native and ours with a loop
## over all peers, and ours with get_ready_peers().

const Clients := preload("../clients.gd")
const ServerWithPeers := preload("../server_with_peers.gd")

const READY := &"get_ready_peers"
const SPEAKERS := 100
const FRAMES := 3

var peers: int

var _clients: Clients
var _servers: Dictionary[StringName, ServerWithPeers] = {}
# Microseconds per frame, one figure per round.
var _ready: PackedFloat64Array
var _rounds := 0


func _init(peer_count: int, clients: Clients) -> void:
	super("frame", Clients.SIZE)
	peers = peer_count
	_clients = clients


func name() -> String:
	return "%s, %d peers" % [id, peers]


func missing_members() -> PackedStringArray:
	var server := ServerWithPeers.SERVERS[OURS]
	return [] if ClassDB.class_has_method(server, READY) else PackedStringArray([READY])


func to_dictionary() -> Dictionary:
	var row := super()
	row.peers = peers
	row.ready = _ready
	return row


func run(rounds: int) -> String:
	var problem := _open()
	for i in rounds + 1:
		if not problem.is_empty():
			break
		# Each way is first in every third round; all get the same packets.
		_rounds += 1
		var from := _speakers(_rounds)
		var figures := {}
		for k in 3:
			var way: StringName = [NATIVE, OURS, READY][(i + k) % 3]
			var server := _servers[OURS if way == READY else way]
			var usec := 0
			for frame in FRAMES:
				usec += server.frame(from, way == READY)
			figures[way] = float(usec) / FRAMES
			if not server.problem.is_empty():
				problem = "%s: %s" % [way, server.problem]
		if i > 0 and problem.is_empty():  # the first round warms up
			_keep(NATIVE, figures[NATIVE])
			_keep(OURS, figures[OURS])
			_ready.append(figures[READY])
	_close()
	return problem


func _open() -> String:
	for kind: StringName in [NATIVE, OURS]:
		_servers[kind] = ServerWithPeers.new(kind, _clients)
		_servers[kind].accept(peers)
		if not _servers[kind].problem.is_empty():
			return "%s: %s" % [kind, _servers[kind].problem]
	return ""


# Clients in random order, each once.
func _speakers(random_seed: int) -> PackedInt32Array:
	seed(random_seed)
	var all := range(peers)
	all.shuffle()
	return PackedInt32Array(all.slice(0, SPEAKERS))


func _close() -> void:
	for kind in _servers:
		_servers[kind].close()
	_servers.clear()
