extends RefCounted
## The far end in another process, seen from the one that started it; see lab_echo_process.gd.

const EngineProcess := preload("../engine_process.gd")

const HOST := "127.0.0.1"
const KEEP_ALIVE_MSEC := 1000
## An engine that starts on a slow machine takes some seconds.
const START_MSEC := 30_000

## Where its far end listens; 0 until that is known.
var port := 0
## Why it does not run, in words.
var trouble := ""

var _process := EngineProcess.new()
var _control := PacketPeerUdpRs.new()
var _started_msec := 0
var _next_msec := 0


func start() -> void:
	if _control.bind(0, HOST) != OK:
		trouble = "No socket for the other process: %s." % _control.get_last_error_message()
	elif not _process.run(["--lab-echo=%d" % _control.get_local_port()]):
		trouble = "A second engine process could not be started."
	_started_msec = Time.get_ticks_msec()


## To be called once a frame.
func poll() -> void:
	var now := Time.get_ticks_msec()
	for i in _control.get_available_packet_count():
		var told := _control.get_packet().get_string_from_ascii()
		if port == 0:
			port = told.to_int()
			_control.set_dest_address(HOST, _control.get_packet_port())
	if port and now >= _next_msec:
		_next_msec = now + KEEP_ALIVE_MSEC
		_control.put_packet("stay".to_ascii_buffer())
	if trouble.is_empty() and not _process.is_running():
		trouble = "The other process has ended."
	elif port == 0 and now - _started_msec > START_MSEC:
		trouble = "The other process did not answer within %d s." % (START_MSEC / 1000)


func stop() -> void:
	if port:
		# For a $GODOT that is a script, too: killing that would leave the engine.
		_control.put_packet("end".to_ascii_buffer())
	_process.stop()
	_control.close()
