extends Logger
## Calls [member use] for every error that is printed, as the logger of a game may.

var use: Callable
var calls := 0


func _log_error(
	_function: String,
	_file: String,
	_line: int,
	_code: String,
	_rationale: String,
	_editor_notify: bool,
	_error_type: int,
	_script_backtraces: Array[ScriptBacktrace]
) -> void:
	calls += 1
	use.call()
