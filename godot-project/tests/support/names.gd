extends "two_hosts.gd"
## Base of the suites of host names, which a real name server on this host resolves.

const NameServer := preload("name_server.gd")

const METHODS: Array[StringName] = [&"set_dest_address_async", &"connect_to_host_async"]

# The addon caches names, so every test uses its own.
static var _used_names := 0

var server: NameServer


func finish() -> void:
	if server != null:
		server.stop()
	super()


## Starts the name server; skips the test where there is none.
func needs_server() -> bool:
	if not NameServer.exists():
		skip("there is no name server (dnsmasq) here")
		return false
	server = NameServer.new()
	check(server.start(), "the name server does not start")
	return true


## A new name with the addresses of [param of].
static func new_name(of: String) -> String:
	_used_names += 1
	return "n%d.%s" % [_used_names, of]


## Records host_resolved of a peer.
class Listener:
	var peer: PacketPeer
	var _answers: Array[Array]

	func _init(of: PacketPeer) -> void:
		peer = of
		of.host_resolved.connect(_on_host_resolved)

	func count() -> int:
		return _answers.size()

	func check_last(test: Suite, error: Error, ip: String, what: String) -> void:
		if _answers.is_empty():
			test.fail(what + ": no signal")
			return
		test.check_equal(_answers[-1], [error, ip, true], what + ": [error, ip, main thread]")

	func _on_host_resolved(error: Error, ip: String) -> void:
		_answers.append([error, ip, OS.get_thread_caller_id() == OS.get_main_thread_id()])
