extends RefCounted
## How long the page's scripts run, drawing included: what a frame costs beside the engine's own
## work.

static var usec := 0
static var parts := 0


## To be called at the end of a part that began at `start_usec`.
static func add(start_usec: int) -> void:
	usec += Time.get_ticks_usec() - start_usec
	parts += 1


static func take() -> int:
	var taken := usec
	usec = 0
	parts = 0
	return taken
