extends "chapter.gd"
## The lines that a game would write, with nothing of the chat's between: Variants from our class to
## the engine's and back.


func play() -> void:
	var ours := PacketPeerUdpRs.new()
	var native := PacketPeerUDP.new()
	ours.bind(0, HOST)
	native.bind(0, HOST)
	ours.set_dest_address(HOST, native.get_local_port())
	native.set_dest_address(HOST, ours.get_local_port())

	var question := {"move": Vector2i(3, 4), "tags": PackedStringArray(["fast", "low"])}
	tell("PacketPeerUdpRs.put_var(%s)" % [question])
	ours.put_var(question)
	await until(func() -> bool: return native.get_available_packet_count() > 0)
	_check("PacketPeerUDP.get_var() returns it", native.get_var(), question)

	var answer := ["done", Quaternion.IDENTITY, {"hp": 12.5, "path": PackedVector3Array()}]
	tell("PacketPeerUDP.put_var(%s)" % [answer])
	native.put_var(answer)
	await until(func() -> bool: return ours.get_available_packet_count() > 0)
	_check("PacketPeerUdpRs.get_var() returns it", ours.get_var(), answer)


func _check(claim: String, read: Variant, expected: Variant) -> void:
	# Compared as bytes, so that the types count as well: 1 == 1.0, but their bytes differ.
	claims.check(var_to_bytes(read) == var_to_bytes(expected), claim, str(read))
