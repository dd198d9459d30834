extends "../support/suite.gd"
## set_dest_address() and connect_to_host().

## The label is too long (63 characters at most), so no server is asked.
const UNRESOLVABLE := (
	"a-label-of-more-than-sixty-three-characters-which-no-resolver-would-accept" + ".invalid"
)


func test_an_unresolvable_destination_is_cant_resolve_and_changes_nothing(kind: StringName) -> void:
	var receiver := bound_peer(NATIVE)
	var sender := sender_to(receiver, kind)
	for host: String in unresolvable(UNRESOLVABLE):
		misuse(kind, "'%s'" % host, sender, "set_dest_address", [host, 9], ERR_CANT_RESOLVE)
	answer("put_packet", sender.put_packet(numbered(1)), OK)
	answer("what arrives", take(receiver), [numbered(1)] as Array[PackedByteArray])


func test_an_unresolvable_destination_of_a_new_peer_leaves_it_without_one(kind: StringName) -> void:
	var peer := make_peer(kind)
	answer("set_dest_address", peer.set_dest_address("*", 9), ERR_CANT_RESOLVE)
	misuse(kind, "put_packet", peer, "put_packet", [bytes("x")], ERR_UNCONFIGURED, ["put_packet"])


func test_a_destination_port_is_not_judged_before_sending(kind: StringName) -> void:
	for port: int in [-1, 0, 70000]:
		var peer := bound_peer(kind)
		misuse(kind, "port %d" % port, peer, "set_dest_address", [LOOPBACK, port], OK)
	var peer := bound_peer(kind)
	answer("set_dest_address", peer.set_dest_address(LOOPBACK, 0), OK)
	var expected := FAILED if Platform.has(&"refused port 0") else OK
	misuse(kind, "sending to port 0", peer, "put_packet", [bytes("x")], expected)


func test_a_destination_may_be_a_host_name(kind: StringName) -> void:
	var receiver := bound_peer(NATIVE)
	var sender := make_peer(kind)
	var port: int = receiver.get_local_port()
	# The system's resolver may prefer IPv6; then the packet goes to ::1.
	answer("set_dest_address", sender.set_dest_address("localhost", port), OK)
	answer("put_packet", sender.put_packet(numbered(1)), OK)
	if IP.resolve_hostname("localhost") == LOOPBACK:
		answer("what arrives", take(receiver), [numbered(1)] as Array[PackedByteArray])


func test_a_short_address_is_resolved_as_the_system_does(kind: StringName) -> void:
	misuse(kind, "1.2.3", make_peer(kind), "set_dest_address", ["1.2.3", 9], OK)


func test_the_destination_can_be_changed_at_any_time(kind: StringName) -> void:
	var one := bound_peer(NATIVE)
	var other := bound_peer(NATIVE)
	var sender := sender_to(one, kind)
	send(sender, [numbered(1)])
	answer("to the other", sender.set_dest_address(LOOPBACK, other.get_local_port()), OK)
	send(sender, [numbered(2)])
	answer("the first got", take(one), [numbered(1)] as Array[PackedByteArray])
	answer("the other got", take(other), [numbered(2)] as Array[PackedByteArray])


func test_a_destination_while_connected_changes_nothing(kind: StringName) -> void:
	var friend := bound_peer(NATIVE)
	var stranger := bound_peer(NATIVE)
	var peer := connected_to(friend, kind)
	var port: int = stranger.get_local_port()
	misuse(kind, "numeric", peer, "set_dest_address", [LOOPBACK, port], OK, [LOOPBACK, str(port)])
	var host := unresolvable(UNRESOLVABLE)[0]
	misuse(kind, "unresolvable", peer, "set_dest_address", [host, port], ERR_CANT_RESOLVE)
	send(peer, [numbered(1)])
	answer("the friend got", take(friend), [numbered(1)] as Array[PackedByteArray])
	answer("the stranger got", stranger.get_available_packet_count(), 0)


func test_connecting_opens_and_connects(kind: StringName) -> void:
	var other := bound_peer(NATIVE)
	var peer := connected_to(other, kind)
	answer("is_bound", peer.is_bound(), true)
	answer("is_socket_connected", peer.is_socket_connected(), true)
	answer("a real port", peer.get_local_port() > 0, true)
	answer("get_packet_ip", peer.get_packet_ip(), "")
	answer("get_packet_port", peer.get_packet_port(), 0)
	send(peer, [numbered(1)])
	take(other)
	answer("the sender", other.get_packet_port() == peer.get_local_port(), true)


func test_connecting_a_bound_peer_keeps_its_port(kind: StringName) -> void:
	var other := bound_peer(NATIVE)
	var peer := bound_peer(kind)
	var port: int = peer.get_local_port()
	answer("connect", peer.connect_to_host(LOOPBACK, other.get_local_port()), OK)
	answer("get_local_port", peer.get_local_port() == port, true)
	send(peer, [numbered(1)])
	take(other)
	answer("the sender", other.get_packet_port() == port, true)


func test_connecting_to_no_address_is_an_invalid_parameter(kind: StringName) -> void:
	for host: String in ["", "x y", "*"]:
		var peer := make_peer(kind)
		var named := [host]
		misuse(
			kind, "'%s'" % host, peer, "connect_to_host", [host, 9], ERR_INVALID_PARAMETER, named
		)
		answer("is_bound", peer.is_bound(), false)
		answer("is_socket_connected", peer.is_socket_connected(), false)


func test_connecting_to_a_port_out_of_range_changes_nothing(kind: StringName) -> void:
	var friend := bound_peer(NATIVE)
	for port: int in [-1, 0, 65536]:
		var named := [str(port)]
		for peer: PacketPeer in [make_peer(kind), bound_peer(kind), connected_to(friend, kind)]:
			var before := [peer.is_bound(), peer.is_socket_connected()]
			misuse(
				kind,
				"port %d" % port,
				peer,
				"connect_to_host",
				[LOOPBACK, port],
				ERR_INVALID_PARAMETER,
				named
			)
			answer("state", [peer.is_bound(), peer.is_socket_connected()], before)


func test_a_refused_connect_leaves_the_connection(kind: StringName) -> void:
	var friend := bound_peer(NATIVE)
	var peer := connected_to(friend, kind)
	misuse(kind, "connect", peer, "connect_to_host", ["x y", 9], ERR_INVALID_PARAMETER)
	send(peer, [numbered(1)])
	answer("the friend got", take(friend), [numbered(1)] as Array[PackedByteArray])


func test_connecting_again_goes_elsewhere(kind: StringName) -> void:
	var one := bound_peer(NATIVE)
	var other := bound_peer(NATIVE)
	var peer := connected_to(one, kind)
	answer("connect", peer.connect_to_host(LOOPBACK, other.get_local_port()), OK)
	answer("is_socket_connected", peer.is_socket_connected(), true)
	send(peer, [numbered(1)])
	answer("the other got", take(other), [numbered(1)] as Array[PackedByteArray])
	answer("the first got", one.get_available_packet_count(), 0)
	send(sender_to(peer, NATIVE), [numbered(2)])  # a stranger
	answer("the first", one.set_dest_address(LOOPBACK, peer.get_local_port()), OK)
	send(one, [numbered(3)])
	answer("the other", other.set_dest_address(LOOPBACK, peer.get_local_port()), OK)
	send(other, [numbered(4)])
	answer("what arrives", take(peer), [numbered(4)] as Array[PackedByteArray])
	answer("nothing else", peer.get_available_packet_count(), 0)


func test_a_connected_peer_receives_from_its_partner_only(kind: StringName) -> void:
	var friend := bound_peer(NATIVE)
	var peer := connected_to(friend, kind)
	send(sender_to(peer), [numbered(1), numbered(2)])
	answer("friend", friend.set_dest_address(LOOPBACK, peer.get_local_port()), OK)
	send(friend, [numbered(3)])
	answer("what arrives", take(peer), [numbered(3)] as Array[PackedByteArray])
	answer("nothing else", peer.get_available_packet_count(), 0)
	answer("get_packet_port", peer.get_packet_port() == friend.get_local_port(), true)


func test_connecting_to_the_other_family_fails_and_closes(kind: StringName) -> void:
	if not needs_ipv6():
		return
	for row: Array in [["0.0.0.0", "::1"], [LOOPBACK, "::1"], ["::1", LOOPBACK]]:
		var peer := bound_peer(kind, row[0])
		misuse(
			kind,
			"bound to %s, connected to %s" % row,
			peer,
			"connect_to_host",
			[row[1], 9],
			FAILED,
			[row[1]]
		)
		answer("is_bound", peer.is_bound(), false)
		answer("is_socket_connected", peer.is_socket_connected(), false)


func test_connecting_to_a_broadcast_address_fails_and_closes(kind: StringName) -> void:
	if not needs(&"guarded connecting"):
		return
	var peer := make_peer(kind)
	var named := ["127.255.255.255"]
	misuse(kind, "connect", peer, "connect_to_host", ["127.255.255.255", 9], FAILED, named)
	answer("is_bound", peer.is_bound(), false)


func test_ours_resolves_no_empty_name() -> void:
	var peer := make_peer(OURS)
	misuse(OURS, "an empty name", peer, "set_dest_address", ["", 9], ERR_CANT_RESOLVE, [""])


func test_ours_connects_to_a_host_name() -> void:
	var other := bound_peer(NATIVE, "*")
	var peer := connected_to(other, OURS, "localhost")
	check_equal(peer.is_socket_connected(), true, "is_socket_connected")
	send(peer, [numbered(1)])
	check_equal(take(other), [numbered(1)] as Array[PackedByteArray], "what arrives")


func test_ours_cannot_connect_to_a_host_name_that_does_not_resolve() -> void:
	var peer := make_peer(OURS)
	allow_lines("connect_to_host.*no-such-host\\.invalid")
	check_equal(peer.connect_to_host("no-such-host.invalid", 9), ERR_CANT_RESOLVE, "connect")
	check_equal(peer.is_bound(), false, "is_bound")

	var friend := bound_peer(NATIVE)
	peer = connected_to(friend, OURS)
	check_equal(peer.connect_to_host("no-such-host.invalid", 9), ERR_CANT_RESOLVE, "again")
	check_equal(peer.is_socket_connected(), true, "the old connection stays")
	send(peer, [numbered(1)])
	check_equal(take(friend), [numbered(1)] as Array[PackedByteArray], "the friend got")
