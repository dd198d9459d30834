extends SceneTree
## What the addon says when the process has no descriptor left. Run with a low limit (ulimit -n).
## Prints "probe: ok …" and "probe: FAILED …" lines.

const GROUP := "239.255.77.11"


class Lines:
	extends Logger
	var all: PackedStringArray

	func _log_error(
		_function: String,
		_file: String,
		_line: int,
		code: String,
		rationale: String,
		_notify: bool,
		_type: int,
		_backtraces: Array[ScriptBacktrace]
	) -> void:
		all.append(code + rationale)


var _lines := Lines.new()
var _taken: Array[PacketPeerUDP] = []


func _init() -> void:
	OS.add_logger(_lines)
	var open: PacketPeer = ClassDB.instantiate("PacketPeerUdpRs")
	open.bind(0, "127.0.0.1")
	var fresh: PacketPeer = ClassDB.instantiate("PacketPeerUdpRs")
	_check("bind", fresh.bind.bind(0, "127.0.0.1"), ERR_CANT_CREATE)
	fresh.close()
	_check("connect_to_host", fresh.connect_to_host.bind("127.0.0.1", 9), ERR_CANT_OPEN)
	fresh.close()
	_check("send_to", fresh.send_to.bind(PackedByteArray([1]), "127.0.0.1", 9), FAILED)
	fresh.close()
	var set_background := func() -> bool:
		open.background_receive = true
		return open.background_receive
	_check("background_receive", set_background, false, true)
	open.background_receive = false
	# The list of interfaces needs a descriptor: its name is not what is wrong.
	_check(
		"join_multicast_group",
		open.join_multicast_group.bind(GROUP, "lo"),
		ERR_INVALID_PARAMETER,
		OK,
		"does not list its interfaces"
	)
	var set_interface := func() -> bool:
		open.multicast_interface = "lo"
		return open.multicast_interface == "lo"
	_check("multicast_interface", set_interface, false, true, "does not list its interfaces")
	print("probe: ok last")
	OS.remove_logger(_lines)
	quit()


# With no descriptor left, [param act] must answer [param expected] and print one line with the
# system's words and [param words]. With some, it must answer [param cured].
func _check(
	what: String, act: Callable, expected: Variant, cured: Variant = OK, words := "close sockets"
) -> void:
	var ordinary := PacketPeerUDP.new()
	while ordinary.bind(0, "127.0.0.1") == OK:
		_taken.append(ordinary)
		ordinary = PacketPeerUDP.new()
	_lines.all.clear()
	var got: Variant = act.call()
	var lines := "; ".join(_lines.all)
	_taken.clear()
	_lines.all.clear()
	var then: Variant = act.call()
	var is_right: bool = (
		got == expected
		and words in lines
		and "Too many open files" in lines
		and then == cured
		and _lines.all.is_empty()
	)
	print(
		(
			"probe: %s %s: %s, then %s; %s; %s"
			% ["ok" if is_right else "FAILED", what, got, then, lines, "; ".join(_lines.all)]
		)
	)
