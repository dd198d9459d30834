extends "../support/server_suite.gd"
## UdpServerRs.background_receive: packets arrive without poll().

const Frames := preload("../support/frames.gd")
const Listener := preload("../support/packets_listener.gd")

## How many windows in flight fit into an accepted peer's queue.
const WINDOWS := 1


func test_it_is_off_at_first_and_remembered() -> void:
	var server := make_server(OURS)
	check_equal(server.background_receive, false, "new")
	server.background_receive = true
	check_equal(server.background_receive, true, "turned on")
	for i in 2:
		check_equal(server.listen(0, LOOPBACK), OK, "listen")
		check_equal(server.background_receive, true, "listening")
		_check_unpolled(server)
		server.stop()
		check_equal(server.background_receive, true, "stopped")
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	server.background_receive = false
	check_equal(server.background_receive, false, "turned off")
	accepted(server, sender_to(server))


func test_everything_arrives_without_poll() -> void:
	var server := server_in_mode(true)
	var clients := clients_of(server, 10)
	for i in 10:
		send(clients[i], [numbered(i)])
	var peers: Array[PacketPeer] = []
	for i in 10:
		check(wait_until(server.is_connection_available), "client %d is not pending" % i)
		peers.append(server.take_connection())
		check_equal(number_of(peers[i].get_packet()), i, "the first packet of client %d" % i)
		check_equal(peers[i].get_packet_port(), clients[i].get_local_port(), "get_packet_port")
	for i in 10:
		send(clients[i], [numbered(i + 10), numbered(i + 20)])
	for i in 10:
		var came := func() -> bool: return peers[i].get_available_packet_count() == 2
		check(wait_until(came), "packets of client %d" % i)
		var numbers := numbers_of(peers[i].get_packets())
		check_equal(numbers, PackedInt32Array([i + 10, i + 20]), "of client %d" % i)


func test_it_reads_more_than_the_kernel_holds_while_the_game_is_busy() -> void:
	var server := make_server(OURS)
	server.receive_buffer_size = 16_384
	server.background_receive = true
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	var clients := clients_of(server, 20, OURS)
	var peers := all_accepted(server, clients)
	for number in 500:
		for client in clients:
			client.put_packet(numbered(number, 64))
		# The script reads nothing; the statistics show that the thread keeps up.
		var expected := 20 + 20 * (number + 1)
		wait_until(func() -> bool: return stat(server, "packets_received") >= expected)
	for i in 20:
		var numbers := numbers_of(peers[i].get_packets(), 64)
		check_equal(numbers, PackedInt32Array(range(500)), "packets of client %d" % i)


func test_polling_and_looking_take_no_system_call_then() -> void:
	var server := server_in_mode(true)
	var client := sender_to(server)
	var peer := accepted(server, client)
	send(client, [numbered(1)])
	reaches(server, "packets_received", 2)
	# The thread may make one or two more empty reads.
	var before := stat(server, "receive_syscalls")
	for i in 1000:
		check_equal(server.poll(), OK, "poll")
		server.is_connection_available()
		server.get_peer_count()
		peer.get_available_packet_count()
	peer.get_packet()
	peer.get_packet()
	peer.wait(0)
	var calls := stat(server, "receive_syscalls") - before
	check(calls < 10, "%d system calls" % calls)
	check_equal(stat(server, "packets_received"), 2, "packets_received")


func test_a_polled_server_takes_system_calls() -> void:
	var server := server_in_mode(false)
	accepted(server, sender_to(server))
	var before := stat(server, "receive_syscalls")
	for i in 10:
		server.poll()
	check(stat(server, "receive_syscalls") >= before + 10, "a poll that does not look")


func test_connections_tell_what_has_come() -> void:
	var server := server_in_mode(true)
	var clients := clients_of(server, 5)
	var peers := all_accepted(server, clients)
	var listeners: Array[Listener] = []
	for peer in peers:
		listeners.append(Listener.new(peer))
	for i in 5:
		for number in i:
			send(clients[i], [numbered(number)])
	var all_emitted := func() -> bool:
		return range(5).all(func(i: int) -> bool: return listeners[i].last() == i)
	await Frames.until(all_emitted)
	for i in 5:
		check_equal(listeners[i].last(), i, "the count of connection %d" % i)
		listeners[i].check_all(self)
	var times := listeners[4].counts.size()
	await Frames.wait(5)
	check_equal(listeners[4].counts.size(), times, "emissions while nothing comes")


func test_a_connection_signals_what_arrived_before_it_was_taken() -> void:
	var server := server_in_mode(true)
	send(sender_to(server), [numbered(1), numbered(2)])
	reaches(server, "packets_received", 2)
	await Frames.wait(2)
	var peer := next_connection(server)
	var listener := Listener.new(peer)
	await Frames.until(func() -> bool: return listener.last() == 2)
	check_equal(listener.last(), 2, "count")
	listener.check_all(self)
	check_equal(numbers_of(take(peer, 2)), PackedInt32Array([1, 2]), "packets")


func test_going_to_the_background_tells_what_waits() -> void:
	var server := server_in_mode(false)
	var client := sender_to(server)
	var peer := accepted(server, client)
	var listener := Listener.new(peer)
	send(client, [numbered(1)])
	arrived(peer)
	send(client, [numbered(2)])
	await Frames.wait(3)
	check_equal(listener.counts, PackedInt32Array(), "emissions when polled")
	server.background_receive = true
	await Frames.until(func() -> bool: return listener.last() == 2)
	check_equal(listener.last(), 2, "count")
	listener.check_all(self)
	server.background_receive = false
	await Frames.wait(2)  # one may be due already
	var times := listener.counts.size()
	send(client, [numbered(3)])
	arrived(peer, 3)
	await Frames.wait(5)
	check_equal(listener.counts.size(), times, "emissions when polled again")


func test_packets_can_be_taken_and_connections_closed_in_the_handler() -> void:
	for action: String in ["take", "close", "free", "stop", "answer"]:
		var server := server_in_mode(true)
		var client := sender_to(server)
		var held := [accepted(server, client)]
		var emissions := [0]
		held[0].packets_available.connect(
			func(_count: int) -> void:
				emissions[0] += 1
				match action:
					"take":
						check_equal(held[0].get_packets().size(), 1, "taken in the handler")
					"close":
						held[0].close()
					"free":
						held.clear()
					"stop":
						server.stop()
					"answer":
						held[0].put_packet(numbered(2))
		)
		send(client, [numbered(1)])
		await Frames.until(func() -> bool: return emissions[0] > 0)
		check(emissions[0] > 0, action + ": no emission")
		match action:
			"close", "free":
				check_equal(server.get_peer_count(), 0, action + ": get_peer_count")
			"stop":
				check_equal(held[0].is_bound(), false, "stop: is_bound")
			"answer":
				check_equal(numbers_of(take(client)), PackedInt32Array([2]), "the answer")
		await Frames.wait(2)
		for held_one: PacketPeer in held:
			for connection in held_one.packets_available.get_connections():
				held_one.packets_available.disconnect(connection.callable)
		held.clear()


func test_a_closed_connection_tells_nothing_more() -> void:
	var server := server_in_mode(true)
	for ending: String in ["close", "stop"]:
		var client := sender_to(server)
		var peer := accepted(server, client)
		var listener := Listener.new(peer)
		send(client, [numbered(1)])
		reaches(peer, "packets_received", 2)
		if ending == "close":
			peer.close()
		else:
			server.stop()
		var times := listener.counts.size()
		await Frames.wait(3)
		check_equal(listener.counts.size(), times, "emissions after " + ending)


func test_toggling_under_traffic_loses_and_reorders_nothing() -> void:
	var server := server_in_mode(false)
	var stop := Semaphore.new()
	var toggle := func() -> int:
		var toggles := 0
		while not stop.try_wait():
			server.background_receive = not server.background_receive
			toggles += 1
			OS.delay_usec(100)
		return toggles
	var clients := clients_of(server, 2, OURS)
	var peers := all_accepted(server, clients)
	var toggling := in_thread(toggle)
	for i in 2:
		var stream := Stream.new(15_000, WINDOWS)
		var sending := in_thread(stream.send.bind(clients[i]))
		take_stream(stream, peers[i])
		check_equal(join(sending), stream.length, "packets sent")
		check_equal(stat(peers[i], "packets_received"), 1 + stream.length, "packets_received")
		for key: String in ["packets_dropped_queue", "packets_dropped_kernel"]:
			check_equal(stat(server, key), 0, key)
	stop.post()
	var toggles: int = join(toggling)
	note("%d toggles" % toggles)
	check(toggles > 0, "the mode never changed")


func test_one_thread_reads_for_all_servers_and_none_without_need() -> void:
	if not needs(&"process figures"):
		return
	var before := settled_threads()
	var servers: Array[RefCounted] = []
	for i in 10:
		servers.append(server_in_mode(true))
		_check_unpolled(servers[i])
	check_equal(Process.threads(), before + 1, "threads with ten servers")
	for i in range(0, 5):
		servers[i].stop()
	servers.resize(9)
	_check_unpolled(servers[8])
	check_equal(Process.threads(), before + 1, "threads with four servers")
	servers.clear()
	var is_gone := func() -> bool: return Process.threads() == before
	check(wait_until(is_gone), "%d threads are left, of %d" % [Process.threads(), before])


func test_the_port_is_free_at_once_when_stop_returns_under_traffic() -> void:
	var server := make_server(OURS)
	server.background_receive = true
	var port := free_port()
	check_equal(server.listen(port, free_address), OK, "listen")
	var stop := Semaphore.new()
	var sending := in_thread(keep_sending.bind(port, stop, free_address))
	var failed := 0
	for i in 200:
		if i % 3:
			next_connection(server)
		server.stop()
		failed += int(PacketPeerUDP.new().bind(port, free_address) != OK)
		failed += int(server.listen(port, free_address) != OK)
	stop.post()
	join(sending)
	check_equal(failed, 0, "binds that failed")


func test_it_uses_no_processor_time_when_nothing_comes() -> void:
	if not needs(&"process figures"):
		return
	var server := server_in_mode(true)
	server.peer_timeout_msec = 60_000
	var clients := clients_of(server, 50)
	var peers := all_accepted(server, clients)
	var flooder := sender_to(server)
	for i in FITTING * 2:
		flooder.put_packet(numbered(i, 1000))
	var waiting := waiting_threads(peers[0], 2) + waiting_threads(peers[1], 1, 60_000)
	check_idle(500)
	server.stop()
	for thread in waiting:
		check_equal(join(thread), ERR_UNAVAILABLE, "wait")


# A client connects, its packet arrives, and it gets an answer, all without poll().
func _check_unpolled(server: RefCounted) -> void:
	var client := sender_to(server)
	send(client, [numbered(1)])
	check(wait_until(server.is_connection_available), "no connection is pending")
	var peer: PacketPeer = server.take_connection()
	check_equal(numbers_of(peer.get_packets()), PackedInt32Array([1]), "its packet")
	send(peer, [numbered(2)])
	check_equal(numbers_of(take(client)), PackedInt32Array([2]), "the answer")
