extends RefCounted
## A part of the benchmark: cases that have their turn again and again, and what else belongs to
## them.

const Case := preload("cases/case.gd")
const Disturbance := preload("disturbance.gd")

## Few rounds: shows that everything runs, not how fast it is.
var quick := false
## How much of the processors other programs have had meanwhile; -1 where the system does not tell.
var disturbed := -1.0
## What the part needs that the addon, as it is built, does not have: a set.
var missing := {}


## What went wrong; "" where nothing did.
func measure() -> String:
	return ""


func to_dictionary() -> Dictionary:
	return {}


## Lets the cases have their turn so many times, so that a busy moment of the machine meets none of
## them more than the others; native and ours have theirs [param rounds] times in each. No pass
## begins later than [param latest_msec]: a busy or slow machine makes fewer, but two at least. What
## went wrong; "" where nothing did.
func _in_turn(cases: Array, passes: int, rounds: int, latest_msec: int) -> String:
	for case: Case in cases:
		_note_missing(case.missing_members())
	var able := cases.filter(func(case: Case) -> bool: return case.missing_members().is_empty())
	var start := Time.get_ticks_msec()
	for i in passes:
		if i >= 2 and Time.get_ticks_msec() > start + latest_msec:
			print("bench: this machine is busy or slow; %d passes must do" % i)
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
