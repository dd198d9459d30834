extends Node
## The far end in an engine process of its own, started by lab_process.gd. It tells the port of its
## far end, and ends when nobody asks for it any more.
## Argument: `--lab-echo=` the port that takes what it tells.

const LabFarEnd := preload("lab_far_end.gd")

const HOST := "127.0.0.1"
## The other process asks once a second, except while it stands still.
const SILENCE_MSEC := 20_000
const TELL_MSEC := 100

var _far_end := LabFarEnd.new(PacketPeerUdpRs.new())
var _control := PacketPeerUdpRs.new()
var _heard_msec := Time.get_ticks_msec()
var _next_tell_msec := 0


func play(arguments: Dictionary[String, String]) -> void:
	# Packets are answered by a thread.
	Engine.max_fps = 30
	var error := _far_end.start()
	if error == OK:
		error = _control.connect_to_host(HOST, arguments["lab-echo"].to_int())
	if error != OK:
		printerr("The Lab's far end cannot be opened: %s." % error_string(error))
		get_tree().quit(1)


func _process(_delta: float) -> void:
	var now := Time.get_ticks_msec()
	for i in _control.get_available_packet_count():
		if _control.get_packet().get_string_from_ascii() == "end":
			get_tree().quit()
		_heard_msec = now
	if now >= _next_tell_msec:
		_next_tell_msec = now + TELL_MSEC
		_control.put_packet(str(_far_end.port()).to_ascii_buffer())
	if now - _heard_msec > SILENCE_MSEC:
		get_tree().quit()


func _exit_tree() -> void:
	_far_end.stop()
	_control.close()
