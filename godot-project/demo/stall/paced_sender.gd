extends "../sender_thread.gd"
## The players of a busy server, played by one thread: it sends numbered packets at a steady rate to
## each receiver, and goes on when the game stands still, as players do. It sends with the engine's
## own class, to all receivers alike.

const PLAYERS := 200
const PACKETS_PER_PLAYER := 60
## To each receiver.
const PACKETS_PER_SECOND := PLAYERS * PACKETS_PER_PLAYER
## The first four bytes are the packet's number.
const PACKET_BYTES := 64

## It sends at most this many packets, so that it always ends.
const LIMIT := 10 * PACKETS_PER_SECOND

const HOST := "127.0.0.1"
const PAUSE_USEC := 1000
## Three milliseconds' worth. When the machine has kept the thread waiting for longer, it leaves out
## what is overdue: no players would send all that in one burst.
const MOST_AT_ONCE := 3 * PACKETS_PER_SECOND / 1000

var _sockets: Array[PacketPeerUDP] = []
# Shared with the thread, under the mutex.
var _begun := 0


## Begins to send to these ports of this machine.
func start(ports: PackedInt32Array) -> Error:
	for port in ports:
		var socket := PacketPeerUDP.new()
		socket.set_dest_address(HOST, port)
		_sockets.append(socket)
	return _thread.start(_send_all)


## The number of the next packet. All packets below it are sent or being sent; this one and later
## ones are not.
func next_number() -> int:
	_mutex.lock()
	var number := _begun
	_mutex.unlock()
	return number


func _send_all() -> void:
	var packet := PackedByteArray()
	packet.resize(PACKET_BYTES)
	var start_usec := Time.get_ticks_usec()
	var number := 0
	var left_out := 0
	while number < LIMIT:
		var usec := Time.get_ticks_usec() - start_usec
		var due := usec * PACKETS_PER_SECOND / 1_000_000 - number - left_out
		left_out += maxi(0, due - MOST_AT_ONCE)
		for i in mini(due, MOST_AT_ONCE):
			if not _may_send(number):
				return
			packet.encode_u32(0, number)
			for socket in _sockets:
				var error := socket.put_packet(packet)
				if error != OK:
					_give_up("Packet %d could not be sent: %s." % [number, error_string(error)])
					return
			number += 1
		OS.delay_usec(PAUSE_USEC)
	_give_up("Nobody stopped the sender within %d packets." % LIMIT)


## Counts the packet before it is sent, so that next_number() keeps its promise.
func _may_send(number: int) -> bool:
	_mutex.lock()
	var may := not _stopped
	if may:
		_begun = number + 1
	_mutex.unlock()
	return may
