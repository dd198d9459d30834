extends RefCounted
## A server, the peers that it has accepted, and the exchange of packets with their clients.

const Clients := preload("clients.gd")
const Case := preload("cases/case.gd")

const SERVERS: Dictionary[StringName, StringName] = {
	Case.NATIVE: &"UDPServer",
	Case.OURS: &"UdpServerRs",
}
## Packets that wait for one poll(): fewer than a socket's buffer holds by default, which is 256
## packets of 64 bytes on Linux.
const BATCH := 200
## Packets that have not arrived after this time count as lost.
const LOST_AFTER_MSEC := 20_000

## The reason of a failure, also of the clients; "" until one occurs.
var problem := ""
## The peer of client i has index i.
var peers: Array[PacketPeer] = []
var port := 0
## Sums over all calls of [method exchange] since they were last set to 0.
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


## Accepts clients until there are [param count] peers, and takes their packets.
func accept(count: int) -> void:
	var first := peers.size()
	peers.resize(count)
	while first < count and problem.is_empty():
		var batch := PackedInt32Array(range(first, mini(first + BATCH, count)))
		# Within one frame, the second poll() lets as many newcomers in as a new frame does.
		for i in 2:
			_server.poll()
		if _send(batch):
			_accept_batch(batch.size())
		first += BATCH
	if problem.is_empty() and null in peers:
		problem = "a client was accepted twice, another not at all"


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
				problem = "a packet is not of these clients"
				return
			peers[client] = peer
			accepted += 1
		if Time.get_ticks_msec() > deadline:
			problem = "%d of %d clients were accepted" % [accepted, count]
			return


## Each client in [param from] sends a packet, the server polls, and the script counts and takes the
## packets. It visits a peer once for each packet that was sent to the peer, so that a packet costs
## the same number of calls whatever the number of peers.
func exchange(from: PackedInt32Array) -> void:
	var visited: Array[PacketPeer] = []
	for client in from:
		visited.append(peers[client])
	if not _send(from):
		return
	var left := from.size()
	var deadline := Time.get_ticks_msec() + LOST_AFTER_MSEC
	# Loopback usually has delivered everything when the send returns. After a busy kernel's late
	# delivery the round is slow, not wrong.
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
		problem = "more packets arrived than were sent"


## Each client in [param from] sends a packet; then a frame of a game, whose microseconds are
## returned: the server polls, and the script takes the packets of all peers that have some. It asks
## every peer, or the server for those that are ready.
func frame(from: PackedInt32Array, ready_only: bool) -> int:
	if not _send(from):
		return 0
	var taken := 0
	var usec := 0
	var deadline := Time.get_ticks_msec() + LOST_AFTER_MSEC
	while taken < from.size() and problem.is_empty():
		var start := Time.get_ticks_usec()
		_server.poll()
		if ready_only:
			for peer: PacketPeer in _server.get_ready_peers():
				for i in peer.get_available_packet_count():
					peer.get_packet()
					taken += 1
		else:
			for peer in peers:
				for i in peer.get_available_packet_count():
					peer.get_packet()
					taken += 1
		usec += Time.get_ticks_usec() - start
		if Time.get_ticks_msec() > deadline:
			problem = "%d of %d packets arrived" % [taken, from.size()]
	if taken > from.size():
		problem = "more packets arrived than were sent"
	return usec


## Sends a packet to every peer, with one call or with one for each; returns the microseconds.
func tell_all(packet: PackedByteArray, in_one_call: bool) -> int:
	var sent := 0
	var start := Time.get_ticks_usec()
	if in_one_call:
		sent = _server.put_packet_to(peers, packet)
	else:
		for peer in peers:
			sent += int(peer.put_packet(packet) == OK)
	var usec := Time.get_ticks_usec() - start
	if sent != peers.size():
		problem = "%d of %d packets were sent" % [sent, peers.size()]
	_clients.drain(peers.size(), peers.size())
	if problem.is_empty():
		problem = _clients.problem
	return usec


## Fails unless every peer gets its own client's packet and no other.
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
				problem = "the peer of client %d got another packet than that client sent" % client
				return


## Every client sends [param packets] packets, numbered from 0; all send in random order and without
## pauses. This thread sleeps until all packets have been sent.
func flood(packets: int, random_seed: int) -> void:
	_clients.flood(port, peers.size(), packets, random_seed)
	problem = _clients.problem


## Calls [param taker] with the client's number and the packet for every packet, until there were
## [param expected] packets or none has come for [param quiet_msec].
func drain(expected: int, quiet_msec: int, taker: Callable) -> void:
	var quiet_since := Time.get_ticks_msec()
	var taken := 0
	while taken < expected and Time.get_ticks_msec() < quiet_since + quiet_msec:
		_server.poll()
		for client in peers.size():
			var peer := peers[client]
			for i in peer.get_available_packet_count():
				taker.call(client, peer.get_packet())
				taken += 1
				quiet_since = Time.get_ticks_msec()


## The server's counters of dropped packets; empty if it has none.
func dropped() -> Dictionary:
	var result := {}
	if _server.has_method(&"get_stats"):
		var stats: Dictionary = _server.get_stats()
		for key: String in stats:
			if key.begins_with("packets_dropped_"):
				result[key] = stats[key]
	return result


func close() -> void:
	# The server first: a native server searches its list for every peer that is freed.
	_server.stop()
	peers.clear()


func _send(from: PackedInt32Array, number := 0) -> bool:
	_clients.send(port, from, number)
	problem = _clients.problem
	return problem.is_empty()
