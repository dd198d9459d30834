extends RefCounted
## When packets are due, for the senders of all sides of an experiment: each sends the same packets,
## however long the system keeps the thread of one of them waiting. Every method may be called from
## any thread.

const LabPattern := preload("lab_pattern.gd")

var _pattern: LabPattern
# What follows is guarded by the mutex.
var _mutex := Mutex.new()
var _released := 0
var _is_ended := false


## Starts the pattern at a time on the clock of Time.get_ticks_usec().
func _init(pattern: LabPattern, usec: int) -> void:
	_pattern = pattern
	_pattern.begin(usec)


## Releases nothing more. A sender still has to send what has been released.
func end() -> void:
	_mutex.lock()
	_is_ended = true
	_mutex.unlock()


## How many packets a sender has to send now, if it has sent `sent`, and `in_flight` of them are on
## their way.
func due(usec: int, sent: int, in_flight: int) -> int:
	_mutex.lock()
	var found := 0
	if _pattern.kind != LabPattern.Kind.FILE:
		if not _is_ended:
			_released += _pattern.take_due(usec)
		found = _released - sent
	elif not _is_ended:
		found = _pattern.room_in_window(sent, in_flight)
	_mutex.unlock()
	return found


## The size of a packet by its number.
func size_of(number: int) -> int:
	return _pattern.size_of(number)


## The size of all packets, but perhaps of the last one.
func packet_bytes() -> int:
	return _pattern.packet_bytes
