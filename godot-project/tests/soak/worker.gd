extends "../support/receiving.gd"
## Base of what goes on at the same time in a soak. Each worker has a thread, in which [method
## do_round] is called again and again.

var rng := RandomNumberGenerator.new()
## How often [method do_round] was done; read by other threads to show it.
var rounds := 0

var _stopping := false


func run() -> void:
	while not _stopping and failures.is_empty():
		do_round()
		rounds += 1


## Some seconds of work at most. In the worker's thread.
func do_round() -> void:
	pass


## In each frame, on the main thread.
func on_frame() -> void:
	pass


## When all is over, on the main thread: gives up what is held.
func finish() -> void:
	pass


## What has been done so far, in a few words.
func figures() -> String:
	return "%d rounds" % rounds


## Asks [method run] to end.
func stop() -> void:
	_stopping = true


func chance(probability: float) -> bool:
	return rng.randf() < probability
