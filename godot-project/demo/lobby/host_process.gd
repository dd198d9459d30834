extends "../engine_process.gd"
## A host in another Godot process. It announces itself as soon as its engine is up.

var game_name := ""
## It ends by itself after this time, even if this process has gone.
var seconds := 600


## Returns whether it could be started.
func start(
	name: String, players: int, max_players: int, lobby_port: int, this_machine_only: bool
) -> bool:
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
	return run(arguments)
