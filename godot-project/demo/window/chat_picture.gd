extends "picture_session.gd"
## A short chat in the window: text and a Variant, a text through a bad network, a thread in wait(),
## an error in words.

const Chat := preload("chat.gd")
const Conversation := preload("../conversation.gd")
const ErrorSamples := preload("../error_samples.gd")
const Networks := preload("../conditions/networks.gd")
const Note := preload("../note.gd")
const Samples := preload("../samples.gd")
const WaitingThread := preload("../waiting_thread.gd")

const HELLO_MSEC := 30_000
## Of what Alice sends, the first packet is lost and the next is not.
const AWFUL_SEED := 127

var _chat: Chat
var _alice_notes := 0
var _bob_notes := 0
var _last_received: Message
var _result: ErrorSamples.Result
var _failed := false


func perform() -> void:
	_chat = sample.chat
	_listen()
	await _talk()
	await _talk_through_awful()
	await _wait_and_interrupt()
	await _provoke_error()


func _listen() -> void:
	var conversation := _chat.conversation
	conversation.alice_noted.connect(func(_note: Note) -> void: _alice_notes += 1)
	conversation.bob_noted.connect(func(_note: Note) -> void: _bob_notes += 1)
	conversation.alice_received.connect(func(message: Message) -> void: _last_received = message)
	conversation.bob_failed.connect(func(_words: String) -> void: _failed = true)
	_chat.error_samples.finished.connect(
		func(result: ErrorSamples.Result) -> void: _result = result
	)


func _talk() -> void:
	_chat.choose_bob(Conversation.BobKind.PYTHON)
	var conversation := _chat.conversation
	var arrived := func() -> bool: return conversation.bob_is_here or _failed
	await until(arrived, HELLO_MSEC)
	if not conversation.bob_is_here:
		_failed = false
		# No Python on this machine: the picture shows another Bob.
		_chat.choose_bob(Conversation.BobKind.GODOT_PROCESS)
		await until(arrived, HELLO_MSEC)
	await until(func() -> bool: return _alice_notes > 0 and _bob_notes > 0)
	claims.check(
		conversation.bob_is_here and _alice_notes == 1 and _bob_notes == 1,
		"Bob has come and said hello"
	)
	var quoted := Samples.text_answer(Samples.GREETING, conversation.alice_address())
	await _exchange(Message.of_text(Samples.GREETING), Message.of_text(quoted))
	await _exchange(Samples.dictionary(), Samples.dictionary())


## Both transcripts get two lines, and Alice the answer that is due.
func _exchange(message: Message, expected: Message) -> void:
	var alice_notes := _alice_notes + 2
	var bob_notes := _bob_notes + 2
	_chat.send(message)
	await until(func() -> bool: return _alice_notes >= alice_notes and _bob_notes >= bob_notes)
	claims.check(
		_alice_notes == alice_notes and _bob_notes == bob_notes and expected.equals(_last_received),
		"%s was sent and answered" % message.kind_name(),
		"Alice has %d lines, Bob %d" % [_alice_notes, _bob_notes]
	)


## The first text is lost; the second one and its answer are not.
func _talk_through_awful() -> void:
	_chat.choose_network("awful")
	var awful := Networks.seeded_preset("awful", AWFUL_SEED)
	var conversation := _chat.conversation
	conversation.network = awful
	_chat.send(Message.of_text("Are you still there?"))
	var start_msec := Time.get_ticks_msec()
	await _exchange(Message.of_text(Samples.HOW_MANY), Message.of_variant(3))
	var msec := Time.get_ticks_msec() - start_msec
	var lost: int = conversation.alice.get_stats()["conditions_lost"]
	claims.check(
		lost == 1 and msec > awful.latency_msec,
		"awful has lost a text; the answer to the next one took its time",
		"%d lost, an answer after %d ms" % [lost, msec]
	)


func _wait_and_interrupt() -> void:
	_chat.start_waiting()
	_chat.waiting.interrupt()
	await until(func() -> bool: return not _chat.waiting.is_waiting())
	claims.check(
		_chat.waiting.state == WaitingThread.State.ENDED_BY_INTERRUPT,
		"interrupt_wait() ended a waiting thread",
		_chat.waiting.state_words()
	)


func _provoke_error() -> void:
	_chat.provoke(ErrorSamples.too_large)
	await until(func() -> bool: return _result != null)
	claims.check(
		_result != null and _result.error == FAILED and _result.message != "",
		"an error was put in words",
		_result.words() if _result else "no answer"
	)
