extends SceneTree
## A game that quits in the middle of something. See scripts/leaving.sh. Arguments after "--":
##   --case=CASE     one of those of support/busy.gd
##   --flood=PATH    support/flood.py
##   --way=WAY       "quit": by quit(); "window": as when the user closes the window

const Busy := preload("../support/busy.gd")
const TIMEOUT_MSEC := 30_000

var _busy := Busy.new()
var _case := ""
var _way := "quit"


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
		match argument.get_slice("=", 0):
			"--case":
				_case = value
			"--flood":
				_busy.flood = value
			"--way":
				_way = value
	if not _busy.begin(_case):
		print("leaves: FAILED: cannot begin")
		quit(1)


func _process(_delta: float) -> bool:
	if _busy.is_busy():
		print("leaves: in the middle of %s: %d" % [_case, _busy.figure()])
		print("leaves: quits at %d" % int(Time.get_unix_time_from_system() * 1000))
		if _way == "quit":
			quit()
		else:
			root.close_requested.emit()
	elif Time.get_ticks_msec() > TIMEOUT_MSEC:
		print("leaves: FAILED: not in the middle of it: %d" % _busy.figure())
		quit(1)
	return false
