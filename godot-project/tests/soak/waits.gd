extends "worker.gd"
## Threads that wait, and what ends their waits.

var _waits := 0


func do_round() -> void:
	var peer := receiver(chance(0.5))
	for i in 20:
		var threads: Array[Thread] = []
		for t in 3:
			threads.append(Thread.new())
			threads[t].start(peer.wait.bind(5000))
		if chance(0.3):
			peer.background_receive = not peer.background_receive
		var may_be: Array[Error] = []
		match rng.randi_range(0, 2):
			0:
				send(sender_to(peer), [numbered(i)])
				may_be = [OK]
			1:
				# An interrupt does not end a wait that begins later, so it is repeated.
				while threads.any(func(thread: Thread) -> bool: return thread.is_alive()):
					peer.interrupt_wait()
					OS.delay_usec(100)
				may_be = [ERR_SKIP]
			2:
				peer.close()
				may_be = [ERR_UNAVAILABLE, ERR_UNCONFIGURED]
		for thread in threads:
			var end: Error = thread.wait_to_finish()
			check(end in may_be, "wait answers %s, not %s" % [error_string(end), may_be])
		_waits += threads.size()
		if not peer.is_bound():
			check_equal(peer.bind(0, LOOPBACK), OK, "bind")
		peer.wait(0)  # consumes an interrupt that came too late
		peer.get_packets()


func figures() -> String:
	return "%d waits" % _waits
