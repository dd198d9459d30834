extends RefCounted
## What the stall shows, as claims: in the terminal, and before a picture of it is taken.

const Claims := preload("claims.gd")
const Figures := preload("../figures.gd")
const PacedSender := preload("../stall/paced_sender.gd")
const Receiver := preload("../stall/receiver.gd")
const Stall := preload("../stall/stall.gd")

## How long a run may take.
const RUN_MSEC := 60_000

var _claims: Claims


func _init(claims: Claims) -> void:
	_claims = claims


## Checks a run that is over.
func check(stall: Stall) -> void:
	var span := stall.frozen
	# A busy machine may send less, but enough to overflow the engine's default buffer.
	_claims.check(
		(
			stall.phase == Stall.Phase.DONE
			and stall.trouble == ""
			and span.seconds() * 1000.0 >= Stall.FREEZE_MSEC
			and span.sent() >= PacedSender.PACKETS_PER_SECOND / 10
		),
		(
			"the game stood still for %.2f s, and %s packets were sent to each peer meanwhile"
			% [span.seconds(), Figures.grouped(span.sent())]
		),
		stall.trouble
	)
	if stall.phase != Stall.Phase.DONE or stall.trouble:
		return
	_check_native(stall.receivers[0], stall)
	_check_polled(stall.receivers[1], stall)
	_check_background(stall.receivers[2], stall)
	for receiver in stall.receivers:
		_claims.check(receiver.is_in_order, "%s: what came, came in order" % _name(receiver))


func _check_native(native: Receiver, stall: Stall) -> void:
	var lost := native.lost(stall.frozen)
	_claims.check(
		lost > stall.frozen.sent() / 2, "%s lost most: %s" % [_name(native), _share(lost, stall)]
	)


func _check_polled(polled: Receiver, stall: Stall) -> void:
	var lost := polled.lost(stall.frozen)
	_claims.check(
		lost < stall.receivers[0].lost(stall.frozen),
		"%s lost less: %s" % [_name(polled), _share(lost, stall)]
	)
	# All missing packets must be those that the system counts as dropped. Only Linux counts them
	# for sure.
	var missing := stall.after.end - polled.taken
	if OS.get_name() == "Linux" or polled.dropped_by_kernel or missing == 0:
		_claims.check(
			polled.dropped_by_kernel == missing and polled.dropped_by_queue == 0,
			(
				"and only what the system could not hold: %s granted, %s dropped there, none here"
				% [Figures.bytes(polled.granted_bytes), Figures.grouped(polled.dropped_by_kernel)]
			),
			_losses(missing, polled)
		)


func _check_background(background: Receiver, stall: Stall) -> void:
	var lost := background.lost(stall.frozen)
	_claims.check(
		lost == 0 and background.dropped_by_queue == 0,
		"%s lost none of %s" % [_name(background), Figures.grouped(stall.frozen.sent())],
		_losses(lost, background)
	)


func _losses(missing: int, receiver: Receiver) -> String:
	return (
		"%d are missing, %d dropped by the system, %d by the queue"
		% [missing, receiver.dropped_by_kernel, receiver.dropped_by_queue]
	)


func _share(lost: int, stall: Stall) -> String:
	return "%s of %s" % [Figures.grouped(lost), Figures.grouped(stall.frozen.sent())]


func _name(receiver: Receiver) -> String:
	return "%s (%s)" % [receiver.class_title(), receiver.manner]
