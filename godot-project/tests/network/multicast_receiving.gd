extends "../support/two_hosts.gd"
## Which multicasts a peer receives: by group and by interface.

const GROUPS: Array[String] = ["239.255.77.50", "239.255.77.51", "239.255.77.52"]
const GROUPS_6: Array[String] = [
	"ff15:0:0:0:0:0:77:50", "ff02:0:0:0:0:0:77:51", "ff15:0:0:0:0:0:77:52"
]
## Rows of [address to bind to, groups that can be joined then].
const WAYS: Array[Array] = [["0.0.0.0", GROUPS], ["::", GROUPS_6], ["*", GROUPS], ["*", GROUPS_6]]


func test_a_member_gets_what_comes_by_the_interface_where_it_joined(kind: StringName) -> void:
	for way in WAYS:
		for i in 2:
			var peer := bound_peer(kind, way[0])
			answer("join", peer.join_multicast_group(way[1][0], NEAR[i]), OK)
			var far := _far_of(way)
			far.send(way[1][0], peer.get_local_port(), [i], 16, FAR[i])
			answer("by %s, %s" % [NEAR[i], way[0]], numbers_at(peer), PackedInt32Array([i]))
			answer("leave", peer.leave_multicast_group(way[1][0], NEAR[i]), OK)


func test_a_member_by_one_interface_gets_nothing_by_the_other(kind: StringName) -> void:
	for way in WAYS:
		var peer := bound_peer(kind, way[0])
		answer("join", peer.join_multicast_group(way[1][0], "near1"), OK)
		_send_by_each(_far_of(way), way[1][0], peer, [1], [2])
		_check(peer, way, [1], "by near1 only, %s" % [way])


func test_a_member_beside_one_by_the_other_interface() -> void:
	for way: Array in [WAYS[0], WAYS[2]]:
		_check_beside_one_by_the_other_interface(way)


# For IPv6, Linux checks only the group, so the addon checks the interface itself.
func test_a_member_beside_one_by_the_other_interface_in_ipv6() -> void:
	if not needs_batches():
		return
	for way: Array in [WAYS[1], WAYS[3]]:
		_check_beside_one_by_the_other_interface(way)


func test_packets_of_other_groups_end_no_wait() -> void:
	if not needs_batches():
		return
	in_both_modes(
		func(background: bool) -> void:
			for way in WAYS:
				var peer := receiver(background, way[0])
				var other := bound_peer(OURS, way[0])
				check_equal(peer.join_multicast_group(way[1][0], "near1"), OK, "join")
				check_equal(other.join_multicast_group(way[1][0], "near2"), OK, "join")
				var far := _far_of(way)
				var waiting := waiting_threads(peer, 1)[0]
				far.send(way[1][0], peer.get_local_port(), range(100), 16, "far2")
				check_equal(peer.get_available_packet_count(), 0, "count, %s" % [way])
				check_equal(peer.get_packet(), PackedByteArray(), "get_packet")
				check_equal(peer.get_packet_error(), ERR_UNAVAILABLE, "get_packet_error")
				check_equal(peer.get_packets().size(), 0, "get_packets")
				check_equal(peer.wait(0), ERR_TIMEOUT, "wait, %s" % [way])
				check(waiting.is_alive(), "the wait was ended, %s" % [way])
				far.send(way[1][0], peer.get_local_port(), [1], 16, "far1")
				check_equal(join(waiting), OK, "the wait")
				_check(peer, way, [1], "after strangers', %s" % [way])
				check_equal(stat(peer, "packets_received"), 3, "packets_received, %s" % [way])
				check_equal(stat(peer, "packets_dropped_queue"), 0, "packets_dropped_queue")
	)


func test_its_packets_are_found_among_many_of_other_groups() -> void:
	if not needs_batches():
		return
	in_both_modes(
		func(background: bool) -> void:
			for way in WAYS:
				var peer := receiver(background, way[0], 1 << 20)
				var other := bound_peer(OURS, way[0])
				check_equal(peer.join_multicast_group(way[1][0], "near1"), OK, "join")
				check_equal(other.join_multicast_group(way[1][0], "near2"), OK, "join")
				var far := _far_of(way)
				var own := []
				for i in 10:
					far.send(way[1][0], peer.get_local_port(), range(1000, 1090), 100, "far2")
					far.send(way[1][0], peer.get_local_port(), [i], 16, "far1")
					own.append(i)
				_check(peer, way, own, "%s" % [way])
	)


# Not for IPv6: every interface has a route for groups, so the system's choice is unknown.
func test_a_member_by_the_systems_choice_beside_others() -> void:
	change("route add 224.0.0.0/4 dev near2", "route del 224.0.0.0/4 dev near2")
	for way: Array in [WAYS[0], WAYS[2]]:
		var peer := bound_peer(OURS, way[0])
		var others: Array[PacketPeer] = []
		check_equal(peer.join_multicast_group(way[1][0], ""), OK, "join")
		for interface in NEAR:
			others.append(bound_peer(OURS, way[0]))
			check_equal(others[-1].join_multicast_group(way[1][0], interface), OK, "join")
		_send_by_each(_far_of(way), way[1][0], peer, [0], [1])
		_check(peer, way, [1], "%s" % [way])


func test_a_member_of_one_group_gets_nothing_of_others() -> void:
	for way in WAYS:
		var peer := bound_peer(OURS, way[0])
		var other := bound_peer(OURS, way[0])
		check_equal(peer.join_multicast_group(way[1][0], "near1"), OK, "join")
		check_equal(other.join_multicast_group(way[1][1], "near1"), OK, "join")
		var far := _far_of(way)
		for one: PacketPeer in [peer, other]:
			for i in 3:
				far.send(way[1][i], one.get_local_port(), [i], 16, "far1")
		_check(peer, way, [0], "the member of the first, %s" % [way])
		_check(other, way, [1], "the member of the second, %s" % [way])


func test_several_groups_on_several_interfaces() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for way in WAYS:
				var peer := receiver(background, way[0])
				var port: int = peer.get_local_port()
				for row: Array in [[0, "near1"], [1, "near2"], [2, "near1"], [2, "near2"]]:
					check_equal(peer.join_multicast_group(way[1][row[0]], row[1]), OK, "join")
				var far := _far_of(way)
				var number := 0
				for group: String in way[1]:
					for interface in FAR:
						far.send(group, port, [number], 16, interface)
						number += 1
				_check(peer, way, [0, 3, 4, 5], "%s" % [way])
				check_equal(peer.leave_multicast_group(way[1][2], "near1"), OK, "leave")
				number = 10
				for group: String in way[1]:
					for interface in FAR:
						far.send(group, port, [number], 16, interface)
						number += 1
				_check(peer, way, [10, 13, 15], "after leaving one, %s" % [way])
	)


func test_groups_of_both_families_on_one_peer() -> void:
	var peer := bound_peer(OURS, "*")
	check_equal(peer.join_multicast_group(GROUPS[0], "near1"), OK, "join")
	check_equal(peer.join_multicast_group(GROUPS_6[0], "near2"), OK, "join")
	_send_by_each(_far_of(WAYS[0]), GROUPS[0], peer, [1], [2])
	_send_by_each(_far_of(WAYS[1]), GROUPS_6[0], peer, [3], [4])
	_check(peer, WAYS[2], [1, 4], "both")


func test_after_leaving_nothing_more_comes(kind: StringName) -> void:
	for way in WAYS:
		var peer := bound_peer(kind, way[0])
		answer("join", peer.join_multicast_group(way[1][0], "near1"), OK)
		var far := _far_of(way)
		far.send(way[1][0], peer.get_local_port(), [1], 16, "far1")
		answer("before", numbers_at(peer), PackedInt32Array([1]))
		answer("leave", peer.leave_multicast_group(way[1][0], "near1"), OK)
		far.send(way[1][0], peer.get_local_port(), [2], 16, "far1")
		_check(peer, way, [], "after leaving, %s" % [way])
		answer("join again", peer.join_multicast_group(way[1][0], "near1"), OK)
		far.send(way[1][0], peer.get_local_port(), [3], 16, "far1")
		answer("a member again", numbers_at(peer), PackedInt32Array([3]))


func test_after_leaving_nothing_more_comes_though_others_are_members() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for way in WAYS:
				var peer := receiver(background, way[0])
				var other := bound_peer(OURS, way[0])
				for member: PacketPeer in [peer, other]:
					check_equal(member.join_multicast_group(way[1][0], "near1"), OK, "join")
				var far := _far_of(way)
				far.send(way[1][0], peer.get_local_port(), [1], 16, "far1")
				_check(peer, way, [1], "before, %s" % [way])
				check_equal(peer.leave_multicast_group(way[1][0], "near1"), OK, "leave")
				far.send(way[1][0], peer.get_local_port(), [2], 16, "far1")
				_check(peer, way, [], "after leaving, %s" % [way])
				far.send(way[1][0], other.get_local_port(), [3], 16, "far1")
				_check(other, way, [3], "the member that stays, %s" % [way])
	)


func test_leaving_where_the_system_will_leaves_one_membership() -> void:
	var peer := bound_peer(OURS, "::")
	var other := bound_peer(OURS, "::")
	for interface in NEAR:
		check_equal(peer.join_multicast_group(GROUPS_6[0], interface), OK, "join")
		check_equal(other.join_multicast_group(GROUPS_6[0], interface), OK, "the other joins")
	# The newest, as Linux does it.
	check_equal(peer.leave_multicast_group(GROUPS_6[0], ""), OK, "leave")
	_send_by_each(far_socket("::"), GROUPS_6[0], peer, [1], [2])
	_check(peer, ["::", GROUPS_6], [1], "what still comes")


func test_leaving_by_one_interface_stays_by_the_other() -> void:
	for way in WAYS:
		var peer := bound_peer(OURS, way[0])
		for interface in NEAR:
			check_equal(peer.join_multicast_group(way[1][0], interface), OK, "join")
		var far := _far_of(way)
		_send_by_each(far, way[1][0], peer, [1], [2])
		_check(peer, way, [1, 2], "by both, %s" % [way])
		check_equal(peer.leave_multicast_group(way[1][0], "near1"), OK, "leave")
		_send_by_each(far, way[1][0], peer, [3], [4])
		_check(peer, way, [4], "by near2, %s" % [way])
		refused(
			"leave again", peer, "leave_multicast_group", [way[1][0], "near1"], FAILED, [way[1][0]]
		)


func test_after_closing_nothing_more_comes() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for way in WAYS:
				var peer := receiver(background, way[0])
				var other := bound_peer(OURS, way[0])
				for member: PacketPeer in [peer, other]:
					check_equal(member.join_multicast_group(way[1][0], "near1"), OK, "join")
				var far := _far_of(way)
				var port: int = peer.get_local_port()
				far.send(way[1][0], port, [1], 16, "far1")
				arrived(peer)
				peer.close()
				check_equal(peer.bind(port, way[0]), OK, "bind to the same port")
				# Linux restricts a socket to its own groups once it has joined one.
				check_equal(peer.join_multicast_group(way[1][1], "near2"), OK, "join another")
				far.send(way[1][0], port, [2], 16, "far1")
				far.send(way[1][1], port, [3], 16, "far2")
				_check(peer, way, [3], "open again, %s" % [way])
				far.send(way[1][0], other.get_local_port(), [4], 16, "far1")
				_check(other, way, [4], "the member that stays, %s" % [way])
	)


func test_a_new_socket_is_in_no_group(kind: StringName) -> void:
	for way in WAYS:
		var peer := bound_peer(kind, way[0])
		answer("join", peer.join_multicast_group(way[1][0], "near1"), OK)
		var port: int = peer.get_local_port()
		peer.close()
		answer("bind", peer.bind(port, way[0]), OK)
		_far_of(way).send(way[1][0], port, [1], 16, "far1")
		_check(peer, way, [], "without a member, %s" % [way])


func test_without_an_interface_the_system_picks_by_its_routes() -> void:
	for i in 2:
		change("route add 224.0.0.0/4 dev %s" % NEAR[i])
		for address: String in ["0.0.0.0", "*"]:
			var peer := bound_peer(OURS, address)
			check_equal(peer.join_multicast_group(GROUPS[0], ""), OK, "join")
			_send_by_each(_far_of(WAYS[0]), GROUPS[0], peer, [0], [1])
			_check(peer, WAYS[0], [i], "with a route by %s" % NEAR[i])
			check_equal(peer.leave_multicast_group(GROUPS[0], ""), OK, "leave")
			_send_by_each(_far_of(WAYS[0]), GROUPS[0], peer, [2], [3])
			_check(peer, WAYS[0], [], "after leaving")
		ip(("route del 224.0.0.0/4 dev %s" % NEAR[i]).split(" "))


func test_without_an_interface_or_a_route_joining_fails() -> void:
	var peer := make_peer(OURS)
	refused("join", peer, "join_multicast_group", [GROUPS[0], ""], FAILED, [GROUPS[0]])
	check_equal(peer.is_bound(), true, "is_bound")
	check_equal(peer.get_last_os_error(), 19, "get_last_os_error: ENODEV")
	check_equal(peer.join_multicast_group(GROUPS[0], "near2"), OK, "join where it is named")


func test_without_an_interface_an_ipv6_group_is_joined_where_the_system_will() -> void:
	for address: String in ["::", "*"]:
		var peer := bound_peer(OURS, address)
		check_equal(peer.join_multicast_group(GROUPS_6[0], ""), OK, "join")
		_send_by_each(_far_of(WAYS[1]), GROUPS_6[0], peer, [1], [2])
		var one := numbers_at(peer)
		check(one in [PackedInt32Array([1]), PackedInt32Array([2])], "what comes: %s" % one)
		check_equal(peer.leave_multicast_group(GROUPS_6[0], ""), OK, "leave")


func test_many_groups() -> void:
	var peer := bound_peer(OURS, "*", 1 << 20)
	var far := far_socket()
	var joined := 0
	# By default Linux allows one socket 20 groups.
	for i in 20:
		if peer.join_multicast_group("239.255.78.%d" % i, NEAR[i % 2]) == OK:
			joined += 1
	check_equal(joined, 20, "groups")
	for i in 20:
		far.send("239.255.78.%d" % i, peer.get_local_port(), [i], 16, FAR[i % 2])
	check_equal(numbers_at(peer, 20), PackedInt32Array(range(20)), "what comes")


# Checks that each of two members receives only packets of its own interface.
func _check_beside_one_by_the_other_interface(way: Array) -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peers: Array[PacketPeer] = []
			for interface in NEAR:
				peers.append(receiver(background, way[0]))
				check_equal(peers[-1].join_multicast_group(way[1][0], interface), OK, "join")
			var far := _far_of(way)
			for i in 2:
				_send_by_each(far, way[1][0], peers[i], [0], [1])
				_check(peers[i], way, [i], "the one by %s, %s" % [NEAR[i], way])
	)


# A socket on the far host, of the groups' family.
func _far_of(way: Array) -> FarSocket:
	return far_socket("::" if ":" in way[1][0] else "0.0.0.0")


func _send_by_each(
	far: FarSocket, group: String, peer: PacketPeer, by_far1: Array, by_far2: Array
) -> void:
	far.send(group, peer.get_local_port(), by_far1, 16, "far1")
	far.send(group, peer.get_local_port(), by_far2, 16, "far2")


# Checks that the peer received packets of these numbers and no others: what is sent to its own
# address afterwards comes right after them.
func _check(peer: PacketPeer, way: Array, numbers: Array, what: String) -> void:
	var is_ipv6: bool = ":" in way[1][0]
	for i in 2:
		_far_of(way).send(
			NEAR_IPV6[i] if is_ipv6 else NEAR_IPV4[i], peer.get_local_port(), [1000 + i]
		)
	var expected := PackedInt32Array(numbers + [1000, 1001])
	check_equal(numbers_at(peer, expected.size()), expected, what)
	check_equal(peer.get_available_packet_count(), 0, "nothing else, " + what)
