extends RefCounted
## Combines the reports of all processes, and compares what one end sent with what the other
## received.

const Account := preload("account.gd")
const Figures := preload("../figures.gd")
const Report := preload("report.gd")

const ROW := "  %-14s  %11s  %11s  %6s  %8s  %6s  %7s  %8s  %11s"
const HEADINGS: Array[String] = [
	"updates", "sent", "received", "lost", "repeated", "late", "per s", "jitter", "longest gap"
]
const DETAIL := "  %-14s  %s"

## One line for each problem; empty after a success.
var problems: PackedStringArray = []

var _server := Report.new()
# The reports of the bots' processes, added up.
var _bots := Report.new()
var _processes := 0
# How long the bots played.
var _seconds := 0.0


## `expected` is how many bots were started.
func _init(reports: Array[Report], expected: int, seconds: float) -> void:
	_seconds = seconds
	for report in reports:
		if report.is_server:
			_server = report
		else:
			_processes += 1
			_bots.add(report)
	if not _server.is_server:
		problems.append("there is no report of the server")
	elif _processes == 0:
		problems.append("there is no report of a bots' process")
	else:
		_check_goodbyes(expected)
		_check("bots to server", _server.moves, _bots.moves)
		_check("server to bots", _server.snapshots, _bots.snapshots)


func lines() -> PackedStringArray:
	var all: PackedStringArray = [
		(
			"%s in %s played for %d s; the server is %s"
			% [
				Figures.counted(_bots.left + _bots.failed, "bot"),
				Figures.counted(_processes, "process", "processes"),
				_seconds,
				_server.details.get("sockets", "not there"),
			]
		),
		"",
		ROW % HEADINGS,
		# "Sent" comes from the sender, the rest from the receiver.
		_row("bots to server", _bots.moves, _server.moves),
		_row("server to bots", _server.snapshots, _bots.snapshots),
		"",
	]
	if _server.is_server:
		all.append_array(_details())
	for problem in problems:
		all.append("FAILED: " + problem)
	if problems.is_empty():
		all.append("Nothing was lost, repeated or late: both ends have counted the same.")
	return all


func _check_goodbyes(expected: int) -> void:
	if _bots.left != expected or _bots.failed > 0:
		problems.append(
			(
				"%d bots were started, %d left in good order, %d did not"
				% [expected, _bots.left, _bots.failed]
			)
		)
	if _server.left != expected or _server.failed > 0:
		problems.append(
			"the server saw %d say bye, and %d fall silent" % [_server.left, _server.failed]
		)


func _check(direction: String, at_server: Account, at_bots: Account) -> void:
	if not at_server.agrees_with(at_bots):
		problems.append(
			(
				"%s: the server says %s; the bots say %s"
				% [direction, at_server.describe(), at_bots.describe()]
			)
		)
	if at_server.sent == 0:
		problems.append(direction + ": nothing was sent")
	# Both ends are judged: where they disagree, one may look whole.
	for account: Account in [at_server, at_bots]:
		if not account.is_whole():
			problems.append(
				(
					"%s: %d lost, %d repeated, %d late"
					% [direction, account.lost(), account.repeated, account.late]
				)
			)
			return


func _row(direction: String, sender: Account, receiver: Account) -> String:
	# If a process died, one end lacks some players.
	var is_known := sender.streams == receiver.streams
	return (
		ROW
		% [
			direction,
			Figures.grouped(sender.sent),
			Figures.grouped(receiver.received),
			Figures.grouped(sender.sent - receiver.received) if is_known else "?",
			Figures.grouped(receiver.repeated),
			Figures.grouped(receiver.late),
			Figures.per_second(receiver.received, _seconds),
			Figures.msec(receiver.jitter_usec()),
			Figures.msec(receiver.longest_gap_usec),
		]
	)


func _details() -> PackedStringArray:
	var details := _server.details
	var frames := (
		"%s on average, the longest %s; the longest from one to the next %s"
		% [
			Figures.msec(details["frame_usec"]),
			Figures.msec(details["longest_frame_usec"]),
			Figures.msec(details["longest_pause_usec"]),
		]
	)
	var ticks := (
		"%d of the server; left out after long frames: %d by it, %d by bots"
		% [details["ticks"], _server.skipped_ticks, _bots.skipped_ticks]
	)
	var strange := (
		"%s from strangers, %d from players, %d at the bots"
		% [
			Figures.counted(int(details["strangers"]), "packet"),
			_server.bad_packets,
			_bots.bad_packets,
		]
	)
	var all: PackedStringArray = [
		DETAIL % ["server frames", frames],
		DETAIL % ["ticks", ticks],
		DETAIL % ["not understood", strange],
	]
	var stats: Dictionary = details["stats"]
	if stats:
		var traffic := (
			"%s in, %s out, in %s and %s system calls"
			% [
				Figures.bytes(int(stats["bytes_received"])),
				Figures.bytes(int(stats["bytes_sent"])),
				Figures.grouped(int(stats["receive_syscalls"])),
				Figures.grouped(int(stats["send_syscalls"])),
			]
		)
		all.append(DETAIL % ["dropped", Report.dropped(stats)])
		all.append(DETAIL % ["traffic", traffic])
	all.append("")
	return all
