extends Logger
## Collects the engine's error lines, so that the session can tell expected ones from others.

# The engine calls a Logger on the thread that prints.
var _mutex := Mutex.new()
var _errors := PackedStringArray()


## The error lines since the last call.
func take() -> PackedStringArray:
	_mutex.lock()
	var errors := _errors.duplicate()
	_errors.clear()
	_mutex.unlock()
	return errors


# gdlint: disable=function-arguments-number
func _log_error(
	_function: String,
	_file: String,
	_line: int,
	code: String,
	rationale: String,
	_editor_notify: bool,
	error_type: int,
	_script_backtraces: Array[ScriptBacktrace]
) -> void:
	if error_type == ERROR_TYPE_WARNING:
		return
	_mutex.lock()
	_errors.append(rationale if rationale else code)
	_mutex.unlock()
# gdlint: enable=function-arguments-number
