extends RefCounted
## A game in the browser's list: one host, however many ways its announcements arrive.

const Message := preload("lobby_message.gd")
const Path := preload("lobby_path.gd")

## Further addresses of a host are ignored, so the list stays small.
const MAX_PATHS := 8

var id := 0
var game_name := ""
var players := 0
var max_players := 0
var game_port := 0
## Addresses that announcements came from, in order of arrival.
var paths: Array[Path] = []


func _init(host_id: int) -> void:
	id = host_id


## The address with the shortest round trip, for a game that uses PacketPeerUdpRs. It may be a
## link-local one, "fe80::1%eth0", which the engine's own classes do not accept.
func best_path() -> Path:
	return _best_of(paths)


## The same for ENetMultiplayerPeer, StreamPeerTCP and the engine's PacketPeerUDP. null if the host
## has link-local addresses only.
func best_engine_path() -> Path:
	return _best_of(paths.filter(func(path: Path) -> bool: return not path.has_interface()))


func last_received_usec() -> int:
	return paths.reduce(
		func(last: int, path: Path) -> int: return maxi(last, path.last_received_usec), 0
	)


## null if no announcement came from that address.
func find_path(ip: String, port: int) -> Path:
	for path in paths:
		if path.ip == ip and path.port == port:
			return path
	return null


## Stores an announcement. Returns whether its way or its address is new.
func take_over(announcement: Message, ip: String, port: int, time_usec: int) -> bool:
	game_name = announcement.game_name
	players = announcement.players
	max_players = announcement.max_players
	game_port = announcement.game_port

	var path := find_path(ip, port)
	if path == null:
		if paths.size() == MAX_PATHS:
			return false
		path = Path.new(ip, port)
		paths.append(path)
	path.last_received_usec = maxi(path.last_received_usec, time_usec)
	# A new address has no ways yet.
	if announcement.way in path.ways:
		return false
	path.ways.append(announcement.way)
	path.ways.sort()
	return true


## Drops addresses from which nothing came since then. Returns whether there were any.
func drop_idle_paths(since_usec: int) -> bool:
	var before := paths.size()
	paths = paths.filter(func(path: Path) -> bool: return path.last_received_usec >= since_usec)
	return paths.size() < before


## What the host announces.
func describe() -> String:
	return "%s, %d of %d players, port %d" % [game_name, players, max_players, game_port]


## null if there is none; a path without a round-trip time if all are unmeasured.
static func _best_of(some: Array[Path]) -> Path:
	var best: Path = null
	for path in some:
		if best == null or path.is_shorter_than(best):
			best = path
	return best
