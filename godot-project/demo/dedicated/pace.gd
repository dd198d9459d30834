extends RefCounted
## How evenly updates come in.

var longest_gap_usec := 0
## How much the time between two updates differs from the interval, smoothed as in RFC 3550.
var jitter_usec := 0.0

var _interval_usec: int
var _last_usec := 0


func _init(per_second: int) -> void:
	_interval_usec = 1_000_000 / per_second


func note(arrival_usec: int) -> void:
	if _last_usec:
		var gap := maxi(arrival_usec - _last_usec, 0)
		longest_gap_usec = maxi(longest_gap_usec, gap)
		jitter_usec += (absi(gap - _interval_usec) - jitter_usec) / 16.0
	_last_usec = arrival_usec


## When the packet taken last arrived: PacketPeerUdpRs has the system's time; for the engine's class
## it is the time of the call.
static func arrival_usec(socket) -> int:
	return socket.get_packet_time_usec() if socket is PacketPeerUdpRs else Time.get_ticks_usec()
