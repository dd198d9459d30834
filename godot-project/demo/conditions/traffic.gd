extends RefCounted
## Numbered packets from one peer to another, and what became of each: one direction of a link.

const NUMBER_BYTES := 4
const NEVER := -1

## Of each packet that was sent, by its number: the time on the clock of Time.get_ticks_usec().
var sent_usec := PackedInt64Array()
## Of each packet that has arrived, in the order of arrival. One that came twice is there twice.
var numbers := PackedInt32Array()
var arrived_usec := PackedInt64Array()
var texts := PackedStringArray()

var _from: PacketPeerUdpRs
var _to: PacketPeerUdpRs


func _init(from: PacketPeerUdpRs, to: PacketPeerUdpRs) -> void:
	_from = from
	_to = to


## Sends the next packet, which has at least so many bytes.
func send(text := "", least_bytes := 0) -> Error:
	var packet := PackedByteArray()
	packet.resize(NUMBER_BYTES)
	packet.encode_u32(0, sent_usec.size())
	packet.append_array(text.to_utf8_buffer())
	if packet.size() < least_bytes:
		packet.resize(least_bytes)
	sent_usec.append(Time.get_ticks_usec())
	return _from.put_packet(packet)


## Takes all packets that have arrived.
func receive() -> void:
	for i in _to.get_available_packet_count():
		var packet := _to.get_packet()
		numbers.append(packet.decode_u32(0))
		texts.append(packet.slice(NUMBER_BYTES).get_string_from_utf8())
		# When it has arrived, however late this frame takes it.
		arrived_usec.append(_to.get_packet_time_usec())


## When each packet first arrived, by its number; NEVER for those that did not.
func first_arrivals() -> PackedInt64Array:
	var first := PackedInt64Array()
	first.resize(sent_usec.size())
	first.fill(NEVER)
	for i in numbers.size():
		if first[numbers[i]] == NEVER:
			first[numbers[i]] = arrived_usec[i]
	return first


## How long each packet was on its way; NEVER for those that did not arrive.
func delays_msec() -> PackedFloat64Array:
	var delays := PackedFloat64Array()
	var first := first_arrivals()
	for number in first.size():
		var arrived := first[number] != NEVER
		delays.append((first[number] - sent_usec[number]) / 1000.0 if arrived else float(NEVER))
	return delays


## Those that did not arrive, by their numbers.
func lost() -> PackedInt32Array:
	return _where(first_arrivals(), func(usec: int) -> bool: return usec == NEVER)


## Those that arrived more than once.
func repeated() -> PackedInt32Array:
	var times := PackedInt64Array()
	times.resize(sent_usec.size())
	for number in numbers:
		times[number] += 1
	return _where(times, func(count: int) -> bool: return count > 1)


## Those that arrived after one that was sent later.
func overtaken() -> PackedInt32Array:
	var late := PackedInt64Array()
	late.resize(sent_usec.size())
	var seen := {}
	var newest := NEVER
	for number in numbers:
		if not seen.has(number) and number < newest:
			late[number] = 1
		seen[number] = true
		newest = maxi(newest, number)
	return _where(late, func(is_late: int) -> bool: return is_late == 1)


static func _where(values: PackedInt64Array, condition: Callable) -> PackedInt32Array:
	var found := PackedInt32Array()
	for number in values.size():
		if condition.call(values[number]):
			found.append(number)
	return found
