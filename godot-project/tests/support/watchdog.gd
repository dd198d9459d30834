extends RefCounted
## Ends the engine when a test hangs, even one that blocks the main thread: it runs in a thread.

var _mutex := Mutex.new()
var _thread := Thread.new()
var _guarded := ""
var _deadline := 0
var _stopping := false


## Starts watching; nothing is guarded yet.
func start() -> void:
	_thread.start(_watch)


## From now on [param what] has [param limit_msec] to finish.
func guard(what: String, limit_msec: int) -> void:
	_mutex.lock()
	_guarded = what
	_deadline = Time.get_ticks_msec() + limit_msec
	_mutex.unlock()


## What was guarded has finished.
func relax() -> void:
	_mutex.lock()
	_guarded = ""
	_mutex.unlock()


func stop() -> void:
	_mutex.lock()
	_stopping = true
	_mutex.unlock()
	_thread.wait_to_finish()


func _watch() -> void:
	while true:
		OS.delay_msec(20)  # there is no timed wait for a Semaphore
		_mutex.lock()
		var stopping := _stopping
		var hung := _guarded if Time.get_ticks_msec() > _deadline else ""
		_mutex.unlock()
		if stopping:
			return
		if not hung.is_empty():
			# printerr() is not buffered: the line is written before the engine is killed.
			printerr("FAILED   %s hung; the engine is ended" % hung)
			OS.kill(OS.get_process_id())
			return
