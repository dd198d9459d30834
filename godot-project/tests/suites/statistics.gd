extends "../support/receiving.gd"
## get_stats() and reset_stats().

const KEYS: Array[String] = [
	"packets_sent",
	"bytes_sent",
	"packets_received",
	"bytes_received",
	"packets_dropped_queue",
	"packets_dropped_kernel",
	"send_errors",
	"receive_errors",
	"send_syscalls",
	"receive_syscalls",
	"conditions_lost",
	"conditions_duplicated",
	"conditions_reordered",
	"conditions_corrupted",
	"conditions_dropped",
	"conditions_waiting",
]


func test_there_is_a_number_for_each_key_and_no_other() -> void:
	var peer := make_peer(OURS)
	_check_zero(peer, "new")
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	peer.reset_stats()
	_check_zero(peer, "bound and reset")
	send(sender_to(peer), [numbered(1)])
	take(peer)
	var keys: Array = peer.get_stats().keys()
	var expected := KEYS.duplicate()
	keys.sort()
	expected.sort()
	check_equal(Array(keys, TYPE_STRING, "", null), expected, "keys after a packet")
	for key: Variant in keys:
		check_equal(typeof(key), TYPE_STRING, "the type of the key %s" % key)
		check_equal(typeof(peer.get_stats()[key]), TYPE_INT, "the type of %s" % key)


func test_they_are_a_copy() -> void:
	var peer := make_peer(OURS)
	var stats: Dictionary = peer.get_stats()
	stats.packets_sent = 99
	stats.more = 1
	_check_zero(peer, "after changing what was answered")


func test_they_agree_with_what_was_sent_and_received() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for connected: bool in [false, true]:
				var peer := receiver(background, LOOPBACK, 1 << 20)
				var sender := connected_to(peer, OURS) if connected else sender_to(peer, OURS)
				var size := 0
				for i in 200:
					size += 16 + i
					send(sender, [numbered(i, 16 + i)])
					if i % 40 == 39:
						arrived(peer, i + 1)
				check_equal(stat(sender, "packets_sent"), 200, "packets_sent")
				check_equal(stat(sender, "bytes_sent"), size, "bytes_sent")
				check_equal(stat(sender, "send_syscalls"), 200, "send_syscalls")
				for key: String in ["send_errors", "packets_received", "bytes_received"]:
					check_equal(stat(sender, key), 0, key + " of the sender")
				check_equal(stat(peer, "packets_received"), 200, "packets_received")
				check_equal(stat(peer, "bytes_received"), size, "bytes_received")
				check(stat(peer, "receive_syscalls") > 0, "no receive_syscalls")
				take(peer, 200)
				check_equal(stat(peer, "packets_received"), 200, "packets_received when taken")
				for key in KEYS:
					if "dropped" in key or "errors" in key or "sen" in key:
						check_equal(stat(peer, key), 0, key)
	)


func test_every_way_of_sending_counts() -> void:
	var peer := receiver(false, LOOPBACK, 1 << 20)
	var sender := make_peer(OURS)
	var port: int = peer.get_local_port()
	sender.set_dest_address(LOOPBACK, port)
	var steps: Array[Array] = [
		["put_packet", sender.put_packet.bind(numbered(1)), 1, 16],
		["put_var", sender.put_var.bind(7), 1, var_to_bytes(7).size()],
		["send_to", sender.send_to.bind(numbered(1), LOOPBACK, port), 1, 16],
		["an empty one", sender.send_to.bind(PackedByteArray(), LOOPBACK, port), 1, 0],
		[
			"put_packets",
			sender.put_packets.bind([numbered(1), numbered(2, 20), [] as PackedByteArray]),
			3,
			36
		],
		["put_segmented", sender.put_segmented.bind(numbered(1, 100), 30), 4, 100],
	]
	var packets := 0
	var size := 0
	for step in steps:
		step[1].call()
		packets += step[2]
		size += step[3]
		check_equal(stat(sender, "packets_sent"), packets, "packets_sent after " + step[0])
		check_equal(stat(sender, "bytes_sent"), size, "bytes_sent after " + step[0])
		arrived(peer, packets)
		check_equal(stat(peer, "packets_received"), packets, "packets_received after " + step[0])
		check_equal(stat(peer, "bytes_received"), size, "bytes_received after " + step[0])


func test_a_batch_of_one_size_takes_fewer_system_calls_than_packets() -> void:
	if not needs_batches():
		return
	var peer := receiver(false, LOOPBACK, 1 << 20)
	var sender := sender_to(peer, OURS)
	var packets: Array[PackedByteArray] = []
	for i in 64:
		packets.append(numbered(i, 64))
	for step: Array in [
		["put_packets", sender.put_packets.bind(packets)],
		["put_segmented", sender.put_segmented.bind(numbered(1, 64 * 64), 64)],
	]:
		sender.reset_stats()
		peer.reset_stats()
		check_equal(step[1].call(), 64, step[0])
		var calls := stat(sender, "send_syscalls")
		check(calls > 0 and calls < 64, "%s: %d system calls for 64 packets" % [step[0], calls])
		var all_came := func() -> bool:
			peer.get_packets()
			return stat(peer, "packets_received") >= 64
		check(wait_until(all_came), "%s: not all packets came" % step[0])
		var receive_calls := stat(peer, "receive_syscalls")
		check(receive_calls < 64, "receiving what %s sent: %d calls" % [step[0], receive_calls])
		note("%s of 64: sent by %d system calls, received by %d" % [step[0], calls, receive_calls])


func test_in_the_background_taking_packets_makes_no_system_call() -> void:
	var peer := receiver(true, LOOPBACK, 1 << 20)
	var sender := sender_to(peer)
	for i in 100:
		sender.put_packet(numbered(i))
		if i % 20 == 19:
			arrived(peer, i + 1)
	reaches(peer, "packets_received", 100)
	# The background thread may make one or two more empty reads.
	var before := stat(peer, "receive_syscalls")
	var taken := 0
	while peer.get_available_packet_count() > 80:
		peer.get_packet()
		taken += 1
	taken += peer.get_packets(30).size()
	peer.get_packets_joined(30)
	taken += peer.get_batch_sizes().size()
	taken += peer.get_packets().size()
	for i in 100:
		peer.get_available_packet_count()
		peer.get_packet()
		peer.get_packets()
		peer.poll()
		peer.wait(0)
	check_equal(taken, 100, "packets taken")
	var calls := stat(peer, "receive_syscalls") - before
	check(calls < 10, "%d system calls" % calls)


func test_what_the_kernel_drops_is_counted() -> void:
	if not needs(&"kernel drops"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var peer := make_peer(OURS)
			peer.receive_buffer_size = 4096
			check_equal(peer.bind(0, LOOPBACK, 1 << 20), OK, "bind")
			var sender := sender_to(peer)
			for i in 500:
				sender.put_packet(numbered(i, 1000))
			peer.background_receive = background
			until_all_known(peer, 500, peer.get_available_packet_count)
			var received: int = peer.get_available_packet_count()
			check(received > 0 and received < 100, "a tiny buffer holds %d packets" % received)
			check_equal(stat(peer, "packets_received"), received, "packets_received")
			check_equal(stat(peer, "packets_dropped_kernel"), 500 - received, "dropped")
			check_equal(stat(peer, "packets_dropped_queue"), 0, "packets_dropped_queue")
			# They count from the last reset on, not from the opening of the socket.
			var dropped := stat(peer, "packets_dropped_kernel")
			for i in 500:
				sender.put_packet(numbered(i, 1000))
			until_all_known(peer, 1000, peer.get_available_packet_count)
			check(stat(peer, "packets_dropped_kernel") >= dropped, "it went back")
			dropped = stat(peer, "packets_dropped_kernel")
			peer.close()
			check_equal(stat(peer, "packets_dropped_kernel"), dropped, "after close")
			check_equal(peer.bind(0, LOOPBACK), OK, "bind again")
			check_equal(stat(peer, "packets_dropped_kernel"), dropped, "bound again")
			peer.reset_stats()
			check_equal(stat(peer, "packets_dropped_kernel"), 0, "after a reset")
			peer.close()
			check_equal(stat(peer, "packets_dropped_kernel"), 0, "closed after a reset")
	)


func test_a_reset_while_the_kernel_has_dropped_forgets_that_too() -> void:
	if not needs(&"kernel drops"):
		return
	var peer := make_peer(OURS)
	peer.receive_buffer_size = 4096
	check_equal(peer.bind(0, LOOPBACK, 1 << 20), OK, "bind")
	var sender := sender_to(peer)
	for i in 200:
		sender.put_packet(numbered(i, 1000))
	var has_dropped := func() -> bool: return stat(peer, "packets_dropped_kernel") > 0
	check(wait_until(has_dropped), "nothing is dropped though nothing is read")
	peer.reset_stats()
	check_equal(stat(peer, "packets_dropped_kernel"), 0, "after a reset")
	peer.get_packets()
	check_equal(stat(peer, "packets_dropped_kernel"), 0, "after reading")


func test_a_refused_port_is_an_error_of_receiving() -> void:
	if not needs(&"refusals"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var peer := make_peer(OURS)
			peer.background_receive = background
			check_equal(peer.connect_to_host(LOOPBACK, closed_port()), OK, "connect")
			for i in 3:
				check_equal(peer.put_packet(numbered(i)), OK, "put_packet %d" % i)
				var noticed := func() -> bool:
					peer.get_available_packet_count()
					return stat(peer, "receive_errors") > i
				check(wait_until(noticed), "receive_errors stays %d" % stat(peer, "receive_errors"))
			check_equal(stat(peer, "send_errors"), 0, "send_errors")
			check_equal(stat(peer, "packets_sent"), 3, "packets_sent")
			check_equal(stat(peer, "packets_received"), 0, "packets_received")
			check(not peer.get_last_error_message().is_empty(), "no message")
	)


func test_a_send_that_the_system_refuses_is_an_error_of_sending() -> void:
	var peer := sender_to(bound_peer(NATIVE), OURS)
	allow_lines("put_packet|send_to")
	check_equal(peer.put_packet(numbered(1, 65_508)), FAILED, "put_packet")
	check_equal(stat(peer, "send_errors"), 1, "send_errors after put_packet")
	check_equal(peer.put_packets([numbered(1), numbered(2, 65_508)]), 1, "put_packets")
	check_equal(stat(peer, "send_errors"), 2, "send_errors after put_packets")
	check_equal(peer.send_to(numbered(1, 65_508), LOOPBACK, 9), FAILED, "send_to")
	check_equal(stat(peer, "send_errors"), 3, "send_errors after send_to")
	check_equal(stat(peer, "packets_sent"), 1, "packets_sent")
	check_equal(stat(peer, "bytes_sent"), 16, "bytes_sent")
	check_equal(stat(peer, "receive_errors"), 0, "receive_errors")


func test_they_go_on_over_close_until_they_are_reset() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background)
			for i in 3:
				var other := sender_to(peer)
				send(other, [numbered(1)])
				take(peer)
				peer.set_dest_address(LOOPBACK, other.get_local_port())
				send(peer, [numbered(2, 50)])
				check_equal(stat(peer, "packets_received"), i + 1, "packets_received")
				check_equal(stat(peer, "packets_sent"), i + 1, "packets_sent")
				check_equal(stat(peer, "bytes_sent"), 50 * (i + 1), "bytes_sent")
				peer.close()
				check_equal(stat(peer, "packets_received"), i + 1, "packets_received, closed")
				check_equal(peer.bind(0, LOOPBACK), OK, "bind")
			peer.close()
			peer.reset_stats()
			_check_zero(peer, "closed and reset")
	)


func test_packets_of_a_stranger_are_not_received_by_a_connected_peer() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var friend := bound_peer(NATIVE)
			var peer := connected_to(friend, OURS)
			peer.background_receive = background
			send(sender_to(peer), [numbered(1)])
			friend.set_dest_address(LOOPBACK, peer.get_local_port())
			send(friend, [numbered(2)])
			check_equal(take(peer), [numbered(2)] as Array[PackedByteArray], "what arrives")
			check_equal(stat(peer, "packets_received"), 1, "packets_received")
	)


func test_they_may_be_read_and_reset_while_others_send_and_receive() -> void:
	var peer := receiver(true, LOOPBACK, 1 << 20)
	var stream := Stream.new(20_000)
	var stop := Semaphore.new()
	var look := func() -> int:
		var looks := 0
		while not stop.try_wait():
			for key in KEYS:
				if stat(peer, key) < 0:
					return -1
			looks += 1
		return looks
	var looking := in_thread(look)
	var sending := in_thread(stream.send.bind(sender_to(peer, OURS)))
	take_stream(stream, peer)
	join(sending)
	stop.post()
	check((join(looking) as int) > 0, "no figure was read, or one was below 0")
	check_equal(stat(peer, "packets_received"), stream.length, "packets_received")


func _check_zero(peer: PacketPeer, what: String) -> void:
	var stats: Dictionary = peer.get_stats()
	check_equal(stats.size(), KEYS.size(), "%s: keys" % what)
	for key in KEYS:
		check_equal(stats.get(key), 0, "%s: %s" % [what, key])
