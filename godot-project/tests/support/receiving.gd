extends "suite.gd"
## Base of the suites about what only PacketPeerUdpRs has. It receives in two modes, polled and in
## the background, and most of its behaviour is the same in both.

const Stream := preload("stream.gd")

const DROP_NEWEST := 0
const DROP_OLDEST := 1
## What a queued packet takes beyond its length.
const OVERHEAD := 24
## How many bytes the smallest queue holds.
const SMALLEST := 65535


## Runs [param body] in both modes; its parameter says whether to receive in the background. Use
## await if the body does.
func in_both_modes(body: Callable) -> void:
	for background: bool in [false, true]:
		var before := failures.size()
		await body.call(background)
		for i in range(before, failures.size()):
			failures[i] += " (in the background)" if background else " (polled)"


## A peer of ours, bound to a free port.
func receiver(background: bool, address := LOOPBACK, recv_buf_size := 65536) -> PacketPeer:
	var peer := bound_peer(OURS, address, recv_buf_size)
	peer.background_receive = background
	return peer


## Whether one system call takes many packets here, and the kernel knows when each arrived.
static func has_batches() -> bool:
	return path() != "portable"


## The same; skips the test where there is none.
func needs_batches() -> bool:
	if not has_batches():
		skip("needs the batched system calls of Linux, which tell when a packet came")
	return has_batches()


## How packets pass between sockets and the system: "portable", "batch" or "offload". The last two
## exist on Linux only, where a variable restricts the addon to one of them for tests.
static func path() -> String:
	var limit := OS.get_environment("PACKET_PEER_UDP_RS_PATH")
	if Platform.system() != Platform.LINUX:
		return "portable"
	return "offload" if limit.is_empty() else limit


## How many threads the process has, once ending ones have ended.
func settled_threads() -> int:
	var counts: PackedInt32Array = []
	var is_settled := func() -> bool:
		counts.append(Process.threads())
		OS.delay_msec(10)
		return counts.size() >= 30 and counts.slice(-30).count(counts[-1]) == 30
	check(wait_until(is_settled), "threads come and go all the time")
	return counts[-1]


## The process must use nearly no processor time during [param msec]. The bound is the subject.
func check_idle(msec: int) -> void:
	var before := Process.processor_msec()
	OS.delay_msec(msec)
	var used := Process.processor_msec() - before
	note("%d ms of processor time in %d ms" % [used, msec])
	check(before > 0, "the processor time cannot be read")
	check(used < 100, "%d ms of processor time in %d ms of idling" % [used, msec])


## Sends packets to a port on loopback until told to stop; for a thread.
static func keep_sending(port: int, stop: Semaphore, address := LOOPBACK) -> void:
	var sender := PacketPeerUDP.new()
	sender.set_dest_address(address, port)
	while not stop.try_wait():
		sender.put_packet(numbered(1))


## Waits until a peer or a server knows what became of [param count] packets: each was received, or
## dropped by the kernel. [param look] makes it read its socket.
func until_all_known(peer: RefCounted, count: int, look: Callable) -> void:
	var are_known := func() -> bool:
		look.call()
		return stat(peer, "packets_received") + stat(peer, "packets_dropped_kernel") >= count
	check(wait_until(are_known), "of %d packets it knows %s" % [count, peer.get_stats()])


## A figure of a peer's or a server's statistics.
static func stat(peer: RefCounted, key: String) -> int:
	return peer.get_stats()[key]


## Waits until a figure of a peer's or a server's statistics is [param value].
func reaches(peer: RefCounted, key: String, value: int) -> void:
	wait_until(func() -> bool: return stat(peer, key) >= value)
	check_equal(stat(peer, key), value, key)


## A change of the mode of [param reader], the peer itself or its server, must end no wait on
## [param peer]. A packet of [param sender] ends them.
func check_waits_outlast_mode_changes(
	reader: RefCounted, peer: PacketPeer, sender: PacketPeer
) -> void:
	for i in 10:
		var waiting := waiting_threads(peer, 2, 60_000)
		for k in i % 4 + 1:
			reader.background_receive = not reader.background_receive
		for thread in waiting:
			check(thread.is_alive(), "a change of the mode ended a wait")
		send(sender, [numbered(i)])
		for thread in waiting:
			check_equal(join(thread), OK, "wait")
		check_equal(take(peer), [numbered(i)] as Array[PackedByteArray], "what arrives")


## Misuses a member: it must answer [param expected] and print one line, which names it and
## everything in [param named].
func refused(
	what: String,
	peer: RefCounted,
	method: StringName,
	arguments: Array,
	expected: Variant,
	named: Array = []
) -> void:
	misuse(OURS, what, peer, method, arguments, expected, named)
	check_equal(answers[-1][1], true, what + ": prints a line")


## A peer of ours that asks for the addresses that packets were sent to, bound to [param address].
func informed_receiver(background: bool, address: String) -> PacketPeer:
	var peer := make_peer(OURS)
	peer.packet_info = true
	peer.background_receive = background
	check_equal(peer.bind(0, address), OK, "bind to " + address)
	return peer


## Sets a property to a value that it refuses. It must keep its value, and one line must name
## property and value.
func refused_value(peer: RefCounted, property: StringName, value: Variant) -> void:
	var before: Variant = peer.get(property)
	var lines := lines_of(func() -> void: peer.set(property, value))
	check_equal(peer.get(property), before, "%s after %s" % [property, value])
	check_equal(lines.size(), 1, "%s = %s: lines printed" % [property, value])
	for name: String in [property, str(value)]:
		check(name in "".join(lines), "'%s' is not named in: %s" % [name, "; ".join(lines)])


## The size of a buffer must read what the system granted. A system may grant more than asked, and
## less than asked beyond its maximum.
func check_granted(peer: RefCounted, property: StringName, asked: int) -> void:
	var granted: int = peer.get(property)
	if Platform.system() == Platform.LINUX:
		var is_receive := property == &"receive_buffer_size"
		var most := first_line("/proc/sys/net/core/%s" % ("rmem_max" if is_receive else "wmem_max"))
		check_equal(granted, 2 * mini(asked, most.to_int()), "%s for %d" % [property, asked])
	else:
		check(granted > 0, "%s reads %d" % [property, granted])


## The numbers of packets of [param size] bytes that [method numbered] made.
static func numbers_of(packets: Array[PackedByteArray], size := 16) -> PackedInt32Array:
	var numbers: PackedInt32Array
	for packet in packets:
		numbers.append(number_of(packet, size))
	return numbers


## Takes all packets of [param stream], by each way of taking in turn, and checks them.
func take_stream(stream: Stream, peer: PacketPeer) -> void:
	var next := 0
	var acknowledged := 0
	var way := 0
	while next < stream.length:
		var packets: Array[PackedByteArray] = []
		if peer.wait(TIMEOUT_MSEC) == OK:
			packets = _take_some(peer, way)
			way += 1
		if packets.is_empty():
			fail("the stream ends after %d of %d packets" % [next, stream.length])
			break
		for packet in packets:
			if not stream.is_packet(packet, next):
				fail("in place of packet %d there is %s" % [next, written(packet)])
				stream.stop()
				return
			next += 1
		while next >= acknowledged + Stream.WINDOW:
			stream.acknowledge()
			acknowledged += Stream.WINDOW
	stream.stop()
	check_equal(next, stream.length, "packets of the stream")


# Takes what is queued, in one of three ways.
func _take_some(peer: PacketPeer, way: int) -> Array[PackedByteArray]:
	var packets: Array[PackedByteArray] = []
	match way % 3:
		0:
			for i: int in peer.get_available_packet_count():
				packets.append(peer.get_packet())
		1:
			packets = peer.get_packets()
		2:
			var joined: PackedByteArray = peer.get_packets_joined()
			var at := 0
			for size: int in peer.get_batch_sizes():
				packets.append(joined.slice(at, at + size))
				at += size
			if at != joined.size():
				fail("%d bytes, but the sizes come to %d" % [joined.size(), at])
	return packets
