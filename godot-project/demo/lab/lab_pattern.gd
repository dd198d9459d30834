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
	Kind.GAME: "a game's state, 60 Hz",
	Kind.FILE: "a file",
}
const MOST_PER_SECOND := 10_000
const BURST_USEC := 250_000
const TICKS_PER_SECOND := 60
## A sender that was kept waiting for longer leaves out what is overdue.
const MOST_OVERDUE_USEC := 300_000
const USEC_PER_SECOND := 1_000_000

var kind := Kind.STEADY
## Not of FILE.
var packets_per_second := 60
var packet_bytes := 64
var file_bytes := 1024 * 1024
var window_packets := 64


## What is wrong with the values, in words; "" if nothing.
func problem() -> String:
	return ""


## Begins anew, at a time on the clock of Time.get_ticks_usec().
func begin(_usec: int) -> void:
	pass


## How many packets are to be sent now, if `in_flight` are on their way. Each call counts them as
## sent.
func take_due(_usec: int, _in_flight: int) -> int:
	return 0


## The size of a packet by its number.
func size_of(_number: int) -> int:
	return packet_bytes


## Whether all has been sent; only FILE ends.
func is_over() -> bool:
	return false
