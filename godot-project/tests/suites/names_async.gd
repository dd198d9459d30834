# gdlint: disable=max-public-methods
extends "../support/receiving.gd"
## set_dest_address_async(), connect_to_host_async(), is_resolving() and host_resolved, with names
## that no other machine is asked for.

const Frames := preload("../support/frames.gd")

const SET := &"set_dest_address_async"
const CONNECT := &"connect_to_host_async"
const NAMESAKES: Dictionary[StringName, StringName] = {
	SET: &"set_dest_address",
	CONNECT: &"connect_to_host",
}
## The label is too long (63 characters at most), so no server is asked.
const UNRESOLVABLE := (
	"a-label-of-more-than-sixty-three-characters-which-no-resolver-would-accept" + ".invalid"
)
const BROADCAST := "255.255.255.255"


func test_the_members_are_declared() -> void:
	var signals := ClassDB.class_get_signal_list(OURS, true).filter(
		func(info: Dictionary) -> bool: return info.name == "host_resolved"
	)
	check_equal(signals.size(), 1, "signals of that name")
	if not signals.is_empty():
		var args: Array = signals[0].args
		check_equal(args.size(), 2, "arguments")
		check_equal(args[0].name, "error", "the first")
		check_equal(args[0].type, TYPE_INT, "its type")
		check_equal(String(args[0].class_name), "Error", "its enum")
		check_equal(args[1].name, "ip", "the second")
		check_equal(args[1].type, TYPE_STRING, "its type")
	for method: Dictionary in ClassDB.class_get_method_list(OURS, true):
		if method.name in [SET, CONNECT]:
			var names: Array = method.args.map(func(arg: Dictionary) -> String: return arg.name)
			check_equal(names, ["host", "port"], "the arguments of " + method.name)
			check_equal(
				String(method["return"].class_name), "Error", "what %s returns" % method.name
			)


func test_wrong_arguments_are_refused_as_by_the_blocking_methods() -> void:
	for call: StringName in NAMESAKES:
		for row: Array in [
			["", 9],
			["a b", 9],
			["*", 9],
			["::zz", 9],
			["fe80::1%", 9],
			["fe80::1%no-such-if", 9],
			[LOOPBACK, 0],
			[LOOPBACK, -1],
			[LOOPBACK, 65_536],
			["localhost", 1 << 32],
			["localhost", 0],
			[LOOPBACK, 9],
			["127.1.2.3", 9],
		]:
			var twin := make_peer(OURS)
			var twin_answer := []
			var ask_twin := func() -> void: twin_answer.append(twin.callv(NAMESAKES[call], row))
			var twin_lines := lines_of(ask_twin)
			var peer := make_peer(OURS)
			var listener := _Listener.new(peer)
			var got := []
			var lines := lines_of(func() -> void: got.append(peer.callv(call, row)))
			var what := "%s(%s)" % [call, row]
			check_equal(got, twin_answer, what)
			# set_dest_address() prints nothing, as native; the async method prints a line.
			var is_reported: bool = got[0] != OK if call == SET else not twin_lines.is_empty()
			check_equal(lines.size(), int(is_reported), what + ": lines")
			for line in lines:
				check(call in line, "%s: another name in: %s" % [what, line])
			if got[0] != OK:
				check_equal(peer.is_resolving(), false, what + ": is_resolving")
				check(not peer.get_last_error_message().is_empty(), what + ": no message")
				await Frames.wait(3)
				check_equal(listener.answers, [], what + ": the emission")


func test_it_ends_as_the_blocking_method_does() -> void:
	for call: StringName in NAMESAKES:
		for host: String in ["localhost", LOOPBACK, "127.000.0.1", LOOPBACK_6, UNRESOLVABLE]:
			if host == LOOPBACK_6 and not has_ipv6():
				continue
			for address: String in ["", "0.0.0.0", "*"]:
				if host == LOOPBACK_6 and address == "0.0.0.0":
					continue
				await _check_like_namesake(call, host, address)


func test_the_signal_comes_once_in_a_later_frame_on_the_main_thread() -> void:
	for call: StringName in NAMESAKES:
		for host: String in ["localhost", LOOPBACK, UNRESOLVABLE]:
			var peer := make_peer(OURS)
			var listener := _Listener.new(peer)
			allow_lines(call)
			check_equal(peer.callv(call, [host, 9]), OK, call)
			check_equal(listener.answers, [], "within the call")
			check(await _until_emitted(listener), "%s(%s): no emission" % [call, host])
			await Frames.wait(10)
			listener.check_all(self, 1)


func test_each_call_emits_the_signal() -> void:
	var peer := make_peer(OURS)
	var listener := _Listener.new(peer)
	for i in 20:
		var is_known := i % 3 != 2
		check_equal(
			peer.set_dest_address_async("localhost" if is_known else UNRESOLVABLE, 9), OK, ""
		)
		check(await _until_emitted(listener, i + 1), "no emission for call %d" % i)
		check_equal(listener.last()[0], OK if is_known else ERR_CANT_RESOLVE, "call %d" % i)
	listener.check_all(self, 20)


func test_a_numeric_address_takes_effect_within_the_call() -> void:
	var friend := bound_peer(NATIVE)
	var port: int = friend.get_local_port()
	var peer := make_peer(OURS)
	check_equal(peer.set_dest_address_async(LOOPBACK, port), OK, SET)
	check_equal(peer.is_resolving(), false, "is_resolving")
	check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
	var other := make_peer(OURS)
	check_equal(other.connect_to_host_async(LOOPBACK, port), OK, CONNECT)
	check_equal(other.is_socket_connected(), true, "is_socket_connected")
	check_equal(other.put_packet(numbered(2)), OK, "put_packet")
	check_equal(numbers_of(take(friend, 2)), PackedInt32Array([1, 2]), "what arrives")
	if Platform.has(&"process figures"):
		var threads := settled_threads()
		for i in 200:
			peer.set_dest_address_async("127.0.0.%d" % (i + 1), port)
		check(Process.threads() <= threads, "%d threads more" % (Process.threads() - threads))


func test_a_name_that_was_resolved_takes_effect_within_the_call() -> void:
	var friend := bound_peer(NATIVE, "*")
	check_equal(make_peer(OURS).set_dest_address("localhost", 9), OK, "asked once")
	var peer := make_peer(OURS)
	check_equal(peer.set_dest_address_async("localhost", friend.get_local_port()), OK, SET)
	check_equal(peer.is_resolving(), false, "is_resolving")
	check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
	check_equal(numbers_of(take(friend)), PackedInt32Array([1]), "what arrives")


func test_it_is_resolving_until_the_answer_is_there_also_without_frames() -> void:
	var peer := make_peer(OURS)
	var listener := _Listener.new(peer)
	check_equal(peer.is_resolving(), false, "of a new peer")
	var sees := 0
	# The answer may arrive before the next line runs.
	for i in 200:
		check_equal(peer.set_dest_address_async(UNRESOLVABLE, 9), OK, SET)
		sees += int(peer.is_resolving())
		_await_answer(peer)
	check(sees > 0, "is_resolving was never seen")
	check_equal(listener.answers, [], "without a frame")
	await _until_emitted(listener)
	await Frames.wait(3)
	listener.check_all(self, 1)  # each call cancels the one before
	check_equal(listener.last(), [ERR_CANT_RESOLVE, ""], "the emission")


func test_a_failed_name_leaves_all_as_it_was() -> void:
	var friend := bound_peer(NATIVE)
	for call: StringName in NAMESAKES:
		var peer := sender_to(friend, OURS)
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		var port: int = peer.get_local_port()
		var listener := _Listener.new(peer)
		check_equal(peer.callv(call, [UNRESOLVABLE, 9]), OK, call)
		await _until_emitted(listener)
		check_equal(listener.last(), [ERR_CANT_RESOLVE, ""], "the emission")
		check(UNRESOLVABLE in peer.get_last_error_message(), peer.get_last_error_message())
		check_equal(peer.get_local_port(), port, "the port")
		check_equal(peer.is_socket_connected(), false, "is_socket_connected")
		check_equal(peer.put_packet(numbered(2)), OK, "put_packet")
		check_equal(numbers_of(take(friend, 2)), PackedInt32Array([1, 2]), "what arrives")


func test_every_newer_call_cancels_it() -> void:
	var friend := bound_peer(NATIVE)
	var port: int = friend.get_local_port()
	for call: StringName in NAMESAKES:
		for first: String in ["localhost", UNRESOLVABLE, LOOPBACK]:
			for newer: StringName in NAMESAKES.values() + NAMESAKES.keys() + [&"close"]:
				for host: String in [LOOPBACK, "localhost", UNRESOLVABLE, "*"]:
					if newer == &"close" and host != LOOPBACK:
						continue
					await _check_cancelled(call, first, newer, host, port)


func test_a_port_out_of_range_cancels_too() -> void:
	var peer := make_peer(OURS)
	var listener := _Listener.new(peer)
	allow_lines("connect_to_host")
	for newer: StringName in [&"connect_to_host", CONNECT]:
		check_equal(peer.set_dest_address_async(UNRESOLVABLE, 9), OK, SET)
		check_equal(peer.callv(newer, ["localhost", 0]), ERR_INVALID_PARAMETER, newer)
		check_equal(peer.is_resolving(), false, "is_resolving")
	await Frames.wait(5)
	listener.check_all(self, 0)


func test_a_freed_peer_emits_nothing() -> void:
	var emissions := [0]
	for i in 200:
		var peer := make_peer(OURS)
		peer.host_resolved.connect(func(_error: Error, _ip: String) -> void: emissions[0] += 1)
		peer.callv(CONNECT if i % 2 else SET, [[UNRESOLVABLE, "localhost", LOOPBACK][i % 3], 9])
		if i % 5 == 0:
			_await_answer(peer)  # so that an emission is due
		peer = null
		if i % 7 == 0:
			await Frames.wait(1)
	await Frames.wait(5)
	check_equal(emissions[0], 0, "emissions")


func test_a_connected_peer_keeps_its_destination_and_says_so() -> void:
	var friend := bound_peer(NATIVE)
	for host: String in [LOOPBACK, "localhost", UNRESOLVABLE]:
		var peer := connected_to(friend, OURS)
		var listener := _Listener.new(peer)
		refused("connected", peer, SET, [host, 9], OK, [host, "close()"])
		check_equal(peer.is_resolving(), false, "is_resolving")
		check_equal(listener.answers, [], "within the call")
		await _until_emitted(listener)
		check_equal(listener.last(), [ERR_LOCKED, ""], "the emission")
		listener.check_all(self, 1)
		check("connected" in peer.get_last_error_message(), peer.get_last_error_message())
		check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
		check_equal(numbers_of(take(friend)), PackedInt32Array([1]), "what arrives")


func test_connecting_that_the_system_refuses_closes_the_peer() -> void:
	if not needs(&"guarded connecting"):
		return
	for bound: bool in [false, true]:
		var peer := bound_peer(OURS, "0.0.0.0") if bound else make_peer(OURS)
		var listener := _Listener.new(peer)
		var call_it := func() -> void:
			check_equal(peer.connect_to_host_async(BROADCAST, 9), OK, CONNECT)
		check_equal(lines_of(call_it), PackedStringArray(), "lines within the call")
		check_equal(peer.is_bound(), false, "is_bound")
		await _until_emitted(listener)
		check_equal(listener.answers, [[FAILED, BROADCAST]], "the emission")
		# One line is printed with the signal.
		var lines := _error_log.take_lines()
		expected_line_count += lines.size()
		check_equal(lines.size(), 1, "lines (%s)" % "; ".join(lines))
		for named: String in [CONNECT, BROADCAST]:
			check(named in "".join(lines), "'%s' is not named in: %s" % [named, "; ".join(lines)])
		check(peer.get_last_os_error() != 0, "get_last_os_error")
		check(BROADCAST in peer.get_last_error_message(), peer.get_last_error_message())
		check_equal(peer.bind(0, LOOPBACK), OK, "bind")


func test_the_first_calls_may_come_from_two_threads_at_once() -> void:
	const COUNT := 1500
	var peers: Array[PacketPeer] = []
	var emissions := PackedInt32Array()
	emissions.resize(COUNT)
	for i in COUNT:
		peers.append(make_peer(OURS))
		peers[i].host_resolved.connect(func(_error: Error, _ip: String) -> void: emissions[i] += 1)
	var call_it := func(number: int) -> bool:
		return peers[number].set_dest_address_async(LOOPBACK, 9) == OK
	check_equal(race(COUNT, call_it, call_it), [0, 0], "calls that failed")
	await Frames.until(func() -> bool: return not 0 in emissions)
	check_equal(emissions.count(0), 0, "peers that emitted nothing")
	await Frames.wait(3)
	emissions.fill(0)
	for peer in peers:
		peer.set_dest_address_async(LOOPBACK, 9)
	await Frames.until(func() -> bool: return not 0 in emissions)
	await Frames.wait(3)
	check_equal(emissions.count(1), COUNT, "peers that emitted once more")


func test_host_resolved_emits_no_packets_available() -> void:
	var peer := receiver(true)
	send(sender_to(peer), [numbered(1), numbered(2)])
	arrived(peer, 2)
	var counts := PackedInt32Array()
	peer.packets_available.connect(func(count: int) -> void: counts.append(count))
	await Frames.wait(3)
	counts.clear()
	var listener := _Listener.new(peer)
	check_equal(peer.set_dest_address_async(LOOPBACK, 9), OK, SET)
	await _until_emitted(listener)
	await Frames.wait(3)
	check_equal(counts, PackedInt32Array(), "packets_available, though none has come")


func test_it_can_be_awaited() -> void:
	var friend := bound_peer(NATIVE)
	var peer := make_peer(OURS)
	var got := []
	var connect_and_send := func() -> void:
		for host: String in [LOOPBACK, UNRESOLVABLE]:
			if peer.connect_to_host_async(host, friend.get_local_port()) == OK:
				got.append(await peer.host_resolved)
		peer.put_packet(numbered(1))
	connect_and_send.call()
	await Frames.until(func() -> bool: return got.size() == 2)
	check_equal(got, [[OK, LOOPBACK], [ERR_CANT_RESOLVE, ""]], "what the awaits returned")
	check_equal(numbers_of(take(friend)), PackedInt32Array([1]), "what arrives")


func test_the_peer_may_be_used_closed_or_freed_in_the_handler() -> void:
	var friend := bound_peer(NATIVE)
	var port: int = friend.get_local_port()
	var actions: Array[Callable] = [
		func(held: Array) -> void: held.clear(),
		func(held: Array) -> void: held[0].close(),
		func(held: Array) -> void: held[0] = make_peer(OURS),
		func(held: Array) -> void: held[0].connect_to_host("localhost", port),
		func(held: Array) -> void: held[0].connect_to_host_async(LOOPBACK, port),
		func(held: Array) -> void: held[0].set_dest_address(LOOPBACK, port),
		func(held: Array) -> void: held[0].put_packet(numbered(1)),
		func(held: Array) -> void:
			held[0].close()
			held[0].bind(0, LOOPBACK),
	]
	for action in actions:
		for host: String in [LOOPBACK, "localhost", UNRESOLVABLE]:
			var held := [make_peer(OURS)]
			var emissions := [0]
			held[0].set_dest_address(LOOPBACK, port)
			held[0].host_resolved.connect(
				func(_error: Error, _ip: String) -> void:
					emissions[0] += 1
					if emissions[0] == 1:
						action.call(held)
			)
			check_equal(held[0].set_dest_address_async(host, port), OK, SET)
			await Frames.until(func() -> bool: return emissions[0] > 0)
			check(emissions[0] > 0, "no emission")
			held.clear()
	await Frames.wait(3)


func test_the_handler_may_call_again() -> void:
	var hosts: Array[String] = ["localhost", LOOPBACK, UNRESOLVABLE, "localhost", LOOPBACK]
	var peer := make_peer(OURS)
	var listener := _Listener.new(peer)
	# Weak: the connection would keep its own peer.
	var weak: WeakRef = weakref(peer)
	var next := func(_error: Error, _ip: String) -> void:
		if listener.answers.size() < hosts.size():
			weak.get_ref().set_dest_address_async(hosts[listener.answers.size()], 9)
	peer.host_resolved.connect(next)
	check_equal(peer.set_dest_address_async(hosts[0], 9), OK, SET)
	check(
		await _until_emitted(listener, hosts.size()), "only %d emissions" % listener.answers.size()
	)
	await Frames.wait(5)
	listener.check_all(self, hosts.size())
	for i in listener.answers.size():
		var expected := ERR_CANT_RESOLVE if hosts[i] == UNRESOLVABLE else OK
		check_equal(listener.answers[i][0], expected, hosts[i])
	for i in range(1, listener.frames.size()):
		check(listener.frames[i] > listener.frames[i - 1], "two in frame %d" % listener.frames[i])


func test_a_subclass_receives_its_own_signal() -> void:
	var script := GDScript.new()
	script.source_code = (
		"extends %s\n" % OURS
		+ "var received: Array = []\n"
		+ "func _init() -> void:\n\thost_resolved.connect(_on_host_resolved)\n"
		+ "func dial(host: String) -> Error:\n\treturn connect_to_host_async(host, 9)\n"
		+ "func _on_host_resolved(error: Error, ip: String) -> void:\n\treceived = [error, ip]\n"
	)
	check_equal(script.reload(), OK, "the script compiles")
	var peer: PacketPeer = script.new()
	check_equal(peer.dial(LOOPBACK), OK, "dial")
	await Frames.until(func() -> bool: return not peer.received.is_empty())
	check_equal(peer.received, [OK, LOOPBACK], "what it received")


func test_it_works_beside_packets_available() -> void:
	var peer := receiver(true)
	var listener := _Listener.new(peer)
	var packets := [0, 0]  # the count and the frame of the signal
	peer.packets_available.connect(
		func(count: int) -> void: packets.assign([count, Engine.get_process_frames()])
	)
	var sender := sender_to(peer)
	send(sender, [numbered(1)])
	arrived(peer)
	check_equal(peer.set_dest_address_async(LOOPBACK, 9), OK, SET)
	var both := func() -> bool: return packets[0] > 0 and not listener.answers.is_empty()
	check(await Frames.until(both), "not both signals came")
	check_equal(listener.frames, PackedInt64Array([packets[1]]), "the frame")
	check_equal(packets[0], 1, "packets of the signal")
	listener.check_all(self, 1)


func test_calls_may_come_from_any_thread() -> void:
	var peer := make_peer(OURS)
	var listener := _Listener.new(peer)
	var hosts: Array[String] = [LOOPBACK, "localhost", UNRESOLVABLE]
	var call_often := func(offset: int) -> int:
		var wrong := 0
		for i in 100:
			var host := hosts[(i + offset) % hosts.size()]
			wrong += int(peer.set_dest_address_async(host, 9) != OK)
			peer.is_resolving()
			if i % 10 == 9:
				peer.close()
		return wrong
	var threads: Array[Thread] = []
	for i in 4:
		threads.append(in_thread(call_often.bind(i)))
	await Frames.until(
		func() -> bool:
			return threads.all(func(thread: Thread) -> bool: return not thread.is_alive())
	)
	for thread in threads:
		check_equal(join(thread), 0, "calls that were not taken")
	await Frames.wait(5)
	# Another thread may have started a look-up before the handler of the last one ran. From here on
	# there is one call only.
	listener.while_resolving = 0
	var before := listener.answers.size()
	check(before <= 400, "%d signals for 400 calls" % before)
	# The last call is not cancelled.
	check_equal(in_thread(peer.set_dest_address_async.bind(LOOPBACK, 9)).wait_to_finish(), OK, SET)
	check(await _until_emitted(listener, before + 1), "no emission for the last call")
	check_equal(listener.last(), [OK, LOOPBACK], "the last emission")
	listener.check_all(self, before + 1)


func test_each_of_a_thousand_peers_emits_its_own_answer() -> void:
	var peers: Array[PacketPeer] = []
	var listeners: Array[_Listener] = []
	var hosts: Array[String] = [LOOPBACK, UNRESOLVABLE, "127.0.0.2", "other-" + UNRESOLVABLE]
	var most := 0
	var threads := Process.threads() if Platform.has(&"process figures") else 0
	for i in 1000:
		peers.append(make_peer(OURS))
		listeners.append(_Listener.new(peers[i]))
		check_equal(peers[i].set_dest_address_async(hosts[i % 4], 9), OK, "call %d" % i)
		if threads > 0 and i % 50 == 0:
			most = maxi(most, Process.threads() - threads)
	var all_emitted := func() -> bool:
		return listeners.all(func(one: _Listener) -> bool: return not one.answers.is_empty())
	check(await Frames.until(all_emitted), "not all emitted")
	await Frames.wait(3)
	for i in 1000:
		var is_numeric := i % 2 == 0
		var expected := [OK, hosts[i % 4]] if is_numeric else [ERR_CANT_RESOLVE, ""]
		check_equal(listeners[i].last(), expected, "the emission of peer %d" % i)
		listeners[i].check_all(self, 1)
	check(most <= 8, "%d threads more" % most)
	note("at most %d threads more" % most)


# Compares the result of a call with that of the blocking method on an equal peer.
func _check_like_namesake(call: StringName, host: String, address: String) -> void:
	var friend := bound_peer(NATIVE, "*")
	var port: int = friend.get_local_port()
	var what := "%s(%s) of a peer bound to '%s'" % [call, host, address]
	var twin := make_peer(OURS) if address.is_empty() else bound_peer(OURS, address)
	var peer := make_peer(OURS) if address.is_empty() else bound_peer(OURS, address)
	var expected := []
	lines_of(func() -> void: expected.append(twin.callv(NAMESAKES[call], [host, port])))
	var listener := _Listener.new(peer)
	check_equal(peer.callv(call, [host, port]), OK, what)
	check(await _until_emitted(listener), what + ": no emission")
	check_equal(peer.is_resolving(), false, what + ": is_resolving")
	check_equal(listener.last()[0], expected[0], what + ": the emission")
	for question: StringName in [&"is_bound", &"is_socket_connected", &"get_local_address"]:
		check_equal(peer.call(question), twin.call(question), what + ": " + question)
	if expected[0] != OK:
		check_equal(listener.last()[1], "", what + ": ip")
		return
	# The signal's address is the one that packets go to.
	var ip: String = listener.last()[1]
	var is_loopback := ip == LOOPBACK or ip == "0:0:0:0:0:0:0:1"
	check(is_loopback, "%s: ip is '%s'" % [what, ip])
	for sender: PacketPeer in [twin, peer]:
		check_equal(sender.put_packet(numbered(1)), OK, what + ": put_packet")
		check_equal(numbers_of(take(friend)), PackedInt32Array([1]), what + ": what arrives")
		check_equal(friend.get_packet_ip(), ip, what + ": from where")


# Makes a call and at once a newer one: only the newer one may emit a signal and have an effect.
func _check_cancelled(
	call: StringName, first: String, newer: StringName, host: String, port: int
) -> void:
	var what := "%s(%s), then %s(%s)" % [call, first, newer, host]
	var peer := make_peer(OURS)
	var listener := _Listener.new(peer)
	allow_lines("connect_to_host|set_dest_address_async")
	check_equal(peer.callv(call, [first, 9]), OK, what)
	# A connected peer refuses a destination; that is tested elsewhere.
	if peer.is_socket_connected():
		peer.close()
	var error: Variant = peer.callv(newer, [] if newer == &"close" else [host, port])
	var is_reported: bool = newer in NAMESAKES and error == OK
	if is_reported:
		check(await _until_emitted(listener), what + ": no emission")
		var expected := ERR_CANT_RESOLVE if host == UNRESOLVABLE else OK
		check_equal(listener.last()[0], expected, what + ": the emission")
	check_equal(peer.is_resolving(), false, what + ": is_resolving")
	await Frames.wait(2)
	listener.check_all(self, int(is_reported))
	var is_connected: bool = (
		newer in [&"connect_to_host", CONNECT] and host in [LOOPBACK, "localhost"]
	)
	check_equal(peer.is_socket_connected(), is_connected, what + ": is_socket_connected")


# Waits without frames. It is no lambda of the test, which would keep the peer while the test is
# suspended.
func _await_answer(peer: PacketPeer) -> void:
	check(wait_until(func() -> bool: return not peer.is_resolving()), "it resolves for ever")


func _until_emitted(listener: _Listener, count := 1) -> bool:
	return await Frames.until(func() -> bool: return listener.answers.size() >= count)


## Records host_resolved of a peer.
class _Listener:
	## [error, ip] of each signal.
	var answers: Array = []
	var frames: PackedInt64Array
	var in_other_threads := 0
	var while_resolving := 0
	# Weak: a strong reference would be a cycle.
	var _peer: WeakRef
	var _made_in := Engine.get_process_frames()

	func _init(peer: PacketPeer) -> void:
		_peer = weakref(peer)
		peer.host_resolved.connect(_on_host_resolved)

	func _on_host_resolved(error: Error, ip: String) -> void:
		answers.append([error, ip])
		frames.append(Engine.get_process_frames())
		in_other_threads += int(OS.get_thread_caller_id() != OS.get_main_thread_id())
		while_resolving += int(_peer.get_ref().is_resolving())

	func last() -> Array:
		return answers[-1] if not answers.is_empty() else [-1, ""]

	func check_all(suite: RefCounted, count: int) -> void:
		suite.check_equal(answers.size(), count, "emissions")
		suite.check_equal(in_other_threads, 0, "emissions in other threads")
		suite.check_equal(while_resolving, 0, "emissions while it resolves")
