extends "../support/suite.gd"
## Broadcast and multicast on loopback.

const GROUP := "239.255.77.2"
const GROUP_6 := "ff02::4d02"
## On Linux every address of 127.0.0.0/8 is this machine, and the last one is the broadcast address.
const BROADCAST := "127.255.255.255"


func test_broadcast_needs_to_be_enabled(kind: StringName) -> void:
	if not needs(&"loopback broadcasts"):
		return
	var receiver := bound_peer(NATIVE, "0.0.0.0")
	var sender := sender_to(receiver, kind, BROADCAST)
	misuse(kind, "not enabled", sender, "put_packet", [numbered(1)], FAILED)
	sender.set_broadcast_enabled(true)
	answer("enabled", sender.put_packet(numbered(2)), OK)
	sender.set_broadcast_enabled(false)
	misuse(kind, "not any more", sender, "put_packet", [numbered(3)], FAILED)
	answer("what arrives", take(receiver), [numbered(2)] as Array[PackedByteArray])
	answer("nothing else", receiver.get_available_packet_count(), 0)


func test_broadcast_is_received(kind: StringName) -> void:
	if not needs(&"loopback broadcasts"):
		return
	var receiver := bound_peer(kind, "0.0.0.0")
	var sender := sender_to(receiver, NATIVE, BROADCAST)
	sender.set_broadcast_enabled(true)
	send(sender, [numbered(1)])
	answer("what arrives", take(receiver), [numbered(1)] as Array[PackedByteArray])


func test_broadcast_may_be_enabled_before_opening(kind: StringName) -> void:
	if not needs(&"loopback broadcasts"):
		return
	var receiver := bound_peer(NATIVE, "0.0.0.0")
	for opened: String in ["by put_packet", "by bind"]:
		var sender := make_peer(kind)
		sender.set_broadcast_enabled(true)
		if opened == "by bind":
			answer("bind", sender.bind(0, "0.0.0.0"), OK)
		answer("dest", sender.set_dest_address(BROADCAST, receiver.get_local_port()), OK)
		answer("opened " + opened, sender.put_packet(numbered(1)), OK)


func test_broadcast_stays_enabled_after_close(kind: StringName) -> void:
	if not needs(&"loopback broadcasts"):
		return
	var receiver := bound_peer(NATIVE, "0.0.0.0")
	var sender := sender_to(receiver, kind, BROADCAST)
	sender.set_broadcast_enabled(true)
	send(sender, [numbered(1)])
	sender.close()
	answer("after close", sender.put_packet(numbered(2)), OK)
	answer("what arrives", take(receiver, 2), [numbered(1), numbered(2)] as Array[PackedByteArray])


func test_joining_opens_a_closed_peer(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("join", peer.join_multicast_group(GROUP, loopback_interface()), OK)
	answer("is_bound", peer.is_bound(), true)
	answer("is_socket_connected", peer.is_socket_connected(), false)
	answer("leave", peer.leave_multicast_group(GROUP, loopback_interface()), OK)
	answer("still open", peer.is_bound(), true)


func test_a_member_gets_what_is_sent_to_the_group_until_it_leaves(kind: StringName) -> void:
	if not needs(&"loopback groups"):
		return
	var peer := bound_peer(kind, "0.0.0.0")
	# A sender bound to a loopback address sends multicast through the loopback interface.
	var sender := bound_peer(NATIVE, LOOPBACK)
	answer("dest", sender.set_dest_address(GROUP, peer.get_local_port()), OK)
	answer("join", peer.join_multicast_group(GROUP, loopback_interface()), OK)
	send(sender, [numbered(1)])
	answer("a member got", take(peer), [numbered(1)] as Array[PackedByteArray])
	answer("get_packet_ip", peer.get_packet_ip(), LOOPBACK)
	answer("leave", peer.leave_multicast_group(GROUP, loopback_interface()), OK)
	send(sender, [numbered(2)])
	sender.set_dest_address(LOOPBACK, peer.get_local_port())
	send(sender, [numbered(3)])
	answer("then", take(peer), [numbered(3)] as Array[PackedByteArray])
	answer("nothing else", peer.get_available_packet_count(), 0)


func test_sending_to_a_group_goes_to_its_members(kind: StringName) -> void:
	if not needs(&"loopback groups"):
		return
	var member := bound_peer(NATIVE, "0.0.0.0")
	answer("join", member.join_multicast_group(GROUP, loopback_interface()), OK)
	var sender := bound_peer(kind, LOOPBACK)
	answer("dest", sender.set_dest_address(GROUP, member.get_local_port()), OK)
	send(sender, [numbered(1)])
	answer("the member got", take(member), [numbered(1)] as Array[PackedByteArray])


func test_ipv6_groups_can_be_joined_and_left(kind: StringName) -> void:
	if not needs_ipv6():
		return
	for peer: PacketPeer in [make_peer(kind), bound_peer(kind, "::"), bound_peer(kind, "*")]:
		answer("join", peer.join_multicast_group(GROUP_6, loopback_interface()), OK)
		misuse(kind, "again", peer, "join_multicast_group", [GROUP_6, loopback_interface()], FAILED)
		answer("leave", peer.leave_multicast_group(GROUP_6, loopback_interface()), OK)
		misuse(
			kind,
			"leave again",
			peer,
			"leave_multicast_group",
			[GROUP_6, loopback_interface()],
			FAILED
		)


func test_an_ipv6_group_needs_no_known_interface(kind: StringName) -> void:
	if not needs_ipv6():
		return
	# Whether it works depends on the machine, but both kinds must agree.
	for interface: String in ["", "no-such-interface"]:
		var peer := make_peer(kind)
		allow_lines("_multicast_group|ret != 0")
		record("interface '%s'" % interface, peer.join_multicast_group(GROUP_6, interface))
		answer("is_bound", peer.is_bound(), true)


func test_a_wildcard_socket_joins_groups_of_both_families(kind: StringName) -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(kind, "*")
	answer("IPv4", peer.join_multicast_group(GROUP, loopback_interface()), OK)
	answer("IPv6", peer.join_multicast_group(GROUP_6, loopback_interface()), OK)
	answer("leave IPv4", peer.leave_multicast_group(GROUP, loopback_interface()), OK)
	answer("leave IPv6", peer.leave_multicast_group(GROUP_6, loopback_interface()), OK)


func test_a_malformed_group_is_an_invalid_parameter(kind: StringName) -> void:
	for group: String in ["", "x", "239.1.2", "*"]:
		var peer := make_peer(kind)
		misuse(
			kind,
			"'%s'" % group,
			peer,
			"join_multicast_group",
			[group, loopback_interface()],
			ERR_INVALID_PARAMETER,
			[group]
		)
		answer("is_bound", peer.is_bound(), false)


func test_an_unknown_interface_is_an_invalid_parameter_and_the_socket_stays_open(
	kind: StringName
) -> void:
	var peer := make_peer(kind)
	misuse(
		kind,
		"join",
		peer,
		"join_multicast_group",
		[GROUP, "no-such-interface"],
		ERR_INVALID_PARAMETER,
		["no-such-interface"]
	)
	answer("is_bound", peer.is_bound(), true)
	misuse(
		kind,
		"leave",
		peer,
		"leave_multicast_group",
		[GROUP, "no-such-interface"],
		ERR_INVALID_PARAMETER,
		["no-such-interface"]
	)


func test_joining_twice_fails(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("join", peer.join_multicast_group(GROUP, loopback_interface()), OK)
	misuse(
		kind, "again", peer, "join_multicast_group", [GROUP, loopback_interface()], FAILED, [GROUP]
	)
	answer("still a member", peer.leave_multicast_group(GROUP, loopback_interface()), OK)


func test_joining_what_is_no_group_fails(kind: StringName) -> void:
	var peer := make_peer(kind)
	misuse(
		kind,
		"join",
		peer,
		"join_multicast_group",
		[LOOPBACK, loopback_interface()],
		FAILED,
		[LOOPBACK]
	)
	answer("is_bound", peer.is_bound(), true)


func test_leaving_what_was_not_joined_fails(kind: StringName) -> void:
	var peer := bound_peer(kind, "0.0.0.0")
	misuse(
		kind, "leave", peer, "leave_multicast_group", [GROUP, loopback_interface()], FAILED, [GROUP]
	)


func test_leaving_when_not_open_is_unconfigured(kind: StringName) -> void:
	misuse(
		kind,
		"leave",
		make_peer(kind),
		"leave_multicast_group",
		[GROUP, loopback_interface()],
		ERR_UNCONFIGURED
	)


func test_a_malformed_group_cannot_be_left(kind: StringName) -> void:
	misuse(
		kind,
		"leave",
		bound_peer(kind),
		"leave_multicast_group",
		["x", loopback_interface()],
		ERR_INVALID_PARAMETER,
		["x"]
	)


func test_a_group_of_the_other_family_is_an_invalid_parameter(kind: StringName) -> void:
	if not needs_ipv6():
		return
	for row: Array in [[LOOPBACK, GROUP_6], ["0.0.0.0", GROUP_6], ["::", GROUP]]:
		misuse(
			kind,
			"bound to %s, join %s" % row,
			bound_peer(kind, row[0]),
			"join_multicast_group",
			[row[1], loopback_interface()],
			ERR_INVALID_PARAMETER,
			[row[1]]
		)


func test_closing_leaves_the_groups(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("join", peer.join_multicast_group(GROUP, loopback_interface()), OK)
	peer.close()
	answer("join after close", peer.join_multicast_group(GROUP, loopback_interface()), OK)


func test_ours_lets_the_system_pick_the_interface() -> void:
	var peer := make_peer(OURS)
	allow_lines("join_multicast_group")
	if peer.join_multicast_group(GROUP, "") == FAILED and peer.get_last_os_error() == 19:  # ENODEV
		skip("this machine has no route for multicast")
		return
	check_equal(peer.is_bound(), true, "is_bound")
	check_equal(peer.leave_multicast_group(GROUP, ""), OK, "leave")
	check_equal(peer.join_multicast_group(GROUP, ""), OK, "join again")
	check_equal(peer.join_multicast_group(GROUP, ""), FAILED, "join twice")
