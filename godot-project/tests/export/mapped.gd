extends RefCounted
## Which libraries of the addon this process has loaded.


## Their paths, without repetition.
static func libraries() -> PackedStringArray:
	var found: PackedStringArray
	var file := FileAccess.open("/proc/self/maps", FileAccess.READ)
	while not file.eof_reached():
		var line := file.get_line()
		var path := line.substr(line.find("/"))
		if "packet_peer_udp_rs" in path.get_file() and not path in found:
			found.append(path)
	return found
