extends "worker.gd"
## A server whose clients connect, exchange packets and leave, among packets from strangers.
## Sometimes it is restarted.

const MAX_CLIENTS := 40
const STRANGERS := 30
## The first byte of a hello, "h"; no numbered packet begins with it.
const HELLO := 0x68

var _server: RefCounted = ClassDB.instantiate(&"UdpServerRs")
# The clients' peers, and the server's connection for each.
var _clients: Array[PacketPeer]
var _peers: Array[PacketPeer]
var _seen := 0
# How many signals were emitted; on the main thread.
var _signals := 0


func do_round() -> void:
	if not _server.is_listening() or chance(0.05):
		_restart()
	_server.max_pending_connections = rng.randi_range(1, 32)
	_server.background_receive = chance(0.5)
	_server.peer_timeout_msec = 60_000 if chance(0.5) else 0
	for i in rng.randi_range(1, 5):
		_connect_client(make_peer(OURS))
	_exchange()
	_send_as_strangers()
	while _clients.size() > MAX_CLIENTS or (chance(0.8) and not _clients.is_empty()):
		_drop_client(rng.randi_range(0, _clients.size() - 1))
	# While the main thread emits a signal of a peer that was dropped, it still holds it.
	var is_right := func() -> bool: return _server.get_peer_count() == _clients.size()
	if not wait_until(is_right):
		fail("get_peer_count: %d of %d clients" % [_server.get_peer_count(), _clients.size()])


func finish() -> void:
	_server.stop()
	for peer in _peers:
		check_equal(peer.is_bound(), false, "is_bound after stop")
	_clients.clear()
	_peers.clear()
	_server = null
	if _signals == 0:
		fail("no signal came")


func figures() -> String:
	return "%d clients, %d signals" % [_seen, _signals]


func _restart() -> void:
	_server.stop()
	_clients.clear()
	_peers.clear()
	check_equal(_server.listen(0, LOOPBACK), OK, "listen")


# Strangers of the round before may be pending in front of it.
func _connect_client(client: PacketPeer) -> void:
	check_equal(client.connect_to_host(LOOPBACK, _server.get_local_port()), OK, "connect_to_host")
	var hello := ("hello, I am number %d" % _seen).to_utf8_buffer()
	var came := func() -> bool:
		_server.poll()
		while _server.is_connection_available():
			var peer: PacketPeer = _server.take_connection()
			if peer.get_packet() == hello:
				_peers.append(peer)
				return true
		client.put_packet(hello)
		return false
	if not wait_until(came):
		fail("a client gets no connection: %s" % _server.get_stats())
		return
	_clients.append(client)
	_seen += 1
	var peer := _peers[-1]
	peer.overflow_policy = DROP_OLDEST if chance(0.5) else DROP_NEWEST
	peer.packets_available.connect(_on_packets_available)


func _on_packets_available(_count: int) -> void:
	_signals += 1


# Each client sends some packets; its connection, and no other, receives them in order; then back. A
# client may have sent more hellos than needed.
func _exchange() -> void:
	for i in _clients.size():
		var packets: Array[PackedByteArray] = []
		var size := rng.randi_range(4, 1200)
		for number in rng.randi_range(1, 20):
			packets.append(numbered(number, size))
		_send(_clients[i], packets)
		_expect(_peers[i], packets)
		_send(_peers[i], packets)
		_expect(_clients[i], packets)


func _send(peer: PacketPeer, packets: Array[PackedByteArray]) -> void:
	if chance(0.5):
		check_equal(peer.put_packets(packets), packets.size(), "put_packets")
		return
	for packet in packets:
		check_equal(peer.put_packet(packet), OK, "put_packet")


func _expect(peer: PacketPeer, packets: Array[PackedByteArray]) -> void:
	var got: Array[PackedByteArray] = []
	var has_all := func() -> bool:
		if chance(0.3):
			peer.wait(10)
		else:
			_server.poll()
		for packet: PackedByteArray in peer.get_packets():
			if packet[0] != HELLO:
				got.append(packet)
		return got.size() >= packets.size()
	check(wait_until(has_all), "not all packets came: %s" % _server.get_stats())
	check(got == packets, "what came is not what was sent")


func _send_as_strangers() -> void:
	for i in STRANGERS:
		make_peer(OURS).send_to([1], LOOPBACK, _server.get_local_port())
	_server.poll()
	if chance(0.5):
		var dropped: PacketPeer = _server.take_connection()
		check(dropped == null or dropped.is_bound(), "a stranger's peer")


func _drop_client(index: int) -> void:
	if chance(0.5):
		_peers[index].close()
		check_equal(_peers[index].is_bound(), false, "is_bound after close")
	_peers.remove_at(index)
	_clients.remove_at(index)
