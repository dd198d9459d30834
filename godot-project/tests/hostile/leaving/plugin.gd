@tool
extends EditorPlugin
## Reloads the addon in the editor in the middle of each thing that support/busy.gd knows, and
## checks that it is over then. Ends the editor with a line that says whether all was well. See
## scripts/leaving.sh. Arguments after "--":
##   --trials=N     how often each
##   --cases=CASES  which, separated by commas
##   --flood=PATH   flood.py

const Busy := preload("busy.gd")
const MANIFEST := "res://addons/packet_peer_udp_rs/addon.gdextension"
const TIMEOUT_MSEC := 30_000

var _trials := 1
var _cases := Busy.CASES
var _flood := ""
var _reloads := 0
var _failures: PackedStringArray
# A member, since a coroutine keeps what is in its local variables.
var _busy: Busy


func _enter_tree() -> void:
	_run.call_deferred()


func _run() -> void:
	for argument in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
		match argument.get_slice("=", 0):
			"--trials":
				_trials = value.to_int()
			"--cases":
				_cases = value.split(",")
			"--flood":
				_flood = value
	await _until(func() -> bool: return not EditorInterface.get_resource_filesystem().is_scanning())
	for case in _cases:
		for trial in _trials:
			if _failures.is_empty():
				await _reload_in_the_middle_of(case)
	for failure in _failures:
		print("leaving: FAILED: " + failure)
	if _failures.is_empty() and _reloads > 0:
		print("leaving: reloaded %d times" % _reloads)
	get_tree().quit(0 if _failures.is_empty() else 1)


func _reload_in_the_middle_of(case: String) -> void:
	_busy = Busy.new()
	_busy.flood = _flood
	if not _busy.begin(case):
		_failures.append("%s: cannot begin" % case)
		return
	await _until(_busy.is_busy)
	if not _busy.is_busy():
		_failures.append("%s: not in the middle of it: %d" % [case, _busy.figure()])
		return
	_replace_library()
	var start := Time.get_ticks_msec()
	var status := GDExtensionManager.reload_extension(MANIFEST)
	var took := Time.get_ticks_msec() - start
	if status != GDExtensionManager.LOAD_STATUS_OK:
		_failures.append("%s: reload_extension answers %d" % [case, status])
	if took > TIMEOUT_MSEC:
		_failures.append("%s: the reload took %d ms" % [case, took])
	for part in _busy.open_parts():
		_failures.append("%s: %s is open after the reload" % [case, part])
	await _until(_busy.has_no_threads)
	if not _busy.has_no_threads():
		_failures.append("%s: a wait goes on after the reload" % case)
		return
	for answer: Variant in _busy.end():
		if answer != ERR_UNAVAILABLE:
			_failures.append("%s: the wait answers %s" % [case, answer])
	_busy = null
	var peer: PacketPeer = ClassDB.instantiate(&"PacketPeerUdpRs")
	if peer.bind(0, Busy.LOOPBACK) != OK:
		_failures.append("%s: a peer cannot be opened after the reload" % case)
	_reloads += 1
	print("leaving: reloaded in the middle of %s in %d ms" % [case, took])


# Replaces the library by a copy, which is another file for the system.
func _replace_library() -> void:
	for line in FileAccess.get_file_as_string(MANIFEST).split("\n"):
		var named := MANIFEST.get_base_dir().path_join(line.get_slice('"', 1))
		if line.begins_with("linux.") and FileAccess.file_exists(named):
			var path := ProjectSettings.globalize_path(named)
			DirAccess.copy_absolute(path, path + ".new")
			DirAccess.rename_absolute(path + ".new", path)


func _until(condition: Callable) -> void:
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while not condition.call() and Time.get_ticks_msec() < deadline:
		await get_tree().process_frame
