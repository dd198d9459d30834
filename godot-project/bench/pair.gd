extends RefCounted
## A sender and a receiver on loopback. Each method that sends or takes a burst of packets returns
## its time in microseconds.

## Packets per burst. A queue and a kernel's buffer hold that many by default, also of 1,200 bytes.
const BURST := 64
## put_packet, with set_dest_address to the same address before every packet.
const READDRESSED := &"set_dest_address, put_packet"
const HOST := "127.0.0.1"
## A burst that has not arrived after this time counts as lost.
const LOST_AFTER_USEC := 20_000_000
## The time for which a receiver asks without sleeping whether a burst has been queued.
const SPIN_USEC := 1000
## The time that a background thread needs after a burst to find its socket empty and to sleep, so
## that it does not compete with the measured code.
const SETTLE_USEC := 20

## The reason of a failure; "" until one occurs.
var problem := ""

var _size: int
var _packets: Array[PackedByteArray]
var _joined: PackedByteArray
# Typed as the base class, so that calls to both classes compile to the same bytecode.
var _sender: PacketPeer
var _receiver: PacketPeer
# The same objects, for members that PacketPeer lacks.
var _our_sender: Variant
var _our_receiver: Variant
var _port := 0


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
	_expect(_our_receiver.bind(0, HOST), OK, "bind")
	_port = _our_receiver.get_local_port()
	_sender = ClassDB.instantiate(sender_kind)
	_our_sender = _sender
	_expect(_our_sender.set_dest_address(HOST, _port), OK, "set_dest_address")


func set_of_receiver(property: StringName, value: Variant) -> void:
	_our_receiver.set(property, value)


func set_of_sender(property: StringName, value: Variant) -> void:
	_our_sender.set(property, value)


## Sends a burst with [param method] of the sender, or as [constant READDRESSED].
func send(method: StringName) -> int:
	match method:
		READDRESSED:
			return _set_dest_address_and_put_packet()
		&"put_packet":
			return _put_packet()
		&"put_packets":
			return _put_packets()
		&"put_segmented":
			return _put_segmented()
	problem = "no such method to send: " + method
	return 0


## Takes a burst with [param method] of the receiver. The burst is in the kernel's buffer or, in
## background mode, in the queue.
func take(method: StringName) -> int:
	match method:
		&"get_packet":
			return _get_packet()
		&"get_packets":
			return _get_packets()
		&"get_packets_joined":
			return _get_packets_joined()
	problem = "no such method to receive: " + method
	return 0


## Waits until the background thread has queued the whole burst and sleeps again.
func await_queued() -> void:
	var start := Time.get_ticks_usec()
	while _receiver.get_available_packet_count() < BURST:
		var waited := Time.get_ticks_usec() - start
		if waited > LOST_AFTER_USEC:
			_lost(_receiver.get_available_packet_count())
			return
		# On a busy machine the background thread needs this thread's processor.
		if waited > SPIN_USEC:
			OS.delay_usec(50)
	var settled := Time.get_ticks_usec() + SETTLE_USEC
	while Time.get_ticks_usec() < settled:
		pass


## Fails if a packet is left: duplicated, or not of the last burst.
func check_empty() -> void:
	_expect(_receiver.get_available_packet_count(), 0, "packets beyond those sent")


## Sends a burst with one method, takes it with another, and compares every byte.
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
		problem = "%s returned other bytes than %s sent" % [taking, sending]
	check_empty()


# ---- sending ------------------------------------------------------------------------------------


func _put_packet() -> int:
	var start := Time.get_ticks_usec()
	for packet in _packets:
		_sender.put_packet(packet)
	return Time.get_ticks_usec() - start


func _set_dest_address_and_put_packet() -> int:
	var start := Time.get_ticks_usec()
	for packet in _packets:
		_our_sender.set_dest_address(HOST, _port)
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

# Loopback usually has delivered everything when the send returns. A busy kernel may deliver later,
# so each method below continues until it has the whole burst; then the round is slow, not wrong.


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
		packets.clear()  # the cost includes freeing the packets, as in _get_packet()
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


# ---- checks -------------------------------------------------------------------------------------


func _expect(got: int, expected: int, what: String) -> void:
	if got != expected:
		problem = "%s: %d instead of %d" % [what, got, expected]


func _lost(arrived: int) -> void:
	problem = "%d of %d packets arrived" % [arrived, BURST]
