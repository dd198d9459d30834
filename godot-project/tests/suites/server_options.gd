extends "../support/server_suite.gd"
## UdpServerRs' socket options, and how its connections refuse them. Their effects are tested in the
## suites of the peer's options.

const Observer := preload("../support/observer.gd")

## Name: default, another value.
const OPTIONS: Dictionary[StringName, Array] = {
	&"reuse_address": [true, false],  # the other way round where servers do not share
	&"reuse_port": [false, true],
	&"time_to_live": [0, 9],
	&"traffic_class": [0, 184],
}
const BUFFERS: Array[StringName] = [&"receive_buffer_size", &"send_buffer_size"]
const BAD_VALUES: Dictionary[StringName, Array] = {
	&"time_to_live": [-1, 256, 1 << 40],
	&"traffic_class": [-1, 256, 1 << 40],
	&"receive_buffer_size": [-1, 1 << 31, 1 << 40],
	&"send_buffer_size": [-1, 1 << 31, 1 << 40],
	&"max_pending_connections": [-1, 1 << 32],
}
## Options that a connection refuses: the server has them, or they do not apply.
const LOCKED: Dictionary[StringName, Variant] = {
	&"reuse_address": false,
	&"reuse_port": true,
	&"time_to_live": 7,
	&"traffic_class": 40,
	&"receive_buffer_size": 20_000,
	&"send_buffer_size": 20_000,
	&"multicast_time_to_live": 5,
	&"multicast_loopback": false,
	&"packet_info": true,
	&"source_address": "127.0.0.1",
	&"queue_size": 20_000,
	&"background_receive": true,
}

var _observer := Observer.new()


func finish() -> void:
	_observer.stop()
	super()


func test_they_are_the_peers_properties() -> void:
	for option: StringName in OPTIONS.keys() + BUFFERS + [&"background_receive"]:
		var of_peer := _info(OURS, option)
		var of_server := _info(SERVERS[OURS], option)
		for key: String in ["type", "hint", "hint_string", "usage"]:
			check_equal(of_server.get(key), of_peer.get(key), "%s of %s" % [key, option])


func test_they_last_over_stop() -> void:
	var server := make_server(OURS)
	for option in OPTIONS:
		check_equal(server.get(option), _default(option), option + " of a new server")
		server.set(option, _other(option))
	for i in 2:
		for option in OPTIONS:
			check_equal(server.get(option), _other(option), option + " of a stopped server")
		check_equal(server.listen(0, LOOPBACK), OK, "listen")
		for option in OPTIONS:
			check_equal(server.get(option), _other(option), option + " of a listening server")
		accepted(server, sender_to(server))
		server.stop()


func test_they_may_be_changed_while_it_listens() -> void:
	var server := listening(OURS)
	var client := sender_to(server)
	var peer := accepted(server, client)
	for option in OPTIONS:
		if option == &"reuse_address" and not Platform.has(&"late reuse_address"):
			continue
		for value: Variant in [_other(option), _default(option), _other(option)]:
			server.set(option, value)
			check_equal(server.get(option), value, option)
			check_equal(peer.get(option), value, option + " as its connection reads it")
			_check_talk(client, peer)


func test_a_value_out_of_range_is_refused() -> void:
	for option in BAD_VALUES:
		for value: int in BAD_VALUES[option]:
			refused_value(make_server(OURS), option, value)
			var server := listening(OURS)
			refused_value(server, option, value)
			check(str(value) in server.get_last_error_message(), server.get_last_error_message())
			accepted(server, sender_to(server))


func test_buffers_read_what_was_granted_while_it_listens() -> void:
	for option in BUFFERS:
		var server := make_server(OURS)
		server.set(option, 20_000)
		check_equal(server.get(option), 20_000, option + " of a new server")
		for i in 2:
			check_equal(server.listen(0, LOOPBACK), OK, "listen")
			check_granted(server, option, 20_000)
			check_granted(accepted(server, sender_to(server)), option, 20_000)
			server.stop()
			check_equal(server.get(option), 20_000, option + " of a stopped server")
		check_equal(server.listen(0, LOOPBACK), OK, "listen")
		server.set(option, 30_000)
		check_granted(server, option, 30_000)


func test_by_itself_the_receive_buffer_is_a_large_one() -> void:
	var server := listening(OURS)
	check_granted(server, &"receive_buffer_size", 4 << 20)
	server.receive_buffer_size = 10_000
	check_granted(server, &"receive_buffer_size", 10_000)
	server.receive_buffer_size = 0
	server.stop()
	check_equal(server.receive_buffer_size, 0, "of a stopped server")
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	check_granted(server, &"receive_buffer_size", 4 << 20)


func test_a_client_sees_the_servers_hop_limit_and_traffic_class() -> void:
	if not _observer.start_for(self):
		return
	for row: Array in [
		["127.0.0.1", LOOPBACK], ["*", LOOPBACK], [LOOPBACK_6, LOOPBACK_6], ["*", LOOPBACK_6]
	]:
		if row[1] == LOOPBACK_6 and _observer.ipv6_port == 0:
			continue
		var server := make_server(OURS)
		server.time_to_live = 7
		server.traffic_class = 184
		check_equal(server.listen(0, row[0]), OK, "listen")
		_observer.request_hello(server.get_local_port(), row[1])
		var peer := next_connection(server)
		check_equal(take(peer), [bytes(HELLO)] as Array[PackedByteArray], "its first packet")
		_check_arrival(peer, 7, 184, row)
		server.time_to_live = 33
		server.traffic_class = 40
		_check_arrival(peer, 33, 40, row)
		server.stop()


func test_a_connection_refuses_to_change_what_is_the_servers() -> void:
	var server := listening(OURS)
	for option in LOCKED:
		var client := sender_to(server)
		var peer := accepted(server, client)
		var before: Variant = peer.get(option)
		var lines := lines_of(func() -> void: peer.set(option, LOCKED[option]))
		check_equal(peer.get(option), before, option)
		check_equal(lines.size(), 1, "lines for " + option)
		for part: String in [option, "server"]:
			check(part in "".join(lines), "'%s' is not in: %s" % [part, "; ".join(lines)])
		if option in server:
			check_equal(server.get(option), before, option + " of the server")
		_check_talk(client, peer)


func test_a_connection_reads_the_servers_options() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := make_server(OURS)
			server.background_receive = background
			for option in OPTIONS:
				server.set(option, _other(option))
			check_equal(server.listen(0, LOOPBACK), OK, "listen")
			var peer := accepted(server, sender_to(server))
			for option in OPTIONS:
				check_equal(peer.get(option), _other(option), option)
			check_equal(peer.background_receive, background, "background_receive")
			for option in BUFFERS:
				check_equal(peer.get(option), server.get(option), option)
	)


func test_a_closed_connection_has_options_of_its_own() -> void:
	var server := listening(OURS)
	var peer := accepted(server, sender_to(server))
	server.time_to_live = 77
	peer.close()
	peer.time_to_live = 5
	peer.traffic_class = 16
	peer.background_receive = true
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.time_to_live, 5, "time_to_live")
	check_equal(peer.traffic_class, 16, "traffic_class")
	check_equal(peer.background_receive, true, "background_receive")
	check_equal(server.time_to_live, 77, "the server's")
	check_equal(server.background_receive, false, "the server's background_receive")
	var before := stat(peer, "packets_received")
	send(sender_to(peer), [numbered(1)])
	reaches(peer, "packets_received", before + 1)  # without a read


func test_the_overflow_policy_is_a_connections_own() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var server := server_in_mode(background)
			var marker := marker_of(server)
			var clients := clients_of(server, 2)
			var peers := all_accepted(server, clients)
			peers[1].overflow_policy = DROP_OLDEST
			check_equal(peers[0].overflow_policy, DROP_NEWEST, "the first's")
			check_equal(peers[1].overflow_policy, DROP_OLDEST, "the second's")
			send_paced(clients, FITTING + 20, marker)
			for i in 2:
				var numbers := numbers_of(take(peers[i], FITTING), 1000)
				var expected := PackedInt32Array(range(20 * i, 20 * i + FITTING))
				check_equal(numbers, expected, "what connection %d has kept" % i)
				check_equal(stat(peers[i], "packets_dropped_queue"), 20, "dropped")
	)


func _check_talk(client: PacketPeer, peer: PacketPeer) -> void:
	send(client, [numbered(1)])
	check_equal(numbers_of(take(peer)), PackedInt32Array([1]), "from the client")
	send(peer, [numbered(2)])
	check_equal(numbers_of(take(client)), PackedInt32Array([2]), "to the client")


func _check_arrival(peer: PacketPeer, hops: int, traffic_class: int, where: Array) -> void:
	for way: String in ["put_packet", "put_packets", "put_segmented"]:
		match way:
			"put_packet":
				peer.put_packet(numbered(1))
			"put_packets":
				peer.put_packets([numbered(1)])
			"put_segmented":
				peer.put_segmented(numbered(1), 16)
		var report := _observer.report()
		var what := "%s, by %s: " % [where, way]
		check_equal(int(report.get("hops", -1)), hops, what + "hops")
		check_equal(int(report.get("traffic_class", -1)), traffic_class, what + "traffic_class")


func _default(option: StringName) -> Variant:
	if option == &"reuse_address":
		return Platform.has(&"shared servers")
	return OPTIONS[option][0]


func _other(option: StringName) -> Variant:
	if option == &"reuse_address":
		return not _default(option)
	if option == &"reuse_port" and not Platform.has(option):
		return false
	return OPTIONS[option][1]


func _info(title: StringName, property: StringName) -> Dictionary:
	for info in ClassDB.class_get_property_list(title, true):
		if info.name == property:
			return info
	fail("%s has no %s" % [title, property])
	return {}
