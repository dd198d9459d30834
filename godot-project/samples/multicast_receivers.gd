extends RefCounted
## One numbered multicast stream and several receivers of it: what each has lost, how regularly it
## came, and at which receiver each packet was first. Copy this file into your project;
## docs/samples/multicast_receivers.md says how to read the figures.
##
## [method add] a receiver for each interface or path that you want to compare, [method poll] them
## once a frame, and [method compare] what they have. A Sender (below) sends. The receivers share
## one port, also with other programs; each knows to which group a packet was sent, and when it
## came, however late the frame is.
##
## A packet, with numbers in little-endian: "MCST" (4 bytes), version (1), the sender's id (8), its
## number (8), when it was sent in µs by the sender's own clock (8), payload.

const MAGIC := 0x5453434D  # "MCST"
const VERSION := 1
const HEAD_BYTES := 29
## How many of the newest packets are known as received or not. A power of two.
const WINDOW := 4096
## An interruption of more packets than this is believed when the next packet confirms it (as in
## RFC 3550, A.1): a single wrong number must not become a loss of millions.
const MOST_LOST_AT_ONCE := 3000
const MAX_NUMBER := 1 << 60
## Senders that a receiver keeps figures of; silent ones make room for others.
const MAX_STREAMS := 16
const SILENT_USEC := 5_000_000

var receivers: Array[Receiver] = []


## Adds a receiver of [param groups] on one interface ("": the system chooses); null if it cannot be
## opened, which the log then explains.
func add(port: int, groups: PackedStringArray, interface_name := "") -> Receiver:
	var receiver := Receiver.new()
	if receiver.open(port, groups, interface_name) != OK:
		return null
	receivers.append(receiver)
	return receiver


func poll() -> void:
	for receiver in receivers:
		receiver.poll()


func close() -> void:
	for receiver in receivers:
		receiver.close()
	receivers.clear()


## Compares the [param newest] packets of a group, from the sender that was heard last: those that
## every receiver could have by now.
func compare(group: String, newest := 1000) -> Comparison:
	var result := Comparison.new()
	result.reset(receivers.size())
	var latest: Stream = null
	for receiver in receivers:
		var stream := receiver.find(group)
		if stream != null and (latest == null or stream.heard_usec > latest.heard_usec):
			latest = stream
	if latest == null:
		return result
	var streams: Array[Stream] = []
	var first := latest.first
	var last := latest.highest
	for receiver in receivers:
		var stream := receiver.find(group, latest.sender_id)
		streams.append(stream)
		if stream != null:
			first = maxi(first, stream.first)
			last = mini(last, stream.highest)
	for number in range(maxi(first, last - mini(newest, WINDOW) + 1), last + 1):
		result.add(streams, number)
	return result


## Sends the stream.
class Sender:
	extends RefCounted

	## Set its other options before [method open].
	var peer := PacketPeerUdpRs.new()
	var group := ""
	var port := 0
	## Random, new at each [method open]: receivers notice a restart by it.
	var id := 0
	## Of the next packet.
	var number := 0

	## Packets leave by [param interface_name] ("": the system chooses), and pass as many routers as
	## [param hops] - 1.
	func open(to_group: String, to_port: int, interface_name := "", hops := 1) -> Error:
		group = to_group
		port = to_port
		id = randi() << 32 | randi()
		number = 0
		peer.multicast_interface = interface_name
		peer.multicast_time_to_live = hops
		return peer.bind(0)

	func send(payload := PackedByteArray()) -> Error:
		var packet := PackedByteArray()
		packet.resize(HEAD_BYTES)
		packet.encode_u32(0, MAGIC)
		packet[4] = VERSION
		packet.encode_s64(5, id)
		packet.encode_s64(13, number)
		packet.encode_s64(21, Time.get_ticks_usec())
		# A packet that the system refuses has its number too: receivers miss it, as it is.
		number += 1
		return peer.send_to(packet + payload, group, port)

	func close() -> void:
		peer.close()


## Receives groups on one interface.
class Receiver:
	extends RefCounted

	## [param arrived_usec] is on the clock of [method Time.get_ticks_usec].
	signal packet_received(stream: Stream, number: int, payload: PackedByteArray, arrived_usec: int)

	const QUEUE_BYTES := 4 << 20

	## Set its other options before [method open].
	var peer := PacketPeerUdpRs.new()
	var interface_name := ""
	## As they are received.
	var groups: PackedStringArray
	## Figures by group and sender.
	var streams: Array[Stream] = []
	## Packets that were no part of a stream, or too many streams.
	var strangers := 0

	func open(port: int, some_groups: PackedStringArray, by_interface := "") -> Error:
		interface_name = by_interface
		groups.clear()
		streams.clear()
		strangers = 0
		# Otherwise the port is taken by the first receiver. With it, each gets a copy.
		peer.reuse_address = true
		# BSD systems need this as well. On Linux it would distribute the packets among receivers.
		peer.reuse_port = OS.get_name() in ["macOS", "iOS", "FreeBSD", "NetBSD", "OpenBSD"]
		# Several groups at one port: only this tells which of them a packet was sent to.
		peer.packet_info = true
		# Nothing is lost while a frame is long; its thread takes the time of each packet.
		peer.background_receive = true
		peer.queue_size = QUEUE_BYTES
		# What comes before that thread runs waits in the system; it may grant less.
		peer.receive_buffer_size = QUEUE_BYTES
		var error := peer.bind(port)
		for group in some_groups:
			if error == OK:
				groups.append(_written(group))
				error = peer.join_multicast_group(group, interface_name)
		if error != OK:
			peer.close()
		return error

	func poll() -> void:
		if not peer.is_bound():
			return
		var packets := peer.get_packets()
		var times := peer.get_batch_times_usec()
		var addresses := peer.get_batch_local_ips()
		for i in packets.size():
			_take(packets[i], addresses[i], times[i])
			# A handler may have closed it.
			if not peer.is_bound():
				return

	func close() -> void:
		peer.close()

	## The stream of a group: of this sender, or of the one that was heard last; null if none was.
	func find(group: String, sender_id := 0) -> Stream:
		var found: Stream = null
		var name := _written(group)
		for stream in streams:
			if stream.group == name and sender_id in [0, stream.sender_id]:
				if found == null or stream.heard_usec > found.heard_usec:
					found = stream
		return found

	## An address as it is received: IPv6 has several spellings. "" for what is none.
	static func _written(address: String) -> String:
		# Nothing is looked up for what is an address already.
		return IP.resolve_hostname(address) if address.is_valid_ip_address() else ""

	func _take(packet: PackedByteArray, address: String, arrived_usec: int) -> void:
		var group := address
		# Where the system does not tell, it can be no other than the only one.
		if address.is_empty() and groups.size() == 1:
			group = groups[0]
		var is_ours := packet.size() >= HEAD_BYTES and packet.decode_u32(0) == MAGIC
		# Also packets to this machine's own address: anyone can send those to the port.
		if not is_ours or packet[4] != VERSION or not group in groups:
			strangers += 1
			return
		var number := packet.decode_s64(13)
		var stream := _stream_of(group, packet.decode_s64(5), arrived_usec)
		if stream == null or not stream.take(number, packet.decode_s64(21), arrived_usec):
			strangers += 1
			return
		packet_received.emit(stream, number, packet.slice(HEAD_BYTES), arrived_usec)

	func _stream_of(group: String, sender_id: int, now_usec: int) -> Stream:
		var oldest: Stream = null
		for stream in streams:
			if stream.sender_id == sender_id and stream.group == group:
				return stream
			if oldest == null or stream.heard_usec < oldest.heard_usec:
				oldest = stream
		if streams.size() == MAX_STREAMS:
			if now_usec - oldest.heard_usec < SILENT_USEC:
				return null
			streams.erase(oldest)
		var stream := Stream.new()
		stream.group = group
		stream.sender_id = sender_id
		stream.heard_usec = now_usec
		streams.append(stream)
		return stream


## What one receiver has got from one sender to one group.
class Stream:
	extends RefCounted

	var group := ""
	var sender_id := 0
	## Numbers of packets; -1 before the first.
	var first := -1
	var highest := -1
	## Different packets, those that came again, those that came after a higher number, and those
	## that came too late to know which.
	var received := 0
	var duplicated := 0
	var reordered := 0
	var too_late := 0
	## How irregularly packets come, in µs: the mean deviation of RFC 3550, 6.4.1.
	var jitter_usec := 0.0
	## How much longer the last packet was on its way than the fastest one, in µs. The clocks of
	## sender and receiver need not agree; where they run apart, it grows.
	var delay_usec := 0
	## When the last packet came.
	var heard_usec := 0

	# By number % WINDOW: which packet it was, and when it came.
	var _numbers := PackedInt64Array()
	var _arrivals := PackedInt64Array()
	var _last_transit := 0
	var _shortest := 0
	var _expected_jump := -1

	func _init() -> void:
		_numbers.resize(WINDOW)
		_numbers.fill(-1)
		_arrivals.resize(WINDOW)

	## Packets that have not come, although a later one has.
	func get_lost() -> int:
		return highest - first + 1 - received if first >= 0 else 0

	## Of all that were sent since the first, 0 to 1.
	func get_loss() -> float:
		return float(get_lost()) / (highest - first + 1) if first >= 0 else 0.0

	## When a packet came; -1 if it did not, or too long ago to be known.
	func arrival_of(number: int) -> int:
		var place := number & (WINDOW - 1)
		return _arrivals[place] if number >= 0 and _numbers[place] == number else -1

	## Returns whether it was a packet of this stream that had not come before.
	func take(number: int, sent_usec: int, arrived_usec: int) -> bool:
		if number < 0 or number > MAX_NUMBER or sent_usec < 0 or sent_usec > MAX_NUMBER:
			return false
		if first < 0:
			first = number
			highest = number - 1
		elif number > highest + MOST_LOST_AT_ONCE and number != _expected_jump:
			_expected_jump = number + 1
			return false
		elif number <= highest - WINDOW:
			too_late += 1
			return false
		var place := number & (WINDOW - 1)
		if _numbers[place] == number:
			duplicated += 1
			return false
		reordered += int(number < highest)
		first = mini(first, number)
		highest = maxi(highest, number)
		received += 1
		_numbers[place] = number
		_arrivals[place] = arrived_usec
		heard_usec = maxi(heard_usec, arrived_usec)
		_measure(arrived_usec - sent_usec)
		return true

	## The clocks' difference is in every transit, so only differences of transits say something.
	func _measure(transit: int) -> void:
		if received == 1:
			_last_transit = transit
			_shortest = transit
		jitter_usec += (absi(transit - _last_transit) - jitter_usec) / 16.0
		_last_transit = transit
		_shortest = mini(_shortest, transit)
		delay_usec = transit - _shortest


## How the same packets came at several receivers of one machine, in the order of the receivers.
class Comparison:
	extends RefCounted

	## Packets that have come at every receiver.
	var common := 0
	## Packets that others have got and this receiver has not.
	var missing := PackedInt32Array()
	## How often a packet came here first. Ties count for each.
	var firsts := PackedInt32Array()
	## How much later than at the first receiver a packet came here, in µs.
	var lag_mean_usec := PackedFloat64Array()
	var lag_max_usec := PackedInt64Array()
	## Between the first and the last receiver of a packet, in µs.
	var spread_mean_usec := 0.0
	var spread_max_usec := 0

	func reset(count: int) -> void:
		missing.resize(count)
		firsts.resize(count)
		lag_mean_usec.resize(count)
		lag_max_usec.resize(count)

	func add(streams: Array[Stream], number: int) -> void:
		var arrivals := PackedInt64Array()
		for stream in streams:
			arrivals.append(stream.arrival_of(number) if stream != null else -1)
		if arrivals.count(-1) == arrivals.size():
			return
		if -1 in arrivals:
			for i in arrivals.size():
				missing[i] += int(arrivals[i] < 0)
			return
		var sorted := arrivals.duplicate()
		sorted.sort()
		common += 1
		var spread := sorted[-1] - sorted[0]
		spread_mean_usec += (spread - spread_mean_usec) / common
		spread_max_usec = maxi(spread_max_usec, spread)
		for i in arrivals.size():
			var lag := arrivals[i] - sorted[0]
			firsts[i] += int(lag == 0)
			lag_mean_usec[i] += (lag - lag_mean_usec[i]) / common
			lag_max_usec[i] = maxi(lag_max_usec[i], lag)
