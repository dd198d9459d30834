extends Node
## Measures PacketPeerUDP and PacketPeerUdpRs in turn, and writes every single measurement as JSON.
## Run by scripts/bench.sh, which makes a table and a chart of it. Arguments after "--":
##   --out=PATH   where to write to
##   --quick      few rounds: shows that everything runs, not how fast it is

const Case := preload("cases/case.gd")
const Disturbance := preload("disturbance.gd")
const IdleCase := preload("cases/idle_case.gd")
const Memory := preload("cases/memory.gd")
const ReceivingCase := preload("cases/receiving_case.gd")
const RoundTripCase := preload("cases/round_trip_case.gd")
const SendingCase := preload("cases/sending_case.gd")
const Stall := preload("cases/stall.gd")

## No pass begins later than that; a busy or slow machine makes fewer of them, but two at least.
const LATEST_MSEC := 90_000
const SIZES: PackedInt32Array = [64, 512, 1200]

var _out := ""
## All rows have their turn so many times, so that a busy moment of the machine meets none of them
## more than the others.
var _passes := 10
## Native and ours have their turn so many times in each.
var _rounds := 20
var _stalls := 5


func _ready() -> void:
	var problem := _read_arguments()
	if problem.is_empty() and not ClassDB.class_exists(Case.OURS):
		problem = "the addon is missing; build it with scripts/build.sh"
	if problem.is_empty():
		problem = _measure()
	if problem.is_empty():
		print("bench: measured")
	else:
		printerr("bench: ", problem)
	get_tree().quit(0 if problem.is_empty() else 1)


func _read_arguments() -> String:
	for argument in OS.get_cmdline_user_args():
		match argument.get_slice("=", 0):
			"--out":
				_out = argument.get_slice("=", 1)
			"--quick":
				_passes = 2
				_rounds = 2
				_stalls = 1
			_:
				return "unknown argument " + argument
	return "--out=PATH is missing" if _out.is_empty() else ""


# What went wrong; "" where nothing did.
func _measure() -> String:
	var cases := _cases()
	var missing := {}
	for case: Case in cases:
		for member in case.missing_members():
			missing[member] = true
	var able := cases.filter(func(case: Case) -> bool: return case.missing_members().is_empty())
	var disturbance := Disturbance.new()
	var start := Time.get_ticks_msec()
	for i in _passes:
		if i >= 2 and Time.get_ticks_msec() > start + LATEST_MSEC:
			print("bench: this machine is busy or slow; %d passes must do" % i)
			break
		print("bench: pass %d of %d" % [i + 1, _passes])
		for case: Case in able:
			var problem := case.run(_rounds)
			if not problem.is_empty():
				return "%s, %d bytes: %s" % [case.id, case.size, problem]

	print("bench: stalls")
	var stalls := Stall.new()
	var stall_problem := stalls.run(_stalls)
	if not stall_problem.is_empty():
		return "stall: " + stall_problem
	for member in stalls.missing_members():
		missing[member] = true
	var disturbed := disturbance.share()

	print("bench: memory")
	var memory := Memory.measured()
	if memory.is_empty():
		return "the memory of idle peers cannot be measured"

	var file := FileAccess.open(_out, FileAccess.WRITE)
	if file == null:
		return "%s cannot be written: %s" % [_out, error_string(FileAccess.get_open_error())]
	var result := {
		"godot": Engine.get_version_info().string,
		"disturbed": disturbed,
		"missing": missing.keys(),
		"rows": cases.map(func(case: Case) -> Dictionary: return case.to_dictionary()),
		"stalls": stalls.results,
		"memory": memory,
	}
	file.store_string(JSON.stringify(result))
	return ""


func _cases() -> Array[Case]:
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
