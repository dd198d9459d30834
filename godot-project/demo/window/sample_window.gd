extends Control
## The sample project in a window: the chat, the game that freezes on purpose, and the LAN lobby,
## each a page.

const Conversation := preload("../conversation.gd")
const Chat := preload("chat.gd")
const ChatPicture := preload("chat_picture.gd")
const LobbyPage := preload("lobby_page.gd")
const LobbyPicture := preload("lobby_picture.gd")
const PictureSession := preload("picture_session.gd")
const StallPage := preload("stall_page.gd")
const StallPicture := preload("stall_picture.gd")

const SMALLEST_WINDOW := Vector2i(860, 600)

@onready var chat: Chat = %Chat
@onready var stall_page: StallPage = %Stall
@onready var lobby_page: LobbyPage = %Lobby
## In the order of the tabs, under the names that `--scene=` gives them.
@onready
var _pages: Dictionary[String, Control] = {"chat": chat, "stall": stall_page, "lobby": lobby_page}


func _process(_delta: float) -> void:
	for page: Control in _pages.values():
		if page.visible:
			%Status.text = page.call(&"status")


## `--scene=stall` and `--scene=lobby` begin with that page; `--screenshot=PATH` plays on the page
## by itself, saves a picture of it, and ends.
func play(arguments: Dictionary[String, String]) -> void:
	# Little moves here by itself: draw only what has changed.
	OS.low_processor_usage_mode = true
	get_window().min_size = SMALLEST_WINDOW
	chat.open()
	var scene: String = arguments.get("scene", "chat")
	var session: PictureSession
	if arguments.has("screenshot"):
		session = _picture_of(scene)
		add_child(session)
		session.prepare(self, arguments)
	%Tabs.tab_changed.connect(_show_page)
	%Tabs.current_tab = _pages.keys().find(scene)
	if session:
		session.play()
	else:
		chat.choose_bob(Conversation.BobKind.RS)


func _picture_of(scene: String) -> PictureSession:
	match scene:
		"stall":
			return StallPicture.new()
		"lobby":
			return LobbyPicture.new()
	return ChatPicture.new()


func _show_page(number: int) -> void:
	var pages := _pages.values()
	for page: Control in pages:
		page.visible = page == pages[number]
