extends "../support/receiving.gd"
## Multicast on the loopback interface: which packets leave by it, and that a peer receives its own
## groups only. More than one interface is tested on two hosts.

const GROUPS: Array[String] = [
	"239.255.77.11", "239.255.77.12", "239.255.77.13", "239.255.77.14", "239.255.77.15"
]
const OTHER_GROUP := "239.255.77.16"


func test_it_leaves_by_the_interface_that_was_chosen() -> void:
	if not needs(&"loopback groups"):
		return
	for address: String in ["", LOOPBACK, "0.0.0.0", "*"]:
		var member := _member([GROUPS[0]])
		var peer := make_peer(OURS)
		peer.multicast_interface = loopback_interface()
		if not address.is_empty():
			check_equal(peer.bind(0, address), OK, "bind to " + address)
		for i in 2:
			_multicast(peer, i, GROUPS[0], member)
			var what := "from '%s', what arrives" % address
			check_equal(numbers_of(take(member)), PackedInt32Array([i]), what)
			check_equal(member.get_packet_ip(), LOOPBACK, "get_packet_ip")
			peer.close()


func test_it_can_be_chosen_and_given_back_while_open() -> void:
	if not needs(&"loopback groups"):
		return
	for address: String in ["0.0.0.0", "*"]:
		var member := _member([GROUPS[0]])
		var peer := bound_peer(OURS, address)
		# The system chooses another interface, if there is one; with a limit of 0 nothing leaves
		# the machine.
		peer.multicast_time_to_live = 0
		for i in 3:
			peer.multicast_interface = loopback_interface()
			_multicast(peer, 1, GROUPS[0], member)
			check_equal(numbers_of(take(member)), PackedInt32Array([1]), "by loopback")
			peer.multicast_interface = ""
			allow_lines("send_to")
			peer.send_to(numbered(2), GROUPS[0], member.get_local_port())
			check_equal(peer.send_to(numbered(3), LOOPBACK, member.get_local_port()), OK, "to it")
			check_equal(numbers_of(take(member)), PackedInt32Array([3]), "by another")


func test_loopback_and_hop_limit_do_not_keep_it_from_the_loopback_interface() -> void:
	if not needs(&"loopback groups"):
		return
	# On the loopback interface a multicast always comes back.
	var member := _member([GROUPS[0]])
	var peer := make_peer(OURS)
	peer.multicast_interface = loopback_interface()
	for loopback: bool in [true, false]:
		for hops: int in [0, 1, 255]:
			peer.multicast_loopback = loopback
			peer.multicast_time_to_live = hops
			_multicast(peer, hops, GROUPS[0], member)
			var what := "loopback %s, hops %d" % [loopback, hops]
			check_equal(numbers_of(take(member)), PackedInt32Array([hops]), what)


func test_a_peer_receives_all_its_groups_and_no_other() -> void:
	if not needs(&"own groups"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var member := _member(GROUPS, background)
			# The machine is a member of this group, but the peer is not.
			var other := _member([OTHER_GROUP])
			var peer := make_peer(OURS)
			peer.multicast_interface = loopback_interface()
			for i in GROUPS.size():
				_multicast(peer, i, GROUPS[i], member)
				_multicast(peer, 99, OTHER_GROUP, member)
			var expected := PackedInt32Array(range(GROUPS.size()))
			check_equal(numbers_of(take(member, GROUPS.size())), expected, "what arrives")
			_check_quiet(member, "the member of other groups")
			_multicast(peer, 7, OTHER_GROUP, other)
			check_equal(numbers_of(take(other)), PackedInt32Array([7]), "the member of that one")
	)


func test_a_peer_that_has_left_receives_nothing_while_another_stays() -> void:
	if not needs(&"own groups"):
		return
	in_both_modes(
		func(background: bool) -> void:
			var stays := _member(GROUPS)
			var leaves := _member(GROUPS, background)
			var peer := make_peer(OURS)
			peer.multicast_interface = loopback_interface()
			for i in GROUPS.size():
				var interface := loopback_interface()
				check_equal(leaves.leave_multicast_group(GROUPS[i], interface), OK, "leave")
				for group in GROUPS:
					_multicast(peer, GROUPS.find(group), group, leaves)
				var rest := PackedInt32Array(range(i + 1, GROUPS.size()))
				check_equal(numbers_of(take(leaves, rest.size())), rest, "after leaving %d" % i)
				_check_quiet(leaves, "after leaving %d" % i)
			_multicast(peer, 5, GROUPS[0], stays)
			check_equal(numbers_of(take(stays)), PackedInt32Array([5]), "the member that stays")
			var again: Error = leaves.join_multicast_group(GROUPS[1], loopback_interface())
			check_equal(again, OK, "join again")
			_multicast(peer, 6, GROUPS[1], leaves)
			check_equal(numbers_of(take(leaves)), PackedInt32Array([6]), "joined again")
	)


func test_closing_leaves_while_another_stays() -> void:
	if not needs(&"own groups"):
		return
	var stays := _member([GROUPS[0]])
	var peer := _member([GROUPS[0]])
	var port: int = peer.get_local_port()
	peer.close()
	check_equal(peer.bind(port, "0.0.0.0"), OK, "bind again")
	# Only a peer that has joined a group is restricted to its own.
	check_equal(peer.join_multicast_group(GROUPS[1], loopback_interface()), OK, "join another")
	var sender := make_peer(OURS)
	sender.multicast_interface = loopback_interface()
	_multicast(sender, 1, GROUPS[0], peer)
	_check_quiet(peer, "closed and bound again")
	_multicast(sender, 2, GROUPS[0], stays)
	check_equal(numbers_of(take(stays)), PackedInt32Array([2]), "the member that stays")


func test_a_member_receives_from_native_and_ours_alike() -> void:
	if not needs(&"loopback groups"):
		return
	var member := _member([GROUPS[0]])
	# Native sends through the interface of the address that it is bound to.
	var theirs := bound_peer(NATIVE, LOOPBACK)
	theirs.set_dest_address(GROUPS[0], member.get_local_port())
	send(theirs, [numbered(1)])
	var peer := make_peer(OURS)
	peer.multicast_interface = loopback_interface()
	_multicast(peer, 2, GROUPS[0], member)
	check_equal(numbers_of(take(member, 2)), PackedInt32Array([1, 2]), "what arrives")


func test_groups_of_other_sockets_are_received_until_a_group_is_joined(kind: StringName) -> void:
	if not needs(&"loopback groups"):
		return
	var other := _member([OTHER_GROUP])
	var peer := bound_peer(kind, "0.0.0.0")
	var sender := bound_peer(NATIVE, LOOPBACK)
	sender.set_dest_address(OTHER_GROUP, peer.get_local_port())
	send(sender, [numbered(1)])
	answer("what arrives", take(peer), [numbered(1)] as Array[PackedByteArray])
	other.close()
	send(sender, [numbered(2)])
	sender.set_dest_address(LOOPBACK, peer.get_local_port())
	send(sender, [numbered(3)])
	answer("without a member", take(peer), [numbered(3)] as Array[PackedByteArray])


func test_native_receives_groups_of_other_sockets_and_ours_does_not() -> void:
	if not needs(&"own groups"):
		return
	var other := _member([OTHER_GROUP])
	for kind: StringName in [NATIVE, OURS]:
		var peer := bound_peer(kind, "0.0.0.0")
		var sender := bound_peer(NATIVE, LOOPBACK)
		var port: int = peer.get_local_port()
		check_equal(peer.join_multicast_group(GROUPS[0], loopback_interface()), OK, "join")
		check_equal(peer.leave_multicast_group(GROUPS[0], loopback_interface()), OK, "leave")
		sender.set_dest_address(OTHER_GROUP, port)
		send(sender, [numbered(1)])
		sender.set_dest_address(LOOPBACK, port)
		send(sender, [numbered(2)])
		var expected := PackedInt32Array([1, 2] if kind == NATIVE else [2])
		check_equal(numbers_of(take(peer, expected.size())), expected, "what %s receives" % kind)
	other.close()


# A peer of ours that has joined groups on the loopback interface.
func _member(groups: Array[String], background := false) -> PacketPeer:
	var peer := receiver(background, "0.0.0.0")
	for group in groups:
		check_equal(peer.join_multicast_group(group, loopback_interface()), OK, "join " + group)
	return peer


# Sends to a group, to the port of [param member].
func _multicast(peer: PacketPeer, number: int, group: String, member: PacketPeer) -> void:
	check_equal(peer.send_to(numbered(number), group, member.get_local_port()), OK, "to " + group)


# Packets sent earlier would arrive before this one.
func _check_quiet(peer: PacketPeer, what: String) -> void:
	var sender := sender_to(peer)
	send(sender, [numbered(1000)])
	check_equal(numbers_of(take(peer)), PackedInt32Array([1000]), what + ": what arrives")
	check_equal(peer.get_available_packet_count(), 0, what + ": nothing else")
