extends "../support/receiving.gd"
## Base of the workers of the soak, which run at the same time. Each has a thread that calls [method
## do_round] repeatedly.

var rng := RandomNumberGenerator.new()
## How many rounds are done; read by other threads.
var rounds := 0

var _stopping := false


func run() -> void:
	while not _stopping and failures.is_empty():
		do_round()
		rounds += 1


## A few seconds of work; on the worker's thread.
func do_round() -> void:
	pass


## Called once a frame on the main thread.
func on_frame() -> void:
	pass


## Called at the end on the main thread: frees what the worker holds.
func finish() -> void:
	pass


## A short summary for the log.
func figures() -> String:
	return "%d rounds" % rounds


## Asks [method run] to end.
func stop() -> void:
	_stopping = true


func chance(probability: float) -> bool:
	return rng.randf() < probability
