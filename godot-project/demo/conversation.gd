extends Node
## Alice and the current Bob. It has no user interface: the chat window and the scripted session
## both listen to its signals.

## A new line of Alice's or Bob's transcript.
signal alice_noted(note: Note)
signal bob_noted(note: Note)
## Every message that reaches Alice.
signal alice_received(message: Message)
## Bob's first packet has arrived: Alice knows his address and can send.
signal bob_arrived
## There is no Bob; `words` say why.
signal bob_failed(words: String)

enum BobKind { RS, NATIVE, GODOT_PROCESS, PYTHON }

const Message := preload("message.gd")
const Note := preload("note.gd")
const Bob := preload("peers/bob.gd")
const LocalBob := preload("peers/local_bob.gd")
const ProcessBob := preload("peers/process_bob.gd")

const HOST := "127.0.0.1"
## Bob ends after 20 s without a packet, so an idle Alice sends a keep-alive.
const KEEP_ALIVE_MSEC := 4000

## Alice's socket, and the reason for this project.
var alice := PacketPeerUdpRs.new()
var bob: Bob
var bob_is_here := false
var bob_ip := ""
var bob_port := 0
## The network that Alice's packets take in both directions; null for this machine as it is. Bob's
## hello comes before it is bad: else it might be lost, and nobody would repeat it.
var network: UdpLinkConditions:
	set = set_network

var _last_sent_msec := 0


func _process(_delta: float) -> void:
	# A game polls its sockets once a frame like this: nothing here ever blocks.
	for i in alice.get_available_packet_count():
		_receive(Message.take_from(alice))
	if bob:
		bob.poll()
	if bob_is_here and Time.get_ticks_msec() - _last_sent_msec > KEEP_ALIVE_MSEC:
		_last_sent_msec = Time.get_ticks_msec()
		Message.keep_alive().send_by(alice)


func _exit_tree() -> void:
	stop_bob()
	alice.close()


## Opens Alice's socket on a free port of this machine.
func open() -> Error:
	return alice.bind(0, HOST)


## Ends the current Bob and starts another one. Ends with bob_arrived or bob_failed.
func start_bob(kind: BobKind) -> void:
	stop_bob()
	match kind:
		BobKind.RS:
			bob = LocalBob.new(PacketPeerUdpRs.new())
		BobKind.NATIVE:
			bob = LocalBob.new(PacketPeerUDP.new())
		BobKind.GODOT_PROCESS:
			bob = ProcessBob.new(ProcessBob.Program.GODOT)
		BobKind.PYTHON:
			bob = ProcessBob.new(ProcessBob.Program.PYTHON)
	bob.noted.connect(bob_noted.emit)
	bob.failed.connect(_on_bob_failed)
	bob.start(alice.get_local_port())


func stop_bob() -> void:
	if bob:
		bob.noted.disconnect(bob_noted.emit)
		bob.failed.disconnect(_on_bob_failed)
		bob.stop()
	bob = null
	bob_is_here = false
	_apply_network()
	# Packets of the last Bob are dropped.
	for i in alice.get_available_packet_count():
		alice.get_packet()


## Alice sends to Bob.
func send(message: Message) -> Error:
	var error := message.send_by(alice)
	if error == OK:
		_last_sent_msec = Time.get_ticks_msec()
		alice_noted.emit(Note.of_sent(message, bob_address()))
	return error


## Begins to count what the network does.
func set_network(conditions: UdpLinkConditions) -> void:
	network = conditions
	alice.reset_stats()
	_apply_network()


func alice_address() -> String:
	return "%s:%d" % [alice.get_local_address(), alice.get_local_port()]


func bob_address() -> String:
	return "%s:%d" % [bob_ip, bob_port]


func _receive(message: Message) -> void:
	var is_hello := bob != null and not bob_is_here
	if is_hello:
		# The first packet is Bob's hello; answers go to its sender.
		bob_ip = message.ip
		bob_port = message.port
		bob_is_here = true
		alice.set_dest_address(bob_ip, bob_port)
		_apply_network()
		if bob is ProcessBob:
			bob.port = bob_port
	alice_noted.emit(Note.of_received(message))
	alice_received.emit(message)
	if is_hello:
		bob_arrived.emit()


func _apply_network() -> void:
	alice.send_conditions = network if bob_is_here else null
	alice.receive_conditions = network if bob_is_here else null


func _on_bob_failed(words: String) -> void:
	bob_is_here = false
	_apply_network()
	bob_failed.emit(words)
