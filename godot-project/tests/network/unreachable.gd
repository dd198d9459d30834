extends "../support/two_hosts.gd"
## ICMP errors for packets that cannot be delivered: ours works on.

const EACCES := 13
const ECONNREFUSED := 111
## The far host is the router for this address, and refuses to forward.
const FILTERED_IPV6 := "fd98:0:0:0:0:0:0:1"
## This host has a special route for these addresses.
const BARRED := "10.99.0.1"
const BARRED_IPV6 := "fd99:0:0:0:0:0:0:1"

# Rows of [type, code] of ICMP: unreachable (network, host, protocol, port, too large, no route from
# the source, …), time exceeded, parameter problem.
const _REFUSALS: Array[Array] = [
	[3, 0],
	[3, 1],
	[3, 2],
	[3, 3],
	[3, 4],
	[3, 5],
	[3, 9],
	[3, 10],
	[3, 13],
	[11, 0],
	[11, 1],
	[12, 0]
]
const _REFUSALS_IPV6: Array[Array] = [
	[1, 0], [1, 1], [1, 2], [1, 3], [1, 4], [1, 5], [2, 0], [3, 0], [3, 1], [4, 0], [4, 1]
]


func test_an_unconnected_peer_notices_no_refusal(kind: StringName) -> void:
	for row: Array in _refusing():
		var peer := bound_peer(kind, row[2])
		answer("dest", peer.set_dest_address(row[0], row[1]), OK)
		send(peer, [numbered(1), numbered(2)])
		_until_refused(row)
		answer("count", peer.get_available_packet_count(), 0)
		answer("get_packet", peer.get_packet(), PackedByteArray())
		answer("get_packet_error", peer.get_packet_error(), ERR_UNAVAILABLE)
		send(peer, [numbered(3)])
		answer("count", peer.get_available_packet_count(), 0)
		var far := far_socket(row[2])
		peer.set_dest_address(row[3], far.port)
		send(peer, [numbered(4)])
		answer("another host gets", far.values_of("number"), [4])
		far.send(_near_of(row), peer.get_local_port(), [5])
		answer("and answers", numbers_at(peer), PackedInt32Array([5]))


func test_an_unconnected_peer_counts_no_errors() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for row: Array in _refusing():
				var peer := receiver(background, row[2])
				peer.set_dest_address(row[0], row[1])
				check_equal(peer.put_packets([numbered(1), numbered(2)]), 2, "put_packets")
				_until_refused(row)
				check_equal(peer.wait(0), ERR_TIMEOUT, "wait")
				check_equal(stat(peer, "receive_errors"), 0, "receive_errors")
				check_equal(stat(peer, "send_errors"), 0, "send_errors")
				check_equal(peer.get_last_os_error(), 0, "get_last_os_error")
	)


func test_a_connected_peer_goes_on() -> void:
	for action: String in ["wait", "count", "put_packet", "put_packets", "get_packet", "poll"]:
		for row: Array in _refusing():
			var peer := make_peer(OURS)
			var what := "%s, %s" % [action, row[0]]
			check_equal(peer.connect_to_host(row[0], row[1]), OK, "connect, " + what)
			check_equal(peer.put_packet(numbered(1)), OK, "the first packet, " + what)
			_until_refused(row)
			match action:
				"wait":
					check_equal(peer.wait(0), ERR_TIMEOUT, what)
				"count":
					check_equal(peer.get_available_packet_count(), 0, what)
				"put_packet":
					check_equal(peer.put_packet(numbered(2)), OK, what)
				"put_packets":
					check_equal(peer.put_packets([numbered(2), numbered(3)]), 2, what)
				"get_packet":
					peer.get_packet()
					check_equal(peer.get_packet_error(), ERR_UNAVAILABLE, what)
				"poll":
					check_equal(peer.poll(), OK, what)
			check_equal(peer.wait(0), ERR_TIMEOUT, "wait after " + what)
			check_equal(peer.get_available_packet_count(), 0, "count after " + what)
			check_equal(peer.is_socket_connected(), true, "connected after " + what)
			check(stat(peer, "receive_errors") >= 1, "no receive_errors after " + what)
			check_equal(stat(peer, "send_errors"), 0, "send_errors after " + what)
			check_equal(peer.get_last_os_error(), row[4], "get_last_os_error after " + what)
			check(
				row[5] in peer.get_last_error_message().to_lower(),
				"'%s' after %s" % [peer.get_last_error_message(), what]
			)


func test_each_refusal_is_counted() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for row: Array in _refusing():
				var peer := make_peer(OURS)
				peer.background_receive = background
				check_equal(peer.connect_to_host(row[0], row[1]), OK, "connect")
				for i in 3:
					check_equal(peer.put_packet(numbered(i)), OK, "put_packet")
					var refusals := func() -> int:
						peer.wait(0)
						return stat(peer, "receive_errors")
					check(
						wait_until(func() -> bool: return refusals.call() > i),
						"%s: refusal %d is not counted" % [row[0], i + 1]
					)
				check_equal(stat(peer, "packets_sent"), 3, "packets_sent")
	)


func test_a_refusal_ends_no_wait() -> void:
	for row: Array in _refusing():
		var peer := make_peer(OURS)
		check_equal(peer.connect_to_host(row[0], row[1]), OK, "connect")
		var waiting := waiting_threads(peer, 2)
		for i in 3:
			check_equal(peer.put_packet(numbered(i)), OK, "put_packet")
			_until_refused(row)
		for thread in waiting:
			check(thread.is_alive(), "a wait was ended")
		peer.interrupt_wait()
		for thread in waiting:
			check_equal(join(thread), ERR_SKIP, "wait")


func test_no_kind_of_refusal_makes_a_call_fail() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for family: Array in FAMILIES:
				var far := far_socket(family[1])
				var peer := make_peer(OURS)
				peer.background_receive = background
				check_equal(peer.connect_to_host(family[1], far.port), OK, "connect")
				for kind: Array in _REFUSALS_IPV6 if ":" in family[1] else _REFUSALS:
					var what := "%s, type %d code %d" % [family[1], kind[0], kind[1]]
					far.refuse(family[0], peer.get_local_port(), kind[0], kind[1])
					check_equal(peer.put_packet(numbered(1)), OK, "put_packet after " + what)
					far.refuse(family[0], peer.get_local_port(), kind[0], kind[1])
					check_equal(
						peer.put_packets([numbered(2), numbered(3)]), 2, "put_packets " + what
					)
					check_equal(far.values_of("number", 3), [1, 2, 3], "what arrives after " + what)
					far.refuse(family[0], peer.get_local_port(), kind[0], kind[1])
					check_equal(peer.get_available_packet_count(), 0, "count after " + what)
					check_equal(peer.wait(0), ERR_TIMEOUT, "wait after " + what)
					far.refuse(family[0], peer.get_local_port(), kind[0], kind[1])
					far.send(family[0], peer.get_local_port(), [4])
					check_equal(numbers_at(peer), PackedInt32Array([4]), "the answer, " + what)
				check(stat(peer, "receive_errors") > 0, "no receive_errors")
				check_equal(stat(peer, "send_errors"), 0, "send_errors")
	)
	# "Too large" has changed the route's MTU.
	ip(["route", "flush", "cache"])
	ip(["-6", "route", "flush", "cache"])


func test_a_port_that_opens_later_gets_every_packet() -> void:
	for family: Array in FAMILIES:
		var peer := make_peer(OURS)
		var port := _closed_port(family[2])
		check_equal(peer.connect_to_host(family[1], port), OK, "connect")
		check_equal(peer.put_packet(numbered(1)), OK, "to a closed port")
		_until_refused([family[1], port])
		var far := far_socket(family[2], port)
		check_equal(peer.put_packet(numbered(2)), OK, "to an open port")
		check_equal(far.values_of("number"), [2], "what arrives")
		far.send(family[0], peer.get_local_port(), [3])
		check_equal(numbers_at(peer), PackedInt32Array([3]), "the answer")


# Linux reports only permanent errors to a peer; that no host has an address is none.
func test_a_host_that_comes_later_is_reached(kind: StringName) -> void:
	for row: Array in [[NOBODY, "0.0.0.0", "24"], [NOBODY_IPV6, "::", "64 nodad"]]:
		ip(["neigh", "flush", "dev", "near1"])
		var far := far_socket(row[1])
		var peers := senders(kind, row[0], far.port)
		for peer in peers:
			send(peer, [numbered(1), numbered(2)])
		var is_known := func() -> bool: return "FAILED" in ip(["neigh", "show", "to", row[0]])
		check(wait_until(is_known), "a host has the address %s" % row[0])
		for peer in peers:
			answer("count", peer.get_available_packet_count(), 0)
			answer("get_packet", peer.get_packet(), PackedByteArray())
			answer("get_packet_error", peer.get_packet_error(), ERR_UNAVAILABLE)
			send(peer, [numbered(3)])
			if kind == OURS:
				check_equal(peer.wait(0), ERR_TIMEOUT, "wait")
				check_equal(stat(peer, "receive_errors"), 0, "receive_errors")
				check_equal(stat(peer, "send_errors"), 0, "send_errors")
		check(wait_until(is_known), "a host has the address %s" % row[0])
		var its_address := "%s/%s" % [row[0], row[2]]
		change(
			"-n far address add %s dev far1" % its_address,
			"-n far address del %s dev far1" % its_address.get_slice(" ", 0)
		)
		# The answers must come from that address.
		far = far_socket(row[0], far.port)
		for peer in peers:
			send(peer, [numbered(4)])
			var report := far.received()[0]
			answer("what arrives from the same peer", report.number, 4)
			far.send(report.from, report.port, [5])
			answer("the answer", numbers_at(peer), PackedInt32Array([5]))


func test_sending_where_a_route_says_no_fails(kind: StringName) -> void:
	var far := far_socket()
	for type: String in ["unreachable", "prohibit", "blackhole"]:
		for row: Array in [["", "10.99.0.0/24", BARRED], ["-6 ", "fd99::/64", BARRED_IPV6]]:
			change("%sroute add %s %s" % [row[0], type, row[1]])
			for bound: bool in [false, true]:
				var peer := bound_peer(kind, "*") if bound else make_peer(kind)
				var what := "%s, %s, %s" % [type, row[2], "bound" if bound else "not open"]
				answer("dest", peer.set_dest_address(row[2], far.port), OK)
				misuse(kind, what, peer, "put_packet", [numbered(1)], FAILED)
				if bound:
					peer.set_dest_address(FAR_IPV4[0], far.port)
					send(peer, [numbered(2)])
					answer("elsewhere, " + what, far.values_of("number"), [2])
			ip(("%sroute del %s %s" % [row[0], type, row[1]]).split(" "))


func test_connecting_where_a_route_says_no_is_as_native(kind: StringName) -> void:
	for type: String in ["unreachable", "prohibit", "blackhole"]:
		for row: Array in [["", "10.99.0.0/24", BARRED], ["-6 ", "fd99::/64", BARRED_IPV6]]:
			change("%sroute add %s %s" % [row[0], type, row[1]])
			var peer := make_peer(kind)
			misuse(kind, "%s %s" % [type, row[2]], peer, "connect_to_host", [row[2], 9], FAILED)
			answer("is_bound", peer.is_bound(), false)
			answer("is_socket_connected", peer.is_socket_connected(), false)
			ip(("%sroute del %s %s" % [row[0], type, row[1]]).split(" "))


func test_the_reason_of_a_failed_send_is_in_the_systems_words() -> void:
	change("route add unreachable 10.99.0.0/24", "route del unreachable 10.99.0.0/24")
	# There is no route to the last one.
	for row: Array in [[BARRED, "no route to host"], ["203.0.113.1", "network is unreachable"]]:
		var peer := make_peer(OURS)
		allow_lines("put_packets|send_to|put_segmented")
		peer.set_dest_address(row[0], 9)
		check_equal(peer.put_packet(numbered(1)), FAILED, "put_packet")
		check_equal(peer.put_packets([numbered(1), numbered(2)]), 0, "put_packets")
		check_equal(peer.put_segmented(numbered(1), 4), 0, "put_segmented")
		check_equal(peer.send_to(numbered(1), row[0], 9), FAILED, "send_to")
		var message: String = peer.get_last_error_message()
		check(row[1] in message.to_lower(), "not the system's words: '%s'" % message)
		check(row[0] in message, "the address is not named: '%s'" % message)
		check_equal(stat(peer, "send_errors"), 4, "send_errors")
		check_equal(stat(peer, "packets_sent"), 0, "packets_sent")


# Rows of [address, port, any address of the family, an open host's address, error number, message]
# for destinations that refuse: a closed port, and a host that a router does not allow.
func _refusing() -> Array[Array]:
	var rows: Array[Array] = []
	for family: Array in FAMILIES:
		var port := _closed_port(family[2])
		rows.append([family[1], port, family[2], family[1], ECONNREFUSED, "refused"])
	if not "fd98::/64" in ip(["-6", "route"]):
		change("-6 route add fd98::/64 via fd77:1::2", "-6 route del fd98::/64")
		change("-n far -6 route add prohibit fd98::/64", "-n far -6 route del prohibit fd98::/64")
	# Not in IPv4: Linux sends five such errors, and then one a second.
	rows.append([FILTERED_IPV6, 9, "::", FAR_IPV6[0], EACCES, "permission denied"])
	return rows


func _near_of(row: Array) -> String:
	return NEAR_IPV6[0] if row[2] == "::" else NEAR_IPV4[0]


# A closed port of the far host.
func _closed_port(address: String) -> int:
	var far := far_socket(address)
	far.close()
	return far.port


# Waits until a packet sent now has been refused; refusals of earlier packets have arrived by then.
func _until_refused(row: Array) -> void:
	var prober := make_peer(OURS)
	check_equal(prober.connect_to_host(row[0], row[1]), OK, "the prober")
	check_equal(prober.put_packet(numbered(0)), OK, "the prober")
	var is_refused := func() -> bool:
		prober.poll()
		return stat(prober, "receive_errors") > 0
	check(wait_until(is_refused), "%s port %d refuses nothing" % [row[0], row[1]])
