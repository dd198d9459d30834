extends "section.gd"
## UDPServer and UdpServerRs with 10 to 10,000 peers: the cost of a packet, the memory of an idle
## peer, the packets that survive when all clients send at once; a frame in which few clients have
## sent, and one packet to many peers.

const Burst := preload("cases/server_burst.gd")
const Clients := preload("clients.gd")
const FrameCase := preload("cases/frame_case.gd")
const Memory := preload("cases/memory.gd")
const ServerCase := preload("cases/server_case.gd")
const ServerWithPeers := preload("server_with_peers.gd")
const StateCase := preload("cases/state_case.gd")

const PASSES: Dictionary[Effort, int] = {Effort.QUICK: 2, Effort.SHORT: 2, Effort.FULL: 4}
const ROUNDS: Dictionary[Effort, int] = {Effort.QUICK: 2, Effort.SHORT: 3, Effort.FULL: 5}
const BURSTS: Dictionary[Effort, int] = {Effort.QUICK: 1, Effort.SHORT: 0, Effort.FULL: 5}
const LAST_START_MSEC := 60_000
const PEERS: PackedInt32Array = [10, 100, 1000, 4000, 10_000]
const FEW_PEERS: PackedInt32Array = [10, 100]
## Peers of the frame in which 100 have sent, and of the packet to all.
const FRAME_PEERS := 10_000
const STATE_PEERS := 1000
const MEMORY_PROBE := "res://bench/cases/server_memory_probe.gd"

var _cases: Array[ServerCase] = []
var _frame: FrameCase
var _state: StateCase
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
	_frame = FrameCase.new(mini(FRAME_PEERS, counts[-1]), clients)
	_state = StateCase.new(mini(STATE_PEERS, counts[-1]), clients)
	var load_of_others := OtherLoad.new(clients.process_id())
	var all: Array[Case] = []
	all.append_array(_cases)
	all.append_array([_frame, _state])
	var problem := _run_interleaved(all, PASSES[effort], ROUNDS[effort], LAST_START_MSEC)
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
		"frame": {} if _frame == null else _frame.to_dictionary(),
		"state": {} if _state == null else _state.to_dictionary(),
		"bursts": _burst.results,
		"memory": _memory,
	}
