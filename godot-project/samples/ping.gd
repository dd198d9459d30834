@warning_ignore_start("unsafe_method_access")  # see _peer
extends Node
## Measures the round-trip time between two ends over UDP: smoothed, with its variation, minimum,
## percentiles and loss, and estimates how far the other end's clock is ahead.
##
## The same script plays both roles: [method listen] on the end that answers, [method start] on the
## end that asks. Add the node to the scene, or call [method poll] regularly.
## [br]The other end may use [PacketPeerUDP]. All numbers on the wire are little-endian.

## A ping was answered after [param rtt_msec], less the time that the other end took to answer.
signal measured(rtt_msec: float)
## A ping was not answered within [member timeout_msec].
signal ping_lost(number: int)
## No ping was answered for [member silence_msec]. Emitted once; again after another answer.
signal went_silent

## Bytes 0 to 3: what kind of packet it is.
const PING := 0x474e4950  # "PING"
const ANSWER := 0x474e4f50  # "PONG"
## Bytes 4 to 7: the ping's number. Bytes 8 to 15: a random number that the answer repeats.
## Bytes 16 to 23 and 24 to 31 of an answer: when the ping arrived, when the answer left, on the
## answering end's clock in microseconds. A ping is as long: an answer amplifies nothing.
const PACKET_BYTES := 32

## How many results minimum, percentiles and loss are about.
const HISTORY := 256
## How many results the clock's offset is chosen from, as in RFC 5905, section 10.
const CLOCK_HISTORY := 8
## Bounds of memory and of the work in one call.
const MOST_WAITING := 1024
const MOST_PER_POLL := 256
const MOST_CLOCK_USEC := 1 << 53

## The time from one ping to the next. At most one ping is sent per frame.
@export var interval_msec := 500
## A ping without an answer for so long is lost. A later answer is ignored.
@export var timeout_msec := 3000
## Without an answer for so long, [signal went_silent] is emitted.
@export var silence_msec := 10_000
## Whether pings of others are answered.
@export var answers_pings := true

## The smoothed round-trip time and its mean deviation by RFC 6298: SRTT and RTTVAR. 0 before the
## first answer.
var smoothed_msec := 0.0
var variation_msec := 0.0
## The latest round-trip time.
var latest_msec := 0.0
## How far [method Time.get_ticks_usec] of the other end is ahead of this end's.
var offset_usec := 0
## [member offset_usec] is wrong by no more than this, apart from the drift of the clocks. -1 before
## the first answer.
var offset_error_usec := -1

## Since [method start]: sent = answered + lost + waiting.
var sent_count := 0
var answered_count := 0
var lost_count := 0
## Packets that were neither a ping nor the answer to a waiting one: late, twice, forged, garbage.
var ignored_count := 0

# A PacketPeerUdpRs or a PacketPeerUDP. They have no common type with these methods.
var _peer: Variant
var _target_ip := ""
var _target_port := 0
var _secret := PackedByteArray()
var _next_number := 0
var _next_ping_msec := 0
var _last_answer_msec := 0
var _is_silent := false
# When each ping without a result was sent, by its number; the oldest first.
var _waiting: Dictionary[int, int] = {}
# The latest results, as rings: round-trip times, and for each ping 1 if it was lost.
var _rtts_msec := PackedFloat32Array()
var _losses := PackedByteArray()
# The latest offsets of the clock, and the round-trip times that they come from: rings as well.
var _offsets_usec := PackedInt64Array()
var _offset_rtts_usec := PackedInt64Array()


## Another [param peer] than a [PacketPeerUdpRs]: a [PacketPeerUDP]. Its round-trip times contain
## the wait for the next frame, at both ends.
func _init(peer: PacketPeer = null) -> void:
	_peer = peer
	if _peer == null:
		var own := PacketPeerUdpRs.new()
		own.background_receive = true  # so that the times of arrival do not depend on frames
		_peer = own
	process_mode = Node.PROCESS_MODE_ALWAYS  # a game that is paused still answers


func _process(_delta: float) -> void:
	poll()


func _exit_tree() -> void:
	stop()


## Opens a port that answers pings.
func listen(port: int, address := "*") -> Error:
	stop()
	return _peer.bind(port, address)


## Begins to ping. [param own_port] 0 is any free port; with a port of its own, both ends can ping
## each other. A name blocks until it is looked up.
func start(host: String, port: int, own_port := 0) -> Error:
	var ip := host if host.is_valid_ip_address() else IP.resolve_hostname(host)
	if ip.is_empty():
		return ERR_CANT_RESOLVE
	if port < 1 or port > 65535:
		return ERR_INVALID_PARAMETER
	var error := listen(own_port)
	if error != OK:
		return error
	_reset()
	_target_ip = ip
	_target_port = port
	_secret = Crypto.new().generate_random_bytes(8)
	_last_answer_msec = Time.get_ticks_msec()
	_next_ping_msec = _last_answer_msec
	return OK


## Closes the port. The results stay.
func stop() -> void:
	_peer.close()
	_target_ip = ""
	_waiting.clear()


func get_port() -> int:
	return _peer.get_local_port()


## Receives, answers, and sends a ping if one is due. In the scene's tree it is called each frame.
func poll() -> void:
	for i in MOST_PER_POLL:
		if _peer.get_available_packet_count() <= 0:  # -1: a handler has closed it
			break
		var packet: PackedByteArray = _peer.get_packet()
		_take(packet)
	_give_up_old_pings()
	if _target_ip.is_empty():
		return
	var now := Time.get_ticks_msec()
	if now >= _next_ping_msec:
		_next_ping_msec = now + interval_msec
		_send_ping()
	if not _is_silent and now - _last_answer_msec >= silence_msec:
		_is_silent = true
		went_silent.emit()


## What [method Time.get_ticks_usec] returns at the other end at this moment, as far as known.
func get_other_ticks_usec() -> int:
	return Time.get_ticks_usec() + offset_usec


## The shortest of the latest round-trip times. 0 before the first.
func get_min_msec() -> float:
	return get_percentile_msec(0.0)


## The round-trip time that so many percent of the latest ones do not exceed: 50 is the median.
func get_percentile_msec(percent: float) -> float:
	if _rtts_msec.is_empty():
		return 0.0
	var sorted := _rtts_msec.duplicate()
	sorted.sort()
	var rank := ceili(clampf(percent, 0.0, 100.0) / 100.0 * sorted.size())
	return sorted[maxi(rank, 1) - 1]


## The share of the latest pings that was lost, from 0 to 1.
func get_loss() -> float:
	return float(_losses.count(1)) / maxi(_losses.size(), 1)


## How many pings are neither answered nor lost.
func get_waiting_count() -> int:
	return _waiting.size()


func _send_ping() -> void:
	if _waiting.size() >= MOST_WAITING:
		var oldest: int = _waiting.keys()[0]
		_lose(oldest)
	var packet := PackedByteArray()
	packet.resize(PACKET_BYTES)
	packet.encode_u32(0, PING)
	packet.encode_u32(4, _next_number)
	packet.encode_u64(8, _secret.decode_u64(0))
	_peer.set_dest_address(_target_ip, _target_port)
	_waiting[_next_number] = Time.get_ticks_usec()
	_next_number = (_next_number + 1) & 0xffff_ffff
	sent_count += 1
	_peer.put_packet(packet)  # one that could not be sent is lost


func _take(packet: PackedByteArray) -> void:
	var arrival_usec := Time.get_ticks_usec()
	if _peer is PacketPeerUdpRs:
		arrival_usec = _peer.get_packet_time_usec()  # before this frame
	var kind := packet.decode_u32(0) if packet.size() == PACKET_BYTES else 0
	if kind == PING and answers_pings:
		packet.encode_u32(0, ANSWER)
		packet.encode_u64(16, arrival_usec)
		_peer.set_dest_address(_peer.get_packet_ip(), _peer.get_packet_port())
		packet.encode_u64(24, Time.get_ticks_usec())
		_peer.put_packet(packet)
	elif kind != ANSWER or not _take_answer(packet, arrival_usec):
		ignored_count += 1


# RFC 5905 names these times T1 to T4: its formulas for the offset and the round-trip time.
func _take_answer(packet: PackedByteArray, t4: int) -> bool:
	var number := packet.decode_u32(4)
	if not _waiting.has(number) or packet.slice(8, 16) != _secret:
		return false
	var t1 := _waiting[number]
	var t2 := packet.decode_s64(16)
	var t3 := packet.decode_s64(24)
	# The other end cannot take longer than all took. Absurd times would make the sums overflow.
	if t2 < 0 or t3 < t2 or t3 > MOST_CLOCK_USEC or t3 - t2 > t4 - t1:
		return false
	_waiting.erase(number)
	answered_count += 1
	_last_answer_msec = Time.get_ticks_msec()
	_is_silent = false
	_record_loss(0)
	var rtt_usec := (t4 - t1) - (t3 - t2)
	_set_clock(((t2 - t1) + (t3 - t4)) >> 1, rtt_usec)
	latest_msec = rtt_usec / 1000.0
	_smooth(latest_msec)
	if _rtts_msec.size() < HISTORY:
		_rtts_msec.append(0.0)
	_rtts_msec[(answered_count - 1) % HISTORY] = latest_msec
	measured.emit(latest_msec)
	return true


# RFC 6298, section 2: alpha is 1/8, beta is 1/4; the variation is updated first.
func _smooth(rtt_msec: float) -> void:
	if answered_count == 1:
		smoothed_msec = rtt_msec
		variation_msec = rtt_msec / 2.0
		return
	variation_msec += (absf(smoothed_msec - rtt_msec) - variation_msec) / 4.0
	smoothed_msec += (rtt_msec - smoothed_msec) / 8.0


# The offset is wrong by half the difference of both ways' delays; so at most by half of the round
# trip. The shortest of the latest round trips tells it best.
func _set_clock(offset: int, rtt_usec: int) -> void:
	var at := (answered_count - 1) % CLOCK_HISTORY
	if at >= _offsets_usec.size():
		_offsets_usec.append(0)
		_offset_rtts_usec.append(0)
	_offsets_usec[at] = offset
	_offset_rtts_usec[at] = rtt_usec
	var best := 0
	for i in _offsets_usec.size():
		if _offset_rtts_usec[i] < _offset_rtts_usec[best]:
			best = i
	offset_usec = _offsets_usec[best]
	offset_error_usec = ceili(_offset_rtts_usec[best] / 2.0)


func _give_up_old_pings() -> void:
	var oldest_usec := Time.get_ticks_usec() - timeout_msec * 1000
	for number: int in _waiting.keys():
		# A handler may have called stop().
		if _waiting.get(number, oldest_usec + 1) > oldest_usec:
			break
		_lose(number)


func _lose(number: int) -> void:
	_waiting.erase(number)
	lost_count += 1
	_record_loss(1)
	ping_lost.emit(number)


# 1 for a ping that was lost, 0 for one that was answered.
func _record_loss(loss: int) -> void:
	if _losses.size() < HISTORY:
		_losses.append(0)
	_losses[(answered_count + lost_count - 1) % HISTORY] = loss


func _reset() -> void:
	smoothed_msec = 0.0
	variation_msec = 0.0
	latest_msec = 0.0
	offset_usec = 0
	offset_error_usec = -1
	sent_count = 0
	answered_count = 0
	lost_count = 0
	ignored_count = 0
	_is_silent = false
	_rtts_msec.clear()
	_losses.clear()
	_offsets_usec.clear()
	_offset_rtts_usec.clear()
