extends "server_traffic.gd"
## The tests of the suite server_traffic, for a server and clients with link conditions that do
## nothing: they answer as without any, and as the engine's.


func make_peer(kind: StringName) -> PacketPeer:
	return _with_conditions(super(kind), kind)


func make_server(kind: StringName) -> RefCounted:
	return _with_conditions(super(kind), kind)


static func _with_conditions(owner: RefCounted, kind: StringName) -> RefCounted:
	if kind == OURS:
		owner.send_conditions = ClassDB.instantiate(&"UdpLinkConditions")
		owner.receive_conditions = ClassDB.instantiate(&"UdpLinkConditions")
	return owner
