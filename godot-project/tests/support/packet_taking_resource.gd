extends Resource
## An object whose setter takes a packet: while it is decoded, from the packet that it came in.

static var other: PacketPeer

@export var first := 0:
	set(value):
		first = value
		if other != null:
			other.get_packet()
@export var second := ""
