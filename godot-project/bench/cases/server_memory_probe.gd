extends SceneTree
## Prints how many bytes a server's accepted, idle peer takes of the machine's memory. Arguments:
## which class, and of how many peers; the crowd grows from one figure to the next. Run as a process
## of its own, like the probe of peers by themselves.

const Clients := preload("../clients.gd")
const Crowd := preload("../crowd.gd")
const Process := preload("res://tests/support/process.gd")

## What the first peers bring into memory once is no peer's.
const FIRST := 10


func _init() -> void:
	var arguments := OS.get_cmdline_user_args()
	var counts := PackedInt32Array(Array(arguments.slice(1)))
	var clients := Clients.new(FIRST + counts[-1])
	var crowd := Crowd.new(arguments[0], clients)
	crowd.accept(FIRST)
	var before := Process.resident_bytes()
	var allocated_before := OS.get_static_memory_usage()
	for count in counts:
		crowd.accept(FIRST + count)
		print("resident_%d: %d" % [count, (Process.resident_bytes() - before) / count])
		var allocated := OS.get_static_memory_usage() - allocated_before
		print("allocated_%d: %d" % [count, allocated / count])
		if not crowd.problem.is_empty():
			printerr(crowd.problem)
			quit(1)
			return
	quit(0)
