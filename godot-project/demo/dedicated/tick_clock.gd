extends RefCounted
## Says how many ticks are due. Ticks have a fixed rate however long frames are: after a long frame
## several are due at once. After a very long one some are left out; otherwise a slow machine would
## never catch up.

const MAX_AT_ONCE := 3

## How many were left out.
var skipped := 0

var _interval_usec: int
var _next_usec: int


## `phase`, from 0 to 1, shifts the ticks, to spread those of several clocks.
func _init(per_second: int, phase := 1.0) -> void:
	_interval_usec = 1_000_000 / per_second
	_next_usec = Time.get_ticks_usec() + roundi(phase * _interval_usec)


## How many ticks are due now. Call it once a frame.
func due() -> int:
	var late_usec := Time.get_ticks_usec() - _next_usec
	if late_usec < 0:
		return 0
	var count := late_usec / _interval_usec + 1
	_next_usec += count * _interval_usec
	if count > MAX_AT_ONCE:
		skipped += count - MAX_AT_ONCE
		return MAX_AT_ONCE
	return count
