extends Node
## Notes whether a signal comes before or after the _process() of its frame.

var signals: PackedInt64Array
## How many came after _process() of the frame in which they came.
var late := 0
var _processed := -1


func _init() -> void:
	process_mode = PROCESS_MODE_ALWAYS


func _process(_delta: float) -> void:
	_processed = Engine.get_process_frames()


func note_signal(number: int) -> void:
	signals.append(number)
	late += int(_processed == Engine.get_process_frames())
