extends Node
## What the chapters of the scripted session share: claims, and waiting for a condition.

const Claims := preload("claims.gd")
const Message := preload("../message.gd")

const HOST := "127.0.0.1"
## Answers come within milliseconds; a busy machine may take seconds.
const ANSWER_MSEC := 20_000

var claims: Claims


## Waits, frame by frame, until `condition` holds or the time is over. Returns whether it holds.
func until(condition: Callable, timeout_msec := ANSWER_MSEC) -> bool:
	var deadline := Time.get_ticks_msec() + timeout_msec
	while not condition.call():
		if Time.get_ticks_msec() > deadline:
			return false
		await get_tree().process_frame
	return true


func tell(words: String) -> void:
	print("  ", words)
