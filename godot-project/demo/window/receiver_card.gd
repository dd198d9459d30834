extends PanelContainer
## One receiver of the stall: what happened to the packets sent during the freeze, and its rates
## before and after.

const Figures := preload("../figures.gd")
const Receiver := preload("../stall/receiver.gd")
const Stall := preload("../stall/stall.gd")


## Shows the receiver's name without figures.
func introduce(title: String, manner: String) -> void:
	%Class.text = title
	%Manner.text = manner
	clear()


func clear() -> void:
	%Verdict.text = "–"
	%Verdict.theme_type_variation = &"VerdictLabel"
	for part: Control in [%LostPart, %ReceivedPart]:
		part.hide()
	for label: Label in [%Sent, %Received, %Lost, %Order, %Before, %After]:
		label.text = "–"
	%Reason.text = ""


## The rates, which change while it runs.
func show_rates(receiver: Receiver, stall: Stall) -> void:
	%Before.text = Figures.per_second(receiver.count(stall.before), stall.before.seconds())
	%After.text = Figures.per_second(receiver.count(stall.after), stall.after.seconds())


## The counts, when they are final.
func show_result(receiver: Receiver, stall: Stall) -> void:
	var sent := stall.frozen.sent()
	var received := receiver.count(stall.frozen)
	var lost := sent - received
	%Verdict.text = "%s lost" % Figures.grouped(lost) if lost else "none lost"
	%Verdict.theme_type_variation = &"BadVerdictLabel" if lost else &"GoodVerdictLabel"
	%Sent.text = Figures.grouped(sent)
	%Received.text = Figures.grouped(received)
	%Lost.text = "%s (%.0f %%)" % [Figures.grouped(lost), 100.0 * lost / maxi(sent, 1)]
	%Order.text = "yes" if receiver.is_in_order else "no"
	_show_part(%LostPart, lost)
	_show_part(%ReceivedPart, received)
	%Reason.text = receiver.explanation()
	show_rates(receiver, stall)


func _show_part(part: Control, packets: int) -> void:
	part.visible = packets > 0
	part.size_flags_stretch_ratio = packets
