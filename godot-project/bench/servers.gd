extends "section.gd"
## UDPServer and UdpServerRs with 10 to 10,000 peers: the cost of a packet, the memory of an idle
## peer, and the packets that survive when all clients send at once.

const Burst := preload("cases/server_burst.gd")
const Clients := preload("clients.gd")
const Memory := preload("cases/memory.gd")
const ServerCase := preload("cases/server_case.gd")
const ServerWithPeers := preload("server_with_peers.gd")

const PASSES: Dictionary[Effort, int] = {Effort.QUICK: 2, Effort.SHORT: 2, Effort.FULL: 4}
const ROUNDS: Dictionary[Effort, int] = {Effort.QUICK: 2, Effort.SHORT: 3, Effort.FULL: 5}
const BURSTS: Dictionary[Effort, int] = {Effort.QUICK: 1, Effort.SHORT: 0, Effort.FULL: 5}
const LAST_START_MSEC := 60_000
const PEERS: PackedInt32Array = [10, 100, 1000, 4000, 10_000]
const FEW_PEERS: PackedInt32Array = [10, 100]
const MEMORY_PROBE := "res://bench/cases/server_memory_probe.gd"

var _cases: Array[ServerCase] = []
var _burst := Burst.new()
var _memory := {}


func measure() -> String:
	var ours := ServerWithPeers.SERVERS[Case.OURS]
	if not ClassDB.class_exists(ours):
		_note_missing([ours])
		return ""
	var counts := FEW_PEERS if effort == Effort.QUICK else PEERS
	var clients := Clients.new(counts[-1])
	if not clients.problem.is_empty():
		return clients.problem
	for count in counts:
		_cases.append(ServerCase.new(count, clients))
	var load_of_others := OtherLoad.new(clients.process_id())
	var problem := _run_interleaved(_cases, PASSES[effort], ROUNDS[effort], LAST_START_MSEC)
	if not problem.is_empty():
		return problem
	if BURSTS[effort] > 0:
		print("bench: all clients send at once")
		problem = _burst.run(clients, counts[-1], BURSTS[effort])
		if not problem.is_empty():
			return "burst: " + problem
	other_load = load_of_others.share()
	print("bench: memory of servers' peers")
	_memory = Memory.measured(MEMORY_PROBE, Array(counts))
	return "the memory of servers' peers cannot be measured" if _memory.is_empty() else ""


func to_dictionary() -> Dictionary:
	return {
		"rows": _cases.map(func(case: ServerCase) -> Dictionary: return case.to_dictionary()),
		"bursts": _burst.results,
		"memory": _memory,
	}
