extends RefCounted
## How late packets are that link conditions hold back, at 50,000 packets a second, while the game's
## thread is busy for 100 ms at a time.

## The sender's conditions: a packet is late by when the kernel of the receiver has got it.
const SENDING := &"sent"
## The receiver's conditions: a packet is late by when a script has it that was in wait().
const RECEIVING := &"received"

const RATE := 50_000
const BATCH_USEC := 1000
const BUSY_USEC := 100_000
const LATENCY_MSEC := 50.0
const HOST := "127.0.0.1"
const QUEUE_SIZE := 64 << 20

## One for each run.
var results: Array[Dictionary] = []

var _sender: Variant
var _receiver: Variant
# Set by the thread of the sender when it has sent all.
var _sent := 0
# What was received: the packets' payloads of 8 bytes back to back, and when each batch was there.
var _payloads: Array[PackedByteArray] = []
var _times: Array[PackedInt64Array] = []
var _mutex := Mutex.new()
var _is_over := false


## Returns the reason of a failure, or "".
func run(direction: StringName, seconds: float) -> String:
	_payloads.clear()
	_times.clear()
	_is_over = false
	_receiver = ClassDB.instantiate(&"PacketPeerUdpRs")
	_receiver.queue_size = QUEUE_SIZE
	_receiver.background_receive = true
	if _receiver.bind(0, HOST) != OK:
		return "bind fails"
	_sender = ClassDB.instantiate(&"PacketPeerUdpRs")
	_sender.queue_size = QUEUE_SIZE
	_sender.set_dest_address(HOST, _receiver.get_local_port())
	var conditions: Variant = ClassDB.instantiate(&"UdpLinkConditions")
	conditions.latency_msec = LATENCY_MSEC
	if direction == SENDING:
		_sender.send_conditions = conditions
	else:
		_receiver.receive_conditions = conditions
	var sending := Thread.new()
	sending.start(_send.bind(seconds))
	var waiting := Thread.new()
	if direction == RECEIVING:
		waiting.start(_receive)
	# The game, whose frames take 100 ms each.
	while sending.is_alive():
		var frame_end := Time.get_ticks_usec() + BUSY_USEC
		while Time.get_ticks_usec() < frame_end:
			pass
		if direction == SENDING:
			_take(true)
	sending.wait_to_finish()
	var problem := _await_all(direction)
	_is_over = true
	_receiver.interrupt_wait()
	if waiting.is_started():
		waiting.wait_to_finish()
	_sender.close()
	_receiver.close()
	if problem.is_empty():
		results.append(_summary(direction))
	return problem


func _send(seconds: float) -> void:
	var count := RATE * BATCH_USEC / 1_000_000
	var batch: Array[PackedByteArray] = []
	batch.resize(count)
	var start := Time.get_ticks_usec()
	var sent := 0
	for number in int(seconds * 1_000_000 / BATCH_USEC):
		var pause := start + number * BATCH_USEC - Time.get_ticks_usec()
		if pause > 0:
			OS.delay_usec(pause)
		var packet := PackedByteArray()
		packet.resize(8)
		packet.encode_s64(0, Time.get_ticks_usec())
		batch.fill(packet)
		sent += _sender.put_packets(batch)
	_sent = sent


# The thread that waits for packets.
func _receive() -> void:
	while not _is_over:
		if _receiver.wait(1000) == OK:
			_take(false)


# By when the kernel has got each packet, or by when they are taken.
func _take(by_arrival: bool) -> void:
	var payloads: PackedByteArray = _receiver.get_packets_joined()
	var now := Time.get_ticks_usec()
	var times: PackedInt64Array = _receiver.get_batch_times_usec()
	if not by_arrival:
		times.fill(now)
	_mutex.lock()
	_payloads.append(payloads)
	_times.append(times)
	_mutex.unlock()


func _received() -> int:
	_mutex.lock()
	var bytes := 0
	for payloads in _payloads:
		bytes += payloads.size()
	_mutex.unlock()
	return bytes / 8


func _await_all(direction: StringName) -> String:
	var deadline := Time.get_ticks_msec() + 20_000
	while _received() < _sent:
		if direction == SENDING:
			_take(true)
		if Time.get_ticks_msec() > deadline:
			return "%d of %d packets arrived" % [_received(), _sent]
		OS.delay_msec(5)
	return ""


func _summary(direction: StringName) -> Dictionary:
	var late := PackedInt64Array()
	for batch in _payloads.size():
		var sent := _payloads[batch].to_int64_array()
		var times := _times[batch]
		for i in sent.size():
			late.append(times[i] - sent[i] - int(LATENCY_MSEC * 1000))
	late.sort()
	var last := late.size() - 1
	return {
		"direction": direction,
		"packets": late.size(),
		"earliest": late[0],
		"median": late[last / 2],
		"p99": late[last * 99 / 100],
		"p999": late[last * 999 / 1000],
		"latest": late[last],
	}
