extends RefCounted
## A stream of numbered packets of many sizes. A thread sends it; the receiver sets the pace, so
## that no more packets are in flight than any kernel holds and none is lost.

## How many packets are sent at a time.
const WINDOW := 32
## How many windows are in flight at most: a buffer of 256 KiB holds them.
const WINDOWS := 4
## This many packets in a row have one size: the kernel may join them.
const RUN := 7
const SIZES: Array[int] = [64, 4, 1200, 300, 512, 1400, 16, 900]
## Every LARGE_EVERY-th packet is larger than any network's packets.
const LARGE := 30_000
const LARGE_EVERY := 1009

## A stream ends early on a busy machine, instead of taking longer.
const LONGEST_MSEC := 10_000

## How many packets the stream has.
var length: int

var _credits := Semaphore.new()
var _stopped := false
# One packet for each size, to be numbered: one set for the sender, one for the receiver.
var _to_send := _patterns()
var _to_expect := _patterns()


## A small queue needs fewer [param windows] in flight.
func _init(packets: int, windows := WINDOWS) -> void:
	length = packets
	_credits.post(windows)


## Sends the stream, WINDOW by WINDOW; returns how many packets were sent.
func send(sender: PacketPeer) -> int:
	var sent := 0
	var deadline := Time.get_ticks_msec() + LONGEST_MSEC
	while sent < length:
		_credits.wait()
		if Time.get_ticks_msec() > deadline:
			# The length is set before the last packets are sent, so that the receiver knows it.
			length = mini(length, sent + WINDOW)
		var window: Array[PackedByteArray] = []
		for number in range(sent, mini(sent + WINDOW, length)):
			window.append(_packet(_to_send, number).duplicate())
		# What the kernel has no room for is sent again.
		while not window.is_empty() and not _stopped:
			var taken: int = sender.put_packets(window)
			if taken < 0:
				return sent
			if taken == 0:
				OS.delay_usec(100)
			window = window.slice(taken)
			sent += taken
		if _stopped:
			break
	return sent


## Call this for each WINDOW that was received: another is sent.
func acknowledge() -> void:
	_credits.post()


## Ends [method send] before its time.
func stop() -> void:
	_stopped = true
	_credits.post()


## Whether this is the packet of that number, whole.
func is_packet(packet: PackedByteArray, number: int) -> bool:
	return packet == _packet(_to_expect, number)


# The pattern itself, numbered.
static func _packet(patterns: Array[PackedByteArray], number: int) -> PackedByteArray:
	var kind := (number / RUN) % SIZES.size()
	if number % LARGE_EVERY == LARGE_EVERY - 1:
		kind = SIZES.size()
	# At both ends, so that a packet made of two is noticed.
	patterns[kind].encode_u32(0, number)
	patterns[kind].encode_u32(patterns[kind].size() - 4, number)
	return patterns[kind]


static func _patterns() -> Array[PackedByteArray]:
	var patterns: Array[PackedByteArray] = []
	for size: int in SIZES + [LARGE]:
		var pattern := PackedByteArray()
		pattern.resize(size)
		for i in size:
			pattern[i] = (i * 31 + size) & 0xff
		patterns.append(pattern)
	return patterns
