extends "../support/two_hosts.gd"
## Datagrams larger than the 1,500 bytes of a cable, which IP fragments and reassembles.

const SIZES: Array[int] = [1472, 1473, 8000, 60_000]
## The largest payload over IPv4.
const LARGEST := 65_507


func test_they_arrive_whole(kind: StringName) -> void:
	for family: Array in FAMILIES:
		var far := far_socket(family[2])
		for connected: bool in [false, true]:
			var peer := make_peer(kind)
			if connected:
				answer("connect", peer.connect_to_host(family[1], far.port), OK)
			else:
				answer("dest", peer.set_dest_address(family[1], far.port), OK)
			for size: int in SIZES + [LARGEST]:
				answer("sending %d bytes" % size, peer.put_packet(numbered(size, size)), OK)
				answer("size", far.values_of("size"), [size])
			send(peer, SIZES.map(func(size: int) -> PackedByteArray: return numbered(size, size)))
			answer("numbers", far.values_of("number", SIZES.size()), SIZES)


func test_they_are_received_whole(kind: StringName) -> void:
	for family: Array in FAMILIES:
		var peer := bound_peer(kind, family[2], 1 << 20)
		var far := far_socket(family[1])
		for size: int in SIZES + [LARGEST]:
			far.send(family[0], peer.get_local_port(), [size], size)
			answer("%d bytes" % size, numbers_at(peer, 1, size), PackedInt32Array([size]))
			answer("from", peer.get_packet_ip(), family[1])


func test_one_byte_more_than_ipv4_carries_is_refused(kind: StringName) -> void:
	var far := far_socket()
	var peer := make_peer(kind)
	peer.set_dest_address(FAR_IPV4[0], far.port)
	misuse(kind, "65,508 bytes", peer, "put_packet", [numbered(1, LARGEST + 1)], FAILED)
	send(peer, [numbered(2)])
	answer("what arrives", far.values_of("number"), [2])


func test_many_at_once_arrive_whole() -> void:
	for family: Array in FAMILIES:
		var far := far_socket(family[2])
		for connected: bool in [false, true]:
			var peer := make_peer(OURS)
			if connected:
				check_equal(peer.connect_to_host(family[1], far.port), OK, "connect")
			else:
				check_equal(peer.set_dest_address(family[1], far.port), OK, "dest")
			# Few enough for the receive buffer of 1 MiB: the kernel charges twice the length of a
			# packet.
			for size: int in [1473, 8000, 60_000]:
				var count := mini(40, 360_000 / size)
				var packets: Array[PackedByteArray] = []
				for i in count:
					packets.append(numbered(i, size))
				var all := range(count)
				check_equal(peer.put_packets(packets), count, "put_packets of %d bytes" % size)
				check_equal(far.values_of("number", count), all, "%d bytes, put_packets" % size)
				var data := PackedByteArray()
				for packet in packets:
					data.append_array(packet)
				check_equal(peer.put_segmented(data, size), count, "put_segmented of %d" % size)
				check_equal(far.values_of("number", count), all, "%d bytes, put_segmented" % size)


func test_small_and_large_ones_take_turns() -> void:
	for family: Array in FAMILIES:
		var far := far_socket(family[2])
		var peer := make_peer(OURS)
		check_equal(peer.set_dest_address(family[1], far.port), OK, "dest")
		var sizes := [64, 64, 64, 8000, 8000, 16, 1400, 1400, 700, 60_000, 4, 1473, 1472]
		var packets: Array[PackedByteArray] = []
		for i in sizes.size():
			packets.append(numbered(i, sizes[i]))
		check_equal(peer.put_packets(packets), sizes.size(), "put_packets")
		var reports := far.received(sizes.size())
		check_equal(reports.map(func(one: Dictionary) -> int: return one.size), sizes, "sizes")
		check_equal(
			reports.map(func(one: Dictionary) -> int: return one.number),
			range(sizes.size()),
			"order"
		)


func test_batches_of_them_are_received_whole() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for family: Array in FAMILIES:
				var peer := receiver(background, family[2], 1 << 20)
				var far := far_socket(family[1])
				for size: int in [1473, 8000, 60_000]:
					var count := mini(40, 360_000 / size)
					far.send(family[0], peer.get_local_port(), range(count), size)
					arrived(peer, count)
					var packets: Array[PackedByteArray] = peer.get_packets()
					check_equal(
						numbers_of(packets, size), PackedInt32Array(range(count)), "%d bytes" % size
					)
					for ip_text: String in peer.get_batch_ips():
						check_equal(ip_text, family[1], "get_batch_ips")
				check_equal(stat(peer, "packets_dropped_kernel"), 0, "dropped")
	)
