extends "../support/suite.gd"
## How the sample's dedicated server and its bots count losses, and judge them at the end.

const Account := preload("res://demo/dedicated/account.gd")
const Report := preload("res://demo/dedicated/report.gd")
const Summary := preload("res://demo/dedicated/summary.gd")
const Tally := preload("res://demo/dedicated/tally.gd")

const BOTS := 3


func test_updates_in_order_are_complete() -> void:
	var tally := Tally.new()
	for number in range(1, 1001):
		check_equal(tally.take(number), Tally.Verdict.NEW, "number %d" % number)
	check_equal(tally.figures(), PackedInt32Array([1000, 0, 0]), "figures")
	check_equal(tally.missing(), 0, "missing")
	check(Account.of(1000, tally.figures()).is_whole(), "1,000 of 1,000 are whole")
	check(not Account.of(1001, tally.figures()).is_whole(), "1,000 of 1,001 are not")


func test_lost_late_and_repeated_ones_are_told_apart() -> void:
	var tally := Tally.new()
	var verdicts: Array = [2, 5, 3, 3, 5, 1, 6].map(tally.take)
	var expected := [
		Tally.Verdict.NEW,
		Tally.Verdict.NEW,
		Tally.Verdict.LATE,
		Tally.Verdict.REPEATED,
		Tally.Verdict.REPEATED,
		Tally.Verdict.LATE,
		Tally.Verdict.NEW,
	]
	check_equal(verdicts, expected, "verdicts")
	check_equal(tally.figures(), PackedInt32Array([5, 2, 2]), "received, repeated, late")
	check_equal(tally.missing(), 1, "missing: number 4")
	check_equal(Account.of(7, tally.figures()).lost(), 2, "lost of 7: numbers 4 and 7")


func test_the_count_is_that_of_a_plain_list_whatever_comes() -> void:
	var random := RandomNumberGenerator.new()
	random.seed = 7
	for round_number in 20:
		var numbers := range(1, 200)
		# Some are lost, some repeated, some late.
		for i in 30:
			numbers.remove_at(random.randi_range(0, numbers.size() - 1))
		for i in 20:
			numbers.append(numbers[random.randi_range(0, numbers.size() - 1)])
		for i in 60:
			var at := random.randi_range(0, numbers.size() - 2)
			var number: int = numbers.pop_at(at)
			numbers.insert(at + 1, number)
		var tally := Tally.new()
		var seen: Array[int] = []
		var expected: PackedInt32Array = [0, 0, 0]
		for number: int in numbers:
			if number in seen:
				expected[1] += 1
			else:
				expected[0] += 1
				expected[2] += 1 if seen.any(func(other: int) -> bool: return other > number) else 0
				seen.append(number)
			tally.take(number)
		check_equal(tally.figures(), expected, "round %d" % round_number)
		check_equal(tally.missing(), seen.max() - seen.size(), "missing, round %d" % round_number)


func test_numbers_too_far_ahead_do_not_count() -> void:
	var tally := Tally.new()
	tally.take(1)
	for number: int in [0, -1, 2 + Tally.MAX_AHEAD, 1 << 62]:
		check_equal(tally.take(number), Tally.Verdict.ABSURD, "number %d" % number)
	check_equal(tally.figures(), PackedInt32Array([1, 0, 0]), "figures")
	check_equal(tally.take(1 + Tally.MAX_AHEAD), Tally.Verdict.NEW, "the last that may be")
	check_equal(tally.missing(), Tally.MAX_AHEAD - 1, "missing")


func test_a_tally_stays_small_however_much_is_missing() -> void:
	var tally := Tally.new()
	var number := 0
	for i in 200:
		number += Tally.MAX_AHEAD
		tally.take(number)
	check(tally._missing.size() <= Tally.MAX_REMEMBERED, "%d remembered" % tally._missing.size())
	check_equal(tally.missing(), number - 200, "missing")


func test_a_session_in_which_all_came_has_no_problem() -> void:
	var summary := Summary.new([_server_report(), _bots_report()], BOTS, 2.0)
	check_equal(summary.problems, PackedStringArray(), "problems")


func test_every_figure_that_is_off_by_one_is_a_problem() -> void:
	for of_server: bool in [true, false]:
		for direction: String in ["moves", "snapshots"]:
			for key: String in ["sent", "received", "repeated", "late", "streams"]:
				var reports: Array[Report] = [_server_report(), _bots_report()]
				var account: Account = reports[0 if of_server else 1].get(direction)
				account.set(key, account.get(key) - 1)
				_check_problem(reports, "%s.%s, of the server: %s" % [direction, key, of_server])
		for key: String in ["left", "failed"]:
			var reports: Array[Report] = [_server_report(), _bots_report()]
			var report := reports[0 if of_server else 1]
			report.set(key, report.get(key) + 1)
			_check_problem(reports, "%s, of the server: %s" % [key, of_server])


func test_a_loss_that_both_ends_agree_on_is_a_problem() -> void:
	for direction: String in ["moves", "snapshots"]:
		for key: String in ["sent", "repeated", "late"]:
			var reports: Array[Report] = [_server_report(), _bots_report()]
			for report in reports:
				var account: Account = report.get(direction)
				account.set(key, account.get(key) + 1)
			_check_problem(reports, "%s.%s" % [direction, key])


func test_a_session_without_updates_or_reports_is_a_problem() -> void:
	_check_problem([], "no reports")
	_check_problem([_server_report()], "none of bots")
	_check_problem([_bots_report()], "none of the server")
	var reports: Array[Report] = [_server_report(), _bots_report()]
	for report in reports:
		report.moves = Account.of(0, [0, 0, 0])
		report.moves.streams = BOTS
	_check_problem(reports, "no moves")


func test_a_report_is_read_as_it_was_saved() -> void:
	var path := OS.get_temp_dir().path_join("dedicated-%d.json" % OS.get_process_id())
	var saved := _server_report()
	saved.save(path)
	var read := Report.read(path)
	check_equal(DirAccess.remove_absolute(path), OK, "there is a file")
	check_equal(read.is_server, true, "is_server")
	check_equal([read.left, read.failed], [saved.left, saved.failed], "left, failed")
	check_equal(read.moves.to_dictionary(), saved.moves.to_dictionary(), "moves")
	check_equal(read.snapshots.to_dictionary(), saved.snapshots.to_dictionary(), "snapshots")
	var lines := Summary.new([read, _bots_report()], BOTS, 2.0).lines()
	check_equal(Array(lines).filter(_says_failed), [], "the summary of what was read")


func _says_failed(line: String) -> bool:
	return line.begins_with("FAILED")


func _check_problem(reports: Array[Report], what: String) -> void:
	var summary := Summary.new(reports, BOTS, 2.0)
	check(not summary.problems.is_empty(), "no problem: " + what)
	check(Array(summary.lines()).any(_says_failed), "not said: " + what)


func _server_report() -> Report:
	var report := _bots_report()
	report.is_server = true
	report.details = {
		"sockets": "a server",
		"strangers": 0,
		"ticks": 60,
		"frame_usec": 100,
		"longest_frame_usec": 200,
		"longest_pause_usec": 300,
		"stats": {},
	}
	return report


func _bots_report() -> Report:
	var report := Report.new()
	report.left = BOTS
	for i in BOTS:
		report.moves.add(Account.of(60 + i, [60 + i, 0, 0]))
		report.snapshots.add(Account.of(70 + i, [70 + i, 0, 0]))
	return report
