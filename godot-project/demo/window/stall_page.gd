extends VBoxContainer
## The page of the freeze: user interface only. The logic is in stall/stall.gd, which the scripted
## session uses too.

const Figures := preload("../figures.gd")
const PacedSender := preload("../stall/paced_sender.gd")
const Receiver := preload("../stall/receiver.gd")
const ReceiverCard := preload("receiver_card.gd")
const Span := preload("../stall/span.gd")
const Stall := preload("../stall/stall.gd")

const USUAL_MSEC := 1000
## How often the rates are refreshed.
const SHOW_RATES_MSEC := 250

var stall := Stall.new()

var _next_rates_msec := 0

@onready var _cards: Array[ReceiverCard] = [%Native, %Polled, %Background]
@onready var _phase_labels: Dictionary[Stall.Phase, Label] = {
	Stall.Phase.BEFORE: %Before, Stall.Phase.FROZEN: %Frozen, Stall.Phase.AFTER: %After
}


func _ready() -> void:
	add_child(stall)
	stall.phase_changed.connect(_show_phase)
	stall.finished.connect(_show_result)
	%Freeze.pressed.connect(freeze)
	%Explanation.text = (
		(
			"%d players send %d packets of %d bytes a second each: %s a second, numbered, to each of"
			+ " these peers. All have the same recv_buf_size, %s, and are read by the same lines,"
			+ " once a frame. Then the main thread stands still: OS.delay_msec(%d)."
		)
		% [
			PacedSender.PLAYERS,
			PacedSender.PACKETS_PER_PLAYER,
			PacedSender.PACKET_BYTES,
			Figures.grouped(PacedSender.PACKETS_PER_SECOND),
			Figures.bytes(Receiver.BUFFER_BYTES),
			Stall.FREEZE_MSEC,
		]
	)
	var receivers := stall.make_receivers()
	for i in _cards.size():
		_cards[i].introduce(receivers[i].class_title(), receivers[i].manner)
	_show_phase()


func _process(_delta: float) -> void:
	if stall.phase in [Stall.Phase.BEFORE, Stall.Phase.AFTER]:
		if Time.get_ticks_msec() >= _next_rates_msec:
			_next_rates_msec = Time.get_ticks_msec() + SHOW_RATES_MSEC
			_show_rates()


func freeze() -> void:
	if stall.is_running():
		return
	for card in _cards:
		card.clear()
	_next_rates_msec = Time.get_ticks_msec() + SHOW_RATES_MSEC
	stall.start(USUAL_MSEC)


## The text of the status line.
func status() -> String:
	match stall.phase:
		Stall.Phase.IDLE:
			return "Press the button."
		Stall.Phase.BEFORE:
			return "The game reads what comes, once a frame …"
		Stall.Phase.FROZEN:
			return "Frozen: no button answers, and the packets keep coming."
		Stall.Phase.AFTER, Stall.Phase.DRAINING:
			return "The game goes on, and reads what was kept for it …"
	if stall.trouble:
		return stall.trouble
	return "The game was frozen for %.2f s." % stall.frozen.seconds()


func _show_phase() -> void:
	%Freeze.disabled = stall.is_running()
	for phase in _phase_labels:
		var variation := &"CurrentPhaseLabel" if phase == stall.phase else &"PhaseLabel"
		_phase_labels[phase].theme_type_variation = variation
	_show_rates()


func _show_rates() -> void:
	%Before.text = "as usual: %s" % _rate(stall.before)
	%Frozen.text = "frozen: %s" % _rate(stall.frozen)
	%After.text = "as usual: %s" % _rate(stall.after)
	for i in stall.receivers.size():
		_cards[i].show_rates(stall.receivers[i], stall)


func _rate(span: Span) -> String:
	var rate := Figures.per_second(span.sent(), span.seconds())
	return rate + "/s" if span.sent() else rate


func _show_result() -> void:
	if not stall.trouble:
		for i in _cards.size():
			_cards[i].show_result(stall.receivers[i], stall)
