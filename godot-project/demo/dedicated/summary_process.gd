extends Node
## Prints what a server and bots in several processes have written to one folder at their end. The
## exit code is 0 only if nothing was lost, repeated or late, and all bots left in good order. After
## `--` on the command line: `--dedicated=summary --reports=FOLDER`, and what was asked for:
## `--bots=200 --seconds=60`.

const Report := preload("report.gd")
const Summary := preload("summary.gd")


func play(arguments: Dictionary[String, String]) -> void:
	var folder: String = arguments.get("reports", ".")
	var reports: Array[Report] = []
	for file in DirAccess.get_files_at(folder):
		if file == "server.json" or file.match("bots-*.json"):
			var report := Report.read(folder.path_join(file))
			if report:
				reports.append(report)
	var summary := Summary.new(
		reports, arguments.get("bots", "0").to_int(), arguments.get("seconds", "0").to_float()
	)
	print("\n".join(summary.lines()))
	get_tree().quit(0 if summary.problems.is_empty() else 1)
