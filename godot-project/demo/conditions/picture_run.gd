extends Node
## Sends packets through all presets at once, each with a pair of peers of its own, and writes down
## when each packet was sent and received. scripts/conditions_picture.sh runs it and draws the
## result. Arguments after "--":
##   --out=PATH       the file to write, as CSV
##   --seconds=N      how long to send
##   --rng-seed=N     of the first preset; each has one of its own, so that they lose different
##                    packets

const Networks := preload("networks.gd")
const Traffic := preload("traffic.gd")

const HOST := "127.0.0.1"
const PACKETS_PER_SECOND := 60
const PACKET_BYTES := 100
## What an engine does in its first frames would delay packets.
const FRAMES_BEFORE := 250
## No packet takes that long.
const DRAIN_MSEC := 2000

var _out := ""
var _seconds := 0
var _rng_seed := 0
var _senders: Dictionary[String, PacketPeerUdpRs] = {}
var _traffics: Dictionary[String, Traffic] = {}
var _frames := 0
var _start_usec := 0


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
		match argument.get_slice("=", 0):
			"--out":
				_out = value
			"--seconds":
				_seconds = value.to_int()
			"--rng-seed":
				_rng_seed = value.to_int()
	Engine.max_fps = 500
	for id in Networks.NAMES:
		var error := _open(id)
		if error != OK:
			_end("the peers of %s cannot be opened: %s" % [id, error_string(error)])
			return


func _process(_delta: float) -> void:
	_frames += 1
	if _frames <= FRAMES_BEFORE:
		_start_usec = Time.get_ticks_usec()
		return
	var usec := Time.get_ticks_usec() - _start_usec
	var due := mini(usec * PACKETS_PER_SECOND / 1_000_000 + 1, _seconds * PACKETS_PER_SECOND)
	for id in _traffics:
		var traffic := _traffics[id]
		for number in range(traffic.sent_usec.size(), due):
			traffic.send("", PACKET_BYTES)
		traffic.receive()
	if usec / 1000 > _seconds * 1000 + DRAIN_MSEC:
		_end(_account())


func _open(id: String) -> Error:
	var sender := PacketPeerUdpRs.new()
	var receiver := PacketPeerUdpRs.new()
	receiver.background_receive = true
	var error := receiver.bind(0, HOST)
	if error != OK:
		return error
	sender.send_conditions = Networks.seeded_preset(id, _rng_seed + _senders.size())
	_senders[id] = sender
	_traffics[id] = Traffic.new(sender, receiver)
	return sender.set_dest_address(HOST, receiver.get_local_port())


## Writes the file, if all packets are accounted for. Returns what is wrong, or "".
func _account() -> String:
	var file := FileAccess.open(_out, FileAccess.WRITE)
	if file == null:
		return "%s: %s" % [_out, error_string(FileAccess.get_open_error())]
	file.store_csv_line(["preset", "sent_usec", "received_usec", "times_received"])
	for id in _traffics:
		var traffic := _traffics[id]
		var stats := _senders[id].get_stats()
		var gone: int = (
			stats["conditions_lost"] + stats["conditions_dropped"] + stats["conditions_waiting"]
		)
		var given := traffic.sent_usec.size() + (stats["conditions_duplicated"] as int)
		if given != traffic.numbers.size() + gone:
			return "%s: not every packet is accounted for: %s" % [id, stats]
		_write(file, id, traffic)
	return ""


func _write(file: FileAccess, id: String, traffic: Traffic) -> void:
	var first := traffic.first_arrivals()
	for number in first.size():
		var received := str(first[number] - _start_usec) if first[number] != Traffic.NEVER else ""
		var sent := str(traffic.sent_usec[number] - _start_usec)
		file.store_csv_line([id, sent, received, str(traffic.numbers.count(number))])


func _end(problem: String) -> void:
	set_process(false)
	if problem.is_empty():
		print("conditions picture: measured")
	else:
		printerr("conditions picture: ", problem)
	get_tree().quit(0 if problem.is_empty() else 1)
