extends "../support/two_hosts.gd"
## IPv6 addresses with "::" in place of zeros. PacketPeerUDP understands it only at the beginning of
## an address; elsewhere it sends to another address without an error.

const SHORT_NEAR := "fd77:1::1"
const SHORT_FAR := "fd77:1::2"
const SHORT_GROUP := "ff15::77:60"
const GROUP := "ff15:0:0:0:0:0:77:60"


func test_a_short_destination_is_where_it_says() -> void:
	for address: String in [SHORT_FAR, "FD77:1::2", "fd77:0001::0002", "fd77:1::0:0.0.0.2"]:
		var far := far_socket("::")
		var peers := senders(OURS, address, far.port)
		for peer in peers:
			check_equal(peer.put_packet(numbered(1)), OK, "put_packet to " + address)
		check_equal(peers[1].send_to(numbered(1), address, far.port), OK, "send_to " + address)
		check_equal(far.values_of("to", 3), [FAR_IPV6[0], FAR_IPV6[0], FAR_IPV6[0]], "what arrives")


func test_a_short_address_can_be_bound_to() -> void:
	var peer := make_peer(OURS)
	check_equal(peer.bind(0, SHORT_NEAR), OK, "bind")
	check_equal(peer.get_local_address(), NEAR_IPV6[0], "get_local_address")
	far_socket("::").send(NEAR_IPV6[0], peer.get_local_port(), [1])
	check_equal(numbers_at(peer), PackedInt32Array([1]), "what comes")


func test_a_short_group_is_the_group() -> void:
	var peer := bound_peer(OURS, "::")
	check_equal(peer.join_multicast_group(SHORT_GROUP, "near1"), OK, "join")
	far_socket("::").send(GROUP, peer.get_local_port(), [1], 16, "far1")
	check_equal(numbers_at(peer), PackedInt32Array([1]), "what comes")
	refused("again", peer, "join_multicast_group", [GROUP, "near1"], FAILED)
	check_equal(peer.leave_multicast_group(GROUP, "near1"), OK, "leave")


func test_both_read_the_addresses_that_both_write(kind: StringName) -> void:
	var far := far_socket("::")
	for peer in senders(kind, FAR_IPV6[0], far.port):
		send(peer, [numbered(1)])
		answer("what arrives", far.values_of("to"), [FAR_IPV6[0]])
