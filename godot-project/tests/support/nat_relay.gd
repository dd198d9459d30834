extends RefCounted
## A NAT on loopback. Players behind it send to its inner port what they would send to anyone, with
## the receiver's address before it (see [method wrapped]); it sends that on from a port of its own,
## and lets in what its filter allows, with the sender's address before it.

## Which outer port a player's packets leave from (RFC 4787, 4.1).
enum Mapping {
	## The same one to everybody.
	ENDPOINT_INDEPENDENT,
	## Another one to each destination: "symmetric".
	ADDRESS_AND_PORT_DEPENDENT,
}
## Whom it lets in by that port (RFC 4787, 5).
enum Filter { ENDPOINT_INDEPENDENT, ADDRESS_AND_PORT_DEPENDENT }

const LOOPBACK := "127.0.0.1"
const HEAD_BYTES := 6

var mapping := Mapping.ENDPOINT_INDEPENDENT
var filter := Filter.ADDRESS_AND_PORT_DEPENDENT
## How many packets were not let in.
var refused := 0
## All that players have sent, as [packet, port]: what somebody on the way could record.
var recorded: Array[Array] = []

var _inside := PacketPeerUdpRs.new()
## By player's port, and destination for dependent mappings.
var _outside: Dictionary[String, Hole] = {}


func _init() -> void:
	_inside.bind(0, LOOPBACK)


func get_inner_port() -> int:
	return _inside.get_local_port()


## The outer ports that are open now.
func get_outer_ports() -> PackedInt32Array:
	var ports := PackedInt32Array()
	for hole: Hole in _outside.values():
		ports.append(hole.socket.get_local_port())
	return ports


func poll() -> void:
	var packets := _inside.get_packets()
	var ports := _inside.get_batch_ports()
	for i in packets.size():
		if packets[i].size() >= HEAD_BYTES:
			_let_out(packets[i], ports[i])
	for hole: Hole in _outside.values():
		_let_in(hole)


## A packet to or from an address, as it travels between player and NAT.
static func wrapped(packet: PackedByteArray, ip: String, port: int) -> PackedByteArray:
	var head := PackedByteArray()
	for part in ip.split("."):
		head.append(part.to_int())
	return head + PackedByteArray([port & 0xFF, port >> 8]) + packet


static func address_of(packet: PackedByteArray) -> String:
	return "%d.%d.%d.%d" % Array(packet.slice(0, 4))


static func port_of(packet: PackedByteArray) -> int:
	return packet.decode_u16(4)


func _let_out(packet: PackedByteArray, player: int) -> void:
	var to := "%s %d" % [address_of(packet), port_of(packet)]
	var key := str(player)
	if mapping == Mapping.ADDRESS_AND_PORT_DEPENDENT:
		key += " to " + to
	if not key in _outside:
		var hole := Hole.new()
		hole.player = player
		hole.socket.bind(0, LOOPBACK)
		_outside[key] = hole
	_outside[key].allowed[to] = true
	recorded.append([packet.slice(HEAD_BYTES), port_of(packet)])
	# No hairpinning: nothing returns to a player behind the same NAT.
	if not port_of(packet) in get_outer_ports():
		_outside[key].socket.send_to(packet.slice(HEAD_BYTES), address_of(packet), port_of(packet))


func _let_in(hole: Hole) -> void:
	var packets := hole.socket.get_packets()
	var ips := hole.socket.get_batch_ips()
	var ports := hole.socket.get_batch_ports()
	for i in packets.size():
		var is_known := "%s %d" % [ips[i], ports[i]] in hole.allowed
		if is_known or filter == Filter.ENDPOINT_INDEPENDENT:
			_inside.send_to(wrapped(packets[i], ips[i], ports[i]), LOOPBACK, hole.player)
		else:
			refused += 1


class Hole:
	var player := 0
	var socket := PacketPeerUdpRs.new()
	## To whom it has sent.
	var allowed: Dictionary[String, bool] = {}
