extends Node
## Measures PacketPeerUDP and PacketPeerUdpRs, then UDPServer and UdpServerRs, each two in turn, and
## writes every single measurement as JSON. Run by scripts/bench.sh, which makes a table and charts
## of it. Arguments after "--":
##   --out=PATH    where to write to
##   --only=PART   "peers" or "servers"
##   --quick       few rounds: shows that everything runs, not how fast it is

const Case := preload("cases/case.gd")
const Part := preload("part.gd")

const PARTS: Dictionary[String, GDScript] = {
	"peers": preload("peers.gd"),
	"servers": preload("servers.gd"),
}

var _out := ""
var _quick := false
var _chosen: PackedStringArray = PARTS.keys()


func _ready() -> void:
	var problem := _read_arguments()
	if problem.is_empty() and not ClassDB.class_exists(Case.OURS):
		problem = "the addon is missing; build it with scripts/build.sh"
	if problem.is_empty():
		problem = _measure()
	if problem.is_empty():
		print("bench: measured")
	else:
		printerr("bench: ", problem)
	get_tree().quit(0 if problem.is_empty() else 1)


func _read_arguments() -> String:
	for argument in OS.get_cmdline_user_args():
		match argument.get_slice("=", 0):
			"--out":
				_out = argument.get_slice("=", 1)
			"--only":
				_chosen = [argument.get_slice("=", 1)]
				if not _chosen[0] in PARTS:
					return "no such part: " + _chosen[0]
			"--quick":
				_quick = true
			_:
				return "unknown argument " + argument
	return "--out=PATH is missing" if _out.is_empty() else ""


# What went wrong; "" where nothing did.
func _measure() -> String:
	var result := {"godot": Engine.get_version_info().string}
	var missing := {}
	var disturbed := -1.0
	for id in _chosen:
		var part: Part = PARTS[id].new()
		part.quick = _quick
		var problem := part.measure()
		if not problem.is_empty():
			return problem
		missing.merge(part.missing)
		disturbed = maxf(disturbed, part.disturbed)
		result[id] = part.to_dictionary()
	result.disturbed = disturbed
	result.missing = missing.keys()

	var file := FileAccess.open(_out, FileAccess.WRITE)
	if file == null:
		return "%s cannot be written: %s" % [_out, error_string(FileAccess.get_open_error())]
	file.store_string(JSON.stringify(result))
	return ""
