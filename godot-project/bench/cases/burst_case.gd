extends "case.gd"
## The common part of the cases that send bursts: a pair of native's and a pair of ours.

const Pair := preload("../pair.gd")

## Bursts per round and class.
const BURSTS := 8

var _pairs: Dictionary[StringName, Pair] = {}


func _problem() -> String:
	for kind in _pairs:
		if not _pairs[kind].problem.is_empty():
			return "%s: %s" % [kind, _pairs[kind].problem]
	return ""


func _close() -> void:
	_pairs.clear()
