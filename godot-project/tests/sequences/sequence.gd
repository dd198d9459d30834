extends RefCounted
## Base of the random sequences of calls, which run on the engine's class and on ours in step. A
## call is an array: its name, then what it is called with. Every call is allowed in every state, so
## a part of a sequence is a sequence too, and one that fails is shortened by leaving calls out.

const NATIVE := &"PacketPeerUDP"
const OURS := &"PacketPeerUdpRs"
const LOOPBACK := "127.0.0.1"
## How long a packet is waited for that has to come.
const TIMEOUT_MSEC := 10_000

## How often each call has succeeded and failed, by its name.
var tally: Dictionary[String, Vector2i] = {}
var rng := RandomNumberGenerator.new()

# The payloads of a sequence differ by this number.
var _made := 0


## The calls of a random sequence.
func draw() -> Array[Array]:
	return []


## Runs a sequence on both; what differs, or "".
func run(_calls: Array[Array]) -> String:
	return ""


## Makes the calls, compares the state after each, and what is left in the end.
func run_calls(calls: Array[Array]) -> String:
	for i in calls.size():
		var difference := _step(calls[i])
		if difference.is_empty():
			difference = _compare_state()
		if not difference.is_empty():
			return "call %d, %s: %s" % [i, calls[i][0], difference]
	return _finish()


## Makes a call on both; what differs, or "".
func _step(_call: Array) -> String:
	return ""


func _compare_state() -> String:
	return ""


## What differs in what is left at the end of a sequence.
func _finish() -> String:
	return ""


## A call as a line of GDScript.
func written(call: Array) -> String:
	var arguments: PackedStringArray = []
	for value: Variant in call.slice(1):
		arguments.append(var_to_str(value).replace("\n", " "))
	return "%s(%s)" % [call[0], ", ".join(arguments)]


## Leaves calls out of a sequence that fails, first many at once, while it still fails.
func shortened(calls: Array[Array]) -> Array[Array]:
	var part := maxi(calls.size() / 2, 1)
	while true:
		var at := 0
		while at < calls.size():
			var rest := calls.slice(0, at) + calls.slice(at + part)
			if not rest.is_empty() and not run(rest).is_empty():
				calls.assign(rest)
			else:
				at += part
		if part == 1:
			return calls
		part /= 2
	return calls


## Runs [param count] of the sequences that follow from [param start_seed], from number
## [param first] on; what is to be said of the first one that fails, or nothing.
func run_many(count: int, start_seed: int, first := 0) -> PackedStringArray:
	for i in range(first, first + count):
		rng.seed = hash([start_seed, i])
		var calls := draw()
		var difference := run(calls)
		if difference.is_empty():
			continue
		var lines: PackedStringArray = ["sequence %d of seed %d: %s" % [i, start_seed, difference]]
		calls = shortened(calls)
		for call in calls:
			lines.append("    " + written(call))
		difference = run(calls)
		lines.append(
			"    # " + ("this does not repeat itself" if difference.is_empty() else difference)
		)
		return lines
	return []


## How many calls there were.
func call_count() -> int:
	var count := 0
	for name in tally:
		count += tally[name].x + tally[name].y
	return count


## The distribution of the calls, in lines.
func figures() -> PackedStringArray:
	var lines: PackedStringArray = []
	var names := tally.keys()
	names.sort()
	for name: String in names:
		lines.append("%s: %d succeeded, %d failed" % [name, tally[name].x, tally[name].y])
	return lines


func count_call(name: String, has_succeeded: bool) -> void:
	var so_far: Vector2i = tally.get(name, Vector2i.ZERO)
	tally[name] = so_far + (Vector2i(1, 0) if has_succeeded else Vector2i(0, 1))


## One of [param values], each as often as its weight says.
func pick(weights: Dictionary) -> Variant:
	var left := rng.randi_range(
		1, weights.values().reduce(func(sum: int, of: int) -> int: return sum + of)
	)
	for value: Variant in weights:
		left -= weights[value]
		if left <= 0:
			return value
	return null


## The lengths of some packets.
func draw_lengths(most: int) -> Array[int]:
	var lengths: Array[int] = []
	for i in rng.randi_range(1, most):
		lengths.append(rng.randi_range(1, 12) if rng.randf() < 0.7 else rng.randi_range(13, 300))
	return lengths


## A payload of that length, unlike the one before, of which no Variant can be made.
func payload(length: int) -> PackedByteArray:
	_made += 1
	var bytes := PackedByteArray()
	bytes.resize(length)
	bytes.fill((_made * 31 + 7) & 0xff)
	if length >= 4:
		bytes.encode_u32(0, _made << 8 | 0xff)
	return bytes


## Whether [param peer] has so many packets, waited for.
static func has_arrived(peer: PacketPeer, count: int) -> bool:
	var end := Time.get_ticks_msec() + TIMEOUT_MSEC
	while peer.get_available_packet_count() < count:
		if Time.get_ticks_msec() > end:
			return false
		OS.delay_usec(50)
	return true


## A peer of the engine's, bound to a free port of loopback.
static func far_peer(address := LOOPBACK) -> PacketPeerUDP:
	var peer := PacketPeerUDP.new()
	peer.bind(0, address)
	return peer
