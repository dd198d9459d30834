extends "receiving.gd"
## Base of the suites about UDPServer, UdpServerRs and the peers that they hand out. A test's
## [code]kind[/code] names the class of the peers; the class of the server follows from it.

const SERVERS: Dictionary[StringName, StringName] = {NATIVE: &"UDPServer", OURS: &"UdpServerRs"}
const HELLO := "hello"
## How many packets of 1,000 bytes fit into an accepted peer's queue.
const FITTING := 63
## Any kernel buffers this many packets of up to 1,000 bytes.
const CHUNK := 20

# Weak, because tests free servers as well.
var _servers: Array[WeakRef]

# ---- servers ------------------------------------------------------------------------------------


func make_server(kind: StringName) -> RefCounted:
	var server: RefCounted = ClassDB.instantiate(SERVERS[kind])
	_servers.append(weakref(server))
	return server


## A server that listens on a free port.
func listening(kind: StringName, address := LOOPBACK) -> RefCounted:
	var server := make_server(kind)
	check_equal(server.listen(0, address), OK, "listen on " + address)
	return server


## A listening server of ours in one of its modes.
func server_in_mode(background: bool, address := LOOPBACK) -> RefCounted:
	var server := listening(OURS, address)
	server.background_receive = background
	return server


## Runs [param body] with a peer of ours of each flavour and a sender to it: an ordinary and an
## accepted peer, each polled and in the background.
func in_each_flavour(body: Callable) -> void:
	in_both_modes(
		func(background: bool) -> void:
			var peer := receiver(background)
			body.call(peer, sender_to(peer))
			var before := failures.size()
			var server := server_in_mode(background)
			var client := sender_to(server)
			body.call(accepted(server, client), client)
			for i in range(before, failures.size()):
				failures[i] += " (accepted)"
	)


## Makes a polled server read its socket.
static func read(server: RefCounted) -> void:
	if server.get(&"background_receive") != true and server.is_listening():
		server.poll()


## Lets [param server] admit as many newcomers as in a new frame. Within one frame, in the
## background, the second poll() does so.
static func admit_more(server: RefCounted) -> void:
	for i in 2:
		server.poll()


## Polls the servers first: they read for accepted peers.
func queued(peer: PacketPeer) -> int:
	for reference in _servers:
		if reference.get_ref() != null:
			read(reference.get_ref())
	return super(peer)


# ---- connections --------------------------------------------------------------------------------


## Waits until a connection can be taken.
func is_pending(server: RefCounted) -> bool:
	var is_available := func() -> bool:
		read(server)
		return server.is_connection_available()
	var came := wait_until(is_available)
	check(came, "no connection is pending")
	return came


## Waits for the next connection and takes it. If there is none, the test fails and goes on with a
## closed peer.
func next_connection(server: RefCounted) -> PacketPeer:
	return server.take_connection() if is_pending(server) else make_peer(NATIVE)


## All pending connections, in order.
static func take_all(server: RefCounted) -> Array[PacketPeer]:
	var peers: Array[PacketPeer] = []
	while server.is_connection_available():
		peers.append(server.take_connection())
	return peers


## Accepts [param client] and empties the queue of its connection.
func accepted(server: RefCounted, client: PacketPeer) -> PacketPeer:
	send(client, [bytes(HELLO)])
	var peer := next_connection(server)
	check_equal(take(peer), [bytes(HELLO)] as Array[PackedByteArray], "the first packet")
	return peer


## New clients of the server.
func clients_of(server: RefCounted, count: int, kind := NATIVE) -> Array[PacketPeer]:
	var clients: Array[PacketPeer] = []
	for i in count:
		clients.append(sender_to(server, kind))
	return clients


## A client at an address that no other program takes while the client is closed.
func client_at_free_port(server: RefCounted) -> PacketPeer:
	var client := make_peer(NATIVE)
	check_equal(client.bind(free_port(), free_address), OK, "bind")
	client.set_dest_address(LOOPBACK, server.get_local_port())
	return client


## The connections of the clients, as [method accepted] makes them.
func all_accepted(server: RefCounted, clients: Array[PacketPeer]) -> Array[PacketPeer]:
	var peers: Array[PacketPeer] = []
	var at_once: int = mini(server.max_pending_connections, 16)
	for start in range(0, clients.size(), at_once):
		var some := clients.slice(start, start + at_once)
		admit_more(server)
		for client in some:
			send(client, [bytes(HELLO)])
		for client in some:
			peers.append(next_connection(server))
			check_equal(take(peers[-1]), [bytes(HELLO)] as Array[PackedByteArray], "hello")
	return peers


## Takes the packets that are queued in [param peers], and returns their numbers.
func numbers_in(peers: Array[PacketPeer]) -> Array[PackedInt32Array]:
	var numbers: Array[PackedInt32Array] = []
	for peer in peers:
		numbers.append(numbers_of(take(peer, peer.get_available_packet_count())))
	return numbers


## A client that shows when the server has read everything sent to it before.
func marker_of(server: RefCounted) -> Marker:
	var marker := Marker.new()
	marker.client = sender_to(server)
	marker.peer = accepted(server, marker.client)
	marker.suite = self
	admit_more(server)
	return marker


## Sends packets numbered from 0 from each of [param clients], and waits for [param marker] often
## enough that the kernel drops none.
func send_paced(clients: Array[PacketPeer], count: int, marker: Marker, size := 1000) -> void:
	for i in count:
		for client in clients:
			client.put_packet(numbered(i, size))
		if i % maxi(CHUNK / clients.size(), 1) == 0:
			marker.wait_until_read()
	marker.wait_until_read()


class Marker:
	const NUMBER := 4711

	var client: PacketPeer
	## Its connection.
	var peer: PacketPeer
	var suite: RefCounted

	## Returns when the server has read everything that was sent to it until now.
	func wait_until_read() -> void:
		client.put_packet(suite.numbered(NUMBER))
		suite.check_equal(suite.number_of(suite.take(peer)[0]), NUMBER, "the marker")
