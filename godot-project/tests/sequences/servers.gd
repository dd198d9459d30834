extends "sequence.gd"
## Sequences of a server's calls and of those of the peers that it hands out. Each kind has a
## server, and clients which are peers of the engine's. What both answer has to be the same. No
## sequence meets these defects of the engine:
## [br]- a change of max_pending_connections drops what is pending if it is raised, and nothing if
##   it is lowered: it is changed only where nobody is pending;
## [br]- listen(0) may give the port of another server: a port is chosen before;
## [br]- a wait of the engine's ends at any peer's packet, or never: no peer waits.

const SERVERS: Array[StringName] = [&"UDPServer", &"UdpServerRs"]
const CLIENTS := 5

var _sides: Array[End] = []
var _is_listening := false
var _max_pending := 16
# What was sent and not read: [client, payload].
var _unread: Array[Array] = []
# The clients whose peers are pending, in order, and those whose peers were taken.
var _pending: Array[int] = []
var _taken: Array[int] = []
# What is queued for each client's peer, and which packet was taken from it last.
var _queues: Dictionary[int, Array] = {}
var _errors: Dictionary[int, Error] = {}


## A server of one kind with its clients, and the peers that it has handed out, by client.
class End:
	var server: RefCounted
	var clients: Array[PacketPeerUDP] = []
	var peers: Dictionary[int, PacketPeer] = {}
	var port := 0


func draw() -> Array[Array]:
	var calls: Array[Array] = []
	if rng.randf() < 0.9:
		calls.append(["listen", "*"])
	for i in rng.randi_range(1, 40):
		calls.append(_draw_call())
	return calls


func _draw_call() -> Array:
	var weights := {"arrive": 10, "poll": 8, "take_connection": 6, "is_connection_available": 2}
	weights.merge({"listen": 2, "stop": 1, "max_pending_connections": 1, "peer: get_packet": 8})
	weights.merge({"peer: get_available_packet_count": 4, "peer: put_packet": 8, "peer: close": 1})
	weights.merge({"peer: what it refuses": 2})
	var name: String = pick(weights)
	var call: Array = [name]
	match name:
		"arrive":
			call = [name, rng.randi_range(0, CLIENTS - 1), draw_lengths(4)]
		"listen":
			call = [name, pick({"*": 3, LOOPBACK: 3, "": 1, "1.2.3": 1, "192.0.2.1": 1})]
		"max_pending_connections":
			call = [name, rng.randi_range(0, 5)]
		"peer: put_packet":
			var length := 65_528 if rng.randf() < 0.1 else draw_lengths(1)[0] - 1
			call = [name, rng.randi_range(0, CLIENTS - 1), length]
		"peer: what it refuses":
			call = [name, rng.randi_range(0, CLIENTS - 1), rng.randi_range(0, 3)]
	if name.begins_with("peer: ") and call.size() == 1:
		call = [name, rng.randi_range(0, CLIENTS - 1)]
	return call


func run(calls: Array[Array]) -> String:
	_made = 0
	_sides.clear()
	for title in SERVERS:
		var side := End.new()
		side.server = ClassDB.instantiate(title)
		for i in CLIENTS:
			side.clients.append(far_peer())
		_sides.append(side)
	_max_pending = 16
	_stopped()
	return run_calls(calls)


func _step(call: Array) -> String:
	var difference := ""
	match call[0]:
		"arrive":
			difference = _arrive(call[1], call[2])
		"listen":
			difference = _listen(call[1])
		"stop":
			difference = _stop()
		"poll":
			difference = _poll()
		"take_connection":
			difference = _take_connection()
		"is_connection_available":
			# It is compared after each call.
			count_call(call[0], not _pending.is_empty())
		"max_pending_connections":
			difference = _set_max_pending(call[1])
		_:
			if not _taken.is_empty():
				difference = _step_of_peer(_taken[call[1] % _taken.size()], call)
	return difference


# A call of the peer that was taken for a client.
func _step_of_peer(client: int, call: Array) -> String:
	match call[0]:
		"peer: get_packet":
			return _get_packet(client)
		"peer: get_available_packet_count":
			return _count(client)
		"peer: put_packet":
			return _put_packet(client, payload(call[2]))
		"peer: close":
			return _close(client)
	return _refuse(client, call[2])


# Has both called, and compares what they answer.
func _both(what: String, call: Callable, is_success := Callable()) -> Array:
	var answers := [call.call(_sides[0]), call.call(_sides[1])]
	var has_succeeded: bool = (
		answers[1] == OK if is_success.is_null() else is_success.call(answers[1])
	)
	count_call(what, has_succeeded)
	if typeof(answers[0]) == typeof(answers[1]) and answers[0] == answers[1]:
		return [answers[0], ""]
	return [null, "the engine answers %s, ours %s" % [str(answers[0]), str(answers[1])]]


func _listen(address: String) -> String:
	var listen := func(side: End) -> Error:
		var error := ERR_UNAVAILABLE
		# Another program may take the port that was chosen.
		for attempt in 5:
			var chosen := far_peer()
			var port := chosen.get_local_port()
			chosen.close()
			error = side.server.listen(port, address)
			if error != ERR_UNAVAILABLE or address == "192.0.2.1":
				break
		return error
	var result := _both("listen", listen)
	if result[0] == OK:
		_is_listening = true
		for side in _sides:
			side.port = side.server.get_local_port()
	return result[1]


func _stop() -> String:
	count_call("stop", _is_listening)
	var difference := ""
	for side in _sides:
		side.server.stop()
		for client: int in side.peers:
			var peer := side.peers[client]
			if peer.is_bound() or peer.get_available_packet_count() != -1:
				difference = "a peer of %s is open" % side.server.get_class()
		side.peers.clear()
	_stopped()
	return difference


func _stopped() -> void:
	_is_listening = false
	_unread.clear()
	_pending.clear()
	_taken.clear()
	_queues.clear()
	_errors.clear()


func _arrive(client: int, lengths: Array) -> String:
	if not _is_listening:
		return ""
	count_call("(packets arrive)", true)
	for length: int in lengths:
		var bytes := payload(length)
		for side in _sides:
			side.clients[client].set_dest_address(LOOPBACK, side.port)
			side.clients[client].put_packet(bytes)
		_unread.append([client, bytes])
	return ""


func _poll() -> String:
	var result := _both("poll", func(side: End) -> Error: return side.server.poll())
	for packet in _unread:
		var client: int = packet[0]
		if not client in _queues:
			if _pending.size() >= _max_pending:
				continue
			_pending.append(client)
			_queues[client] = []
			_errors[client] = OK
		_queues[client].append(packet[1])
	_unread.clear()
	return result[1]


func _take_connection() -> String:
	var client: int = -1 if _pending.is_empty() else _pending.pop_front()
	count_call("take_connection", client >= 0)
	for side in _sides:
		var peer: PacketPeer = side.server.take_connection()
		if (peer == null) != (client < 0):
			return "%s gives %s" % [side.server.get_class(), peer]
		if peer == null:
			continue
		var port := side.clients[client].get_local_port()
		if peer.get_packet_ip() != LOOPBACK or peer.get_packet_port() != port:
			return "%s gives the peer of another client" % side.server.get_class()
		side.peers[client] = peer
	if client >= 0:
		_taken.append(client)
	return ""


func _set_max_pending(most: int) -> String:
	if not _pending.is_empty():
		return ""
	count_call("max_pending_connections", true)
	_max_pending = most
	for side in _sides:
		side.server.max_pending_connections = most
	return ""


func _count(client: int) -> String:
	count_call("peer: get_available_packet_count", true)
	for side in _sides:
		var got := side.peers[client].get_available_packet_count()
		if got != _queues[client].size():
			return "%s counts %d packets" % [side.server.get_class(), got]
	return ""


func _get_packet(client: int) -> String:
	var packet: Variant = _queues[client].pop_front()
	count_call("peer: get_packet", packet != null)
	_errors[client] = OK if packet != null else ERR_UNAVAILABLE
	var expected: PackedByteArray = packet if packet != null else PackedByteArray()
	for side in _sides:
		var got := side.peers[client].get_packet()
		if got != expected:
			return "%s gives %s instead of %s" % [side.server.get_class(), got, expected]
	return ""


func _put_packet(client: int, bytes: PackedByteArray) -> String:
	var put := func(side: End) -> Error: return side.peers[client].put_packet(bytes)
	var result := _both("peer: put_packet", put)
	if result[0] != OK or bytes.is_empty():
		return result[1]
	for side in _sides:
		var far := side.clients[client]
		if not has_arrived(far, 1):
			return "what a peer of %s sends does not arrive" % side.server.get_class()
		if far.get_packet() != bytes or far.get_packet_port() != side.port:
			return "a peer of %s sends something else" % side.server.get_class()
	return ""


func _close(client: int) -> String:
	count_call("peer: close", true)
	for side in _sides:
		var peer := side.peers[client]
		side.peers.erase(client)
		peer.close()
		if peer.is_bound() or peer.is_socket_connected() or peer.get_available_packet_count() != -1:
			return "a closed peer of %s is open" % side.server.get_class()
	_taken.erase(client)
	_queues.erase(client)
	_errors.erase(client)
	return ""


func _refuse(client: int, which: int) -> String:
	var refuse := func(side: End) -> Error:
		var peer := side.peers[client]
		match which:
			0:
				return peer.bind(0)
			1:
				return peer.connect_to_host(LOOPBACK, 9)
			2:
				return peer.join_multicast_group("239.1.2.3", "lo")
		return peer.set_dest_address(LOOPBACK, 9)
	return _both("peer: what it refuses", refuse)[1]


func _compare_state() -> String:
	for side in _sides:
		var server := side.server
		var got := [server.is_listening(), server.is_connection_available()]
		var expected := [_is_listening, not _pending.is_empty()]
		got.append(server.max_pending_connections)
		expected.append(_max_pending)
		if got != expected:
			return "%s tells %s instead of %s" % [server.get_class(), got, expected]
		for client in _taken:
			var peer := side.peers[client]
			got = [peer.is_bound(), peer.is_socket_connected(), peer.get_packet_error()]
			expected = [true, true, _errors[client]]
			got += [peer.get_packet_ip(), peer.get_packet_port(), peer.get_local_port()]
			expected += [LOOPBACK, side.clients[client].get_local_port(), side.port]
			if got != expected:
				return "a peer of %s tells %s instead of %s" % [server.get_class(), got, expected]
	return ""


# All that has arrived is taken, and nothing comes that was not sent.
func _finish() -> String:
	var difference := _poll() if _is_listening else ""
	while _is_listening and difference.is_empty() and not _pending.is_empty():
		difference = _take_connection()
	for client in _taken:
		var left: int = _queues[client].size() + 1
		while difference.is_empty() and left > 0:
			difference = _get_packet(client)
			left -= 1
	if difference.is_empty():
		difference = _compare_state()
	for side in _sides:
		for far in side.clients:
			if difference.is_empty() and far.get_available_packet_count() > 0:
				difference = "%s has sent more" % side.server.get_class()
	return "" if difference.is_empty() else "at the end: " + difference
