extends RefCounted
## One address that a host announces from.

const Message := preload("lobby_message.gd")
const Path := preload("lobby_path.gd")

## With "%" and the interface behind it where it is link-local: ready for send_to() and
## connect_to_host() of PacketPeerUdpRs, but not for the engine's own classes. For these, see
## best_engine_path() in lobby_entry.gd.
var ip := ""
## The port of the host's lobby, not of its game.
var port := 0
## The ways by which its announcements arrived.
var ways: Array[Message.Way] = []
## When anything came from there, on the clock of Time.get_ticks_usec().
var last_received_usec := 0
## The round-trip time; -1 while it is unknown.
var round_trip_usec := -1

## When the last ping was sent, and the token that the pong must have; 0 when none is due.
var ping_sent_usec := 0
var token := 0


func _init(from_ip: String, from_port: int) -> void:
	ip = from_ip
	port = from_port


func has_round_trip() -> bool:
	return round_trip_usec >= 0


func is_shorter_than(other: Path) -> bool:
	if not has_round_trip():
		return false
	return not other.has_round_trip() or round_trip_usec < other.round_trip_usec


## Whether the address names an interface of this machine; then it is valid on that one only.
func has_interface() -> bool:
	return "%" in ip


## "fe80::1%eth0" for "fe80:0:0:0:0:0:0:1%eth0".
func short_ip() -> String:
	for zeros: String in [":0:0:0:0:0:0:", ":0:0:0:0:0:", ":0:0:0:0:", ":0:0:0:", ":0:0:"]:
		if zeros in ip:
			var at := ip.find(zeros)
			return ip.left(at) + "::" + ip.substr(at + zeros.length())
	return ip


func way_names() -> String:
	return ", ".join(ways.map(func(way: Message.Way) -> String: return Message.WAY_NAMES[way]))


func round_trip_words() -> String:
	return "%.2f ms" % (round_trip_usec / 1000.0) if has_round_trip() else "not measured yet"


func describe() -> String:
	return "%s by %s, %s" % [short_ip(), way_names(), round_trip_words()]
