extends RefCounted
## A number that many threads add to.

var _mutex := Mutex.new()
var _count := 0


func add(more: int) -> void:
	_mutex.lock()
	_count += more
	_mutex.unlock()


func count() -> int:
	_mutex.lock()
	var now := _count
	_mutex.unlock()
	return now
