extends "clients_target.gd"
## A server with four clients, which it answers, among senders without end.

## How long a client may go without an answer, on a busy machine.
const SILENCE_MSEC := 5000
## As by default.
const PENDING := 16
const QUEUE := 65_536

var _kind: StringName
var _background: bool
var _server: RefCounted
# The peers that the game keeps; the others it drops.
var _peers: Array[PacketPeer]
var _strangers := 0
var _taken := 0


func _init(of: String, kind: StringName, background: bool) -> void:
	super(of)
	_kind = kind
	_background = background
	is_native = kind == &"UDPServer"


func open() -> bool:
	_server = ClassDB.instantiate(_kind)
	if _background:
		_server.background_receive = true
	if _server.listen(0, LOOPBACK) != OK:
		return false
	return _open_clients()


func is_ready() -> bool:
	return _peers.size() == CLIENTS


func port() -> int:
	return _server.get_local_port()


func on_frame() -> void:
	super()
	if not _background:
		_server.poll()
	while _server.is_connection_available():
		_admit(_server.take_connection())
	for peer: PacketPeer in _peers if is_native else _server.get_ready_peers():
		for i in peer.get_available_packet_count():
			_answer(peer)


func report() -> Dictionary:
	var account := super()
	if is_native:
		account.received = _taken
		account.kernel = Sockets.drops_of(port())
		account.queue = "?"
		account.refused = "?"
		return account
	var stats: Dictionary = _server.get_stats()
	account.received = stats.packets_received
	account.kernel = stats.packets_dropped_kernel
	account.queue = stats.packets_dropped_queue
	account.refused = stats.packets_dropped_pending
	return account


func bound() -> int:
	return (CLIENTS + PENDING) * QUEUE


func problems() -> PackedStringArray:
	var found := super()
	for client in _clients:
		if client.longest_silence_msec > SILENCE_MSEC:
			found.append("a client was not answered for %d ms" % client.longest_silence_msec)
	if _server.get_peer_count() != CLIENTS:
		found.append("%d peers are left of %d" % [_server.get_peer_count(), CLIENTS])
	if _strangers == 0:
		found.append("no forged sender came as far as the game")
	return found


func close() -> void:
	_peers.clear()
	_server.stop()
	super()


# Looks at the first packet of a new sender, and keeps the peer of one that is known.
func _admit(peer: PacketPeer) -> void:
	if peer == null:
		return
	_taken += 1
	if mark_of(peer.get_packet()) == KNOWN:
		_peers.append(peer)
	else:
		_strangers += 1
		_taken += maxi(peer.get_available_packet_count(), 0)


func _answer(peer: PacketPeer) -> void:
	var packet := peer.get_packet()
	_taken += 1
	if mark_of(packet) == LAST:
		_has_last = true
	elif mark_of(packet) == KNOWN:
		peer.put_packet(packet)
