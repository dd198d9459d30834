extends Node
## Random sequences of calls on the engine's classes and on ours in step; ends the engine with 0 if
## all answered alike. See scripts/sequences.sh. Arguments after "--":
##   --peers=N, --servers=N   how many sequences of each (default: 100)
##   --seed=N                 what chance decides is decided by this (default: the time)

const ErrorLog := preload("../support/error_log.gd")
const Watchdog := preload("../support/watchdog.gd")
const Sequence := preload("sequence.gd")
const Peers := preload("peers.gd")
const Servers := preload("servers.gd")
## So many sequences come between two looks at the engine's log.
const AT_ONCE := 50
## So many that take longer have hung.
const LIMIT_MSEC := 60_000

var _counts: Dictionary[String, int] = {"--peers": 100, "--servers": 100}
var _seed := int(Time.get_unix_time_from_system())
var _error_log := ErrorLog.new()
var _watchdog := Watchdog.new()
# Error lines of calls that are to fail.
var _expected_lines := 0
var _problems: PackedStringArray


func _ready() -> void:
	for argument in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1).to_int()
		match argument.get_slice("=", 0):
			"--seed":
				_seed = value
			var name:
				_counts[name] = value
	OS.add_logger(_error_log)
	_watchdog.start()
	print("sequences: seed %d" % _seed)
	await _run("peers", Peers.new(), _counts["--peers"])
	await _run("servers", Servers.new(), _counts["--servers"])
	_watchdog.stop()
	OS.remove_logger(_error_log)
	print("expected error lines: %d" % _expected_lines)
	for problem in _problems:
		print("sequences: " + problem)
	print("sequences: FAILED" if _problems else "sequences: all answered alike")
	get_tree().quit(1 if _problems else 0)


func _run(title: String, sequences: Sequence, count: int) -> void:
	var start := Time.get_ticks_msec()
	var done := 0
	while done < count and _problems.is_empty():
		var some := mini(AT_ONCE, count - done)
		_watchdog.guard("sequences of " + title, LIMIT_MSEC)
		_problems.append_array(sequences.run_many(some, _seed, done))
		done += some
		_take_lines()
		await get_tree().process_frame
	_watchdog.relax()
	var seconds := (Time.get_ticks_msec() - start) / 1000.0
	var calls := sequences.call_count()
	print("sequences of %s: %d with %d calls, %.1f s" % [title, done, calls, seconds])
	for line in sequences.figures():
		print("sequences of %s: %s" % [title, line])


# The calls that are to fail print lines; none may tell of a fault of a script or of the addon.
func _take_lines() -> void:
	for line in _error_log.take_lines():
		if line.begins_with("SCRIPT ERROR") or "panic" in line:
			_problems.append("in the log: " + line)
		else:
			_expected_lines += 1
