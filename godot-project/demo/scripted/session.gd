extends Node
## The sample as a session in the terminal: Alice talks to all four Bobs, threads wait and are
## ended, the game freezes for a second, a bad network loses words, the Lab measures networks, hosts
## announce games, bots play on a server, things go wrong and say so. Every line marked [ok] was
## checked, and the exit code is 0 only when all of them held.

const ChatChapter := preload("chat_chapter.gd")
const Claims := preload("claims.gd")
const ConditionsChapter := preload("conditions_chapter.gd")
const Conversation := preload("../conversation.gd")
const DedicatedChapter := preload("dedicated_chapter.gd")
const ErrorLog := preload("error_log.gd")
const ErrorsChapter := preload("errors_chapter.gd")
const LabChapter := preload("lab_chapter.gd")
const LobbyChapter := preload("lobby_chapter.gd")
const StallChapter := preload("stall_chapter.gd")
const VariantsChapter := preload("variants_chapter.gd")
const WaitingChapter := preload("waiting_chapter.gd")

const SESSION_MSEC := 110_000

const BOBS: Dictionary[Conversation.BobKind, String] = {
	Conversation.BobKind.RS: "Bob is a PacketPeerUdpRs, too",
	Conversation.BobKind.NATIVE: "Bob is the engine's own PacketPeerUDP",
	Conversation.BobKind.GODOT_PROCESS: "Bob is a second Godot process",
	Conversation.BobKind.PYTHON: "Bob is a Python program that knows nothing of Godot",
}

var _claims := Claims.new()
var _conversation := Conversation.new()
var _log := ErrorLog.new()
var _chat := ChatChapter.new()
var _variants := VariantsChapter.new()
var _waiting := WaitingChapter.new()
var _errors := ErrorsChapter.new()
var _stall := StallChapter.new()
var _conditions := ConditionsChapter.new()
var _lab := LabChapter.new()
var _lobby := LobbyChapter.new()
var _dedicated := DedicatedChapter.new()
var _chapter := 0
var _start_msec := Time.get_ticks_msec()
var _is_over := false


func play(_arguments: Dictionary[String, String]) -> void:
	# There is no display that limits the frames.
	Engine.max_fps = 500
	OS.add_logger(_log)
	add_child(_conversation)
	_chat.conversation = _conversation
	_errors.error_log = _log
	for chapter: Node in [
		_chat, _variants, _waiting, _stall, _conditions, _lab, _lobby, _dedicated, _errors
	]:
		chapter.claims = _claims
		add_child(chapter)
	_play_all()


func _process(_delta: float) -> void:
	if not _is_over and Time.get_ticks_msec() - _start_msec > SESSION_MSEC:
		_claims.check(false, "the session ends within %d s" % (SESSION_MSEC / 1000))
		_end()


func _exit_tree() -> void:
	OS.remove_logger(_log)


func _play_all() -> void:
	print("PacketPeerUdpRs: a scripted session")
	print("===================================")
	print(
		"Two peers chat through real UDP sockets on this machine. Alice is a PacketPeerUdpRs, the"
	)
	print(
		"class of this addon. Bob is played by four programs in turn, and for Alice not a line of"
	)
	print("code changes: that is what drop-in means. Each [ok] is a claim that was just checked.")
	_begin("Alice opens her socket")
	_chat.open_alice()
	for kind in BOBS:
		_begin(BOBS[kind])
		await _chat.play(kind)
	_begin("put_var() and get_var() between the two classes")
	await _variants.play()
	_begin("A thread in wait(), and how to end it")
	await _waiting.play()
	_begin("The game freezes for a second")
	await _stall.play()
	_begin("A chat under awful")
	await _conditions.play()
	_begin("The Lab")
	await _lab.play()
	_begin("A LAN lobby")
	await _lobby.play()
	_begin("A dedicated server")
	await _dedicated.play()
	_begin("Errors in words")
	await _errors.play()
	_end()


func _begin(title: String) -> void:
	_chapter += 1
	var heading := "%d. %s" % [_chapter, title]
	print("\n", heading, "\n", "-".repeat(heading.length()))


func _end() -> void:
	if _is_over:
		return
	_is_over = true
	var unexpected := _log.take()
	print("")
	_claims.check(
		unexpected.is_empty(),
		"the engine's log holds no error but those provoked above",
		"\n".join(unexpected)
	)
	print("")
	# Those provoked on purpose. scripts/run_scene.sh accepts no others.
	print("expected error lines: %d" % _errors.provoked)
	print(_claims.summary())
	get_tree().quit(1 if _claims.failed else 0)
