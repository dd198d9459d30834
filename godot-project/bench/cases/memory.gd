extends Object
## What idle peers take of the machine's memory, measured in an engine of its own: freed memory of
## whatever ran before would be used again, and the peers look smaller than they are.

const Case := preload("case.gd")


## "native" and "ours", each with the figures that [param probe], a script, prints as "name: bytes"
## for the class that is its first argument. Empty where it cannot be measured.
static func measured(probe: String, more: Array = []) -> Dictionary:
	var result := {}
	for kind: StringName in [Case.NATIVE, Case.OURS]:
		# The engine that runs us may be started by a script, which GODOT then names.
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
