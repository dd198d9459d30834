extends RefCounted
## How much of the machine's processors other programs have had, at least, since this was made. Rows
## in which two threads work hand in hand cost visibly more when they cannot have a processor each,
## and the spread of the rounds does not show it.

var _others: int
var _total: int
var _own: PackedStringArray = ["self"]


## [param helper] is a process that does part of what is measured.
func _init(helper := -1) -> void:
	if helper >= 0:
		_own.append(str(helper))
	var now := _ticks()
	_others = now[0]
	_total = now[1]


## From 0 to 1; -1 where the system does not tell.
func share() -> float:
	var now := _ticks()
	if now[1] <= _total:
		return -1.0
	return clampf(float(now[0] - _others) / (now[1] - _total), 0.0, 1.0)


# Processor time in the kernel's ticks: what others had, and all there was.
func _ticks() -> PackedInt64Array:
	var machine := _figures("/proc/stat")
	if machine.size() < 9:
		return [0, 0]
	var total := 0
	for i in range(1, 9):
		total += machine[i].to_int()
	# user, nice, system, and what the host took for others (steal). Interrupts are left out: those
	# are mostly our own packets. Part of them the kernel counts as this program's own time, so the
	# result is too small by some hundredths rather than too large.
	var busy := 0
	for i: int in [1, 2, 3, 8]:
		busy += machine[i].to_int()
	for process in _own:
		var own := _figures("/proc/%s/stat" % process)
		if own.size() < 15:
			return [0, 0]
		busy -= own[13].to_int() + own[14].to_int()
	return [busy, total]


# The words of a file's first line. A program's name is one word there, and ours have no spaces.
static func _figures(path: String) -> PackedStringArray:
	var file := FileAccess.open(path, FileAccess.READ)
	return PackedStringArray() if file == null else file.get_line().split(" ", false)
