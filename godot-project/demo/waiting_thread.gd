extends RefCounted
## A thread that sleeps in wait() until a packet arrives, as a game's network thread may do. There
## are two ways to end it:
## - the death pill: a packet whose content tells the thread to stop. It works with every class,
##   but needs a sender, a port that can be reached, and a protocol that knows such a packet;
## - interrupt_wait(): one call on the peer. PacketPeerUdpRs has it, PacketPeerUDP does not.

## Emitted on the main thread when `state` has changed.
signal changed

enum State { NOT_STARTED, WAITING, ENDED_BY_PILL, ENDED_BY_INTERRUPT, FAILED }

const Message := preload("message.gd")
const HOST := "127.0.0.1"

var state := State.NOT_STARTED
## What wait() returned last.
var last_result := OK
## How many packets woke the thread, the pill included.
var packets := 0
## The sender of the last packet.
var last_sender := ""
## When the last wait() returned, in Time.get_ticks_usec().
var woken_usec := 0

# PacketPeerUdpRs or PacketPeerUDP; also used by the main thread while this one waits.
var _socket
var _thread := Thread.new()


func _init(socket) -> void:
	_socket = socket


## Opens the socket on a free port and starts to wait there.
func start() -> Error:
	var error: Error = _socket.bind(0, HOST)
	if error != OK:
		return error
	state = State.WAITING
	return _thread.start(_wait_for_packets)


func is_waiting() -> bool:
	return state == State.WAITING


func local_port() -> int:
	return _socket.get_local_port()


func interrupt() -> void:
	_socket.interrupt_wait()


func send_pill() -> void:
	send(Message.pill())


## Sends to the waiting socket, from outside.
func send(message: Message) -> void:
	var sender := PacketPeerUdpRs.new()
	sender.set_dest_address(HOST, local_port())
	message.send_by(sender)


## Ends the thread and waits for it: a game must not quit while a thread is in wait().
func stop() -> void:
	if _thread.is_started():
		if _socket is PacketPeerUdpRs:
			_socket.close()
		else:
			send_pill()
		_thread.wait_to_finish()
	_socket.close()


## Text for a status line.
func state_words() -> String:
	match state:
		State.WAITING:
			var woken := ", woken %d×" % packets if packets else ""
			return "asleep in wait() on port %d%s" % [local_port(), woken]
		State.ENDED_BY_PILL:
			return "ended by the death pill from %s" % last_sender
		State.ENDED_BY_INTERRUPT:
			return "ended by interrupt_wait(): wait() returned ERR_SKIP"
		State.FAILED:
			return "ended: wait() returned %s" % error_string(last_result)
	return "not started"


## Runs on the thread. It passes results to the main thread by call_deferred(), so no variable is
## shared.
func _wait_for_packets() -> void:
	while true:
		var result: Error = _socket.wait()
		var now := Time.get_ticks_usec()
		if result != OK:
			_on_woken.call_deferred(result, null, now)
			return
		for i in _socket.get_available_packet_count():
			var message := Message.take_from(_socket)
			_on_woken.call_deferred(OK, message, now)
			if message.kind == Message.Kind.PILL:
				return


func _on_woken(result: Error, message: Message, usec: int) -> void:
	last_result = result
	woken_usec = usec
	if result == ERR_SKIP:
		state = State.ENDED_BY_INTERRUPT
	elif result != OK:
		state = State.FAILED
	else:
		packets += 1
		last_sender = message.sender()
		if message.kind == Message.Kind.PILL:
			state = State.ENDED_BY_PILL
	if state != State.WAITING and _thread.is_started():
		_thread.wait_to_finish()
	changed.emit()
