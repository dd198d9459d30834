extends RefCounted
## A server, the peers that it has accepted, and what is done with their packets.

const Clients := preload("clients.gd")
const Case := preload("cases/case.gd")

const SERVERS: Dictionary[StringName, StringName] = {
	Case.NATIVE: &"UDPServer",
	Case.OURS: &"UdpServerRs",
}
## How many packets wait for one poll(): fewer than a socket's buffer holds by default (of 64 bytes,
## 256 on Linux).
const BATCH := 200
## A packet that has not come out at the other end of loopback by then is lost.
const LOST_AFTER_MSEC := 2000

## What went wrong, also with the clients; "" while nothing has.
var problem := ""
## That of client i at i.
var peers: Array[PacketPeer] = []
var port := 0
## What [method exchange] has measured, until someone sets them back.
var polling_usec := 0
var taking_usec := 0

var _server: Variant
var _clients: Clients


func _init(kind: StringName, clients: Clients, background := false) -> void:
	_clients = clients
	_server = ClassDB.instantiate(SERVERS[kind])
	_server.max_pending_connections = BATCH
	if background:
		_server.background_receive = true
	problem = clients.problem
	if _server.listen(0, Clients.HOST) != OK:
		problem = "listen fails"
	port = _server.get_local_port()


## Accepts clients until there are so many. None has a packet left then.
func accept(count: int) -> void:
	var first := peers.size()
	peers.resize(count)
	while first < count and problem.is_empty():
		var batch := PackedInt32Array(range(first, mini(first + BATCH, count)))
		if _send(batch):
			_accept_batch(batch.size())
		first += BATCH
	if problem.is_empty() and null in peers:
		problem = "a client was accepted twice, and another not at all"


func _accept_batch(count: int) -> void:
	var deadline := Time.get_ticks_msec() + LOST_AFTER_MSEC
	var accepted := 0
	while accepted < count:
		_server.poll()
		while _server.is_connection_available():
			var peer: PacketPeer = _server.take_connection()
			var packet := peer.get_packet()
			var client := packet.decode_u32(0) if packet.size() == Clients.SIZE else -1
			if client < 0 or client >= peers.size():
				problem = "someone else sent a packet"
				return
			peers[client] = peer
			accepted += 1
		if Time.get_ticks_msec() > deadline:
			problem = "%d of %d clients were accepted" % [accepted, count]
			return


## Each of [param from] sends a packet, the server polls, and the script takes them. The loop is a
## game's, but goes to a peer as often as it has been sent a packet, so that a packet costs as many
## calls in a small crowd as in a large one.
func exchange(from: PackedInt32Array) -> void:
	var visited: Array[PacketPeer] = []
	for client in from:
		visited.append(peers[client])
	if not _send(from):
		return
	var left := from.size()
	var deadline := Time.get_ticks_msec() + LOST_AFTER_MSEC
	# Loopback has delivered everything when the sender returns. Only a very busy kernel puts that
	# off; such a round is slow, not wrong.
	while left > 0:
		var taken := 0
		var start := Time.get_ticks_usec()
		_server.poll()
		var polled := Time.get_ticks_usec()
		for peer in visited:
			for i in peer.get_available_packet_count():
				peer.get_packet()
				taken += 1
		taking_usec += Time.get_ticks_usec() - polled
		polling_usec += polled - start
		left -= taken
		if Time.get_ticks_msec() > deadline:
			problem = "%d of %d packets arrived" % [from.size() - left, from.size()]
			return
	if left < 0 or _server.is_connection_available():
		problem = "more came than was sent"


## Every peer gets its own client's packet, and nothing else.
func check_content() -> void:
	for first in range(0, peers.size(), BATCH):
		var batch := PackedInt32Array(range(first, mini(first + BATCH, peers.size())))
		if not _send(batch, first + 1):
			return
		_server.poll()
		for client in batch:
			var peer := peers[client]
			var packet := peer.get_packet()
			var whole := packet.size() == Clients.SIZE and peer.get_available_packet_count() == 0
			if not whole or packet.decode_u64(0) != client + ((first + 1) << 32):
				problem = "client %d sent something else than its peer got" % client
				return


## Every client sends so many packets, numbered from 0, in no order and as fast as it can. This
## thread does nothing but sleep until all is sent.
func flood(packets: int, random_seed: int) -> void:
	_clients.flood(port, peers.size(), packets, random_seed)
	problem = _clients.problem


## Takes all that there is, until nothing more has come for so long: calls [param taker] with the
## client's number and the packet.
func drain(quiet_msec: int, taker: Callable) -> void:
	var quiet_since := Time.get_ticks_msec()
	while Time.get_ticks_msec() < quiet_since + quiet_msec:
		_server.poll()
		for client in peers.size():
			var peer := peers[client]
			for i in peer.get_available_packet_count():
				taker.call(client, peer.get_packet())
				quiet_since = Time.get_ticks_msec()


## What the server says it has dropped; empty where it does not say.
func dropped() -> Dictionary:
	var result := {}
	if _server.has_method(&"get_stats"):
		var stats: Dictionary = _server.get_stats()
		for key: String in stats:
			if key.begins_with("packets_dropped_"):
				result[key] = stats[key]
	return result


func close() -> void:
	# The server first: native looks for every peer that goes in its list.
	_server.stop()
	peers.clear()


func _send(from: PackedInt32Array, number := 0) -> bool:
	_clients.send(port, from, number)
	problem = _clients.problem
	return problem.is_empty()
