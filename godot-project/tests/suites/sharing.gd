extends "../support/receiving.gd"
## Several sockets on one port: reuse_address and reuse_port, and which one receives. The rules are
## Linux'.

const GROUP := "239.255.77.7"
const BROADCAST := "127.255.255.255"
const SHARING: Array[StringName] = [&"reuse_address", &"reuse_port"]


func test_two_peers_share_a_port_where_both_allow_it() -> void:
	if not needs(&"shared ports"):
		return
	for property in SHARING:
		for address: String in [LOOPBACK, "0.0.0.0", "*", LOOPBACK_6]:
			if address == LOOPBACK_6 and not has_ipv6():
				continue
			var first := _sharing(property, 0, address)
			var port: int = first.get_local_port()
			var second := _sharing(property, port, address)
			check_equal(second.get_local_port(), port, "the port with " + property)
			_check_third_is_refused(port, address)
			first.close()
			_check_third_is_refused(port, address)
			second.close()
			check_equal(make_peer(OURS).bind(port, address), OK, "when both are gone")


func test_one_peer_that_shares_is_not_enough() -> void:
	if not needs(&"shared ports"):
		return
	for property in SHARING:
		var alone := bound_peer(OURS)
		var peer := make_peer(OURS)
		peer.set(property, true)
		check_equal(peer.bind(alone.get_local_port(), LOOPBACK), ERR_UNAVAILABLE, property)
		check("in use" in peer.get_last_error_message().to_lower(), peer.get_last_error_message())
		_check_third_is_refused(_sharing(property).get_local_port(), LOOPBACK)
	# Nor are two with different options.
	var one := _sharing(&"reuse_address")
	var other := make_peer(OURS)
	other.reuse_port = true
	check_equal(other.bind(one.get_local_port(), LOOPBACK), ERR_UNAVAILABLE, "port and address")


func test_turned_off_again_it_shares_no_port() -> void:
	if not needs(&"shared ports"):
		return
	for property in SHARING:
		var peer := _sharing(property)
		peer.close()
		peer.set(property, false)
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		var other := make_peer(OURS)
		other.set(property, true)
		check_equal(other.bind(peer.get_local_port(), LOOPBACK), ERR_UNAVAILABLE, property)


func test_a_port_that_is_taken_can_be_shared_from_then_on() -> void:
	if not needs(&"shared ports"):
		return
	var peer := bound_peer(OURS)
	var port: int = peer.get_local_port()
	var other := make_peer(OURS)
	other.reuse_address = true
	check_equal(other.bind(port, LOOPBACK), ERR_UNAVAILABLE, "before")
	peer.reuse_address = true
	check_equal(other.bind(port, LOOPBACK), OK, "after")


func test_a_port_that_the_system_chooses_is_shared_with_nothing() -> void:
	if not needs(&"shared ports"):
		return
	for property in SHARING:
		var peers: Array[PacketPeer] = []
		var ports: Dictionary[int, bool] = {}
		for i in 500:
			peers.append(_sharing(property))
			ports[peers[i].get_local_port()] = true
		check_equal(ports.size(), 500, "ports with " + property)


func test_a_packet_to_an_address_reaches_the_one_that_was_bound_last() -> void:
	if not needs(&"shared ports"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var first := _sharing(&"reuse_address", 0, "0.0.0.0", background)
			var port: int = first.get_local_port()
			var last := _sharing(&"reuse_address", port, "0.0.0.0", background)
			var sender := make_peer(OURS)
			for i in 5:
				check_equal(sender.send_to(numbered(i), LOOPBACK, port), OK, "send_to")
			check_equal(numbers_of(take(last, 5)), PackedInt32Array(range(5)), "the last got")
			check_equal(first.get_available_packet_count(), 0, "the first got")
			last.close()
			check_equal(sender.send_to(numbered(9), LOOPBACK, port), OK, "send_to")
			check_equal(numbers_of(take(first)), PackedInt32Array([9]), "the first, left alone")
	)


func test_multicasts_and_broadcasts_reach_all() -> void:
	if not needs(&"shared ports"):
		return
	for property in SHARING:
		var peers: Array[PacketPeer] = [_sharing(property, 0, "0.0.0.0")]
		var port: int = peers[0].get_local_port()
		peers.append(_sharing(property, port, "0.0.0.0"))
		peers.append(_sharing(property, port, "0.0.0.0", true))
		for peer in peers:
			check_equal(peer.join_multicast_group(GROUP, loopback_interface()), OK, "join")
		var sender := bound_peer(OURS)
		sender.set_broadcast_enabled(true)
		sender.multicast_interface = loopback_interface()
		check_equal(sender.send_to(numbered(1), BROADCAST, port), OK, "broadcast")
		check_equal(sender.send_to(numbered(2), GROUP, port), OK, "multicast")
		for i in peers.size():
			var got := numbers_of(take(peers[i], 2))
			check_equal(got, PackedInt32Array([1, 2]), "with %s, peer %d got" % [property, i])
			check_equal(peers[i].get_available_packet_count(), 0, "and nothing else")


func test_reuse_port_distributes_the_senders() -> void:
	if not needs(&"shared ports"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var peers: Array[PacketPeer] = [_sharing(&"reuse_port", 0, LOOPBACK, background)]
			var port: int = peers[0].get_local_port()
			peers.append(_sharing(&"reuse_port", port, LOOPBACK, background))
			var senders: Array[PacketPeer] = []
			for i in 40:
				senders.append(make_peer(NATIVE))
				senders[i].set_dest_address(LOOPBACK, port)
				for k in 3:
					send(senders[i], [numbered(i)])
			# The senders of each peer: it receives all packets of one, or none.
			var got := [{}, {}]
			var count := func() -> int:
				for p in 2:
					for packet: PackedByteArray in peers[p].get_packets():
						var number := number_of(packet)
						got[p][number] = got[p].get(number, 0) + 1
				var total := 0
				for times: int in got[0].values() + got[1].values():
					total += times
				return total
			wait_until(func() -> bool: return count.call() >= 120)
			for p in 2:
				check(got[p].size() > 0, "peer %d got nothing of 40 senders" % p)
				for number: int in got[p]:
					check_equal(got[p][number], 3, "packets of sender %d at peer %d" % [number, p])
			check_equal(got[0].size() + got[1].size(), 40, "senders received from")
	)


func test_it_can_share_with_the_engines_server() -> void:
	if not needs(&"shared ports"):
		return
	# UDPServer always shares its port on Linux.
	var server := UDPServer.new()
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	var port := server.get_local_port()
	_check_third_is_refused(port, LOOPBACK)
	var peer := _sharing(&"reuse_address", port)
	var sender := make_peer(NATIVE)
	sender.set_dest_address(LOOPBACK, port)
	send(sender, [numbered(1)])
	check_equal(numbers_of(take(peer)), PackedInt32Array([1]), "ours, bound last, got")
	peer.close()
	send(sender, [numbered(2)])
	var has_connection := func() -> bool:
		return server.poll() == OK and server.is_connection_available()
	check(wait_until(has_connection), "the server, left alone, got nothing")
	# And in the other order.
	server.stop()
	peer = _sharing(&"reuse_address")
	check_equal(server.listen(peer.get_local_port(), LOOPBACK), OK, "listen beside ours")
	server.stop()


func test_the_engines_peer_shares_with_none() -> void:
	if not needs(&"shared ports"):
		return
	for property in SHARING:
		var theirs := bound_peer(NATIVE)
		var peer := make_peer(OURS)
		peer.set(property, true)
		check_equal(peer.bind(theirs.get_local_port(), LOOPBACK), ERR_UNAVAILABLE, property)


func test_a_port_that_many_shared_is_free_when_all_are_gone() -> void:
	if not needs(&"shared ports"):
		return
	var peers: Array[PacketPeer] = []
	var port := 0
	for i in 200:
		peers.append(_sharing(SHARING[1], port))
		port = peers[0].get_local_port()
	peers.clear()
	check_equal(make_peer(OURS).bind(port, LOOPBACK), OK, "bind when all are gone")


func _sharing(
	property: StringName, port := 0, address := LOOPBACK, background := false
) -> PacketPeer:
	var peer := make_peer(OURS)
	peer.set(property, true)
	peer.background_receive = background
	check_equal(peer.bind(port, address), OK, "bind to %s with %s" % [address, property])
	return peer


func _check_third_is_refused(port: int, address: String) -> void:
	for kind: StringName in [NATIVE, OURS]:
		var error: Error = make_peer(kind).bind(port, address)
		check_equal(error, ERR_UNAVAILABLE, "a %s that does not share" % kind)
