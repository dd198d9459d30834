extends RefCounted
## What Linux knows about this process: threads, processor time, memory, open files.


## How many threads it has.
static func threads() -> int:
	return DirAccess.get_directories_at("/proc/self/task").size()


## How many of its threads run, or wait for a processor.
static func runnable_threads() -> int:
	var count := 0
	for thread in DirAccess.get_directories_at("/proc/self/task"):
		var line := _first_line("/proc/self/task/%s/stat" % thread)
		count += int(line.get_slice(") ", line.get_slice_count(") ") - 1).begins_with("R"))
	return count


## The processor time of its threads, in user and kernel mode.
static func processor_msec() -> int:
	var line := _first_line("/proc/self/stat")
	# The second field is the program's name in brackets, which may contain anything.
	var fields := line.get_slice(") ", line.get_slice_count(") ") - 1).split(" ")
	return (int(fields[11]) + int(fields[12])) * 10  # ticks of 10 ms


## Its resident memory.
static func resident_bytes() -> int:
	var status := FileAccess.open("/proc/self/status", FileAccess.READ)
	while not status.eof_reached():
		var line := status.get_line()
		if line.begins_with("VmRSS:"):
			return line.get_slice(":", 1).strip_edges().to_int() * 1024
	return 0


## How many files and sockets it has open.
static func descriptors() -> int:
	var folder := DirAccess.open("/proc/self/fd")
	var count := 0
	folder.list_dir_begin()
	while not folder.get_next().is_empty():
		count += 1
	return count - 1  # without the descriptor of this list


static func _first_line(path: String) -> String:
	# These files have no length, so get_file_as_string() returns "".
	var file := FileAccess.open(path, FileAccess.READ)
	return "" if file == null else file.get_line()
