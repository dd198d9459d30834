extends RefCounted
## How long the server's frames take it.

var frames := 0
var longest_usec := 0
## From the begin of one to the begin of the next, the time in which the server slept included.
var longest_between_usec := 0

var _sum_usec := 0
var _begin_usec := 0


func begin() -> void:
	var now := Time.get_ticks_usec()
	if _begin_usec:
		longest_between_usec = maxi(longest_between_usec, now - _begin_usec)
	_begin_usec = now


func end() -> void:
	var usec := Time.get_ticks_usec() - _begin_usec
	frames += 1
	_sum_usec += usec
	longest_usec = maxi(longest_usec, usec)


func mean_usec() -> int:
	return _sum_usec / maxi(frames, 1)
