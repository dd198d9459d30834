extends "worker.gd"
## Peers that are made, exchange some packets and are freed.

const PEERS := 8
## The label is too long for any resolver, so no server is asked.
const UNRESOLVABLE := (
	"a-label-of-more-than-sixty-three-characters-which-no-resolver-would-accept" + ".invalid"
)

# How many names were resolved; on the main thread.
var _signals := 0
# A few peers that stay for some rounds.
var _lasting: Array[PacketPeer]


func do_round() -> void:
	var peers: Array[PacketPeer] = []
	for i in PEERS:
		peers.append(_new_peer())
	for peer in peers:
		_exchange(peer, peers[rng.randi_range(0, PEERS - 1)])
	if chance(0.2):
		_lasting = peers.slice(0, 3)
	for peer in peers:
		if chance(0.3):
			peer.close()
			check_equal(peer.is_bound(), false, "is_bound after close")


func finish() -> void:
	_lasting.clear()
	if _signals == 0:
		fail("no signal came")


func figures() -> String:
	return "%d peers, %d names resolved" % [rounds * PEERS, _signals]


func _new_peer() -> PacketPeer:
	var peer := make_peer(OURS)
	peer.background_receive = chance(0.5)
	peer.overflow_policy = DROP_OLDEST if chance(0.5) else DROP_NEWEST
	if chance(0.3):
		peer.receive_buffer_size = rng.randi_range(50_000, 500_000)
	if chance(0.5):
		_set_options(peer)
	var error: Error = peer.bind(0, LOOPBACK if chance(0.7) else "*", rng.randi_range(0, 1 << 20))
	check_equal(error, OK, "bind")
	if chance(0.3):
		peer.background_receive = not peer.background_receive
	if chance(0.3):
		_set_options(peer)
	if chance(0.3):
		_look_up(peer)
	return peer


# Not reuse_address and reuse_port: two peers could share a port.
func _set_options(peer: PacketPeer) -> void:
	peer.time_to_live = rng.randi_range(0, 255)
	peer.traffic_class = rng.randi_range(0, 255)
	peer.multicast_time_to_live = rng.randi_range(0, 255)
	peer.multicast_loopback = chance(0.5)
	peer.multicast_interface = loopback_interface() if chance(0.5) else ""
	peer.packet_info = chance(0.5)
	peer.source_address = LOOPBACK if chance(0.5) else ""
	peer.queue_size = rng.randi_range(1 << 18, 1 << 20) if chance(0.5) else 0
	peer.send_conditions = _short_delay() if chance(0.3) else null
	peer.receive_conditions = _short_delay() if chance(0.3) else null


# Conditions that lose nothing.
func _short_delay() -> Resource:
	var conditions: Resource = ClassDB.instantiate(&"UdpLinkConditions")
	conditions.latency_msec = rng.randf_range(0.0, 2.0)
	conditions.jitter_msec = rng.randf_range(0.0, 1.0)
	return conditions


# The look-up emits its signal, unless a later call cancels it.
func _look_up(peer: PacketPeer) -> void:
	peer.host_resolved.connect(_on_host_resolved)
	var host: String = [LOOPBACK, "localhost", UNRESOLVABLE][rng.randi_range(0, 2)]
	check_equal(peer.set_dest_address_async(host, peer.get_local_port()), OK, "look-up of " + host)


func _on_host_resolved(_error: Error, _ip: String) -> void:
	_signals += 1


# Sends packets to another peer, or to itself, and checks that they arrive.
func _exchange(peer: PacketPeer, other: PacketPeer) -> void:
	var port: int = other.get_local_port()
	var size := rng.randi_range(4, 1400)
	var packets: Array[PackedByteArray] = []
	for i in rng.randi_range(1, 40):
		packets.append(numbered(i, size))
	while other.get_available_packet_count() > 0:
		other.get_packets()  # packets of earlier rounds take space in the queue
	var before := stat(other, "packets_received")
	if chance(0.5):
		check_equal(peer.set_dest_address(LOOPBACK, port), OK, "set_dest_address")
	else:
		check_equal(peer.set_dest_address_async(LOOPBACK, port), OK, "set_dest_address_async")
	if chance(0.2) and peer.get_local_address() == LOOPBACK:
		# The system refuses to send packets of a peer on loopback to a network.
		peer.set_broadcast_enabled(true)
		check(peer.put_packet_broadcast(packets[0], port) >= 0, "put_packet_broadcast")
	match rng.randi_range(0, 3):
		0:
			for packet in packets:
				check_equal(peer.put_packet(packet), OK, "put_packet")
		1:
			check_equal(peer.put_packets(packets), packets.size(), "put_packets")
		2:
			var joined := PackedByteArray()
			for packet in packets:
				joined.append_array(packet)
			check_equal(peer.put_segmented(joined, size), packets.size(), "put_segmented")
		3:
			for packet in packets:
				check_equal(peer.send_to(packet, LOOPBACK, port), OK, "send_to")
	var all_came := func() -> bool:
		other.get_available_packet_count()
		return stat(other, "packets_received") >= before + packets.size()
	check(wait_until(all_came), "not all packets came: %s" % other.get_stats())
	if chance(0.2):
		return  # the packets stay in the queue
	var got: Array[PackedByteArray] = other.get_packets()
	check(got == packets, "what came is not what was sent")
