extends RefCounted
## A thread that sends packets, so that they go on when the game stands still. What sends extends
## this: it starts [member _thread], ends when [member _stopped] is set, and gives up with words.

var _thread := Thread.new()
# What follows is shared with the thread, under the mutex, as what extends this shares its own.
var _mutex := Mutex.new()
var _stopped := false
var _trouble := ""


## Why it ended by itself; empty while all is well.
func trouble() -> String:
	_mutex.lock()
	var words := _trouble
	_mutex.unlock()
	return words


## Ends the thread and waits for it. What was sent by then has reached the sockets.
func stop() -> void:
	_mutex.lock()
	_stopped = true
	_mutex.unlock()
	if _thread.is_started():
		_thread.wait_to_finish()


func _give_up(words: String) -> void:
	_mutex.lock()
	_trouble = words
	_mutex.unlock()
