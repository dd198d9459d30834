extends Node
## An experiment of the Lab: one side, or two with the same conditions and the same seed, native
## beside ours. Add it to the tree; it works in its own _process().

signal started
signal stopped
## The game is about to stand still, in a few frames; and it has stood still.
signal freezing(msec: int)
signal froze(msec: int)
## The experiment cannot run, or has ended by itself. Comes before `stopped`.
signal trouble(words: String)

const LabSetup := preload("lab_setup.gd")
const LabSide := preload("lab_side.gd")

## So that a window can show that the game is about to freeze.
const FRAMES_BEFORE_FREEZE := 3

var setup: LabSetup
## The first as the setup says; the second, if there is one, native. They stay after stop(), with
## what they have measured.
var sides: Array[LabSide] = []


## Begins. With a far end in another process it takes a second until `started` comes; else it comes
## in this call. ERR_ALREADY_IN_USE while one runs; another error comes with `trouble`.
func start(_new_setup: LabSetup) -> Error:
	return OK


## Ends at once; what is on its way is no longer counted.
func stop() -> void:
	pass


## Sends nothing more, and goes on taking what comes; see is_settled().
func stop_sending() -> void:
	pass


## Whether everything that was sent has arrived or is lost, and nothing more can come.
func is_settled() -> bool:
	return false


## From start() until stop().
func is_running() -> bool:
	return false


## Since `started`; stays after stop().
func seconds() -> float:
	return 0.0


## Blocks the main thread on purpose, in a few frames. Sending and the far ends go on meanwhile, in
## threads, as other players' packets do.
func freeze(_msec := 1000) -> void:
	pass
