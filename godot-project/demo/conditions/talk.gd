extends RefCounted
## Two ends that talk at a steady pace through a bad network. Alice's peer has the conditions, in
## both directions; Bob's knows nothing of them.

const Traffic := preload("traffic.gd")

const HOST := "127.0.0.1"
## What has not arrived after this time without anything on the way is lost.
const QUIET_MSEC := 100

var alice := PacketPeerUdpRs.new()
var bob := PacketPeerUdpRs.new()
var to_bob := Traffic.new(alice, bob)
var to_alice := Traffic.new(bob, alice)
## The largest number of packets that were on the way while everything was accounted for.
var balanced_waiting := 0

# What each says.
var _alice_says: PackedStringArray
var _bob_says: PackedStringArray
var _per_second := 0
var _start_usec := 0
var _last_event_msec := 0


## Opens both peers.
func open(conditions: UdpLinkConditions) -> Error:
	alice.send_conditions = conditions
	alice.receive_conditions = conditions
	for peer: PacketPeerUdpRs in [alice, bob]:
		var error := peer.bind(0, HOST)
		if error != OK:
			return error
	alice.set_dest_address(HOST, bob.get_local_port())
	bob.set_dest_address(HOST, alice.get_local_port())
	return OK


## Each says a text after the other, so many a second. Both have equally many.
func start(alice_says: PackedStringArray, bob_says: PackedStringArray, per_second: int) -> void:
	_alice_says = alice_says
	_bob_says = bob_says
	_per_second = per_second
	_start_usec = Time.get_ticks_usec()
	_last_event_msec = Time.get_ticks_msec()


## To be called once a frame. Returns whether all that can arrive has arrived.
func step() -> bool:
	var known := arrived()
	var usec := Time.get_ticks_usec() - _start_usec
	var due := mini(usec * _per_second / 1_000_000 + 1, _alice_says.size())
	for number in range(to_bob.sent_usec.size(), due):
		to_bob.send(_alice_says[number])
		to_alice.send(_bob_says[number])
		_last_event_msec = Time.get_ticks_msec()
	to_bob.receive()
	to_alice.receive()
	if arrived() > known or waiting() > 0:
		_last_event_msec = Time.get_ticks_msec()
	if is_balanced():
		balanced_waiting = maxi(balanced_waiting, waiting())
	var is_quiet := Time.get_ticks_msec() - _last_event_msec > QUIET_MSEC
	return due == _alice_says.size() and is_quiet


func close() -> void:
	alice.close()
	bob.close()


func sent() -> int:
	return to_bob.sent_usec.size() + to_alice.sent_usec.size()


func arrived() -> int:
	return to_bob.numbers.size() + to_alice.numbers.size()


## One of Alice's counters, such as "lost".
func counted(what: String) -> int:
	return alice.get_stats()["conditions_" + what]


func waiting() -> int:
	return counted("waiting")


## Whether nothing has disappeared uncounted.
func is_balanced() -> bool:
	var gone := counted("lost") + counted("dropped") + counted("waiting")
	return sent() + counted("duplicated") == arrived() + gone
