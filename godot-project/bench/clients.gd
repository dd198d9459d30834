extends "res://tests/support/helper_process.gd"
## The clients of servers (clients.py): up to thousands of sockets in a process of their own. Every
## packet begins with its client's number and its own number, 32 bits each.

const PROGRAM := "res://bench/clients.py"
const HOST := "127.0.0.1"
## The packets' size in bytes.
const SIZE := 64
## The time limit of a request: this, and so much for every packet.
const LIMIT_MSEC := 20_000
const PACKET_LIMIT_MSEC := 1.0

## The reason of a failure; "" until one occurs.
var problem := ""


func _init(count: int) -> void:
	super(PROGRAM)
	_expect("size", SIZE, {"do": "open", "count": count}, count)


## Each client in [param from] sends a packet, in that order. On return all have arrived, or the
## server's buffer was full.
func send(port: int, from: PackedInt32Array, number := 0) -> void:
	var request := {"do": "send", "port": port, "from": from, "number": number}
	_expect("sent", from.size(), request, from.size())


## Each of the first [param count] clients sends [param packets] packets, numbered from 0. All
## clients send in random order and without pauses.
func flood(port: int, count: int, packets: int, random_seed: int) -> void:
	var request := {"do": "flood", "port": port, "count": count, "packets": packets}
	request.seed = random_seed
	_expect("sent", count * packets, request, count * packets)


## Takes the packets that the first [param count] clients have received, which must be so many.
func drain(count: int, packets: int) -> void:
	_expect("drained", packets, {"do": "drain", "count": count}, packets)


func _expect(what: String, expected: int, request: Dictionary, packets: int) -> void:
	var limit := LIMIT_MSEC + int(packets * PACKET_LIMIT_MSEC)
	var got := int(ask(request, limit).get(what, -1))
	if got != expected:
		problem = "the clients' %s: %d instead of %d" % [what, got, expected]
