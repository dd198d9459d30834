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


## The address with the shortest way: the one to connect to.
func best_path() -> Path:
	var best := paths[0]
	for path in paths:
		if path.has_round_trip():
			if not best.has_round_trip() or path.round_trip_usec < best.round_trip_usec:
				best = path
	return best


func last_heard_usec() -> int:
	return paths.reduce(
		func(last: int, path: Path) -> int: return maxi(last, path.last_heard_usec), 0
	)


## null where it was not heard at that address.
func find_path(ip: String, port: int) -> Path:
	for path in paths:
		if path.ip == ip and path.port == port:
			return path
	return null


## Takes over what an announcement says. Returns whether anything is new.
func take_over(announcement: Message, ip: String, port: int, time_usec: int) -> bool:
	var news := (
		game_name != announcement.game_name
		or players != announcement.players
		or max_players != announcement.max_players
		or game_port != announcement.game_port
	)
	game_name = announcement.game_name
	players = announcement.players
	max_players = announcement.max_players
	game_port = announcement.game_port

	var path := find_path(ip, port)
	if path == null:
		if paths.size() == MAX_PATHS:
			return news
		path = Path.new(ip, port)
		paths.append(path)
		news = true
	if announcement.way not in path.ways:
		path.ways.append(announcement.way)
		path.ways.sort()
		news = true
	path.last_heard_usec = maxi(path.last_heard_usec, time_usec)
	return news


## Forgets the addresses from which nothing came since then. Returns whether there were any.
func drop_silent_paths(since_usec: int) -> bool:
	var before := paths.size()
	paths = paths.filter(func(path: Path) -> bool: return path.last_heard_usec >= since_usec)
	return paths.size() < before


func describe() -> String:
	return "%s, %d of %d players, port %d" % [game_name, players, max_players, game_port]
