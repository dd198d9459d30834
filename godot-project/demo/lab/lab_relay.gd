extends RefCounted
## A UdpLinkProxy to put before one's own server: address in, port out.

## Set before or while it runs; used as they are (see LabSetup.there).
var there: UdpLinkConditions = null:
	set = _set_there
var back: UdpLinkConditions = null:
	set = _set_back
## Why the last start() failed, in words.
var trouble := ""

var _proxy := UdpLinkProxy.new()


## Relays to "host:port" or "[IPv6]:port". `listen_port` 0: any free one. May resolve a name.
func start(_address: String, _listen_port := 0) -> Error:
	return OK


func stop() -> void:
	pass


func is_running() -> bool:
	return false


## The port that clients connect to; 0 while stopped.
func port() -> int:
	return 0


## UdpLinkProxy.get_stats(), and "clients".
func stats() -> Dictionary:
	return {}


func _set_there(value: UdpLinkConditions) -> void:
	there = value


func _set_back(value: UdpLinkConditions) -> void:
	back = value
