extends RefCounted
## Base of what floods.gd floods: something that receives, as a game uses it.

const Sockets := preload("sockets.gd")
const LOOPBACK := "127.0.0.1"
## What a packet has that the game knows; a flood's are all zeroes.
const KNOWN := 0x6b6e6f776e
## The last packet of all, which must come through.
const LAST := 0x6c617374
const SIZE := 16

var title := ""
var is_native := false
## Whether the flood comes from many addresses and ports.
var wants_forged := false
## The flood is over: a frame may take more, so that the test goes on soon.
var is_over := false

var _has_last := false


func _init(of: String) -> void:
	title = of


## Opens it; false if it cannot be opened.
func open() -> bool:
	return false


## Whether the flood may begin.
func is_ready() -> bool:
	return true


## The flood begins.
func begin() -> void:
	pass


## The port that is flooded.
func port() -> int:
	return 0


## What the game does in each frame.
func on_frame() -> void:
	pass


## What it has counted of the packets to [method port]: sent by others than the flood, received,
## dropped by the kernel, by queues, and because the sender was not let in; and, as text, which
## share of its clients' packets was answered.
func report() -> Dictionary:
	return {"sent": 0, "received": 0, "kernel": 0, "queue": 0, "refused": 0, "answered": ""}


## Whether the game has taken all that was queued.
func is_drained() -> bool:
	return true


## Sends one more packet, which the game must receive: it takes all that came before.
func send_last() -> void:
	pass


func has_last() -> bool:
	return _has_last


## How many bytes its queues may hold altogether.
func bound() -> int:
	return 0


## What has gone wrong beyond what [method report] tells.
func problems() -> PackedStringArray:
	return []


func close() -> void:
	pass


## A packet that the game knows.
static func packet_of(mark: int, number := 0) -> PackedByteArray:
	var packet := PackedByteArray()
	packet.resize(SIZE)
	packet.encode_u64(0, mark)
	packet.encode_u64(8, number)
	return packet


## The mark of a packet.
static func mark_of(packet: PackedByteArray) -> int:
	return packet.decode_u64(0) if packet.size() == SIZE else -1
