extends Node
## Bob in a Godot process of his own: the local Bob, and every note of his transcript sent to the
## process that started it. It ends with the death pill, or after 20 s without a packet, so that it
## does not outlive Alice.

const LocalBob := preload("local_bob.gd")
const Note := preload("../note.gd")

const IDLE_MSEC := 20_000

var _bob := LocalBob.new(PacketPeerUdpRs.new(), "in process %d" % OS.get_process_id())
var _notes := PacketPeerUdpRs.new()


## Arguments: `--bob=` the port where Alice listens, `--notes=` the port that takes Bob's notes.
func play(arguments: Dictionary[String, String]) -> void:
	# Nothing is drawn here: a hundred looks a second at the socket are plenty.
	Engine.max_fps = 100
	_notes.set_dest_address(LocalBob.HOST, arguments.get("notes", "0").to_int())
	_bob.noted.connect(func(note: Note) -> void: _notes.put_packet(note.to_json().to_utf8_buffer()))
	_bob.failed.connect(_on_bob_failed)
	_bob.start(arguments["bob"].to_int())


func _process(_delta: float) -> void:
	_bob.poll()
	if _bob.ended or Time.get_ticks_msec() - _bob.last_received_msec > IDLE_MSEC:
		get_tree().quit()


func _on_bob_failed(words: String) -> void:
	printerr(words)
	get_tree().quit(1)
