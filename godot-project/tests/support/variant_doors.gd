extends RefCounted
## Sends packets to peers of both kinds, has each decode them with get_var(), and compares what
## comes of it with what the engine decodes of the same bytes.

const MutatedVariants := preload("mutated_variants.gd")
const LOOPBACK := "127.0.0.1"
const BATCH := 16
const TIMEOUT_MSEC := 30_000
## No packet takes longer to decode, also on a busy machine.
const LONGEST_USEC := 5_000_000

## What was wrong, up to ten.
var failures: PackedStringArray
## Packets that were decoded, and those of them that were no Variant, or one without a value.
var count := 0
var refused := 0
## Signals that refer to an object of this process.
var live_signals := 0
## The longest time that decoding a packet took.
var longest_usec := 0
## Decodes with objects allowed, which must be noticed.
var allow_objects := false

# Ours, by what receives for them, and the sender to each.
var _peers: Dictionary[String, PacketPeer]
var _senders: Dictionary[String, PacketPeer]
var _native := PacketPeerUDP.new()
var _native_sender: PacketPeer
var _server: RefCounted
var _rounds := 0


## Opens the peers; false where that fails.
func open() -> bool:
	for title: String in ["polled", "in the background"]:
		_peers[title] = ClassDB.instantiate(&"PacketPeerUdpRs")
		_peers[title].background_receive = title != "polled"
		if _peers[title].bind(0, LOOPBACK, 1 << 20) != OK:
			return false
		_senders[title] = _sender_to(_peers[title])
	if _native.bind(0, LOOPBACK, 1 << 20) != OK:
		return false
	_native_sender = _sender_to(_native)
	return _open_server()


## Decodes the next packets of [param packets], [constant BATCH] of them.
func run_batch(packets: MutatedVariants) -> void:
	var batch: Array[PackedByteArray] = []
	for i in BATCH:
		batch.append(packets.next())
	run(batch)


## Decodes these packets. The engine's lines about what is wrong with them are not printed.
func run(batch: Array[PackedByteArray]) -> void:
	var title: String = _peers.keys()[_rounds % _peers.size()]
	_rounds += 1
	var peer := _peers[title]
	if _senders[title].put_packets(batch) != batch.size():
		_fail("not all could be sent to the peer")
	if _native_sender.put_packets(batch) != batch.size():
		_fail("not all could be sent to PacketPeerUDP")
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while (
		(_available(peer) < batch.size() or _native.get_available_packet_count() < batch.size())
		and Time.get_ticks_msec() < deadline
	):
		OS.delay_usec(20)
	Engine.print_error_messages = false
	for packet in batch:
		_compare(title, peer, packet)
	Engine.print_error_messages = true
	if _available(peer) != 0 or _native.get_available_packet_count() != 0:
		_fail("packets are left")


func close() -> void:
	for title in _peers:
		_peers[title].close()
	_native.close()
	_server.stop()


func _compare(title: String, peer: PacketPeer, packet: PackedByteArray) -> void:
	var start := Time.get_ticks_usec()
	var got: Variant = peer.get_var(allow_objects)
	longest_usec = maxi(longest_usec, Time.get_ticks_usec() - start)
	var error := peer.get_packet_error()
	var of_native: Variant = _native.get_var()
	var expected: Variant = bytes_to_var(packet)
	count += 1
	refused += int(got == null)
	if not _are_same(got, expected):
		_fail("%s: %s became %s, not %s" % [title, _hex(packet), got, expected])
	elif not _are_same(got, of_native):
		_fail("%s: %s became %s, natively %s" % [title, _hex(packet), got, of_native])
	if error != _native.get_packet_error():
		_fail("%s: %s: error %d" % [title, _hex(packet), error])
	if MutatedVariants.object_in(got) != null:
		_fail("%s: %s became an object" % [title, _hex(packet)])
	if typeof(got) == TYPE_SIGNAL and (got as Signal).get_object() != null:
		live_signals += 1
	if longest_usec > LONGEST_USEC:
		_fail("%s: %s took %d ms" % [title, _hex(packet), longest_usec / 1000])


func _open_server() -> bool:
	const TITLE := "of a server"
	_server = ClassDB.instantiate(&"UdpServerRs")
	_server.queue_size = 1 << 21
	if _server.listen(0, LOOPBACK) != OK:
		return false
	_senders[TITLE] = _sender_to(_server)
	_senders[TITLE].put_packet(PackedByteArray([1]))
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while not _server.is_connection_available() and Time.get_ticks_msec() < deadline:
		_server.poll()
	_peers[TITLE] = _server.take_connection()
	return _peers[TITLE] != null and _peers[TITLE].get_packet().size() == 1


func _available(peer: PacketPeer) -> int:
	_server.poll()
	return peer.get_available_packet_count()


func _fail(what: String) -> void:
	if failures.size() < 10:
		failures.append(what.left(1000))


# In type and content, to the bit.
static func _are_same(one: Variant, other: Variant) -> bool:
	if typeof(one) != typeof(other):
		return false
	return (
		var_to_bytes(one) == var_to_bytes(other)
		or var_to_bytes(_without_objects(one)) == var_to_bytes(_without_objects(other))
	)


# The value with what an EncodedObjectAsID has in its place: the engine would encode its own number.
# For arrays and dictionaries their types are listed.
static func _without_objects(value: Variant) -> Variant:
	match typeof(value):
		TYPE_OBJECT:
			return ["id", value.object_id] if value is EncodedObjectAsID else ["object"]
		TYPE_ARRAY:
			var array: Array = value
			var elements := []
			for element: Variant in array:
				elements.append(_without_objects(element))
			return [array.get_typed_builtin(), array.get_typed_class_name(), elements]
		TYPE_DICTIONARY:
			var dictionary: Dictionary = value
			var pairs := []
			for key: Variant in dictionary:
				pairs.append([_without_objects(key), _without_objects(dictionary[key])])
			return [
				[dictionary.get_typed_key_builtin(), dictionary.get_typed_key_class_name()],
				[dictionary.get_typed_value_builtin(), dictionary.get_typed_value_class_name()],
				pairs
			]
	return value


static func _sender_to(receiver: RefCounted) -> PacketPeer:
	var sender: PacketPeer = ClassDB.instantiate(&"PacketPeerUdpRs")
	sender.set_dest_address(LOOPBACK, receiver.get_local_port())
	return sender


static func _hex(packet: PackedByteArray) -> String:
	return packet.hex_encode().left(400)
