extends Node
## The sample project's main scene. It picks what to play:
## - in a window: the Lab, a chat, a game that freezes on purpose, and a LAN lobby (`--scene=chat`,
##   `--scene=stall` or `--scene=lobby` begins with that; `--theme=light`; `--screenshot=PATH`: a
##   short session, a picture of it, and the end; window/lab_picture.gd has more arguments);
## - headless, or with `--scripted`: the same as a scripted session in the terminal;
## - with `--bob=PORT`: Bob alone, for an Alice in another process;
## - with `--lobby=host` or `--lobby=browse`: a LAN lobby without a window (lobby/lobby_process.gd);
## - with `--dedicated=server` or `--dedicated=bots`: a dedicated server, or players for it, without
##   a window (dedicated/server_process.gd, dedicated/bots_process.gd);
## - with `--lab-echo=PORT`: the far end of the Lab alone (lab/lab_echo_process.gd).
## These are user arguments: they come after `--` on the command line.

const SAMPLE_WINDOW := "res://demo/window/sample_window.tscn"
const SCRIPTED_SESSION := "res://demo/scripted/session.gd"
const BOB_PROCESS := "res://demo/peers/bob_process.gd"
const LOBBY_PROCESS := "res://demo/lobby/lobby_process.gd"
const SERVER_SCENE := "res://demo/dedicated/server.tscn"
const BOTS_PROCESS := "res://demo/dedicated/bots_process.gd"
const LAB_ECHO_PROCESS := "res://demo/lab/lab_echo_process.gd"
const SUMMARY_PROCESS := "res://demo/dedicated/summary_process.gd"


func _ready() -> void:
	# The scripts are loaded here and not by preload(), so that this one compiles without the addon
	# and can say that it is missing.
	if not ClassDB.class_exists(&"PacketPeerUdpRs"):
		printerr("demo: the addon is not loaded. Open the project in the editor once.")
		printerr("demo: In a clone, run scripts/build.sh before.")
		get_tree().quit(1)
		return

	var arguments := _user_arguments()
	var part: Node
	if arguments.has("bob"):
		part = load(BOB_PROCESS).new()
	elif arguments.has("lobby"):
		part = load(LOBBY_PROCESS).new()
	elif arguments.get("dedicated") == "server":
		part = load(SERVER_SCENE).instantiate()
	elif arguments.get("dedicated") == "bots":
		part = load(BOTS_PROCESS).new()
	elif arguments.get("dedicated") == "summary":
		part = load(SUMMARY_PROCESS).new()
	elif arguments.has("lab-echo"):
		part = load(LAB_ECHO_PROCESS).new()
	elif arguments.has("scripted") or DisplayServer.get_name() == "headless":
		part = load(SCRIPTED_SESSION).new()
	else:
		part = load(SAMPLE_WINDOW).instantiate()
	add_child(part)
	part.call(&"play", arguments)


## `--name=value` and `--name` as a dictionary.
func _user_arguments() -> Dictionary[String, String]:
	var arguments: Dictionary[String, String] = {}
	for argument in OS.get_cmdline_user_args():
		var parts := argument.trim_prefix("--").split("=", true, 1)
		arguments[parts[0]] = parts[1] if parts.size() > 1 else ""
	return arguments
