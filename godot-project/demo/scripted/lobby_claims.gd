extends RefCounted
## What a lobby shows, as claims: in the terminal, and before a picture of it is taken.

const Browser := preload("../lobby/lobby_browser.gd")
const Claims := preload("claims.gd")
const Entry := preload("../lobby/lobby_entry.gd")
const Message := preload("../lobby/lobby_message.gd")
const Transcript := preload("../lobby/lobby_transcript.gd")

## For engines that start on a slow machine.
const START_MSEC := 30_000
const LOSS_MSEC := Browser.IDLE_MSEC + 20_000
## Hosts that outlive this process end by themselves.
const HOST_SECONDS := 120
## On one machine, or on a cable, a round trip takes under a millisecond; the machine may be busy.
const LONGEST_ROUND_TRIP_USEC := 10_000_000

var _claims: Claims
var _browser: Browser


func _init(claims: Claims, browser: Browser) -> void:
	_claims = claims
	_browser = browser


## A port for a lobby that meets no real one. While [param owner] is open, no other program gets it.
static func reserve_port(owner: PacketPeerUdpRs) -> int:
	owner.reuse_address = true
	owner.bind(0)
	var port := owner.get_local_port()
	# Elsewhere only one of the sockets that share a port gets what is sent within the machine.
	if OS.get_name() != "Linux":
		owner.close()
	return port


## Malformed packets of strangers, each wrong in one field.
static func garbage() -> Array[PackedByteArray]:
	var right := Message.new()
	right.host_id = 77
	right.game_name = "Mallory"
	right.max_players = 8
	right.game_port = 7777
	var sound := right.to_packet()
	var packets: Array[PackedByteArray] = [
		PackedByteArray(), "hello".to_utf8_buffer(), sound.slice(0, 17), sound.slice(0, -1)
	]
	var too_long := sound.duplicate()
	too_long.resize(9000)
	packets.append(too_long)
	# Signature, version, kind, no port, more players than fit, a way that there is not, a letter.
	var wrong_bytes: Dictionary[int, int] = {0: 1, 4: 99, 5: 9, 15: 0, 16: 9, 18: 200, 20: 0xD8}
	for at in wrong_bytes:
		var packet := sound.duplicate()
		packet[at] = wrong_bytes[at]
		if at == 15:
			packet[14] = 0
		packets.append(packet)
	# Valid messages that are unexpected: a pong without a ping, and a ping to a browser.
	packets.append(Message.ping(77, 1).to_packet())
	packets.append(Message.ping(77, 1).pong(0).to_packet())
	return packets


## null where it is not listed.
func find(game_name: String) -> Entry:
	for entry: Entry in _browser.entries.values():
		if entry.game_name == game_name:
			return entry
	return null


## Whether all these are listed, and all addresses of them have answered.
func has_measured(game_names: Array) -> bool:
	for game_name: String in game_names:
		var entry := find(game_name)
		if entry == null or not entry.paths.all(func(path) -> bool: return path.has_round_trip()):
			return false
	return true


## Whether a packet of every listed host arrived after that time.
func all_received_since(usec: int) -> bool:
	return _browser.entries.values().all(
		func(entry: Entry) -> bool: return entry.last_received_usec() > usec
	)


func check_found(game_name: String, players: int) -> void:
	var entry := find(game_name)
	var best := entry.best_path() if entry else null
	_claims.check(
		(
			entry != null
			and entry.players == players
			and best.has_round_trip()
			and best.round_trip_usec < LONGEST_ROUND_TRIP_USEC
		),
		(
			"%s was found, and answers pings: %s"
			% [game_name, best.round_trip_words() if best else "not listed"]
		),
		"\n".join(Transcript.list(_browser))
	)


## Checks that there is an address without an interface, and that no such address has a shorter
## round trip.
func check_engine_path(game_name: String) -> void:
	var entry := find(game_name)
	var chosen := entry.best_engine_path() if entry else null
	_claims.check(
		(
			chosen != null
			and "%" not in chosen.ip
			and entry.paths.all(
				func(path) -> bool: return "%" in path.ip or not path.is_shorter_than(chosen)
			)
		),
		(
			"%s is where ENetMultiplayerPeer would find %s"
			% [chosen.ip if chosen else "nowhere", game_name]
		),
		"\n".join(Transcript.list(_browser))
	)


func check_single_entries(hosts: int) -> void:
	var addresses := 0
	for entry: Entry in _browser.entries.values():
		addresses += entry.paths.size()
	_claims.check(
		_browser.entries.size() == hosts,
		"%d hosts are %d entries, though heard at %d addresses" % [hosts, hosts, addresses],
		"\n".join(Transcript.list(_browser))
	)
