@tool
extends EditorPlugin
## Reloads the addon in the editor while its peers are at work, and checks what becomes of them.
## Ends the editor with a line that says whether all was well. See scripts/reload_test.sh.
## With "--stays" after "--" the old library may stay in memory, and in use. With "--calling",
## threads call methods of peers and servers all the time instead.

const CallingThreads := preload("calling_threads.gd")
const ROUNDS := 6
const MANIFEST := "res://addons/packet_peer_udp_rs/addon.gdextension"
const OURS := &"PacketPeerUdpRs"
const SERVER := &"UdpServerRs"
const HOST := "127.0.0.1"
const TIMEOUT_MSEC := 30_000

# Both modes of receiving, with options that a script may set.
const OPTIONS: Array[Dictionary] = [
	{},
	{"background_receive": true},
	{"background_receive": true, "overflow_policy": 1, "receive_buffer_size": 30_000},
	{"overflow_policy": 1, "send_buffer_size": 50_000},
	{"reuse_address": true, "time_to_live": 9, "multicast_interface": "lo"},
]
# The label is too long, so no name server is asked.
const UNRESOLVABLE := "a-label-of-more-than-sixty-three-characters-which-none-accepts-%02d.invalid"
const MONITORS: Array[StringName] = [
	&"udp_rs/packets_in_per_sec",
	&"udp_rs/packets_out_per_sec",
	&"udp_rs/bytes_in_per_sec",
	&"udp_rs/bytes_out_per_sec",
	&"udp_rs/packets_dropped",
]

var _peers: Array[PacketPeer]
# What all peers have as link conditions.
var _conditions: Resource
var _resolving: Array[PacketPeer]
var _server: RefCounted
# Its accepted connections.
var _accepted: Array[PacketPeer]
# All peers and servers ever made.
var _made: Array[WeakRef]
var _waiting: Array[Thread]
var _traffic := Thread.new()
var _stop := Semaphore.new()
var _counts: Dictionary[int, int]
var _checks := 0
var _failures: PackedStringArray


func _enter_tree() -> void:
	_run.call_deferred()


func _run() -> void:
	var is_scanned := func() -> bool:
		return not EditorInterface.get_resource_filesystem().is_scanning()
	await _frames_until(is_scanned)
	_check(ClassDB.class_exists(OURS), "the class is not registered")
	if "--calling" in OS.get_cmdline_user_args():
		await _reload_under_calls()
	elif _failures.is_empty():
		await _do_rounds()
	if _failures.is_empty():
		await _unload_and_load()
	for failure in _failures:
		print("reload: FAILED: " + failure)
	if _failures.is_empty():
		print("reload: all %d checks held in %d rounds" % [_checks, ROUNDS])
	get_tree().quit(0 if _failures.is_empty() else 1)


func _do_rounds() -> void:
	_conditions = ClassDB.instantiate(&"UdpLinkConditions")
	_made.append(weakref(_conditions))
	_conditions.latency_msec = 1
	_conditions.queue_limit_msec = 300
	for i in OPTIONS.size():
		_peers.append(_new_peer())
		_peers[i].packets_available.connect(_on_packets_available.bind(i))
	for i in ROUNDS:
		print("reload: round %d" % i)
		await _do_round()
		if not _failures.is_empty():
			break
	_release_all()


# Reloads while threads are anywhere in calls. They go on afterwards, with usable peers.
func _reload_under_calls() -> void:
	var threads := CallingThreads.new()
	threads.start()
	for i in ROUNDS:
		await _all_have_gone_round(threads)
		print("reload: round %d, after %s calls" % [i, threads.rounds()])
		_replace_library()
		var status := GDExtensionManager.reload_extension(MANIFEST)
		_check(status == GDExtensionManager.LOAD_STATUS_OK, "reload_extension answers %d" % status)
	await _all_have_gone_round(threads)
	threads.stop()


func _all_have_gone_round(threads: CallingThreads) -> void:
	var before := threads.rounds()
	var are_on := func() -> bool:
		for i in before.size():
			if threads.rounds()[i] < before[i] + 10:
				return false
		return true
	await _frames_until(are_on)
	_check(are_on.call(), "a thread does not go on: %s, then %s" % [before, threads.rounds()])


# Coroutines keep their local variables alive, so no peer is in a local variable.
func _release_all() -> void:
	for peer in _peers:
		peer.packets_available.disconnect(_on_packets_available)
	_peers.clear()
	_accepted.clear()
	_server = null
	_conditions = null


func _do_round() -> void:
	await _open_all()
	var threads := _thread_count()
	var before := _mapped()
	_check(not before.is_empty(), "no library is in memory")
	_replace_library()
	_look_up_names()
	var status := GDExtensionManager.reload_extension(MANIFEST)
	_check(status == GDExtensionManager.LOAD_STATUS_OK, "reload_extension answers %d" % status)
	var after := _mapped()
	if not "--stays" in OS.get_cmdline_user_args():
		_check(after != before, "the new library is not in memory")
		_check(after.size() == 1, "the old library was not unloaded: %s" % after)
	for thread in _waiting:
		await _frames_until(func() -> bool: return not thread.is_alive())
		_check(not thread.is_alive(), "a wait goes on")
		if thread.is_alive():
			return  # no call can end it any more
		var end: Error = thread.wait_to_finish()
		_check(end == ERR_UNAVAILABLE, "a wait answers " + error_string(end))
	# Without the addon's thread and those that waited.
	var gone := threads - _waiting.size() - 1
	await _frames_until(func() -> bool: return _thread_count() <= gone)
	_check(_thread_count() <= gone, "%d threads, not %d" % [_thread_count(), gone])
	_waiting.clear()
	_check_closed()
	_check_monitors(true)
	_stop.post()
	_traffic.wait_to_finish()


# Opens all peers, sends packets to each all the time, and starts threads that wait on two of them.
func _open_all() -> void:
	var ports: PackedInt32Array
	_counts.clear()
	for i in _peers.size():
		for option: String in OPTIONS[i]:
			_peers[i].set(option, OPTIONS[i][option])
		_peers[i].send_conditions = _conditions
		_peers[i].receive_conditions = _conditions
		_check(_peers[i].bind(0, HOST) == OK, "peer %d: bind" % i)
		ports.append(_peers[i].get_local_port())
	_traffic = Thread.new()
	_traffic.start(_keep_sending.bind(ports.slice(0, 3)))
	for i in 3:
		await _frames_until(func() -> bool: return _peers[i].get_available_packet_count() > 20)
		_check(_peers[i].get_packets(5).size() == 5, "peer %d: get_packets" % i)
		_check(not _peers[i].get_packet().is_empty(), "peer %d: get_packet" % i)
		_check(_peers[i].get_stats().packets_received > 20, "peer %d: get_stats" % i)
		_check(_peers[i].get_packet_time_usec() > 0, "peer %d: get_packet_time_usec" % i)
		_check(_peers[i].wait(TIMEOUT_MSEC) == OK, "peer %d: wait" % i)
	await _frames_until(func() -> bool: return _counts.has(1) and _counts.has(2))
	_check(_counts.keys().size() == 2, "signals of the peers %s" % [_counts.keys()])
	await _start_server()
	_begin_waits()


# Accepts one client and reads its packet; another client stays pending.
func _start_server() -> void:
	if _server == null:
		_server = ClassDB.instantiate(SERVER)
		_made.append(weakref(_server))
	_server.background_receive = true
	_server.send_conditions = _conditions
	_server.receive_conditions = _conditions
	_server.peer_timeout_msec = 50_000
	_check(_server.listen(0, HOST) == OK, "listen")
	_accepted.clear()
	var clients: Array[PacketPeerUDP] = []
	for i in 2:
		clients.append(PacketPeerUDP.new())
		clients[i].set_dest_address(HOST, _server.get_local_port())
		clients[i].put_packet([i])
	await _frames_until(func() -> bool: return _server.is_connection_available())
	_accepted.append(_server.take_connection())
	_made.append(weakref(_accepted[0]))
	_check(_accepted[0].get_packet() == PackedByteArray([0]), "the first client's packet")
	await _frames_until(func() -> bool: return _server.is_connection_available())
	_check(_server.get_peer_count() == 1, "%d peers" % _server.get_peer_count())


func _begin_waits() -> void:
	# Peer 3 receives nothing: one thread waits without a limit, one for 60 s. A third waits on a
	# peer of its own, in the background.
	var quiet := _new_peer()
	quiet.background_receive = true
	quiet.bind(0, HOST)
	for call: Callable in [
		_peers[3].wait.bind(),
		_peers[3].wait.bind(60_000),
		func() -> Error: return quiet.wait(),
		_accepted[0].wait.bind(),
	]:
		_waiting.append(Thread.new())
		_waiting[-1].start(call)
	OS.delay_msec(100)  # until they wait, which is not visible from outside
	for thread in _waiting:
		_check(thread.is_alive(), "a wait has ended early")


# Starts more look-ups than can end before the library is unloaded.
func _look_up_names() -> void:
	var resolving := 0
	for i in 50:
		var peer := _peers[i % _peers.size()] if i > 40 else _new_peer()
		if i <= 40:
			_resolving.append(peer)
		_check(peer.set_dest_address_async(UNRESOLVABLE % i, 9) == OK, "look-up %d" % i)
		resolving += int(peer.is_resolving())
	_check(resolving > 0, "no peer was resolving")


func _new_peer() -> PacketPeer:
	var peer: PacketPeer = ClassDB.instantiate(OURS)
	_made.append(weakref(peer))
	peer.host_resolved.connect(func(_error: Error, _ip: String) -> void: pass)
	return peer


func _keep_sending(ports: PackedInt32Array) -> void:
	var senders: Array[PacketPeerUDP] = []
	for port in ports:
		senders.append(PacketPeerUDP.new())
		senders[-1].set_dest_address(HOST, port)
	while not _stop.try_wait():
		for sender in senders:
			sender.put_packet([1, 2, 3, 4])
		OS.delay_usec(200)


# The peers still exist, in the state of new ones.
func _check_closed() -> void:
	for i in _peers.size():
		var peer := _peers[i]
		_check(not peer.is_bound(), "peer %d: is open" % i)
		_check(peer.get_available_packet_count() == -1, "peer %d: has packets" % i)
		_check(peer.get_stats().packets_received == 0, "peer %d: has statistics" % i)
		_check(peer.get_packet_time_usec() == 0, "peer %d: has a time" % i)
		_check(not peer.is_resolving(), "peer %d: is resolving" % i)
		for option: String in OPTIONS[2].keys() + OPTIONS[3].keys() + OPTIONS[4].keys():
			var default: Variant = ClassDB.class_get_property_default_value(OURS, option)
			_check(peer.get(option) == default, "peer %d: %s is %s" % [i, option, peer.get(option)])
		_check(peer.send_conditions == null, "peer %d: has conditions" % i)
		_check(peer.receive_conditions == null, "peer %d: has conditions" % i)
	# The engine keeps what a resource would store.
	_check(_conditions.latency_msec == 1.0, "latency_msec is %s" % _conditions.latency_msec)
	_check(_conditions.queue_limit_msec == 300, "queue_limit_msec has gone")
	var references := _conditions.get_reference_count()
	_check(references == 1, "%d references to the conditions" % references)
	_check(not _server.is_listening(), "the server listens")
	_check(_server.get_peer_count() == 0 and _server.take_connection() == null, "it has peers")
	_check(_server.peer_timeout_msec == 0 and _server.reuse_address, "it has kept options")
	_check(
		not _accepted[0].is_bound() and not _accepted[0].is_socket_connected(), "its peer is open"
	)
	for peer in _resolving:
		_check(not peer.is_resolving(), "a peer is resolving")
	_resolving.clear()


func _check_monitors(are_there: bool) -> void:
	for monitor in MONITORS:
		_check(
			Performance.has_custom_monitor(monitor) == are_there,
			"%s: %s" % [monitor, not are_there]
		)
		if are_there:
			var value: Variant = Performance.get_custom_monitor(monitor)
			_check(value is int and value >= 0, "%s is %s" % [monitor, value])


# When no peer needs the library any more, it can be unloaded and loaded again.
func _unload_and_load() -> void:
	var living := _made.filter(func(made: WeakRef) -> bool: return made.get_ref() != null)
	_check(living.is_empty(), "%d peers are left" % living.size())
	if not living.is_empty():
		return
	_check_monitors(true)
	var status := GDExtensionManager.unload_extension(MANIFEST)
	_check(status == GDExtensionManager.LOAD_STATUS_OK, "unload_extension answers %d" % status)
	_check_monitors(false)
	if not "--stays" in OS.get_cmdline_user_args():
		_check(_mapped().is_empty(), "the library is still in memory: %s" % _mapped())
	await get_tree().process_frame
	status = GDExtensionManager.load_extension(MANIFEST)
	_check(status == GDExtensionManager.LOAD_STATUS_OK, "load_extension answers %d" % status)
	_check_monitors(true)
	var peer := _new_peer()
	_check(peer.bind(0, HOST) == OK, "bind")
	_check(peer.set_dest_address_async(HOST, peer.get_local_port()) == OK, "set_dest_address_async")
	var packets: Array[PackedByteArray] = []
	packets.resize(20)
	_check(peer.put_packets(packets) == 20, "put_packets")
	# A second ends with a frame, so it may be longer than a second.
	await _frames_until(
		func() -> bool: return Performance.get_custom_monitor(&"udp_rs/packets_out_per_sec") > 0
	)
	var rate: int = Performance.get_custom_monitor(&"udp_rs/packets_out_per_sec")
	_check(rate > 0 and rate <= 20, "%d packets a second" % rate)


func _on_packets_available(count: int, index: int) -> void:
	_counts[index] = _counts.get(index, 0) + count


# Replaces the library by a copy, which is another file for the system.
func _replace_library() -> void:
	var path := ""
	for line in FileAccess.get_file_as_string(MANIFEST).split("\n"):
		if line.begins_with("linux."):
			var named := MANIFEST.get_base_dir().path_join(line.get_slice('"', 1))
			if FileAccess.file_exists(named):
				path = ProjectSettings.globalize_path(named)
	_check(DirAccess.copy_absolute(path, path + ".new") == OK, "the library cannot be copied")
	_check(DirAccess.rename_absolute(path + ".new", path) == OK, "it cannot be replaced")


# The libraries of that name that are mapped into memory: device and inode of each.
static func _mapped() -> PackedStringArray:
	var found: PackedStringArray
	var file := FileAccess.open("/proc/self/maps", FileAccess.READ)
	while not file.eof_reached():
		var line := file.get_line()
		if "libpacket_peer_udp_rs" in line:
			var fields := line.split(" ", false)
			if not fields[3] + " " + fields[4] in found:
				found.append(fields[3] + " " + fields[4])
	return found


static func _thread_count() -> int:
	return DirAccess.get_directories_at("/proc/self/task").size()


func _frames_until(condition: Callable) -> void:
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while not condition.call() and Time.get_ticks_msec() < deadline:
		await get_tree().process_frame


func _check(condition: bool, what: String) -> void:
	_checks += 1
	if not condition:
		_failures.append(what)
