extends RefCounted
## A section of the benchmark: cases that take turns, and measurements besides.

## QUICK shows that everything runs, SHORT is one of many runs of a comparison, FULL gives the
## published figures.
enum Effort { QUICK, SHORT, FULL }

const Case := preload("cases/case.gd")
const OtherLoad := preload("other_load.gd")

var effort := Effort.FULL
## The share of the processors that other programs had during the measurement, at least; -1 if the
## system does not report it.
var other_load := -1.0
## Classes, methods and properties that the section needs and the addon lacks: a set.
var missing := {}


## Returns the reason of a failure, or "".
func measure() -> String:
	return ""


func to_dictionary() -> Dictionary:
	return {}


## Runs [param passes] passes; in each, every case runs [param rounds] rounds of both classes, so
## that load from other programs affects all cases alike. No pass starts after
## [param last_start_msec], but at least two run. Returns the reason of a failure, or "".
func _run_interleaved(cases: Array, passes: int, rounds: int, last_start_msec: int) -> String:
	for case: Case in cases:
		_note_missing(case.missing_members())
	var able := cases.filter(func(case: Case) -> bool: return case.missing_members().is_empty())
	var start := Time.get_ticks_msec()
	for i in passes:
		if i >= 2 and Time.get_ticks_msec() > start + last_start_msec:
			print("bench: this machine is busy or slow: only %d passes" % i)
			break
		print("bench: pass %d of %d" % [i + 1, passes])
		for case: Case in able:
			var problem := case.run(rounds)
			if not problem.is_empty():
				return "%s: %s" % [case.name(), problem]
	return ""


func _note_missing(members: PackedStringArray) -> void:
	for member in members:
		missing[member] = true
