extends RefCounted
## Starts this project once more, in another process and without a window.


## `arguments` are for the project's main scene. Returns the process's id, -1 where it cannot start.
static func start(arguments: PackedStringArray) -> int:
	var engine := path()
	# Its transcript is not for this one's terminal; errors are shown all the same.
	var all := PackedStringArray(["--headless", "--no-header", "--quiet"])
	if OS.has_feature("editor"):
		all.append_array(["--path", ProjectSettings.globalize_path("res://")])
	all.append("--")
	all.append_array(arguments)
	return OS.create_process(engine, all)


## Where the engine is started through a script, that script knows how to start another one.
static func path() -> String:
	var engine := OS.get_environment("GODOT")
	return OS.get_executable_path() if engine.is_empty() else engine
