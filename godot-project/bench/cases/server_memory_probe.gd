extends SceneTree
## Prints the memory of a server's accepted, idle peer in bytes. Arguments: the class, then numbers
## of peers in ascending order; peers are added from one number to the next. Runs in a process of
## its own, like the probe of plain peers.

const Clients := preload("../clients.gd")
const Process := preload("res://tests/support/process.gd")
const ServerWithPeers := preload("../server_with_peers.gd")

## Peers accepted before the measurement: memory that is allocated once is not counted.
const FIRST := 10


func _init() -> void:
	var arguments := OS.get_cmdline_user_args()
	var counts := PackedInt32Array(Array(arguments.slice(1)))
	var clients := Clients.new(FIRST + counts[-1])
	var server := ServerWithPeers.new(arguments[0], clients)
	server.accept(FIRST)
	var before := Process.resident_bytes()
	var allocated_before := OS.get_static_memory_usage()
	for count in counts:
		server.accept(FIRST + count)
		print("resident_%d: %d" % [count, (Process.resident_bytes() - before) / count])
		var allocated := OS.get_static_memory_usage() - allocated_before
		print("allocated_%d: %d" % [count, allocated / count])
		if not server.problem.is_empty():
			printerr(server.problem)
			quit(1)
			return
	quit(0)
