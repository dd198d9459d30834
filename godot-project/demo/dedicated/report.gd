extends RefCounted
## The final figures of a process of the server or of bots. Each end has counted what it sent and
## received, and got the other end's figures with the goodbye.

const Account := preload("account.gd")
const Bot := preload("bot.gd")
const GameServer := preload("game_server.gd")
const Report := preload("report.gd")

var is_server := false
## Players that left with a bye, and those that did not.
var left := 0
var failed := 0
var moves := Account.new()
var snapshots := Account.new()
## Malformed packets.
var bad_packets := 0
## Updates that were left out because a frame took too long.
var skipped_ticks := 0
## More figures of the server; empty for bots.
var details: Dictionary = {}


static func of_server(server: GameServer) -> Report:
	var report := Report.new()
	report.is_server = true
	report.left = server.left
	report.failed = server.timed_out + server.players.size()
	report.moves = server.moves()
	report.snapshots = server.snapshots()
	report.bad_packets = server.bad_packets()
	report.skipped_ticks = server.skipped_ticks()
	report.details = {
		"sockets": server.describe(),
		"strangers": server.strangers,
		"ticks": server.tick,
		"frame_usec": server.workload.mean_usec(),
		"longest_frame_usec": server.workload.longest_usec,
		"longest_pause_usec": server.workload.longest_between_usec,
		"stats": server.stats(),
	}
	return report


static func of_bots(bots: Array[Bot]) -> Report:
	var report := Report.new()
	for bot in bots:
		if bot.state == Bot.State.LEFT:
			report.left += 1
		else:
			report.failed += 1
		report.moves.add(bot.moves_account())
		report.snapshots.add(bot.snapshots_account())
		report.bad_packets += bot.bad_packets
		report.skipped_ticks += bot.skipped_ticks()
	return report


func add(other: Report) -> void:
	left += other.left
	failed += other.failed
	moves.add(other.moves)
	snapshots.add(other.snapshots)
	bad_packets += other.bad_packets
	skipped_ticks += other.skipped_ticks


func save(path: String) -> void:
	write_file(
		path,
		(
			JSON
			. stringify(
				{
					"is_server": is_server,
					"left": left,
					"failed": failed,
					"moves": moves.to_dictionary(),
					"snapshots": snapshots.to_dictionary(),
					"bad_packets": bad_packets,
					"skipped_ticks": skipped_ticks,
					"details": details,
				},
				"\t"
			)
		)
	)


## How many packets UdpServerRs.get_stats() counts as dropped, and where.
static func dropped(stats: Dictionary) -> String:
	var places: PackedStringArray = []
	for place: String in ["queue", "kernel", "pending"]:
		places.append("%s %d" % [place, stats["packets_dropped_" + place]])
	return ", ".join(places)


## null where there is none.
static func read(path: String) -> Report:
	var content: Variant = JSON.parse_string(FileAccess.get_file_as_string(path))
	if not content is Dictionary:
		return null
	var report := Report.new()
	report.is_server = content["is_server"]
	report.left = int(content["left"])
	report.failed = int(content["failed"])
	report.moves = Account.from_dictionary(content["moves"])
	report.snapshots = Account.from_dictionary(content["snapshots"])
	report.bad_packets = int(content["bad_packets"])
	report.skipped_ticks = int(content["skipped_ticks"])
	report.details = content["details"]
	return report


## Replaces the file at once: a reader never sees half of it.
static func write_file(path: String, text: String) -> void:
	var file := FileAccess.open(path + ".new", FileAccess.WRITE)
	if file == null:
		printerr("dedicated: %s: %s" % [path, error_string(FileAccess.get_open_error())])
		return
	file.store_string(text)
	file.close()
	DirAccess.rename_absolute(path + ".new", path)
