extends RefCounted
## Starts this project once more, in another process and without a window.


## `arguments` are for the project's main scene. Returns the process's id, -1 where it cannot start.
static func start(arguments: PackedStringArray) -> int:
	var engine := path()
	# Its output does not appear in this terminal, except errors.
	var all := PackedStringArray(["--headless", "--no-header", "--quiet"])
	if OS.has_feature("editor"):
		all.append_array(["--path", ProjectSettings.globalize_path("res://")])
	all.append("--")
	all.append_array(arguments)
	return OS.create_process(engine, all)


## If a script starts the engine, GODOT names that script, which can start another.
static func path() -> String:
	var engine := OS.get_environment("GODOT")
	return OS.get_executable_path() if engine.is_empty() else engine
