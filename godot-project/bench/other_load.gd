extends RefCounted
## The share of the machine's processor time that other programs have used since this object was
## created: a lower bound. Rows in which two threads alternate cost more when the threads cannot run
## on different processors, and the spread of the rounds does not show that.

var _others: int
var _total: int
var _own: PackedStringArray = ["self"]


## [param helper] is the id of a process that takes part in the measurement, or -1.
func _init(helper := -1) -> void:
	if helper >= 0:
		_own.append(str(helper))
	var now := _ticks()
	_others = now[0]
	_total = now[1]


## From 0 to 1; -1 if the system does not report it.
func share() -> float:
	var now := _ticks()
	if now[1] <= _total:
		return -1.0
	return clampf(float(now[0] - _others) / (now[1] - _total), 0.0, 1.0)


# Processor time in the kernel's ticks: used by others, and in total.
func _ticks() -> PackedInt64Array:
	var machine := _figures("/proc/stat")
	if machine.size() < 9:
		return [0, 0]
	var total := 0
	for i in range(1, 9):
		total += machine[i].to_int()
	# user, nice, system and steal (used by other guests of the host). Interrupts are not counted:
	# most handle this program's packets. The kernel counts some of them as this program's time, so
	# the result is a few hundredths too small.
	var busy := 0
	for i: int in [1, 2, 3, 8]:
		busy += machine[i].to_int()
	for process in _own:
		var own := _figures("/proc/%s/stat" % process)
		if own.size() < 15:
			return [0, 0]
		busy -= own[13].to_int() + own[14].to_int()
	return [busy, total]


# The words of a file's first line. In /proc/PID/stat a program's name is one word if it contains no
# spaces, as here.
static func _figures(path: String) -> PackedStringArray:
	var file := FileAccess.open(path, FileAccess.READ)
	return PackedStringArray() if file == null else file.get_line().split(" ", false)
