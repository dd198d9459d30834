extends "section.gd"
## PacketPeerUDP and PacketPeerUdpRs: the cost of a packet, the packets that survive a stall of the
## game's thread, the memory of an idle peer.

const IdleCase := preload("cases/idle_case.gd")
const Memory := preload("cases/memory.gd")
const PacketInfoCase := preload("cases/packet_info_case.gd")
const Pair := preload("pair.gd")
const ReceivingCase := preload("cases/receiving_case.gd")
const RoundTripCase := preload("cases/round_trip_case.gd")
const SendingCase := preload("cases/sending_case.gd")
const Stall := preload("cases/stall.gd")

const PASSES: Dictionary[Effort, int] = {Effort.QUICK: 2, Effort.SHORT: 2, Effort.FULL: 10}
const ROUNDS: Dictionary[Effort, int] = {Effort.QUICK: 2, Effort.SHORT: 10, Effort.FULL: 20}
const STALLS: Dictionary[Effort, int] = {Effort.QUICK: 1, Effort.SHORT: 0, Effort.FULL: 5}
const LAST_START_MSEC := 90_000
const SIZES: PackedInt32Array = [64, 512, 1200]
const MEMORY_PROBE := "res://tests/support/memory_probe.gd"

var _cases: Array[Case] = _all_cases()
var _stalls := Stall.new()
var _memory := {}


func measure() -> String:
	var load_of_others := OtherLoad.new()
	var problem := _run_interleaved(_cases, PASSES[effort], ROUNDS[effort], LAST_START_MSEC)
	if not problem.is_empty():
		return problem
	if STALLS[effort] > 0:
		print("bench: stalls")
		problem = _stalls.run(STALLS[effort])
		if not problem.is_empty():
			return "stall: " + problem
		_note_missing(_stalls.missing_members())
	other_load = load_of_others.share()
	print("bench: memory")
	_memory = Memory.measured(MEMORY_PROBE)
	return "the memory of idle peers cannot be measured" if _memory.is_empty() else ""


func to_dictionary() -> Dictionary:
	return {
		"rows": _cases.map(func(case: Case) -> Dictionary: return case.to_dictionary()),
		"stalls": _stalls.results,
		"memory": _memory,
	}


static func _all_cases() -> Array[Case]:
	var cases: Array[Case] = []
	for size in SIZES:
		for method: StringName in [&"put_packet", &"put_packets", &"put_segmented"]:
			cases.append(SendingCase.new(method, size))
	cases.append(SendingCase.new(Pair.READDRESSED, SIZES[0]))
	for background: bool in [false, true]:
		for size in SIZES:
			cases.append(ReceivingCase.new(&"get_packet", &"put_packet", size, background))
			cases.append(ReceivingCase.new(&"get_packets", &"put_packet", size, background))
			cases.append(ReceivingCase.new(&"get_packets", &"put_packets", size, background))
			cases.append(
				ReceivingCase.new(&"get_packets_joined", &"put_segmented", size, background)
			)
	cases.append(PacketInfoCase.new(SIZES[0]))
	for background: bool in [false, true]:
		cases.append(IdleCase.new(background))
		cases.append(RoundTripCase.new(background))
	cases.append(RoundTripCase.new(true, true))
	return cases
