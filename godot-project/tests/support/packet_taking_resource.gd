extends Resource
## An object whose setter takes a packet from [member other], while this object is decoded from an
## earlier one.

static var other: PacketPeer

@export var first := 0:
	set(value):
		first = value
		if other != null:
			other.get_packet()
@export var second := ""
