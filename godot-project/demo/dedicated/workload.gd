extends RefCounted
## How long the frames of the server take.

var frames := 0
var longest_usec := 0
## The longest time from the start of one frame to the next, with the time that the server slept.
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
