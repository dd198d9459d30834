extends "../support/proxy_suite.gd"
## What the engine's own protocols make of a bad network that a UdpLinkProxy puts between them: ENet
## under the engine's multiplayer, and DTLS. Both ends are in this process and know nothing of it.

const Frames := preload("../support/frames.gd")
const RelayedGame := preload("../support/relayed_game.gd")

const LATENCY_USEC := 80_000
const JITTER_USEC := 20_000
const CALLS := 30
## Of both directions. With these, the fourth packet to the target is lost and the third one from
## it: DTLS sends them in its handshake.
const SEEDS: Array[int] = [17, 1]


## One end of the engine's multiplayer, under a node of its own.
class End:
	var root := Node.new()
	var game := RelayedGame.new()
	var api := SceneMultiplayer.new()
	var enet := ENetMultiplayerPeer.new()
	var events: PackedStringArray

	func _init(title: String) -> void:
		root.name = "Relayed" + title
		game.name = "Game"
		root.add_child(game)
		var tree: SceneTree = Engine.get_main_loop()
		tree.root.add_child(root)
		tree.set_multiplayer(api, root.get_path())
		api.peer_connected.connect(func(id: int) -> void: events.append("peer %d" % id))
		api.peer_disconnected.connect(func(id: int) -> void: events.append("no peer %d" % id))
		api.connected_to_server.connect(func() -> void: events.append("connected"))
		api.server_disconnected.connect(func() -> void: events.append("disconnected"))

	func remove() -> void:
		enet.close()
		api.multiplayer_peer = null
		api = null  # its signals have this object
		var tree: SceneTree = Engine.get_main_loop()
		tree.set_multiplayer(null, root.get_path())
		root.free()


func test_a_multiplayer_session_over_enet_survives_a_bad_network() -> void:
	await Frames.wait(1)  # in the first one, the tree takes no nodes
	var host := End.new("Host")
	var guest := End.new("Guest")
	await _play(host, guest)
	host.remove()
	guest.remove()


func _play(host: End, guest: End) -> void:
	host.enet.set_bind_ip(LOOPBACK)
	check_equal(host.enet.create_server(0), OK, "create_server")
	host.api.multiplayer_peer = host.enet
	var proxy := _bad_proxy_to(host.enet.host.get_local_port())
	check_equal(guest.enet.create_client(LOOPBACK, proxy.get_local_port()), OK, "create_client")
	guest.api.multiplayer_peer = guest.enet
	var start := Time.get_ticks_msec()
	var are_connected := func() -> bool:
		return not guest.events.is_empty() and not host.events.is_empty()
	check(await Frames.until(are_connected), "not connected: %s" % proxy.get_stats())
	note("connected after %d ms" % (Time.get_ticks_msec() - start))
	var id := guest.api.get_unique_id()
	check("connected" in guest.events and "peer 1" in guest.events, "%s" % guest.events)
	check_equal(host.events, PackedStringArray(["peer %d" % id]), "what the host was told")
	check_equal(proxy.get_client_count(), 1, "get_client_count")

	for i in CALLS:
		for end: End in [host, guest]:
			var now := Time.get_ticks_usec()
			end.game.say.rpc(i, now, RelayedGame.text_of(i))
			end.game.hint.rpc(i, now)
		await Frames.wait(1)
	var all_said := func() -> bool:
		return mini(host.game.reliable.size(), guest.game.reliable.size()) >= CALLS
	check(await Frames.until(all_said), "%s %s" % [host.game.reliable, guest.game.reliable])
	for end: End in [host, guest]:
		var who := String(end.root.name)
		check_equal(Array(end.game.reliable), range(CALLS), who + ": reliable calls, in order")
		check_equal(end.game.callers.keys(), [1 if end == guest else id], who + ": the caller")
		var hints := Array(end.game.unreliable)
		check(hints.size() >= CALLS / 2, "%s: only %d unreliable calls" % [who, hints.size()])
		check(hints.size() <= CALLS, "%s: %d unreliable calls" % [who, hints.size()])
		var delays := end.game.delays_usec.duplicate()
		if delays.is_empty():
			continue
		delays.sort()
		note("%s: %d to %d µs late" % [who, delays[0], delays[-1]])
		check(delays[0] >= LATENCY_USEC - JITTER_USEC, "%s: early: %d µs" % [who, delays[0]])
	var round_trip := guest.enet.get_peer(1).get_statistic(ENetPacketPeer.PEER_ROUND_TRIP_TIME)
	note("ENet's round trip: %d ms" % round_trip)
	check(round_trip >= 2 * (LATENCY_USEC - JITTER_USEC) / 1000, "a round trip of %d" % round_trip)

	# What ENet has counted is what the proxy has.
	var guest_host := guest.enet.host
	var total := int(guest_host.pop_statistic(ENetConnection.HOST_TOTAL_SENT_PACKETS))
	check(total > CALLS, "ENet has sent only %d packets" % total)
	var have_come := func() -> bool: return proxy.get_stats().to_target_packets_in == total
	check(wait_until(have_come), "ENet has sent %d packets: %s" % [total, proxy.get_stats()])
	_check_accounts(proxy)

	# If the answer to it is lost, the guest has no socket any more that could answer again.
	host.enet.get_peer(id).set_timeout(4, 1000, 2000)
	host.enet.disconnect_peer(id)
	var are_told := func() -> bool:
		return "disconnected" in guest.events and "no peer %d" % id in host.events
	check(await Frames.until(are_told), "%s %s" % [host.events, guest.events])
	emptied(proxy)
	_check_accounts(proxy)


func test_dtls_shakes_hands_and_talks_over_a_bad_network() -> void:
	for title: StringName in [&"DTLSServer", &"PacketPeerDTLS"]:
		if not ClassDB.can_instantiate(title):
			skip("this engine has no DTLS")
			return
	var crypto := Crypto.new()
	var key := crypto.generate_rsa(2048)
	var certificate := crypto.generate_self_signed_certificate(key, "CN=localhost")
	var dtls_server := DTLSServer.new()
	check_equal(dtls_server.setup(TLSOptions.server(key, certificate)), OK, "setup")
	var server := UDPServer.new()
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	var proxy := _bad_proxy_to(server.get_local_port())
	var below := PacketPeerUDP.new()
	check_equal(below.connect_to_host(LOOPBACK, proxy.get_local_port()), OK, "connect_to_host")
	var client := PacketPeerDTLS.new()
	var start := Time.get_ticks_msec()
	var error := client.connect_to_peer(below, "localhost", TLSOptions.client_unsafe(certificate))
	check_equal(error, OK, "connect_to_peer")

	# As the engine's reference shows it. The first connection only gets a cookie and fails.
	var peers: Array[PacketPeerDTLS] = []
	var is_connected := func(peer: PacketPeerDTLS) -> bool:
		return peer.get_status() == PacketPeerDTLS.STATUS_CONNECTED
	var shake := func() -> bool:
		server.poll()
		if server.is_connection_available():
			var taken := dtls_server.take_connection(server.take_connection())
			if taken.get_status() == PacketPeerDTLS.STATUS_HANDSHAKING:
				peers.append(taken)
		# Connected ones as well: the last packet of the handshake may have to be sent again.
		for peer in peers:
			peer.poll()
		client.poll()
		return is_connected.call(client) and peers.any(is_connected)
	var has_shaken := wait_until(shake)
	check(has_shaken, "status %d: %s" % [client.get_status(), proxy.get_stats()])
	var stats: Dictionary = proxy.get_stats()
	note(
		(
			"the handshake took %d ms and lost %d packets"
			% [Time.get_ticks_msec() - start, stats.to_target_lost + stats.to_client_lost]
		)
	)
	if not has_shaken:
		return
	var served := peers[peers.find_custom(is_connected)]
	_talk(server, client, served)
	_talk(server, served, client)
	check_equal(proxy.get_client_count(), 1, "get_client_count")
	client.disconnect_from_peer()
	emptied(proxy)
	_check_accounts(proxy)


# Sends messages until thirty have come; each comes once, later than the network allows, and whole.
func _talk(server: UDPServer, sender: PacketPeerDTLS, receiver: PacketPeerDTLS) -> void:
	var sent: PackedInt64Array = []
	var got: Dictionary[int, int] = {}
	var talk := func() -> bool:
		if sent.is_empty() or Time.get_ticks_usec() - sent[-1] >= 5000:
			var packet := numbered(sent.size(), 200)
			sent.append(Time.get_ticks_usec())
			check_equal(sender.put_packet(packet), OK, "put_packet")
		server.poll()
		sender.poll()
		receiver.poll()
		while receiver.get_available_packet_count() > 0:
			var number := number_of(receiver.get_packet(), 200)
			check(number >= 0 and not number in got, "packet %d is damaged, or came twice" % number)
			if number >= 0:
				got[number] = Time.get_ticks_usec() - sent[number]
		return got.size() >= CALLS
	check(wait_until(talk), "%d of %d messages came" % [got.size(), sent.size()])
	var delays := got.values()
	if delays.is_empty():
		return
	delays.sort()
	note("messages: %d to %d µs late" % [delays[0], delays[-1]])
	check(delays[0] >= LATENCY_USEC - JITTER_USEC, "early: %d µs" % delays[0])


# A proxy with 5 % loss and 80 ± 20 ms in both directions, the same in every run.
func _bad_proxy_to(port: int) -> RefCounted:
	var proxy := make_proxy()
	for i in 2:
		var conditions := conditions_of(
			{
				"loss": 0.05,
				"latency_msec": LATENCY_USEC / 1000.0,
				"jitter_msec": JITTER_USEC / 1000.0,
				"jitter_distribution": 0,
				"rng_seed": SEEDS[i],
			}
		)
		proxy.set(DIRECTIONS[i] + "conditions", conditions)
	check_equal(proxy.start(LOOPBACK, port), OK, "start")
	return proxy


# Packets were lost in both directions, and every one of them is accounted for.
func _check_accounts(proxy: RefCounted) -> void:
	settled(proxy)
	var stats: Dictionary = proxy.get_stats()
	for direction in DIRECTIONS:
		check(stats[direction + "lost"] > 0, "%slost is 0: %s" % [direction, stats])
		check(stats[direction + "packets_out"] > 0, "%spackets_out is 0" % direction)
		for key: String in ["duplicated", "corrupted", "dropped"]:
			check_equal(stats[direction + key], 0, direction + key)
		note(
			(
				"%slost: %d of %d"
				% [direction, stats[direction + "lost"], stats[direction + "packets_in"]]
			)
		)
