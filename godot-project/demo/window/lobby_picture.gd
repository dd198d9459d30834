extends "picture_session.gd"
## A game hosted here, and hosts in processes of their own that come to the list. Nothing of it
## leaves this machine, unless `--expect=Bob,Cleo` names hosts elsewhere that are to be waited for
## (scripts/lobby.sh).

const HostProcess := preload("../lobby/host_process.gd")
const LobbyClaims := preload("../scripted/lobby_claims.gd")

const OWN_PLAYERS := 1
## Players, and most of them, by the name of the host.
const OTHERS: Dictionary[String, Array] = {"Bob": [2, 4], "Cleo": [5, 8], "Dora": [12, 16]}

var _expected := PackedStringArray()
var _port_owner := PacketPeerUdpRs.new()


func prepare(window: SampleWindow, arguments: Dictionary[String, String]) -> void:
	super(window, arguments)
	var page := sample.lobby_page
	_expected = arguments.get("expect", "").split(",", false)
	if _expected.is_empty():
		page.lobby_port = LobbyClaims.reserve_port(_port_owner)
		page.this_machine_only = true
	elif arguments.has("port"):
		page.lobby_port = arguments["port"].to_int()


func perform() -> void:
	var page := sample.lobby_page
	page.host_game("Ada", OWN_PLAYERS, 8)
	var names: Array = _expected
	if names.is_empty():
		names = OTHERS.keys()
		for host_name: String in names:
			page.start_host(host_name, OTHERS[host_name][0], OTHERS[host_name][1])
	var lobby := LobbyClaims.new(claims, page.browser)
	await until(lobby.has_measured.bind(["Ada"] + names), LobbyClaims.START_MSEC)
	# Every host has announced itself by all its ways, and answered more than one ping.
	var seen_usec := Time.get_ticks_usec()
	await until(
		func() -> bool: return lobby.all_received_since(seen_usec) and lobby.has_measured(names)
	)
	lobby.check_found("Ada", OWN_PLAYERS)
	for host_name: String in names:
		lobby.check_found(host_name, OTHERS[host_name][0])
	lobby.check_single_entries(1 + names.size())
	claims.check(
		page.shown_names().size() == 1 + names.size(),
		"all of them are on the page",
		", ".join(page.shown_names())
	)
	page.refresh()
