extends Node
## Shows what happens to packets that arrive while a game is blocked: loading a level, compiling a
## shader, saving. Packets arrive at a steady rate all the time. The game reads them once a frame,
## then blocks for a second on purpose, then continues. Nothing is simulated: sockets, time and
## counts are real.

signal phase_changed
## The counts are final. `trouble` says whether and why there are none.
signal finished

enum Phase { IDLE, BEFORE, FROZEN, AFTER, DRAINING, DONE }

const PacedSender := preload("paced_sender.gd")
const Receiver := preload("receiver.gd")
const Span := preload("span.gd")

const FREEZE_MSEC := 1000
## So that the window can show that the game is about to freeze.
const FRAMES_BEFORE_FREEZE := 3
## UDP does not report losses: a packet that has not arrived after this time is lost.
const QUIET_MSEC := 100

var phase := Phase.IDLE
var trouble := ""
var receivers: Array[Receiver] = []
var before := Span.new()
var frozen := Span.new()
var after := Span.new()

var _sender: PacedSender
var _usual_msec := 0
var _frames := 0
var _last_arrival_msec := 0


func _process(_delta: float) -> void:
	if not is_running():
		return
	_read()
	match phase:
		Phase.BEFORE:
			before.reach(_sender.next_number())
			if before.seconds() * 1000.0 >= _usual_msec:
				_enter(Phase.FROZEN)
		Phase.FROZEN:
			_frames += 1
			if _frames == FRAMES_BEFORE_FREEZE:
				_freeze()
		Phase.AFTER:
			after.reach(_sender.next_number())
			if after.seconds() * 1000.0 >= _usual_msec:
				_stop_sender()
		Phase.DRAINING:
			if Time.get_ticks_msec() - _last_arrival_msec > QUIET_MSEC:
				_finish()
	if is_running() and _sender.trouble():
		_fail(_sender.trouble())


func _exit_tree() -> void:
	_close()


func is_running() -> bool:
	return phase not in [Phase.IDLE, Phase.DONE]


## Runs all phases: `usual_msec` of normal frames, the freeze, and `usual_msec` of normal frames.
func start(usual_msec: int) -> void:
	if is_running():
		return
	trouble = ""
	_usual_msec = usual_msec
	_frames = 0
	receivers = make_receivers()
	for span: Span in [before, frozen, after]:
		span.begin(0)
	var ports := PackedInt32Array()
	for receiver in receivers:
		var error := receiver.open()
		if error != OK:
			_fail("%s could not be bound: %s." % [receiver.class_title(), error_string(error)])
			return
		ports.append(receiver.port())
	_sender = PacedSender.new()
	_sender.start(ports)
	_enter(Phase.BEFORE)


## The receivers to compare; not open yet.
func make_receivers() -> Array[Receiver]:
	var in_background := PacketPeerUdpRs.new()
	in_background.background_receive = true
	return [
		Receiver.new(PacketPeerUDP.new(), "read once a frame"),
		Receiver.new(PacketPeerUdpRs.new(), "read once a frame"),
		Receiver.new(in_background, "background_receive = true"),
	]


func _enter(next: Phase) -> void:
	phase = next
	phase_changed.emit()


func _read() -> void:
	for receiver in receivers:
		var known := receiver.taken
		receiver.read()
		if receiver.taken > known:
			_last_arrival_msec = Time.get_ticks_msec()


func _freeze() -> void:
	frozen.begin(_sender.next_number())
	# Never do this in a game; loading a level in one call does the same.
	OS.delay_msec(FREEZE_MSEC)
	# The freeze ends when the game has read again, which makes room for more packets.
	_read()
	frozen.reach(_sender.next_number())
	after.begin(frozen.end)
	_enter(Phase.AFTER)


func _stop_sender() -> void:
	_sender.stop()
	after.reach(_sender.next_number())
	_last_arrival_msec = Time.get_ticks_msec()
	_enter(Phase.DRAINING)


func _fail(words: String) -> void:
	trouble = words
	_finish()


func _finish() -> void:
	_close()
	_enter(Phase.DONE)
	finished.emit()


func _close() -> void:
	if _sender:
		_sender.stop()
	for receiver in receivers:
		receiver.close()
