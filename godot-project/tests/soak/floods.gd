extends "worker.gd"
## Peers that are sent far more than they can hold. They are read once a frame, or on
## packets_available.

const BURSTS := 200

var _peers: Array[PacketPeer]
var _ports: PackedInt32Array
var _taken := 0
var _signals := 0
var _sender: PacketPeer
var _window: Array[PackedByteArray]
var _frames := 0


func _init() -> void:
	for i in 4:
		var peer := receiver(i < 3)
		peer.overflow_policy = DROP_OLDEST if i % 2 else DROP_NEWEST
		_ports.append(peer.get_local_port())
		_peers.append(peer)
	_peers[0].packets_available.connect(_on_packets_available)
	_sender = make_peer(OURS)
	for i in 64:
		_window.append(numbered(i, 1000))


func do_round() -> void:
	for i in BURSTS:
		_sender.set_dest_address(LOOPBACK, _ports[i % _ports.size()])
		if _sender.put_packets(_window) < 0:
			fail("put_packets")
		OS.delay_usec(500)  # leaves processor time for the other workers


func on_frame() -> void:
	_frames += 1
	for i in range(1, _peers.size()):
		if _frames % 30 == i:
			_taken += _peers[i].get_packets().size()
		_peers[i].get_available_packet_count()
	if _frames % 300 == 0:
		_peers[2].background_receive = not _peers[2].background_receive
	if _frames % 500 == 0:
		_peers[1].close()
		check_equal(_peers[1].bind(_ports[1], LOOPBACK), OK, "bind to the port from before")


func finish() -> void:
	if _signals == 0:
		fail("the signal never came")
	_peers[0].packets_available.disconnect(_on_packets_available)
	_peers.clear()
	_sender = null


func figures() -> String:
	return "%d packets sent, %d taken, %d signals" % [rounds * BURSTS * 64, _taken, _signals]


func _on_packets_available(count: int) -> void:
	_signals += 1
	_taken += _peers[0].get_packets(count).size()
