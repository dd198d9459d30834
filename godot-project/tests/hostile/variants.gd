extends Node
## Mutated Variants through get_var(), for minutes; ends the engine with 0 if all went well. See
## scripts/variants.sh. Arguments after "--":
##   --count=N         how many packets (default 20000)
##   --seed=N          which (default: the time)
##   --allow-objects   decodes with objects allowed, which must be noticed

const MutatedVariants := preload("../support/mutated_variants.gd")
const Process := preload("../support/process.gd")
const VariantDoors := preload("../support/variant_doors.gd")

## How long a frame decodes.
const FRAME_USEC := 100_000
## What the process may grow: each value is freed before the next packet is decoded, so only what
## the allocator keeps.
const SLACK := 32 << 20
const REPORT_EVERY := 100_000

var _wanted := 20_000
var _seed := int(Time.get_unix_time_from_system())
var _doors := VariantDoors.new()
var _packets: MutatedVariants
var _objects := 0
var _memory := 0
var _peak := 0
var _problems: PackedStringArray


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1).to_int()
		match argument.get_slice("=", 0):
			"--count":
				_wanted = value
			"--seed":
				_seed = value
			"--allow-objects":
				_doors.allow_objects = true
	print("variants: %d packets, seed %d" % [_wanted, _seed])
	if not _doors.open():
		_problems.append("the peers cannot be opened")
		_end()
		return
	_packets = MutatedVariants.new(_seed)
	set_process(false)
	# The first frames and packets make what is needed.
	for i in 10:
		await get_tree().process_frame
		_doors.run_batch(_packets)
	_memory = Process.resident_bytes()
	set_process(true)


func _process(_delta: float) -> void:
	# Counted here at both ends, since the engine has objects of its own that come and go in a frame.
	if _objects == 0:
		_objects = int(Performance.get_monitor(Performance.OBJECT_COUNT))
	var frame_end := Time.get_ticks_usec() + FRAME_USEC
	while (
		_doors.count < _wanted and _doors.failures.is_empty() and Time.get_ticks_usec() < frame_end
	):
		_doors.run_batch(_packets)
		if _doors.count % REPORT_EVERY < VariantDoors.BATCH:
			print("variants: %d packets, %d of them refused" % [_doors.count, _doors.refused])
	_peak = maxi(_peak, Process.resident_bytes())
	if _doors.count >= _wanted or not _doors.failures.is_empty():
		set_process(false)
		_end()


func _end() -> void:
	var objects := int(Performance.get_monitor(Performance.OBJECT_COUNT))
	if objects != _objects:
		_problems.append("%d objects, %d there were" % [objects, _objects])
	if _peak - _memory > SLACK:
		_problems.append("the memory grew by %d KiB" % ((_peak - _memory) / 1024))
	_problems.append_array(_doors.failures)
	var costs := _costs() if _problems.is_empty() else ""
	_doors.close()
	_packets = null
	for problem in _problems:
		print("variants: FAILED: " + problem)
	if _problems.is_empty():
		print("RESULT: " + _result(costs))
	get_tree().quit(0 if _problems.is_empty() else 1)


func _result(costs: String) -> String:
	var text := "%s mutated Variants (seed %d): get_var() answered each as PacketPeerUDP's and"
	text = text % [_grouped(_doors.count), _seed]
	text += " bytes_to_var(); %s were refused, none became an object" % _grouped(_doors.refused)
	var figures := [(_peak - _memory) / 1048576.0, _doors.longest_usec / 1000.0]
	text += "; memory grew by %.1f MiB, the longest took %.1f ms" % figures
	return "%s; %s" % [text, costs]


# What the engine takes for packets that are made to be costly, and are decoded as they should be.
func _costs() -> String:
	var texts: PackedStringArray
	for size: int in [MutatedVariants.LARGEST, 1200]:
		var packet := MutatedVariants.colliding(size)
		var start := Time.get_ticks_usec()
		var value: Variant = bytes_to_var(packet)
		var msec := (Time.get_ticks_usec() - start) / 1000.0
		if not value is Dictionary or value.size() != packet.size() / 16:
			_problems.append("%d bytes of numbers with one hash became %s" % [size, value])
		texts.append("%d bytes of keys with one hash took the engine %.2f ms" % [size, msec])
	var packet := MutatedVariants.expanding()
	var kept := []
	var before := Process.resident_bytes()
	for i in 20:
		kept.append(bytes_to_var(packet))
	var each := (Process.resident_bytes() - before) / kept.size()
	if kept.any(func(value: Variant) -> bool: return not value is Array):
		_problems.append("dictionaries became %s" % [kept[0]])
	texts.append("%d bytes of dictionaries become %.1f MiB" % [packet.size(), each / 1048576.0])
	return "; ".join(texts)


# 1234567 as "1,234,567".
static func _grouped(number: int) -> String:
	var text := str(number)
	for at in range(text.length() - 3, 0, -3):
		text = text.insert(at, ",")
	return text
