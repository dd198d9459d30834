extends "part.gd"
## PacketPeerUDP and PacketPeerUdpRs: what a packet costs, what comes through a stall, what an idle
## peer takes.

const IdleCase := preload("cases/idle_case.gd")
const Memory := preload("cases/memory.gd")
const ReceivingCase := preload("cases/receiving_case.gd")
const RoundTripCase := preload("cases/round_trip_case.gd")
const SendingCase := preload("cases/sending_case.gd")
const Stall := preload("cases/stall.gd")

const LATEST_MSEC := 90_000
const SIZES: PackedInt32Array = [64, 512, 1200]
const MEMORY_PROBE := "res://tests/support/memory_probe.gd"

var _cases: Array[Case] = _all_cases()
var _stalls := Stall.new()
var _memory := {}


func measure() -> String:
	var disturbance := Disturbance.new()
	var problem := _in_turn(_cases, 2 if quick else 10, 2 if quick else 20, LATEST_MSEC)
	if not problem.is_empty():
		return problem
	print("bench: stalls")
	problem = _stalls.run(1 if quick else 5)
	if not problem.is_empty():
		return "stall: " + problem
	_note_missing(_stalls.missing_members())
	disturbed = disturbance.share()
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
		for way: StringName in [&"put_packet", &"put_packets", &"put_segmented"]:
			cases.append(SendingCase.new(way, size))
	for background: bool in [false, true]:
		for size in SIZES:
			cases.append(ReceivingCase.new(&"get_packet", &"put_packet", size, background))
			cases.append(ReceivingCase.new(&"get_packets", &"put_packet", size, background))
			cases.append(ReceivingCase.new(&"get_packets", &"put_packets", size, background))
			cases.append(
				ReceivingCase.new(&"get_packets_joined", &"put_segmented", size, background)
			)
	for background: bool in [false, true]:
		cases.append(IdleCase.new(background))
		cases.append(RoundTripCase.new(background))
	return cases
