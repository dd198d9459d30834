extends RefCounted
## This project in another process, started and ended from this one.

const SecondEngine := preload("second_engine.gd")

## -1 when there is none.
var pid := -1


func is_running() -> bool:
	return pid != -1 and OS.is_process_running(pid)


## Kills it, as a crash would.
func stop() -> void:
	if pid != -1:
		OS.kill(pid)
		pid = -1


## `arguments` are for the project's main scene. Returns whether it could be started.
func run(arguments: PackedStringArray) -> bool:
	stop()
	pid = SecondEngine.start(arguments)
	return pid != -1
