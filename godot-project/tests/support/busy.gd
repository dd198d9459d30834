extends RefCounted
## What the addon may be in the middle of when a game quits, or when the editor reloads the addon.

## [method begin] takes one of these.
const CASES: PackedStringArray = ["wait", "resolve", "held", "flood", "relay", "server"]
const LOOPBACK := "127.0.0.1"
## How long what is held back would stay so.
const HELD_MSEC := 60_000
## How long packets come.
const FLOOD_SECONDS := 4
const CLIENTS := 8
## By then a thread that was started to wait does.
const WAITING_MSEC := 300

## support/flood.py, as a path of the system.
var flood := ""

var _peers: Array[PacketPeer]
var _servers: Array[RefCounted]
var _proxies: Array[RefCounted]
var _accepted: Array[PacketPeer]
var _threads: Array[Thread]
var _senders: PackedInt32Array
var _case := ""
# When the thread was started.
var _waits_since_msec := 0


## Begins one of [constant CASES]; false if that fails.
func begin(what: String) -> bool:
	_case = what
	var has_begun := false
	match what:
		"wait":
			has_begun = _open_peer() and _wait_in_thread()
		"resolve":
			has_begun = _resolve()
		"held":
			has_begun = _hold()
		"flood":
			has_begun = _open_peer() and _send_flood(_peers[0].get_local_port())
		"relay":
			has_begun = _open_relay() and _send_flood(_proxies[0].get_local_port())
		"server":
			has_begun = _open_server() and _send_flood(_servers[0].get_local_port())
	return has_begun


## Whether it is in the middle of it now. To be asked in each frame.
func is_busy() -> bool:
	if _case == "server" and _servers[0].is_connection_available():
		_accepted.append(_servers[0].take_connection())
	return figure() >= {"wait": 1, "resolve": 8, "held": 10, "server": CLIENTS}.get(_case, 1000)


## How much it is in the middle of.
func figure() -> int:
	var number := 0
	match _case:
		"wait":
			# From outside it is not visible whether the thread sleeps yet.
			var has_begun := Time.get_ticks_msec() > _waits_since_msec + WAITING_MSEC
			number = int(has_begun and _threads[0].is_alive())
		"resolve":
			number = _peers.filter(func(one: PacketPeer) -> bool: return one.is_resolving()).size()
		"held":
			# Both hold back: what one sends, and what the other receives.
			_peers[1].poll()
			number = mini(_waiting(_peers[0]), _waiting(_peers[1]))
		"flood":
			number = _peers[0].get_stats().packets_received
		"relay":
			number = _proxies[0].get_stats().to_target_packets_out
		"server":
			number = _accepted.size() if _servers[0].get_stats().packets_received > 1000 else 0
	return number


## What is still open of it.
func open_parts() -> PackedStringArray:
	var found: PackedStringArray
	for peer in _peers + _accepted:
		if peer.is_bound() or peer.is_socket_connected() or peer.is_resolving():
			found.append("a peer")
	for server in _servers:
		if server.is_listening():
			found.append("a server")
	for proxy in _proxies:
		if proxy.is_running():
			found.append("a relay")
	return found


## Lets go of everything; the answers of the waits that have ended. Those that go on are waited for.
func end() -> Array:
	var answers := _threads.map(func(one: Thread) -> Variant: return one.wait_to_finish())
	for pid in _senders:
		OS.kill(pid)
	_threads.clear()
	_peers.clear()
	_servers.clear()
	_proxies.clear()
	_accepted.clear()
	return answers


## Whether its threads have ended.
func has_no_threads() -> bool:
	return not _threads.any(func(one: Thread) -> bool: return one.is_alive())


func _open_peer() -> bool:
	_peers.append(ClassDB.instantiate(&"PacketPeerUdpRs"))
	_peers[-1].background_receive = true
	return _peers[-1].bind(0, LOOPBACK, 1 << 20) == OK


func _wait_in_thread() -> bool:
	_threads.append(Thread.new())
	_waits_since_msec = Time.get_ticks_msec()
	# No method of this script: the thread would keep it, and the engine report it at the end.
	return _threads[-1].start(_peers[-1].wait.bind(-1)) == OK


func _resolve() -> bool:
	for i in 12:
		_peers.append(ClassDB.instantiate(&"PacketPeerUdpRs"))
		if _peers[i].connect_to_host_async("leaves%d.test" % i, 9) != OK:
			return false
	return true


func _hold() -> bool:
	var conditions: Resource = ClassDB.instantiate(&"UdpLinkConditions")
	conditions.latency_msec = HELD_MSEC
	for i in 3:
		_peers.append(ClassDB.instantiate(&"PacketPeerUdpRs"))
		if _peers[i].bind(0, LOOPBACK) != OK:
			return false
	_peers[0].send_conditions = conditions
	_peers[1].receive_conditions = conditions
	_peers[1].background_receive = true
	for sender: PacketPeer in [_peers[0], _peers[2]]:
		sender.set_dest_address(LOOPBACK, _peers[1].get_local_port())
		for i in 10:
			if sender.put_packet([i]) != OK:
				return false
	return true


# To a peer, with a delay, so that packets are on their way through it.
func _open_relay() -> bool:
	var conditions: Resource = ClassDB.instantiate(&"UdpLinkConditions")
	conditions.latency_msec = 5
	_proxies.append(ClassDB.instantiate(&"UdpLinkProxy"))
	_proxies[0].to_target_conditions = conditions
	return _open_peer() and _proxies[0].start(LOOPBACK, _peers[0].get_local_port()) == OK


func _open_server() -> bool:
	_servers.append(ClassDB.instantiate(&"UdpServerRs"))
	_servers[0].background_receive = true
	_servers[0].peer_timeout_msec = 10_000
	return _servers[0].listen(0, LOOPBACK) == OK


func _send_flood(port: int) -> bool:
	var arguments: PackedStringArray = [flood, str(port), str(FLOOD_SECONDS), str(2 * CLIENTS)]
	_senders.append(OS.create_process("python3", arguments))
	return _senders[-1] > 0


static func _waiting(peer: PacketPeer) -> int:
	return peer.get_stats().conditions_waiting
