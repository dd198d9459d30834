extends RefCounted
## A STUN server (RFC 8489) that answers Binding requests, as far as a client needs one. It is
## written apart from the sample that it tests, so that both cannot err alike.

## A request that is left without an answer, to try repetitions.
var ignored := 0
## What has come, in its order.
var requests: Array[PackedByteArray] = []

var _peer := PacketPeerUDP.new()


func listen(port: int, address: String) -> Error:
	return _peer.bind(port, address)


func get_local_port() -> int:
	return _peer.get_local_port()


func poll() -> void:
	while _peer.get_available_packet_count() > 0:
		var request := _peer.get_packet()
		requests.append(request)
		if ignored > 0:
			ignored -= 1
		elif request.size() >= 20 and request.slice(0, 2).hex_encode() == "0001":
			_peer.set_dest_address(_peer.get_packet_ip(), _peer.get_packet_port())
			_peer.put_packet(answer(request, _peer.get_packet_ip(), _peer.get_packet_port()))


## The response that tells [param ip] and [param port].
static func answer(request: PackedByteArray, ip: String, port: int) -> PackedByteArray:
	var mask := request.slice(4, 20)
	var address := PackedByteArray()
	if ":" in ip:
		# As get_packet_ip() writes: eight groups, none left out.
		for group in ip.split(":"):
			address.append_array(group.lpad(4, "0").hex_decode())
	else:
		for part in ip.split("."):
			address.append(part.to_int())
	var attribute := PackedByteArray([0, 2 if ":" in ip else 1, port >> 8, port & 0xFF])
	attribute.append_array(address)
	for i in attribute.size():
		if i >= 2:
			attribute[i] ^= mask[i - 2 if i < 4 else i - 4]
	var head := PackedByteArray([1, 1, 0, 4 + attribute.size()])
	return head + mask + PackedByteArray([0, 0x20, 0, attribute.size()]) + attribute
