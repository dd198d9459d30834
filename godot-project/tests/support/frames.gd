extends RefCounted
## Waits for frames: signals are emitted once a frame.

const TIMEOUT_MSEC := 30_000


static func wait(count: int) -> void:
	for i in count:
		await (Engine.get_main_loop() as SceneTree).process_frame


## Lets frames pass until [param condition] holds; false where it does not within [param msec].
static func until(condition: Callable, msec := TIMEOUT_MSEC) -> bool:
	var deadline := Time.get_ticks_msec() + msec
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			return false
		await wait(1)
	return true
