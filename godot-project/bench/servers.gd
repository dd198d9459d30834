extends "part.gd"
## UDPServer and UdpServerRs with crowds of every size: what a packet costs, what a peer takes, and
## what comes through when the largest crowd sends at once.

const Clients := preload("clients.gd")
const Crowd := preload("crowd.gd")
const Memory := preload("cases/memory.gd")
const ServerCase := preload("cases/server_case.gd")
const Stall := preload("cases/server_stall.gd")

const LATEST_MSEC := 60_000
const CROWDS: PackedInt32Array = [10, 100, 1000, 4000, 10_000]
const FEW: PackedInt32Array = [10, 100]
const MEMORY_PROBE := "res://bench/cases/server_memory_probe.gd"

var _cases: Array[ServerCase] = []
var _stall := Stall.new()
var _memory := {}


func measure() -> String:
	if not ClassDB.class_exists(Crowd.SERVERS[Case.OURS]):
		return "the addon has no %s; build it with scripts/build.sh" % Crowd.SERVERS[Case.OURS]
	var crowds := FEW if quick else CROWDS
	var clients := Clients.new(crowds[-1])
	if not clients.problem.is_empty():
		return clients.problem
	for count in crowds:
		_cases.append(ServerCase.new(count, clients))
	var disturbance := Disturbance.new(clients.process_id())
	var problem := _in_turn(_cases, 2 if quick else 4, 2 if quick else 5, LATEST_MSEC)
	if not problem.is_empty():
		return problem
	print("bench: a crowd that sends at once")
	problem = _stall.run(clients, crowds[-1], 1 if quick else 5)
	if not problem.is_empty():
		return "stall: " + problem
	disturbed = disturbance.share()
	print("bench: memory of servers' peers")
	_memory = Memory.measured(MEMORY_PROBE, Array(crowds))
	return "the memory of servers' peers cannot be measured" if _memory.is_empty() else ""


func to_dictionary() -> Dictionary:
	return {
		"rows": _cases.map(func(case: ServerCase) -> Dictionary: return case.to_dictionary()),
		"stalls": _stall.results,
		"memory": _memory,
	}
