extends Node
## Announces a game on the local network once a second, by every way there is, and answers the
## pings of those who look for one (lobby_browser.gd). Set what is announced, add it to the tree,
## and call open().
##
## For a game of your own, copy six files into one folder: lobby_host.gd, lobby_browser.gd, and
## what these two use, lobby_entry.gd, lobby_message.gd, lobby_network.gd, lobby_path.gd. Then
## change what has to be your game's own: SIGNATURE in lobby_message.gd, and PORT, GROUP_IPV4 and
## GROUP_IPV6 in lobby_network.gd.
##
## To join a game that the browser lists (an entry of it, as host_found gives it), where the host
## has called create_server(game_port):
## [codeblock]
## var path := entry.best_engine_path()  # null: no address that ENet can use
## var peer := ENetMultiplayerPeer.new()
## if path and peer.create_client(path.ip, entry.game_port) == OK:
##     multiplayer.multiplayer_peer = peer
## [/codeblock]
##
## Why several ways: a broadcast reaches the whole subnet, but IPv6 has none, and some access points
## block it; a multicast leaves by one interface, and not every switch forwards it. Duplicates do no
## harm: a browser knows the host by its id.

const Message := preload("lobby_message.gd")
const Network := preload("lobby_network.gd")

const ANNOUNCE_MSEC := 1000
## How many packets are answered in a frame: a flood of pings must not block the game.
const PACKETS_PER_FRAME := 64

## 1 to 24 letters: browsers take nothing without a name. A longer one is cut. Control characters,
## or nothing but blanks, are no name.
@export var game_name := "A game"
@export_range(0, 255) var players := 1
@export_range(1, 255) var max_players := 8
## Where players connect to the game itself.
@export_range(1, 65535) var game_port := 7777
@export_range(1, 65535) var lobby_port := Network.PORT
## Lets nothing leave this machine: for trying it out, and for tests.
@export var this_machine_only := false

## Identifies this host, however many addresses it has.
var id := 0
## How many packets of the latest announcement were sent, by way.
var sent: Dictionary[Message.Way, int] = {}
## Pings that were answered.
var answered := 0
## Packets that were no ping for this host. They change nothing.
var strangers := 0

var _socket := PacketPeerUdpRs.new()
## Why open() did not even try.
var _refusal := ""
var _next_msec := 0


func _process(_delta: float) -> void:
	if not _socket.is_bound():
		return
	_answer_pings()
	if Time.get_ticks_msec() >= _next_msec:
		_next_msec = Time.get_ticks_msec() + ANNOUNCE_MSEC
		_announce()


func _exit_tree() -> void:
	close()


## Begins to announce. ERR_INVALID_PARAMETER, and an error in the log, where no browser would list
## that. What is changed later is in the next announcement: can_be_listed() tells whether it may be.
func open() -> Error:
	close()
	_refusal = ""
	if not can_be_listed():
		_refusal = _advice()
		push_error(_refusal)
		return ERR_INVALID_PARAMETER
	# Any port will do: browsers learn it from the announcements, and send their pings to it.
	var error := _socket.bind(0)
	if error != OK:
		return error
	_socket.set_broadcast_enabled(true)
	# 1: no router passes it on. 0: it does not even leave the machine.
	_socket.multicast_time_to_live = 0 if this_machine_only else 1
	var random := Crypto.new().generate_random_bytes(8)
	id = random.decode_s64(0)
	_next_msec = 0
	return OK


## Stops announcing. Browsers drop the host after a few seconds.
func close() -> void:
	_socket.close()
	sent.clear()


func is_open() -> bool:
	return _socket.is_bound()


## Whether browsers take what is announced.
func can_be_listed() -> bool:
	# As they will read it. Only a port that does not fit would come out as another.
	var parsed := Message.read(_announcement(Message.Way.MACHINE))
	return parsed != null and parsed.game_port == game_port and Network.is_port(lobby_port)


func get_last_error_message() -> String:
	return _refusal if _refusal else _socket.get_last_error_message()


func _advice() -> String:
	return (
		(
			'no browser would list the game "%s" on port %d, announced on port %d: '
			% [game_name.c_escape(), game_port, lobby_port]
		)
		+ (
			"set game_name to 1 to %d printable letters that are not all blank, "
			% Message.MAX_LETTERS
		)
		+ "and game_port and lobby_port to 1 to 65535 before open()"
	)


func _announce() -> void:
	sent.clear()
	_announce_to(Network.own_machine(), Message.Way.MACHINE)
	if not this_machine_only:
		# One copy to each subnet of this machine.
		var packet := _announcement(Message.Way.BROADCAST)
		sent[Message.Way.BROADCAST] = maxi(_socket.put_packet_broadcast(packet, lobby_port), 0)
	# A group is sent to on one interface, and the system would choose one. We want all, and those
	# that are there now: a cable may have been plugged in since the last time.
	for interface in Network.outward():
		_socket.multicast_interface = interface.name
		if interface.has_ipv4:
			_announce_to(Network.GROUP_IPV4, Message.Way.MULTICAST_IPV4)
		if interface.has_ipv6:
			_announce_to(Network.GROUP_IPV6, Message.Way.MULTICAST_IPV6)


## What cannot be sent now (the cable is out, the address is too new) may be in a second.
func _announce_to(address: String, way: Message.Way) -> void:
	if _socket.send_to(_announcement(way), address, lobby_port) == OK:
		sent[way] = sent.get(way, 0) + 1


func _announcement(way: Message.Way) -> PackedByteArray:
	var message := Message.new()
	message.host_id = id
	message.game_name = game_name
	message.players = players
	message.max_players = maxi(max_players, players)
	message.game_port = game_port
	message.way = way
	return message.to_packet()


func _answer_pings() -> void:
	var packets := _socket.get_packets(PACKETS_PER_FRAME)
	var ips := _socket.get_batch_ips()
	var ports := _socket.get_batch_ports()
	var times := _socket.get_batch_times_usec()
	for i in packets.size():
		var ping := Message.read(packets[i])
		if ping == null or ping.kind != Message.Kind.PING or ping.host_id != id:
			strangers += 1
			continue
		# The ping has waited for this frame. The browser takes that off, and is left with what the
		# network took.
		var pong := ping.pong(Time.get_ticks_usec() - times[i])
		# The address of a link-local sender names its interface, so the answer finds the way back.
		_socket.send_to(pong.to_packet(), ips[i], ports[i])
		answered += 1
