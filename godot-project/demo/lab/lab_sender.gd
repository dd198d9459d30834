extends "../sender_thread.gd"
## Sends what a schedule says from a thread, so that they go on when the game stands still, as
## those of other players do. A packet begins with its number, 4 bytes, and the time when it was
## sent, 8 bytes; the rest is zeros.
## [br]The peer is shared with the main thread, which takes packets from it meanwhile.
## PacketPeerUdpRs allows every method on every thread; PacketPeerUDP shares nothing but the socket
## between sending and receiving.

const LabMeasures := preload("lab_measures.gd")
const LabSchedule := preload("lab_schedule.gd")

const TIME_OFFSET := 4
const PAUSE_USEC := 500
## At most so many in one call.
const MOST_AT_ONCE := 32
## What was sent and is not yet noted: a freeze of six seconds at the highest rate.
const NOTED := 1 << 16
## So many are noted while the thread has to wait.
const NOTED_AT_ONCE := 200

# PacketPeerUdpRs or PacketPeerUDP: they have the same methods but no common type.
var _peer
var _schedule: LabSchedule
# What follows is shared with the thread, under the mutex.
# When each packet was sent, at number % NOTED.
var _sent_usec := PackedInt64Array()
var _sent := 0
var _taken := 0
var _in_flight := 0


func _init(peer, schedule: LabSchedule) -> void:
	_peer = peer
	_schedule = schedule
	_sent_usec.resize(NOTED)


## stop() first sends the rest of what the schedule has released.
func start() -> Error:
	return _thread.start(_send_all)


## Notes each packet that was sent since the last call, and learns how many are in flight.
func note_sent(measures: LabMeasures) -> void:
	var is_behind := true
	while is_behind:
		_mutex.lock()
		var end := mini(_sent, _taken + NOTED_AT_ONCE)
		for number in range(_taken, end):
			measures.note_sent(number, _sent_usec[number % NOTED], _schedule.size_of(number))
		_taken = end
		_in_flight = measures.in_flight()
		is_behind = _taken < _sent
		_mutex.unlock()


func _send_all() -> void:
	var packets := PackedByteArray()
	packets.resize(MOST_AT_ONCE * _schedule.packet_bytes())
	var due := 0
	while true:
		if due == 0:
			OS.delay_usec(PAUSE_USEC)
		_mutex.lock()
		var first := _sent
		if due == 0:
			due = _schedule.due(Time.get_ticks_usec(), _sent, _in_flight + _sent - _taken)
		var count := mini(mini(due, MOST_AT_ONCE), NOTED - (_sent - _taken))
		if _trouble or (_stopped and count == 0):
			_mutex.unlock()
			return
		var usec := Time.get_ticks_usec()
		# Noted before they are sent: their echoes find them noted.
		for number in range(first, first + count):
			_sent_usec[number % NOTED] = usec
		_sent += count
		_mutex.unlock()
		if count > 0:
			due -= count
			_send(packets, first, count, usec)
		else:
			due = 0


func _send(packets: PackedByteArray, first: int, count: int, usec: int) -> void:
	var size := _schedule.packet_bytes()
	for i in count:
		packets.encode_u32(i * size, first + i)
		packets.encode_u64(i * size + TIME_OFFSET, usec)
	# Only the last packet of a file has another size.
	var bytes := (count - 1) * size + _schedule.size_of(first + count - 1)
	var error := OK
	if _peer is PacketPeerUdpRs:
		if _peer.put_segmented(packets.slice(0, bytes), size) != count:
			error = FAILED
	else:
		for i in count:
			var end := mini((i + 1) * size, bytes)
			var sent: Error = _peer.put_packet(packets.slice(i * size, end))
			error = error if sent == OK else sent
	if error != OK:
		_give_up("%s could not send: %s." % [_peer.get_class(), error_string(error)])
