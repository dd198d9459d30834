extends Node
## Many bots in one process, without a window. The exit code is 0 if all of them left in good order,
## and nothing was lost, repeated or late in either direction. After `--` on the command line:
## - `--dedicated=bots`, how many: `--bots=50`, and where to: `--server=127.0.0.1:24278`;
## - `--name=bot --first=51`: they are bot 51, bot 52, …;
## - `--seconds=N`: how long they play;
## - `--native`: with the engine's PacketPeerUDP;
## - `--leave-out=N`: the N-th move of each is not sent, to see that losses are noticed;
## - `--report=PATH`: where its figures are written at the end (see report.gd).

## More frames than ticks, so that ticks come at the right time.
const FRAMES_PER_SECOND := 120

const Bot := preload("bot.gd")
const Report := preload("report.gd")

var _bots: Array[Bot] = []
var _report_path := ""


func play(arguments: Dictionary[String, String]) -> void:
	Engine.max_fps = FRAMES_PER_SECOND
	_report_path = arguments.get("report", "")
	var count: int = arguments.get("bots", "1").to_int()
	var first: int = arguments.get("first", "1").to_int()
	var address: String = arguments.get("server", "127.0.0.1:24278")
	var server := address.rsplit(":", true, 1)
	for i in count:
		var bot := Bot.new()
		bot.name = "%s %d" % [arguments.get("name", "bot"), first + i]
		bot.seconds = arguments.get("seconds", "10").to_float()
		bot.phase = float(i) / count
		bot.leave_out = arguments.get("leave-out", "0").to_int()
		_bots.append(bot)
		var error := bot.open(
			server[0].trim_prefix("[").trim_suffix("]"),
			server[-1].to_int(),
			arguments.has("native")
		)
		if error != OK:
			printerr("dedicated: no way to %s: %s" % [address, error_string(error)])
			get_tree().quit(1)
			return


func _process(_delta: float) -> void:
	var playing := 0
	for bot in _bots:
		bot.play_frame()
		if not bot.is_over():
			playing += 1
	if playing == 0:
		set_process(false)
		_end()


func _end() -> void:
	var report := Report.of_bots(_bots)
	if _report_path:
		report.save(_report_path)
	for bot in _bots:
		if bot.trouble:
			printerr("dedicated: %s: %s" % [bot.name, bot.trouble])
	var is_whole := report.moves.is_whole() and report.snapshots.is_whole()
	get_tree().quit(0 if is_whole and report.left == _bots.size() else 1)
