extends "case.gd"
## What rows of bursts share: native's sender and receiver, and ours.

const Lane := preload("../lane.gd")

## In each round of each class.
const BURSTS := 8

var _lanes: Dictionary[StringName, Lane] = {}


func _problem() -> String:
	for kind in _lanes:
		if not _lanes[kind].problem.is_empty():
			return "%s: %s" % [kind, _lanes[kind].problem]
	return ""


func _close() -> void:
	_lanes.clear()
