extends Object
## The memory of idle peers, measured in an engine of its own, where the peers cannot reuse memory
## that earlier measurements have freed.

const Case := preload("case.gd")


## Runs the script [param probe] for each class, which is its first argument. Returns the figures
## that it prints as "name: bytes", under "native" and "ours"; empty if it fails.
static func measured(probe: String, more: Array = []) -> Dictionary:
	var result := {}
	for kind: StringName in [Case.NATIVE, Case.OURS]:
		# $GODOT may be a script that starts the engine.
		var engine := OS.get_environment("GODOT")
		if engine.is_empty():
			engine = OS.get_executable_path()
		var arguments: PackedStringArray = [
			"--headless", "--path", ProjectSettings.globalize_path("res://")
		]
		arguments.append_array(["--script", probe, "--", kind])
		arguments.append_array(PackedStringArray(more.map(str)))
		var output := []
		if OS.execute(engine, arguments, output, true) != 0:
			printerr(output[0])
			return {}
		var figures := {}
		for found in RegEx.create_from_string("(\\w+): (-?\\d+)").search_all(output[0]):
			figures[found.get_string(1)] = found.get_string(2).to_int()
		result["native" if kind == Case.NATIVE else "ours"] = figures
	return result
