extends RefCounted
## Whether a signal is emitted before the _process() of its frame. Packets arrive while the engine
## waits for the next frame; a node looks for them in its _process(), and notes whether the handler
## was called before.

## How many packets are sent, each in the pause after another frame.
const TRIALS := 12
const FRAMES_PER_SECOND := 20
## After the beginning of a pause, so that the packet arrives well within it.
const DELAY_MSEC := 10

var _signals := 0
## Trials in which the node saw the packet before the handler, and after it.
var _late := 0
var _in_time := 0


## The handler of the signal.
func note_signal(_argument: Variant = null) -> void:
	_signals += 1


## Sends by [param send_one], which gets the number of the trial and is called in a thread.
## [param look] says whether what was sent is there, and takes it.
func run(send_one: Callable, look: Callable) -> void:
	var tree: SceneTree = Engine.get_main_loop()
	var previous := Engine.max_fps
	Engine.max_fps = FRAMES_PER_SECOND
	var node := _Looker.new()
	node.look = look
	node.order = self
	for trial in TRIALS:
		node.has_seen = false
		tree.root.add_child(node)
		await tree.process_frame
		# Resumed at the beginning of a frame; the thread sends after its end.
		var thread := Thread.new()
		thread.start(
			func() -> void:
				OS.delay_msec(DELAY_MSEC)
				send_one.call(trial)
		)
		for i in 40:
			await tree.process_frame
			if node.has_seen:
				break
		thread.wait_to_finish()
		tree.root.remove_child(node)
		# What the addon has to say of this packet, it says now at the latest.
		await tree.process_frame
		await tree.process_frame
		_signals = 0
	node.free()
	Engine.max_fps = previous


func check_all(suite: RefCounted) -> void:
	suite.check_equal(_late + _in_time, TRIALS, "packets that were seen")
	# A packet may come just between the two, on a busy machine.
	suite.check(_late <= 2, "in %d of %d trials after _process()" % [_late, TRIALS])


class _Looker:
	extends Node
	var look: Callable
	var order: RefCounted
	var has_seen := false

	func _process(_delta: float) -> void:
		if has_seen or not look.call():
			return
		has_seen = true
		if order._signals > 0:
			order._in_time += 1
		else:
			order._late += 1
