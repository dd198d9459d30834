extends RefCounted
## A real name server on this host (dnsmasq), which can be paused. It knows these names only, with
## any prefix:
## [br]- both.test: 10.77.1.2 and fd77:1::2; four.test, six.test: one of them;
## [br]- barred.test: 10.99.0.1.

const OPTIONS: PackedStringArray = [
	"--conf-file=/dev/null",
	"--no-resolv",
	"--no-hosts",
	"--user=root",
	"--cache-size=0",
	"--port=53",
	"--listen-address=127.0.0.1",
	"--bind-interfaces",
	"--local=/test/",
	"--address=/both.test/10.77.1.2",
	"--address=/both.test/fd77:1::2",
	"--address=/four.test/10.77.1.2",
	"--address=/six.test/fd77:1::2",
	"--address=/barred.test/10.99.0.1",
]

var _pid := ""


## Whether dnsmasq is installed.
static func exists() -> bool:
	return OS.execute("sh", ["-c", "command -v dnsmasq > /dev/null"]) == 0


## Starts it; it answers when this returns. False where it cannot be started.
func start() -> bool:
	var folder := DirAccess.create_temp("names")
	var pid_file := folder.get_current_dir().path_join("pid")
	# The command returns when the server answers.
	if OS.execute("dnsmasq", OPTIONS + PackedStringArray(["--pid-file=" + pid_file])) != 0:
		return false
	_pid = FileAccess.get_file_as_string(pid_file).strip_edges()
	return not _pid.is_empty()


## From now on it answers no question.
func pause() -> void:
	_signal("-STOP")


## It answers again, also the questions asked meanwhile.
func resume() -> void:
	_signal("-CONT")


## Ends it. Its port is free when this returns.
func stop() -> void:
	if _pid.is_empty():
		return
	_signal("-KILL")
	var deadline := Time.get_ticks_msec() + 30_000
	while _is_alive() and Time.get_ticks_msec() < deadline:
		OS.delay_usec(200)


# Whether the process runs, and is no zombie.
func _is_alive() -> bool:
	var stat := FileAccess.open("/proc/%s/stat" % _pid, FileAccess.READ)
	return stat != null and not ") Z " in stat.get_line()


func _signal(which: String) -> void:
	if not _pid.is_empty():
		OS.execute("kill", [which, _pid])
