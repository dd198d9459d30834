extends RefCounted
## A client of the sample's dedicated server that a test controls message by message. The server is
## not in the scene tree; this client runs its frames.

const GameServer := preload("res://demo/dedicated/game_server.gd")
const Sockets := preload("res://demo/dedicated/sockets.gd")
const Wire := preload("res://demo/dedicated/wire.gd")

const TIMEOUT_MSEC := 30_000

## Messages that have arrived and were not taken yet.
var inbox: Array[Array] = []
var socket: PacketPeer

var _server: GameServer


func _init(server: GameServer) -> void:
	_server = server
	socket = Sockets.new_peer(server.native)
	socket.connect_to_host("127.0.0.1", server.local_port())


## Gets a ticket and joins. Returns whether the server sends a welcome.
func join(name := "player") -> bool:
	say([Wire.Kind.HELLO, name, ""])
	var ticket := next(Wire.Kind.TICKET)
	if ticket.is_empty():
		return false
	say([Wire.Kind.HELLO, name, ticket[1]])
	return not next(Wire.Kind.WELCOME).is_empty()


func say(message: Variant) -> void:
	socket.put_var(message)


func move(number: int, to := Vector2(100.0, 100.0), missed := 0) -> void:
	say([Wire.Kind.MOVE, number, to, missed])


## Takes the next message of that kind and drops those before it; empty if none arrives in time.
func next(kind: Wire.Kind) -> Array:
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while Time.get_ticks_msec() < deadline:
		_server._process(0.0)
		receive()
		while not inbox.is_empty():
			var message: Array = inbox.pop_front()
			if message[0] == kind:
				return message
		OS.delay_usec(200)
	return []


func receive() -> void:
	while socket.get_available_packet_count() > 0:
		inbox.append(Wire.take_from(socket))
