extends RefCounted
## The state of a server as text: a line, or a table for a terminal. Rates are those between the
## last two looks.

const Account := preload("account.gd")
const Figures := preload("../figures.gd")
const GameServer := preload("game_server.gd")
const Player := preload("player.gd")
const Report := preload("report.gd")

const ROW := "  %-16s  %-21s  %5s  %5s  %7s  %8s  %8s  %11s"
const HEADINGS: Array[String] = [
	"player", "address", "in/s", "out/s", "lost in", "lost out", "jitter", "longest gap"
]

## How many players the table shows: those with the most losses, then the longest gaps.
var rows := 12

var _server: GameServer
var _start_usec := Time.get_ticks_usec()
var _last_usec := _start_usec
# The time between the last two looks, and the totals at the last.
var _seconds := 0.0
var _moves := Account.new()
var _snapshots := Account.new()
# Moves received and snapshots sent: totals of each player, and between the last two looks of each
# player and of all.
var _counts: Dictionary[int, Vector2i] = {}
var _rates: Dictionary[int, Vector2i] = {}
var _rate := Vector2i.ZERO


func _init(server: GameServer) -> void:
	_server = server


func look() -> void:
	var now := Time.get_ticks_usec()
	_seconds = (now - _last_usec) / 1_000_000.0
	_last_usec = now
	var before := Vector2i(_moves.received, _snapshots.sent)
	_moves = _server.moves()
	_snapshots = _server.snapshots()
	_rate = Vector2i(_moves.received, _snapshots.sent) - before
	var counts: Dictionary[int, Vector2i] = {}
	_rates.clear()
	for player: Player in _server.players.values():
		counts[player.id] = Vector2i(player.moves.received, player.snapshots_sent)
		_rates[player.id] = counts[player.id] - _counts.get(player.id, Vector2i.ZERO)
	_counts = counts


func line() -> String:
	var parts: PackedStringArray = [_counts_words(), _rate_words(), _frame_words()]
	return "%4d s  %s" % [_age_seconds(), "; ".join(parts)]


func table() -> PackedStringArray:
	var lines: PackedStringArray = [
		"%s, port %d, %d s" % [_server.describe(), _server.local_port(), _age_seconds()],
		"  " + _counts_words(),
		"  " + _rate_words(),
		"  " + _frame_words(),
	]
	if _server.stats():
		lines.append("  packets dropped: " + Report.dropped(_server.stats()))
	lines.append("")
	lines.append(ROW % HEADINGS)
	var players := _server.players.values()
	players.sort_custom(_is_worse)
	for player: Player in players.slice(0, rows):
		lines.append(_row(player))
	if players.size() > rows:
		lines.append("  … and %d more" % (players.size() - rows))
	return lines


func _age_seconds() -> int:
	return (_last_usec - _start_usec) / 1_000_000


func _counts_words() -> String:
	return (
		"%s, %d have left, %d fell silent"
		% [Figures.counted(_server.players.size(), "player"), _server.left, _server.timed_out]
	)


func _rate_words() -> String:
	var rates := [Figures.per_second(_rate.x, _seconds), Figures.per_second(_rate.y, _seconds)]
	var losses := [Figures.grouped(_moves.lost()), Figures.grouped(_snapshots.lost())]
	return "in %s/s, out %s/s; lost: %s in, %s out" % (rates + losses)


func _frame_words() -> String:
	var work := _server.workload
	return (
		"a frame takes %s, the longest took %s"
		% [Figures.msec(work.mean_usec()), Figures.msec(work.longest_usec)]
	)


func _row(player: Player) -> String:
	var rate: Vector2i = _rates.get(player.id, Vector2i.ZERO)
	return (
		ROW
		% [
			player.name,
			player.address,
			Figures.per_second(rate.x, _seconds),
			Figures.per_second(rate.y, _seconds),
			Figures.grouped(player.moves_account().lost()),
			Figures.grouped(player.snapshots_account().lost()),
			Figures.msec(player.pace.jitter_usec),
			Figures.msec(player.pace.longest_gap_usec),
		]
	)


static func _is_worse(one: Player, other: Player) -> bool:
	var lost := one.moves_account().lost() + one.snapshots_account().lost()
	var other_lost := other.moves_account().lost() + other.snapshots_account().lost()
	if lost != other_lost:
		return lost > other_lost
	return one.pace.longest_gap_usec > other.pace.longest_gap_usec
