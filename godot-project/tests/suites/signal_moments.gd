extends "../support/receiving.gd"
## When in a frame signals are emitted, and what a handler is told that is connected late.

const Frames := preload("../support/frames.gd")
const Listener := preload("../support/packets_listener.gd")
const ProcessNotes := preload("../support/process_notes.gd")


func test_it_is_emitted_before_the_nodes_of_its_frame_are_processed() -> void:
	for paused: bool in [false, true]:
		await Frames.wait(1)  # the root is not setting up its children any more
		var notes := ProcessNotes.new()
		_tree().root.add_child(notes)
		_tree().paused = paused
		var peer := receiver(true)
		peer.packets_available.connect(notes.note_signal)
		var sender := sender_to(peer)
		for i in 20:
			sender.put_packet(numbered(i))
			arrived(peer)
			await Frames.until(func() -> bool: return notes.signals.size() > i)
			peer.get_packets()
		_tree().paused = false
		await Frames.wait(1)
		check_equal(notes.signals.size(), 20, "emissions")
		check_equal(notes.late, 0, "emissions after _process() of their frame")
		peer.packets_available.disconnect(notes.note_signal)
		notes.queue_free()


func test_a_resolved_host_is_told_before_the_nodes_are_processed() -> void:
	await Frames.wait(1)
	var notes := ProcessNotes.new()
	_tree().root.add_child(notes)
	var peer := make_peer(OURS)
	peer.host_resolved.connect(
		func(_error: Error, _ip: String) -> void: notes.note_signal(notes.signals.size())
	)
	for i in 5:
		check_equal(peer.set_dest_address_async(LOOPBACK, 9 + i), OK, "set_dest_address_async")
		await Frames.until(func() -> bool: return notes.signals.size() > i)
	check_equal(notes.signals.size(), 5, "emissions")
	check_equal(notes.late, 0, "emissions after _process() of their frame")
	for connection in peer.host_resolved.get_connections():
		peer.host_resolved.disconnect(connection.callable)
	notes.queue_free()


func test_emitting_process_frame_again_emits_nothing_twice() -> void:
	var peer := receiver(true)
	var listener := Listener.new(peer)
	var sender := sender_to(peer)
	for i in 10:
		await Frames.wait(1)
		send(sender, [numbered(i)])
		arrived(peer, i + 1)
		_tree().process_frame.emit()
		send(sender, [numbered(i)])
	await Frames.wait(2)
	listener.check_all(self)


func test_it_goes_on_when_everything_is_disconnected_from_process_frame() -> void:
	var peer := receiver(true)
	var listener := Listener.new(peer)
	var sender := sender_to(peer)
	for i in 3:
		var own := _connections_of_addon()
		check_equal(own.size(), 1, "connections of the addon")
		_tree().process_frame.disconnect(own[0].callable)
		send(sender, [numbered(i)])
		await Frames.until(func() -> bool: return listener.last() == i + 1)
		check_equal(listener.last(), i + 1, "count")
		await Frames.wait(2)
	listener.check_all(self)


func test_connecting_while_packets_are_queued_is_told_in_the_next_frame() -> void:
	var peer := receiver(true)
	send(sender_to(peer), [numbered(1), numbered(2)])
	arrived(peer, 2)
	await Frames.wait(20)  # nobody is connected in all these
	var listener := Listener.new(peer)
	await Frames.wait(2)
	check_equal(listener.counts, PackedInt32Array([2]), "what the late handler is told")
	await Frames.wait(10)
	check_equal(listener.counts.size(), 1, "emissions while nothing arrives")
	# The same handler again, and another one beside it.
	peer.packets_available.disconnect(listener.on_packets_available)
	await Frames.wait(2)
	peer.packets_available.connect(listener.on_packets_available)
	await Frames.wait(2)
	check_equal(listener.counts, PackedInt32Array([2, 2]), "when it is connected again")
	var other := Listener.new(peer)
	await Frames.wait(2)
	check_equal(other.counts, PackedInt32Array([2]), "what a second handler is told")
	await Frames.wait(10)
	check_equal(other.counts.size(), 1, "emissions while nothing arrives")


func test_an_await_in_a_loop_gets_all_that_is_queued() -> void:
	var peer := receiver(true)
	var numbers: PackedInt32Array = []
	var take_one_by_one := func() -> void:
		while numbers.size() < 10:
			await peer.packets_available
			numbers.append(number_of(peer.get_packet()))
	send(sender_to(peer), range(10).map(func(i: int) -> PackedByteArray: return numbered(i)))
	arrived(peer, 10)
	await Frames.wait(3)
	take_one_by_one.call()
	await Frames.until(func() -> bool: return numbers.size() == 10, 3000)
	check_equal(numbers, PackedInt32Array(range(10)), "what was taken")


func test_a_handler_that_is_called_once_may_be_connected_again() -> void:
	var peer := receiver(true)
	var listener := Listener.new(peer)
	peer.packets_available.disconnect(listener.on_packets_available)
	send(sender_to(peer), [numbered(1)])
	arrived(peer)
	for i in 5:
		peer.packets_available.connect(listener.on_packets_available, CONNECT_ONE_SHOT)
		await Frames.wait(2)
		check_equal(listener.counts.size(), i + 1, "calls")
	listener.check_all(self)


func test_connecting_late_tells_nothing_if_the_packets_are_gone() -> void:
	var taken := receiver(true)
	var closed := receiver(true)
	var polled := receiver(true)
	var peers: Array[PacketPeer] = [taken, closed, polled]
	for peer in peers:
		send(sender_to(peer), [numbered(1)])
		arrived(peer)
	await Frames.wait(3)
	taken.get_packets()
	closed.close()
	polled.background_receive = false
	var listeners := peers.map(func(peer: PacketPeer) -> Listener: return Listener.new(peer))
	await Frames.wait(5)
	for listener: Listener in listeners:
		check_equal(listener.counts, PackedInt32Array(), "what the handler is told")


func test_a_peer_that_nobody_listens_to_may_be_freed_with_packets_in_its_queue() -> void:
	for i in 50:
		var peer := receiver(true)
		send(sender_to(peer), [numbered(1)])
		arrived(peer)
		if i % 2:
			await Frames.wait(1)
	await Frames.wait(3)
	check(true, "the engine runs")


func test_a_peer_of_a_server_tells_late_handlers_too() -> void:
	var server: RefCounted = ClassDB.instantiate("UdpServerRs")
	server.background_receive = true
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	send(sender_to(server), [numbered(1), numbered(2)])
	wait_until(server.is_connection_available)
	var peer: PacketPeer = server.take_connection()
	arrived(peer, 2)
	await Frames.wait(10)
	var listener := Listener.new(peer)
	await Frames.wait(2)
	check_equal(listener.counts, PackedInt32Array([2]), "what the late handler is told")


func test_a_late_answer_costs_nothing_where_no_packet_is_queued() -> void:
	# 2,000 peers that have received in the background and have no handler. Under Wine, looking at
	# so many sockets takes 0.1 s, which closing each of them waits for.
	var count := 2000 if Platform.has(&"many polled sockets") else 500
	var peers: Array[PacketPeer] = []
	for i in count:
		peers.append(make_peer(OURS))
	check(await _frame_usec() >= 0, "the addon is not connected to the frame")
	var idle := await _frame_usec()
	var senders: Array[PacketPeer] = []
	for i in peers.size():
		peers[i].background_receive = true
		if peers[i].bind(0, LOOPBACK) != OK:
			skip("this machine has no descriptors for %d peers" % count)
			return
		senders.append(sender_to(peers[i]))
		send(senders[i], [numbered(i)])
	for peer in peers:
		arrived(peer)
	var unread := await _frame_usec()
	for peer in peers:
		peer.get_packets()
	await Frames.wait(2)
	var read := await _frame_usec()
	var figures := [idle, unread, count, read]
	note("a frame: %d µs idle, %d with %d unread peers, %d when read" % figures)
	check(read < idle + 500, "%d µs with peers that were read, %d without" % [read, idle])


# The least time that the addon's part of a frame takes, which is called before its time.
func _frame_usec() -> int:
	var of_addon := _connections_of_addon()
	if of_addon.is_empty():
		return -1
	var least := 1 << 60
	for i in 20:
		await Frames.wait(1)
		await _tree().physics_frame
		var start := Time.get_ticks_usec()
		of_addon[0].callable.call()
		least = mini(least, Time.get_ticks_usec() - start)
	return least


static func _connections_of_addon() -> Array:
	return _tree().process_frame.get_connections().filter(
		func(connection: Dictionary) -> bool:
			var target: Object = connection.callable.get_object()
			return target != null and target.get_class() == "UdpRsFrameListener"
	)


static func _tree() -> SceneTree:
	return Engine.get_main_loop()
