extends "../support/server_suite.gd"
## The signals of UdpServerRs: peer_connected and peer_timed_out; and reset_stats().

const Frames := preload("../support/frames.gd")
const FrameOrder := preload("../support/frame_order.gd")

const SILENCE_MSEC := 200


func test_the_signals_are_declared_with_their_arguments() -> void:
	var signals: Dictionary[String, Array] = {}
	for info: Dictionary in ClassDB.class_get_signal_list(SERVERS[OURS], true):
		signals[info.name] = info.args
	check("peer_connected" in signals and "peer_timed_out" in signals, "%s" % [signals.keys()])
	check_equal(signals.get("peer_connected", [0]).size(), 0, "arguments of peer_connected")
	var args: Array = signals.get("peer_timed_out", [])
	check_equal(args.size(), 1, "arguments of peer_timed_out")
	if args.size() == 1:
		check_equal(args[0].name, "peer", "its name")
		check_equal(args[0].class_name, OURS, "its class")


func test_a_newcomer_is_there_when_it_is_announced() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			for address in loopback_addresses():
				var server := listening(OURS, address)
				server.background_receive = background
				var taken: Array[PacketPeer] = []
				var record := _Record.new()
				server.peer_connected.connect(
					func() -> void:
						record.note_thread()
						check(server.is_connection_available(), "nobody is pending")
						taken.append_array(take_all(server))
				)
				for i in 3:
					var client := sender_to(server, NATIVE, address)
					send(client, [numbered(i)])
					var came := func() -> bool:
						read(server)
						return taken.size() > i
					check(await Frames.until(came), "newcomer %d is not announced" % i)
				check_equal(taken.size(), 3, "taken")
				check_equal(record.in_other_threads, 0, "emissions in other threads")
				_disconnect(server.peer_connected)
	)


func test_it_is_not_emitted_for_packets_of_those_who_are_there() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var emissions: Array[int] = [0]
			server.peer_connected.connect(func() -> void: emissions[0] += 1)
			var client := sender_to(server)
			var peer := accepted(server, client)
			# It was taken already, so it need not be announced.
			await Frames.wait(3)
			var before := emissions[0]
			for i in 3:
				send(client, [numbered(i)])
				take(peer)
				await Frames.wait(2)
			check_equal(emissions[0], before, "emissions")
	)


func test_many_newcomers_of_a_frame_can_be_taken_in_one_handler() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var taken: Array[PacketPeer] = []
			server.peer_connected.connect(func() -> void: taken.append_array(take_all(server)))
			for client in clients_of(server, 10):
				send(client, [numbered(1)])
			var came := func() -> bool:
				read(server)
				return taken.size() == 10
			check(await Frames.until(came), "%d were taken" % taken.size())
			_disconnect(server.peer_connected)
	)


func test_connecting_late_counts_as_an_arrival() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var clients := clients_of(server, 3)
			for client in clients:
				send(client, [numbered(1)])
			check(is_pending(server), "nobody is pending")
			await Frames.wait(4)
			var taken: Array[PacketPeer] = []
			server.peer_connected.connect(func() -> void: taken.append(server.take_connection()))
			var all_taken := func() -> bool:
				read(server)
				return taken.size() == 3
			check(await Frames.until(all_taken), "%d of 3 are announced" % taken.size())
			await Frames.wait(2)
			check_equal(taken.size(), 3, "taken")
			_disconnect(server.peer_connected)
	)


func test_newcomers_that_were_taken_unheard_keep_no_later_one_from_being_told() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			# One is taken before a handler is connected, another is dropped.
			var before := accepted(server, sender_to(server))
			send(sender_to(server), [numbered(1)])
			check(is_pending(server), "nobody is pending")
			server.max_pending_connections = 0
			server.max_pending_connections = 16
			await Frames.wait(3)
			var taken: Array[PacketPeer] = []
			server.peer_connected.connect(func() -> void: taken.append(server.take_connection()))
			await Frames.wait(2)
			check_equal(taken.size(), 0, "told of those who are gone")
			for i in 3:
				send(sender_to(server), [numbered(i)])
				var came := func() -> bool:
					read(server)
					return taken.size() > i
				check(await Frames.until(came), "newcomer %d is not announced" % i)
			check(not null in taken, "told of one who is gone")
			check(before.is_bound(), "the first one")
			_disconnect(server.peer_connected)
	)


func test_newcomers_of_one_frame_are_told_to_one_handler_after_the_other() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			for client in clients_of(server, 5):
				send(client, [numbered(1)])
			check(is_pending(server), "nobody is pending")
			var taken: Array[PacketPeer] = []
			var take_one := func() -> void: taken.append(server.take_connection())
			for i in 5:
				server.peer_connected.connect(take_one, CONNECT_ONE_SHOT)
				var came := func() -> bool:
					read(server)
					return taken.size() > i
				check(await Frames.until(came), "%d of 5 are announced" % taken.size())
				await Frames.wait(2)
			check_equal(taken.size(), 5, "taken")
			check(not null in taken, "told of one who is gone")
	)


func test_who_is_closed_for_its_silence_is_told() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			for address in loopback_addresses():
				var server := listening(OURS, address)
				server.background_receive = background
				var told: Array[PacketPeer] = []
				var record := _Record.new()
				server.peer_timed_out.connect(
					func(peer: PacketPeer) -> void:
						record.note_thread()
						check_equal(peer.is_bound(), false, "is_bound in the handler")
						told.append(peer)
				)
				var peers: Array[PacketPeer] = []
				for i in 3:
					peers.append(accepted(server, sender_to(server, NATIVE, address)))
				server.peer_timeout_msec = SILENCE_MSEC
				var are_told := func() -> bool:
					read(server)
					return told.size() >= 3
				check(await Frames.until(are_told), "%d of 3 are told" % told.size())
				await Frames.wait(3)
				check_equal(told.size(), 3, "emissions")
				for peer in peers:
					check(peer in told, "not the peer that was taken")
				check_equal(record.in_other_threads, 0, "emissions in other threads")
	)


func test_pending_and_closed_peers_are_not_told() -> void:
	await in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var told: Array[PacketPeer] = []
			server.peer_timed_out.connect(func(peer: PacketPeer) -> void: told.append(peer))
			var closed := accepted(server, sender_to(server))
			closed.close()
			var freed := accepted(server, sender_to(server))
			freed = null
			check(freed == null, "freed")
			var taken := accepted(server, sender_to(server))
			send(sender_to(server), [numbered(1)])
			is_pending(server)
			server.peer_timeout_msec = SILENCE_MSEC
			var is_told := func() -> bool:
				read(server)
				return not told.is_empty()
			check(await Frames.until(is_told), "nobody is told")
			await Frames.wait(5)
			check_equal(told, [taken] as Array[PacketPeer], "who is told")
	)


func test_a_handler_may_stop_or_free_the_server() -> void:
	var actions: Array[Callable] = [
		func(held: Array) -> void: held[0].stop(),
		func(held: Array) -> void: held.clear(),
		func(held: Array) -> void: held[0].background_receive = not held[0].background_receive,
		func(held: Array) -> void: held[0].peer_timeout_msec = 0,
		func(held: Array) -> void: held[0].max_pending_connections = 0,
		func(held: Array) -> void: held[0].reset_stats(),
	]
	await in_both_modes(
		func(background: bool) -> void:
			for action in actions:
				for is_time_out: bool in [false, true]:
					var held := [server_in_mode(background)]
					var emissions: Array[int] = [0]
					var handle := func() -> void:
						emissions[0] += 1
						if not held.is_empty():
							action.call(held)
					var peer: PacketPeer = null
					if is_time_out:
						peer = accepted(held[0], sender_to(held[0]))
						held[0].peer_timed_out.connect(
							func(_peer: PacketPeer) -> void: handle.call()
						)
						held[0].peer_timeout_msec = SILENCE_MSEC / 4
					else:
						held[0].peer_connected.connect(handle)
						send(sender_to(held[0]), [numbered(1)])
					var came := func() -> bool:
						if not held.is_empty():
							read(held[0])
						return emissions[0] > 0
					check(await Frames.until(came), "no emission")
					await Frames.wait(2)
					held.clear()  # a cycle of server and connection
	)


func test_in_the_background_a_newcomer_is_announced_before_the_frames_process() -> void:
	var server := server_in_mode(true)
	var order := FrameOrder.new()
	server.peer_connected.connect(order.note_signal)
	var clients := clients_of(server, FrameOrder.TRIALS)
	await order.run(
		func(trial: int) -> void: clients[trial].put_packet(numbered(trial)),
		func() -> bool: return take_all(server).size() > 0
	)
	order.check_all(self)


func test_statistics_begin_anew() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var client := sender_to(server)
			var peer := accepted(server, client)
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
			check(stat(server, "packets_received") > 0, "nothing was counted")
			for i in 2:
				server.reset_stats()
				var stats: Dictionary = server.get_stats()
				for key: String in stats:
					check_equal(stats[key], 0, key)
			send(client, [numbered(2), numbered(3)])
			take(peer, 2)
			check_equal(peer.put_packet(numbered(4)), OK, "put_packet")
			check_equal(stat(server, "packets_received"), 2, "packets_received")
			check_equal(stat(server, "bytes_received"), 32, "bytes_received")
			check_equal(stat(server, "packets_sent"), 1, "packets_sent")
	)


func test_statistics_reset_in_the_middle_never_go_below_0() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			server.max_pending_connections = 2
			var clients := clients_of(server, 6)
			var port: int = server.get_local_port()
			var stop := Semaphore.new()
			var flood := in_thread(keep_sending.bind(port, stop))
			for i in 100:
				for client in clients:
					client.put_packet(numbered(i, 1000))
				read(server)
				if i % 3 == 0:
					server.reset_stats()
				if i % 7 == 0:
					take_all(server).clear()
				if i % 10 == 0:
					server.max_pending_connections = i % 4
				var stats: Dictionary = server.get_stats()
				for key: String in stats:
					check(stats[key] >= 0 and stats[key] < 1 << 40, "%s is %d" % [key, stats[key]])
			stop.post()
			join(flood)
	)


func _disconnect(which: Signal) -> void:
	for connection in which.get_connections():
		which.disconnect(connection.callable)  # a cycle of server and connection


class _Record:
	var in_other_threads := 0

	func note_thread() -> void:
		in_other_threads += int(OS.get_thread_caller_id() != OS.get_main_thread_id())
