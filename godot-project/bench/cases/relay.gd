extends RefCounted
## Packets through a relay without conditions, at 100,000 a second.

const RATE := 100_000
const BATCH := 50
const BATCH_USEC := BATCH * 1_000_000 / RATE
const SIZE := 64
const HOST := "127.0.0.1"

## One for each run.
var results: Array[Dictionary] = []


## Returns the reason of a failure, or "".
func run(method: StringName, seconds: float) -> String:
	var receiver: Variant = ClassDB.instantiate(&"PacketPeerUdpRs")
	receiver.background_receive = true
	receiver.queue_size = 256 << 20
	receiver.receive_buffer_size = 4 << 20
	if receiver.bind(0, HOST) != OK:
		return "bind fails"
	var relay: Variant = ClassDB.instantiate(&"UdpLinkProxy")
	if relay.start(HOST, receiver.get_local_port()) != OK:
		return "start fails: " + relay.get_last_error_message()
	var sender: Variant = ClassDB.instantiate(&"PacketPeerUdpRs")
	sender.set_dest_address(HOST, relay.get_local_port())
	var packet := PackedByteArray()
	packet.resize(SIZE)
	var packets: Array[PackedByteArray] = []
	packets.resize(BATCH)
	packets.fill(packet)
	var joined := PackedByteArray()
	joined.resize(SIZE * BATCH)

	var sent := 0
	var start := Time.get_ticks_usec()
	for number in int(seconds * RATE / BATCH):
		while Time.get_ticks_usec() < start + number * BATCH_USEC:
			OS.delay_usec(50)
		if method == &"put_packets":
			sent += sender.put_packets(packets)
		else:
			sent += sender.put_segmented(joined, SIZE)
	var usec := Time.get_ticks_usec() - start
	var received := 0
	var quiet_since := Time.get_ticks_msec()
	# All have arrived, or none has for a second.
	while received < sent and Time.get_ticks_msec() < quiet_since + 1000:
		var taken: int = receiver.get_packets_joined().size() / SIZE
		received += taken
		if taken > 0:
			quiet_since = Time.get_ticks_msec()
		else:
			OS.delay_msec(1)
	var stats: Dictionary = relay.get_stats()
	if stats.to_target_packets_in != stats.to_target_packets_out + stats.to_target_dropped:
		return "packets are missing in the relay: %s" % stats
	relay.stop()
	(
		results
		. append(
			{
				"method": method,
				"size": SIZE,
				"sent": sent,
				"received": received,
				"packets_per_sec": sent * 1_000_000.0 / usec,
				"dropped": stats.to_target_dropped,
			}
		)
	)
	return ""
