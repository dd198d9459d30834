extends RefCounted
## How late packets are that link conditions hold back, at 50,000 packets a second, while the game's
## thread is busy for 100 ms at a time. And how late the sender's thread wakes up from its sleep in
## the same run: what the machine does to any thread that waits for a time.

## The sender's conditions: a packet is late by when the kernel of the receiver has got it.
const SENDING := &"sent"
## The receiver's conditions: a packet is late by when a script has taken it that was in wait().
const RECEIVING := &"received"

const RATE := 50_000
const BATCH_USEC := 1000
const BUSY_USEC := 100_000
const LATENCY_MSEC := 50.0
const HOST := "127.0.0.1"
const QUEUE_SIZE := 64 << 20
## If sending a batch takes longer, the thread has lost its processor, and when its packets were due
## is not known.
const MAX_SENDING_USEC := 200

## One for each run.
var results: Array[Dictionary] = []

var _sender: Variant
var _receiver: Variant
# Set by the thread of the sender when it has sent all.
var _sent := 0
# Until when each batch was sent, by when that began; by how much the thread woke up late.
var _sent_until: Dictionary[int, int] = {}
var _woken_late := PackedInt64Array()
# What was received: the packets' payloads of 8 bytes back to back, and when each batch was there.
var _payloads: Array[PackedByteArray] = []
var _times: Array[PackedInt64Array] = []
var _taken := PackedInt64Array()
var _mutex := Mutex.new()
var _is_over := false


## Returns the reason of a failure, or "".
func run(direction: StringName, seconds: float) -> String:
	_payloads.clear()
	_times.clear()
	_taken.clear()
	_sent_until.clear()
	_woken_late.clear()
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
			_take()
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
			_woken_late.append(Time.get_ticks_usec() - start - number * BATCH_USEC)
		var packet := PackedByteArray()
		packet.resize(8)
		var now := Time.get_ticks_usec()
		packet.encode_s64(0, now)
		batch.fill(packet)
		sent += _sender.put_packets(batch)
		_sent_until[now] = Time.get_ticks_usec()
	_sent = sent


# The thread that waits for packets.
func _receive() -> void:
	while not _is_over:
		if _receiver.wait(1000) == OK:
			_take()


# The times at which the packets have arrived. With the receiver's conditions, these are when they
# were due.
func _take() -> void:
	var payloads: PackedByteArray = _receiver.get_packets_joined()
	var taken := Time.get_ticks_usec()
	var times: PackedInt64Array = _receiver.get_batch_times_usec()
	_mutex.lock()
	_payloads.append(payloads)
	_times.append(times)
	_taken.append(taken)
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
			_take()
		if Time.get_ticks_msec() > deadline:
			return "%d of %d packets arrived" % [_received(), _sent]
		OS.delay_msec(5)
	return ""


func _summary(direction: StringName) -> Dictionary:
	var late := PackedInt64Array()
	var unclear := 0
	for batch in _payloads.size():
		var sent := _payloads[batch].to_int64_array()
		var times := _times[batch]
		for i in sent.size():
			if direction == RECEIVING:
				late.append(_taken[batch] - times[i])
			elif _sent_until[sent[i]] - sent[i] > MAX_SENDING_USEC:
				unclear += 1
			else:
				late.append(times[i] - sent[i] - int(LATENCY_MSEC * 1000))
	return {
		"direction": direction,
		"unclear": unclear,
		"late": _figures(late),
		"woken_late": _figures(_woken_late),
	}


func _figures(late: PackedInt64Array) -> Dictionary:
	late.sort()
	var last := late.size() - 1
	return {
		"count": late.size(),
		"earliest": late[0],
		"median": late[last / 2],
		"p99": late[last * 99 / 100],
		"p999": late[last * 999 / 1000],
		"latest": late[last],
	}
