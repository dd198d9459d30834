extends Node
## Measures PacketPeerUDP against PacketPeerUdpRs, then UDPServer against UdpServerRs, then link
## conditions, and writes every measurement as JSON. scripts/bench.sh runs it and makes tables and
## charts of the result.
## Arguments after "--":
##   --out=PATH       the file to write
##   --only=SECTION   "peers", "servers" or "conditions"
##   --short          fewer rounds and no bursts: for the comparison of two builds, in many runs
##   --quick          few rounds: shows that everything runs, not how fast it is

const Case := preload("cases/case.gd")
const Section := preload("section.gd")

const SECTIONS: Dictionary[String, GDScript] = {
	"peers": preload("peers.gd"),
	"servers": preload("servers.gd"),
	"conditions": preload("conditions.gd"),
}

var _out := ""
var _effort := Section.Effort.FULL
var _chosen: PackedStringArray = SECTIONS.keys()


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
				if not _chosen[0] in SECTIONS:
					return "no such section: " + _chosen[0]
			"--short":
				_effort = Section.Effort.SHORT
			"--quick":
				_effort = Section.Effort.QUICK
			_:
				return "unknown argument " + argument
	return "--out=PATH is missing" if _out.is_empty() else ""


# Returns the reason of a failure, or "".
func _measure() -> String:
	var result := {"godot": Engine.get_version_info().string}
	var missing := {}
	var other_load := -1.0
	for id in _chosen:
		var section: Section = SECTIONS[id].new()
		section.effort = _effort
		var problem := section.measure()
		if not problem.is_empty():
			return problem
		missing.merge(section.missing)
		other_load = maxf(other_load, section.other_load)
		result[id] = section.to_dictionary()
	result.other_load = other_load
	result.missing = missing.keys()

	var file := FileAccess.open(_out, FileAccess.WRITE)
	if file == null:
		return "%s cannot be written: %s" % [_out, error_string(FileAccess.get_open_error())]
	file.store_string(JSON.stringify(result))
	return ""
