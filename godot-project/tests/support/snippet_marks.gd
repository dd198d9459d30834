extends RefCounted
## Which blocks of a snippet have been run: snippets.gd puts a call of [method reach] into each.

static var _mutex := Mutex.new()
static var _reached: Dictionary[int, bool] = {}


## May be called by any thread.
static func reach(number: int) -> void:
	_mutex.lock()
	_reached[number] = true
	_mutex.unlock()


static func has(number: int) -> bool:
	_mutex.lock()
	var is_reached := number in _reached
	_mutex.unlock()
	return is_reached


static func clear() -> void:
	_mutex.lock()
	_reached.clear()
	_mutex.unlock()
