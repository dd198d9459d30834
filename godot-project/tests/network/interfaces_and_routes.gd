extends "../support/two_hosts.gd"
## Interfaces and routes that go and return.

const GROUP := "239.255.77.40"
const GROUP_6 := "ff02:0:0:0:0:0:77:40"
## A network behind the far host's first interface.
const BEYOND := "10.88.0.1"
const BEYOND_IPV6 := "fd88:0:0:0:0:0:0:1"


func test_sending_fails_while_the_interface_is_down(kind: StringName) -> void:
	for family: Array in FAMILIES:
		var far := far_socket(family[2])
		var peers := senders(kind, family[1], far.port)
		for peer in peers:
			answer("before", peer.put_packet(numbered(1)), OK)
		answer("what arrives", far.values_of("number", 2), [1, 1])
		change("link set near1 down")
		for peer in peers:
			misuse(kind, "down", peer, "put_packet", [numbered(2)], FAILED)
		restore()
		for peer in peers:
			answer("up again", peer.put_packet(numbered(3)), OK)
		# restore() sends to sockets of its own.
		answer("what arrives", far.values_of("number", 2), [3, 3])


func test_the_reason_is_kept_in_the_systems_words() -> void:
	for family: Array in FAMILIES:
		var far := far_socket(family[2])
		var peers := senders(OURS, family[1], far.port)
		change("link set near1 down")
		for peer in peers:
			allow_lines("put_packets|put_segmented")
			check_equal(peer.put_packet(numbered(1)), FAILED, "put_packet")
			check_equal(peer.put_packets([numbered(1), numbered(2)]), 0, "put_packets")
			check_equal(peer.put_segmented(numbered(1), 8), 0, "put_segmented")
			var message: String = peer.get_last_error_message()
			check("unreachable" in message.to_lower(), "not the system's words: '%s'" % message)
			check_equal(stat(peer, "send_errors"), 3, "send_errors")
		restore()
		for peer in peers:
			check_equal(peer.put_packets([numbered(4), numbered(5)]), 2, "put_packets, up again")
		check_equal(far.values_of("number", 4), [4, 5, 4, 5], "what arrives")


func test_the_other_interface_goes_on(kind: StringName) -> void:
	var peer := bound_peer(kind, "*")
	var far := far_socket()
	change("link set near1 down")
	for i in 3:
		peer.set_dest_address(FAR_IPV4[0], far.port)
		misuse(kind, "down", peer, "put_packet", [numbered(1)], FAILED)
		peer.set_dest_address(FAR_IPV4[1], far.port)
		answer("the other", peer.put_packet(numbered(i)), OK)
		answer("what arrives", far.values_of("number"), [i])
		far.send(NEAR_IPV4[1], peer.get_local_port(), [i])
		answer("what comes", numbers_at(peer), PackedInt32Array([i]))


func test_what_came_before_is_not_lost(kind: StringName) -> void:
	var peer := bound_peer(kind, "0.0.0.0")
	far_socket().send(NEAR_IPV4[0], peer.get_local_port(), [1, 2, 3])
	arrived(peer, 3)
	change("link set near1 down")
	answer("count", peer.get_available_packet_count(), 3)
	answer("numbers", numbers_at(peer, 3), PackedInt32Array([1, 2, 3]))


func test_a_peer_bound_to_an_address_goes_on_when_the_interface_is_back(kind: StringName) -> void:
	for family: Array in FAMILIES:
		var peer := bound_peer(kind, family[0])
		var far := far_socket(family[2])
		peer.set_dest_address(family[1], far.port)
		change("link set near1 down")
		misuse(kind, "down", peer, "put_packet", [numbered(1)], FAILED)
		answer("count", peer.get_available_packet_count(), 0)
		restore()
		send(peer, [numbered(2)])
		answer("what arrives", far.values_of("number"), [2])
		far.send(family[0], peer.get_local_port(), [3])
		answer("what comes", numbers_at(peer), PackedInt32Array([3]))


func test_an_address_that_is_gone_cannot_be_bound_until_it_is_back(kind: StringName) -> void:
	change("address del 10.77.1.1/24 dev near1")
	var peer := make_peer(kind)
	misuse(kind, "gone", peer, "bind", [0, NEAR_IPV4[0]], ERR_UNAVAILABLE)
	answer("is_bound", peer.is_bound(), false)
	restore()
	answer("back", peer.bind(0, NEAR_IPV4[0]), OK)


func test_a_wait_outlives_it() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background, "0.0.0.0")
			var waiting := waiting_threads(peer, 1)[0]
			change("link set near1 down")
			check(waiting.is_alive(), "the wait was ended")
			restore()
			check(waiting.is_alive(), "the wait was ended by the interface's return")
			far_socket().send(NEAR_IPV4[0], peer.get_local_port(), [1])
			check_equal(join(waiting), OK, "wait")
			check_equal(numbers_at(peer), PackedInt32Array([1]), "what comes")
			check_equal(stat(peer, "receive_errors"), 0, "receive_errors")
	)


func test_groups_stay_joined(kind: StringName) -> void:
	for row: Array in [["0.0.0.0", GROUP], ["::", GROUP_6]]:
		var peer := bound_peer(kind, row[0])
		answer("join", peer.join_multicast_group(row[1], "near1"), OK)
		var far := far_socket(row[0])
		far.send(row[1], peer.get_local_port(), [1], 16, "far1")
		answer("before", numbers_at(peer), PackedInt32Array([1]))
		change("link set near1 down")
		answer("count", peer.get_available_packet_count(), 0)
		restore()
		far.send(row[1], peer.get_local_port(), [2], 16, "far1")
		answer("up again", numbers_at(peer), PackedInt32Array([2]))
		answer("leave", peer.leave_multicast_group(row[1], "near1"), OK)


func test_a_route_that_vanishes_and_returns(kind: StringName) -> void:
	for row: Array in _routes():
		change("-n far address add %s dev lo" % row[0], "-n far address del %s dev lo" % row[0])
		change(row[1] % "add")
		var far := far_socket(row[3])
		var peers := senders(kind, row[2], far.port)
		for peer in peers:
			answer("before", peer.put_packet(numbered(1)), OK)
		answer("what arrives", far.values_of("number", 2), [1, 1])
		ip((row[1] % "del").split(" "))
		for peer in peers:
			misuse(kind, "no route", peer, "put_packet", [numbered(2)], FAILED)
			misuse(kind, "again", peer, "put_packet", [numbered(2)], FAILED)
			answer("count", peer.get_available_packet_count(), 0)
		ip((row[1] % "add").split(" "))
		for peer in peers:
			answer("the route is back", peer.put_packet(numbered(3)), OK)
		answer("what arrives then", far.values_of("number", 2), [3, 3])
		ip((row[1] % "del").split(" "))


func test_a_cable_that_is_pulled_and_put_back() -> void:
	for family: Array in FAMILIES:
		var far := far_socket(family[2])
		var peers := senders(OURS, family[1], far.port)
		change("-n far link set far1 down")
		# The result depends on how soon the system notices; any is allowed.
		allow_lines("put_packet")
		for peer in peers:
			peer.put_packet(numbered(1))
			check_equal(peer.get_available_packet_count(), 0, "count")
			check_equal(peer.wait(0), ERR_TIMEOUT, "wait")
		restore()
		far.received(0, 0)
		for peer in peers:
			check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
		check_equal(far.values_of("number", 2), [2, 2], "what arrives")


func test_an_interface_that_vanishes_takes_its_groups_along(kind: StringName) -> void:
	for row: Array in [["0.0.0.0", GROUP], ["::", GROUP_6], ["*", GROUP]]:
		third_cable()
		var peer := bound_peer(kind, row[0])
		answer("join", peer.join_multicast_group(row[1], "near3"), OK)
		answer("join on another", peer.join_multicast_group(row[1], "near2"), OK)
		ip(["link", "del", "near3"])
		answer("count", peer.get_available_packet_count(), 0)
		# In IPv6 the system takes an unknown one for "any".
		if row[1] == GROUP:
			record_misuse(kind, "leave", peer, "leave_multicast_group", [GROUP, "near3"])
			record_misuse(kind, "join", peer, "join_multicast_group", [GROUP, "near3"])
		far_socket("0.0.0.0" if row[1] == GROUP else "::").send(
			row[1], peer.get_local_port(), [1], 16, "far2"
		)
		answer("on the other", numbers_at(peer), PackedInt32Array([1]))
		answer("leave the other", peer.leave_multicast_group(row[1], "near2"), OK)


func test_an_interface_may_be_renamed(kind: StringName) -> void:
	third_cable()
	var peer := bound_peer(kind, "0.0.0.0")
	answer("join", peer.join_multicast_group(GROUP, "near3"), OK)
	change("link set near3 down")
	change("link set near3 name other3", "link set other3 name near3")
	change("link set other3 up", "link set other3 down")
	until_up(["other3"], ["far3"])
	record_misuse(kind, "leave by the old name", peer, "leave_multicast_group", [GROUP, "near3"])
	far_socket().send(GROUP, peer.get_local_port(), [1], 16, "far3")
	answer("still a member", numbers_at(peer), PackedInt32Array([1]))
	answer("leave by the new name", peer.leave_multicast_group(GROUP, "other3"), OK)


# Rows of [address over there, command, the address without its prefix, any address].
func _routes() -> Array[Array]:
	return [
		[BEYOND + "/32", "route %s 10.88.0.0/24 via 10.77.1.2", BEYOND, "0.0.0.0"],
		[BEYOND_IPV6 + "/128", "-6 route %s fd88::/64 via fd77:1::2", BEYOND_IPV6, "::"],
	]
