extends "../support/receiving.gd"
## Heavy traffic: no packet is lost, damaged or out of order, and a flood affects no other peer.

const MILLION := 1_000_000
## For the slower I/O modes, which systems other than Linux use.
const LESS := 150_000


func test_a_million_packets_of_mixed_sizes_arrive_whole_and_in_order_polled() -> void:
	_stream_through(receiver(false, LOOPBACK, 1 << 20), _many())


func test_a_million_packets_of_mixed_sizes_arrive_whole_and_in_order_in_the_background() -> void:
	_stream_through(receiver(true, LOOPBACK, 1 << 20), _many())


func test_toggling_between_takes_loses_and_reorders_nothing() -> void:
	var peer := receiver(false, LOOPBACK, 1 << 20)
	var stream := Stream.new(100_000)
	var sending := in_thread(stream.send.bind(sender_to(peer, OURS)))
	var toggles := 0
	var next := 0
	while next < stream.length and peer.wait(TIMEOUT_MSEC) == OK:
		var before := next
		while peer.get_available_packet_count() > 0:
			if not stream.is_packet(peer.get_packet(), next):
				fail("packet %d is not what was sent" % next)
				next = stream.length
				break
			next += 1
			if next % 20 == 0:
				peer.background_receive = not peer.background_receive
				toggles += 1
		for i in next / Stream.WINDOW - before / Stream.WINDOW:
			stream.acknowledge()
	stream.stop()
	check_equal(next, stream.length, "packets of the stream")
	join(sending)
	check(toggles > 0, "the mode never changed")
	_check_nothing_dropped(peer, stream.length)


func test_toggling_in_other_threads_loses_and_reorders_nothing() -> void:
	var peer := receiver(false, LOOPBACK, 1 << 20)
	var stop := Semaphore.new()
	var toggle := func() -> int:
		var toggles := 0
		while not stop.try_wait():
			peer.background_receive = not peer.background_receive
			toggles += 1
		return toggles
	var togglers: Array[Thread] = [in_thread(toggle), in_thread(toggle)]
	_stream_through(peer, 30_000)
	stop.post(2)
	var toggles := 0
	for thread in togglers:
		toggles += join(thread) as int
	note("%d toggles" % toggles)
	check(toggles > 0, "the mode never changed")


func test_several_takers_of_batches_get_each_packet_exactly_once() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, LOOPBACK, 1 << 20)
			var sender := sender_to(peer, OURS)
			allow_lines("(wait|get_packets)\\(\\)")  # a round may begin as the peer is closed
			var takers: Array[Thread] = []
			for i in 4:
				takers.append(in_thread(_take_batches.bind(peer)))
			for number in 5000:
				# What a thread has in hand is unknown, but the statistics count it as received.
				wait_until(func() -> bool: return stat(peer, "packets_received") > number - 40)
				sender.put_packet(numbered(number, 16 + number % 500))
			reaches(peer, "packets_received", 5000)
			wait_until(func() -> bool: return peer.get_available_packet_count() == 0)
			peer.close()
			var seen: Dictionary[int, int] = {}
			for thread in takers:
				for number: int in join(thread):
					seen[number] = seen.get(number, 0) + 1
			check_equal(seen.get(-1, 0), 0, "torn packets")
			check_equal(seen.size(), 5000, "packets taken")
			check_equal(seen.values().max(), 1, "the most often that a packet was taken")
	)


func test_a_flood_starves_no_other_peer() -> void:
	for policy: int in [DROP_NEWEST, DROP_OLDEST]:
		var flooded := receiver(true)
		flooded.overflow_policy = policy
		var other := receiver(true)
		var sender := sender_to(other)
		var stop := Semaphore.new()
		var flood := in_thread(_flood.bind(flooded.get_local_port(), stop))
		reaches_at_least(flooded, "packets_dropped_queue", 1000)
		var worst := 0
		for i in 200:
			sender.put_packet(numbered(i))
			var waited := msec_of(func() -> void: arrived(other))
			worst = maxi(worst, waited)
			check_equal(number_of(other.get_packet()), i, "what arrives")
		stop.post()
		var sent: int = join(flood)
		note("the longest way took %d ms while %d packets flooded another peer" % [worst, sent])
		check(worst < AT_ONCE_MSEC, "a packet took %d ms" % worst)


func test_a_flood_grows_no_memory_past_the_bound() -> void:
	if not needs(&"process figures"):
		return
	for policy: int in [DROP_NEWEST, DROP_OLDEST]:
		var peer := receiver(true)
		peer.overflow_policy = policy
		var stop := Semaphore.new()
		var flood := in_thread(_flood.bind(peer.get_local_port(), stop))
		reaches_at_least(peer, "packets_dropped_queue", 1000)
		var before := Process.resident_bytes()
		reaches_at_least(peer, "packets_dropped_queue", 50_000)
		var grown := Process.resident_bytes() - before
		stop.post()
		join(flood)
		check(before > 0, "the memory cannot be read")
		note("%d KiB more after 50,000 dropped packets" % (grown / 1024))
		check(grown < 4 << 20, "%d bytes more while a queue of 131,071 overflows" % grown)
		check_equal(peer.get_available_packet_count() <= 107, true, "within the queue's bound")


# Waits until a figure is [param value] or more.
func reaches_at_least(peer: PacketPeer, key: String, value: int) -> void:
	wait_until(func() -> bool: return stat(peer, key) >= value)
	check(stat(peer, key) >= value, "%s is %d, not %d or more" % [key, stat(peer, key), value])


static func _many() -> int:
	return MILLION if path() == "offload" else LESS


# Sends a stream through a peer, checks it, and notes how long it took.
func _stream_through(peer: PacketPeer, packets: int) -> void:
	var stream := Stream.new(packets)
	var start := Time.get_ticks_msec()
	var sending := in_thread(stream.send.bind(sender_to(peer, OURS)))
	take_stream(stream, peer)
	var taken := Time.get_ticks_msec() - start
	check_equal(join(sending), stream.length, "packets sent")
	check_equal(peer.wait(0), ERR_TIMEOUT, "wait after the stream")
	check_equal(peer.get_available_packet_count(), 0, "count after the stream")
	_check_nothing_dropped(peer, stream.length)
	note("%d packets in %.1f s" % [stream.length, taken / 1000.0])
	check(stream.length >= packets / 500, "only %d packets" % stream.length)


func _check_nothing_dropped(peer: PacketPeer, received: int) -> void:
	for row: Array in [
		["packets_received", received],
		["packets_dropped_queue", 0],
		["packets_dropped_kernel", 0],
		["receive_errors", 0],
	]:
		check_equal(stat(peer, row[0]), row[1], row[0])


# Takes packets until the peer is closed; returns their numbers, -1 for a damaged one.
static func _take_batches(peer: PacketPeer) -> PackedInt32Array:
	var numbers: PackedInt32Array
	while peer.wait() == OK:
		for packet: PackedByteArray in peer.get_packets(7):
			var number := packet.decode_u32(0) if packet.size() >= 4 else -1
			numbers.append(number_of(packet, 16 + number % 500))
	return numbers


# Sends as fast as possible until [param stop] is posted; returns how many packets.
static func _flood(port: int, stop: Semaphore) -> int:
	var sender: PacketPeer = ClassDB.instantiate(OURS)
	sender.set_dest_address(LOOPBACK, port)
	var window: Array[PackedByteArray] = []
	for i in 64:
		window.append(numbered(i, 1200))
	var sent := 0
	while not stop.try_wait():
		sent += maxi(0, sender.put_packets(window))
	return sent
