extends RefCounted
## The far host of the network tests (network/far_end.py, in the namespace "far"), which one process
## plays for all of them.

const FarSocket := preload("far_socket.gd")
const PROGRAM := "res://tests/network/far_end.py"
## How long an answer may take, beyond what the request itself may wait for.
const PATIENCE_MSEC := 5000

var _process: Dictionary
var _pipe: FileAccess
var _unread := ""
var _opened := 0


func _init() -> void:
	var program := ProjectSettings.globalize_path(PROGRAM)
	var command: PackedStringArray = ["netns", "exec", "far", "python3", program]
	_process = OS.execute_with_pipe("ip", command, false)
	if not _process.is_empty():
		_pipe = _process.stdio


## A socket over there, bound to [param address] (whose family it has) and a free port.
func open(address := "0.0.0.0", port := 0) -> FarSocket:
	_opened += 1
	var socket := FarSocket.new()
	socket.name = str(_opened)
	socket.host = self
	socket.port = int(
		ask({"do": "open", "name": socket.name, "address": address, "port": port}).port
	)
	return socket


## Closes all sockets over there.
func reset() -> void:
	ask({"do": "reset"})


## What the far host answers. Where it does not, an error is printed, which fails the test.
func ask(request: Dictionary, msec := 0) -> Dictionary:
	var answer: Dictionary = {"port": 0, "packets": []}
	if _pipe == null:
		push_error("the far host could not be started")
		return answer
	_pipe.store_string(JSON.stringify(request) + "\n")
	_pipe.flush()
	var deadline := Time.get_ticks_msec() + PATIENCE_MSEC + msec
	while not "\n" in _unread:
		var read := _pipe.get_buffer(1 << 16)
		_unread += read.get_string_from_ascii()
		if read.is_empty():
			if Time.get_ticks_msec() > deadline or not OS.is_process_running(_process.pid):
				var stderr: FileAccess = _process.stderr
				push_error(
					(
						"the far host does not answer %s: %s"
						% [request, stderr.get_buffer(1 << 16).get_string_from_utf8()]
					)
				)
				return answer
			OS.delay_usec(100)
	var line := _unread.get_slice("\n", 0)
	_unread = _unread.substr(line.length() + 1)
	answer.merge(JSON.parse_string(line), true)
	if "error" in answer:
		push_error("the far host cannot do %s: %s" % [request, answer.error])
	return answer
