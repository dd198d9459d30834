extends RefCounted
## A part of the run: how long it took, and which packets were sent in it.

## Numbers of packets: from `first` up to, but not including, `end`.
var first := 0
var end := 0

var _start_usec := 0
var _end_usec := 0


func begin(number: int) -> void:
	first = number
	end = number
	_start_usec = Time.get_ticks_usec()
	_end_usec = _start_usec


## Says how far the span has come by now.
func reach(number: int) -> void:
	end = number
	_end_usec = Time.get_ticks_usec()


func sent() -> int:
	return end - first


func seconds() -> float:
	return (_end_usec - _start_usec) / 1_000_000.0
