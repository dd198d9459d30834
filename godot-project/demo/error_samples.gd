extends RefCounted
## Calls that fail, each with its Error and the system's message. They run in a thread, because two
## of them take time: waiting and resolving a name.

## Emitted on the main thread when the sample has run.
signal finished(result: Result)

const HOST := "127.0.0.1"
## Names that end in ".invalid" never exist (RFC 2606).
const UNKNOWN_HOST := "no-such-host.invalid"
const WAIT_MSEC := 200
## The largest UDP packet over IPv4 has 65,507 bytes.
const TOO_MANY_BYTES := 65_508

var _thread := Thread.new()


## The result of a sample.
class Result:
	## The call, as code.
	var attempt: String
	var error: Error
	## get_last_error_message(); empty where nothing failed: a wait() that times out is no failure.
	var message: String

	func _init(new_attempt: String, new_error: Error, socket: PacketPeerUdpRs) -> void:
		attempt = new_attempt
		error = new_error
		message = socket.get_last_error_message()

	func words() -> String:
		var name := error_string(error)
		return "%s: %s" % [name, message] if message else "%s (no system call failed)" % name


## Runs one of the samples below. It emits `finished`; until then it is busy.
func run(sample: Callable) -> void:
	if not is_busy():
		_thread.start(_run.bind(sample))


func is_busy() -> bool:
	return _thread.is_started()


## Waits for a running sample: every thread must be joined.
func stop() -> void:
	if _thread.is_started():
		_thread.wait_to_finish()


static func no_destination() -> Result:
	var peer := PacketPeerUdpRs.new()
	var error := peer.put_packet("Where to?".to_utf8_buffer())
	return Result.new("put_packet() with no destination set", error, peer)


static func too_large() -> Result:
	var peer := PacketPeerUdpRs.new()
	peer.set_dest_address(HOST, 9)
	var packet := PackedByteArray()
	packet.resize(TOO_MANY_BYTES)
	return Result.new("put_packet() of 65,508 bytes", peer.put_packet(packet), peer)


static func port_in_use() -> Result:
	var first := PacketPeerUdpRs.new()
	first.bind(0, HOST)
	var second := PacketPeerUdpRs.new()
	var error := second.bind(first.get_local_port(), HOST)
	return Result.new("bind(%d): another peer has it" % first.get_local_port(), error, second)


static func wait_timeout() -> Result:
	var peer := PacketPeerUdpRs.new()
	peer.bind(0, HOST)
	return Result.new("wait(%d) and nobody sends" % WAIT_MSEC, peer.wait(WAIT_MSEC), peer)


static func unknown_host() -> Result:
	var peer := PacketPeerUdpRs.new()
	var error := peer.set_dest_address(UNKNOWN_HOST, 4242)
	return Result.new('set_dest_address("%s", 4242)' % UNKNOWN_HOST, error, peer)


func _run(sample: Callable) -> void:
	_finish.call_deferred(sample.call())


func _finish(result: Result) -> void:
	_thread.wait_to_finish()
	finished.emit(result)
