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

const LabSchedule := preload("lab_schedule.gd")
const LabSetup := preload("lab_setup.gd")
const LabSide := preload("lab_side.gd")

## So that a window can show that the game is about to freeze.
const FRAMES_BEFORE_FREEZE := 3

var setup: LabSetup
## The first as the setup says; the second, if there is one, native. They stay after stop(), with
## what they have measured.
var sides: Array[LabSide] = []

var _is_running := false
var _is_finishing := false
var _schedule: LabSchedule
# Of `started` and of stop(); 0 before.
var _start_usec := 0
var _stop_usec := 0
var _freeze_msec := 0
var _frames_to_freeze := 0


func _process(_delta: float) -> void:
	step()


func _exit_tree() -> void:
	stop()


## Begins. With a far end in another process it takes a second until `started` comes; else it comes
## in this call. ERR_ALREADY_IN_USE while one runs; another error comes with `trouble`.
func start(new_setup: LabSetup) -> Error:
	if _is_running:
		return ERR_ALREADY_IN_USE
	setup = new_setup
	var problem := setup.problem()
	if problem:
		trouble.emit(problem)
		return ERR_INVALID_PARAMETER
	_seed()
	sides = [LabSide.new(setup, setup.near)]
	if setup.compare_with_native and setup.near == LabSetup.EndKind.OURS:
		sides.append(LabSide.new(setup, LabSetup.EndKind.NATIVE))
	_is_running = true
	_schedule = null
	_start_usec = 0
	_stop_usec = 0
	_freeze_msec = 0
	for side in sides:
		side.open()
	_begin_when_ready()
	return OK if _is_running else ERR_CANT_CREATE


## Ends at once; what is on its way is no longer counted. See finish().
func stop() -> void:
	if not _is_running:
		return
	_is_running = false
	_is_finishing = false
	_stop_usec = Time.get_ticks_usec()
	if _schedule:
		_schedule.end()
	for side in sides:
		side.stop()
	stopped.emit()


## Sends nothing more, and goes on taking what comes; see is_settled().
func stop_sending() -> void:
	if _schedule:
		_schedule.end()
	for side in sides:
		side.stop_sending()


## Sends nothing more, and stops when everything that was sent has arrived or is lost.
func finish() -> void:
	if _start_usec == 0:
		stop()
	elif _is_running and not _is_finishing:
		_is_finishing = true
		stop_sending()


## From finish() until it has stopped.
func is_finishing() -> bool:
	return _is_finishing


## Whether everything that was sent has arrived or is lost, and nothing more can come.
func is_settled() -> bool:
	return sides.all(func(side: LabSide) -> bool: return side.state == LabSide.State.SETTLED)


## From start() until stop().
func is_running() -> bool:
	return _is_running


## Since `started`; stays after stop().
func seconds() -> float:
	if _start_usec == 0:
		return 0.0
	var end := _stop_usec if _stop_usec else Time.get_ticks_usec()
	return (end - _start_usec) / 1_000_000.0


## Blocks the main thread on purpose, in a few frames. Sending and the far ends go on meanwhile, in
## threads, as other players' packets do.
func freeze(msec := 1000) -> void:
	if _freeze_msec:
		return
	_freeze_msec = msec
	_frames_to_freeze = FRAMES_BEFORE_FREEZE
	freezing.emit(msec)


## What _process() does.
func step() -> void:
	if not _is_running:
		return
	if _start_usec == 0:
		for side in sides:
			side.step()
		_begin_when_ready()
		return
	if _freeze_msec:
		_frames_to_freeze -= 1
		if _frames_to_freeze == 0:
			_freeze()
	for side in sides:
		side.step()
	_look_for_trouble()
	if _is_finishing and is_settled():
		stop()


## The conditions' decisions depend on the seed, the direction and the order of the packets: so both
## sides have the same.
func _seed() -> void:
	while setup.rng_seed == 0:
		setup.rng_seed = randi()
	for conditions: UdpLinkConditions in [setup.there, setup.back]:
		if conditions:
			conditions.rng_seed = setup.rng_seed


func _begin_when_ready() -> void:
	_look_for_trouble()
	if not _is_running:
		return
	if sides.all(func(side: LabSide) -> bool: return side.state == LabSide.State.READY):
		_start_usec = Time.get_ticks_usec()
		_schedule = LabSchedule.new(setup.make_pattern(), _start_usec)
		for side in sides:
			side.begin(_start_usec, _schedule)
		started.emit()
		_look_for_trouble()


func _freeze() -> void:
	var from_usec := Time.get_ticks_usec()
	# Never do this in a game; loading a level in one call does the same.
	OS.delay_msec(_freeze_msec)
	var to_usec := Time.get_ticks_usec()
	for side in sides:
		side.measures.note_frozen(from_usec, to_usec)
	_freeze_msec = 0
	froze.emit((to_usec - from_usec) / 1000)


func _look_for_trouble() -> void:
	for side in sides:
		if side.trouble and _is_running:
			trouble.emit(side.trouble)
			stop()
			# A handler may have begun another one, with other sides.
			return
