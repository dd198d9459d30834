extends RefCounted
## What is around a snippet while it runs: the peers that it talks to. The network is that of
## scripts/snippets.sh.

const MotionCapture := preload("res://samples/motion_capture.gd")
const MulticastReceivers := preload("res://samples/multicast_receivers.gd")
const NatPunching := preload("res://samples/nat_punching.gd")
const Ping := preload("res://samples/ping.gd")
const Reliable := preload("res://samples/reliable.gd")
const StateReplication := preload("res://samples/state_replication.gd")
const StunServer := preload("stun_server.gd")

const LOOPBACK := "127.0.0.1"
## What the made-up names of the documentation resolve to.
const PUBLIC := "203.0.113.1"
## The interface that snippets name.
const CABLE := "eth0"
## The peer's port in most snippets.
const PORT := 4433


## Strangers that send text to every port that the snippet names, and answer at every port that it
## sends to and does not have itself.
class World:
	extends RefCounted

	## A stranger sends a packet this often, and is gone after a while; the next one follows.
	const PACE_MSEC := 10
	const STRANGER_MSEC := 300

	## Of the snippet. Null after it has left.
	var node: Node
	var code := ""

	var _ports: Array[int] = []
	var _stranger := PacketPeerUDP.new()
	var _next_packet := 0
	var _next_stranger := 0
	var _answering: Array[PacketPeerUDP] = []
	var _asked: Dictionary[PacketPeerUDP, bool] = {}

	## Before the node is in the tree.
	func prepare() -> void:
		_ports = ports_opened()
		for port in _ports_of('\\.(?:connect_to_host|set_dest_address)\\w*\\("[^"]+", (\\w+)'):
			if port not in _ports:
				var peer := PacketPeerUDP.new()
				if peer.bind(port) != OK:
					push_error("port %d is taken" % port)
				_answering.append(peer)

	## After it has entered the tree.
	func begin() -> void:
		pass

	## Each frame.
	func step() -> void:
		var now := Time.get_ticks_msec()
		if now >= _next_packet:
			_next_packet = now + PACE_MSEC
			if now >= _next_stranger:
				_next_stranger = now + STRANGER_MSEC
				_stranger = PacketPeerUDP.new()
			for port in _ports:
				_stranger.set_dest_address(LOOPBACK, port)
				_stranger.put_packet("hello".to_utf8_buffer())
		for peer in _answering:
			while peer.get_available_packet_count() > 0:
				var packet := peer.get_packet()
				_asked[peer] = true
				peer.set_dest_address(peer.get_packet_ip(), peer.get_packet_port())
				peer.put_packet(packet)

	## Whether the snippet has done what its world can see.
	func is_done() -> bool:
		return _asked.size() == _answering.size() or "put_" not in code

	## After the node has left.
	func end() -> void:
		_stranger.close()
		for peer in _answering:
			peer.close()

	func ports_opened() -> Array[int]:
		return _ports_of("\\.(?:bind|listen|open)\\((\\w+)")

	# The ports that the snippet's code names: numbers, or PORT.
	func _ports_of(pattern: String) -> Array[int]:
		var ports: Array[int] = []
		var constant := RegEx.create_from_string("const PORT := (\\d+)").search(code)
		for found in RegEx.create_from_string(pattern).search_all(code):
			var text := found.get_string(1)
			if text == "PORT":
				text = constant.get_string(1)
			if text.to_int() > 0 and text.to_int() not in ports:
				ports.append(text.to_int())
		return ports

	# Waits until [param condition] holds, ten seconds at most.
	func _until(condition: Callable) -> void:
		var deadline := Time.get_ticks_msec() + 10_000
		while not condition.call() and Time.get_ticks_msec() < deadline:
			OS.delay_msec(1)

	func _add(child: Node) -> void:
		(Engine.get_main_loop() as SceneTree).root.add_child(child)


## The snippet talks to itself, or to nobody.
class Nobody:
	extends World

	func prepare() -> void:
		pass


## Another program has the ports that the snippet opens.
class Taken:
	extends World

	func prepare() -> void:
		for port in ports_opened():
			var peer := PacketPeerUDP.new()
			if peer.bind(port) != OK:
				push_error("port %d is taken" % port)
			_answering.append(peer)

	func step() -> void:
		pass

	func is_done() -> bool:
		return true


## A fragment with a peer that has a destination, where frames of numbers are received.
class Frames:
	extends Nobody

	const FRAMES_PORT := 9001

	var _capture := MotionCapture.new()

	func prepare() -> void:
		var peer: PacketPeerUdpRs = node.get(&"peer")
		peer.set_dest_address(LOOPBACK, FRAMES_PORT)
		_capture.open(FRAMES_PORT, "*", MotionCapture.Format.RAW)
		_add(_capture)

	func is_done() -> bool:
		return _capture.get_value(MotionCapture.RAW_ADDRESS) == [PackedFloat32Array([0.5, 1, 1.5])]

	func end() -> void:
		_capture.free()


## A device that sends motion capture, in the format of the snippet.
class Device:
	extends Nobody

	var _peer := PacketPeerUDP.new()
	var _number := 0

	func step() -> void:
		if "Format.RAW" in code:
			_peer.set_dest_address(LOOPBACK, 9001)
			var packet := PackedByteArray([0, 0, 0, 0])
			packet.encode_u32(0, _number)
			_peer.put_packet(packet + PackedFloat32Array([0.5, 1.0]).to_byte_array())
			_number += 1
		else:
			_peer.set_dest_address(LOOPBACK, 9000)
			_peer.put_packet(_message("/hand/left"))
			_peer.put_packet(_message("/fader/1"))

	# One float, 0.5.
	func _message(address: String) -> PackedByteArray:
		var text := address.to_ascii_buffer()
		text.resize(text.size() + 4 - text.size() % 4)
		return text + PackedByteArray([0x2c, 0x66, 0, 0, 0x3f, 0, 0, 0])


## A fragment with the host and the browser of the lobby.
class Lobby:
	extends Nobody

	func prepare() -> void:
		var host: PacketPeerUdpRs = node.get(&"host")
		var browser: PacketPeerUdpRs = node.get(&"browser")
		if host.bind(0) != OK or browser.bind(PORT) != OK:
			push_error("the lobby's ports")

	func is_done() -> bool:
		var browser: PacketPeerUdpRs = node.get(&"browser")
		return browser.get_available_packet_count() == 1


## A fragment with a peer that is bound, and has packets when the fragment begins.
class Bound:
	extends World

	const PACKETS := 3

	func prepare() -> void:
		var peer: PacketPeerUdpRs = node.get(&"peer")
		if peer.bind(PORT, LOOPBACK) != OK:
			push_error("port %d is taken" % PORT)
		_stranger.set_dest_address(LOOPBACK, PORT)
		for i in PACKETS:
			_stranger.put_packet(PackedFloat32Array([i, 0.5]).to_byte_array())
		_until(func() -> bool: return peer.get_available_packet_count() == PACKETS)

	func step() -> void:
		pass


## A fragment with a server that has a client, whose packets are there when the fragment begins.
class Listening:
	extends Nobody

	var _client := PacketPeerUDP.new()
	# Kept by the game, as the server's peers have to be.
	var _peer: PacketPeerUdpRs

	func prepare() -> void:
		var server: UdpServerRs = node.get(&"server")
		if server.listen(0, LOOPBACK) != OK:
			push_error("the server does not listen")
		_client.connect_to_host(LOOPBACK, server.get_local_port())
		_client.put_packet("hello".to_utf8_buffer())
		var is_met := func() -> bool:
			server.poll()
			return server.is_connection_available()
		_until(is_met)
		_peer = server.take_connection()


## A client of a server that gives tickets: it sends back what it gets, and goes on sending.
class Strangers:
	extends Nobody

	var _client := PacketPeerUDP.new()
	var _packet := PackedByteArray()

	func begin() -> void:
		_packet.resize(32)
		_client.connect_to_host(LOOPBACK, node.get(&"server").get_local_port())

	func step() -> void:
		while _client.get_available_packet_count() > 0:
			_packet = _client.get_packet()
		_client.put_packet(_packet)

	func is_done() -> bool:
		return node.get(&"players").size() == 1

	func end() -> void:
		_client.close()


## Packets for a function that reads moves: one that is right, and some that are wrong.
class Moves:
	extends Nobody

	func begin() -> void:
		var right: Array = [7, Vector2(1.0, 2.0)]
		var wrong: Array = [7, [7], [7, "there"], [7, Vector2(NAN, 2.0)], "x".repeat(1300)]
		if node.call(&"read_move", var_to_bytes(right)) != right:
			push_error("a move is refused")
		for value: Variant in wrong:
			if node.call(&"read_move", var_to_bytes(value)) != []:
				push_error("it is taken for a move: %s" % [value])


## A sender of numbered multicasts.
class Multicasts:
	extends Nobody

	var _sender := MulticastReceivers.Sender.new()

	func begin() -> void:
		if _sender.open("239.255.42.79", 4435, CABLE) != OK:
			push_error(_sender.peer.get_last_error_message())

	func step() -> void:
		_sender.send("the payload".to_utf8_buffer())

	func end() -> void:
		_sender.close()


## One that pings, where the snippet answers.
class Pinging:
	extends Nobody

	var _ping := Ping.new()

	func begin() -> void:
		_add(_ping)
		_ping.interval_msec = 20
		_ping.start(LOOPBACK, 4435)
		_stranger.set_dest_address(LOOPBACK, 4435)

	func step() -> void:
		# What is no ping.
		_stranger.put_packet("hello".to_utf8_buffer())

	func is_done() -> bool:
		return _ping.answered_count >= 3

	func end() -> void:
		_ping.free()


## One that answers pings, and falls silent.
class Answering:
	extends Nobody

	var _ping := Ping.new()

	func prepare() -> void:
		_add(_ping)
		if _ping.listen(4435) != OK:
			push_error("port 4435 is taken")

	func begin() -> void:
		var ping := _own()
		ping.interval_msec = 20
		ping.silence_msec = 500

	func step() -> void:
		if _own().answered_count >= 3:
			_ping.stop()

	func is_done() -> bool:
		return _own().answered_count >= 3

	func end() -> void:
		_ping.free()

	func _own() -> Ping:
		for child in node.get_children():
			if child is Ping:
				return child
		return null


## A server of reliable messages, which vanishes.
class ReliableServer:
	extends Nobody

	var _server := UdpServerRs.new()
	var _link: Reliable
	var _heard := 0

	func prepare() -> void:
		if _server.listen(PORT) != OK:
			push_error(_server.get_last_error_message())

	func begin() -> void:
		var link: Reliable = node.get(&"link")
		link.timeout_msec = 300

	func step() -> void:
		_server.poll()
		if _link == null and _server.is_connection_available():
			_link = Reliable.new(_server.take_connection())
			_link.message_received.connect(_on_message_received)
			_link.latest_received.connect(_on_latest_received)
		if _link != null and _heard < 5:
			_link.poll()

	func is_done() -> bool:
		return _heard >= 5

	func _on_message_received(message: PackedByteArray) -> void:
		_link.send(message)

	func _on_latest_received(state: PackedByteArray) -> void:
		_heard += int(bytes_to_var(state) == Vector2(3, 4))


## Two clients that send reliable messages. One of them stops receiving.
class ReliableClients:
	extends Nobody

	var _links: Array[Reliable] = []
	var _has_arrived := false

	func begin() -> void:
		for i in 2:
			var peer := PacketPeerUdpRs.new()
			peer.connect_to_host(LOOPBACK, PORT)
			_links.append(Reliable.new(peer))
		_links[1].message_received.connect(_on_message_received)

	func step() -> void:
		var own: Dictionary = node.get(&"links")
		for link: Reliable in own.values():
			link.most_waiting = 4
			link.timeout_msec = 1000
		_links[0].poll()
		_links[0].send("hello".to_utf8_buffer())
		_links[0].send_latest(var_to_bytes(Vector2.ONE))
		if not _has_arrived:
			_links[1].poll()

	func is_done() -> bool:
		return _has_arrived

	func _on_message_received(_message: PackedByteArray) -> void:
		_has_arrived = true


## A player that joins and fires.
class Joining:
	extends Nobody

	var _client := StateReplication.Client.new()

	func begin() -> void:
		_add(_client)
		_client.join(LOOPBACK, PORT)

	func step() -> void:
		_client.move = Vector2.RIGHT
		_client.buttons = 1 - _client.buttons

	func is_done() -> bool:
		return _client.id in _client.players and _client.players[_client.id].position.x > 0

	func end() -> void:
		_client.free()


## A server with another player, who leaves after a while; then the server closes.
class StateServer:
	extends Nobody

	var _server := StateReplication.Server.new()
	var _other := StateReplication.Client.new()
	var _has_seen_both := false

	func prepare() -> void:
		_add(_server)
		if _server.open(PORT) != OK:
			push_error(_server.socket.get_last_error_message())
		_add(_other)
		_other.join(LOOPBACK, PORT)

	func step() -> void:
		var figures: Dictionary = node.get(&"figures")
		if figures.size() == 2 and not _has_seen_both:
			_has_seen_both = true
			_other.leave()
		elif figures.size() == 1 and _has_seen_both:
			_server.close()

	func is_done() -> bool:
		return _has_seen_both

	func end() -> void:
		_other.free()
		_server.free()


## A fragment whose function is called with a client.
class Trying:
	extends Nobody

	var _client := StateReplication.Client.new()

	func begin() -> void:
		node.call(&"try_it", _client)

	func is_done() -> bool:
		var set_by_it := _client.socket.send_conditions
		return set_by_it != null and set_by_it == _client.socket.receive_conditions

	func end() -> void:
		_client.free()


## A game with ENet, whose client joins by the snippet's relay.
class Relayed:
	extends Nobody

	var _server := ENetMultiplayerPeer.new()

	func begin() -> void:
		if _server.create_server(0) != OK:
			push_error("no server")
		node.call(&"join", _server.host.get_local_port())

	func step() -> void:
		_server.poll()

	func is_done() -> bool:
		return node.multiplayer.get_peers() == PackedInt32Array([1])

	func end() -> void:
		var tree: SceneTree = Engine.get_main_loop()
		tree.get_multiplayer().multiplayer_peer = OfflineMultiplayerPeer.new()
		_server.close()


## The other player and the servers of NAT punching. The other player says something, and leaves.
class Punching:
	extends Nobody

	enum Step { MEETING, TALKING, LEFT, FAILED }

	var _rendezvous := NatPunching.Rendezvous.new()
	var _stun := StunServer.new()
	var _other := NatPunching.new()
	var _heard := ""
	var _step := Step.MEETING

	func prepare() -> void:
		if _rendezvous.listen(PORT, PUBLIC) != OK or _stun.listen(3478, PUBLIC) != OK:
			push_error("the servers' ports")
		_other.packet_received.connect(_on_packet_received)

	func begin() -> void:
		_own().silence_msec = 300
		_own().keep_alive_msec = 100
		_other.start("KDJ3WQ7P", PUBLIC, PORT)

	func step() -> void:
		_rendezvous.poll()
		_stun.poll()
		_other.poll()
		match _step:
			Step.MEETING when _heard == "hello":
				_other.send("hello to you".to_utf8_buffer())
				_step = Step.TALKING
			Step.TALKING when _own().state == NatPunching.State.CONNECTED:
				_other.stop()
				_step = Step.LEFT
			Step.LEFT when _own().state == NatPunching.State.IDLE:
				# A NAT that varies is not here; what it leaves behind is.
				_own().observed = NatPunching.Endpoint.at("198.51.100.7", 1111)
				_own().mapped = [NatPunching.Endpoint.at("198.51.100.7", 2222)]
				_own().failed.emit(NatPunching.Reason.NO_PATH)
				_step = Step.FAILED

	func is_done() -> bool:
		return _step == Step.FAILED and not _stun.requests.is_empty()

	func end() -> void:
		_other.stop()
		_rendezvous.stop()

	func _own() -> NatPunching:
		return node.get(&"punching")

	func _on_packet_received(packet: PackedByteArray) -> void:
		_heard = packet.get_string_from_utf8()


## Two players that meet at the snippet's rendezvous.
class Meeting:
	extends Nobody

	var _players: Array[NatPunching] = [NatPunching.new(), NatPunching.new()]

	func begin() -> void:
		for player in _players:
			player.start("the room", PUBLIC, PORT)

	func step() -> void:
		for player in _players:
			player.poll()

	func is_done() -> bool:
		return _players.all(
			func(one: NatPunching) -> bool: return one.state == NatPunching.State.CONNECTED
		)

	func end() -> void:
		for player in _players:
			player.stop()


## The node twice, as players that meet and continue with ENet.
class Continuing:
	extends Nobody

	var _rendezvous := NatPunching.Rendezvous.new()
	var _twin: Node

	func begin() -> void:
		if _rendezvous.listen(PORT, PUBLIC) != OK:
			push_error("the rendezvous' port")
		_twin = (node.get_script() as GDScript).new()
		_add(_twin)
		var own_network := MultiplayerAPI.create_default_interface()
		_twin.get_tree().set_multiplayer(own_network, _twin.get_path())
		for player: Node in [node, _twin]:
			var punching: NatPunching = player.get(&"punching")
			punching.connected.connect(Callable(player, &"_on_connected"))
			punching.start("the room", PUBLIC, PORT)

	func step() -> void:
		_rendezvous.poll()

	func is_done() -> bool:
		var sees_other := func(one: Node) -> bool: return one.multiplayer.get_peers().size() == 1
		return [node, _twin].all(sees_other)

	func end() -> void:
		var tree: SceneTree = Engine.get_main_loop()
		tree.set_multiplayer(null, _twin.get_path())
		tree.get_multiplayer().multiplayer_peer = OfflineMultiplayerPeer.new()
		_twin.free()
		_rendezvous.stop()
