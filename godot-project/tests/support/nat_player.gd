extends SceneTree
## A player of the sample of NAT punching, or its servers, as a process of its own: for
## scripts/nat_test.sh. Arguments after "--":
##   --server             run the rendezvous and the STUN server, until the process is ended
##   --address=IP         where they are; ports 4433 and 3478
##   --code=CODE          the room
##   --keep-alive=MSEC    and
##   --idle=MSEC          how long nothing but that is sent before the guest asks the host
##   --enet               then connect by ENet on the same ports

const NatPunching := preload("res://samples/nat_punching.gd")
const StunServer := preload("stun_server.gd")

const PORT := 4433
const STUN_PORT := 3478
const QUESTION := "are you there?"
const ANSWER := "yes"
const GIVE_UP_MSEC := 4000

var rendezvous := NatPunching.Rendezvous.new()
var stun := StunServer.new()
var player := NatPunching.new()
var enet: ENetMultiplayerPeer
var wants_enet := false
var idle_msec := 0
var local_port := 0
## When the next step is due, and the step.
var next_msec := -1
var step := Callable()


func _initialize() -> void:
	var options: Dictionary[String, String] = {}
	for argument in OS.get_cmdline_user_args():
		options[argument.get_slice("=", 0).trim_prefix("--")] = argument.get_slice("=", 1)
	var address := options["address"]
	if "server" in options:
		var errors := [rendezvous.listen(PORT, address), stun.listen(STUN_PORT, address)]
		print("servers: ", errors)
		return
	wants_enet = "enet" in options
	idle_msec = options.get("idle", "0").to_int()
	player.keep_alive_msec = options.get("keep-alive", "15000").to_int()
	player.stun_host = address
	player.stun_port = STUN_PORT
	player.connected.connect(_on_connected)
	player.failed.connect(_on_failed)
	player.packet_received.connect(_on_packet_received)
	var error := player.start(options["code"], address, PORT)
	if error != OK:
		_end("start: " + error_string(error))
	local_port = player.peer.get_local_port()


func _process(_delta: float) -> bool:
	rendezvous.poll()
	stun.poll()
	player.poll()
	if enet != null and enet.get_connection_status() != MultiplayerPeer.CONNECTION_DISCONNECTED:
		enet.poll()
		_check_enet()
	if next_msec >= 0 and Time.get_ticks_msec() >= next_msec:
		next_msec = -1
		step.call()
	return false


func _on_connected(ip: String, port: int) -> void:
	print("connected to %s:%d%s" % [ip, port, ", host" if player.is_host else ""])
	print("seen as %s:%d" % [player.observed.ip, player.observed.port])
	if player.is_host:
		# Until then, the guest's question has come or does not come any more.
		_after(idle_msec + GIVE_UP_MSEC, _end.bind("no question has come"))
	else:
		_after(idle_msec, _ask)


func _ask() -> void:
	player.send(QUESTION.to_utf8_buffer())
	_after(GIVE_UP_MSEC, _end.bind("no answer"))


func _on_packet_received(packet: PackedByteArray) -> void:
	var text := packet.get_string_from_ascii()
	if text == QUESTION:
		player.send(ANSWER.to_utf8_buffer())
	if not text in [QUESTION, ANSWER]:
		return
	print("heard: ", text)
	if wants_enet:
		_start_enet.call_deferred()
	elif player.is_host:
		# The answer has to be on its way.
		_after(200, _end.bind(""))
	else:
		_end("")


func _start_enet() -> void:
	player.stop()
	enet = ENetMultiplayerPeer.new()
	enet.peer_connected.connect(_on_enet_peer_connected)
	var error := (
		enet.create_server(local_port)
		if player.is_host
		else enet.create_client(player.peer_ip, player.peer_port, 0, 0, 0, local_port)
	)
	if error != OK:
		_end("ENet: " + error_string(error))
	_after(20_000, _end.bind("ENet: no connection"))


func _on_enet_peer_connected(_id: int) -> void:
	if player.is_host:
		enet.set_target_peer(MultiplayerPeer.TARGET_PEER_BROADCAST)
		enet.put_packet(ANSWER.to_utf8_buffer())


func _check_enet() -> void:
	while enet.get_available_packet_count() > 0:
		var text := enet.get_packet().get_string_from_ascii()
		print("heard by ENet: ", text)
		if player.is_host:
			_end("")
			return
		enet.put_packet(text.to_utf8_buffer())
		_after(500, _end.bind(""))


func _on_failed(reason: NatPunching.Reason) -> void:
	var name: String = NatPunching.Reason.find_key(reason)
	_end("failed: %s%s" % [name, ", mapping varies" if player.is_mapping_varying() else ""])


func _after(msec: int, what: Callable) -> void:
	next_msec = Time.get_ticks_msec() + msec
	step = what


func _end(text: String) -> void:
	if not text.is_empty():
		print(text)
	print("end")
	player.stop()
	if enet != null:
		enet.close()
	quit()
