extends Node
## A game whose peers exchange packets with the engine's own class and with a second process of the
## same game. It ends with a line that says whether all was well. With "--leave CASE FLOOD" after
## "--", it quits in the middle of something instead, see support/busy.gd.
## See scripts/export_test.sh.

const Busy := preload("../support/busy.gd")
const Mapped := preload("mapped.gd")
const HOST := "127.0.0.1"
const TIMEOUT_MSEC := 10_000

var _checks := 0
var _failures: PackedStringArray
var _signalled := 0
# A member, so that it is in the middle of it when the game quits.
var _busy := Busy.new()


func _ready() -> void:
	var arguments := OS.get_cmdline_user_args()
	if arguments.size() == 2 and arguments[0] == "--client":
		await _be_client(arguments[1].to_int())
	elif arguments.size() == 3 and arguments[0] == "--leave":
		await _leave(arguments[1], arguments[2])
	else:
		await _be_game()
	for failure in _failures:
		print("game: FAILED: " + failure)
	get_tree().quit(0 if _failures.is_empty() else 1)


func _be_game() -> void:
	_check_library()
	await _exchange_with_native()
	await _receive_in_background()
	await _serve_another_process()
	if _failures.is_empty():
		print("game: all %d checks held, %s" % [_checks, _kind()])


func _leave(case: String, flood: String) -> void:
	_busy.flood = flood
	_check(_busy.begin(case), "cannot begin")
	await _until(_busy.is_busy)
	_check(_busy.is_busy(), "not in the middle of it")
	if _failures.is_empty():
		print("game: quits in the middle of %s" % case)


static func _kind() -> String:
	if OS.has_feature("editor"):
		return "in the editor's engine"
	return "exported for " + ("debugging" if OS.is_debug_build() else "release")


# The editor's engine loads the library with the class reference, an exported game the other one,
# which is beside it.
func _check_library() -> void:
	var libraries := Mapped.libraries()
	_check(libraries.size() == 1, "the libraries in memory are %s" % [libraries])
	for library in libraries:
		print("game: has loaded " + library.get_file())
		if OS.has_feature("editor"):
			_check(library.ends_with(".editor.so"), "an editor's engine has loaded " + library)
		else:
			var expected := OS.get_executable_path().get_base_dir().path_join(
				"libpacket_peer_udp_rs.so"
			)
			_check(library == expected, "an exported game has loaded %s" % library)


# Bytes and Variants, both ways.
func _exchange_with_native() -> void:
	var ours := PacketPeerUdpRs.new()
	var native := PacketPeerUDP.new()
	_check(ours.bind(0, HOST) == OK and native.bind(0, HOST) == OK, "bind")
	ours.set_dest_address(HOST, native.get_local_port())
	native.set_dest_address(HOST, ours.get_local_port())
	var value := {"name": "Zoë", "at": Vector3(1, 2, 3), "list": [1, 2.5, null]}
	for pair: Array in [[ours, native], [native, ours]]:
		var from: PacketPeer = pair[0]
		var to: PacketPeer = pair[1]
		var what := "%s to %s: " % [from.get_class(), to.get_class()]
		_check(from.put_packet([0, 255, 7]) == OK, what + "put_packet")
		_check(from.put_var(value) == OK, what + "put_var")
		await _until(func() -> bool: return to.get_available_packet_count() == 2)
		_check(to.get_packet() == PackedByteArray([0, 255, 7]), what + "the bytes")
		_check(to.get_var() == value, what + "the Variant")
	_check(ours.get_packet_ip() == HOST, "the sender's address")
	_check(ours.get_packet_port() == native.get_local_port(), "the sender's port")


# A peer receives while the game's thread is busy, and signals it afterwards.
func _receive_in_background() -> void:
	const COUNT := 100
	var peer := PacketPeerUdpRs.new()
	var sender := PacketPeerUDP.new()
	peer.background_receive = true
	peer.packets_available.connect(func(count: int) -> void: _signalled += count)
	_check(peer.bind(0, HOST) == OK, "bind")
	sender.set_dest_address(HOST, peer.get_local_port())
	for i in COUNT:
		sender.put_var(i)
	# No frame passes meanwhile, and nothing asks the socket.
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while peer.get_stats().packets_received < COUNT and Time.get_ticks_msec() < deadline:
		OS.delay_msec(1)
	await _until(func() -> bool: return _signalled >= COUNT)
	_check(_signalled == COUNT, "%d packets signalled" % _signalled)
	for i in COUNT:
		_check(peer.get_var() == i, "packet %d" % i)


# A server of this process, and a client that is another process of the same game.
func _serve_another_process() -> void:
	var server := UdpServerRs.new()
	server.background_receive = true
	_check(server.listen(0, HOST) == OK, "listen")
	var client := _start_client(server.get_local_port())
	await _until(func() -> bool: return server.is_connection_available())
	var peer := server.take_connection()
	_check(peer != null, "no client came")
	if peer != null:
		await _until(func() -> bool: return peer.get_available_packet_count() > 0)
		var question: Variant = peer.get_var()
		_check(question is Dictionary and question.get("pid") == client, "it says %s" % question)
		_check(peer.put_var({"answer": 42, "port": peer.get_packet_port()}) == OK, "the answer")
	await _until(func() -> bool: return not OS.is_process_running(client))
	_check(OS.get_process_exit_code(client) == 0, "the other process failed")


func _start_client(port: int) -> int:
	var program := OS.get_executable_path()
	var arguments: PackedStringArray = ["--headless"]
	if OS.has_feature("editor"):
		# The engine may be started by a program loader, see scripts/get_godot.sh.
		program = OS.get_environment("GODOT")
		arguments.append_array(["--path", ProjectSettings.globalize_path("res://")])
	arguments.append_array(["--", "--client", str(port)])
	return OS.create_process(program, arguments)


func _be_client(port: int) -> void:
	_check_library()
	var peer := PacketPeerUdpRs.new()
	_check(peer.connect_to_host(HOST, port) == OK, "connect_to_host")
	_check(peer.put_var({"pid": OS.get_process_id()}) == OK, "put_var")
	# As the engine's documentation of wait() suggests: in a thread.
	var thread := Thread.new()
	thread.start(func() -> Error: return peer.wait(TIMEOUT_MSEC))
	await _until(func() -> bool: return not thread.is_alive())
	_check(thread.wait_to_finish() == OK, "wait")
	var answer: Variant = peer.get_var()
	_check(
		answer is Dictionary and answer.get("port") == peer.get_local_port(), "it hears %s" % answer
	)
	if _failures.is_empty():
		print("game: the second process has its answer")


func _until(condition: Callable) -> void:
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while not condition.call() and Time.get_ticks_msec() < deadline:
		await get_tree().process_frame


func _check(condition: bool, what: String) -> void:
	_checks += 1
	if not condition:
		_failures.append(what)
