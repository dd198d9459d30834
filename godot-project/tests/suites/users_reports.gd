extends "../support/server_suite.gd"
## Cases of public bug reports: who answers, connecting again, file descriptors, floods
## of newcomers, silence, arrival times, refused ports.

const Frames := preload("../support/frames.gd")

## Addresses of this machine, without any set up.
const ASKED: Array[String] = ["127.0.0.1", "127.0.0.2", "127.3.2.1"]
## Longer than an answer takes, and shorter than [member TIMEOUT_MSEC], since a wrong answer never
## comes.
const ANSWER_MSEC := 5000
const PEERS := 100
## How many descriptors may come and go for other reasons.
const SPARE := 20
const SILENCE_MSEC := 300

# ---- who answers ---------------------------------------------------------------------------------


func test_an_answer_leaves_from_the_address_that_was_asked() -> void:
	if not needs(&"many loopback addresses") or not needs(&"source addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			for bound: String in ["*", "0.0.0.0"]:
				var server := server_in_mode(background, bound)
				for asked in ASKED:
					# Connected: the system drops what comes from another address.
					var client := connected_to(server, NATIVE, asked)
					var peer := accepted(server, client)
					for way in 3:
						_answer(peer, way, way + 1)
					if not _hears(client, [1, 2, 3], "who asked %s of %s" % [asked, bound]):
						return
	)


func test_an_answer_follows_the_address_of_the_latest_packet() -> void:
	if not needs(&"many loopback addresses") or not needs(&"source addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background, "*")
			var client := bound_peer(NATIVE, "127.0.0.1")
			var peer: PacketPeer = null
			for i in 6:
				var asked := ASKED[i % ASKED.size()]
				client.set_dest_address(asked, server.get_local_port())
				send(client, [numbered(i)])
				peer = next_connection(server) if peer == null else peer
				check_equal(numbers_of(take(peer)), PackedInt32Array([i]), "asked " + asked)
				check_equal(peer.put_packet(numbered(i)), OK, "put_packet")
				take(client)
				check_equal(client.get_packet_ip(), asked, "the answer comes from")
			check_equal(server.get_peer_count(), 1, "get_peer_count")
	)


func test_a_server_on_one_address_answers_from_it() -> void:
	if not needs(&"many loopback addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			for bound in ASKED:
				var server := server_in_mode(background, bound)
				var client := connected_to(server, NATIVE, bound)
				_answer(accepted(server, client), 0, 1)
				_hears(client, [1], "a server on " + bound)
	)


func test_both_families_are_answered_by_one_server() -> void:
	if not needs_ipv6():
		return
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background, "*")
			for asked: String in ["0:0:0:0:0:0:0:1", "127.0.0.1"]:
				var client := connected_to(server, NATIVE, asked)
				_answer(accepted(server, client), 0, 1)
				_hears(client, [1], "who asked " + asked)
	)


# ---- connecting again ----------------------------------------------------------------------------


func test_connecting_again_to_the_other_family_works_as_at_first() -> void:
	if not needs_ipv6() or not needs(&"second family"):
		return
	in_both_modes(
		func(background: bool) -> void:
			_connect_in_turn(background, ["0:0:0:0:0:0:0:1", "127.0.0.1", "0:0:0:0:0:0:0:1"])
			_connect_in_turn(background, ["127.0.0.1", "0:0:0:0:0:0:0:1", "127.0.0.1"])
	)


func test_connecting_again_within_a_family_works_as_at_first() -> void:
	if not needs(&"many loopback addresses"):
		return
	in_both_modes(
		func(background: bool) -> void:
			_connect_in_turn(background, ["127.0.0.1", "127.0.0.2", "127.3.2.1", "127.0.0.1"])
	)


func test_packets_queued_before_connecting_are_kept_or_counted() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for is_read: bool in [false, true]:
				var peer := receiver(background)
				var chosen := sender_to(peer)
				var other := sender_to(peer)
				send(chosen, [numbered(1), numbered(2)])
				send(other, [numbered(3)])
				if is_read:
					arrived(peer, 3)
				else:
					OS.delay_msec(20)
				check_equal(peer.connect_to_host(LOOPBACK, chosen.get_local_port()), OK, "connect")
				send(chosen, [numbered(4)])
				var numbers: PackedInt32Array = []
				while not 4 in numbers and arrived(peer):
					numbers.append_array(numbers_of(peer.get_packets()))
				check(not 3 in numbers, "a packet of another sender: %s" % numbers)
				var lost := [1, 2].filter(func(i: int) -> bool: return not i in numbers).size()
				var counted := stat(peer, "packets_dropped_queue")
				check(counted >= lost, "taken: %s, counted as dropped: %d" % [numbers, counted])
	)


# ---- file descriptors ----------------------------------------------------------------------------


func test_a_wait_that_finds_a_packet_needs_no_descriptor() -> void:
	if not needs(&"process figures"):
		return
	in_both_modes(
		func(background: bool) -> void:
			for is_queued: bool in [false, true]:
				_check_descriptors(
					background,
					func(peer: PacketPeer) -> void:
						send(sender_to(peer), [numbered(1)])
						if is_queued:
							arrived(peer)
						check_equal(peer.wait(TIMEOUT_MSEC), OK, "wait")
				)
	)


func test_a_wait_that_has_slept_keeps_no_descriptor() -> void:
	if not needs(&"process figures"):
		return
	in_both_modes(
		func(background: bool) -> void:
			_check_descriptors(
				background,
				func(peer: PacketPeer) -> void: check_equal(peer.wait(1), ERR_TIMEOUT, "wait")
			)
	)


func test_the_waits_of_accepted_peers_keep_no_descriptor() -> void:
	if not needs(&"process figures"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 30)
			var peers := all_accepted(server, clients)
			var before := Process.descriptors()
			for i in 30:
				check_equal(peers[i].wait(1), ERR_TIMEOUT, "wait")
				send(clients[i], [numbered(i)])
				check_equal(peers[i].wait(TIMEOUT_MSEC), OK, "wait")
			var more := Process.descriptors() - before
			check(more < SPARE, "%d descriptors more" % more)
	)


func test_a_wait_works_with_no_descriptor_left() -> void:
	if not needs(&"descriptor limit"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background)
			var sender := sender_to(peer)
			send(sender, [numbered(0)])  # opens its socket
			take(peer)
			var files := _take_all_descriptors()
			if files.is_empty():
				return
			sender.put_packet(numbered(1))
			check_equal(peer.wait(TIMEOUT_MSEC), OK, "wait for what is there")
			check_equal(numbers_of(peer.get_packets()), PackedInt32Array([1]), "the packet")
			check_equal(peer.wait(20), ERR_TIMEOUT, "wait for what does not come")
			var send_later := func() -> void:
				OS.delay_msec(50)
				sender.put_packet(numbered(2))
			var thread := in_thread(send_later)
			check_equal(peer.wait(TIMEOUT_MSEC), OK, "wait for what comes later")
			join(thread)
			files.clear()
	)


# ---- newcomers and silence -----------------------------------------------------------------------


func test_a_flood_of_newcomers_does_not_keep_the_script_in_its_loop() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var limit: int = server.max_pending_connections
			var flood := in_thread(_send_from_strangers.bind(server.get_local_port(), 700))
			var most := 0
			var total := 0
			var kept: Array[PacketPeer] = []
			while flood.is_alive():
				var taken := 0
				server.poll()
				while server.is_connection_available() and taken < 1000:
					kept.append(server.take_connection())
					OS.delay_usec(200)  # makes a node for the player
					taken += 1
				most = maxi(most, taken)
				total += taken
				await Frames.wait(1)
			var sent: int = join(flood)
			note("of %d newcomers %d were taken, at most %d in one loop" % [sent, total, most])
			check(total > limit, "only %d were taken" % total)
			# Those that were pending before, and those that one frame or one poll() admits.
			check(most <= 2 * limit, "%d taken in one loop" % most)
	)


func test_all_that_fall_silent_are_closed_by_one_poll() -> void:
	var server := listening(OURS)
	server.max_pending_connections = 4000
	var peers: Array[PacketPeer] = []
	for i in 8:
		_send_from_strangers(server.get_local_port(), 0, 150)
		server.poll()
		peers.append_array(take_all(server))
	check(peers.size() > 700, "only %d clients" % peers.size())
	server.peer_timeout_msec = SILENCE_MSEC
	OS.delay_msec(2 * SILENCE_MSEC)
	server.poll()
	check_equal(server.get_peer_count(), 0, "left after one poll")


func test_silence_closes_while_nobody_at_all_speaks() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			for address in loopback_addresses():
				var server := listening(OURS, address)
				server.background_receive = background
				var peer := accepted(server, sender_to(server, NATIVE, address))
				server.peer_timeout_msec = SILENCE_MSEC
				var is_closed := func() -> bool:
					read(server)
					return not peer.is_bound()
				check(await Frames.until(is_closed), "it is never closed")
				check_equal(server.get_peer_count(), 0, "get_peer_count")
	)


# ---- times and refusals --------------------------------------------------------------------------


func test_no_packet_arrives_before_it_is_sent() -> void:
	in_each_flavour(
		func(peer: PacketPeer, sender: PacketPeer) -> void:
			for i in 5:
				var before := Time.get_ticks_usec()
				send(sender, [numbered(i)])
				OS.delay_msec(2)
				take(peer)
				var time: int = peer.get_packet_time_usec()
				check(time >= before, "%d usec too early" % (before - time))
				check(time <= Time.get_ticks_usec(), "later than it is read")
	)


func test_a_peer_whose_port_was_refused_hears_what_comes_later() -> void:
	if not needs(&"refusals"):
		return
	in_both_modes(
		func(background: bool) -> void:
			for is_waiting: bool in [false, true]:
				var late := refusing_peer()
				var peer := make_peer(OURS)
				peer.background_receive = background
				check_equal(peer.connect_to_host(LOOPBACK, late.get_local_port()), OK, "connect")
				check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
				until_refused(late.get_local_port())
				check_equal(late.connect_to_host(LOOPBACK, peer.get_local_port()), OK, "open")
				var send_later := func() -> void:
					OS.delay_msec(100)
					late.put_packet(numbered(2))
				var thread := in_thread(send_later)
				if is_waiting:
					check_equal(peer.wait(ANSWER_MSEC), OK, "wait")
				check_equal(numbers_of(take(peer)), PackedInt32Array([2]), "the packet")
				join(thread)
	)


# ---- support -------------------------------------------------------------------------------------


# Sends a numbered packet by one of the ways there are.
func _answer(peer: PacketPeer, way: int, number: int) -> void:
	match way:
		0:
			check_equal(peer.put_packet(numbered(number)), OK, "put_packet")
		1:
			check_equal(peer.put_packets([numbered(number)]), 1, "put_packets")
		2:
			check_equal(peer.put_segmented(numbered(number), 16), 1, "put_segmented")


# Whether the client hears these packets; a failure where it does not.
func _hears(client: PacketPeer, numbers: Array, what: String) -> bool:
	var heard: Array = []
	var has_all := func() -> bool:
		# -1: the system has refused a packet in the name of a connected client.
		while client.get_available_packet_count() > 0:
			heard.append(number_of(client.get_packet()))
		return heard.size() >= numbers.size()
	wait_until(has_all, ANSWER_MSEC)
	check_equal(heard, numbers, what + " hears")
	return heard == numbers


# Connects one peer to echoes at each of the addresses in turn; each must answer.
func _connect_in_turn(background: bool, addresses: Array[String]) -> void:
	var peer := bound_peer(OURS, "*")
	peer.background_receive = background
	var port: int = peer.get_local_port()
	for i in addresses.size():
		var what := "to %s as number %d" % [addresses[i], i]
		var echo := bound_peer(NATIVE, addresses[i])
		var error: Error = peer.connect_to_host(addresses[i], echo.get_local_port())
		check_equal(error, OK, "connect " + what)
		if error != OK:
			return
		check_equal(peer.get_local_port(), port, "the port " + what)
		check_equal(peer.is_socket_connected(), true, "connected " + what)
		check_equal(peer.put_packet(numbered(i)), OK, "put_packet " + what)
		check_equal(numbers_of(take(echo)), PackedInt32Array([i]), "arrives " + what)
		check_equal(peer.get_local_address(), echo.get_packet_ip(), "the sender's address " + what)
		check_equal(":" in peer.get_local_address(), ":" in addresses[i], "the family " + what)
		echo.connect_to_host(echo.get_packet_ip(), port)
		send(echo, [numbered(100 + i)])
		if not _hears(peer, [100 + i], what):
			return


# Runs [param body] on many peers. They must need one descriptor each.
func _check_descriptors(background: bool, body: Callable) -> void:
	var peers: Array[PacketPeer] = []
	for i in PEERS:
		peers.append(receiver(background))
	var before := Process.descriptors()
	for peer in peers:
		body.call(peer)
	var more := Process.descriptors() - before
	check(more < SPARE, "%d descriptors more for %d peers" % [more, PEERS])


# Opens files until the process may open no more; an empty array, and a note, where it may open too
# many.
func _take_all_descriptors() -> Array[FileAccess]:
	var files: Array[FileAccess] = []
	while files.size() < 100_000:
		var file := FileAccess.open("res://project.godot", FileAccess.READ)
		if file == null:
			return files
		files.append(file)
	check_count += 1
	note("the process may open more than %d files" % files.size())
	return []


# Sends one packet from each of many new ports, for [param msec], but from at least [param least].
# Returns how many were sent. For a thread.
static func _send_from_strangers(port: int, msec: int, least := 1) -> int:
	var end := Time.get_ticks_msec() + msec
	var sent := 0
	while sent < least or Time.get_ticks_msec() < end:
		var stranger := PacketPeerUDP.new()
		stranger.set_dest_address(LOOPBACK, port)
		stranger.put_packet(numbered(sent))
		sent += 1
	return sent
