extends "res://tests/support/asked_process.gd"
## The clients of servers (clients.py): thousands of sockets in a process of their own. Every packet
## begins with the number of its client and its own number, 32 bits each.

const PROGRAM := "res://bench/clients.py"
const HOST := "127.0.0.1"
## The packets' size in bytes.
const SIZE := 64
## How long the slowest machine may need to send a packet.
const SENDING_MSEC := 1.0

## What went wrong; "" while nothing has.
var problem := ""


## Starts with so many clients; those a server has accepted before do not change.
func _init(count: int) -> void:
	super(PROGRAM)
	_expect("size", SIZE, {"do": "open", "count": count}, count)


## A packet of each of [param from], in their order. They have all arrived, or the server's buffer
## was full, when this returns.
func send(port: int, from: PackedInt32Array, number := 0) -> void:
	var request := {"do": "send", "port": port, "from": from, "number": number}
	_expect("sent", from.size(), request, from.size())


## So many packets of each of the first [param count] clients, numbered from 0, as fast as they can.
func flood(port: int, count: int, packets: int, random_seed: int) -> void:
	var request := {"do": "flood", "port": port, "count": count, "packets": packets}
	request.seed = random_seed
	_expect("sent", count * packets, request, count * packets)


func _expect(what: String, expected: int, request: Dictionary, packets: int) -> void:
	var got := int(ask(request, int(packets * SENDING_MSEC)).get(what, -1))
	if got != expected:
		problem = "the clients' %s: %d instead of %d" % [what, got, expected]
