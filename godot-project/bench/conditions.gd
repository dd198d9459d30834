extends "section.gd"
## Link conditions: what they cost where they do nothing, how late a packet is that is due while the
## game is busy, and what a relay passes on.

const ConditionsCase := preload("cases/conditions_case.gd")
const Lateness := preload("cases/lateness.gd")
const RelayCase := preload("cases/relay.gd")

const PASSES: Dictionary[Effort, int] = {Effort.QUICK: 2, Effort.SHORT: 2, Effort.FULL: 6}
const ROUNDS: Dictionary[Effort, int] = {Effort.QUICK: 2, Effort.SHORT: 10, Effort.FULL: 20}
const SECONDS: Dictionary[Effort, float] = {Effort.QUICK: 0.5, Effort.SHORT: 0.0, Effort.FULL: 5.0}
const LAST_START_MSEC := 30_000
const SIZE := 64

var _cases: Array[Case] = [
	ConditionsCase.new(&"put_packet", SIZE), ConditionsCase.new(&"get_packet", SIZE)
]
var _lateness := Lateness.new()
var _relay := RelayCase.new()


func measure() -> String:
	var load_of_others := OtherLoad.new()
	var problem := _run_interleaved(_cases, PASSES[effort], ROUNDS[effort], LAST_START_MSEC)
	if not problem.is_empty():
		return problem
	other_load = load_of_others.share()
	if SECONDS[effort] == 0.0 or not missing.is_empty():
		return ""
	for direction: StringName in [Lateness.SENDING, Lateness.RECEIVING]:
		print("bench: how late, ", direction)
		problem = _lateness.run(direction, SECONDS[effort])
		if not problem.is_empty():
			return "lateness: " + problem
	for method: StringName in [&"put_packets", &"put_segmented"]:
		print("bench: a relay, ", method)
		problem = _relay.run(method, SECONDS[effort])
		if not problem.is_empty():
			return "relay: " + problem
	return ""


func to_dictionary() -> Dictionary:
	return {
		"rows": _cases.map(func(case: Case) -> Dictionary: return case.to_dictionary()),
		"lateness": _lateness.results,
		"relay": _relay.results,
	}
