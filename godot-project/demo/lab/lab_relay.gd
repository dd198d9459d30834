extends RefCounted
## A UdpLinkProxy to put before one's own server: address in, port out.

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


## Relays to "host:port" or "[IPv6]:port". `listen_port` 0: any free one. May resolve a name, which
## blocks.
func start(address: String, listen_port := 0) -> Error:
	trouble = ""
	if is_running():
		trouble = "The relay already runs."
		return ERR_ALREADY_IN_USE
	var split := address.strip_edges().rsplit(":", true, 1)
	var port := split[1] if split.size() == 2 else ""
	var host := split[0].trim_prefix("[").trim_suffix("]")
	if host.is_empty() or not port.is_valid_int() or port.to_int() < 1 or port.to_int() > 65535:
		trouble = "Write the server's address as host:port, such as 127.0.0.1:4433."
		return ERR_INVALID_PARAMETER
	if ":" in host and not split[0].begins_with("["):
		trouble = "Write an IPv6 address in brackets, such as [::1]:4433."
		return ERR_INVALID_PARAMETER
	var error := _proxy.start(host, port.to_int(), listen_port)
	if error != OK:
		trouble = _proxy.get_last_error_message()
		if trouble.is_empty():
			trouble = "The relay could not be started: %s." % error_string(error)
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
