extends "chapter.gd"
## Alice and a Bob: every kind of message is sent to him, and his answer is compared with what is
## expected.

const Conversation := preload("../conversation.gd")
const Note := preload("../note.gd")
const ProcessBob := preload("../peers/process_bob.gd")
const Samples := preload("../samples.gd")

## A second engine takes some seconds to start on a slow machine.
const HELLO_MSEC := 30_000
## How many packets Alice sends in this chapter, including the question for their number.
const PACKETS := 7
const MAX_WORDS := 60

var conversation: Conversation

# Messages that have reached Alice and are not checked yet.
var _inbox: Array[Message] = []
# The senders of what Bob has received, by his own notes.
var _bob_senders := PackedStringArray()
var _trouble := ""


func _ready() -> void:
	conversation.alice_received.connect(func(message: Message) -> void: _inbox.append(message))
	conversation.bob_noted.connect(_on_bob_noted)
	conversation.bob_failed.connect(func(words: String) -> void: _trouble = words)


func open_alice() -> void:
	tell('bind(0, "127.0.0.1"): port 0 lets the system choose a free one.')
	var error := conversation.open()
	var alice := conversation.alice
	claims.check(
		error == OK and alice.is_bound() and alice.get_local_port() > 0,
		"Alice is bound to %s" % conversation.alice_address(),
		"%s, %s" % [error_string(error), alice.get_last_error_message()]
	)


func play(kind: Conversation.BobKind) -> void:
	_inbox.clear()
	_bob_senders.clear()
	_trouble = ""
	conversation.start_bob(kind)
	await until(func() -> bool: return conversation.bob_is_here or _trouble != "", HELLO_MSEC)
	if not conversation.bob_is_here and conversation.bob.cannot_start:
		tell("Left out: " + _trouble)
	else:
		await _play_with_bob()
	conversation.stop_bob()


func _play_with_bob() -> void:
	var hello: Message = await _answer(false) if conversation.bob_is_here else null
	claims.check(
		hello != null and hello.kind == Message.Kind.TEXT,
		"Bob's first packet tells Alice where he lives: %s" % conversation.bob_address(),
		_trouble
	)
	if hello == null:
		return
	await _exchange_text()
	await _exchange_bytes()
	await _exchange_variants()
	await _exchange(
		Message.of_text(Samples.HOW_MANY),
		Message.of_variant(PACKETS),
		"answers with an int, encoded as put_var() does it: no packet was lost"
	)
	await until(func() -> bool: return _bob_senders.size() >= PACKETS)
	claims.check(
		(
			_bob_senders.size() == PACKETS
			and _bob_senders.count(conversation.alice_address()) == PACKETS
		),
		"Bob's own notes name %d packets, all from Alice's address" % PACKETS,
		"packets from %s" % [_bob_senders]
	)
	if conversation.bob is ProcessBob:
		await _end_process(conversation.bob)


func _exchange_text() -> void:
	var quoted := Samples.text_answer(Samples.GREETING, conversation.alice_address())
	await _exchange(
		Message.of_text(Samples.GREETING),
		Message.of_text(quoted),
		"read the text, and saw Alice's address and port as its sender"
	)


func _exchange_bytes() -> void:
	for message: Message in [Samples.every_byte(), Samples.long_bytes()]:
		var mirrored := (message.value as PackedByteArray).duplicate()
		mirrored.reverse()
		await _exchange(
			message,
			Message.of_bytes(mirrored),
			"sent all %d bytes back, in reverse as agreed" % mirrored.size()
		)


func _exchange_variants() -> void:
	for message: Message in [Samples.dictionary(), Samples.vectors(), Samples.packed_arrays()]:
		await _exchange(message, message, "sent the same back, down to the types inside")


## Sends a message and compares the answer with [param expected].
func _exchange(message: Message, expected: Message, claim: String) -> void:
	var error := conversation.send(message)
	tell(_line("Alice says", message))
	if error != OK:
		claims.check(false, claim, "sending failed: %s" % error_string(error))
		return
	var answer := await _answer()
	claims.check(
		expected.equals(answer) and answer.sender() == conversation.bob_address(),
		"%s %s" % [conversation.bob_address(), claim],
		"%s sent %s" % [answer.sender(), answer.describe()] if answer else "no answer"
	)


## The next message that reaches Alice; null when none does.
func _answer(is_answer := true) -> Message:
	await until(func() -> bool: return not _inbox.is_empty())
	if _inbox.is_empty():
		return null
	var message: Message = _inbox.pop_front()
	tell(_line("Bob answers" if is_answer else "Bob says", message))
	return message


func _end_process(bob: ProcessBob) -> void:
	var pid := bob.pid
	tell('Alice sends the death pill, a packet that means "stop".')
	bob.send_pill()
	await until(func() -> bool: return bob.pid == -1)
	claims.check(
		bob.pid == -1 and OS.get_process_exit_code(pid) == 0,
		"it ended Bob's process, with exit code 0",
		_trouble if _trouble else "it still runs"
	)


func _on_bob_noted(note: Note) -> void:
	if not note.sent:
		_bob_senders.append(note.address)


func _line(verb: String, message: Message) -> String:
	var words := message.describe()
	if words.length() > MAX_WORDS:
		words = words.left(MAX_WORDS - 2) + " …"
	return "%-11s  %-19s %5d bytes  %s" % [verb, message.kind_name(), message.size, words]
