extends SceneTree
## Prints how many bytes a bound, idle peer takes of the machine's memory. Run as a process of its
## own, because freed memory of whatever ran before would be used again and the peers look smaller
## than they are.

const Process := preload("process.gd")
const PEERS := 500


func _init() -> void:
	var kind := OS.get_cmdline_user_args()[0]
	var peers: Array[PacketPeer] = []
	peers.resize(PEERS)
	for i in 10:  # what the first peers bring into memory once is no peer's
		ClassDB.instantiate(kind).bind(0, "127.0.0.1")
	var before := Process.resident_bytes()
	var allocated_before := OS.get_static_memory_usage()
	for i in PEERS:
		peers[i] = ClassDB.instantiate(kind)
		if peers[i].bind(0, "127.0.0.1") != OK or peers[i].get_available_packet_count() != 0:
			printerr("peer %d cannot be bound" % i)
			quit(1)
			return
	print("resident: %d" % ((Process.resident_bytes() - before) / PEERS))
	print("allocated: %d" % ((OS.get_static_memory_usage() - allocated_before) / PEERS))
	quit(0)
