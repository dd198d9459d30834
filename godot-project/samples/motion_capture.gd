extends Node
## Receives a stream of a thousand packets a second, such as sensors, controllers and motion capture
## send, without losing one while a frame is long, and measures when they arrived. One file to copy;
## the page docs/samples/motion_capture.md explains it.
##
## Two formats: OSC 1.0 (Open Sound Control), and frames of numbers ([enum Format]):
##
## | RAW        | bytes | little-endian                                                         |
## |------------|-------|-----------------------------------------------------------------------|
## | number     | 4     | u32; the next frame has the next one, so losses are counted           |
## | values     | 4 · n | float32                                                               |
##
## A thread of the addon receives; once a frame, all packets are taken as one array, and
## [signal received] is emitted. Then [member latest] and [member samples] are those of this frame.

## Packets have arrived since the last frame. [member samples] has what they contain.
signal received(packet_count: int)

## How packets are read.
enum Format { OSC, RAW }

## What waits between two frames: 4 MiB are 4 seconds of 1,000 bytes at 1 kHz.
const QUEUE_BYTES := 4 * 1024 * 1024
## What the system is asked to hold until the thread wakes.
const SYSTEM_BUFFER_BYTES := 1024 * 1024
## Bundles in bundles: more than this is malformed.
const MOST_NESTED := 8
## The address of RAW frames.
const RAW_ADDRESS := "/raw"
## A frame's number may be ahead or late by this much. One that is further away is believed when the
## next frame follows it (RFC 3550, A.1): one wrong number must not make all that follow late.
const MOST_MISSING := 3000
const MOST_LATE := 100
## What [member latest] has may have taken so many bytes of packets, so that nobody can fill the
## memory. In memory it is up to 24 times as much.
const MOST_LATEST_BYTES := 4 * 1024 * 1024
## Between two looks at the clock.
const PACKETS_AT_ONCE := 4


## One OSC message, or one RAW frame, and when it arrived.
class Sample:
	var address := ""
	## Of OSC: int, float, String, PackedByteArray or bool. Of RAW: one PackedFloat32Array.
	var arguments: Array = []
	## When its packet arrived, on the clock of [method Time.get_ticks_usec]; on Linux and Android
	## as the kernel received it.
	var time_usec := 0
	## OSC: that of its bundle, seconds since 1900 as 32.32 fixed point. 1: at once, or no bundle.
	var time_tag := 1
	## RAW: the frame's number.
	var number := 0
	## Bytes of the message or frame.
	var size := 0


## Rate and jitter of a stream, from the times at which its packets arrived.
class Arrivals:
	## So much time is measured.
	var window_usec := 2_000_000
	## How irregularly packets come: the mean difference between the time from one packet to the next
	## and its mean, smoothed as RFC 3550 smooths its jitter.
	var jitter_usec := 0.0
	## The longest time between two packets since [method reset].
	var longest_gap_usec := 0
	var packets := 0

	var _times: PackedInt64Array
	var _first := 0

	func add(times: PackedInt64Array) -> void:
		for time in times:
			if packets > 0:
				var gap := maxi(0, time - _times[-1])
				longest_gap_usec = maxi(longest_gap_usec, gap)
				var mean := get_mean_gap_usec()
				if mean > 0:
					jitter_usec += (absf(gap - mean) - jitter_usec) / 16
			packets += 1
			_times.append(time)
			while _times[_first] < time - window_usec:
				_first += 1
		# Cut now and then: each cut moves all that remain.
		if _first > 1024 and 2 * _first > _times.size():
			_times = _times.slice(_first)
			_first = 0

	func get_mean_gap_usec() -> float:
		var count := _times.size() - _first
		return 0.0 if count < 2 else float(_times[-1] - _times[_first]) / (count - 1)

	## Packets a second, in the last [member window_usec] in which packets came.
	func get_rate() -> float:
		var mean := get_mean_gap_usec()
		return 0.0 if mean <= 0 else 1e6 / mean

	func reset() -> void:
		_times.clear()
		_first = 0
		packets = 0
		jitter_usec = 0
		longest_gap_usec = 0


## Reads OSC 1.0: messages and bundles with arguments of the types i, f, s, b, T and F. Whatever is
## malformed is left out and counted, never an error.
class Osc:
	## The name of every bundle, with the bytes that fill it up.
	const BUNDLE := "#bundle"
	## Texts that are remembered, because the same addresses come again and again.
	const MOST_TEXTS := 4096
	const LONGEST_REMEMBERED := 256
	const MOST_ARGUMENTS := 1024

	## Messages in one call of [method parse]; the rest is left out.
	var most_messages := 50_000
	## Packets, bundle elements and messages that were left out because they are malformed.
	var malformed := 0
	## Messages that were left out because an argument has another type, or there are too many.
	var unsupported := 0
	## Messages above [member most_messages].
	var skipped := 0

	# All packets, and the same backwards: the engine decodes little-endian numbers only.
	var _bytes: PackedByteArray
	var _backwards: PackedByteArray
	var _samples: Array[Sample]
	var _time_usec := 0
	var _texts: Dictionary[PackedByteArray, String] = {}
	# Where the text or blob ends that was read last, with its padding; -1: it is malformed.
	var _end := 0

	## The messages of packets that lie in [param bytes] one after the other, with these sizes and
	## times of arrival.
	func parse(
		bytes: PackedByteArray, sizes: PackedInt32Array, times: PackedInt64Array
	) -> Array[Sample]:
		_bytes = bytes
		_backwards = bytes.duplicate()
		_backwards.reverse()
		_samples = []
		var at := 0
		for i in sizes.size():
			_time_usec = times[i]
			_parse_element(at, at + sizes[i], 1, 0)
			at += sizes[i]
		var samples := _samples
		_samples = []
		return samples

	## The contents of a packet or of a bundle's element: a message or a bundle.
	func _parse_element(from: int, to: int, time_tag: int, depth: int) -> void:
		if to - from < 4 or (to - from) % 4 != 0:
			malformed += 1
		elif _bytes[from] == 0x2f:
			_parse_message(from, to, time_tag)
		elif _bytes[from] == 0x23 and depth <= MOST_NESTED:
			_parse_bundle(from, to, depth)
		else:
			malformed += 1

	func _parse_bundle(from: int, to: int, depth: int) -> void:
		if to - from < 16 or _text(from, to) != BUNDLE:
			malformed += 1
			return
		var time_tag := _backwards.decode_s64(_bytes.size() - from - 16)
		var at := from + 16
		while at < to:
			# An element of a wrong size may leave less than a size for the next one.
			var size := _int(at) if to - at >= 4 else -1
			at += 4
			if size < 0 or size > to - at:
				malformed += 1
				return
			_parse_element(at, at + size, time_tag, depth + 1)
			at += size

	func _parse_message(from: int, to: int, time_tag: int) -> void:
		if _samples.size() >= most_messages:
			skipped += 1
			return
		var address := _text(from, to)
		var at := _end
		var types := "" if at < 0 or at >= to else _text(at, to)
		if _end < 0 or not types.begins_with(","):
			malformed += 1
			return
		at = _end
		if types.length() > MOST_ARGUMENTS + 1:
			unsupported += 1
			return
		var arguments: Array = []
		for i in range(1, types.length()):
			match types[i]:
				"i" when to - at >= 4:
					arguments.append(_int(at))
					at += 4
				"f" when to - at >= 4:
					arguments.append(_backwards.decode_float(_bytes.size() - at - 4))
					at += 4
				"s" when to - at >= 4:
					arguments.append(_text(at, to))
					at = _end
				"b" when to - at >= 4:
					arguments.append(_blob(at, to))
					at = _end
				"T":
					arguments.append(true)
				"F":
					arguments.append(false)
				"i", "f", "s", "b":
					at = -1
				_:
					unsupported += 1
					return
			if at < 0:
				break
		# What is left over is malformed, too.
		if at != to:
			malformed += 1
			return
		var sample := Sample.new()
		sample.address = address
		sample.arguments = arguments
		sample.time_usec = _time_usec
		sample.time_tag = time_tag
		sample.size = to - from
		_samples.append(sample)

	func _int(at: int) -> int:
		return _backwards.decode_s32(_bytes.size() - at - 4)

	## The bytes at [param at]; sets [member _end]. They are filled up to a multiple of four bytes.
	func _blob(at: int, to: int) -> PackedByteArray:
		var size := _int(at)
		_end = -1
		# Compared without adding, which could overflow.
		if size < 0 or size > to - at - 4 or (size + 3) & ~3 > to - at - 4:
			return []
		_end = at + 4 + ((size + 3) & ~3)
		return _bytes.slice(at + 4, at + 4 + size)

	## The text at [param at]; sets [member _end]. Texts are filled up with zeros, one at least, to a
	## multiple of four bytes.
	func _text(at: int, to: int) -> String:
		_end = at + 4
		while _end <= to and _bytes[_end - 1] != 0:
			_end += 4
		if _end > to:
			_end = -1
			return ""
		var padded := _bytes.slice(at, _end)
		if _texts.has(padded):
			return _texts[padded]
		var length := padded.find(0)
		if padded.size() - length > 4 or padded.count(0) != padded.size() - length:
			_end = -1
			return ""
		var letters := padded.slice(0, length)
		if not _is_utf8(letters):
			_end = -1
			return ""
		var text := letters.get_string_from_utf8()
		if padded.size() <= LONGEST_REMEMBERED:
			if _texts.size() >= MOST_TEXTS:
				_texts.clear()
			_texts[padded] = text
		return text

	## OSC 1.0 has ASCII only, but many programs send UTF-8. The engine prints an error for text that
	## is neither. After a first byte follow up to three of the form 10xxxxxx; no character may be
	## written longer than necessary, be a surrogate, or be above U+10FFFF (RFC 3629).
	static func _is_utf8(letters: PackedByteArray) -> bool:
		var following := 0
		var least := 0x80
		var most := 0xbf
		for byte in letters:
			if following > 0:
				if byte < least or byte > most:
					return false
				following -= 1
				least = 0x80
				most = 0xbf
			elif byte >= 0x80:
				if byte < 0xc2 or byte > 0xf4:
					return false
				following = 1 if byte < 0xe0 else 2 if byte < 0xf0 else 3
				least = {0xe0: 0xa0, 0xf0: 0x90}.get(byte, 0x80)
				most = {0xed: 0x9f, 0xf4: 0x8f}.get(byte, 0xbf)
		return following == 0


## Only packets from this address are read; "": from everyone.
@export var only_from := ""
## Addresses that [member latest] may have, so that nobody can fill the memory.
@export_range(1, 100_000) var most_addresses := 4096
## Packets that are read in one frame; the rest waits in the queue.
@export_range(1, 100_000) var most_packets_per_frame := 16_384
## For how long packets are read in one frame; the rest waits in the queue. Those that take longest
## to read are of strangers.
@export_range(1, 1000) var most_msec_per_frame := 20

## Its options, conditions and statistics.
var socket := PacketPeerUdpRs.new()
## The newest sample of each address.
var latest: Dictionary[String, Sample] = {}
## All samples of the last frame in which packets came, in the order of their arrival.
var samples: Array[Sample] = []
var arrivals := Arrivals.new()
var osc := Osc.new()
## RAW frames that are missing, by their numbers; that came late or twice, or have a number that is
## not believed.
var lost := 0
var late := 0
## RAW packets that are no frame.
var malformed := 0
## Packets of others than [member only_from]; samples for which [member latest] has no room.
var ignored := 0

var _format := Format.OSC
var _latest_bytes := 0
var _last_number := -1
# What confirms a number that is far from the last one.
var _expected_number := -1


func _process(_delta: float) -> void:
	if socket.is_bound():
		_receive()


func _exit_tree() -> void:
	close()


## Port 0: the system chooses, see [method PacketPeerUdpRs.get_local_port].
func open(port: int, bind_address := "*", format := Format.OSC) -> Error:
	close()
	_format = format
	socket.background_receive = true
	socket.queue_size = QUEUE_BYTES
	socket.receive_buffer_size = SYSTEM_BUFFER_BYTES
	# A pose that is seconds old is worth nothing.
	socket.overflow_policy = PacketPeerUdpRs.DROP_OLDEST
	return socket.bind(port, bind_address)


func close() -> void:
	socket.close()
	samples = []
	latest.clear()
	_latest_bytes = 0
	arrivals.reset()
	_last_number = -1
	_expected_number = -1


## Packets that arrived, but found no room.
func get_dropped() -> int:
	var stats := socket.get_stats()
	return stats.packets_dropped_queue + stats.packets_dropped_kernel


## The arguments that came last with this address; [] before the first.
func get_value(address: String) -> Array:
	return latest[address].arguments if latest.has(address) else []


## All samples of this address in [member samples].
func samples_of(address: String) -> Array[Sample]:
	return samples.filter(func(sample: Sample) -> bool: return sample.address == address)


func _receive() -> void:
	var until := Time.get_ticks_usec() + most_msec_per_frame * 1000
	var found: Array[Sample] = []
	var left := most_packets_per_frame
	var count := 0
	while left > 0:
		var bytes := socket.get_packets_joined(mini(left, PACKETS_AT_ONCE))
		var sizes := socket.get_batch_sizes()
		var times := socket.get_batch_times_usec()
		if sizes.is_empty():
			break
		left -= sizes.size()
		if not only_from.is_empty():
			var ips := socket.get_batch_ips()
			if ips.count(only_from) < ips.size():
				bytes = _leave_out_others(bytes, sizes, times, ips)
		count += sizes.size()
		arrivals.add(times)
		if _format == Format.OSC:
			found.append_array(osc.parse(bytes, sizes, times))
		else:
			found.append_array(_frames(bytes, sizes, times))
		if Time.get_ticks_usec() >= until:
			break
	if count == 0:
		return
	samples = found
	for sample in samples:
		_keep(sample)
	received.emit(count)


func _keep(sample: Sample) -> void:
	var before: Sample = latest.get(sample.address)
	var bytes := _latest_bytes + sample.size - (before.size if before != null else 0)
	if bytes > MOST_LATEST_BYTES or (before == null and latest.size() >= most_addresses):
		ignored += 1
		return
	_latest_bytes = bytes
	latest[sample.address] = sample


## Changes sizes and times, and returns the bytes.
func _leave_out_others(
	bytes: PackedByteArray, sizes: PackedInt32Array, times: PackedInt64Array, ips: PackedStringArray
) -> PackedByteArray:
	var kept := PackedByteArray()
	var at := 0
	var count := 0
	for i in ips.size():
		if ips[i] == only_from:
			kept.append_array(bytes.slice(at, at + sizes[i]))
			at += sizes[i]
			sizes[count] = sizes[i]
			times[count] = times[i]
			count += 1
		else:
			at += sizes[i]
			ignored += 1
	sizes.resize(count)
	times.resize(count)
	return kept


func _frames(
	bytes: PackedByteArray, sizes: PackedInt32Array, times: PackedInt64Array
) -> Array[Sample]:
	var frames: Array[Sample] = []
	var at := 0
	for i in sizes.size():
		var size := sizes[i]
		at += size
		if size < 8 or size % 4 != 0:
			malformed += 1
			continue
		var frame := Sample.new()
		frame.address = RAW_ADDRESS
		frame.number = bytes.decode_u32(at - size)
		frame.arguments = [bytes.slice(at - size + 4, at).to_float32_array()]
		frame.time_usec = times[i]
		frame.size = size
		if _is_next(frame.number):
			frames.append(frame)
		else:
			late += 1
	return frames


## Counts what is missing before a frame. Returns false for one that is not newer.
func _is_next(number: int) -> bool:
	# The number starts again at 0 after 2^32 - 1.
	var ahead := (number - _last_number) & 0xffff_ffff
	if _last_number >= 0:
		if ahead == 0 or ahead > 0x1_0000_0000 - MOST_LATE:
			return false
		if ahead <= MOST_MISSING:
			lost += ahead - 1
		elif number != _expected_number:
			_expected_number = (number + 1) & 0xffff_ffff
			return false
	_last_number = number
	_expected_number = -1
	return true
