extends "case.gd"
## The cost of get_available_packet_count() on a peer without packets.

const CALLS := 2000

var _background: bool
var _peers: Dictionary[StringName, PacketPeer] = {}
var _counted := 0


func _init(background: bool) -> void:
	super("idle count" + (" in background" if background else ""), 0)
	_background = background


func _needs() -> PackedStringArray:
	return ["background_receive"] if _background else []


func _open() -> String:
	for kind: StringName in [NATIVE, OURS]:
		var peer: Variant = ClassDB.instantiate(kind)
		if _background and kind == OURS:
			peer.background_receive = true
		if peer.bind(0, "127.0.0.1") != OK:
			return "bind fails"
		_peers[kind] = peer
	return ""


func _round(kind: StringName) -> float:
	var peer := _peers[kind]
	var counted := 0
	var start := Time.get_ticks_usec()
	for i in CALLS:
		counted += peer.get_available_packet_count()
	var usec := Time.get_ticks_usec() - start
	_counted += counted
	return float(usec) / CALLS


func _problem() -> String:
	return "" if _counted == 0 else "an idle peer has packets"


func _close() -> void:
	_peers.clear()
