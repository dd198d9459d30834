extends Node
## Floods of small packets against what receives them in a game at 60 frames per second; ends the
## engine with 0 if every packet is accounted for and the memory stays bounded. See
## scripts/floods.sh. Arguments after "--":
##   --program=PATH   the sender (rust/bench/src/flood.rs)
##   --seconds=N      how long each flood lasts (default 1)
##   --threads=N      how many threads send (default: one for each core)
##   --only=TEXT      only those whose title has TEXT
##   --quick          short before and after each flood, and not those of the engine's own classes
##   --miscount=N     adds N to what the sender says, to show that a wrong account is noticed

const ErrorLog := preload("../support/error_log.gd")
const Process := preload("../support/process.gd")
const Sockets := preload("floods/sockets.gd")
const Target := preload("floods/target.gd")
const PeerTarget := preload("floods/peer_target.gd")
const RelayTarget := preload("floods/relay_target.gd")
const ServerTarget := preload("floods/server_target.gd")

const FRAMES_PER_SECOND := 60
## How long everything may take to come to rest after a flood, on a busy machine.
const SETTLE_MSEC := 20_000
## What the process may grow beyond what the limits of a target allow: arrays of the packets that a
## frame takes, and what the allocator keeps.
const SLACK := 4 << 20
const COLUMNS := "%-26s %11s %8s %10s %10s %9s %10s %7s %7s %7s %6s %9s"
## Sockets of each sending thread that forges senders.
const FORGED := 128

var _program := ""
var _seconds := 1.0
var _threads := OS.get_processor_count()
var _only := ""
var _quick := false
var _miscount := 0
var _error_log := ErrorLog.new()
# Error lines that were expected.
var _expected_lines := 0
var _problems: PackedStringArray
var _folder := DirAccess.create_temp("floods")
var _target: Target
# Of the frames while packets come, in microseconds.
var _frame_times: PackedInt64Array
var _last_frame := 0
var _peak := 0
# Over all floods that count.
var _sent := 0
var _most_grown := 0
# The 99th percentile of the frames of each flood, and of the second before it, in milliseconds.
var _frames_of_floods: PackedFloat64Array
var _frames_before: PackedFloat64Array
var _frames_of_native: PackedFloat64Array
var _unseen_by_native := 0
var _sent_to_native := 0


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
		match argument.get_slice("=", 0):
			"--program":
				_program = value
			"--seconds":
				_seconds = value.to_float()
			"--threads":
				_threads = value.to_int()
			"--only":
				_only = value
			"--quick":
				_quick = true
			"--miscount":
				_miscount = value.to_int()
	Engine.max_fps = FRAMES_PER_SECOND
	OS.add_logger(_error_log)
	print(
		(
			COLUMNS
			% (
				["", "sent", "1,000/s", "received", "kernel", "queue", "not let in"]
				+ ["before", "p99", "max", "MiB", "answered"]
			)
		)
	)
	for target: Target in [
		PeerTarget.new("peer, in the background", &"PacketPeerUdpRs", true),
		PeerTarget.new("peer, polled", &"PacketPeerUdpRs", false),
		ServerTarget.new("server, in the background", &"UdpServerRs", true),
		ServerTarget.new("server, polled", &"UdpServerRs", false),
		RelayTarget.new("relay, all places taken"),
		PeerTarget.new("PacketPeerUDP", &"PacketPeerUDP", false),
		ServerTarget.new("UDPServer", &"UDPServer", false),
	]:
		if (_only.is_empty() or _only in target.title) and not (_quick and target.is_native):
			await _flood(target)
	_end()


func _process(_delta: float) -> void:
	if _target == null:
		return
	var now := Time.get_ticks_usec()
	if _last_frame > 0:
		_frame_times.append(now - _last_frame)
	_last_frame = now
	_target.on_frame()
	_peak = maxi(_peak, Process.resident_bytes())


func _flood(target: Target) -> void:
	if not target.open():
		_problems.append("%s: cannot be opened" % target.title)
		return
	_target = target
	var is_ready := await _until(target.is_ready)
	if not is_ready:
		_problems.append("%s: its clients are not served before the flood" % target.title)
	_begin_frames()
	await _frames(FRAMES_PER_SECOND / 4 if _quick else FRAMES_PER_SECOND)
	var p99_before := _percentile(99)
	var before := Process.resident_bytes()
	var before_sockets := Sockets.dropped_before_sockets()
	_peak = before
	target.begin()
	_begin_frames()
	var sent := await _send_flood(target)
	var p99 := _percentile(99)
	var longest := _percentile(100)
	if target.is_native:
		await _frames(30)
		var account := target.report()
		_frames_of_native.append(p99)
		_sent_to_native += int(sent.packets) + account.sent
		_unseen_by_native += int(sent.packets) + account.sent - account.received
	else:
		sent.packets += _miscount
		target.is_over = true
		await _settle(target, int(sent.packets), before_sockets)
		_check_account(target, int(sent.packets), before_sockets)
		_frames_of_floods.append(p99)
		_frames_before.append(p99_before)
		_sent += int(sent.packets)
		_check_memory(target, _peak - before)
	var report := target.report()
	print(
		(
			COLUMNS
			% (
				[target.title, int(sent.packets), "%.0f" % (sent.packets / _seconds / 1000)]
				+ [report.received, report.kernel, report.queue, report.refused]
				+ ["%.1f" % p99_before, "%.1f" % p99, "%.1f" % longest]
				+ ["%.1f" % ((_peak - before) / 1048576.0), report.answered]
			)
		)
	)
	_target = null
	target.close()
	await _frames(10)
	_take_lines()


func _begin_frames() -> void:
	_frame_times.clear()
	_last_frame = 0


# Of the frames since _begin_frames(), in milliseconds.
func _percentile(percent: int) -> float:
	var times := _frame_times.duplicate()
	times.sort()
	return times[(times.size() - 1) * percent / 100] / 1000.0


# Runs the sender, and returns what it says: how many packets it has sent, from how many sockets.
func _send_flood(target: Target) -> Dictionary:
	var file := _folder.get_current_dir().path_join("report.json")
	DirAccess.remove_absolute(file)
	var arguments: Array[String] = ["--to", "127.0.0.1:%d" % target.port(), "--report", file]
	arguments.append_array(["--seconds", str(_seconds), "--threads", str(_threads)])
	if target.wants_forged:
		arguments.append_array(["--forged", str(FORGED)])
	# At the lowest priority: it takes all the time that the game leaves. The senders of a real flood
	# take none of it.
	var pid := OS.create_process("nice", ["-n", "19", _program] + arguments)
	var deadline := Time.get_ticks_msec() + int(_seconds * 1000) + SETTLE_MSEC
	while not FileAccess.file_exists(file) and Time.get_ticks_msec() < deadline:
		await get_tree().process_frame
	var text := FileAccess.get_file_as_string(file)
	var sent: Variant = JSON.parse_string(text)
	if not sent is Dictionary or sent.get("packets", 0) < 1000:
		_problems.append("%s: the sender says %s" % [target.title, text])
		sent = {"packets": 0, "senders": 0}
		OS.kill(pid)
	return sent


# Until all that was sent is accounted for, and then until a last packet is.
func _settle(target: Target, sent: int, before_sockets: int) -> void:
	await _until(
		func() -> bool: return target.is_drained() and _missing(target, sent, before_sockets) <= 0
	)
	target.send_last()
	await _until(
		func() -> bool: return target.has_last() and _missing(target, sent, before_sockets) <= 0
	)
	await _frames(10)


# Packets of which nothing is known. Those that the kernel has dropped before it had found the
# socket are counted for the whole machine.
func _missing(target: Target, sent: int, before_sockets: int) -> int:
	var report := target.report()
	var known: int = report.received + report.kernel + report.queue + report.refused
	var elsewhere := Sockets.dropped_before_sockets() - before_sockets
	var missing: int = sent + report.sent - known
	return 0 if missing > 0 and missing <= elsewhere else missing


func _check_account(target: Target, sent: int, before_sockets: int) -> void:
	var report := target.report()
	var missing := _missing(target, sent, before_sockets)
	if missing != 0:
		_problems.append(
			(
				"%s: of %d packets sent to it %d are unaccounted for: %s"
				% [target.title, sent + report.sent, missing, report]
			)
		)
	for problem in target.problems():
		_problems.append("%s: %s" % [target.title, problem])
	if not target.has_last():
		_problems.append("%s: a packet after the flood did not come through" % target.title)
	var listed := Sockets.drops_of(target.port())
	if listed != report.kernel:
		_problems.append(
			(
				"%s: the system lists %d dropped packets, get_stats() %d"
				% [target.title, listed, report.kernel]
			)
		)


func _check_memory(target: Target, grown: int) -> void:
	_most_grown = maxi(_most_grown, grown)
	if grown > target.bound() + SLACK:
		_problems.append("%s: the memory grew by %d KiB" % [target.title, grown / 1024])


func _end() -> void:
	_take_lines()
	OS.remove_logger(_error_log)
	print("expected error lines: %d" % _expected_lines)
	for problem in _problems:
		print("floods: FAILED: " + problem)
	var is_well := _problems.is_empty() and _sent > 0
	if is_well:
		print("RESULT: " + _result() + _result_of_native())
	get_tree().quit(0 if is_well else 1)


func _result() -> String:
	var count := _frames_of_floods.size()
	var figures := [_grouped(_sent), count, _grouped(int(_sent / _seconds / count))]
	var text := (
		"%s packets of %d floods, %s a second, each received or counted as dropped" % figures
	)
	figures = [_most_grown / 1048576.0, _range(_frames_of_floods), _range(_frames_before)]
	text += (
		"; memory grew by at most %.1f MiB; 99 %% of frames took at most %s ms"
		% figures.slice(0, 2)
	)
	return text + ", before the floods %s ms" % figures[2]


func _result_of_native() -> String:
	if _sent_to_native == 0:
		return ""
	var share := 100.0 * _unseen_by_native / _sent_to_native
	var text := "; PacketPeerUDP and UDPServer lost %.0f %%, uncounted" % share
	return text + ", and 99 %% of their frames took at most %s ms" % _range(_frames_of_native)


static func _range(values: PackedFloat64Array) -> String:
	var sorted := values.duplicate()
	sorted.sort()
	return "%.1f to %.1f" % [sorted[0], sorted[-1]]


# A queue that drops prints a line, and the engine's class one for each packet.
func _take_lines() -> void:
	for line in _error_log.take_lines():
		if "queue_size: the queue of" in line or "Buffer full, dropping packets" in line:
			_expected_lines += 1
		else:
			_problems.append("in the log: " + line)


func _until(condition: Callable) -> bool:
	var deadline := Time.get_ticks_msec() + SETTLE_MSEC
	while not condition.call() and Time.get_ticks_msec() < deadline:
		await get_tree().process_frame
	return condition.call()


func _frames(count: int) -> void:
	for i in count:
		await get_tree().process_frame


# 1234567 as "1,234,567".
static func _grouped(number: int) -> String:
	var text := str(number)
	for at in range(text.length() - 3, 0, -3):
		text = text.insert(at, ",")
	return text
