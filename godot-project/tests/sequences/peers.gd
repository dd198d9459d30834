extends "sequence.gd"
## Sequences of a peer's calls. Each kind has a peer, and three of the engine's at the other end.
## What both answer has to be the same, except for two defects of the engine, which
## [method _taken] and [method _connect_to_host] describe. No sequence meets these others:
## [br]- a wait of the engine's has no limit, and sees only what was not read: so both wait only
##   where such a packet is there;
## [br]- a peer of the engine's that connects receives from anybody what the system holds at that
##   moment: so both read before they connect;
## [br]- a connected peer of the engine's that connects to the other address family fails, or
##   receives nothing: so none does;
## [br]- a ring of less than 64 KiB holds less: none is asked for, and less is sent.

const FARS := 3
const FAR_6 := 2
const NO_FAR := -1
const VARIANTS: Array = [null, true, 7, "text", Vector2(1, 2), [1, "two"], {"a": 1}]

var _sides: Array[End] = []
# The address families of the open socket, and which far peer it is connected to.
var _families := ""
var _connected := NO_FAR
# The far peer that is the destination, if one is.
var _destination := NO_FAR
# How many packets the system holds that were not read.
var _unread := 0
var _is_open := false


## A peer of one kind, and what it is supposed to have.
class End:
	var is_native := false
	var peer: PacketPeer
	var fars: Array[PacketPeerUDP] = []
	## The packets that can be taken, each [payload, address, far peer]. After close() the engine
	## has its packets still and does not count them; and it counts what connect_to_host() drops.
	var queue: Array[Array] = []
	var count := 0
	var last_ip := ""
	var last_port := 0
	var last_error: Error = OK

	func local_port() -> int:
		return peer.get_local_port()


func draw() -> Array[Array]:
	var calls: Array[Array] = []
	if rng.randf() < 0.8:
		calls.append(["bind", LOOPBACK if rng.randf() < 0.5 else "*", 65536])
	if rng.randf() < 0.5:
		calls.append(["set_dest_address", rng.randi_range(0, FARS - 1)])
	for i in rng.randi_range(1, 30):
		calls.append(_draw_call())
	return calls


func _draw_call() -> Array:
	var weights := {"arrive": 10, "get_packet": 8, "get_available_packet_count": 3, "get_var": 2}
	weights.merge({"wait": 2, "put_packet": 5, "put_var": 2, "bind": 4, "close": 1})
	weights.merge({"connect_to_host": 3, "set_dest_address": 3, "set_broadcast_enabled": 1})
	weights.merge({"join_multicast_group": 1, "leave_multicast_group": 1})
	var name: String = pick(weights)
	var call: Array = [name]
	match name:
		"arrive":
			call = [name, rng.randi_range(0, FARS - 1), draw_lengths(5), rng.randf() < 0.3]
		"bind":
			var addresses := {LOOPBACK: 4, "*": 4, "::1": 2, "0.0.0.0": 1, "taken": 1}
			addresses.merge({"": 1, "localhost": 1, "1.2.3": 1, "192.0.2.1": 1})
			call = [name, pick(addresses), 65536 if rng.randf() < 0.7 else 200_000]
		"connect_to_host", "set_dest_address":
			# -1 is port 0 of the first one.
			call = [name, "" if rng.randf() < 0.1 else rng.randi_range(-1, FARS - 1)]
		"put_packet":
			call = [name, 65_528 if rng.randf() < 0.05 else draw_lengths(1)[0] - 1]
		"put_var":
			call = [name, VARIANTS[rng.randi() % VARIANTS.size()]]
		"set_broadcast_enabled":
			call = [name, rng.randf() < 0.5]
		"join_multicast_group":
			call = [name, "nonsense" if rng.randf() < 0.5 else "239.1.2.3", "no_such_interface"]
		"leave_multicast_group":
			call = [name, "239.1.2.3", "no_such_interface"]
	return call


func run(calls: Array[Array]) -> String:
	_sides.clear()
	_made = 0
	for kind: StringName in [NATIVE, OURS]:
		var side := End.new()
		side.is_native = kind == NATIVE
		side.peer = ClassDB.instantiate(kind)
		side.fars = [far_peer(), far_peer(), far_peer("::1")]
		_sides.append(side)
	_closed()
	_destination = NO_FAR
	return run_calls(calls)


func _step(call: Array) -> String:
	var difference := ""
	match call[0]:
		"arrive":
			difference = _arrive(call[1], call[2], call[3])
		"get_packet":
			difference = _get_packet()
		"get_var":
			difference = _get_var()
		"get_available_packet_count":
			difference = _count()
		"wait":
			difference = _wait()
		"put_packet":
			difference = _put(call[0], payload(call[1]))
		"put_var":
			difference = _put(call[0], call[1])
		"close":
			difference = _close()
		"connect_to_host":
			difference = _connect_to_host(call[1])
		"set_dest_address":
			difference = _set_dest_address(call[1])
		"bind":
			difference = _bind(call[1], call[2])
		_:
			difference = _simple(call)
	return difference


# ---- the calls ----------------------------------------------------------------------------------


# Has both called, and compares what they answer.
func _both(what: String, call: Callable) -> Array:
	var answers := [call.call(_sides[0]), call.call(_sides[1])]
	var is_error: bool = answers[1] is int and answers[1] != OK
	count_call(what, not is_error)
	if typeof(answers[0]) == typeof(answers[1]) and answers[0] == answers[1]:
		return [answers[0], ""]
	return [null, "the engine answers %s, ours %s" % [str(answers[0]), str(answers[1])]]


func _bind(address: String, size: int) -> String:
	var bind := func(side: End) -> Error:
		if address == "taken":
			return side.peer.bind(side.fars[0].get_local_port(), LOOPBACK, size)
		return side.peer.bind(0, address, size)
	var result := _both("bind", bind)
	if result[0] == OK:
		_opened("46" if address == "*" else "6" if address == "::1" else "4")
	return result[1]


func _opened(families: String) -> void:
	_is_open = true
	_families = families
	_connected = NO_FAR
	_unread = 0


func _opened_for(far: int) -> void:
	if not _is_open:
		_opened("6" if far == FAR_6 else "4")


func _close() -> String:
	# The engine keeps what it has read, and of what the system holds nothing.
	for side in _sides:
		side.peer.close()
	count_call("close", _is_open)
	_closed()
	return ""


func _closed() -> void:
	_is_open = false
	_families = ""
	_connected = NO_FAR
	for side in _sides:
		side.count = 0
		# What was not read is gone from the end of the queue.
		if side.is_native:
			side.queue.resize(side.queue.size() - _unread)
		else:
			side.queue.clear()
	_unread = 0


func _connect_to_host(target: Variant) -> String:
	if _connected != NO_FAR and target is int and (target == FAR_6) != (_connected == FAR_6):
		return ""
	var difference := _count()
	if not difference.is_empty():
		return difference
	var connect := func(side: End) -> Error:
		return side.peer.connect_to_host(_host(target), _port(side, target))
	var result := _both("connect_to_host", connect)
	if result[0] == OK:
		_opened_for(target)
		_connected = target
		_destination = target
		for side in _sides:
			# The engine counts them still, and gives an empty packet for each in the end.
			side.queue.clear()
			side.count = side.count if side.is_native else 0
	elif result[0] == FAILED:
		_closed()
	return result[1]


func _set_dest_address(target: Variant) -> String:
	var set_it := func(side: End) -> Error:
		return side.peer.set_dest_address(_host(target), _port(side, target))
	var result := _both("set_dest_address", set_it)
	if result[0] == OK and _connected == NO_FAR:
		_destination = target
	return result[1]


func _host(target: Variant) -> String:
	if target is String:
		return target
	return "::1" if target == FAR_6 else LOOPBACK


func _port(side: End, target: Variant) -> int:
	if target is String:
		return 9
	return 0 if target < 0 else side.fars[target].get_local_port()


func _simple(call: Array) -> String:
	var was_open := _is_open
	var simple := func(side: End) -> Variant: return side.peer.callv(call[0], call.slice(1))
	var result := _both(call[0], simple)
	if not was_open and _sides[1].peer.is_bound():
		_opened("4")
	return result[1]


func _arrive(far: int, lengths: Array, as_variants: bool) -> String:
	var can_arrive := ("6" if far == FAR_6 else "4") in _families
	if not can_arrive or _sides.any(func(side: End) -> bool: return side.local_port() == 0):
		return ""
	count_call("(packets arrive)", true)
	for length: int in lengths:
		var bytes := var_to_bytes("x".repeat(length)) if as_variants else payload(length)
		for side in _sides:
			side.fars[far].set_dest_address(_host(far), side.local_port())
			side.fars[far].put_packet(bytes)
		if _connected != NO_FAR and _connected != far:
			continue
		var address := "0:0:0:0:0:0:0:1" if far == FAR_6 else LOOPBACK
		for side in _sides:
			side.queue.append([bytes, address, far])
			side.count += 1
		_unread += 1
	return ""


# The packet that a side gives next; [] if there is none. The engine gives what is first in its
# ring, also packets of before a close(). Where it counts more than it has, it gives an empty one.
func _taken(side: End) -> Array:
	if side.count == 0:
		return []
	side.count -= 1
	var packet: Array = [PackedByteArray(), "0:0:0:0:0:0:0:0", NO_FAR]
	if not side.queue.is_empty():
		packet = side.queue.pop_front()
	side.last_ip = packet[1]
	# In place of a port that it does not have it leaves the one before.
	if packet[2] != NO_FAR:
		side.last_port = side.fars[packet[2]].get_local_port()
	return packet


func _get_packet() -> String:
	_unread = 0
	var has_packet := _sides[1].count > 0
	count_call("get_packet", has_packet)
	for side in _sides:
		var got := side.peer.get_packet()
		var packet := _taken(side)
		side.last_error = FAILED if not _is_open else ERR_UNAVAILABLE if packet.is_empty() else OK
		var expected: PackedByteArray = [] if packet.is_empty() else packet[0]
		if got != expected:
			return "%s gives %s instead of %s" % [side.peer.get_class(), got, expected]
	return ""


func _get_var() -> String:
	# Of an empty packet that nobody sent, the engine makes no value.
	if _sides[0].count > _sides[0].queue.size():
		return ""
	_unread = 0
	count_call("get_var", _sides[1].count > 0)
	for side in _sides:
		var got: Variant = side.peer.get_var()
		var packet := _taken(side)
		var text: Variant = null
		if not packet.is_empty() and packet[0].size() >= 8 and packet[0][0] == TYPE_STRING:
			text = bytes_to_var(packet[0])
		if typeof(got) != typeof(text) or got != text:
			return "%s gives %s instead of %s" % [side.peer.get_class(), got, text]
	return ""


func _count() -> String:
	_unread = 0
	count_call("get_available_packet_count", _is_open)
	for side in _sides:
		var got := side.peer.get_available_packet_count()
		var expected := side.count if _is_open else -1
		if got != expected:
			return "%s counts %d packets instead of %d" % [side.peer.get_class(), got, expected]
	return ""


func _wait() -> String:
	if _is_open and _unread == 0:
		return ""
	return _both("wait", func(side: End) -> Error: return side.peer.wait())[1]


func _put(what: String, value: Variant) -> String:
	var put := func(side: End) -> Error: return side.peer.call(what, value)
	var result := _both(what, put)
	var is_empty: bool = value is PackedByteArray and value.is_empty()
	if not _is_open and _sides[1].peer.is_bound():
		_opened_for(_destination)
	if result[0] != OK or is_empty:
		return result[1]
	var to := _destination if _connected == NO_FAR else _connected
	var bytes: PackedByteArray = value if what == "put_packet" else var_to_bytes(value)
	for side in _sides:
		var far := side.fars[to]
		if not has_arrived(far, 1):
			return "what %s sends does not arrive" % side.peer.get_class()
		var got := far.get_packet()
		if got != bytes or far.get_packet_port() != side.local_port():
			return "from %s, %s arrives instead of %s" % [side.peer.get_class(), got, bytes]
	return ""


# ---- what they tell without reading -------------------------------------------------------------


func _compare_state() -> String:
	for side in _sides:
		var peer := side.peer
		var got := [peer.is_bound(), peer.is_socket_connected(), peer.get_packet_error()]
		var expected := [_is_open, _connected != NO_FAR, side.last_error]
		got += [peer.get_packet_ip(), peer.get_packet_port()]
		expected += [side.last_ip, side.last_port]
		if got != expected:
			return "%s tells %s instead of %s" % [peer.get_class(), got, expected]
	if (_sides[0].local_port() == 0) != (_sides[1].local_port() == 0):
		return "the ports are %d and %d" % [_sides[0].local_port(), _sides[1].local_port()]
	return ""


# All that has arrived is taken, and nothing comes that was not sent.
func _finish() -> String:
	var difference := ""
	while difference.is_empty() and _sides.any(func(side: End) -> bool: return side.count > 0):
		difference = _get_packet()
	if difference.is_empty():
		difference = _get_packet()
	if difference.is_empty():
		difference = _compare_state()
	for side in _sides:
		for far in side.fars:
			if difference.is_empty() and far.get_available_packet_count() != 0:
				difference = "%s has sent more" % side.peer.get_class()
	return "" if difference.is_empty() else "at the end: " + difference
