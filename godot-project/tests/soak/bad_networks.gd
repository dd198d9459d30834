extends "worker.gd"
## Packets through link conditions at both ends and a relay between them, all of which change
## meanwhile; in the end, each packet is accounted for.

const PACKETS := 2000
## What is under way at once; any kernel holds it.
const AT_ONCE := 50

var _packets := 0
var _lost := 0


func do_round() -> void:
	var target := receiver(chance(0.5), LOOPBACK, 1 << 20)
	target.receive_conditions = _conditions()
	var relay: RefCounted = ClassDB.instantiate(&"UdpLinkProxy")
	relay.to_target_conditions = _conditions()
	relay.start(LOOPBACK, target.get_local_port())
	var sender := make_peer(OURS)
	sender.send_conditions = _conditions()
	check_equal(sender.set_dest_address(LOOPBACK, relay.get_local_port()), OK, "destination")
	for i in PACKETS / AT_ONCE:
		for j in AT_ONCE:
			check_equal(sender.put_packet(numbered(i * AT_ONCE + j, 64)), OK, "put_packet")
		if chance(0.1):
			sender.send_conditions = _conditions()
		if chance(0.1):
			relay.to_target_conditions = _conditions()
		if chance(0.1):
			target.receive_conditions = _conditions()
		# Or the buffers of the kernel overflow.
		wait_until(_has_passed.bind(sender, relay, target))
		_take(target)
	if not wait_until(_is_settled.bind(sender, relay, target)):
		fail("not all is accounted for: %s" % [[sender, relay, target].map(_stats_of)])
	_lost += stat(sender, "conditions_lost")
	check_equal(stat(target, "packets_dropped_kernel"), 0, "dropped by the kernel")
	check_equal(stat(target, "packets_dropped_queue"), 0, "dropped by the queue")
	_packets += PACKETS


func figures() -> String:
	return "%d packets, %d of them lost" % [_packets, _lost]


## As much of everything as lets most packets through, within milliseconds.
func _conditions() -> Resource:
	if chance(0.2):
		return null
	var conditions: Resource = ClassDB.instantiate(&"UdpLinkConditions")
	conditions.loss = rng.randf() * 0.2
	conditions.loss_burst = 1.0 + rng.randf() * 4.0
	conditions.set(&"duplicate", rng.randf() * 0.1)
	conditions.latency_msec = rng.randf() * 4.0
	conditions.jitter_msec = rng.randf() * 2.0
	conditions.jitter_distribution = rng.randi_range(0, 2)
	conditions.jitter_reorders = chance(0.5)
	conditions.reorder = rng.randf() * 0.1
	conditions.reorder_delay_msec = rng.randf() * 4.0
	conditions.bandwidth_kbps = 20_000 if chance(0.3) else 0
	conditions.blackout = chance(0.05)
	return conditions


func _take(target: PacketPeer) -> void:
	for packet: PackedByteArray in target.get_packets():
		check(number_of(packet, 64) in range(PACKETS), "a packet that nobody has sent")


## Whether the relay has what the sender's line let through, and the target what the relay did.
func _has_passed(sender: PacketPeer, relay: RefCounted, target: PacketPeer) -> bool:
	target.poll()
	var relayed: Dictionary = relay.get_stats()
	return (
		relayed["to_target_packets_in"] == stat(sender, "packets_sent")
		and _came_to(target) == relayed["to_target_packets_out"]
	)


func _is_settled(sender: PacketPeer, relay: RefCounted, target: PacketPeer) -> bool:
	var relayed: Dictionary = relay.get_stats()
	return (
		stat(sender, "conditions_waiting") == 0
		and relayed["to_target_waiting"] == 0
		and stat(target, "conditions_waiting") == 0
		and _is_balanced(relayed)
		and _has_sent_all(sender)
		and _has_passed(sender, relay, target)
	)


## What the target's socket gave: what entered its queue, and what became of the rest.
func _came_to(target: PacketPeer) -> int:
	var stats: Dictionary = target.get_stats()
	return (
		stats["packets_received"]
		+ stats["packets_dropped_queue"]
		+ stats["conditions_lost"]
		+ stats["conditions_dropped"]
		+ stats["conditions_waiting"]
		- stats["conditions_duplicated"]
	)


## A packet counts as passed on a moment after it was.
func _is_balanced(relayed: Dictionary) -> bool:
	return (
		relayed["to_target_packets_in"] + relayed["to_target_duplicated"]
		== (
			relayed["to_target_packets_out"]
			+ relayed["to_target_lost"]
			+ relayed["to_target_dropped"]
		)
	)


func _stats_of(object: RefCounted) -> Dictionary:
	return object.get_stats()


## The same of what is sent: it counts when the system has taken it.
func _has_sent_all(sender: PacketPeer) -> bool:
	var stats: Dictionary = sender.get_stats()
	return (
		PACKETS + stats["conditions_duplicated"]
		== stats["packets_sent"] + stats["conditions_lost"] + stats["conditions_dropped"]
	)
