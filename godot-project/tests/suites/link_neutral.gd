extends "packets.gd"
## The tests of the suite packets, for peers with link conditions that do nothing: they answer as
## peers without any, and as the engine's.


func make_peer(kind: StringName) -> PacketPeer:
	var peer := super(kind)
	if kind == OURS:
		peer.send_conditions = ClassDB.instantiate(&"UdpLinkConditions")
		peer.receive_conditions = ClassDB.instantiate(&"UdpLinkConditions")
	return peer
