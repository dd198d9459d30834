extends RefCounted
## Messages over UDP that all arrive, once and in the order in which they were sent; and beside
## them states of which only the latest counts, without resending.
##
## Both ends use this script, each on a peer that sends to the other: one connected by
## [code]connect_to_host()[/code], one of a [UdpServerRs], or a bound one with a destination.
## [PacketPeerUDP] does as well. Call [method poll] once a frame. Neither encrypts nor proves who
## sends. All numbers on the wire are little-endian.

## The other end has answered; what was sent until now is on its way.
signal connected
## The next message of [method send].
signal message_received(message: PackedByteArray)
## A state of [method send_latest] that is newer than all before.
signal latest_received(state: PackedByteArray)
## Nothing was heard from the other end for [member timeout_msec]. The connection has ended; for
## another one, make a new object at both ends.
signal timed_out

## Bytes 0 to 2 of a packet: the protocol and its version. Byte 3: the kind of packet.
const MAGIC := 0x01_4c52  # "RL", 1
const NOTHING := 0  # only what each packet has: the acknowledgement
const MESSAGE := 1
const LATEST := 2
## Bytes 4 to 7: the random number of the sending end. 8 to 11: that of the other end, 0 while it is
## unknown. 12 and 13: the sequence number. 14 and 15: the next message that is expected.
## 16 to 19: a bit for each of the 32 messages after that one; 1 if it has arrived.
const HEADER_BYTES := 20
## 1,200 bytes get through nearly everywhere (RFC 9000, section 14).
const MOST_PACKET_BYTES := 1200
const MOST_MESSAGE_BYTES := MOST_PACKET_BYTES - HEADER_BYTES

## How many messages may be on their way; the other end holds no more than these.
const WINDOW := 32
const MOST_PER_POLL := 1024
const HELLO_MSEC := 250

## RFC 6298: the resend time before the first measurement, and its bounds. The RFC has a minimum of
## a second, which is long for a game.
const FIRST_RTO_MSEC := 1000.0
const MIN_RTO_MSEC := 100.0
const MAX_RTO_MSEC := 4000.0
## What a frame may add to the variation: the RFC's clock granularity, G.
const GRANULARITY_MSEC := 17.0
## A message that so many later ones have overtaken is lost (RFC 5681, section 3.2).
const OVERTAKEN_LIMIT := 3

## The most messages that wait for room in the window. More are refused by [method send].
var most_waiting := 1024
## After so long without a packet to send, one without content is sent.
var keep_alive_msec := 1000
## After so long without a packet from the other end, the connection has ended.
var timeout_msec := 10_000

## By RFC 6298: SRTT, RTTVAR and RTO. They contain the wait for the next frame at the other end.
var smoothed_msec := 0.0
var variation_msec := 0.0
var rto_msec := FIRST_RTO_MSEC

## How often a message was sent again.
var resent_count := 0
## Messages that arrived again, and states older than one before.
var duplicate_count := 0
## Packets that were not for this connection, or impossible: garbage, forged, of an earlier one.
var ignored_count := 0

var _peer: PacketPeer
var _own_id := 0
var _other_id := 0  # 0 before the other end has proven that it receives
var _has_ended := false
var _is_polling := false
var _last_heard_msec := 0
var _last_sent_msec := 0
var _next_hello_msec := 0
var _must_answer := false

# Sending: what waits for the window, and the window, the oldest first.
var _waiting: Array[PackedByteArray] = []
var _window: Array[Sent] = []
var _next_sequence := 0
var _next_state := 0
var _last_backoff_usec := 0

# Receiving: the next message to deliver, and those after it that came early.
var _expected := 0
var _early: Dictionary[int, PackedByteArray] = {}
var _expected_state := 0


## A message in the window.
class Sent:
	var message: PackedByteArray
	var sequence := 0
	var sent_usec := 0
	var count := 0  # how often it was sent
	var has_arrived := false


## [param own_id] is for tests; the lower 16 bits are the first sequence number. 0: a random one.
func _init(peer: PacketPeer, own_id := 0) -> void:
	_peer = peer
	_own_id = own_id & 0xffff_ffff
	while _own_id == 0:
		_own_id = Crypto.new().generate_random_bytes(4).decode_u32(0)
	_next_sequence = _first_sequence(_own_id)
	_next_state = _next_sequence
	_last_heard_msec = Time.get_ticks_msec()
	_next_hello_msec = _last_heard_msec


func is_active() -> bool:
	return _other_id != 0 and not _has_ended


## How many messages are not acknowledged yet.
func get_pending_count() -> int:
	return _waiting.size() + _window.size()


## How many messages came early and are held until those before them come: below [constant WINDOW].
func get_early_count() -> int:
	return _early.size()


## Sends a message that arrives, in order, or else the connection times out.
## [br][constant ERR_INVALID_PARAMETER]: it has more than [constant MOST_MESSAGE_BYTES] bytes.
## [br][constant ERR_BUSY]: [member most_waiting] messages are waiting; try again later.
## [br][constant ERR_UNAVAILABLE]: the connection has ended.
func send(message: PackedByteArray) -> Error:
	if not _fits(message):
		return ERR_INVALID_PARAMETER
	if _has_ended:
		return ERR_UNAVAILABLE
	if _waiting.size() >= most_waiting:
		return ERR_BUSY
	_waiting.append(message)
	_fill_window()
	return OK


## Sends a state once. It is lost if the network loses it, or delivers a later one first.
## [br][constant ERR_UNAVAILABLE]: there is no connection yet, or no longer.
func send_latest(state: PackedByteArray) -> Error:
	if not _fits(state):
		return ERR_INVALID_PARAMETER
	if not is_active():
		return ERR_UNAVAILABLE
	_put(LATEST, _next_state, state)
	_next_state = (_next_state + 1) & 0xffff
	return OK


## Receives, acknowledges, sends again what is due. To be called once a frame.
func poll() -> void:
	if _has_ended or _is_polling:
		return
	_is_polling = true  # a handler may call it
	for i in mini(_peer.get_available_packet_count(), MOST_PER_POLL):
		_take(_peer.get_packet())
	_is_polling = false
	var now := Time.get_ticks_msec()
	if now - _last_heard_msec >= timeout_msec:
		_end()
		return
	if _other_id == 0:
		if now >= _next_hello_msec:
			_next_hello_msec = now + HELLO_MSEC
			_put(NOTHING, 0)
		return
	_resend_overdue()
	_fill_window()
	if _must_answer or now - _last_sent_msec >= keep_alive_msec:
		_put(NOTHING, 0)


# ---- sending ------------------------------------------------------------------------------------


func _fits(message: PackedByteArray) -> bool:
	if message.size() > MOST_MESSAGE_BYTES:
		push_error(
			(
				"A message of %d bytes does not fit into a packet: at most %d. Send it in parts."
				% [message.size(), MOST_MESSAGE_BYTES]
			)
		)
	return message.size() <= MOST_MESSAGE_BYTES


func _fill_window() -> void:
	while is_active() and not _waiting.is_empty() and _window.size() < WINDOW:
		var sent := Sent.new()
		sent.message = _waiting.pop_front()
		sent.sequence = _next_sequence
		_next_sequence = (_next_sequence + 1) & 0xffff
		_window.append(sent)
		_put_message(sent)


func _put_message(sent: Sent) -> void:
	sent.count += 1
	sent.sent_usec = Time.get_ticks_usec()
	_put(MESSAGE, sent.sequence, sent.message)


func _put(kind: int, sequence: int, content := PackedByteArray(), to := _other_id) -> void:
	var bits := 0
	var packet := PackedByteArray()
	packet.resize(HEADER_BYTES)
	packet.encode_u32(0, MAGIC | kind << 24)
	packet.encode_u32(4, _own_id)
	packet.encode_u32(8, to)
	packet.encode_u16(12, sequence)
	packet.encode_u16(14, _expected if _other_id != 0 else _first_sequence(to))
	for early in _early:
		bits |= 1 << _ahead(early, _expected + 1)
	packet.encode_u32(16, bits)
	packet.append_array(content)
	_peer.put_packet(packet)  # one that could not be sent is lost, and sent again
	_last_sent_msec = Time.get_ticks_msec()
	_must_answer = false


# RFC 6298, section 5, with a time for each message instead of one for all. The resend time doubles
# once for all messages that were on their way together.
func _resend_overdue() -> void:
	var now := Time.get_ticks_usec()
	var deadline := now - int(rto_msec * 1000.0)
	for sent in _window:
		if sent.has_arrived or sent.sent_usec > deadline:
			continue
		if sent.sent_usec >= _last_backoff_usec:
			rto_msec = minf(rto_msec * 2.0, MAX_RTO_MSEC)
			_last_backoff_usec = now
		resent_count += 1
		_put_message(sent)


# ---- receiving ----------------------------------------------------------------------------------


func _take(packet: PackedByteArray) -> void:
	var is_ours := packet.size() >= HEADER_BYTES and packet.size() <= MOST_PACKET_BYTES
	if not is_ours or packet.decode_u32(0) & 0xff_ffff != MAGIC or packet[3] > LATEST:
		ignored_count += 1
		return
	var from := packet.decode_u32(4)
	var to := packet.decode_u32(8)
	if _other_id == 0 and to == _own_id and from not in [0, _own_id]:
		# It knows the number that was sent to it: so it receives, and is no earlier connection.
		_other_id = from
		_expected = _first_sequence(from)
		_expected_state = _expected
		_must_answer = true
		connected.emit()
		_read(packet)
	elif _other_id == 0 and to == 0 and from not in [0, _own_id]:
		_put(NOTHING, 0, PackedByteArray(), from)
	elif _other_id == from and to == 0 and from != 0:
		_must_answer = true  # the first answer to it was lost
	elif _other_id == from and to == _own_id and from != 0:
		_read(packet)
	else:
		ignored_count += 1


# A packet of this connection.
func _read(packet: PackedByteArray) -> void:
	var acknowledged := packet.decode_u16(14)
	var oldest := _next_sequence if _window.is_empty() else _window[0].sequence
	var ahead := _ahead(packet.decode_u16(12), _expected)
	if _ahead(acknowledged, oldest) > _window.size() or (packet[3] == MESSAGE and ahead >= WINDOW):
		ignored_count += 1  # it acknowledges what was never sent, or is beyond the window
		return
	_last_heard_msec = Time.get_ticks_msec()
	_read_acknowledgement(acknowledged, packet.decode_u32(16))
	if packet[3] == MESSAGE:
		_read_message(packet, ahead)
	elif packet[3] == LATEST:
		_read_state(packet)


func _read_message(packet: PackedByteArray, ahead: int) -> void:
	_must_answer = true  # also to one that came before: the answer may have been lost
	var sequence := packet.decode_u16(12)
	if ahead < 0 or _early.has(sequence):
		duplicate_count += 1
		return
	_early[sequence] = packet.slice(HEADER_BYTES)
	while _early.has(_expected):
		var message := _early[_expected]
		_early.erase(_expected)
		_expected = (_expected + 1) & 0xffff
		message_received.emit(message)


func _read_state(packet: PackedByteArray) -> void:
	var sequence := packet.decode_u16(12)
	if _ahead(sequence, _expected_state) < 0:
		duplicate_count += 1
		return
	_expected_state = (sequence + 1) & 0xffff
	latest_received.emit(packet.slice(HEADER_BYTES))


# An acknowledgement that was overtaken by a later one is still true.
func _read_acknowledgement(acknowledged: int, bits: int) -> void:
	var now := Time.get_ticks_usec()
	for sent in _window:
		var ahead := _ahead(sent.sequence, acknowledged)
		var is_in_bits := ahead >= 1 and ahead <= 32 and bits & 1 << (ahead - 1) != 0
		if sent.has_arrived or (ahead >= 0 and not is_in_bits):
			continue
		sent.has_arrived = true
		sent.message = PackedByteArray()
		# Karn's rule: of a message that was sent twice, nobody knows which one was acknowledged.
		if sent.count == 1:
			_measure((now - sent.sent_usec) / 1000.0)
	while not _window.is_empty() and _window[0].has_arrived:
		_window.pop_front()
	_resend_overtaken()


func _resend_overtaken() -> void:
	var later := 0
	for i in range(_window.size() - 1, -1, -1):
		if _window[i].has_arrived:
			later += 1
		elif later >= OVERTAKEN_LIMIT and _window[i].count == 1:
			resent_count += 1
			_put_message(_window[i])


# RFC 6298, section 2: alpha is 1/8, beta is 1/4, K is 4. It ends the doubling of the resend time.
func _measure(rtt_msec: float) -> void:
	if smoothed_msec == 0.0:
		smoothed_msec = rtt_msec
		variation_msec = rtt_msec / 2.0
	else:
		variation_msec += (absf(smoothed_msec - rtt_msec) - variation_msec) / 4.0
		smoothed_msec += (rtt_msec - smoothed_msec) / 8.0
	var rto := smoothed_msec + maxf(GRANULARITY_MSEC, 4.0 * variation_msec)
	rto_msec = clampf(rto, MIN_RTO_MSEC, MAX_RTO_MSEC)


func _end() -> void:
	_has_ended = true
	_waiting.clear()
	_window.clear()
	_early.clear()
	timed_out.emit()


static func _first_sequence(id: int) -> int:
	return id & 0xffff


# How far one sequence number is ahead of another, from -32,768 to 32,767 (RFC 1982).
static func _ahead(one: int, other: int) -> int:
	return ((one - other + 0x8000) & 0xffff) - 0x8000
