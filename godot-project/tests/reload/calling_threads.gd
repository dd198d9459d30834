@tool
extends RefCounted
## Threads that go on to call methods of peers and servers while the addon is reloaded.
##
## They know the classes, as scripts with static types do: the engine then looks up nothing by name,
## which it cannot do safely during a reload. And they call no method of the engine's PacketPeer,
## which prints an error, once, when the addon is not there. Nor do they assign properties: that
## fails meanwhile, and ends the function.

const HOST := "127.0.0.1"

var _threads: Array[Thread]
var _stop := false
var _counters: Array[Counter]


# How often a thread has gone round.
class Counter:
	var value := 0


func start() -> void:
	var bodies: Array[Callable] = [_call_peer, _wait, _poll_server]
	for body in bodies:
		_counters.append(Counter.new())
		_threads.append(Thread.new())
		_threads[-1].start(body.bind(_counters[-1]))


func stop() -> void:
	_stop = true
	for thread in _threads:
		thread.wait_to_finish()


func rounds() -> PackedInt64Array:
	var values: PackedInt64Array
	for counter in _counters:
		values.append(counter.value)
	return values


func _call_peer(counter: Counter) -> void:
	var peer := PacketPeerUdpRs.new()
	while not _stop:
		peer.set_dest_address(HOST, 9)
		if not peer.is_bound():
			peer.bind(0, HOST)
		elif peer.get_local_port() % 2 == 0:
			peer.close()
		counter.value += 1


func _wait(counter: Counter) -> void:
	var peer := PacketPeerUdpRs.new()
	while not _stop:
		if not peer.is_bound():
			peer.bind(0, HOST)
		peer.wait(1)
		counter.value += 1


func _poll_server(counter: Counter) -> void:
	var server := UdpServerRs.new()
	while not _stop:
		if not server.is_listening():
			server.listen(0, HOST)
		server.poll()
		server.is_connection_available()
		counter.value += 1
