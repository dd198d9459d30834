extends "receiving.gd"
## Base of the suites about UdpLinkProxy: a proxy between a client and its target.

const PROXY := &"UdpLinkProxy"
const CONDITIONS := &"UdpLinkConditions"
const HOUR_MSEC := 3_600_000
## Enough for a busy machine to do something else meanwhile, and short enough to wait for.
const LATENCY_MSEC := 40
const DIRECTIONS: Array[String] = ["to_target_", "to_client_"]
## What is counted in each direction.
const COUNTERS: Array[String] = [
	"packets_in",
	"packets_out",
	"bytes_in",
	"bytes_out",
	"lost",
	"duplicated",
	"reordered",
	"corrupted",
	"dropped",
	"waiting",
]


## A client, a proxy and a target, which know of each other.
class Relayed:
	var proxy: RefCounted
	var client: PacketPeer
	var target: PacketPeer


## One direction through a proxy.
class Way:
	var relayed: Relayed
	var proxy: RefCounted
	var sender: PacketPeer
	var receiver: PacketPeer
	## Before the names of its counters and of its conditions.
	var direction: String

	func assign(conditions: Resource) -> void:
		proxy.set(direction + "conditions", conditions)

	func stat(key: String) -> int:
		return proxy.get_stats()[direction + key]


static func make_proxy() -> RefCounted:
	return ClassDB.instantiate(PROXY)


static func conditions_of(values: Dictionary) -> Resource:
	var conditions: Resource = ClassDB.instantiate(CONDITIONS)
	for property: Variant in values:
		conditions.set(property, values[property])
	return conditions


## A proxy that runs on a free port, before [param target].
func proxy_to(target: RefCounted, address := LOOPBACK, listen_address := LOOPBACK) -> RefCounted:
	var proxy := make_proxy()
	var error: Error = proxy.start(address, target.get_local_port(), 0, listen_address)
	check_equal(error, OK, "start to %s from %s" % [address, listen_address])
	return proxy


## Says hello from [param client], so that [param target] answers to it. Returns the port by which
## the target knows it.
func introduce(client: PacketPeer, target: PacketPeer) -> int:
	send(client, [bytes("hello")])
	check_equal(take(target), [bytes("hello")] as Array[PackedByteArray], "the first packet")
	target.set_dest_address(target.get_packet_ip(), target.get_packet_port())
	return target.get_packet_port()


func relayed(kind := NATIVE) -> Relayed:
	var made := Relayed.new()
	made.target = bound_peer(kind, LOOPBACK, 1 << 20)
	made.proxy = proxy_to(made.target)
	made.client = bound_peer(kind, LOOPBACK, 1 << 20)
	made.client.set_dest_address(LOOPBACK, made.proxy.get_local_port())
	introduce(made.client, made.target)
	settled(made.proxy)
	made.proxy.reset_stats()
	return made


func way_of(made: Relayed, direction: String) -> Way:
	var way := Way.new()
	way.relayed = made
	way.proxy = made.proxy
	way.direction = direction
	way.sender = made.client if direction == DIRECTIONS[0] else made.target
	way.receiver = made.target if direction == DIRECTIONS[0] else made.client
	return way


## Runs [param body] with each of the two ways through a proxy, until one fails: the other one would
## take as long to do so.
func in_both_directions(body: Callable, kind := NATIVE) -> void:
	for direction in DIRECTIONS:
		var before := failures.size()
		body.call(way_of(relayed(kind), direction))
		for i in range(before, failures.size()):
			failures[i] += " (%s)" % direction
		if failures.size() > before:
			return


## Whether the proxy accounts for every packet of both directions.
static func is_balanced(proxy: RefCounted) -> bool:
	var stats: Dictionary = proxy.get_stats()
	for direction in DIRECTIONS:
		var arrived_or_made: int = stats[direction + "packets_in"] + stats[direction + "duplicated"]
		for key: String in ["packets_out", "lost", "dropped", "waiting"]:
			arrived_or_made -= stats[direction + key]
		if arrived_or_made != 0:
			return false
	return true


## Waits until no packet is on its way through the proxy, except those that are held back: a packet
## may be with its receiver before it is counted.
func settled(proxy: RefCounted) -> void:
	var are_known := func() -> bool: return is_balanced(proxy)
	check(wait_until(are_known), "not accounted for: %s" % proxy.get_stats())


## Waits until [param count] packets have come to the proxy, and all that it does not hold back have
## left it.
func have_come(way: Way, count: int) -> void:
	var have_all := func() -> bool: return way.stat("packets_in") >= count
	check(wait_until(have_all), "%d of %d packets came" % [way.stat("packets_in"), count])
	settled(way.proxy)


## Waits until the proxy holds nothing back.
func emptied(proxy: RefCounted) -> void:
	var is_empty := func() -> bool:
		var stats: Dictionary = proxy.get_stats()
		return stats.to_target_waiting + stats.to_client_waiting == 0 and is_balanced(proxy)
	check(wait_until(is_empty), "still held back: %s" % proxy.get_stats())


## Sends packets of 16 bytes, numbered from 0.
func send_numbers(way: Way, count: int, first := 0) -> void:
	for i in count:
		send(way.sender, [numbered(first + i)])


## Waits for packets, and returns their numbers.
func numbers_from(way: Way, count: int) -> Array:
	return Array(numbers_of(take(way.receiver, count)))


## A figure of one direction.
func check_stat(way: Way, key: String, expected: int) -> void:
	check_equal(way.stat(key), expected, way.direction + key)
