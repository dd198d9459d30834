extends RefCounted
## What Linux counts of sockets, in /proc.

const UDP := "/proc/net/udp"


## How many packets the kernel has dropped since the socket that is bound to this port was opened,
## because its buffer was full.
static func drops_of(port: int) -> int:
	return _sum(func(fields: PackedStringArray) -> bool: return fields[1].ends_with(":%04X" % port))


## The same of all sockets that are connected to this port.
static func drops_of_connected(port: int) -> int:
	return _sum(func(fields: PackedStringArray) -> bool: return fields[2].ends_with(":%04X" % port))


## How many packets the kernel has dropped before it had found their socket, for the whole machine:
## the second column, of each processor.
static func dropped_before_sockets() -> int:
	var sum := 0
	for line in _lines("/proc/net/softnet_stat"):
		sum += line.get_slice(" ", 1).hex_to_int()
	return sum


static func _sum(is_meant: Callable) -> int:
	var sum := 0
	for line in _lines(UDP).slice(1):
		var fields := line.split(" ", false)
		if is_meant.call(fields):
			sum += fields[-1].to_int()
	return sum


# These files have no length, so get_file_as_string() returns "".
static func _lines(path: String) -> PackedStringArray:
	var lines: PackedStringArray
	var file := FileAccess.open(path, FileAccess.READ)
	while file != null and not file.eof_reached():
		var line := file.get_line()
		if not line.is_empty():
			lines.append(line)
	return lines
