extends RefCounted
## A game in the browser's list: one host, however many ways its announcements come.

const Message := preload("lobby_message.gd")
const Path := preload("lobby_path.gd")

## A host with more addresses than that is none, and the list stays small.
const MAX_PATHS := 8

var id := 0
var game_name := ""
var players := 0
var max_players := 0
var game_port := 0
## Where it is heard, in the order in which it was.
var paths: Array[Path] = []


func _init(host_id: int) -> void:
	id = host_id


## The address with the shortest way, for a game that is played through PacketPeerUdpRs. It may be
## a link-local one, "fe80::1%eth0": the engine's own classes do not take these.
func best_path() -> Path:
	return _best_of(paths)


## The same for all else: ENetMultiplayerPeer, StreamPeerTCP, the engine's PacketPeerUDP. null where
## the host is heard at link-local addresses only.
func best_engine_path() -> Path:
	return _best_of(paths.filter(func(path: Path) -> bool: return not path.has_interface()))


func last_received_usec() -> int:
	return paths.reduce(
		func(last: int, path: Path) -> int: return maxi(last, path.last_received_usec), 0
	)


## null where it was not heard at that address.
func find_path(ip: String, port: int) -> Path:
	for path in paths:
		if path.ip == ip and path.port == port:
			return path
	return null


## Takes over what an announcement says. Returns whether it came by a way, or from an address, that
## is new.
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
	# A new address has none yet.
	if announcement.way in path.ways:
		return false
	path.ways.append(announcement.way)
	path.ways.sort()
	return true


## Forgets the addresses from which nothing came since then. Returns whether there were any.
func drop_idle_paths(since_usec: int) -> bool:
	var before := paths.size()
	paths = paths.filter(func(path: Path) -> bool: return path.last_received_usec >= since_usec)
	return paths.size() < before


## All that the host says of its game.
func describe() -> String:
	return "%s, %d of %d players, port %d" % [game_name, players, max_players, game_port]


## null where there is none to choose from; one that is not measured yet, where none is.
static func _best_of(some: Array[Path]) -> Path:
	var best: Path = null
	for path in some:
		if best == null or path.is_shorter_than(best):
			best = path
	return best
