# gdlint: disable=max-public-methods
extends RefCounted
## Base of every suite. A suite is a script in tests/suites/; each of its methods "test_…" is a
## test, run on an object of its own:
## [br]- with the parameter [code]kind[/code], once for PacketPeerUDP and once for PacketPeerUdpRs.
##   What the two answered (see [method answer] and [method record]) has to be the same;
## [br]- without parameters, once: a test of what only PacketPeerUdpRs has or does better.

const ErrorLog := preload("error_log.gd")
const Platform := preload("platform.gd")
const Process := preload("process.gd")

const NATIVE := &"PacketPeerUDP"
const OURS := &"PacketPeerUdpRs"
const LOOPBACK := "127.0.0.1"
const LOOPBACK_6 := "::1"
## How long a test waits for something before it fails. A busy machine may take seconds for what an
## idle one does in a millisecond.
const TIMEOUT_MSEC := 30_000
## The upper bound for a call that must not wait for something that never comes.
const AT_ONCE_MSEC := 10_000

## What went wrong, for the runner.
var failures: PackedStringArray
## What the peers answered: [what, value] in the order of asking, for the runner.
var answers: Array[Array]
## Why the test was skipped; "" where it was not.
var skip_reason := ""
## How many checks were made: a test that made none has shown nothing.
var check_count := 0
## How many lines in the engine's log the test expected and got.
var expected_line_count := 0
## Figures worth seeing also when the test passes.
var notes: PackedStringArray
## The address of [method free_port]. Linux and Windows have all of 127.0.0.0/8.
var free_address := "127.0.0.2" if Platform.has(&"many loopback addresses") else LOOPBACK

# What a queue prints that drops. It comes with the next frame, perhaps in another test.
var _drop_notice := RegEx.create_from_string("PacketPeerUdpRs.queue_size: the queue of")
var _error_log: ErrorLog
var _unclaimed_lines: PackedStringArray
var _allowed_patterns: Array[RegEx]
var _threads: Array[Thread]
# Peers that stay open until the test ends.
var _kept: Array[PacketPeer]


func start(error_log: ErrorLog) -> void:
	_error_log = error_log


## Called by the runner after the test: threads still running and lines that nobody expected are
## failures.
func finish() -> void:
	for thread in _threads:
		if thread.is_started():
			join(thread)
	_unclaimed_lines.append_array(_error_log.take_lines())
	for line in _unclaimed_lines:
		if _is_allowed(line):
			expected_line_count += 1
		else:
			fail("unexpected in the log: " + line)


# ---- checks -------------------------------------------------------------------------------------


func fail(what: String) -> void:
	failures.append(what)


func check(condition: bool, what: String) -> void:
	check_count += 1
	if not condition:
		fail(what)


func check_equal(got: Variant, expected: Variant, what: String) -> void:
	check(same(got, expected), "%s: got %s, expected %s" % [what, written(got), written(expected)])


## Checks an answer of a peer, and records it for the comparison of the two kinds.
func answer(what: String, got: Variant, expected: Variant) -> void:
	check_equal(got, expected, what)
	record(what, got)


## Records an answer for the comparison of the two kinds.
func record(what: String, got: Variant) -> void:
	check_count += 1
	answers.append([what, got])


func skip(reason: String) -> void:
	skip_reason = reason


func note(text: String) -> void:
	notes.append(text)


## Whether two values are the same in type and content.
static func same(one: Variant, other: Variant) -> bool:
	return typeof(one) == typeof(other) and one == other


## A value for a message: short, and strings in quotes.
static func written(value: Variant) -> String:
	var text := var_to_str(value)
	return text if text.length() < 200 else text.left(200) + "…"


# ---- the engine's log ----------------------------------------------------------------------------


## Runs [param call] and returns the lines that the engine prints meanwhile, which are expected.
func lines_of(call: Callable) -> PackedStringArray:
	_unclaimed_lines.append_array(_error_log.take_lines())
	call.call()
	var lines := _error_log.take_lines()
	for line in lines:
		if _is_fault(line):
			_unclaimed_lines.append(line)
		else:
			expected_line_count += 1
	return lines


## Lines that match the pattern may appear at any time in this test.
func allow_lines(pattern: String) -> void:
	_allowed_patterns.append(RegEx.create_from_string(pattern))


## Misuses a peer or a server: [param method] must answer [param expected]. Either both kinds print,
## or neither. Ours must print one line that names the method and everything in [param named].
func misuse(
	kind: StringName,
	what: String,
	peer: RefCounted,
	method: StringName,
	arguments: Array,
	expected: Variant,
	named: Array = []
) -> void:
	var got := []  # an array: a lambda cannot assign to a local variable
	var lines := lines_of(func() -> void: got.append(peer.callv(method, arguments)))
	if got.is_empty():
		fail("%s: %s was not called (%s)" % [what, method, "; ".join(lines)])
		return
	answer(what, got[0], expected)
	record(what + ": prints a line", not lines.is_empty())
	# Not a method that the class inherits from PacketPeer.
	var title := peer.get_class()
	var is_ours := ClassDB.class_has_method(title, method, true)
	var mine := Array(lines).filter(func(line: String) -> bool: return is_ours or title in line)
	if kind == OURS and not mine.is_empty():
		check_equal(lines.size(), 1, "%s: lines printed (%s)" % [what, "; ".join(lines)])
		for name: String in named + ([method] if is_ours else []):
			name = '""' if name.is_empty() else name
			check(name in lines[0], "%s: '%s' is not named in: %s" % [what, name, lines[0]])


# ---- peers --------------------------------------------------------------------------------------


func make_peer(kind: StringName) -> PacketPeer:
	return ClassDB.instantiate(kind)


## A peer bound to a free port.
func bound_peer(kind: StringName, address := LOOPBACK, recv_buf_size := 65536) -> PacketPeer:
	var peer := make_peer(kind)
	var error: Error = peer.bind(0, address, recv_buf_size)
	check(error == OK, "cannot bind a %s to %s: %s" % [kind, address, error_string(error)])
	return peer


## A peer that sends to [param receiver], a peer or a server.
func sender_to(receiver: RefCounted, kind := NATIVE, address := LOOPBACK) -> PacketPeer:
	var peer := make_peer(kind)
	check_equal(
		peer.set_dest_address(address, receiver.get_local_port()), OK, "set_dest_address " + address
	)
	return peer


## A peer connected to [param other], a peer or a server.
func connected_to(other: RefCounted, kind: StringName, address := LOOPBACK) -> PacketPeer:
	var peer := make_peer(kind)
	check_equal(
		peer.connect_to_host(address, other.get_local_port()), OK, "connect_to_host " + address
	)
	return peer


## A peer whose port refuses what others send to it: it is connected to itself, so the system takes
## nothing from anyone else for it. The port stays reserved while the peer is open. Connect it to a
## sender, and the port is open for that sender.
func refusing_peer() -> PacketPeer:
	var peer := bound_peer(NATIVE)
	check_equal(peer.connect_to_host(LOOPBACK, peer.get_local_port()), OK, "connect to itself")
	return peer


## A port on loopback that refuses packets until the test ends.
func closed_port() -> int:
	_kept.append(refusing_peer())
	return _kept[-1].get_local_port()


## Waits until a packet sent now to [param port] has been refused. Refusals of earlier packets have
## arrived by then as well.
func until_refused(port: int) -> void:
	var prober := make_peer(OURS)
	check_equal(prober.connect_to_host(LOOPBACK, port), OK, "connect the prober")
	check_equal(prober.put_packet(numbered(0)), OK, "send from the prober")
	var is_refused := func() -> bool:
		prober.poll()
		return prober.get_stats().receive_errors > 0
	check(wait_until(is_refused), "port %d refuses nothing" % port)


## A free port on [member free_address] that no other program gets when it asks for any port.
func free_port() -> int:
	if free_address == LOOPBACK:
		return bound_peer(NATIVE).get_local_port()
	# The same port on another address of loopback keeps it from being chosen.
	_kept.append(bound_peer(NATIVE))
	return _kept[-1].get_local_port()


## The port of a peer of [param kind] that stays open until the test ends.
func taken_port(kind: StringName, address := LOOPBACK) -> int:
	_kept.append(bound_peer(kind, address))
	return _kept[-1].get_local_port()


func send(sender: PacketPeer, packets: Array) -> void:
	for packet: PackedByteArray in packets:
		check_equal(sender.put_packet(packet), OK, "sending %d bytes" % packet.size())


## How many packets are queued in [param peer].
func queued(peer: PacketPeer) -> int:
	return peer.get_available_packet_count()


## Waits until [param count] packets are queued.
func arrived(peer: PacketPeer, count := 1) -> bool:
	var came := wait_until(func() -> bool: return queued(peer) >= count)
	check(came, "%d of %d packets arrived" % [peer.get_available_packet_count(), count])
	return came


## Waits for [param count] packets and takes them.
func take(peer: PacketPeer, count := 1) -> Array[PackedByteArray]:
	var packets: Array[PackedByteArray] = []
	while packets.size() < count and arrived(peer):
		packets.append(peer.get_packet())
		check_equal(peer.get_packet_error(), OK, "get_packet_error")
	return packets


## A packet of [param size] bytes that contains its number.
static func numbered(number: int, size := 16) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(size)
	packet.fill((number * 31 + 7) & 0xff)
	packet.encode_u32(0, number)
	return packet


## The number of a packet of [method numbered]; -1 if it is damaged.
static func number_of(packet: PackedByteArray, size := 16) -> int:
	if packet.size() != size:
		return -1
	var number := packet.decode_u32(0)
	return number if packet == numbered(number, size) else -1


static func bytes(text: String) -> PackedByteArray:
	return text.to_utf8_buffer()


# ---- the machine --------------------------------------------------------------------------------


## Whether the machine has IPv6; skips the test otherwise.
func needs_ipv6() -> bool:
	if not has_ipv6():
		skip("this machine has no IPv6")
	return has_ipv6()


static func has_ipv6() -> bool:
	return PacketPeerUDP.new().bind(0, LOOPBACK_6) == OK


## The loopback addresses of the families that the machine has.
static func loopback_addresses() -> Array[String]:
	var addresses: Array[String] = [LOOPBACK]
	if has_ipv6():
		addresses.append(LOOPBACK_6)
	return addresses


## Whether this system has a capability, see platform.gd; skips the test with the reason otherwise.
func needs(capability: StringName) -> bool:
	if not Platform.has(capability):
		skip(Platform.reason(capability))
	return Platform.has(capability)


## An idle peer, or an accepted connection of a server, must take at most [param most] bytes of
## memory. Native is only measured.
func check_memory(kind: StringName, title: StringName, most: int) -> void:
	# A script may start the engine; then GODOT names that script.
	var engine := OS.get_environment("GODOT")
	if engine.is_empty():
		engine = OS.get_executable_path()
	var output := []
	var arguments := ["--headless", "--path", ProjectSettings.globalize_path("res://")]
	arguments += ["--script", "res://tests/support/memory_probe.gd", "--", String(title)]
	check_equal(OS.execute(engine, arguments, output, true), 0, "the probe's exit code")
	var resident := _figure(output[0], "resident")
	note(
		(
			"%d bytes resident per idle peer (the engine allocated %d)"
			% [resident, _figure(output[0], "allocated")]
		)
	)
	check(resident > 0, "the probe measured nothing: " + output[0])
	if kind == OURS:
		check(resident <= most, "%d bytes per idle peer, more than %d" % [resident, most])


## Text that does not resolve: [param name], "*", and "" where that is no name of this machine.
static func unresolvable(name: String) -> Array[String]:
	var texts: Array[String] = ["*", name]
	if Platform.has(&"unresolvable empty name"):
		texts.push_front("")
	return texts


## The first line of a file of Linux' /proc or /sys; "" if there is none. These files have no
## length, so get_file_as_string() returns "".
static func first_line(path: String) -> String:
	var file := FileAccess.open(path, FileAccess.READ)
	return "" if file == null else file.get_line()


## The name of the interface that has 127.0.0.1.
func loopback_interface() -> String:
	return _loopback("name")


## Its index, as text.
func loopback_index() -> String:
	return _loopback("index")


## Sends an empty datagram to a port on [param address]. No native peer can: put_packet() of nothing
## returns before it asks the peer. Python sends it, or ours where there is no Python.
func send_empty_datagram(port: int, address := LOOPBACK) -> bool:
	var program := (
		"import socket, sys; to = (sys.argv[1], int(sys.argv[2])); "
		+ "family = socket.AF_INET6 if ':' in to[0] else socket.AF_INET; "
		+ "socket.socket(family, socket.SOCK_DGRAM).sendto(b'', to)"
	)
	for python: String in ["python3", "python"]:
		var arguments := ["-c", program, address, str(port)]
		var codes := []
		# Some platforms print an error if the program is missing.
		lines_of(func() -> void: codes.append(OS.execute(python, arguments)))
		if codes == [0]:
			return true
	check_equal(make_peer(OURS).send_to(PackedByteArray(), address, port), OK, "send_to of nothing")
	return true


# ---- time and threads ---------------------------------------------------------------------------


## Waits until [param condition] holds; false if it does not within [param msec].
func wait_until(condition: Callable, msec := TIMEOUT_MSEC) -> bool:
	var deadline := Time.get_ticks_msec() + msec
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			return false
		OS.delay_usec(200)
	return true


## Runs [param body] in a thread, which is joined at the end of the test at the latest.
func in_thread(body: Callable) -> Thread:
	var thread := Thread.new()
	_threads.append(thread)
	thread.start(body)
	return thread


## Waits for the thread and returns its result; a failure if it does not end in time.
func join(thread: Thread) -> Variant:
	if not wait_until(func() -> bool: return not thread.is_alive()):
		fail("a thread is still running after %d ms" % TIMEOUT_MSEC)
	# Blocks as long as the thread does; then the watchdog ends the engine and names the test.
	return thread.wait_to_finish()


## Starts threads that call wait() on a peer. When this returns, they sleep there: on Linux no other
## thread of the process runs, elsewhere they have had 100 ms.
func waiting_threads(peer: PacketPeer, count: int, timeout_msec := -1) -> Array[Thread]:
	var started := Semaphore.new()
	var wait_on_it := func() -> Error:
		started.post()
		# Native's wait() has no parameter.
		return peer.wait() if timeout_msec == -1 else peer.wait(timeout_msec)
	var threads: Array[Thread] = []
	for i in count:
		threads.append(in_thread(wait_on_it))
	for i in count:
		started.wait()
	if Platform.has(&"process figures"):
		var samples := PackedInt32Array()
		var all_sleep := func() -> bool:
			OS.delay_msec(2)
			samples.append(Process.runnable_threads())
			# Only this thread runs.
			return samples.size() >= 5 and samples.slice(-5).count(1) == 5
		wait_until(all_sleep, 2000)  # other threads of a test may run on purpose
	else:
		OS.delay_msec(100)
	return threads


## How many milliseconds a call takes.
static func msec_of(call: Callable) -> int:
	var start := Time.get_ticks_msec()
	call.call()
	return Time.get_ticks_msec() - start


func _loopback(key: String) -> String:
	for interface in IP.get_local_interfaces():
		if LOOPBACK in interface.addresses:
			return interface[key]
	fail("there is no loopback interface")
	return ""


# A value that the probe has printed; -1 if there is none.
static func _figure(output: String, what: String) -> int:
	var found := RegEx.create_from_string(what + ": (\\d+)").search(output)
	return -1 if found == null else found.get_string(1).to_int()


# Whether no test may expect this line: script errors, and panics of the addon.
static func _is_fault(line: String) -> bool:
	return line.begins_with("SCRIPT ERROR") or line.contains("panic")


func _is_allowed(line: String) -> bool:
	var matches := func(pattern: RegEx) -> bool: return pattern.search(line) != null
	return not _is_fault(line) and (matches.call(_drop_notice) or _allowed_patterns.any(matches))


## Has six threads call [param body] at once, each with a seed and the time when to end, two seconds
## from now. It returns the answers that it did not expect, as [method call_at_random] does; each is
## a failure. Returns the lines that were printed meanwhile.
func hammered(body: Callable) -> PackedStringArray:
	var start := Time.get_ticks_msec()
	var unexpected: PackedStringArray = []
	var hammer := func() -> void:
		var threads: Array[Thread] = []
		for i in 6:
			threads.append(in_thread(body.bind(1000 + i, start + 2000)))
		for thread in threads:
			unexpected.append_array(join(thread))
	var lines := lines_of(hammer)
	for text in unexpected:
		fail(text)
	note("%d lines in %d ms" % [lines.size(), Time.get_ticks_msec() - start])
	return lines


## Makes calls that [param choose] picks at random until [param end_msec], and 200 at least. Each is
## [name, Callable, the answers that are allowed], where [] allows any. Packets of 100 bytes must be
## whole. Returns unexpected answers, five at most.
static func call_at_random(choose: Callable, end_msec: int) -> PackedStringArray:
	var unexpected: PackedStringArray
	var count := 0
	while Time.get_ticks_msec() < end_msec or count < 200:
		var call: Array = choose.call()
		var got: Variant = call[1].call()
		count += 1
		var is_allowed: bool = call[2].is_empty() or got in call[2]
		if got is PackedByteArray and call[0] == "get_packet":
			is_allowed = got.is_empty() or number_of(got, 100) >= 1000
		if not is_allowed and unexpected.size() < 5:
			unexpected.append("%s answered %s" % [call[0], written(got)])
	return unexpected


## Calls [param first] and [param second] in two threads for each number below [param count], as far
## as possible at the same moment. Each returns whether it succeeded; the failures of both are
## returned. Every few numbers the threads sleep until both have come there. In between a thread
## looks for the other one for 300 µs at most, and no more after 1,000 times in vain: on a busy
## machine they seldom run at the same time.
func race(count: int, first: Callable, second: Callable) -> Array:
	var turns: Array[Semaphore] = [Semaphore.new(), Semaphore.new()]
	var begun := PackedInt32Array([0, 0])
	var run := func(body: Callable, own: int) -> int:
		var failed := 0
		var missed := 0
		for i in count:
			if i % 32 == 0:
				turns[1 - own].post()
				turns[own].wait()
			begun[own] = i + 1
			var end := Time.get_ticks_usec() + (300 if missed < 1000 else 0)
			while begun[1 - own] < i + 1 and Time.get_ticks_usec() < end:
				pass
			missed += int(begun[1 - own] < i + 1)
			failed += int(not body.call(i))
		return failed
	var threads: Array[Thread] = [in_thread(run.bind(first, 0)), in_thread(run.bind(second, 1))]
	return threads.map(join)
