extends RefCounted
## A socket on the far host of the network tests. See far_end.gd.

var port := 0
## Its name on the far host.
var name := ""
var host: RefCounted


## Joins a group on one interface of the far host.
func join(group: String, interface: String) -> void:
	host.ask({"do": "join", "name": name, "group": group, "interface": interface})


## Sends packets that numbered() makes. Packets to a group leave by [param interface].
func send(to: String, to_port: int, numbers: Array, size := 16, interface := "") -> void:
	var request := {
		"do": "send", "name": name, "to": to, "port": to_port, "numbers": numbers, "size": size
	}
	if not interface.is_empty():
		request.interface = interface
	host.ask(request)


## Sends an ICMP error for a packet from [param to]: it could not be delivered, as a router on the
## way may say.
func refuse(to: String, to_port: int, type: int, code: int) -> void:
	host.ask({"do": "refuse", "name": name, "to": to, "port": to_port, "type": type, "code": code})


## Waits until [param count] packets have arrived, and takes all there are. Each has
## [code]number[/code], [code]size[/code], [code]from[/code], [code]port[/code], [code]to[/code],
## [code]interface[/code], [code]hops[/code] and [code]class[/code].
func received(count := 1, msec := 30_000) -> Array[Dictionary]:
	var packets: Array[Dictionary] = []
	var request := {"do": "received", "name": name, "count": count, "seconds": msec / 1000.0}
	for packet: Dictionary in host.ask(request, msec).packets:
		for key: String in packet:
			if packet[key] is float:
				packet[key] = int(packet[key])
		packets.append(packet)
	return packets


## One value of each packet that has arrived, see [method received].
func values_of(key: String, count := 1, msec := 30_000) -> Array:
	return received(count, msec).map(func(packet: Dictionary) -> Variant: return packet.get(key))


func close() -> void:
	host.ask({"do": "close", "name": name})
