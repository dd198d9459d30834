extends "../support/receiving.gd"
## A full queue: its exact bound, and what each policy drops. What both kinds do when polled is
## tested in queue.gd.

## How many packets of SIZE the smallest queue holds.
const FITTING := 63
const SIZE := 1000
## Packets sent before the peer reads again: the kernel holds more than this, so it drops none.
const CHUNK := 20


func test_the_bound_is_exact_to_the_byte(kind: StringName) -> void:
	if kind == NATIVE:
		allow_lines("Buffer full, dropping packets")  # ours leaves them in the kernel
	for row: Array in [[25_487, 2], [25_488, 1]]:
		# The size of a second packet that fills the queue, and of one that is a byte too large.
		for size: Array in [[65_535, 0], [65_536, 65_536], [131_072, 196_608]]:
			var peer := bound_peer(kind, LOOPBACK, size[0])
			var sender := sender_to(peer)
			var filler := 0
			while filler * 32_768 < size[1]:  # each takes exactly half of the smallest queue
				send(sender, [numbered(0, 32_768 - OVERHEAD)])
				filler += 1
				arrived(peer, filler)
			send(sender, [numbered(1, 40_000)])
			arrived(peer, filler + 1)
			send(sender, [numbered(2, row[0])])
			# A packet that does not fit changes nothing; it has arrived within this time.
			wait_until(
				func() -> bool: return peer.get_available_packet_count() == filler + 2,
				TIMEOUT_MSEC if row[1] == 2 else 50
			)
			answer(
				"%d and 40,000 and %d bytes in a queue of %s" % [size[1], row[0], size],
				peer.get_available_packet_count(),
				filler + row[1]
			)


func test_the_policies_are_constants_of_the_class() -> void:
	for row: Array in [["DROP_NEWEST", DROP_NEWEST], ["DROP_OLDEST", DROP_OLDEST]]:
		check(ClassDB.class_has_integer_constant(OURS, row[0]), row[0] + " is missing")
		check_equal(ClassDB.class_get_integer_constant(OURS, row[0]), row[1], row[0])
	var script := GDScript.new()
	script.source_code = "static func both() -> Array:\n\treturn [%s.DROP_NEWEST, %s.DROP_OLDEST]\n"
	script.source_code %= [OURS, OURS]
	check_equal(script.reload(), OK, "a script that names them compiles")
	check_equal(script.both(), [DROP_NEWEST, DROP_OLDEST], "the constants as a script sees them")


func test_a_policy_that_there_is_not_is_refused() -> void:
	for value: int in [-1, 2, 1 << 32]:
		refused_value(make_peer(OURS), "overflow_policy", value)
		var peer := make_peer(OURS)
		peer.overflow_policy = DROP_OLDEST
		refused_value(peer, "overflow_policy", value)


func test_the_policy_is_the_newest_at_first_and_remembered() -> void:
	var peer := make_peer(OURS)
	check_equal(peer.overflow_policy, DROP_NEWEST, "at first")
	peer.overflow_policy = DROP_OLDEST
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.overflow_policy, DROP_OLDEST, "bound")
	peer.close()
	check_equal(peer.overflow_policy, DROP_OLDEST, "closed")
	check_equal(peer.bind(0, LOOPBACK, 0), OK, "bind again")
	_flood(peer, 100, 37)
	_check_kept(peer, range(37, 100))


func test_polled_a_full_queue_leaves_the_rest_in_the_kernel() -> void:
	var peer := receiver(false, LOOPBACK, 0)
	_flood(peer, FITTING + CHUNK, 0, FITTING)
	check_equal(peer.get_available_packet_count(), FITTING, "count")
	check_equal(stat(peer, "packets_dropped_queue"), 0, "packets_dropped_queue while it is full")
	_check_kept(peer, range(FITTING + CHUNK))
	check_equal(stat(peer, "packets_dropped_queue"), 0, "packets_dropped_queue")
	check_equal(stat(peer, "packets_received"), FITTING + CHUNK, "packets_received")


func test_in_the_background_a_full_queue_drops_the_newest() -> void:
	var peer := receiver(true, LOOPBACK, 0)
	_flood(peer, 100, 37)
	_check_kept(peer, range(FITTING))
	_check_figures(peer, FITTING, 37)


func test_a_full_queue_drops_the_oldest_with_drop_oldest() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, LOOPBACK, 0)
			peer.overflow_policy = DROP_OLDEST
			_flood(peer, 100, 37)
			_check_kept(peer, range(37, 100))
			_check_figures(peer, FITTING, 37)
	)


func test_the_bound_is_exact_to_the_byte_for_each_policy() -> void:
	for row: Array in [
		[true, DROP_NEWEST, 0, [1, 2]],
		[true, DROP_NEWEST, 1, [1]],
		[true, DROP_OLDEST, 0, [1, 2]],
		[true, DROP_OLDEST, 1, [2]],
		[false, DROP_OLDEST, 0, [1, 2]],
		[false, DROP_OLDEST, 1, [2]],
	]:
		var peer := receiver(row[0], LOOPBACK, 0)
		peer.overflow_policy = row[1]
		var sizes: PackedInt32Array = [40_000, SMALLEST - 40_000 - 2 * OVERHEAD + row[2]]
		var sender := sender_to(peer)
		for i in 2:
			send(sender, [numbered(i + 1, sizes[i])])
			_look_until_seen(peer, i + 1)
		var what := "background %s, policy %d, %d bytes too much" % row.slice(0, 3)
		var kept: Array = row[3]
		check_equal(peer.get_available_packet_count(), kept.size(), "count: " + what)
		for number: int in kept:
			check_equal(number_of(take(peer)[0], sizes[number - 1]), number, what)
		check_equal(stat(peer, "packets_dropped_queue"), row[2], "dropped: " + what)


func test_a_large_packet_displaces_as_many_old_ones_as_it_must() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, LOOPBACK, 0)
			peer.overflow_policy = DROP_OLDEST
			_flood(peer, FITTING, 0)
			# 63 packets leave 1,023 bytes; 5,024 bytes need the space of four packets.
			var sender := sender_to(peer)
			send(sender, [numbered(FITTING, 5000)])
			_look_until_seen(peer, FITTING + 1)
			check_equal(peer.get_available_packet_count(), FITTING - 4 + 1, "count")
			check_equal(stat(peer, "packets_dropped_queue"), 4, "dropped")
			_check_kept(peer, range(4, FITTING))
			check_equal(number_of(take(peer)[0], 5000), FITTING, "the large one")

			_flood(peer, 10, 4)
			send(sender, [numbered(99, 65_507)])
			_look_until_seen(peer, FITTING + 12)
			check_equal(stat(peer, "packets_dropped_queue"), 14, "dropped by the largest")
			check_equal(peer.get_available_packet_count(), 1, "count with the largest")
			check_equal(number_of(take(peer)[0], 65_507), 99, "the largest")
	)


func test_dropping_the_newest_lets_a_smaller_one_in_later() -> void:
	var peer := receiver(true, LOOPBACK, 0)
	var sender := sender_to(peer)
	send(sender, [numbered(1, 40_000)])
	_look_until_seen(peer, 1)
	send(sender, [numbered(2, 30_000)])
	_look_until_seen(peer, 2)
	send(sender, [numbered(3, 1000)])
	_look_until_seen(peer, 3)
	var got: Array[PackedByteArray] = take(peer, 2)
	check_equal(got, [numbered(1, 40_000), numbered(3, 1000)] as Array[PackedByteArray], "kept")
	_check_figures(peer, 2, 1)


func test_empty_datagrams_fill_a_queue_too() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, LOOPBACK, 0)
			peer.overflow_policy = DROP_OLDEST
			var sender := sender_to(peer, OURS)
			var fitting := SMALLEST / OVERHEAD
			var sent := 0
			while sent < fitting + 50:
				sender.send_to(PackedByteArray(), LOOPBACK, peer.get_local_port())
				sent += 1
				if sent % CHUNK == 0:
					_look_until_seen(peer, sent)
			_look_until_seen(peer, sent)
			check_equal(peer.get_available_packet_count(), fitting, "count")
			_check_figures(peer, fitting, 50)
	)


func test_a_change_of_policy_applies_to_what_still_waits_in_the_kernel() -> void:
	var peer := receiver(false, LOOPBACK, 0)
	_flood(peer, FITTING + CHUNK, 0, FITTING)
	peer.overflow_policy = DROP_OLDEST
	_look_until_seen(peer, FITTING + CHUNK)
	_check_figures(peer, FITTING, CHUNK)
	_check_kept(peer, range(CHUNK, FITTING + CHUNK))


func test_going_to_the_background_drops_what_the_queue_cannot_hold() -> void:
	var peer := receiver(false, LOOPBACK, 0)
	_flood(peer, FITTING + CHUNK, 0, FITTING)
	peer.background_receive = true
	# A packet that was read already, and waits for room, may be kept.
	wait_until(func() -> bool: return stat(peer, "packets_dropped_queue") >= CHUNK - 1)
	_check_kept(peer, range(FITTING))
	var dropped := stat(peer, "packets_dropped_queue")
	check(dropped in [CHUNK - 1, CHUNK], "%d dropped" % dropped)
	_check_kept(peer, range(FITTING, FITTING + CHUNK - dropped))
	_check_figures(peer, FITTING + CHUNK - dropped, dropped)


func test_a_full_queue_in_the_background_takes_packets_again_once_there_is_room() -> void:
	for policy: int in [DROP_NEWEST, DROP_OLDEST]:
		var peer := receiver(true, LOOPBACK, 0)
		peer.overflow_policy = policy
		_flood(peer, 100, 37)
		peer.get_packets()
		_flood(peer, FITTING, 37)
		_check_kept(peer, range(FITTING))
		check_equal(stat(peer, "packets_dropped_queue"), 37, "packets_dropped_queue")


# Sends numbered packets of SIZE bytes, and waits often enough that the kernel holds few of them.
# When it returns, [param dropped] packets have been dropped in all. If a polled peer leaves the
# rest in the kernel, [param seen] is how many it reads.
func _flood(peer: PacketPeer, count: int, dropped: int, seen := -1) -> void:
	var sender := sender_to(peer)
	var before := _seen(peer)
	for i in count:
		sender.put_packet(numbered(i, SIZE))
		if i % CHUNK == CHUNK - 1 or i == count - 1:
			_look_until_seen(peer, before + (i + 1 if seen == -1 else mini(i + 1, seen)))
	check_equal(stat(peer, "packets_dropped_queue"), dropped, "packets_dropped_queue")


# Reads until [param count] packets have been read from the socket, kept or not.
func _look_until_seen(peer: PacketPeer, count: int) -> void:
	var look := func() -> bool:
		peer.get_available_packet_count()
		return _seen(peer) >= count
	wait_until(look)
	check_equal(_seen(peer), count, "packets seen")


static func _seen(peer: PacketPeer) -> int:
	return stat(peer, "packets_received") + stat(peer, "packets_dropped_queue")


func _check_kept(peer: PacketPeer, numbers: Array) -> void:
	var got := numbers_of(take(peer, numbers.size()), SIZE)
	check_equal(got, PackedInt32Array(numbers), "what was kept")


# Dropped packets do not count as received.
func _check_figures(peer: PacketPeer, received: int, dropped: int) -> void:
	check_equal(stat(peer, "packets_received"), received, "packets_received")
	check_equal(stat(peer, "packets_dropped_queue"), dropped, "packets_dropped_queue")
	check_equal(stat(peer, "packets_dropped_kernel"), 0, "packets_dropped_kernel")
