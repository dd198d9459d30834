extends RefCounted
## A sender and a receiver on loopback, and every way in which a burst of packets gets from the one
## to the other. The ways that are measured return the microseconds that they took; what is only
## there to be fast, PacketPeerUdpRs alone has.

## How many packets a burst has: what a queue and a kernel's buffer hold by default, also of 1,200
## bytes each.
const BURST := 64
## A packet that has not come out at the other end of loopback by then is lost.
const LOST_AFTER_USEC := 2_000_000
## How long a background thread may need, after its last packet has been queued, to find that there
## are no more, so that it does not compete with what is measured then.
const SETTLE_USEC := 20

## What went wrong; "" while nothing has.
var problem := ""

var _size: int
var _packets: Array[PackedByteArray]
var _joined: PackedByteArray
# Typed as what both classes are, so that both are called in the same way.
var _sender: PacketPeer
var _receiver: PacketPeer
# The same objects, for what PacketPeer does not have.
var _our_sender: Variant
var _our_receiver: Variant


func _init(
	sender_kind: StringName, receiver_kind: StringName, size: int, background := false
) -> void:
	_size = size
	for i in BURST:
		var packet := PackedByteArray()
		packet.resize(size)
		packet.fill((i * 31 + 7) & 0xff)
		packet.encode_u32(0, i)
		_packets.append(packet)
		_joined.append_array(packet)
	_receiver = ClassDB.instantiate(receiver_kind)
	_our_receiver = _receiver
	if background:
		_our_receiver.background_receive = true
	_expect(_our_receiver.bind(0, "127.0.0.1"), OK, "bind")
	_sender = ClassDB.instantiate(sender_kind)
	_our_sender = _sender
	_expect(
		_our_sender.set_dest_address("127.0.0.1", _our_receiver.get_local_port()),
		OK,
		"set_dest_address"
	)


## Sends a burst: [param way] is the sender's method.
func send(way: StringName) -> int:
	match way:
		&"put_packet":
			return _put_packet()
		&"put_packets":
			return _put_packets()
		&"put_segmented":
			return _put_segmented()
	problem = "no such way to send: " + way
	return 0


## Takes a burst: [param way] is the receiver's method. It was sent just before, and is in the
## kernel, or in a background thread's queue.
func take(way: StringName) -> int:
	match way:
		&"get_packet":
			return _get_packet()
		&"get_packets":
			return _get_packets()
		&"get_packets_joined":
			return _get_packets_joined()
	problem = "no such way to receive: " + way
	return 0


## Waits until a background thread has queued the whole burst, and for it to fall asleep again.
func await_queued() -> void:
	var deadline := Time.get_ticks_usec() + LOST_AFTER_USEC
	while _receiver.get_available_packet_count() < BURST:
		if Time.get_ticks_usec() > deadline:
			_lost(_receiver.get_available_packet_count())
			return
	var settled := Time.get_ticks_usec() + SETTLE_USEC
	while Time.get_ticks_usec() < settled:
		pass


## Nothing is left: no packet has come twice, or late.
func check_empty() -> void:
	_expect(_receiver.get_available_packet_count(), 0, "packets that came besides those sent")


## Sends a burst in one way, takes it in another, and compares every byte.
func check_content(sending: StringName, taking: StringName, background: bool) -> void:
	send(sending)
	if background:
		await_queued()
	var got: Array[PackedByteArray] = []
	var joined: PackedByteArray
	var deadline := Time.get_ticks_usec() + LOST_AFTER_USEC
	while maxi(got.size() * _size, joined.size()) < _joined.size():
		match taking:
			&"get_packets":
				got.append_array(_our_receiver.get_packets())
			&"get_packets_joined":
				joined.append_array(_our_receiver.get_packets_joined())
				for size: int in _our_receiver.get_batch_sizes():
					_expect(size, _size, "bytes of a packet of get_packets_joined")
			_:
				if _receiver.get_available_packet_count() > 0:
					got.append(_receiver.get_packet())
		if Time.get_ticks_usec() > deadline:
			_lost(maxi(got.size(), joined.size() / _size))
			return
	if got != _packets and joined != _joined:
		problem = "what %s took is not what %s sent" % [taking, sending]
	check_empty()


# ---- sending ------------------------------------------------------------------------------------


func _put_packet() -> int:
	var start := Time.get_ticks_usec()
	for packet in _packets:
		_sender.put_packet(packet)
	return Time.get_ticks_usec() - start


func _put_packets() -> int:
	var start := Time.get_ticks_usec()
	var sent: int = _our_sender.put_packets(_packets)
	var usec := Time.get_ticks_usec() - start
	_expect(sent, BURST, "put_packets")
	return usec


func _put_segmented() -> int:
	var start := Time.get_ticks_usec()
	var sent: int = _our_sender.put_segmented(_joined, _size)
	var usec := Time.get_ticks_usec() - start
	_expect(sent, BURST, "put_segmented")
	return usec


# ---- receiving ----------------------------------------------------------------------------------

# Loopback has delivered everything when the send returns. Only a very busy kernel puts that off; so
# each of these goes on until the whole burst is there, and such a round is slow, not wrong.


func _get_packet() -> int:
	var deadline := Time.get_ticks_usec() + LOST_AFTER_USEC
	var taken := 0
	var start := Time.get_ticks_usec()
	while taken < BURST:
		if _receiver.get_available_packet_count() > 0:
			_receiver.get_packet()
			taken += 1
		elif Time.get_ticks_usec() > deadline:
			_lost(taken)
			break
	return Time.get_ticks_usec() - start


func _get_packets() -> int:
	var deadline := Time.get_ticks_usec() + LOST_AFTER_USEC
	var taken := 0
	var start := Time.get_ticks_usec()
	while true:
		var packets: Array[PackedByteArray] = _our_receiver.get_packets()
		taken += packets.size()
		packets.clear()  # what making them costs includes to free them, as in the loop above
		if taken >= BURST:
			break
		if Time.get_ticks_usec() > deadline:
			_lost(taken)
			break
	return Time.get_ticks_usec() - start


func _get_packets_joined() -> int:
	var deadline := Time.get_ticks_usec() + LOST_AFTER_USEC
	var taken := 0
	var start := Time.get_ticks_usec()
	while true:
		var bytes: PackedByteArray = _our_receiver.get_packets_joined()
		taken += bytes.size()
		bytes.clear()
		if taken >= _joined.size():
			break
		if Time.get_ticks_usec() > deadline:
			_lost(taken / _size)
			break
	return Time.get_ticks_usec() - start


# ---- what must hold -----------------------------------------------------------------------------


func _expect(got: int, expected: int, what: String) -> void:
	if got != expected:
		problem = "%s: %d instead of %d" % [what, got, expected]


func _lost(arrived: int) -> void:
	problem = "%d of %d packets arrived" % [arrived, BURST]
