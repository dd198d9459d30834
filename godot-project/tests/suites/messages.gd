# gdlint: disable=max-public-methods
extends "../support/receiving.gd"
## What a script is told when something fails, and that the remedy which is named works.

const Frames := preload("../support/frames.gd")

const GROUP := "239.255.77.9"
const GROUP_6 := "ff02::4d09"
const UNRESOLVABLE := (
	"a-label-of-more-than-sixty-three-characters-which-no-resolver-would-accept" + ".invalid"
)
const ENODEV := 19

var _proxies: Array[RefCounted]


func test_binding() -> void:
	var peer := bound_peer(OURS)
	var port: int = peer.get_local_port()
	var fresh := make_peer(OURS)
	var taken := taken_port(NATIVE)
	_printed(peer.bind.bind(0), ERR_ALREADY_IN_USE, [str(port), "close()"], _closed_then(peer))
	_printed(
		fresh.bind.bind(70_000), ERR_INVALID_PARAMETER, ["70000", "1 to 65535"], _opens("*", 0)
	)
	_printed(fresh.bind.bind(0, "host"), ERR_INVALID_PARAMETER, ['"host"', '"*"'], _opens("*", 0))
	_noted(
		fresh,
		fresh.bind.bind(taken, LOOPBACK),
		ERR_UNAVAILABLE,
		["another socket has this port", "choose another one, or 0"],
		_opens(LOOPBACK, 0)
	)
	_noted(
		fresh,
		fresh.bind.bind(0, "192.0.2.1"),
		ERR_UNAVAILABLE,
		["no interface has this address", "IP.get_local_addresses()", '"*"'],
		_opens("*", 0)
	)
	check(LOOPBACK in IP.get_local_addresses(), "IP.get_local_addresses() lists none")


func test_binding_to_a_shared_port() -> void:
	if not needs(&"shared ports"):
		return
	var other := bound_peer(OURS)
	var peer := make_peer(OURS)
	peer.reuse_address = true
	var first := make_peer(OURS)
	var share := func() -> bool:
		first.reuse_address = true
		return first.bind(0, LOOPBACK) == OK and peer.bind(first.get_local_port(), LOOPBACK) == OK
	_noted(
		peer,
		peer.bind.bind(other.get_local_port(), LOOPBACK),
		ERR_UNAVAILABLE,
		["another socket has this port and does not share it", "choose another port"],
		share
	)


func test_binding_and_sending_to_an_address_of_one_link() -> void:
	if not needs_ipv6() or not needs(&"link scopes"):
		return
	var peer := make_peer(OURS)
	var scoped := "ff02::1%" + loopback_interface()
	# The remedy may lead to another answer: that this machine has no such address, or no route.
	var sent_with_interface := func() -> bool:
		peer.send_to(numbered(1), scoped, 9)
		return not "no interface" in peer.get_last_error_message()
	_printed(
		peer.bind.bind(0, "fe80::1%nowhere"),
		ERR_INVALID_PARAMETER,
		['"nowhere"', "IP.get_local_interfaces()"],
		func() -> bool: return true
	)
	_printed(
		peer.send_to.bind(numbered(1), "ff02::1%nowhere", 9),
		ERR_INVALID_PARAMETER,
		['"nowhere"', "IP.get_local_interfaces()"],
		sent_with_interface
	)
	peer.close()
	var with_interface := func() -> bool:
		peer.bind(0, "fe80::1%" + loopback_interface())
		return not "needs the interface" in peer.get_last_error_message()
	_printed(
		peer.bind.bind(0, "fe80::1"),
		ERR_UNAVAILABLE,
		["needs the interface", "fe80::1%"],
		with_interface
	)


func test_connecting() -> void:
	var port := taken_port(NATIVE)
	for wrong: int in [0, -1, 70_000]:
		_printed(
			_fresh().connect_to_host.bind(LOOPBACK, wrong),
			ERR_INVALID_PARAMETER,
			[str(wrong), "1 to 65535"],
			_is(_fresh().connect_to_host.bind(LOOPBACK, port), OK)
		)
	for wrong: String in ["", "two words"]:
		_printed(
			_fresh().connect_to_host.bind(wrong, port),
			ERR_INVALID_PARAMETER,
			['"%s"' % wrong, "an IP address", "a host name"],
			_is(_fresh().connect_to_host.bind("localhost", port), OK)
		)
	_printed(
		_fresh().connect_to_host.bind(UNRESOLVABLE, port),
		ERR_CANT_RESOLVE,
		[UNRESOLVABLE, "Check the name", "numeric address"],
		_is(_fresh().connect_to_host.bind(LOOPBACK, port), OK)
	)


func test_connecting_to_the_other_family() -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(OURS)
	_printed(
		peer.connect_to_host.bind(LOOPBACK_6, 9),
		FAILED,
		["other address family", "closed now", '"*"', "IPv4 and IPv6"],
		func() -> bool: return peer.bind(0, "*") == OK and peer.connect_to_host(LOOPBACK_6, 9) == OK
	)


func test_connecting_to_a_broadcast_address() -> void:
	if not needs(&"guarded connecting"):
		return
	var peer := make_peer(OURS)
	_printed(
		peer.connect_to_host.bind("127.255.255.255", 9),
		FAILED,
		["set_broadcast_enabled(true)", "closed now"],
		func() -> bool:
			peer.set_broadcast_enabled(true)
			return peer.connect_to_host("127.255.255.255", 9) == OK
	)


func test_reaching_other_hosts_from_a_loopback_address() -> void:
	if not needs(&"loopback routes"):
		return
	# Nothing is sent: connecting looks for a route only.
	allow_lines("Unable to connect")
	if make_peer(NATIVE).connect_to_host("192.0.2.1", 9) != OK:
		skip("this machine has no route to other hosts")
		return
	var peer := bound_peer(OURS)
	_printed(
		peer.connect_to_host.bind("192.0.2.1", 9),
		FAILED,
		["bound to", "this machine only", 'bind it to "*"'],
		func() -> bool:
			check_equal(peer.bind(0, "*"), OK, "bind")
			var connected: bool = peer.connect_to_host("192.0.2.1", 9) == OK
			return connected or "no route" in peer.get_last_error_message()
	)


func test_the_destination() -> void:
	var receiving := bound_peer(OURS)
	var port: int = receiving.get_local_port()
	var peer := connected_to(receiving, OURS)
	_printed(
		peer.set_dest_address.bind(LOOPBACK, 9),
		OK,
		["connected", "close()", "connect_to_host()"],
		_is(peer.connect_to_host.bind(LOOPBACK, port), OK)
	)
	var without := make_peer(OURS)
	for method: String in ["put_packet", "put_packets", "put_segmented"]:
		var arguments: Array = {
			"put_packet": [numbered(1)],
			"put_packets": [[numbered(1)]],
			"put_segmented": [numbered(1), 100],
		}[method]
		var expected: int = ERR_UNCONFIGURED if method == "put_packet" else -1
		_printed(
			without.callv.bind(method, arguments),
			expected,
			[method, "set_dest_address()", "connect_to_host()"],
			func() -> bool:
				var other := sender_to(receiving, OURS)
				return other.callv(method, arguments) == (OK if expected > 0 else 1)
		)


func test_the_destination_of_the_other_family() -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(OURS)
	check_equal(peer.set_dest_address(LOOPBACK_6, 9), OK, "set_dest_address")
	var words := ["other address family", "close()", '"*"']
	_printed(peer.put_packet.bind(numbered(1)), FAILED, words, _closed_then_sends(peer, ""))
	check_equal(peer.set_dest_address(LOOPBACK, 9), OK, "set_dest_address")
	_printed(peer.put_packet.bind(numbered(1)), FAILED, words, _closed_then_sends(peer, "*"))
	check_equal(peer.set_dest_address(LOOPBACK_6, 9), OK, "set_dest_address")
	check_equal(peer.put_packet(numbered(1)), OK, "the other family, bound to *")


func test_packets_that_are_too_large() -> void:
	var receiving := bound_peer(OURS)
	var peer := sender_to(receiving, OURS)
	_noted(
		peer,
		peer.put_packet.bind(numbered(1, 70_000)),
		FAILED,
		["65,507 bytes over IPv4", "65,527 over IPv6"],
		_is(peer.put_packet.bind(numbered(1, 65_507)), OK)
	)
	# As scripts count: the first packet is packets[0].
	var packets := [numbered(0), numbered(1), numbered(2, 70_000), numbered(3)]
	_noted(
		peer,
		peer.put_packets.bind(packets),
		2,
		["index 2 of 4", "65,507 bytes over IPv4"],
		_is(peer.put_packets.bind([packets[3]]), 1)
	)


func test_port_0_as_destination() -> void:
	if not needs(&"refused port 0"):
		return
	var receiving := bound_peer(OURS)
	var peer := make_peer(OURS)
	check_equal(peer.set_dest_address(LOOPBACK, 0), OK, "set_dest_address")
	_noted(
		peer,
		peer.put_packet.bind(numbered(1)),
		FAILED,
		["port 0", "1 to 65535"],
		func() -> bool: return sender_to(receiving, OURS).put_packet(numbered(1)) == OK
	)
	# The destination says OK, as native's does. What is printed comes when sending fails.
	var cases: Array[Array] = [
		["put_packet", [numbered(1)], FAILED],
		["put_packets", [[numbered(1)]], 0],
		["put_segmented", [numbered(1), 10], 0],
	]
	for row in cases:
		for set_dest: String in ["set_dest_address", "set_dest_address_async"]:
			var other := make_peer(OURS)
			check_equal(other.call(set_dest, LOOPBACK, 65_536), OK, set_dest)
			_printed(
				other.callv.bind(row[0], row[1]),
				row[2],
				[row[0], "65536", "lower 16 bits count: 0", "1 to 65535"],
				func() -> bool:
					other.set_dest_address(LOOPBACK, receiving.get_local_port())
					return other.callv(row[0], row[1]) == OK or row[2] == 0
			)


func test_a_port_that_there_is_not_as_destination() -> void:
	for port: int in [-1, 70_000]:
		var other := make_peer(OURS)
		check_equal(other.set_dest_address(LOOPBACK, port), OK, "set_dest_address")
		_printed(
			other.put_packet.bind(numbered(1, 70_000)),
			FAILED,
			[str(port), "16 bits count: %d" % (port & 0xffff), "1 to 65535", "65,507"],
			func() -> bool: return true
		)


func test_sending_to_broadcast_addresses() -> void:
	if not needs(&"loopback broadcasts"):
		return
	var peer := make_peer(OURS)
	check_equal(peer.set_dest_address("255.255.255.255", 9), OK, "set_dest_address")
	_noted(
		peer,
		peer.put_packet.bind(numbered(1)),
		FAILED,
		["set_broadcast_enabled(true)", "put_packet_broadcast()"],
		func() -> bool:
			var directed := make_peer(OURS)
			directed.set_broadcast_enabled(true)
			# Whether there is a network to send it to depends on the machine.
			return (
				directed.put_packet_broadcast(numbered(1), 9)
				== directed.get_broadcast_addresses().size()
			)
	)
	var directed := make_peer(OURS)
	_noted(
		directed,
		directed.send_to.bind(numbered(1), "127.255.255.255", 9),
		FAILED,
		["set_broadcast_enabled(true)"],
		func() -> bool:
			directed.set_broadcast_enabled(true)
			return directed.send_to(numbered(1), "127.255.255.255", 9) == OK
	)
	var other := make_peer(OURS)
	_printed(
		other.put_packet_broadcast.bind(numbered(1), 9),
		-1,
		["put_packet_broadcast", "set_broadcast_enabled(true)"],
		func() -> bool:
			other.set_broadcast_enabled(true)
			return other.put_packet_broadcast(numbered(1), 9) >= 0
	)


func test_send_to() -> void:
	var receiving := bound_peer(OURS)
	var port: int = receiving.get_local_port()
	var sends := func() -> bool: return _fresh().send_to(numbered(1), LOOPBACK, port) == OK
	_printed(
		_fresh().send_to.bind(numbered(1), "localhost", port),
		ERR_INVALID_PARAMETER,
		['"localhost"', "numeric IP address", "set_dest_address_async()"],
		sends
	)
	_printed(
		_fresh().send_to.bind(numbered(1), LOOPBACK, 70_000),
		ERR_INVALID_PARAMETER,
		["70000", "1 to 65535"],
		sends
	)
	var connected := connected_to(receiving, OURS)
	_printed(
		connected.send_to.bind(numbered(1), LOOPBACK, port),
		ERR_LOCKED,
		["connected", "close()", "put_packet()"],
		func() -> bool:
			var sent: bool = connected.put_packet(numbered(1)) == OK
			connected.close()
			return sent and connected.send_to(numbered(1), LOOPBACK, port) == OK
	)


func test_batches() -> void:
	var receiving := bound_peer(OURS)
	var peer := sender_to(receiving, OURS)
	_printed(
		peer.put_packets.bind([numbered(0), "text"]),
		-1,
		["packets[1]", "PackedByteArray", "STRING", "nothing was sent"],
		_is(peer.put_packets.bind([numbered(0), bytes("text")]), 2)
	)
	for size: int in [0, -1, 65_508]:
		var sender := sender_to(receiving, OURS)
		_printed(
			sender.put_segmented.bind(numbered(0), size),
			-1,
			["segment_size", str(size), "1 to 65507"],
			_is(sender.put_segmented.bind(numbered(0), 65_507), 1)
		)
	_printed(
		receiving.get_packets.bind(-2),
		[] as Array[PackedByteArray],
		["max_packets", "-2", "-1"],
		func() -> bool: return arrived(receiving) and not receiving.get_packets(-1).is_empty()
	)


func test_a_peer_that_is_not_open() -> void:
	var cases: Array[Array] = [
		["poll", [], FAILED],
		["get_packets", [], [] as Array[PackedByteArray]],
		["get_packets_joined", [], PackedByteArray()],
		["get_local_port", [], 0],
		["wait", [0], ERR_UNCONFIGURED],
		["leave_multicast_group", [GROUP, loopback_interface()], ERR_UNCONFIGURED],
	]
	for row in cases:
		var peer := make_peer(OURS)
		_printed(
			peer.callv.bind(row[0], row[1]),
			row[2],
			[row[0], "not open", "bind()"],
			func() -> bool:
				check_equal(peer.bind(0, LOOPBACK), OK, "bind")
				# What it then answers is the subject of other suites.
				allow_lines("leave_multicast_group")
				return peer.is_bound()
		)


func test_waiting() -> void:
	var peer := bound_peer(OURS)
	_printed(
		peer.wait.bind(-2),
		ERR_INVALID_PARAMETER,
		["timeout_msec", "-2", "-1"],
		_is(peer.wait.bind(0), ERR_TIMEOUT)
	)


func test_groups() -> void:
	var interface := loopback_interface()
	var peer := make_peer(OURS)
	var join: Callable = peer.join_multicast_group
	var leave: Callable = peer.leave_multicast_group
	_printed(
		join.bind("group", interface),
		ERR_INVALID_PARAMETER,
		['"group"', "numeric IP address"],
		_is(join.bind(GROUP, interface), OK)
	)
	_printed(
		join.bind(GROUP, interface),
		FAILED,
		[GROUP, "has been joined on this interface already"],
		func() -> bool:
			return leave.call(GROUP, interface) == OK and join.call(GROUP, interface) == OK
	)
	_printed(
		join.bind(LOOPBACK, interface),
		FAILED,
		[LOOPBACK, "no multicast address", "224.0.0.0 to 239.255.255.255"],
		func() -> bool:
			return (
				join.call("224.0.0.9", interface) == OK
				and join.call("239.255.255.255", interface) == OK
			)
	)
	_printed(
		leave.bind("239.255.77.10", interface),
		FAILED,
		["239.255.77.10", "only a group that was joined"],
		_is(leave.bind(GROUP, interface), OK)
	)
	_printed(
		join.bind(GROUP, "no-such-interface"),
		ERR_INVALID_PARAMETER,
		['"no-such-interface"', "IP.get_local_interfaces()"],
		_is(join.bind(GROUP, interface), OK)
	)


func test_a_group_without_an_interface() -> void:
	var peer := make_peer(OURS)
	var results := []
	var lines := lines_of(func() -> void: results.append(peer.join_multicast_group(GROUP, "")))
	if results[0] == OK:
		skip("this machine has a route for multicast")
		return
	for word: String in [GROUP, "name one", "IP.get_local_interfaces()"]:
		check(word in "; ".join(lines), "'%s' is not in: %s" % [word, "; ".join(lines)])
	check_equal(
		peer.join_multicast_group(GROUP, loopback_interface()), OK, "with the interface's name"
	)


func test_groups_of_the_other_family() -> void:
	if not needs_ipv6():
		return
	var peer := bound_peer(OURS)
	var join: Callable = peer.join_multicast_group
	_printed(
		join.bind(GROUP_6, loopback_interface()),
		ERR_INVALID_PARAMETER,
		["other address family", "close()", '"*"'],
		func() -> bool:
			peer.close()
			return join.call(GROUP_6, loopback_interface()) == OK
	)


func test_more_groups_than_a_socket_may_join() -> void:
	if not needs(&"group limits"):
		return
	for row: Array in [
		["239.%d.%d.%d", "igmp_max_memberships", 300], ["ff15::%x:%x:%x", "optmem_max", 20_000]
	]:
		if row[1] == "optmem_max" and not has_ipv6():
			continue
		var peer := make_peer(OURS)
		var group := func(i: int) -> String: return row[0] % [i >> 16, (i >> 8) & 0xff, i & 0xff]
		var results := [OK]
		var lines := lines_of(
			func() -> void:
				var i := 0
				while results[-1] == OK and i < row[2]:
					i += 1
					results.append(peer.join_multicast_group(group.call(i), loopback_interface()))
		)
		if results[-1] == OK:
			note("this machine lets a socket join %d groups" % row[2])
			continue
		check_equal(results[-1], FAILED, "the group after %d" % (results.size() - 2))
		for word: String in ["too many groups on one socket", "leave some", "another peer", row[1]]:
			check(word in "; ".join(lines), "'%s' is not in: %s" % [word, "; ".join(lines)])
		var last: String = group.call(results.size() - 1)
		var other := make_peer(OURS)
		check_equal(other.join_multicast_group(last, loopback_interface()), OK, "another peer")
		check_equal(
			peer.leave_multicast_group(group.call(1), loopback_interface()), OK, "leave one"
		)
		check_equal(peer.join_multicast_group(last, loopback_interface()), OK, "then join")


func test_properties_out_of_range() -> void:
	var server: RefCounted = ClassDB.instantiate("UdpServerRs")
	var proxy: RefCounted = ClassDB.instantiate("UdpLinkProxy")
	var conditions: Resource = ClassDB.instantiate("UdpLinkConditions")
	var cases: Array[Array] = [
		[make_peer(OURS), "time_to_live", 256, "1 to 255", 255],
		[make_peer(OURS), "traffic_class", -1, "0 to 255", 255],
		[make_peer(OURS), "multicast_time_to_live", 256, "0 to 255", 255],
		[make_peer(OURS), "receive_buffer_size", -1, "1 to 2147483647", 100_000],
		[make_peer(OURS), "send_buffer_size", 1 << 31, "1 to 2147483647", 100_000],
		[make_peer(OURS), "overflow_policy", 2, "DROP_OLDEST (1)", 1],
		[server, "max_pending_connections", -1, "0 to 4294967295", 0],
		[server, "peer_timeout_msec", 1 << 32, "0 to 4294967295", 0],
		[server, "time_to_live", -1, "1 to 255", 1],
		[proxy, "client_timeout_msec", -1, "1 to 4294967295 milliseconds, or 0 for never", 0],
		[proxy, "max_clients", 1 << 32, "0 to 4294967295; with 0 no client is let in", 0],
		[conditions, "loss", 1.5, "0 to 1, the share of all packets", 1.0],
		[conditions, "loss_burst", 0.5, "1 to 4294967295", 1.0],
		[conditions, "latency_msec", -1.0, "0 to 4294967295 milliseconds", 0.0],
		[conditions, "jitter_distribution", 3, "JITTER_LONG_TAIL (2)", 2],
		[conditions, "bandwidth_kbps", -1, "1 to 4294967295, or 0 for no limit", 0],
		[conditions, "max_packet_size", 65_536, "1 to 65535 bytes, or 0 for no limit", 65_535],
	]
	for row in cases:
		var set_it := func(value: Variant) -> bool:
			row[0].set(row[1], value)
			return row[0].get(row[1]) == value
		_printed(set_it.bind(row[2]), false, [row[1], str(row[2]), row[3]], set_it.bind(row[4]))


func test_a_multicast_interface_that_there_is_not() -> void:
	var peer := make_peer(OURS)
	var set_it := func(name: String) -> bool:
		peer.multicast_interface = name
		return peer.multicast_interface == name
	_printed(
		set_it.bind("no-such-interface"),
		false,
		["multicast_interface", '"no-such-interface"', "IP.get_local_interfaces()"],
		set_it.bind(loopback_interface())
	)


func test_listening() -> void:
	var server: RefCounted = ClassDB.instantiate("UdpServerRs")
	_printed(server.get_local_port, 0, ["not listen", "listen()"], _is(server.listen.bind(0), OK))
	var port: int = server.get_local_port()
	_printed(
		server.listen.bind(0),
		ERR_ALREADY_IN_USE,
		[str(port), "stop()"],
		func() -> bool:
			server.stop()
			return server.listen(0) == OK
	)
	server.stop()
	_printed(
		server.listen.bind(0, "localhost"),
		ERR_INVALID_PARAMETER,
		['"localhost"', '"*"'],
		_is(server.listen.bind(0, "*"), OK)
	)
	server.stop()
	_printed(
		server.listen.bind(65_536, LOOPBACK),
		OK,
		["65536", "lower 16 bits count", "1 to 65535"],
		func() -> bool:
			server.stop()
			return server.listen(0, LOOPBACK) == OK
	)
	var alone: RefCounted = ClassDB.instantiate("UdpServerRs")
	alone.reuse_address = false
	_noted(
		alone,
		alone.listen.bind(server.get_local_port(), LOOPBACK),
		ERR_UNAVAILABLE,
		["another socket has this port", "or 0"],
		_is(alone.listen.bind(0, LOOPBACK), OK)
	)


func test_starting_a_proxy() -> void:
	var proxy := _fresh_proxy()
	_printed(
		proxy.get_local_port, 0, ["does not run", "start()"], _is(proxy.start.bind(LOOPBACK, 9), OK)
	)
	_printed(
		proxy.start.bind(LOOPBACK, 9),
		ERR_ALREADY_IN_USE,
		["already runs", str(proxy.get_local_port()), "stop()"],
		func() -> bool:
			proxy.stop()
			return proxy.start(LOOPBACK, 9) == OK
	)
	var other := free_port()
	var cases: Array[Array] = [
		[[LOOPBACK, 0], ERR_INVALID_PARAMETER, ["target_port 0", "1 to 65535"], [LOOPBACK, 1]],
		[
			[LOOPBACK, 9, 70_000],
			ERR_INVALID_PARAMETER,
			["listen_port 70000", "1 to 65535, or 0 for one that the system chooses"],
			[LOOPBACK, 9, 0],
		],
		[
			[LOOPBACK, 9, 0, "localhost"],
			ERR_INVALID_PARAMETER,
			['"localhost"', '"*"', "the address of one"],
			[LOOPBACK, 9, 0, "*"],
		],
		[
			["two words", 9],
			ERR_CANT_RESOLVE,
			['"two words"', "an IP address", "a host name"],
			["localhost", 9],
		],
		[
			[UNRESOLVABLE, 9],
			ERR_CANT_RESOLVE,
			[UNRESOLVABLE, "Check the name", "numeric address"],
			[LOOPBACK, 9],
		],
		[
			[LOOPBACK, 9, proxy.get_local_port()],
			ERR_UNAVAILABLE,
			["another socket has this port", "or 0 for any that is free"],
			[LOOPBACK, 9, 0],
		],
		[
			[LOOPBACK, 9, 0, "192.0.2.1"],
			ERR_UNAVAILABLE,
			["no interface has this address", "IP.get_local_addresses()", '"*"'],
			[LOOPBACK, 9, 0, "*"],
		],
		[
			[free_address, other, other, free_address],
			ERR_UNAVAILABLE,
			["the target has this port", "choose another one"],
			[free_address, other, 0, free_address],
		],
	]
	for row in cases:
		_printed(
			_fresh_proxy().start.bindv(row[0]),
			row[1],
			["UdpLinkProxy.start()"] + row[2],
			_is(_fresh_proxy().start.bindv(row[3]), OK)
		)


func test_what_a_peer_of_a_server_refuses() -> void:
	var server: RefCounted = ClassDB.instantiate("UdpServerRs")
	check_equal(server.listen(0, LOOPBACK), OK, "listen")
	send(sender_to(server), [numbered(1)])
	wait_until(func() -> bool: return server.poll() == OK and server.is_connection_available())
	var peer: PacketPeer = server.take_connection()
	var calls: Array[Array] = [
		["bind", [0, LOOPBACK], ERR_ALREADY_IN_USE],
		["connect_to_host", [LOOPBACK, 9], ERR_LOCKED],
		["join_multicast_group", [GROUP, loopback_interface()], ERR_LOCKED],
		["send_to", [numbered(1), LOOPBACK, 9], ERR_LOCKED],
	]
	for row in calls:
		_printed(
			peer.callv.bind(row[0], row[1]),
			row[2],
			["belongs to a server", "another PacketPeerUdpRs"],
			_is(_fresh().callv.bind(row[0], row[1]), OK)
		)
	# An option is to be set on the server, if servers have it.
	for property in ClassDB.class_get_property_list(OURS, true):
		var name: String = property.name
		if name in ["overflow_policy", ""] or property.usage & PROPERTY_USAGE_GROUP:
			continue
		# These cannot be set on a server that listens.
		var refused_by_system: bool = (
			(name == "reuse_port" and not Platform.has(&"reuse_port"))
			or (name == "reuse_address" and not Platform.has(&"late reuse_address"))
		)
		if refused_by_system:
			continue
		var value: Variant = 2
		match property.type:
			TYPE_BOOL:
				value = not peer.get(name)
			TYPE_STRING:
				value = LOOPBACK if "address" in name else loopback_interface()
			TYPE_OBJECT:
				continue  # no option
		var set_it := func() -> bool:
			peer.set(name, value)
			return peer.get(name) == value
		if name in server:
			var set_on_server := func() -> bool:
				server.set(name, value)
				return server.get(name) == value or name.ends_with("buffer_size")
			_printed(set_it, false, [name, "belongs to a server", "on the server"], set_on_server)
		else:
			var set_on_another := func() -> bool:
				var other := make_peer(OURS)
				other.set(name, value)
				return other.get(name) == value
			_printed(set_it, false, [name, "servers have no", "another Packet"], set_on_another)


func test_a_queue_that_drops_says_so_once_per_open() -> void:
	var peer := receiver(true)
	for opened in 2:
		await _check_drop_notice(
			peer, sender_to(peer), 131_071, "or set queue_size to more", func() -> void: pass
		)
		peer.close()
		peer.reset_stats()
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		OS.delay_msec(1100)  # a property prints at most one line a second


func test_a_queue_of_a_server_that_drops_names_the_server() -> void:
	for background: bool in [false, true]:
		var server: RefCounted = ClassDB.instantiate("UdpServerRs")
		server.background_receive = background
		check_equal(server.listen(0, LOOPBACK), OK, "listen")
		var client := sender_to(server)
		send(client, [numbered(0)])
		wait_until(func() -> bool: return server.poll() == OK and server.is_connection_available())
		var peer: PacketPeer = server.take_connection()
		await _check_drop_notice(
			peer, client, 65_535, "or set the server's queue_size to more", server.poll
		)


# Fills the queue of [param peer] until it drops. Then one line has the limit and the remedies.
func _check_drop_notice(
	peer: PacketPeer, sender: PacketPeer, limit: int, remedy: String, read: Callable
) -> void:
	_unclaimed_lines.append_array(_error_log.take_lines())
	for again in 2:
		var before := stat(peer, "packets_dropped_queue")
		var drops := func() -> bool:
			for i in 10:
				sender.put_packet(numbered(i, 1000))
			read.call()
			OS.delay_msec(1)
			return stat(peer, "packets_dropped_queue") > before
		check(wait_until(drops), "nothing was dropped")
		await Frames.wait(3)
		var lines := _error_log.take_lines()
		expected_line_count += lines.size()
		if again:
			check_equal(lines, PackedStringArray(), "lines of a queue that goes on dropping")
			return
		check_equal(lines.size(), 1, "lines: " + "; ".join(lines))
		var words := ["queue of %d bytes" % limit, "once a frame", "background_receive", remedy]
		_check_words("a full queue", "; ".join(lines), words)


func test_a_system_without_descriptors() -> void:
	if not needs(&"descriptor limit"):
		return
	var engine := OS.get_environment("GODOT")
	if engine.is_empty():
		engine = OS.get_executable_path()
	var output := []
	var command := (
		"ulimit -n 256 && exec '%s' --headless --path '%s' -s res://tests/support/%s"
		% [engine, ProjectSettings.globalize_path("res://"), "descriptor_probe.gd"]
	)
	check_equal(OS.execute("sh", ["-c", command], output, true), 0, "the probe's exit code")
	for line: String in output[0].split("\n"):
		if line.begins_with("probe: "):
			check(line.begins_with("probe: ok "), line)
	check("probe: ok last" in output[0], "the probe did not end: " + output[0].right(2000))


# ---- what a row of the table does ---------------------------------------------------------------


# Calls [param act], which must answer [param expected] and print one line that has [param words].
# Then [param remedy] must be true, and print nothing.
func _printed(act: Callable, expected: Variant, words: Array, remedy: Callable) -> void:
	var got := []
	var lines := lines_of(func() -> void: got.append(act.call()))
	var what := str(act)
	check(same(got[0], expected), "%s: got %s, not %s" % [what, written(got[0]), written(expected)])
	check_equal(lines.size(), 1, "%s: lines (%s)" % [what, "; ".join(lines)])
	_check_words(what, "; ".join(lines), words)
	_check_remedy(what, "; ".join(lines), remedy)


# The same, where nothing is printed, as native prints nothing: get_last_error_message() has the
# words.
func _noted(
	peer: RefCounted, act: Callable, expected: Variant, words: Array, remedy: Callable
) -> void:
	var got := []
	var lines := lines_of(func() -> void: got.append(act.call()))
	var what := str(act)
	check(same(got[0], expected), "%s: got %s, not %s" % [what, written(got[0]), written(expected)])
	check_equal(lines, PackedStringArray(), what + ": lines")
	_check_words(what, peer.get_last_error_message(), words)
	_check_remedy(what, peer.get_last_error_message(), remedy)


func _check_words(what: String, text: String, words: Array) -> void:
	for word: String in words:
		check(word in text, "%s: '%s' is not in: %s" % [what, word, text])


func _check_remedy(what: String, text: String, remedy: Callable) -> void:
	var cured := []
	var lines := lines_of(func() -> void: cured.append(remedy.call()))
	check_equal(cured, [true], '%s: the remedy of "%s"' % [what, text])
	check_equal(lines, PackedStringArray(), '%s: lines with the remedy of "%s"' % [what, text])


# A peer that stays until the test ends: a Callable does not keep it.
func _fresh() -> PacketPeer:
	_kept.append(make_peer(OURS))
	return _kept[-1]


func _fresh_proxy() -> RefCounted:
	_proxies.append(ClassDB.instantiate("UdpLinkProxy"))
	return _proxies[-1]


static func _is(act: Callable, expected: Variant) -> Callable:
	return func() -> bool: return act.call() == expected


func _opens(address: String, port: int) -> Callable:
	return func() -> bool: return make_peer(OURS).bind(port, address) == OK


static func _closed_then(peer: PacketPeer) -> Callable:
	return func() -> bool:
		peer.close()
		return peer.bind(0, LOOPBACK) == OK


static func _closed_then_sends(peer: PacketPeer, address: String) -> Callable:
	return func() -> bool:
		peer.close()
		var opened: bool = address.is_empty() or peer.bind(0, address) == OK
		return opened and peer.put_packet(numbered(1)) == OK
