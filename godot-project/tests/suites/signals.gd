# gdlint: disable=max-public-methods
extends "../support/receiving.gd"
## The signal packets_available.

const Frames := preload("../support/frames.gd")
const Listener := preload("../support/packets_listener.gd")
const Tally := preload("../support/tally.gd")


func test_the_signal_is_declared_with_its_argument() -> void:
	var signals := ClassDB.class_get_signal_list(OURS, true).filter(
		func(info: Dictionary) -> bool: return info.name == "packets_available"
	)
	check_equal(signals.size(), 1, "signals of that name")
	if not signals.is_empty():
		check_equal(signals[0].args.size(), 1, "arguments")
		check_equal(signals[0].args[0].name, "count", "its name")
		check_equal(signals[0].args[0].type, TYPE_INT, "its type")


func test_it_tells_how_many_packets_are_queued() -> void:
	var peer := receiver(true)
	var listener := Listener.new(peer)
	var sender := sender_to(peer)
	send(sender, [numbered(1), numbered(2), numbered(3)])
	arrived(peer, 3)
	await Frames.until(func() -> bool: return listener.last() == 3)
	check_equal(listener.last(), 3, "count")
	var times := listener.counts.size()
	await Frames.wait(10)
	check_equal(listener.counts.size(), times, "emissions while nothing arrives")
	check_equal(peer.get_available_packet_count(), 3, "packets, which the signal does not take")

	send(sender, [numbered(4)])
	arrived(peer, 4)
	await Frames.until(func() -> bool: return listener.last() == 4)
	check_equal(listener.last(), 4, "count when one more has come")

	peer.get_packets()
	send(sender, [numbered(5)])
	await Frames.until(func() -> bool: return listener.last() == 1)
	check_equal(listener.last(), 1, "count when the others were taken")
	listener.check_all(self)


func test_packets_can_be_taken_in_the_handler() -> void:
	var peer := receiver(true, LOOPBACK, 1 << 20)
	var numbers: PackedInt32Array = []
	peer.packets_available.connect(
		func(count: int) -> void:
			var packets: Array[PackedByteArray] = peer.get_packets(count)
			check_equal(packets.size(), count, "packets taken")
			numbers.append_array(numbers_of(packets))
	)
	var sender := sender_to(peer)
	for i in 200:
		sender.put_packet(numbered(i))
		if i % 7 == 0:
			await Frames.wait(1)
	await Frames.until(func() -> bool: return numbers.size() >= 200)
	check_equal(numbers, PackedInt32Array(range(200)), "what was taken")
	for connection in peer.packets_available.get_connections():
		peer.packets_available.disconnect(connection.callable)  # a cycle of peer and connection


func test_it_can_be_awaited() -> void:
	var peer := receiver(true)
	var counts: PackedInt32Array = []
	var wait_for_it := func() -> void: counts.append(await peer.packets_available)
	wait_for_it.call()
	send(sender_to(peer), [numbered(1)])
	await Frames.until(func() -> bool: return not counts.is_empty())
	check_equal(counts, PackedInt32Array([1]), "what the await returned")


func test_it_is_emitted_on_the_main_thread_and_at_most_once_a_frame() -> void:
	var peer := receiver(true, LOOPBACK, 1 << 20)
	var listener := Listener.new(peer)
	var port: int = peer.get_local_port()
	var stop := Semaphore.new()
	var keep_sending := func() -> int:
		var sender := PacketPeerUDP.new()
		sender.set_dest_address(LOOPBACK, port)
		var sent := 0
		while not stop.try_wait():
			# Two at a time: on a busy machine a pause may be longer than a frame.
			for i in 2:
				sent += int(sender.put_packet(numbered(sent)) == OK)
			OS.delay_usec(300)  # several packets a frame, and no flood
		return sent
	var sending := in_thread(keep_sending)
	var start := Engine.get_process_frames()
	await Frames.until(func() -> bool: return listener.counts.size() >= 30)
	var frames := Engine.get_process_frames() - start
	stop.post()
	var sent: int = join(sending)
	check(listener.counts.size() >= 30, "only %d emissions" % listener.counts.size())
	check(
		listener.counts.size() <= frames + 1, "%d in %d frames" % [listener.counts.size(), frames]
	)
	check(sent > listener.counts.size(), "%d packets, not several in a frame" % sent)
	listener.check_all(self)


func test_it_is_not_emitted_when_polled() -> void:
	var peer := receiver(false)
	var listener := Listener.new(peer)
	send(sender_to(peer), [numbered(1), numbered(2)])
	await Frames.wait(5)
	arrived(peer, 2)
	await Frames.wait(5)
	check_equal(listener.counts, PackedInt32Array(), "emissions")
	peer.background_receive = true
	send(sender_to(peer), [numbered(3)])
	await Frames.until(func() -> bool: return listener.last() == 3)
	check_equal(listener.last(), 3, "count in the background")
	peer.background_receive = false
	await Frames.wait(2)  # one may be due already
	var times := listener.counts.size()
	send(sender_to(peer), [numbered(4)])
	arrived(peer, 4)
	await Frames.wait(5)
	check_equal(listener.counts.size(), times, "emissions when polled again")


func test_going_to_the_background_tells_what_waits_in_the_kernel() -> void:
	var peer := receiver(false)
	var listener := Listener.new(peer)
	send(sender_to(peer), [numbered(1), numbered(2)])
	await Frames.wait(3)
	peer.background_receive = true
	await Frames.until(func() -> bool: return listener.last() == 2)
	check_equal(listener.last(), 2, "count")
	listener.check_all(self)


func test_several_peers_tell_each_their_own() -> void:
	var peers: Array[PacketPeer] = []
	var listeners: Array[Listener] = []
	for i in 20:
		peers.append(receiver(true))
		listeners.append(Listener.new(peers[i]))
	for i in 20:
		for k in i:
			send(sender_to(peers[i]), [numbered(k)])
	var all_emitted := func() -> bool:
		return range(20).all(func(i: int) -> bool: return listeners[i].last() == i)
	await Frames.until(all_emitted)
	for i in 20:
		check_equal(listeners[i].last(), i, "the count of peer %d" % i)
		listeners[i].check_all(self)


func test_a_disconnected_handler_is_not_called() -> void:
	var peer := receiver(true)
	var listener := Listener.new(peer)
	var other := Listener.new(peer)
	send(sender_to(peer), [numbered(1)])
	await Frames.until(func() -> bool: return listener.last() == 1)
	peer.packets_available.disconnect(listener.on_packets_available)
	send(sender_to(peer), [numbered(2)])
	await Frames.until(func() -> bool: return other.last() == 2)
	check_equal(other.last(), 2, "the connected handler")
	check_equal(listener.last(), 1, "the disconnected handler")
	peer.packets_available.connect(listener.on_packets_available)
	send(sender_to(peer), [numbered(3)])
	await Frames.until(func() -> bool: return listener.last() == 3)
	check_equal(listener.last(), 3, "the handler, connected again")


func test_a_closed_peer_tells_nothing_and_the_next_socket_does() -> void:
	var peer := receiver(true)
	var listener := Listener.new(peer)
	for i in 5:
		send(sender_to(peer), [numbered(1)])
		arrived(peer)
		peer.close()
		var times := listener.counts.size()
		await Frames.wait(3)
		check_equal(listener.counts.size(), times, "emissions after close")
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		send(sender_to(peer), [numbered(1), numbered(2)])
		await Frames.until(func() -> bool: return listener.last() == 2)
		check_equal(listener.last(), 2, "count after bind")
		listener.counts.clear()
	listener.check_all(self)


func test_a_freed_peer_tells_nothing() -> void:
	var emissions := [0]
	for i in 200:
		var peer := receiver(true)
		peer.packets_available.connect(func(_count: int) -> void: emissions[0] += 1)
		send(sender_to(peer), [numbered(1)])
		if i % 2:
			arrived(peer)  # so that an emission is due
		if i % 3 == 0:
			await Frames.wait(1)
		peer = null
		var before: int = emissions[0]
		if i % 5 == 0:
			await Frames.wait(1)
			check_equal(emissions[0], before, "emissions after the peer was freed")
	await Frames.wait(3)


func test_a_peer_may_be_freed_closed_or_changed_in_the_handler() -> void:
	var actions: Array[Callable] = [
		func(held: Array) -> void: held.clear(),
		func(held: Array) -> void: held[0].close(),
		func(held: Array) -> void: held[0].background_receive = false,
		func(held: Array) -> void:
			held[0].close()
			held[0].bind(0, LOOPBACK),
		func(held: Array) -> void: held[0] = receiver(true),
		func(held: Array) -> void: held[0].put_packets([numbered(1)]),
		func(held: Array) -> void: held[0].wait(0),
	]
	for action in actions:
		for i in 10:
			var held := [receiver(true)]
			var emissions := [0]
			held[0].set_dest_address(LOOPBACK, closed_port())
			held[0].packets_available.connect(
				func(_count: int) -> void:
					emissions[0] += 1
					action.call(held)
			)
			send(sender_to(held[0]), [numbered(1)])
			await Frames.until(func() -> bool: return emissions[0] > 0)
			check(emissions[0] > 0, "no emission")
			held.clear()
	await Frames.wait(2)


func test_threads_may_make_and_free_peers_while_frames_pass() -> void:
	var stop := Semaphore.new()
	var made := Tally.new()
	var make_and_free := func() -> void:
		var waits := false
		while not stop.try_wait():
			var peer := make_peer(OURS)
			peer.background_receive = true
			peer.packets_available.connect(func(_count: int) -> void: pass)
			peer.bind(0, LOOPBACK)
			var sender := PacketPeerUDP.new()
			sender.set_dest_address(LOOPBACK, peer.get_local_port())
			sender.put_packet(numbered(1))
			made.add(1)
			waits = not waits
			if waits:
				peer.wait(TIMEOUT_MSEC)
	var threads: Array[Thread] = []
	for i in 3:
		threads.append(in_thread(make_and_free))
	await Frames.wait(150)
	check(await Frames.until(func() -> bool: return made.count() > 100), "few peers were made")
	stop.post(3)
	for thread in threads:
		join(thread)
	await Frames.wait(3)
	note("%d peers" % made.count())


func test_a_subclass_receives_its_own_signal() -> void:
	var script := GDScript.new()
	script.source_code = (
		"extends %s\n" % OURS
		+ "var received: PackedInt32Array = []\n"
		+ "func _init() -> void:\n\tbackground_receive = true\n"
		+ "\tpackets_available.connect(_on_packets_available)\n"
		+ "func _on_packets_available(count: int) -> void:\n\treceived.append(count)\n"
	)
	check_equal(script.reload(), OK, "the script compiles")
	var peer: PacketPeer = script.new()
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	send(sender_to(peer), [numbered(1)])
	await Frames.until(func() -> bool: return not peer.received.is_empty())
	check_equal(peer.received, PackedInt32Array([1]), "what it received")
