extends SceneTree
## A game that quits while names are looked up at a name server that does not answer.
## network/silent_name_server.gd runs it in an engine of its own. It must neither hang nor crash.

const PEERS := 20

var _peers: Array[PacketPeer]


func _init() -> void:
	for i in PEERS:
		var peer: PacketPeer = ClassDB.instantiate(&"PacketPeerUdpRs")
		peer.call(&"connect_to_host_async", "quits%d.both.test" % i, 9)
		_peers.append(peer)
	create_timer(0.1).timeout.connect(_quit)


func _quit() -> void:
	var resolving := _peers.filter(
		func(peer: PacketPeer) -> bool: return peer.call(&"is_resolving")
	)
	print("resolving: %d" % resolving.size())
	print("quits at: %f" % Time.get_unix_time_from_system())
	quit()
