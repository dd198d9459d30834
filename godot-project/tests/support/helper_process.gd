extends RefCounted
## A Python program that runs beside this process and answers requests: helper_process.py passes
## them to the program's function answer(request). It ends when this object is freed.

const DISPATCHER := "res://tests/support/helper_process.py"
## How long an answer may take beyond what the request itself needs.
const TIMEOUT_MSEC := 30_000

var _program: String
var _process: Dictionary
var _pipe: FileAccess
var _unread := ""


## [param prefix] is what comes before python3 on the command line.
func _init(program: String, prefix: PackedStringArray = []) -> void:
	_program = program
	var command := prefix.duplicate()
	command.append("python3")
	for path: String in [DISPATCHER, program]:
		command.append(ProjectSettings.globalize_path(path))
	_process = OS.execute_with_pipe(command[0], command.slice(1), false)
	if not _process.is_empty():
		_pipe = _process.stdio


## -1 where it could not be started.
func process_id() -> int:
	return _process.get("pid", -1)


## Sends a request and returns the answer, which may take [param msec]. If there is none, an error
## is printed and the answer is empty. Blocks meanwhile.
func ask(request: Dictionary, msec := 0) -> Dictionary:
	if _pipe == null:
		push_error("%s could not be started" % _program)
		return {}
	_pipe.store_string(JSON.stringify(request) + "\n")
	_pipe.flush()
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC + msec
	while not "\n" in _unread:
		var read := _pipe.get_buffer(1 << 16)
		_unread += read.get_string_from_ascii()
		if read.is_empty():
			if Time.get_ticks_msec() > deadline or not OS.is_process_running(_process.pid):
				var stderr: FileAccess = _process.stderr
				var said := stderr.get_buffer(1 << 16).get_string_from_utf8()
				push_error("%s does not answer %s: %s" % [_program, request, said])
				return {}
			OS.delay_usec(100)
	var line := _unread.get_slice("\n", 0)
	_unread = _unread.substr(line.length() + 1)
	var answer: Dictionary = JSON.parse_string(line)
	if "error" in answer:
		push_error("%s cannot do %s: %s" % [_program, request, answer.error])
	return answer
