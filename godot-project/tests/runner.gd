extends Node
## Runs the suites (see support/suite.gd), and ends the engine with 0 if all tests passed.
## Arguments after "--":
##   --only=PATTERNS    only tests whose "suite: name" contains or matches (with * and ?) one of the
##                      PATTERNS, which commas separate
##   --skip=PATTERN=REASON
##                      not the tests that match; they are reported as skipped, with the reason
##   --native-only      only PacketPeerUDP: shows that the tests describe the engine
##   --suite=PATH       this script instead of all in tests/suites/
##   --suites=FOLDER    the scripts of this folder instead of tests/suites/
##   --limit=SECONDS    a test that takes longer has hung (default 150)

const ErrorLog := preload("support/error_log.gd")
const Suite := preload("support/suite.gd")
const Watchdog := preload("support/watchdog.gd")

var _error_log := ErrorLog.new()
var _watchdog := Watchdog.new()
var _passed := 0
var _failed := 0
var _skipped := 0
var _expected_lines := 0
var _patterns: PackedStringArray = ["*"]
# Reasons by pattern.
var _left_out: Dictionary[String, String] = {}
var _native_only := false
var _only_suite := ""
var _suites := "res://tests/suites"
var _limit_msec := 150_000


func _ready() -> void:
	OS.add_logger(_error_log)
	_watchdog.start()
	_read_arguments()
	if _native_only or ClassDB.class_exists(Suite.OURS):
		await _run_suites()
	else:
		_report("FAILED", "the addon", ["the class %s is not registered" % Suite.OURS])
	_watchdog.stop()
	var stray := _error_log.take_lines()
	# A queue that has dropped says so with the next frame, perhaps after the last test.
	var is_notice := func(line: String) -> bool: return "queue_size: the queue of" in line
	_expected_lines += Array(stray).filter(is_notice).size()
	stray = Array(stray).filter(func(line: String) -> bool: return not is_notice.call(line))
	if not stray.is_empty():
		_report("FAILED", "the engine's log, outside of the tests", stray)
	OS.remove_logger(_error_log)

	# For scripts/run_scene.sh, which compares it with what the log has.
	print("expected error lines: %d" % _expected_lines)
	print("%d passed, %d failed, %d skipped" % [_passed, _failed, _skipped])
	if _failed == 0 and _passed > 0:
		print("All tests passed.")
		get_tree().quit(0)
	else:
		print("Not all tests passed." if _failed else "No test ran.")
		get_tree().quit(1)


func _read_arguments() -> void:
	for argument in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
		match argument.get_slice("=", 0):
			"--only":
				_patterns.clear()
				for part in value.split(","):
					_patterns.append(part if "*" in part or "?" in part else "*%s*" % part)
			"--skip":
				_left_out[value if "*" in value else "*%s*" % value] = argument.get_slice("=", 2)
			"--native-only":
				_native_only = true
			"--suite":
				_only_suite = value
			"--suites":
				_suites = value
			"--limit":
				_limit_msec = int(float(value) * 1000)
			_:
				_report("FAILED", "the arguments", ["unknown: " + argument])


func _run_suites() -> void:
	var paths: PackedStringArray = [_only_suite]
	if _only_suite.is_empty():
		paths.clear()
		for file in ResourceLoader.list_directory(_suites):
			if file.ends_with(".gd"):
				paths.append(_suites.path_join(file))
	paths.sort()
	for path in paths:
		var suite := load(path) as GDScript
		if suite == null or not suite.can_instantiate():
			_report("FAILED", path, ["cannot be loaded"] + Array(_error_log.take_lines()))
			continue
		for method in suite.get_script_method_list():
			var method_name: String = method.name
			var title := (
				"%s: %s"
				% [
					path.get_file().get_basename(),
					method_name.trim_prefix("test_").replace("_", " ")
				]
			)
			if not method_name.begins_with("test_") or not _is_wanted(title):
				continue
			var reason := _reason_to_skip(title)
			if not reason.is_empty():
				_report("skipped", title, [reason])
			else:
				await _run_test(suite, method_name, title, method.args.is_empty())


func _is_wanted(title: String) -> bool:
	for pattern in _patterns:
		if title.matchn(pattern):
			return true
	return false


func _reason_to_skip(title: String) -> String:
	for pattern in _left_out:
		if title.matchn(pattern):
			return _left_out[pattern]
	return ""


func _run_test(suite: GDScript, method: String, title: String, ours_only: bool) -> void:
	if ours_only and _native_only:
		_report("skipped", title)
		return
	var kinds: Array[StringName] = [Suite.NATIVE, Suite.OURS]
	if ours_only or _native_only:
		kinds = [Suite.OURS if ours_only else Suite.NATIVE]
	var details: PackedStringArray
	var times: PackedStringArray
	var answers: Array[Array] = []
	var failed := false
	var skipped := false
	for kind in kinds:
		var test := await _run_body(suite, method, title, [] if ours_only else [kind], kind)
		times.append(
			"%s %d ms" % ["native" if kind == Suite.NATIVE else "ours", test.get_meta("msec")]
		)
		for failure: String in test.failures:
			details.append("%s: %s" % [kind, failure])
		for text: String in test.notes:
			details.append("%s: %s" % [kind, text])
		if not test.skip_reason.is_empty() and not test.skip_reason in details:
			details.append(test.skip_reason)
		failed = failed or not test.failures.is_empty()
		skipped = skipped or not test.skip_reason.is_empty()
		answers.append(test.answers)
	if answers.size() == 2 and not skipped:
		var differences := _differences(answers[0], answers[1])
		failed = failed or not differences.is_empty()
		details.append_array(differences)
	var outcome := "FAILED" if failed else "skipped" if skipped else "ok"
	_report(outcome, "%s (%s)" % [title, ", ".join(times)], details)


# Runs the body of a test on a new object of the suite, and returns that object with its results.
func _run_body(
	suite: GDScript, method: String, title: String, arguments: Array, kind: StringName
) -> Suite:
	var test: Suite = suite.new()
	test.start(_error_log)
	_watchdog.guard("%s [%s]" % [title, kind], _limit_msec)
	var start := Time.get_ticks_msec()
	await test.callv(method, arguments)
	test.finish()
	test.set_meta("msec", Time.get_ticks_msec() - start)
	_watchdog.relax()
	if test.check_count == 0 and test.skip_reason.is_empty():
		test.fail("nothing was checked")
	_expected_lines += test.expected_line_count
	return test


func _differences(native: Array, ours: Array) -> PackedStringArray:
	var found: PackedStringArray
	for i in maxi(native.size(), ours.size()):
		var one: Array = native[i] if i < native.size() else ["nothing more", null]
		var other: Array = ours[i] if i < ours.size() else ["nothing more", null]
		if one[0] != other[0] or not Suite.same(one[1], other[1]):
			found.append(
				(
					"differs: %s answers %s = %s, %s answers %s = %s"
					% (
						[Suite.NATIVE, one[0], Suite.written(one[1])]
						+ [Suite.OURS, other[0], Suite.written(other[1])]
					)
				)
			)
	return found


func _report(outcome: String, title: String, details: Array = []) -> void:
	match outcome:
		"ok":
			_passed += 1
		"FAILED":
			_failed += 1
		"skipped":
			_skipped += 1
	print("%-8s %s" % [outcome, title])
	var times: Dictionary[String, int] = {}
	for detail: String in details:
		times[detail] = times.get(detail, 0) + 1
	for detail in times:
		print(
			"         - %s%s" % [detail, " (%d times)" % times[detail] if times[detail] > 1 else ""]
		)
