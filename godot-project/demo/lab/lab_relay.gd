extends RefCounted
## A UdpLinkProxy to put before one's own server: address in, port out.

const HOST := "127.0.0.1"

## Set before or while it runs; used as they are (see LabSetup.there).
var there: UdpLinkConditions = null:
	set(value):
		there = value
		_proxy.to_target_conditions = value
var back: UdpLinkConditions = null:
	set(value):
		back = value
		_proxy.to_client_conditions = value
## Why the last start() failed, in words.
var trouble := ""

var _proxy := UdpLinkProxy.new()
var _last_port := 0


## Relays to "host:port", "[IPv6]:port", or a port of this machine. `listen_port` 0: the one before,
## if it is still free, else any. Counts from 0. May resolve a name, which blocks.
func start(address: String, listen_port := 0) -> Error:
	trouble = ""
	if is_running():
		trouble = "The relay already runs."
		return ERR_ALREADY_IN_USE
	var text := address.strip_edges()
	var split := (text if ":" in text else "%s:%s" % [HOST, text]).rsplit(":", true, 1)
	var port := split[1] if split.size() == 2 else ""
	var host := split[0].trim_prefix("[").trim_suffix("]")
	# The engine reports a number of more than 64 bits.
	var is_port := port.is_valid_int() and port.length() <= 5
	if host.is_empty() or not is_port or port.to_int() < 1 or port.to_int() > 65535:
		trouble = "Write the server's address as host:port, such as 127.0.0.1:4242."
		return ERR_INVALID_PARAMETER
	if ":" in host and not split[0].begins_with("["):
		trouble = "Write an IPv6 address in brackets, such as [::1]:4242."
		return ERR_INVALID_PARAMETER
	_proxy.reset_stats()
	var wanted := listen_port if listen_port else _last_port
	var error := _proxy.start(host, port.to_int(), wanted)
	if wanted != listen_port and error in [ERR_ALREADY_IN_USE, ERR_UNAVAILABLE]:
		error = _proxy.start(host, port.to_int())
	if error != OK:
		trouble = _proxy.get_last_error_message()
		if trouble.is_empty():
			trouble = "The relay could not be started: %s." % error_string(error)
	_last_port = port()
	return error


func stop() -> void:
	_proxy.stop()


func is_running() -> bool:
	return _proxy.is_running()


## The port that clients connect to; 0 while stopped.
func port() -> int:
	return _proxy.get_local_port() if is_running() else 0


## UdpLinkProxy.get_stats(), and "clients".
func stats() -> Dictionary:
	var found := _proxy.get_stats()
	found["clients"] = _proxy.get_client_count()
	return found
