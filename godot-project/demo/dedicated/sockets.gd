extends RefCounted
## The addon's classes, or the engine's own: the rest of this folder does not care which, but for
## what only ours can do. So nothing that holds one has a type.


static func new_server(native: bool) -> RefCounted:
	if native:
		return UDPServer.new()
	return UdpServerRs.new()


static func new_peer(native: bool) -> PacketPeer:
	if native:
		return PacketPeerUDP.new()
	return PacketPeerUdpRs.new()
