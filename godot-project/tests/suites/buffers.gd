extends "../support/receiving.gd"
## The kernel's buffers: receive_buffer_size and send_buffer_size.

const PROPERTIES: Array[StringName] = [&"receive_buffer_size", &"send_buffer_size"]


func test_they_are_properties_that_are_0_at_first() -> void:
	for property in PROPERTIES:
		var found := ClassDB.class_get_property_list(OURS, true).filter(
			func(info: Dictionary) -> bool: return info.name == property
		)
		check_equal(found.size(), 1, "properties called " + property)
		check_equal(found[0].type if found else TYPE_NIL, TYPE_INT, "the type of " + property)
		check_equal(ClassDB.class_get_property_default_value(OURS, property), 0, property)
		check_equal(make_peer(OURS).get(property), 0, property + " of a new peer")


func test_they_read_what_was_granted_while_open_and_what_was_asked_while_closed() -> void:
	for property in PROPERTIES:
		var peer := make_peer(OURS)
		peer.set(property, 20_000)
		check_equal(peer.get(property), 20_000, property + " of a closed peer")
		for i in 2:
			check_equal(peer.bind(0, LOOPBACK), OK, "bind")
			check_granted(peer, property, 20_000)
			peer.close()
			check_equal(peer.get(property), 20_000, property + " after close")


func test_what_the_system_gives_by_itself_is_read_too() -> void:
	for property in PROPERTIES:
		var peer := bound_peer(OURS)
		check(peer.get(property) > 0, "%s of an open peer is %d" % [property, peer.get(property)])
		peer.close()
		check_equal(peer.get(property), 0, property + " after close")


func test_they_apply_at_once_while_open() -> void:
	for property in PROPERTIES:
		for peer: PacketPeer in [bound_peer(OURS), connected_to(bound_peer(NATIVE), OURS)]:
			for asked: int in [8192, 100_000, 16_384]:
				peer.set(property, asked)
				check_granted(peer, property, asked)
			peer.close()
			check_equal(peer.get(property), 16_384, property + " after close")


func test_they_apply_however_the_peer_is_opened() -> void:
	var friend := bound_peer(NATIVE)
	for property in PROPERTIES:
		for way: String in ["put_packet", "connect_to_host"]:
			var peer := make_peer(OURS)
			peer.set(property, 12_000)
			peer.set_dest_address(LOOPBACK, friend.get_local_port())
			if way == "put_packet":
				check_equal(peer.put_packet(numbered(1)), OK, way)
			else:
				check_equal(peer.connect_to_host(LOOPBACK, friend.get_local_port()), OK, way)
			check_granted(peer, property, 12_000)


func test_more_than_the_system_gives_is_no_mistake() -> void:
	for property in PROPERTIES:
		var peer := bound_peer(OURS)
		peer.set(property, 1 << 30)
		check_granted(peer, property, 1 << 30)
		peer.close()
		check_equal(peer.get(property), 1 << 30, property + " after close")


func test_the_receive_buffer_wins_over_recv_buf_size() -> void:
	var peer := make_peer(OURS)
	peer.receive_buffer_size = 16_384
	check_equal(peer.bind(0, LOOPBACK, 1 << 20), OK, "bind")
	check_granted(peer, &"receive_buffer_size", 16_384)
	peer.close()
	peer.receive_buffer_size = 0
	check_equal(peer.bind(0, LOOPBACK, 1 << 20), OK, "bind without it")
	var free: int = peer.receive_buffer_size
	check(free > 32_768, "with recv_buf_size alone %d bytes are granted" % free)


func test_the_queue_stays_what_recv_buf_size_makes_it() -> void:
	var peer := make_peer(OURS)
	peer.receive_buffer_size = 200_000
	check_equal(peer.bind(0, LOOPBACK, 0), OK, "bind")
	var sender := sender_to(peer)
	for i in 80:
		sender.put_packet(numbered(i, 1000))
		if i % 20 == 19:
			arrived(peer, mini(i + 1, 63))
	check_equal(peer.get_available_packet_count(), 63, "packets queued")


func test_a_small_receive_buffer_holds_little() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var small := make_peer(OURS)
			small.receive_buffer_size = 8192
			small.background_receive = background
			check_equal(small.bind(0, LOOPBACK, 1 << 20), OK, "bind")
			check_granted(small, &"receive_buffer_size", 8192)
			var sender := sender_to(small)
			# Sent one by one, all arrive.
			for i in 100:
				sender.put_packet(numbered(i, 1000))
				arrived(small, i + 1)
			check_equal(
				numbers_of(take(small, 100), 1000), PackedInt32Array(range(100)), "what arrives"
			)
			if not background and Platform.has(&"kernel buffers"):
				for i in 100:
					sender.put_packet(numbered(i, 1000))
				arrived(small)
				var held: int = small.get_available_packet_count()
				check(held < 20, "8,192 bytes hold %d packets of 1,000" % held)
	)


func test_sizes_out_of_range_are_refused() -> void:
	for property in PROPERTIES:
		for value: int in [-1, -65_536, 1 << 31, 1 << 40]:
			refused_value(make_peer(OURS), property, value)
			refused_value(bound_peer(OURS), property, value)
			var peer := make_peer(OURS)
			peer.set(property, 30_000)
			refused_value(peer, property, value)
			check_equal(peer.bind(0, LOOPBACK), OK, "bind")
			check_granted(peer, property, 30_000)
