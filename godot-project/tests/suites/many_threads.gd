extends "../support/suite.gd"
## One peer used by many threads at once. Native promises nothing here, so all tests are of ours.

const Tally := preload("../support/tally.gd")

const TAKERS := 4
const PACKETS := 4000
## The line of a thread that had a packet in hand when the peer was closed.
const CLOSED_MEANWHILE := "wait\\(\\): the peer is not open"
## How many packets are in flight at most: any kernel holds them, so none is lost.
const ON_THE_WAY := 40


func test_each_of_several_takers_gets_whole_packets_each_exactly_once() -> void:
	var peer := bound_peer(OURS, LOOPBACK, 1 << 20)
	var taken := Tally.new()
	allow_lines(CLOSED_MEANWHILE)
	var takers: Array[Thread] = []
	for i in TAKERS:
		takers.append(in_thread(_take_all.bind(peer, taken)))
	var sender := sender_to(peer, OURS)
	for i in PACKETS:
		wait_until(func() -> bool: return i - taken.count() < ON_THE_WAY)
		sender.put_packet(numbered(i, _size_of(i)))
	wait_until(func() -> bool: return taken.count() >= PACKETS)
	peer.close()
	_check_each_once(takers, PACKETS)


func test_several_threads_read_variants_each_exactly_once() -> void:
	var peer := bound_peer(OURS, LOOPBACK, 1 << 20)
	var taken := Tally.new()
	allow_lines(CLOSED_MEANWHILE)
	allow_lines('_get_packet|Condition "err != OK"')  # get_var, when another thread was faster
	var read_all := func() -> PackedInt32Array:
		var numbers: PackedInt32Array
		while peer.wait() == OK:
			var value: Variant = peer.get_var()
			if value is Dictionary:
				var number: int = value.number
				var whole: bool = value.bytes == numbered(number, _size_of(number))
				numbers.append(number if whole else -1)
				taken.add(1)
			elif value != null:
				numbers.append(-1)
		return numbers
	var readers: Array[Thread] = []
	for i in TAKERS:
		readers.append(in_thread(read_all))
	var sender := sender_to(peer, OURS)
	for i in 1000:
		wait_until(func() -> bool: return i - taken.count() < ON_THE_WAY)
		sender.put_var({"number": i, "bytes": numbered(i, _size_of(i))})
	wait_until(func() -> bool: return taken.count() >= 1000)
	peer.close()
	_check_each_once(readers, 1000)


func test_several_threads_send_at_once() -> void:
	var receiver := bound_peer(OURS, LOOPBACK, 1 << 20)
	var sender := sender_to(receiver, OURS)
	var sent := Tally.new()
	var taken := Tally.new()
	var threads: Array[Thread] = []
	for t in TAKERS:
		var send_some := func() -> int:
			var failed := 0
			for number in range(t, PACKETS, TAKERS):
				wait_until(func() -> bool: return sent.count() - taken.count() < ON_THE_WAY)
				sent.add(1)
				failed += int(sender.put_packet(numbered(number, 64)) != OK)
			return failed
		threads.append(in_thread(send_some))
	var seen: Dictionary[int, bool] = {}
	var all_came := func() -> bool:
		while receiver.get_available_packet_count() > 0:
			seen[number_of(receiver.get_packet(), 64)] = true
			taken.add(1)
		return seen.size() >= PACKETS
	wait_until(all_came)
	for thread in threads:
		check_equal(join(thread), 0, "sends that failed")
	check(not -1 in seen, "torn packets")
	check_equal(seen.size(), PACKETS, "packets received")


# The engine looks up the virtual methods of a class at the first call of an object, which is not
# thread-safe.
func test_the_first_calls_of_a_peer_may_come_from_two_threads_at_once() -> void:
	const COUNT := 1500
	for method: StringName in [&"put_packet", &"get_packet", &"get_available_packet_count"]:
		var peers: Array[PacketPeer] = []
		for i in COUNT:
			peers.append(make_peer(OURS))
			peers[i].set_dest_address(LOOPBACK, 9)
		var arguments := [numbered(1)] if method == &"put_packet" else []
		var call_first := func(number: int) -> bool:
			var answer: Variant = peers[number].callv(method, arguments)
			return method != &"put_packet" or answer == OK
		check_equal(race(COUNT, call_first, call_first), [0, 0], "%s: calls that failed" % method)


func test_peers_can_be_made_and_freed_by_many_threads() -> void:
	var make_and_free := func() -> int:
		var failed := 0
		for i in 300:
			var one := make_peer(OURS)
			var other := make_peer(OURS)
			failed += int(one.bind(0, LOOPBACK) != OK)
			failed += int(other.connect_to_host(LOOPBACK, one.get_local_port()) != OK)
			failed += int(other.put_packet(numbered(i)) != OK)
			failed += int(one.wait(TIMEOUT_MSEC) != OK)
			failed += int(number_of(one.get_packet()) != i)
		return failed
	var threads: Array[Thread] = []
	for t in 4:
		threads.append(in_thread(make_and_free))
	for thread in threads:
		check_equal(join(thread), 0, "what failed")


func test_six_threads_hammer_one_peer() -> void:
	var peer := bound_peer(OURS)
	var sink := bound_peer(NATIVE)
	# Misuse that prints a line: an open peer is bound, a closed one waited on, and so on.
	var expected := "(bind|connect_to_host|set_dest_address|wait|put_packet|get_local_port|poll)\\b"
	var start := Time.get_ticks_msec()
	var lines := hammered(_hammer.bind(peer, sink.get_local_port()))
	for line in lines:
		if RegEx.create_from_string(expected).search(line) == null:
			fail("unexpected in the log: " + line)
	# A misuse prints a line once a second, not at every call.
	var seconds := (Time.get_ticks_msec() - start) / 1000 + 1
	check(lines.size() <= 35 * seconds, "%d lines in %d s" % [lines.size(), seconds])

	# The peer works in whatever state the threads left it.
	peer.close()
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.get_available_packet_count(), 0, "count")
	send(sender_to(peer), [numbered(7)])
	check_equal(peer.wait(TIMEOUT_MSEC), OK, "wait")
	check_equal(take(peer), [numbered(7)] as Array[PackedByteArray], "what arrives")


# Together the threads must return each number once.
func _check_each_once(takers: Array[Thread], count: int) -> void:
	var seen: Dictionary[int, int] = {}
	for thread in takers:
		for number: int in join(thread):
			seen[number] = seen.get(number, 0) + 1
	check_equal(seen.get(-1, 0), 0, "torn packets")
	seen.erase(-1)
	check_equal(seen.size(), count, "packets taken")
	check(seen.values().all(func(times: int) -> bool: return times == 1), "some were taken twice")


# Calls methods at random; returns unexpected answers.
static func _hammer(rng_seed: int, end_msec: int, peer: PacketPeer, port: int) -> PackedStringArray:
	var rng := RandomNumberGenerator.new()
	rng.seed = rng_seed
	var packet := numbered(rng_seed, 100)
	# The results that each call may have while other threads open, connect and close.
	var calls: Array[Array] = [
		["bind", peer.bind.bind(0, LOOPBACK), [OK, ERR_ALREADY_IN_USE]],
		["connect_to_host", peer.connect_to_host.bind(LOOPBACK, port), [OK]],
		["set_dest_address", peer.set_dest_address.bind(LOOPBACK, port), [OK]],
		["put_packet", peer.put_packet.bind(packet), [OK, ERR_UNCONFIGURED, ERR_BUSY]],
		["put_packet", peer.put_packet.bind(packet), [OK, ERR_UNCONFIGURED, ERR_BUSY]],
		["get_packet", peer.get_packet, []],
		["get_available_packet_count", peer.get_available_packet_count, []],
		["wait", peer.wait.bind(1), [OK, ERR_TIMEOUT, ERR_UNCONFIGURED, ERR_UNAVAILABLE, ERR_SKIP]],
		["wait", peer.wait.bind(3), [OK, ERR_TIMEOUT, ERR_UNCONFIGURED, ERR_UNAVAILABLE, ERR_SKIP]],
		["interrupt_wait", peer.interrupt_wait, [null]],
		["poll", peer.poll, [OK, FAILED]],
		["close", peer.close, [null]],
		["is_bound", peer.is_bound, [true, false]],
		["get_local_port", peer.get_local_port, []],
		["get_packet_ip", peer.get_packet_ip, ["", LOOPBACK]],
		["get_last_error_message", peer.get_last_error_message, []],
	]
	var choose := func() -> Array: return calls[rng.randi_range(0, calls.size() - 1)]
	return call_at_random(choose, end_msec)


# Takes packets until the peer is closed; returns their numbers, -1 for a damaged one.
static func _take_all(peer: PacketPeer, taken: Tally) -> PackedInt32Array:
	var numbers: PackedInt32Array
	while peer.wait() == OK:
		while true:
			var packet: PackedByteArray = peer.get_packet()
			if packet.is_empty():  # another thread was faster
				break
			var number := packet.decode_u32(0) if packet.size() >= 4 else -1
			numbers.append(number_of(packet, _size_of(number)))
			taken.add(1)
	return numbers


static func _size_of(number: int) -> int:
	return 16 + (number * 97) % 1400
