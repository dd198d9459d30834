extends "bob.gd"
## Bob in another process, seen from the one that started him: a second Godot, or a Python program
## that knows nothing of Godot. His notes come back over a socket of their own.

enum Program { GODOT, PYTHON }

const SecondEngine := preload("../second_engine.gd")

const PYTHON_SCRIPT := "res://demo/python_peer.py"
## A Godot that starts on a slow machine takes some seconds.
const HELLO_TIMEOUT_MSEC := 30_000

## Of the process, -1 when there is none.
var pid := -1
## Where Bob's packets come from; Alice learns it from his hello.
var port := 0

var _program: Program
var _notes := PacketPeerUdpRs.new()
var _started_msec := 0


func _init(program: Program) -> void:
	_program = program


func start(alice_port: int) -> void:
	var error := _notes.bind(0, HOST)
	if error != OK:
		failed.emit("No socket for Bob's notes: %s." % _notes.get_last_error_message())
		return
	match _program:
		Program.GODOT:
			_start_godot(alice_port)
		Program.PYTHON:
			_start_python(alice_port)
	_started_msec = Time.get_ticks_msec()


func poll() -> void:
	for i in _notes.get_available_packet_count():
		var note := Note.from_json(_notes.get_packet().get_string_from_utf8())
		if note:
			noted.emit(note)
	if pid == -1:
		return
	if not OS.is_process_running(pid):
		var code := OS.get_process_exit_code(pid)
		pid = -1
		failed.emit("Bob's process ended with exit code %d." % code)
	elif port == 0 and Time.get_ticks_msec() - _started_msec > HELLO_TIMEOUT_MSEC:
		stop()
		failed.emit("Bob's process said no hello within %d s." % (HELLO_TIMEOUT_MSEC / 1000))


func stop() -> void:
	if pid != -1:
		# The pill as well, for a $GODOT that is a script: killing that would leave the engine.
		send_pill()
		OS.kill(pid)
		pid = -1
	_notes.close()


func title() -> String:
	return "a second Godot process" if _program == Program.GODOT else "a Python program"


## Asks the process to end. From a socket of its own: any packet with that content will do.
func send_pill() -> void:
	if port == 0:
		return
	var socket := PacketPeerUdpRs.new()
	socket.set_dest_address(HOST, port)
	Message.pill().send_by(socket)


func _start_godot(alice_port: int) -> void:
	_check_started(
		SecondEngine.start(["--bob=%d" % alice_port, "--notes=%d" % _notes.get_local_port()]),
		SecondEngine.path()
	)


func _start_python(alice_port: int) -> void:
	var python := _find_python()
	if python.is_empty():
		cannot_start = true
		failed.emit("There is no python3 or python on the PATH, so this Bob cannot come.")
		return
	if not FileAccess.file_exists(PYTHON_SCRIPT):
		cannot_start = true
		failed.emit("python_peer.py is not part of this build of the project.")
		return
	var arguments := PackedStringArray(
		[
			ProjectSettings.globalize_path(PYTHON_SCRIPT),
			str(alice_port),
			str(_notes.get_local_port()),
		]
	)
	_check_started(OS.create_process(python, arguments), python)


func _check_started(new_pid: int, path: String) -> void:
	pid = new_pid
	if pid == -1:
		failed.emit("%s could not be started." % path)


## Looked up by hand: to ask a Python for its version would block the game for that long.
static func _find_python() -> String:
	var windows := OS.get_name() == "Windows"
	var folders := OS.get_environment("PATH").split(";" if windows else ":", false)
	for program: String in ["python3", "python"]:
		for folder in folders:
			var path := folder.path_join(program + (".exe" if windows else ""))
			if FileAccess.file_exists(path):
				return path
	return ""
