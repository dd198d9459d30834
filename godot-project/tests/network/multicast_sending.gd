extends "../support/two_hosts.gd"
## Multicasts that a peer sends: through which interface, how far, whether to its own machine; and
## the hop limit and traffic class of all its packets.

const GROUP := "239.255.77.30"
const GROUP_6 := "ff15:0:0:0:0:0:77:30"
## Rows of [how a sender is opened, the group that it sends to].
const WAYS: Array[Array] = [
	["by put_packet", GROUP],
	["by put_packet", GROUP_6],
	["0.0.0.0", GROUP],
	["::", GROUP_6],
	["*", GROUP],
	["*", GROUP_6]
]


func test_they_leave_by_the_chosen_interface() -> void:
	for way in WAYS:
		for when: String in ["closed", "open"]:
			for i in 2:
				var far := _members(way[1])
				var peer := _sender(
					way, far, {} if when == "open" else {&"multicast_interface": NEAR[i]}
				)
				if when == "open":
					_open(peer, way)
					peer.multicast_interface = NEAR[i]
				var what := "%s, %s, set while %s" % [way[0], way[1], when]
				check_equal(peer.put_packet(numbered(i)), OK, "put_packet, " + what)
				check_equal(peer.put_packets([numbered(2), numbered(3)]), 2, "put_packets, " + what)
				check_equal(peer.send_to(numbered(4), way[1], far.port), OK, "send_to, " + what)
				check_equal(peer.multicast_interface, NEAR[i], "the property, " + what)
				_check_arrival(far, [i, 2, 3, 4], FAR[i], what)


func test_the_interface_may_be_changed_at_any_time() -> void:
	for way in WAYS:
		var far := _members(way[1])
		var peer := _sender(way, far)
		for i: int in [0, 1, 1, 0, 1]:
			peer.multicast_interface = NEAR[i]
			check_equal(peer.put_packet(numbered(i)), OK, "put_packet, %s" % [way])
			_check_arrival(far, [i], FAR[i], "%s" % [way])


func test_interfaces_with_the_same_address_are_told_apart() -> void:
	third_cable(false)
	ip("address add 10.77.1.1/32 dev near3".split(" "))
	for address: String in ["0.0.0.0", "*"]:
		var far := _members(GROUP)
		far.join(GROUP, "far3")
		var peer := _sender([address, GROUP], far)
		for row: Array in [["near3", "far3"], ["near1", "far1"], ["near3", "far3"]]:
			peer.multicast_interface = row[0]
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
			_check_arrival(far, [1], row[1], "bound to " + address)
		var member := bound_peer(OURS, address)
		check_equal(member.join_multicast_group(GROUP, "near3"), OK, "join")
		far.send(GROUP, member.get_local_port(), [1], 16, "far1")
		far.send(GROUP, member.get_local_port(), [2], 16, "far3")
		check_equal(numbers_at(member), PackedInt32Array([2]), "what comes to a member")
		check_equal(member.leave_multicast_group(GROUP, "near3"), OK, "leave")


func test_ipv4_follows_to_an_interface_without_an_ipv4_address() -> void:
	third_cable(false)
	ip("address add fd77:3::1/64 dev near3 nodad".split(" "))
	var far := _members(GROUP)
	far.join(GROUP, "far3")
	var peer := _sender(["*", GROUP], far)
	for row: Array in [["near1", "far1"], ["near3", "far3"]]:
		peer.multicast_interface = row[0]
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		_check_arrival(far, [1], row[1], "by " + row[0])
	# A peer with IPv4 only would have no source address.
	refused_value(bound_peer(OURS, "0.0.0.0"), &"multicast_interface", "near3")


func test_the_interface_outlives_close() -> void:
	for way in WAYS:
		var far := _members(way[1])
		var peer := _sender(way, far, {&"multicast_interface": "near2"})
		for i in 2:
			check_equal(peer.put_packet(numbered(i)), OK, "put_packet, %s" % [way])
			_check_arrival(far, [i], "far2", "%s" % [way])
			peer.close()
			check_equal(peer.multicast_interface, "near2", "the property")


func test_a_connected_peer_has_them_leave_by_the_chosen_interface() -> void:
	for group: String in [GROUP, GROUP_6]:
		for i in 2:
			var far := _members(group)
			var peer := make_peer(OURS)
			peer.multicast_interface = NEAR[i]
			peer.multicast_time_to_live = 7
			check_equal(peer.connect_to_host(group, far.port), OK, "connect")
			check_equal(peer.put_packet(numbered(i)), OK, "put_packet")
			var packets := _check_arrival(far, [i], FAR[i], "connected to " + group)
			if not packets.is_empty():
				check_equal(packets[0].hops, 7, "hops")


func test_without_a_choice_the_system_picks(kind: StringName) -> void:
	change("route add 224.0.0.0/4 dev near2", "route del 224.0.0.0/4 dev near2")
	for way in WAYS:
		var far := _members(way[1])
		var peer := make_peer(kind)
		if not " " in way[0]:
			answer("bind", peer.bind(0, way[0]), OK)
		peer.set_dest_address(way[1], far.port)
		if kind == OURS:
			# "" restores the system's choice.
			peer.multicast_interface = "near1"
			check_equal(peer.put_packet(numbered(1)), OK, "by near1")
			_check_arrival(far, [1], "far1", "%s" % [way])
			peer.multicast_interface = ""
		answer("put_packet", peer.put_packet(numbered(2)), OK)
		record("interface, %s" % [way], far.values_of("interface"))


func test_without_a_choice_or_a_route_there_is_no_way(kind: StringName) -> void:
	var peer := make_peer(kind)
	peer.set_dest_address(GROUP, 9)
	misuse(kind, "no route", peer, "put_packet", [numbered(1)], FAILED)
	if kind == OURS:
		check(
			"unreachable" in peer.get_last_error_message().to_lower(), peer.get_last_error_message()
		)
		peer.multicast_interface = "near2"
		var far := _members(GROUP)
		peer.set_dest_address(GROUP, far.port)
		check_equal(peer.put_packet(numbered(2)), OK, "with an interface")
		_check_arrival(far, [2], "far2", "with an interface")


func test_an_unknown_interface_is_refused() -> void:
	for address: String in ["", "0.0.0.0", "::", "*"]:
		for name: String in ["nope", "near", "10.77.1.1", "near1 ", "lo0", "%", "1000"]:
			var peer := make_peer(OURS) if address.is_empty() else bound_peer(OURS, address)
			peer.multicast_interface = "near2"
			refused_value(peer, &"multicast_interface", name)
			check(not peer.get_last_error_message().is_empty(), "no message for %s" % name)


func test_a_peer_works_on_after_its_interface_is_deleted() -> void:
	for renamed: bool in [false, true]:
		for way: Array in [WAYS[0], WAYS[1], WAYS[4]]:
			third_cable()
			var far := _members(way[1])
			var peer := _sender(way, far, {&"multicast_interface": "near3"})
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
			if renamed:
				ip("link set near3 down".split(" "))
				ip("link set near3 name other3".split(" "))
			else:
				ip(["link", "del", "near3"])
			# Through which interface it leaves now, if at all, is the system's choice.
			peer.put_packet(numbered(2))
			check_equal(peer.multicast_interface, "near3", "the property")
			peer.close()
			# It opens, and prints what it could not set.
			var opened := []
			var lines := lines_of(func() -> void: opened.append(peer.bind(0, "*")))
			check_equal(opened, [OK], "bind")
			check_equal(lines.size(), 1, "lines (%s)" % "; ".join(lines))
			check("near3" in "".join(lines), "'near3' is not named: %s" % "; ".join(lines))
			check("near3" in peer.get_last_error_message(), peer.get_last_error_message())
			check_equal(peer.multicast_interface, "near3", "the property when open again")
			peer.multicast_interface = "near1"
			far.received(0, 0)
			check_equal(peer.put_packet(numbered(3)), OK, "put_packet by another, %s" % [way])
			_check_arrival(far, [3], "far1", "by another")
			peer.close()
			if renamed:
				ip(["link", "del", "other3"])
			third_cable()
			peer.multicast_interface = "near3"
			check_equal(peer.put_packet(numbered(4)), OK, "it is back, %s" % [way])
			ip(["link", "del", "near3"])


func test_sending_through_an_interface_that_is_down_fails_with_a_reason() -> void:
	change("link set near1 down")
	var far := _members(GROUP)
	var peer := make_peer(OURS)
	peer.multicast_interface = "near1"
	peer.set_dest_address(GROUP, far.port)
	check_equal(peer.put_packet(numbered(1)), FAILED, "put_packet")
	check(not peer.get_last_error_message().is_empty(), "no message")
	restore()
	check_equal(peer.put_packet(numbered(2)), OK, "up again")
	_check_arrival(far, [2], "far1", "up again")


func test_their_hop_limit_is_seen_at_the_other_end() -> void:
	for way in WAYS:
		var far := _members(way[1])
		var peer := _sender(way, far, {&"multicast_interface": "near1"})
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
		check_equal(far.values_of("hops"), [1], "hops by themselves, %s" % [way])
		for hops: int in [5, 255, 1, 128]:
			peer.multicast_time_to_live = hops
			# This limit is for other packets.
			peer.time_to_live = 77
			check_equal(peer.put_packet(numbered(2)), OK, "put_packet, %s" % [way])
			check_equal(far.values_of("hops"), [hops], "hops, %s" % [way])
			peer.close()
			check_equal(peer.put_packet(numbered(3)), OK, "put_packet, open again, %s" % [way])
			check_equal(far.values_of("hops"), [hops], "hops, open again, %s" % [way])


func test_with_no_hop_they_stay_on_this_machine() -> void:
	for way in WAYS:
		var far := _members(way[1])
		var here := bound_peer(NATIVE, "::" if ":" in way[1] else "0.0.0.0")
		check_equal(here.join_multicast_group(way[1], "near1"), OK, "join here")
		var options := {&"multicast_interface": "near1", &"multicast_time_to_live": 0}
		var peer := _sender(way, far, options)
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		peer.set_dest_address(way[1], here.get_local_port())
		check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
		check_equal(
			numbers_at(here), PackedInt32Array([2]), "what a member here receives, %s" % [way]
		)
		peer.set_dest_address(way[1], far.port)
		peer.multicast_time_to_live = 1
		check_equal(peer.put_packet(numbered(3)), OK, "put_packet")
		check_equal(far.values_of("number"), [3], "what gets out, %s" % [way])


func test_multicast_loopback_decides_whether_members_here_receive() -> void:
	for way in WAYS:
		var far := _members(way[1])
		var here := bound_peer(NATIVE, "::" if ":" in way[1] else "0.0.0.0")
		check_equal(here.join_multicast_group(way[1], "near1"), OK, "join here")
		var peer := _sender(way, far, {&"multicast_interface": "near1"})
		_open(peer, way)
		var numbers: Array[int] = []
		for is_on: bool in [true, false, true, false]:
			peer.multicast_loopback = is_on
			check_equal(peer.multicast_loopback, is_on, "the property")
			for close: bool in [false, true]:
				if close:
					peer.close()
				var number := numbers.size() + 1
				numbers.append(number)
				check_equal(
					peer.send_to(numbered(number), way[1], here.get_local_port()), OK, "send_to"
				)
				check_equal(peer.send_to(numbered(number), way[1], far.port), OK, "send_to")
				check_equal(
					far.values_of("number"), [number], "what the other machine gets, %s" % [way]
				)
		# Two packets for each time that it was on.
		check_equal(numbers_at(here, 4), PackedInt32Array([1, 2, 5, 6]), "what arrives, %s" % [way])
		check_equal(here.get_available_packet_count(), 0, "nothing else")


func test_a_member_receives_its_own_packets() -> void:
	for way in WAYS:
		if " " in way[0]:
			continue
		var peer := bound_peer(OURS, way[0])
		check_equal(peer.join_multicast_group(way[1], "near1"), OK, "join")
		peer.multicast_interface = "near1"
		peer.set_dest_address(way[1], peer.get_local_port())
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		check_equal(numbers_at(peer), PackedInt32Array([1]), "what it receives, %s" % [way])
		peer.multicast_loopback = false
		check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
		check_equal(peer.get_available_packet_count(), 0, "what it receives when off, %s" % [way])


func test_the_hop_limit_of_unicast_is_seen_at_the_other_end() -> void:
	for way in _unicast_ways():
		var far := far_socket(way[2])
		var peer := _to(way, far)
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
		var usual := far.values_of("hops")
		for hops: int in [1, 2, 64, 255, 13]:
			peer.time_to_live = hops
			# This limit is for other packets.
			peer.multicast_time_to_live = 9
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
			check_equal(peer.put_packets([numbered(1), numbered(2)]), 2, "put_packets, %s" % [way])
			check_equal(far.values_of("hops", 3), [hops, hops, hops], "hops, %s" % [way])
		peer.close()
		_open_again(peer, way, far)
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet, open again, %s" % [way])
		check_equal(far.values_of("hops"), [13], "hops, open again, %s" % [way])
		peer.time_to_live = 0
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
		check_equal(far.values_of("hops"), usual, "hops, 0 again, %s" % [way])


func test_the_traffic_class_is_seen_at_the_other_end() -> void:
	for way in _unicast_ways():
		var far := far_socket(way[2])
		var peer := _to(way, far)
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
		check_equal(far.values_of("class"), [0], "class by itself, %s" % [way])
		for traffic_class: int in [184, 1, 255, 40]:
			peer.traffic_class = traffic_class
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
			check_equal(peer.put_packets([numbered(1), numbered(2)]), 2, "put_packets, %s" % [way])
			check_equal(peer.put_segmented(numbered(1), 10), 2, "put_segmented, %s" % [way])
			var classes := []
			classes.resize(5)
			classes.fill(traffic_class)
			check_equal(far.values_of("class", 5), classes, "class, %s" % [way])
		peer.close()
		_open_again(peer, way, far)
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet, open again, %s" % [way])
		check_equal(far.values_of("class"), [40], "class, open again, %s" % [way])
		peer.traffic_class = 0
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
		check_equal(far.values_of("class"), [0], "class, 0 again, %s" % [way])


func test_multicasts_have_the_traffic_class_too() -> void:
	for way in WAYS:
		var far := _members(way[1])
		var peer := _sender(way, far, {&"multicast_interface": "near2", &"traffic_class": 184})
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet, %s" % [way])
		check_equal(far.values_of("class"), [184], "class, %s" % [way])


# A socket on the far host that has joined the group on both interfaces.
func _members(group: String) -> FarSocket:
	var far := far_socket("::" if ":" in group else "0.0.0.0")
	for interface in FAR:
		far.join(group, interface)
	return far


# A peer opened as a row of WAYS says, with options, whose destination is the group.
func _sender(way: Array, far: FarSocket, options: Dictionary = {}) -> PacketPeer:
	var peer := make_peer(OURS)
	for option: StringName in options:
		peer.set(option, options[option])
	if not " " in way[0]:
		check_equal(peer.bind(0, way[0]), OK, "bind")
	check_equal(peer.set_dest_address(way[1], far.port), OK, "dest")
	return peer


# Opens a peer that is not bound, by sending to a closed port.
func _open(peer: PacketPeer, way: Array) -> void:
	if not peer.is_bound():
		check_equal(
			peer.send_to(numbered(0), LOOPBACK_6 if ":" in way[1] else LOOPBACK, 9), OK, "open"
		)


# Checks that packets of these numbers arrived by an interface of the far host, and no others.
func _check_arrival(
	far: FarSocket, numbers: Array, interface: String, what: String
) -> Array[Dictionary]:
	var packets := far.received(numbers.size())
	check_equal(packets.map(func(one: Dictionary) -> int: return one.number), numbers, what)
	for packet in packets:
		check_equal(packet.interface, interface, "the interface, " + what)
	return packets


# Rows of [how the peer is opened, where it sends to, any address of that family].
func _unicast_ways() -> Array[Array]:
	var ways: Array[Array] = []
	for family: Array in FAMILIES:
		for how: String in [family[2], "*", "by put_packet", "connected"]:
			ways.append([how, family[1], family[2]])
	return ways


func _to(way: Array, far: FarSocket) -> PacketPeer:
	var peer := make_peer(OURS)
	_open_again(peer, way, far)
	return peer


func _open_again(peer: PacketPeer, way: Array, far: FarSocket) -> void:
	match way[0]:
		"connected":
			check_equal(peer.connect_to_host(way[1], far.port), OK, "connect")
			return
		"by put_packet":
			pass
		_:
			check_equal(peer.bind(0, way[0]), OK, "bind")
	check_equal(peer.set_dest_address(way[1], far.port), OK, "dest")
