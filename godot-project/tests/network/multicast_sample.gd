extends "../support/two_hosts.gd"
## The sample of multicast receivers on two cables: loopback has no IPv6 multicast, and a packet
## that comes by two interfaces has two arrival times.

const MulticastReceivers := preload("res://samples/multicast_receivers.gd")

const GROUPS: Array[String] = ["239.255.77.63", "ff15::4d2a:63"]
const COUNT := 100


func test_receivers_on_one_interface() -> void:
	for group in GROUPS:
		var receivers := MulticastReceivers.new()
		var port := 0
		for i in 3:
			var receiver := receivers.add(port, [group], NEAR[0])
			check(receiver != null, "a receiver of " + group)
			port = receiver.peer.get_local_port()
		var sender := _sender(group, port)
		for i in COUNT:
			check_equal(sender.send(), OK, "send to " + group)
		check(_until_received(receivers, group), "all have come, " + group)
		var result := receivers.compare(group)
		check_equal(result.common, COUNT, "packets that all have, " + group)
		check_equal(result.missing, PackedInt32Array([0, 0, 0]), "missing, " + group)
		receivers.close()


func test_one_stream_by_two_interfaces() -> void:
	for group in GROUPS:
		var receivers := MulticastReceivers.new()
		var port := 0
		for interface in NEAR:
			var receiver := receivers.add(port, [group], interface)
			check(receiver != null, "a receiver on " + interface)
			port = receiver.peer.get_local_port()
		var sender := _sender(group, port)
		for i in COUNT:
			# The same packet by one path and then by the other, except each tenth.
			for interface in NEAR:
				if interface == NEAR[0] or i % 10 != 5:
					sender.peer.multicast_interface = interface
					sender.number = i
					check_equal(sender.send(), OK, "send by " + interface)
		check(_until_received(receivers, group), "all have come, " + group)
		var result := receivers.compare(group)
		check_equal(result.common, COUNT - 10, "packets that both have, " + group)
		check_equal(result.missing, PackedInt32Array([0, 10]), "missing, " + group)
		check_equal(result.firsts[0], COUNT - 10, "first by the first path, " + group)
		check(result.spread_mean_usec > 0.0, "a spread, " + group)
		note("%s: spread %.1f µs" % [group, result.spread_mean_usec])
		for i in 2:
			var stream := receivers.receivers[i].find(group)
			check_equal(stream.get_lost(), [0, 10][i], "lost, " + group)
			check_equal(stream.duplicated, 0, "of the other interface, " + group)
		receivers.close()


func _sender(group: String, port: int) -> MulticastReceivers.Sender:
	var sender := MulticastReceivers.Sender.new()
	check_equal(sender.open(group, port, NEAR[0]), OK, "open")
	return sender


## Waits until all have the last packet.
func _until_received(receivers: MulticastReceivers, group: String) -> bool:
	var have_all := func() -> bool:
		receivers.poll()
		for receiver in receivers.receivers:
			var stream := receiver.find(group)
			if stream == null or stream.highest != COUNT - 1:
				return false
		return true
	return wait_until(have_all)
