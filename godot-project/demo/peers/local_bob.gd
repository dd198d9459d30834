extends "bob.gd"
## Bob in this process. His socket is a PacketPeerUdpRs or the engine's PacketPeerUDP: not one line
## of this script depends on which.

const Samples := preload("../samples.gd")

var ended := false
## When the last packet arrived, in Time.get_ticks_msec().
var last_received_msec := Time.get_ticks_msec()

# Without a type: the two classes have the same methods but no common base.
var _socket
var _whereabouts: String
var _packets := 0
var _destination := ""


func _init(socket, whereabouts := "") -> void:
	_socket = socket
	_whereabouts = whereabouts


func start(alice_port: int) -> void:
	# Port 0: the system chooses a free one.
	var error: Error = _socket.bind(0, HOST)
	if error != OK:
		failed.emit("Bob's bind() failed: %s." % error_string(error))
		return
	_socket.set_dest_address(HOST, alice_port)
	_destination = "%s:%d" % [HOST, alice_port]
	say(Message.of_text("Hello, Alice! I am Bob, %s." % title()))


func poll() -> void:
	for i in _socket.get_available_packet_count():
		_receive(Message.take_from(_socket))


func stop() -> void:
	_socket.close()
	ended = true


func title() -> String:
	return ("a %s %s" % [_socket.get_class(), _whereabouts]).strip_edges()


func say(message: Message) -> void:
	var error := message.send_by(_socket)
	if error != OK:
		failed.emit("Bob could not send: %s." % error_string(error))
		return
	noted.emit(Note.of_sent(message, _destination))


func _receive(message: Message) -> void:
	last_received_msec = Time.get_ticks_msec()
	if message.kind == Message.Kind.KEEP_ALIVE:
		return
	_packets += 1
	noted.emit(Note.of_received(message))

	match message.kind:
		Message.Kind.TEXT when message.value == Samples.HOW_MANY:
			say(Message.of_variant(_packets))
		Message.Kind.TEXT:
			say(Message.of_text(Samples.text_answer(message.value, message.sender())))
		Message.Kind.RAW:
			var bytes: PackedByteArray = message.value.duplicate()
			bytes.reverse()
			say(Message.of_bytes(bytes))
		Message.Kind.VARIANT:
			say(Message.of_variant(message.value))
		Message.Kind.PILL:
			ended = true
