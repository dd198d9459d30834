extends "clients_target.gd"
## A relay with four clients, all of whose other places forged senders have taken when the flood
## goes on. The peer behind it answers the clients.

const PLACES := 32
const BUFFER := 1 << 20

var _proxy: RefCounted
var _peer: PacketPeer
var _answers := 0


func open() -> bool:
	_peer = ClassDB.instantiate(&"PacketPeerUdpRs")
	_peer.background_receive = true
	_proxy = ClassDB.instantiate(&"UdpLinkProxy")
	_proxy.max_clients = PLACES
	if _peer.bind(0, LOOPBACK, BUFFER) != OK:
		return false
	if _proxy.start(LOOPBACK, _peer.get_local_port()) != OK:
		return false
	return _open_clients()


func is_ready() -> bool:
	return _clients.all(func(client: Client) -> bool: return client.answered > 0)


func port() -> int:
	return _proxy.get_local_port()


func on_frame() -> void:
	super()
	var packets: Array[PackedByteArray] = _peer.get_packets()
	var ports: PackedInt32Array = _peer.get_batch_ports()
	for i in packets.size():
		if mark_of(packets[i]) == LAST:
			_has_last = true
		elif mark_of(packets[i]) == KNOWN:
			_answers += int(_peer.send_to(packets[i], LOOPBACK, ports[i]) == OK)


# The relay does not count what its socket has dropped; the system lists it.
func report() -> Dictionary:
	var account := super()
	var stats: Dictionary = _proxy.get_stats()
	account.received = stats.to_target_packets_out
	account.kernel = Sockets.drops_of(port())
	account.refused = stats.to_target_dropped
	return account


func bound() -> int:
	return 2 * BUFFER


func problems() -> PackedStringArray:
	var found := super()
	var stats: Dictionary = _proxy.get_stats()
	if _proxy.get_client_count() != PLACES:
		found.append("%d clients, not %d" % [_proxy.get_client_count(), PLACES])
	if stats.to_target_dropped == 0:
		found.append("no sender was refused a place")
	_compare(found, "to the target", stats.to_target_packets_in, _out_of(stats, "to_target_"))
	var behind: Dictionary = _peer.get_stats()
	_compare(
		found,
		"from the relay to the target",
		stats.to_target_packets_out,
		behind.packets_received + behind.packets_dropped_queue + behind.packets_dropped_kernel
	)
	_compare(
		found,
		"from the target to the relay",
		_answers,
		stats.to_client_packets_in + Sockets.drops_of_connected(_peer.get_local_port())
	)
	_compare(found, "to the clients", stats.to_client_packets_in, _out_of(stats, "to_client_"))
	var received := 0
	for client in _clients:
		received += client.received() + client.dropped_by_kernel()
	_compare(found, "from the relay to the clients", stats.to_client_packets_out, received)
	return found


func close() -> void:
	_proxy.stop()
	_peer.close()
	super()


static func _out_of(stats: Dictionary, way: String) -> int:
	return stats[way + "packets_out"] + stats[way + "dropped"] + stats[way + "waiting"]


static func _compare(found: PackedStringArray, way: String, sent: int, known: int) -> void:
	if sent != known:
		found.append("%s: %d packets, %d accounted for" % [way, sent, known])
