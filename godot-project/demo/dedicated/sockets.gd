extends RefCounted
## Makes the addon's classes or the engine's. The code of this folder uses either, except for what
## only ours can do, so variables that hold one have no type.


static func new_server(native: bool) -> RefCounted:
	if native:
		return UDPServer.new()
	return UdpServerRs.new()


static func new_peer(native: bool) -> PacketPeer:
	if native:
		return PacketPeerUDP.new()
	return PacketPeerUdpRs.new()
