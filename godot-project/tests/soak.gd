extends Node
## Mixed traffic for a long time; ends the engine with 0 if all went well and nothing grew. See
## scripts/soak.sh. Arguments after "--":
##   --seconds=N   how long (default 60)
##   --seed=N      what chance decides is decided by this (default: the time)
##   --csv=FILE    writes memory, threads and open files of each second

const ErrorLog := preload("support/error_log.gd")
const Process := preload("support/process.gd")
const Watchdog := preload("support/watchdog.gd")
const Worker := preload("soak/worker.gd")

const WORKERS: Dictionary[String, GDScript] = {
	"streams": preload("soak/streams.gd"),
	"transient peers": preload("soak/transient_peers.gd"),
	"floods": preload("soak/floods.gd"),
	"waits": preload("soak/waits.gd"),
	"clients": preload("soak/clients.gd"),
	"bad networks": preload("soak/bad_networks.gd"),
}
const REPORT_EVERY := 10
## A worker whose round takes longer has hung.
const HANGING_MSEC := 60_000
## How much the memory may vary: the allocator keeps some, and threads start and end.
const TOLERANCE := 2 << 20

var _seconds := 60
var _seed := int(Time.get_unix_time_from_system())
var _error_log := ErrorLog.new()
var _watchdog := Watchdog.new()
var _workers: Dictionary[String, Worker]
var _threads: Array[Thread]
var _start_msec := 0
var _passed_seconds := 0
var _problems: PackedStringArray
# Error lines that were expected.
var _expected_lines := 0
# What was done and seen, in one line.
var _result := ""
# In bytes, one value per second.
var _memory: PackedInt64Array
var _csv: FileAccess
var _threads_before := 0
var _descriptors_before := 0


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var text := argument.get_slice("=", 1)
		var value := text.to_int()
		match argument.get_slice("=", 0):
			"--seconds":
				_seconds = value
			"--seed":
				_seed = value
			"--csv":
				_csv = FileAccess.open(text, FileAccess.WRITE)
				_csv.store_line("second,resident_bytes,threads,open_files")
	OS.add_logger(_error_log)
	_watchdog.start()
	_watchdog.guard("the soak", _seconds * 1000 + HANGING_MSEC)
	print("soak: %d seconds, seed %d" % [_seconds, _seed])
	_wait_at_once(8)
	_threads_before = Process.threads()
	_descriptors_before = Process.descriptors()
	for title in WORKERS:
		_workers[title] = WORKERS[title].new()
		_workers[title].rng.seed = hash([_seed, title])
		_threads.append(Thread.new())
		_threads[-1].start(_workers[title].run)
	_start_msec = Time.get_ticks_msec()


func _process(_delta: float) -> void:
	for title in _workers:
		_workers[title].on_frame()
	var passed := (Time.get_ticks_msec() - _start_msec) / 1000
	if passed == _passed_seconds:
		return
	_passed_seconds = passed
	_take_lines()  # kept lines would count as growth
	_memory.append(Process.resident_bytes())
	if _csv != null:
		_csv.store_csv_line(
			[passed, _memory[-1], Process.threads(), Process.descriptors()].map(str)
		)
	if passed % REPORT_EVERY == 0 or passed == _seconds:
		_report()
	if passed >= _seconds:
		set_process(false)
		_end()


# The addon keeps what waits need for the next ones, so that is made before the memory is measured.
func _wait_at_once(count: int) -> void:
	var peer: PacketPeer = ClassDB.instantiate(&"PacketPeerUdpRs")
	peer.bind(0, "127.0.0.1")
	var threads: Array[Thread] = []
	for i in count:
		threads.append(Thread.new())
		threads[i].start(peer.wait.bind(200))
	for thread in threads:
		thread.wait_to_finish()


func _report() -> void:
	var figures: PackedStringArray
	for title in _workers:
		figures.append("%s: %s" % [title, _workers[title].figures()])
	print(
		(
			"soak: %d s: %.1f MiB resident, %d threads, %d files; %s"
			% (
				[_passed_seconds, _memory[-1] / 1048576.0, Process.threads()]
				+ [Process.descriptors(), "; ".join(figures)]
			)
		)
	)


func _end() -> void:
	for title in _workers:
		_workers[title].stop()
	for thread in _threads:
		thread.wait_to_finish()
	for title in _workers:
		_workers[title].finish()
		_result += "; %s: %s" % [title, _workers[title].figures()]
		for problem in _workers[title].failures:
			_problems.append("%s: %s" % [title, problem])
		if _workers[title].rounds == 0:
			_problems.append("%s: nothing was done" % title)
	_workers.clear()
	_threads.clear()
	_watchdog.relax()
	# The addon's thread ends a moment after the last peer that needs it.
	var deadline := Time.get_ticks_msec() + 30_000
	while Process.threads() > _threads_before and Time.get_ticks_msec() < deadline:
		await get_tree().process_frame
	_compare("threads", _threads_before, Process.threads())
	_compare("open files and sockets", _descriptors_before, Process.descriptors())
	_judge_memory()

	_take_lines()
	_watchdog.stop()
	OS.remove_logger(_error_log)
	print("expected error lines: %d" % _expected_lines)
	for problem in _problems.slice(0, 20):
		print("soak: FAILED: " + problem)
	if _problems.is_empty():
		print("soak: all went well for %d seconds, and nothing grew." % _seconds)
		print(_result)
	get_tree().quit(0 if _problems.is_empty() else 1)


# A wait that begins while its peer is closed prints a line, and so does a flooded queue: both are
# expected.
func _take_lines() -> void:
	for line in _error_log.take_lines():
		if "PacketPeerUdpRs.wait()" in line or "queue_size: the queue of" in line:
			_expected_lines += 1
		else:
			_problems.append("in the log: " + line)


func _compare(what: String, before: int, after: int) -> void:
	print("soak: %s: %d before, %d after" % [what, before, after])
	if after > before:
		_problems.append("%d %s are left, %d there were" % [after, what, before])


# The first part loads what is needed; after it the memory must not grow.
func _judge_memory() -> void:
	var settled := Array(_memory.slice(_memory.size() / 4))
	var part := settled.size() / 3
	if part == 0:
		_problems.append("too short to judge the memory")
		return
	var early := _median(settled.slice(0, part))
	var late := _median(settled.slice(-part))
	var sizes := "%.1f MiB early, %.1f MiB late" % [early / 1048576.0, late / 1048576.0]
	print("soak: memory: " + sizes)
	_result = (
		"RESULT: %d s of mixed traffic: %s, no thread or file left" % [_seconds, sizes] + _result
	)
	if early == 0 or late > early + TOLERANCE:
		_problems.append("the memory grew by %d KiB" % ((late - early) / 1024))


static func _median(values: Array) -> int:
	values.sort()
	return values[values.size() / 2]
