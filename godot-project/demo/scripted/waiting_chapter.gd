extends "chapter.gd"
## Threads in wait(), ended by the death pill and by interrupt_wait().

const WaitingThread := preload("../waiting_thread.gd")

var _threads: Array[WaitingThread] = []


func play() -> void:
	tell('The death pill, a packet that means "stop", is the only way to end PacketPeerUDP.wait().')
	await _end_by_pill(PacketPeerUDP.new())
	await _end_by_pill(PacketPeerUdpRs.new())
	tell("PacketPeerUdpRs.interrupt_wait() needs no packet, no sender and no protocol for it.")
	await _end_by_interrupt(PacketPeerUdpRs.new())


func _exit_tree() -> void:
	for thread in _threads:
		thread.stop()


func _end_by_pill(socket: PacketPeer) -> void:
	var thread := await _start_and_wake(socket)
	thread.send_pill()
	await until(func() -> bool: return not thread.is_waiting())
	claims.check(
		thread.state == WaitingThread.State.ENDED_BY_PILL, "the pill ended it", thread.state_words()
	)


func _end_by_interrupt(socket: PacketPeerUdpRs) -> void:
	var thread := await _start_and_wake(socket)
	var listener := PacketPeerUdpRs.new()
	listener.bind(0, HOST)
	socket.set_dest_address(HOST, listener.get_local_port())
	var start := Time.get_ticks_usec()
	var error := Message.of_text("Sent while another thread waits.").send_by(socket)
	var usec := Time.get_ticks_usec() - start
	await until(func() -> bool: return listener.get_available_packet_count() > 0)
	claims.check(
		error == OK and listener.get_available_packet_count() == 1 and thread.is_waiting(),
		"meanwhile this thread sent from the same peer, in %.2f ms" % (usec / 1000.0),
		"%s; the thread: %s" % [error_string(error), thread.state_words()]
	)

	start = Time.get_ticks_usec()
	thread.interrupt()
	await until(func() -> bool: return not thread.is_waiting())
	claims.check(
		thread.state == WaitingThread.State.ENDED_BY_INTERRUPT,
		"wait() returned ERR_SKIP %.2f ms after the call" % ((thread.woken_usec - start) / 1000.0),
		thread.state_words()
	)
	claims.check(socket.is_bound(), "and the peer is still open, ready to wait again")


func _start_and_wake(socket: PacketPeer) -> WaitingThread:
	var thread := WaitingThread.new(socket)
	_threads.append(thread)
	var error := thread.start()
	thread.send(Message.of_text("Wake up!"))
	await until(func() -> bool: return thread.packets > 0)
	claims.check(
		error == OK and thread.packets == 1 and thread.is_waiting(),
		"%s: a packet woke the thread, and it waits again" % socket.get_class(),
		thread.state_words()
	)
	return thread
