extends "../support/receiving.gd"
## When packets arrived: get_packet_time_usec() and get_batch_times_usec().

## How exact the times are. Two clocks are read one after the other; if the system runs another
## thread in between, they differ by more, so each test has several attempts.
const SLACK_USEC := 3000
const ATTEMPTS := 20
## How long the tests read nothing.
const STALL_USEC := 50_000

# What was wrong in the current attempt.
var _problems: PackedStringArray


func test_there_is_no_time_before_the_first_packet() -> void:
	var peer := make_peer(OURS)
	check_equal(peer.get_packet_time_usec(), 0, "new")
	check_equal(peer.bind(0, LOOPBACK), OK, "bind")
	check_equal(peer.get_packet_time_usec(), 0, "bound")
	send(sender_to(peer), [numbered(1)])
	arrived(peer)
	check_equal(peer.get_packet_time_usec(), 0, "a packet queued")
	peer.get_packet()
	var time: int = peer.get_packet_time_usec()
	check(time > 0, "no time after the first")
	peer.get_packet()
	check_equal(peer.get_packet_time_usec(), time, "after a take of nothing")
	peer.close()
	check_equal(peer.get_packet_time_usec(), time, "closed")


func test_a_packet_arrives_between_its_sending_and_its_reading() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background)
			var sender := sender_to(peer)
			for i in 300:
				_attempt(
					func() -> void:
						var sent := Time.get_ticks_usec()
						sender.put_packet(numbered(i))
						arrived(peer)
						peer.get_packet()
						_check_between(sent, peer.get_packet_time_usec(), "packet %d" % i)
				)
	)


func test_the_time_is_that_of_arrival_however_late_the_packet_is_read() -> void:
	if not needs_batches():
		return
	in_both_modes(
		func(background: bool) -> void:
			for take_by: String in ["get_packet", "get_packets", "get_packets_joined", "get_var"]:
				var peer := receiver(background)
				var sender := sender_to(peer)
				_attempt(
					func() -> void:
						var before := Time.get_ticks_usec()
						sender.put_var(1)
						var after := Time.get_ticks_usec()
						OS.delay_usec(STALL_USEC)
						arrived(peer)
						peer.call(take_by)
						var time: int = peer.get_packet_time_usec()
						_check_between(before, time, take_by)
						_check_not_after(after, time, take_by)
				)
	)


func test_each_packet_of_a_batch_has_its_own_time() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for take_by: String in ["get_packets", "get_packets_joined"]:
				var peer := receiver(background)
				_attempt(_check_times_of_a_batch.bind(peer, sender_to(peer), take_by))
	)


func test_the_times_of_a_batch_never_go_back() -> void:
	in_both_modes(
		func(background: bool) -> void:
			var last := 0
			var peer := receiver(background, LOOPBACK, 1 << 20)
			var sender := sender_to(peer, OURS)
			var window: Array[PackedByteArray] = []
			window.resize(20)
			window.fill(numbered(1, 64))
			for i in 100:
				for k in 40:
					sender.put_packet(numbered(k))
				sender.put_packets(window)  # the kernel may join these
				arrived(peer, 60)
				peer.get_packets()
				var times: PackedInt64Array = peer.get_batch_times_usec()
				check_equal(times.size(), 60, "times")
				for time in times:
					if time < last:
						fail("%d us, and the packet before it %d" % [time, last])
					last = time
	)


func test_changing_the_mode_keeps_the_times() -> void:
	if not needs_batches():
		return
	for background: bool in [false, true]:
		var peer := receiver(background)
		var sender := sender_to(peer)
		_attempt(
			func() -> void:
				peer.background_receive = background
				var before := Time.get_ticks_usec()
				send(sender, [numbered(1), numbered(2)])
				var after := Time.get_ticks_usec()
				OS.delay_usec(STALL_USEC)
				peer.background_receive = not background
				arrived(peer, 2)
				peer.get_packets()
				for time: int in peer.get_batch_times_usec():
					_check_between(before, time, "to %s" % (not background))
					_check_not_after(after, time, "to %s" % (not background))
		)


# Sends five packets 10 ms apart; each must have its own time.
func _check_times_of_a_batch(peer: PacketPeer, sender: PacketPeer, take_by: String) -> void:
	var sent: PackedInt64Array
	for i in 5:
		sent.append(Time.get_ticks_usec())
		sender.put_packet(numbered(i))
		if not has_batches():  # then the time is that of reading
			arrived(peer, i + 1)
		OS.delay_usec(10_000)
	sent.append(Time.get_ticks_usec())
	arrived(peer, 5)
	peer.call(take_by)
	var times: PackedInt64Array = peer.get_batch_times_usec()
	check_equal(times.size(), 5, "times")
	for i in times.size():
		_check_between(sent[i], times[i], "packet %d" % i)
		_check_not_after(sent[i + 1], times[i], "packet %d, and the next one" % i)
	check_equal(peer.get_packet_time_usec(), times[-1], "get_packet_time_usec")


# Repeats [param body] until its times are right, ATTEMPTS times at most.
func _attempt(body: Callable) -> void:
	check_count += 1
	for i in ATTEMPTS:
		_problems.clear()
		body.call()
		if _problems.is_empty() or not failures.is_empty():
			return
	for problem in _problems:
		fail(problem)


# A packet's time must lie between its sending and now.
func _check_between(sent: int, time: int, what: String) -> void:
	var now := Time.get_ticks_usec()
	if time > now:
		_problems.append("%s: %d us in the future" % [what, time - now])
	if time < sent - SLACK_USEC:
		_problems.append("%s: %d us before it was sent" % [what, sent - time])


func _check_not_after(end: int, time: int, what: String) -> void:
	if time > end + SLACK_USEC:
		_problems.append("%s: %d us too late" % [what, time - end])
