extends "worker.gd"
## Streams of packets that arrive complete and in order in either mode, also while the mode changes.

const PACKETS := 30_000

var _packets := 0
var _toggles := 0


func do_round() -> void:
	var peer := receiver(chance(0.5), LOOPBACK, 1 << 20)
	var stream := Stream.new(PACKETS)
	var sending := Thread.new()
	var sender := connected_to(peer, OURS) if chance(0.5) else sender_to(peer, OURS)
	sending.start(stream.send.bind(sender))
	var toggling := Thread.new()
	var done := Semaphore.new()
	var toggle := func() -> int:
		var toggles := 0
		while not done.try_wait():
			peer.background_receive = not peer.background_receive
			toggles += 1
			OS.delay_usec(2000)  # not too often
		return toggles
	if chance(0.5):
		toggling.start(toggle)
	take_stream(stream, peer)
	if toggling.is_started():
		done.post()
		_toggles += toggling.wait_to_finish() as int
	sending.wait_to_finish()
	_packets += stream.length
	check_equal(stat(peer, "packets_received"), stream.length, "packets_received")
	check_equal(stat(peer, "packets_dropped_queue"), 0, "packets_dropped_queue")


func figures() -> String:
	return "%d packets, %d changes of mode" % [_packets, _toggles]
