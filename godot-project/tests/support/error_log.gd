extends Logger
## Collects every error and warning that the engine prints, from any thread.

var _mutex := Mutex.new()
var _lines: PackedStringArray


## The lines collected since the last call, each as the log shows it ("ERROR: …").
func take_lines() -> PackedStringArray:
	_mutex.lock()
	var lines := _lines
	_lines = PackedStringArray()
	_mutex.unlock()
	return lines


# Called on the thread that prints.
func _log_error(
	_function: String,
	file: String,
	line: int,
	code: String,
	rationale: String,
	_editor_notify: bool,
	error_type: int,
	_script_backtraces: Array[ScriptBacktrace]
) -> void:
	var text := code if rationale.is_empty() else rationale
	match error_type:
		ERROR_TYPE_WARNING:
			text = "WARNING: " + text
		ERROR_TYPE_SCRIPT:
			text = "SCRIPT ERROR: %s (%s:%d)" % [text, file, line]
		ERROR_TYPE_SHADER:
			text = "SHADER ERROR: " + text
		_:
			text = "ERROR: " + text
	_mutex.lock()
	_lines.append(text)
	_mutex.unlock()
