extends SceneTree
## Prints how many bytes of memory a bound, idle peer takes, or an accepted, idle connection if the
## class is a server's. It is a process of its own, because peers may reuse memory that was freed
## before and then look smaller than they are.

const Process := preload("process.gd")
const LOOPBACK := "127.0.0.1"
const PEERS := 500
## The first peers are not measured: they load what is needed once.
const FIRST := 10

var _peers: Array[PacketPeer] = []


func _init() -> void:
	var kind := OS.get_cmdline_user_args()[0]
	_peers.resize(FIRST + PEERS)
	var make := _accept.bind(_listen(kind)) if "Server" in kind else _bind.bind(kind)
	var before := 0
	var allocated_before := 0
	for i in FIRST + PEERS:
		if i == FIRST:
			before = Process.resident_bytes()
			allocated_before = OS.get_static_memory_usage()
		_peers[i] = make.call(i)
		if _peers[i] == null or _peers[i].get_available_packet_count() != 0:
			printerr("peer %d cannot be had" % i)
			quit(1)
			return
	print("resident: %d" % ((Process.resident_bytes() - before) / PEERS))
	print("allocated: %d" % ((OS.get_static_memory_usage() - allocated_before) / PEERS))
	quit(0)


func _bind(_number: int, kind: String) -> PacketPeer:
	var peer: PacketPeer = ClassDB.instantiate(kind)
	return peer if peer.bind(0, LOOPBACK) == OK else null


# A server and its clients. The clients have received a packet already, so they take no more memory
# later.
func _listen(kind: String) -> Dictionary:
	var server: RefCounted = ClassDB.instantiate(kind)
	server.listen(0, LOOPBACK)
	var clients: Array[PacketPeer] = []
	for i in FIRST + PEERS:
		clients.append(ClassDB.instantiate(&"PacketPeerUdpRs"))
		clients[i].bind(0, LOOPBACK)
		clients[i].set_dest_address(LOOPBACK, clients[i].get_local_port())
		clients[i].put_packet([1])
		clients[i].get_packet()
		clients[i].set_dest_address(LOOPBACK, server.get_local_port())
	return {"server": server, "clients": clients}


func _accept(number: int, of: Dictionary) -> PacketPeer:
	of.clients[number].put_packet([1])
	var deadline := Time.get_ticks_msec() + 30_000
	while not of.server.is_connection_available() and Time.get_ticks_msec() < deadline:
		of.server.poll()
	var peer: PacketPeer = of.server.take_connection()
	if peer != null:
		peer.get_packet()
	return peer
