extends RefCounted
## How many packets of which size are due by when.

enum Kind {
	## One after the other at equal distances.
	STEADY,
	## As many on average, but those of a quarter of a second at once.
	BURSTS,
	## A game's state: 60 times a second, as many packets at once as the rate needs, at least one.
	GAME,
	## A block of `file_bytes`, as fast as a window allows: at most `window_packets` are on their way
	## at any time. Nothing is sent again. It ends; the others go on.
	FILE,
}

const TITLES: Dictionary[Kind, String] = {
	Kind.STEADY: "steady",
	Kind.BURSTS: "bursts",
	Kind.GAME: "a game's state",
	Kind.FILE: "a file",
}
## A packet's number and the time when it was sent.
const LEAST_PACKET_BYTES := 12
const MOST_PER_SECOND := 10_000
const BURST_USEC := 250_000
const TICKS_PER_SECOND := 60
## What is overdue for longer is left out: no game would send all that in one burst.
const MOST_OVERDUE_USEC: Dictionary[Kind, int] = {
	Kind.STEADY: 5000, Kind.BURSTS: BURST_USEC, Kind.GAME: USEC_PER_SECOND / TICKS_PER_SECOND
}
const USEC_PER_SECOND := 1_000_000

var kind := Kind.STEADY
## Not of FILE.
var packets_per_second := 60
var packet_bytes := 64
var file_bytes := 1024 * 1024
var window_packets := 64

var _start_usec := 0
var _taken := 0
# Of those that were due by now.
var _left_out := 0


## What is wrong with the values, in words; "" if nothing.
func problem() -> String:
	if kind != Kind.FILE and (packets_per_second < 1 or packets_per_second > MOST_PER_SECOND):
		return "It can be 1 to %d packets a second." % MOST_PER_SECOND
	if kind == Kind.FILE and (file_bytes < 1 or window_packets < 1):
		return "A file needs at least one byte, and a window of at least one packet."
	return ""


## Begins anew, at a time on the clock of Time.get_ticks_usec().
func begin(usec: int) -> void:
	_start_usec = usec
	_taken = 0
	_left_out = 0


## How many packets are due since the last call. Not of FILE.
func take_due(usec: int) -> int:
	var target := _target(usec)
	var due := maxi(0, target - _taken - _left_out)
	var most := maxi(1, target - _target(usec - MOST_OVERDUE_USEC[kind]))
	if due > most:
		_left_out += due - most
		due = most
	_taken += due
	return due


## How many packets of a FILE may be sent now, if `sent` were sent and `in_flight` of them are on
## their way.
func room_in_window(sent: int, in_flight: int) -> int:
	return clampi(window_packets - in_flight, 0, file_packets() - sent)


## The size of a packet by its number. The last one of a file has the rest, but room for its number.
func size_of(number: int) -> int:
	if kind != Kind.FILE or number < file_packets() - 1:
		return packet_bytes
	return maxi(LEAST_PACKET_BYTES, file_bytes - (file_packets() - 1) * packet_bytes)


func file_packets() -> int:
	return (file_bytes + packet_bytes - 1) / packet_bytes


## How many are due by then, since the start.
func _target(usec: int) -> int:
	var passed := usec - _start_usec
	if passed < 0:
		return 0
	match kind:
		Kind.BURSTS:
			return _share(passed / BURST_USEC + 1, USEC_PER_SECOND / BURST_USEC)
		Kind.GAME:
			var ticks := passed * TICKS_PER_SECOND / USEC_PER_SECOND + 1
			return maxi(ticks, _share(ticks, TICKS_PER_SECOND))
	return passed * packets_per_second / USEC_PER_SECOND + 1


## What so many of the parts of a second have together, rounded up.
func _share(parts: int, parts_per_second: int) -> int:
	return (parts * packets_per_second + parts_per_second - 1) / parts_per_second
