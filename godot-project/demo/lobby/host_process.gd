extends RefCounted
## A host in another Godot process, started and ended from this one.

const SecondEngine := preload("../second_engine.gd")

var game_name := ""
## It ends by itself after that time, so that none is left behind when this process is gone.
var seconds := 600
## Of the process, -1 when there is none.
var pid := -1


## Returns whether it could be started. It announces itself as soon as its engine is up.
func start(
	name: String, players: int, max_players: int, lobby_port: int, this_machine_only: bool
) -> bool:
	stop()
	game_name = name
	var arguments := PackedStringArray(
		[
			"--lobby=host",
			"--name=" + name,
			"--players=%d" % players,
			"--max-players=%d" % max_players,
			"--port=%d" % lobby_port,
			"--seconds=%d" % seconds,
		]
	)
	if this_machine_only:
		arguments.append("--this-machine")
	pid = SecondEngine.start(arguments)
	return pid != -1


func is_running() -> bool:
	return pid != -1 and OS.is_process_running(pid)


## Ends it as a crash would: it says goodbye to nobody.
func stop() -> void:
	if pid != -1:
		OS.kill(pid)
		pid = -1
