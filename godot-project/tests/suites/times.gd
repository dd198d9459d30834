extends "../support/receiving.gd"
## When packets arrived: get_packet_time_usec() and get_batch_times_usec().

## How exact the times are that the kernel gives, when the machine is busy: two clocks are read one
## after the other, and a thread may be put aside in between.
const SLACK_USEC := 3000
## How long a game stands still in these tests.
const STALL_USEC := 50_000


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
				var sent := Time.get_ticks_usec()
				sender.put_packet(numbered(i))
				arrived(peer)
				peer.get_packet()
				_check_between(sent, peer.get_packet_time_usec(), "packet %d" % i)
	)


func test_the_time_is_that_of_arrival_however_late_the_packet_is_read() -> void:
	if not needs_batches():
		return
	in_both_modes(
		func(background: bool) -> void:
			for take_by: String in ["get_packet", "get_packets", "get_packets_joined", "get_var"]:
				var peer := receiver(background)
				var sender := sender_to(peer)
				var before := Time.get_ticks_usec()
				sender.put_var(1)
				var after := Time.get_ticks_usec()
				_stand_still()
				peer.call(take_by)
				var time: int = peer.get_packet_time_usec()
				_check_between(before, time, take_by)
				check(
					time <= after + SLACK_USEC, "%s: %d us after the send" % [take_by, time - after]
				)
	)


func test_each_packet_of_a_batch_has_its_own_time() -> void:
	in_both_modes(
		func(background: bool) -> void:
			for take_by: String in ["get_packets", "get_packets_joined"]:
				var peer := receiver(background)
				var sender := sender_to(peer)
				var sent: PackedInt64Array
				for i in 5:
					sent.append(Time.get_ticks_usec())
					sender.put_packet(numbered(i))
					if not has_batches():  # then a packet's time is that of its reading
						arrived(peer, i + 1)
					_stand_still(10_000)
				sent.append(Time.get_ticks_usec())
				arrived(peer, 5)
				peer.call(take_by)
				var times: PackedInt64Array = peer.get_batch_times_usec()
				check_equal(times.size(), 5, "times")
				for i in times.size():
					_check_between(sent[i], times[i], "packet %d" % i)
					check(
						times[i] <= sent[i + 1] + SLACK_USEC,
						"packet %d: %d us after the next was sent" % [i, times[i] - sent[i + 1]]
					)
				check_equal(peer.get_packet_time_usec(), times[-1], "get_packet_time_usec")
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
				var sent := Time.get_ticks_usec()
				for k in 40:
					sender.put_packet(numbered(k))
				sender.put_packets(window)  # the kernel may hand these over as one
				arrived(peer, 60)
				peer.get_packets()
				var times: PackedInt64Array = peer.get_batch_times_usec()
				check_equal(times.size(), 60, "times")
				_check_between(sent, times[0], "the first of batch %d" % i)
				for time in times:
					if time < last:
						fail("%d us, and the packet before it %d" % [time, last])
					last = time
				_check_between(sent, last, "the last of batch %d" % i)
	)


func test_changing_the_mode_keeps_the_times() -> void:
	if not needs_batches():
		return
	for background: bool in [false, true]:
		var peer := receiver(background)
		var before := Time.get_ticks_usec()
		send(sender_to(peer), [numbered(1), numbered(2)])
		var after := Time.get_ticks_usec()
		_stand_still()
		peer.background_receive = not background
		arrived(peer, 2)
		peer.get_packets()
		for time: int in peer.get_batch_times_usec():
			_check_between(before, time, "to %s" % (not background))
			check(time <= after + SLACK_USEC, "%d us after the send" % (time - after))


# A packet's time lies between its sending and now.
func _check_between(sent: int, time: int, what: String) -> void:
	var now := Time.get_ticks_usec()
	check(time <= now, "%s: %d us in the future" % [what, time - now])
	check(time >= sent - SLACK_USEC, "%s: %d us before it was sent" % [what, sent - time])


# As a game does that loads a level: it is busy, and looks at no peer.
func _stand_still(usec := STALL_USEC) -> void:
	var end := Time.get_ticks_usec() + usec
	wait_until(func() -> bool: return Time.get_ticks_usec() >= end)
