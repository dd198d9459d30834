extends "chapter.gd"
## Calls that fail: the Error, as PacketPeerUDP gives it, and the reason, which only ours gives.

const ErrorLog := preload("error_log.gd")
const ErrorSamples := preload("../error_samples.gd")

## A resolver without a network may take several seconds.
const SAMPLE_MSEC := 30_000

var error_log: ErrorLog
## How many error lines the samples have put into the engine's log.
var provoked := 0

var _samples := ErrorSamples.new()
var _result: ErrorSamples.Result


func _ready() -> void:
	_samples.finished.connect(func(result: ErrorSamples.Result) -> void: _result = result)


func play() -> void:
	tell("Each gives an Error as PacketPeerUDP does, and the reason in the system's own words.")
	tell("Misuse also puts one line into the engine's log; where that is due, it is announced.")
	await _provoke("bind() to a port that is in use", ErrorSamples.port_in_use, ERR_UNAVAILABLE)
	await _provoke("put_packet() of 65,508 bytes", ErrorSamples.too_large, FAILED)
	await _provoke("wait(200), and nobody sends", ErrorSamples.wait_timeout, ERR_TIMEOUT)
	await _provoke(
		"set_dest_address() to a name that does not exist",
		ErrorSamples.unknown_host,
		ERR_CANT_RESOLVE
	)
	await _provoke("put_packet() to nobody", ErrorSamples.no_destination, ERR_UNCONFIGURED, 1)


func _exit_tree() -> void:
	_samples.stop()


## Runs a sample, and compares its Error with `expected` and the lines in the log with `lines`.
func _provoke(what: String, sample: Callable, expected: Error, lines := 0) -> void:
	_check_quiet()
	tell(what + (". The ERROR line that follows is on purpose:" if lines else ""))
	_result = null
	_samples.run(sample)
	if not await until(func() -> bool: return _result != null, SAMPLE_MSEC):
		claims.check(false, "it answers within %d s" % (SAMPLE_MSEC / 1000))
		return
	if expected == ERR_CANT_RESOLVE and IP.resolve_hostname(ErrorSamples.UNKNOWN_HOST) != "":
		tell("Left out: the name server of this network knows every name, even this one.")
		return
	var printed := error_log.take()
	provoked += printed.size()
	var explained := _result.message != "" or expected == ERR_TIMEOUT
	claims.check(
		_result.error == expected and explained and printed.size() == lines,
		_result.words(),
		(
			"due were %s, the reason, and %d lines in the log; there were %d lines: %s"
			% [error_string(expected), lines, printed.size(), printed]
		)
	)


func _check_quiet() -> void:
	var before := error_log.take()
	if before.size():
		claims.check(false, "no error line came unexpected", "\n".join(before))
