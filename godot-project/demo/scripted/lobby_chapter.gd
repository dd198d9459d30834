extends "chapter.gd"
## Two hosts in processes of their own announce games, and one of them is killed. Nothing leaves
## this machine.

const Browser := preload("../lobby/lobby_browser.gd")
const Entry := preload("../lobby/lobby_entry.gd")
const HostProcess := preload("../lobby/host_process.gd")
const LobbyClaims := preload("lobby_claims.gd")
const Network := preload("../lobby/lobby_network.gd")
const Transcript := preload("../lobby/lobby_transcript.gd")

var _browser := Browser.new()
## Another game on this machine that looks for hosts at the same time.
var _second_browser := Browser.new()
var _bob := HostProcess.new()
var _cleo := HostProcess.new()
var _transcript: Transcript
var _port_owner := PacketPeerUdpRs.new()
var _host_changes := 0
var _path_changes := 0


func _ready() -> void:
	add_child(_browser)
	add_child(_second_browser)


func _exit_tree() -> void:
	_bob.stop()
	_cleo.stop()


func play() -> void:
	var port := LobbyClaims.reserve_port(_port_owner)
	tell(
		"Two more processes host a game each, and tell it once a second on port %d. Nothing" % port
	)
	tell("of it leaves this machine: the multicasts have multicast_time_to_live = 0.")
	if not _open_browsers(port):
		return
	_transcript = Transcript.new(_browser)
	_transcript.said.connect(tell)
	_count_changes()
	_start(_bob, "Bob", 2, port)
	_start(_cleo, "Cleo", 5, port)
	var lobby := LobbyClaims.new(claims, _browser)
	await until(lobby.has_measured.bind(["Bob", "Cleo"]), LobbyClaims.START_MSEC)
	lobby.check_found("Bob", 2)
	lobby.check_found("Cleo", 5)
	lobby.check_engine_path("Bob")
	lobby.check_single_entries(2)
	_check_changes()
	await _check_second_browser()
	_second_browser.close()
	await _send_garbage(port)
	if _cleo.is_running():
		await _kill_cleo(lobby)
	# No more lines at the end of the chapter.
	_transcript = null
	_browser.close()
	_bob.stop()


func _open_browsers(port: int) -> bool:
	_browser.lobby_port = port
	_second_browser.lobby_port = port
	var error := _browser.open()
	var second_error := _second_browser.open()
	claims.check(
		error == OK and second_error == OK,
		"two browsers share the port: reuse_address",
		"%s; %s" % [_browser.get_last_error_message(), _second_browser.get_last_error_message()]
	)
	if _browser.joined_interfaces().is_empty():
		tell("Left out: multicast, for this machine has no interface but the loopback.")
	return error == OK and second_error == OK


func _start(host: HostProcess, host_name: String, players: int, port: int) -> void:
	host.seconds = LobbyClaims.HOST_SECONDS
	if not host.start(host_name, players, 8, port, true):
		claims.check(false, "%s's process starts" % host_name)


func _count_changes() -> void:
	_browser.host_changed.connect(func(_entry: Entry) -> void: _host_changes += 1)
	_browser.paths_changed.connect(func(_entry: Entry) -> void: _path_changes += 1)


## Neither host has changed what it announces, but each of them has answered a ping.
func _check_changes() -> void:
	claims.check(
		_host_changes == 0 and _path_changes >= 2,
		"all news since then were of addresses: paths_changed",
		"host_changed came %d times, paths_changed %d times" % [_host_changes, _path_changes]
	)


## On Linux a broadcast reaches every socket on its port. Elsewhere a packet within the machine
## reaches one of them, and there may be no network for multicast.
func _check_second_browser() -> void:
	if OS.get_name() != "Linux":
		return
	var second := LobbyClaims.new(claims, _second_browser)
	await until(second.has_measured.bind(["Bob", "Cleo"]))
	claims.check(
		second.has_measured(["Bob", "Cleo"]),
		"the second browser lists both as well",
		"\n".join(Transcript.list(_second_browser))
	)


## Any program can send to the port.
func _send_garbage(port: int) -> void:
	var before := _browser.strangers
	var listed := Transcript.list(_browser).size()
	var garbage := LobbyClaims.garbage()
	var stranger := PacketPeerUdpRs.new()
	stranger.set_broadcast_enabled(true)
	for packet in garbage:
		stranger.send_to(packet, Network.own_machine(), port)
	await until(func() -> bool: return _browser.strangers - before >= garbage.size())
	claims.check(
		_browser.strangers - before == garbage.size() and _browser.entries.size() == 2,
		"%d packets that are no announcements were counted, and changed nothing" % garbage.size(),
		(
			"%d were counted; the list has %d lines, had %d"
			% [_browser.strangers - before, Transcript.list(_browser).size(), listed]
		)
	)


func _kill_cleo(lobby: LobbyClaims) -> void:
	tell("Cleo's process is killed.")
	var lost: Array[Entry] = []
	_browser.host_lost.connect(func(entry: Entry) -> void: lost.append(entry))
	_cleo.stop()
	var start := Time.get_ticks_msec()
	await until(func() -> bool: return not lost.is_empty(), LobbyClaims.LOSS_MSEC)
	var msec := Time.get_ticks_msec() - start
	claims.check(
		lost.size() == 1 and lost[0].game_name == "Cleo" and lobby.find("Bob") != null,
		"she was dropped %.1f s later; Bob is still there" % (msec / 1000.0),
		"\n".join(Transcript.list(_browser))
	)
