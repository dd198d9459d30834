extends Object
## What a bound, idle peer takes of the machine's memory: measured in an engine of its own (see the
## probe), by the tests' probe.

const Case := preload("case.gd")

const PROBE := "res://tests/support/memory_probe.gd"


## Bytes: "native" and "ours", each with "resident" and "allocated" (by the engine). Empty where it
## cannot be measured.
static func measured() -> Dictionary:
	var result := {}
	for kind: StringName in [Case.NATIVE, Case.OURS]:
		# The engine that runs us may be started by a script, which GODOT then names.
		var engine := OS.get_environment("GODOT")
		if engine.is_empty():
			engine = OS.get_executable_path()
		var arguments := ["--headless", "--path", ProjectSettings.globalize_path("res://")]
		arguments += ["--script", PROBE, "--", String(kind)]
		var output := []
		if OS.execute(engine, arguments, output, true) != 0:
			printerr(output[0])
			return {}
		var figures := {}
		for found in RegEx.create_from_string("(\\w+): (\\d+)").search_all(output[0]):
			figures[found.get_string(1)] = found.get_string(2).to_int()
		result["native" if kind == Case.NATIVE else "ours"] = figures
	return result
