extends VBoxContainer
## The page of the chat: user interface only. The logic is in conversation.gd, waiting_thread.gd and
## error_samples.gd, which the scripted session uses too.

const Conversation := preload("../conversation.gd")
const ErrorSamples := preload("../error_samples.gd")
const LocalBob := preload("../peers/local_bob.gd")
const Message := preload("../message.gd")
const Networks := preload("../conditions/networks.gd")
const PeerPanel := preload("peer_panel.gd")
const Samples := preload("../samples.gd")
const WaitingThread := preload("../waiting_thread.gd")

## In the order of Conversation.BobKind.
const BOBS := ["PacketPeerUdpRs", "PacketPeerUDP", "Second Godot process", "Python program"]

## What the last choice of the list of networks stands for. Set it before open().
var own_network: UdpLinkConditions

var conversation := Conversation.new()
var error_samples := ErrorSamples.new()
var waiting: WaitingThread

@onready var _alice: PeerPanel = %Alice
@onready var _bob: PeerPanel = %Bob


func _process(_delta: float) -> void:
	if visible:
		%NetworkWords.text = _network_words()


## Opens Alice's socket; there is no Bob yet.
func open() -> void:
	_set_up_peers()
	_set_up_network()
	_set_up_waiting()
	_set_up_errors()


func _exit_tree() -> void:
	# A game that quits while a thread waits would leave that thread behind.
	error_samples.stop()
	if waiting:
		waiting.stop()


func choose_bob(kind: Conversation.BobKind) -> void:
	_bob.show_choice(kind)
	_bob.show_identity("", "")
	_bob.add_remark("Bob is now: %s" % BOBS[kind])
	_alice.set_enabled(false, "Waiting for Bob's hello …")
	_bob.set_enabled(false, "On his way …")
	conversation.start_bob(kind)


func send(message: Message) -> void:
	var error := conversation.send(message)
	if error != OK:
		var reason := conversation.alice.get_last_error_message()
		_alice.add_remark("Not sent. %s: %s" % [error_string(error), reason])


## `id` is a preset's, or empty for this machine as it is.
func choose_network(id: String) -> void:
	conversation.network = Networks.preset(id) if id else null
	%Network.select(Networks.NAMES.keys().find(id) + 1)


func start_waiting() -> void:
	if waiting:
		waiting.stop()
	waiting = WaitingThread.new(PacketPeerUdpRs.new())
	waiting.changed.connect(_show_waiting)
	waiting.start()
	_show_waiting()


func provoke(sample: Callable) -> void:
	if not error_samples.is_busy():
		%ErrorWords.theme_type_variation = &"MutedLabel"
		%ErrorWords.text = "…"
		error_samples.run(sample)


## The text of the status line. The addresses stand beside the names below it.
func status() -> String:
	var is_here := "is here" if conversation.bob_is_here else "is not here"
	return (
		"Alice: is_bound() %s  ·  Bob %s  ·  waiting thread: %s"
		% [
			conversation.alice.is_bound(),
			is_here,
			waiting.state_words() if waiting else "not started",
		]
	)


func _set_up_peers() -> void:
	add_child(conversation)
	conversation.alice_noted.connect(_alice.add_note)
	conversation.bob_noted.connect(_bob.add_note)
	conversation.bob_arrived.connect(_on_bob_arrived)
	conversation.bob_failed.connect(_on_bob_failed)
	var error := conversation.open()
	if error != OK:
		_alice.add_remark("bind() failed: %s" % conversation.alice.get_last_error_message())
	_alice.show_identity("PacketPeerUdpRs", conversation.alice_address())
	_alice.said.connect(func(words: String) -> void: send(Message.of_text(words)))
	_add_sample("Hello", Message.of_text.bind(Samples.GREETING))
	_add_sample("256 B", Samples.every_byte)
	_add_sample("8,000 B", Samples.long_bytes)
	_add_sample("Dictionary", Samples.dictionary)
	_add_sample("Vectors", Samples.vectors)
	_add_sample("Arrays", Samples.packed_arrays)
	_add_sample("How many?", Message.of_text.bind(Samples.HOW_MANY))

	_bob.offer_choice(BOBS, choose_bob)
	_bob.said.connect(
		func(words: String) -> void: (conversation.bob as LocalBob).say(Message.of_text(words))
	)


func _add_sample(text: String, make: Callable) -> void:
	var message: Message = make.call()
	var tooltip := "%s: %s" % [message.kind_name(), message.describe()]
	_alice.add_action(text, tooltip, func() -> void: send(make.call()))


func _set_up_network() -> void:
	var ids := Networks.NAMES.keys()
	%Network.add_item("This machine")
	for id: String in ids:
		%Network.add_item(Networks.NAMES[id])
		var last: int = %Network.item_count - 1
		%Network.set_item_tooltip(last, Networks.describe(Networks.preset(id)))
	if own_network:
		%Network.add_item("As in the Lab")
		%Network.set_item_tooltip(-1, "The network that the page Lab has, with every change of it")
	%Network.item_selected.connect(_on_network_selected)
	%Network.select(0)


func _on_network_selected(number: int) -> void:
	var ids := Networks.NAMES.keys()
	if number > ids.size():
		conversation.network = own_network
	else:
		choose_network(ids[number - 1] if number > 0 else "")


## What the chosen network is like, and what it has done to Alice's packets.
func _network_words() -> String:
	if conversation.network == null:
		return "Nothing is lost or late here. Try another one, and write to each other."
	var stats := conversation.alice.get_stats()
	return (
		"Packets so far, keep-alives too: %d lost, %d doubled, %d reordered, %d on the way.  %s."
		% [
			stats["conditions_lost"],
			stats["conditions_duplicated"],
			stats["conditions_reordered"],
			stats["conditions_waiting"],
			Networks.describe(conversation.network),
		]
	)


func _set_up_waiting() -> void:
	%StartWaiting.pressed.connect(start_waiting)
	%WakeUp.pressed.connect(func() -> void: waiting.send(Message.of_text("Wake up!")))
	%Interrupt.pressed.connect(func() -> void: waiting.interrupt())
	%Pill.pressed.connect(func() -> void: waiting.send_pill())
	_show_waiting()


func _show_waiting() -> void:
	var is_waiting := waiting != null and waiting.is_waiting()
	%StartWaiting.disabled = is_waiting
	for button: Button in [%WakeUp, %Interrupt, %Pill]:
		button.disabled = not is_waiting
	%WaitingState.text = (
		"The thread: %s." % waiting.state_words()
		if waiting
		else "It sleeps until a packet comes. Then end it by a call, or by a packet."
	)


func _set_up_errors() -> void:
	error_samples.finished.connect(_on_error_provoked)
	_add_error("No destination", ErrorSamples.no_destination)
	_add_error("65,508 bytes", ErrorSamples.too_large)
	_add_error("Port taken", ErrorSamples.port_in_use)
	_add_error("Timeout", ErrorSamples.wait_timeout)
	_add_error("Unknown host", ErrorSamples.unknown_host)


func _add_error(text: String, sample: Callable) -> void:
	var button := Button.new()
	button.text = text
	button.pressed.connect(provoke.bind(sample))
	%ErrorButtons.add_child(button)


func _on_bob_arrived() -> void:
	_bob.show_identity("", conversation.bob_address())
	_alice.set_enabled(true, "Say something to Bob")
	if conversation.bob is LocalBob:
		_bob.set_enabled(true, "Say something to Alice")
	else:
		_bob.set_enabled(false, "He answers by himself")


func _on_bob_failed(words: String) -> void:
	_bob.add_remark(words)
	_bob.show_identity("", "")
	_alice.set_enabled(false, "There is no Bob; choose one")
	_bob.set_enabled(false, "Not here")


func _on_error_provoked(result: ErrorSamples.Result) -> void:
	%ErrorWords.theme_type_variation = &"ErrorLabel"
	%ErrorWords.text = "%s\n%s" % [result.attempt, result.words()]
