extends "../support/receiving.gd"
## time_to_live and traffic_class as a receiver sees them, for each way of sending and kind of peer.

const Observer := preload("../support/observer.gd")
const WAYS: Array[String] = ["put_packet", "put_packets", "put_segmented", "send_to"]
## Rows of [address to bind to, or "" to open by sending; destination].
const ROUTES: Array[Array] = [
	["", LOOPBACK],
	["0.0.0.0", LOOPBACK],
	["*", LOOPBACK],
	["", LOOPBACK_6],
	["::", LOOPBACK_6],
	["*", LOOPBACK_6],
]

var _observer := Observer.new()


func finish() -> void:
	_observer.stop()
	super()


func test_a_receiver_sees_them_however_a_packet_is_sent() -> void:
	if not _observer.start_for(self):
		return
	for route in _routes():
		for way in WAYS:
			var peer := _peer_on(route)
			peer.time_to_live = 7
			peer.traffic_class = 184
			_check_arrival(peer, route, way, 7, 184)


func test_a_connected_peer_has_them_too() -> void:
	if not _observer.start_for(self):
		return
	for route in _routes():
		for opened_by: String in ["connect_to_host", "connect_to_host_async"]:
			var peer := _peer_on(route)
			peer.time_to_live = 9
			peer.traffic_class = 40
			check_equal(peer.call(opened_by, route[1], _port_of(route)), OK, opened_by)
			for way: String in WAYS.slice(0, 3):
				_check_arrival(peer, route, way, 9, 40)


func test_the_ends_of_their_ranges_arrive() -> void:
	if not _observer.start_for(self):
		return
	for route in _routes():
		var peer := _peer_on(route)
		for row: Array in [[1, 255], [255, 1], [128, 252]]:
			peer.time_to_live = row[0]
			peer.traffic_class = row[1]
			_check_arrival(peer, route, "put_packet", row[0], row[1])


func test_they_can_be_changed_while_open_and_0_is_what_was() -> void:
	if not _observer.start_for(self):
		return
	for route in _routes():
		var peer := _peer_on(route)
		var usual := _arrival(peer, route, "put_packet")
		check(usual.get("hops", 0) > 1, "the system's hop limit is %s" % usual.get("hops"))
		check_equal(int(usual.get("traffic_class", -1)), 0, "the system's traffic class")
		for i in 2:
			peer.time_to_live = 3
			peer.traffic_class = 8
			_check_arrival(peer, route, "send_to", 3, 8)
			peer.time_to_live = 0
			peer.traffic_class = 0
			_check_arrival(peer, route, "put_packets", int(usual.hops), 0)


func test_they_are_applied_again_when_the_peer_is_opened_again() -> void:
	if not _observer.start_for(self):
		return
	for route in _routes():
		var peer := _peer_on(route)
		peer.time_to_live = 5
		peer.traffic_class = 16
		for i in 2:
			_check_arrival(peer, route, "put_packet", 5, 16)
			peer.close()
		peer.time_to_live = 0
		check(int(_arrival(peer, route, "put_packet").get("hops", 0)) > 5, "the system's again")


func test_a_refused_value_changes_nothing_that_is_sent() -> void:
	if not _observer.start_for(self):
		return
	var route := ROUTES[0]
	var peer := _peer_on(route)
	peer.time_to_live = 6
	peer.traffic_class = 32
	_check_arrival(peer, route, "put_packet", 6, 32)
	refused_value(peer, &"time_to_live", 256)
	refused_value(peer, &"traffic_class", -1)
	_check_arrival(peer, route, "put_packet", 6, 32)


func test_multicasts_have_a_hop_limit_of_their_own() -> void:
	if not _observer.start_for(self):
		return
	for row: Array in [
		["", Observer.GROUP, _observer.ipv4_port],
		["", Observer.GROUP_6, _observer.ipv6_port],
		["*", Observer.GROUP, _observer.ipv4_port],
		["*", Observer.GROUP_6, _observer.ipv6_port],
	]:
		if row[2] == 0:
			continue
		var route := [row[0], row[1]]
		var peer := _peer_on(route)
		peer.multicast_interface = loopback_interface()
		if _is_unreachable(peer, route):
			note("the loopback interface takes no multicasts of " + row[1])
			continue
		peer.time_to_live = 77
		peer.traffic_class = 24
		_check_arrival(peer, route, "put_packet", 1, 24)
		for hops: int in [5, 255, 0, 1]:
			peer.multicast_time_to_live = hops
			var arrival := _check_arrival(peer, route, "send_to", hops, 24)
			check_equal(arrival.get("interface"), loopback_interface(), "the interface")
			peer.close()
			_check_arrival(peer, route, "put_packets", hops, 24)


func _routes() -> Array[Array]:
	return ROUTES.filter(func(route: Array) -> bool: return _port_of(route) != 0)


func _port_of(route: Array) -> int:
	return _observer.ipv6_port if ":" in route[1] else _observer.ipv4_port


func _peer_on(route: Array) -> PacketPeer:
	var peer := make_peer(OURS)
	if not route[0].is_empty():
		check_equal(peer.bind(0, route[0]), OK, "bind to " + route[0])
	return peer


# Many systems have no route for IPv6 multicast on the loopback interface.
func _is_unreachable(peer: PacketPeer, route: Array) -> bool:
	allow_lines("send_to")
	var is_sent: bool = peer.send_to(numbered(1), route[1], _port_of(route)) == OK
	return not (is_sent and _observer.report()) and ":" in route[1]


# Sends by [param way]; the observer must report the same for each packet.
func _arrival(peer: PacketPeer, route: Array, way: String) -> Dictionary:
	if not peer.is_socket_connected():
		check_equal(peer.set_dest_address(route[1], _port_of(route)), OK, "dest " + route[1])
	var count := 1
	match way:
		"put_packet":
			check_equal(peer.put_packet(numbered(1)), OK, way)
		"put_packets":
			count = 3
			check_equal(peer.put_packets([numbered(1), numbered(2), numbered(3, 30)]), 3, way)
		"put_segmented":
			count = 4
			check_equal(peer.put_segmented(numbered(1, 100), 30), 4, way)
		"send_to":
			check_equal(peer.send_to(numbered(1), route[1], _port_of(route)), OK, way)
	var reports: Array[Dictionary] = []
	for i in count:
		var report := _observer.report()
		check(not report.is_empty(), "%s by %s: packet %d did not arrive" % [route, way, i])
		reports.append(report)
	for report in reports:
		for key: String in ["hops", "traffic_class", "interface"]:
			check_equal(report.get(key), reports[0].get(key), "%s by %s: %s" % [route, way, key])
	return reports[0]


func _check_arrival(
	peer: PacketPeer, route: Array, way: String, hops: int, traffic_class: int
) -> Dictionary:
	var arrival := _arrival(peer, route, way)
	var what := "from '%s' to %s by %s: " % [route[0], route[1], way]
	check_equal(int(arrival.get("hops", -1)), hops, what + "hops")
	check_equal(int(arrival.get("traffic_class", -1)), traffic_class, what + "traffic_class")
	return arrival
