extends "chapter.gd"
## The game freezes for a second on purpose, while packets come in.

const Figures := preload("../figures.gd")
const PacedSender := preload("../stall/paced_sender.gd")
const Receiver := preload("../stall/receiver.gd")
const Stall := preload("../stall/stall.gd")
const StallClaims := preload("stall_claims.gd")

const USUAL_MSEC := 500

var _stall := Stall.new()


func _ready() -> void:
	add_child(_stall)


func play() -> void:
	tell(
		(
			"A thread sends %s packets of %d bytes a second to each of three peers."
			% [Figures.grouped(PacedSender.PACKETS_PER_SECOND), PacedSender.PACKET_BYTES]
		)
	)
	tell(
		(
			"All are bound with recv_buf_size = %s. In the middle, OS.delay_msec(%d) stops the game."
			% [Figures.bytes(Receiver.BUFFER_BYTES), Stall.FREEZE_MSEC]
		)
	)
	_stall.start(USUAL_MSEC)
	await until(func() -> bool: return not _stall.is_running(), StallClaims.RUN_MSEC)
	_tell_counts()
	StallClaims.new(claims).check(_stall)


func _tell_counts() -> void:
	tell("%-42s %8s %9s %8s" % ["while the game was frozen", "sent", "received", "lost"])
	for receiver in _stall.receivers:
		var counts: Array[int] = [
			_stall.frozen.sent(), receiver.count(_stall.frozen), receiver.lost(_stall.frozen)
		]
		var name := "%-16s %s" % [receiver.class_title(), receiver.manner]
		tell("%-42s %8s %9s %8s" % ([name] + counts.map(Figures.grouped)))
