extends "../support/suite.gd"
## How much a peer's queue holds, and what it drops.

## Packets sent before the peer reads again: the kernel holds more of 1,000 bytes than this.
const POLL_EVERY := 20


func test_65536_bytes_hold_127_packets_of_1000(kind: StringName) -> void:
	var peer := bound_peer(kind)
	_flood(peer, 140, 127)
	answer("count", peer.get_available_packet_count(), 127)
	_check_prefix(peer, 127)


func test_the_queue_holds_the_next_power_of_two_above(kind: StringName) -> void:
	for row: Array in [[65535, 63], [65537, 127], [100_000, 127], [131_071, 127], [131_072, 255]]:
		var peer := bound_peer(kind, LOOPBACK, row[0])
		_flood(peer, row[1] + 20, row[1])
		answer("recv_buf_size %d" % row[0], peer.get_available_packet_count(), row[1])


func test_a_socket_that_bind_did_not_open_holds_65536_bytes(kind: StringName) -> void:
	var receiver := bound_peer(NATIVE)
	var opened := sender_to(receiver, kind)
	send(opened, [numbered(1)])
	_flood(opened, 80, 63)
	answer("opened by put_packet", opened.get_available_packet_count(), 63)
	_check_prefix(opened, 63)

	var friend := bound_peer(NATIVE)
	var connected := connected_to(friend, kind)
	friend.set_dest_address(LOOPBACK, connected.get_local_port())
	_flood(connected, 80, 63, friend)
	answer("opened by connect_to_host", connected.get_available_packet_count(), 63)
	_check_prefix(connected, 63)


func test_a_full_queue_drops_the_newest(kind: StringName) -> void:
	var peer := bound_peer(kind)
	_flood(peer, 300, 127)
	_check_prefix(peer, 127)


func test_a_full_queue_takes_packets_again_once_there_is_room(kind: StringName) -> void:
	var peer := bound_peer(kind)
	_flood(peer, 127, 127)
	_check_prefix(peer, 127)
	answer("empty", peer.get_available_packet_count(), 0)
	_flood(peer, 127, 127)
	answer("count", peer.get_available_packet_count(), 127)
	_check_prefix(peer, 127)


func test_packets_of_any_size_share_the_queue(kind: StringName) -> void:
	var peer := bound_peer(kind, LOOPBACK, 1 << 20)
	var sender := sender_to(peer, kind)
	var sizes: PackedInt32Array = [16, 65507, 20, 30_000, 1, 4, 1200]
	for i in sizes.size():
		send(sender, [numbered(i, maxi(4, sizes[i]))])
		arrived(peer, i + 1)
	for i in sizes.size():
		answer("packet %d" % i, number_of(take(peer)[0], maxi(4, sizes[i])), i)


func test_a_large_packet_fits_a_default_queue(kind: StringName) -> void:
	var peer := bound_peer(kind)
	send(sender_to(peer, kind), [numbered(1, 65507)])
	answer("what arrives", number_of(take(peer)[0], 65507), 1)


func test_ours_holds_65536_bytes_however_little_is_asked() -> void:
	for size: int in [0, -1, 16, 1024]:
		var peer := bound_peer(OURS, LOOPBACK, size)
		_flood(peer, 80, 63)
		check_equal(peer.get_available_packet_count(), 63, "recv_buf_size %d" % size)
		_check_prefix(peer, 63)


func test_ours_leaves_in_the_kernel_what_the_queue_cannot_hold() -> void:
	var peer := bound_peer(OURS)
	_flood(peer, 127 + POLL_EVERY, 127)
	var got: PackedInt32Array
	for packet in take(peer, 127 + POLL_EVERY):
		got.append(number_of(packet, 1000))
	check_equal(got, PackedInt32Array(range(127 + POLL_EVERY)), "what arrives")


func test_ours_asks_the_kernel_for_the_buffer() -> void:
	if not needs(&"kernel buffers"):
		return
	var most := first_line("/proc/sys/net/core/rmem_max").to_int()
	var usual := first_line("/proc/sys/net/core/rmem_default").to_int()
	check(most > 0 and usual > 0, "cannot read what the kernel grants")
	if most < 2 * usual:
		skip("this system grants no larger buffer than the default one (net.core.rmem_max)")
		return
	var held: Dictionary[StringName, int] = {}
	for kind: StringName in [NATIVE, OURS]:
		var peer := bound_peer(kind, LOOPBACK, 8 << 20)
		var sender := sender_to(peer)
		for i in 2000:
			sender.put_packet(numbered(i))  # while the script reads nothing
		held[kind] = _settled_count(peer)
	note("of 2,000 packets sent to a busy script, native holds %d, ours %d" % held.values())
	check(held[OURS] > held[NATIVE] * 3 / 2, "ours holds no more than native")


func test_ours_reads_a_bounded_amount_in_one_call() -> void:
	var peer := bound_peer(OURS, LOOPBACK, 8 << 20)
	var port: int = peer.get_local_port()
	var stop := Semaphore.new()
	var send_all_the_time := func() -> int:
		var sender := PacketPeerUDP.new()
		sender.set_dest_address(LOOPBACK, port)
		var packet := numbered(0, 1200)
		var sent := 0
		while not stop.try_wait():
			sender.put_packet(packet)
			sent += 1
		return sent
	var flood := in_thread(send_all_the_time)
	# A call that reads until nothing is left would not return before the flood ends.
	var longest := 0
	var end := Time.get_ticks_msec() + 1500
	while Time.get_ticks_msec() < end:
		longest = maxi(longest, msec_of(peer.get_available_packet_count))
	stop.post()
	var sent: int = join(flood)
	note("the longest call took %d ms while %d packets came" % [longest, sent])
	check(sent > 0, "there was no flood")
	check(longest < AT_ONCE_MSEC, "one call took %d ms" % longest)


# Sends numbered packets of 1,000 bytes, and waits every few packets until the peer has read them,
# so that the kernel drops none. The peer's queue holds [param holds] of them.
func _flood(peer: PacketPeer, count: int, holds: int, sender: PacketPeer = null) -> void:
	if peer is PacketPeerUDP:
		allow_lines("Buffer full, dropping packets")  # ours leaves them in the kernel
	if sender == null:
		sender = sender_to(peer)
	for i in count:
		sender.put_packet(numbered(i, 1000))
		if i % POLL_EVERY == POLL_EVERY - 1 or i == count - 1:
			arrived(peer, mini(i + 1, holds))


# How many packets a peer holds when no more arrive.
func _settled_count(peer: PacketPeer) -> int:
	var counts: PackedInt32Array = []
	var is_settled := func() -> bool:
		OS.delay_msec(2)
		counts.append(peer.get_available_packet_count())
		return counts[-1] > 0 and counts.slice(-20).count(counts[-1]) == 20
	check(wait_until(is_settled), "the count does not settle")
	return counts[-1]


# The first packets must be queued in order; later ones are not checked.
func _check_prefix(peer: PacketPeer, count: int) -> void:
	var got: PackedInt32Array
	for packet in take(peer, count):
		got.append(number_of(packet, 1000))
	answer("the first %d" % count, got, PackedInt32Array(range(count)))
