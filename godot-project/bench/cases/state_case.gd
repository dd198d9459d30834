extends "case.gd"
## One packet to all peers of a server of ours: put_packet of each peer (in native's place) against
## put_packet_to.

const Clients := preload("../clients.gd")
const ServerWithPeers := preload("../server_with_peers.gd")

const TO_ALL := &"put_packet_to"
const TIMES := 3

var peers: int

var _clients: Clients
var _server: ServerWithPeers
var _packet := PackedByteArray()


func _init(peer_count: int, clients: Clients) -> void:
	super("state", Clients.SIZE)
	peers = peer_count
	_clients = clients
	_packet.resize(Clients.SIZE)


func name() -> String:
	return "%s, %d peers" % [id, peers]


func missing_members() -> PackedStringArray:
	var server := ServerWithPeers.SERVERS[OURS]
	return [] if ClassDB.class_has_method(server, TO_ALL) else PackedStringArray([TO_ALL])


func to_dictionary() -> Dictionary:
	var row := super()
	row.peers = peers
	row.against = "UdpServerRs, put_packet of each peer"
	return row


func _open() -> String:
	_server = ServerWithPeers.new(OURS, _clients)
	_server.accept(peers)
	return _server.problem


func _round(kind: StringName) -> float:
	var usec := 0
	for i in TIMES:
		usec += _server.tell_all(_packet, kind == OURS)
	return float(usec) / (TIMES * peers)


func _problem() -> String:
	return _server.problem


func _close() -> void:
	_server.close()
	_server = null
