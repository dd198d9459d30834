extends Control
## The sample project in a window: the chat, and the game that freezes on purpose, each a page.

const Conversation := preload("../conversation.gd")
const Chat := preload("chat.gd")
const ChatPicture := preload("chat_picture.gd")
const PictureSession := preload("picture_session.gd")
const StallPage := preload("stall_page.gd")
const StallPicture := preload("stall_picture.gd")

const SMALLEST_WINDOW := Vector2i(860, 600)

@onready var chat: Chat = %Chat
@onready var stall_page: StallPage = %Stall
## In the order of the tabs.
@onready var _pages: Array[Control] = [chat, stall_page]


func _process(_delta: float) -> void:
	%Status.text = stall_page.status() if stall_page.visible else chat.status()


## `--scene=stall` begins with that page; `--screenshot=PATH` plays on the page by itself, saves a
## picture of it, and ends.
func play(arguments: Dictionary[String, String]) -> void:
	# Little moves here by itself: draw only what has changed.
	OS.low_processor_usage_mode = true
	get_window().min_size = SMALLEST_WINDOW
	chat.open()
	%Tabs.tab_changed.connect(_show_page)
	var shows_stall: bool = arguments.get("scene") == "stall"
	%Tabs.current_tab = _pages.find(stall_page if shows_stall else chat)
	if arguments.has("screenshot"):
		var session: PictureSession = StallPicture.new() if shows_stall else ChatPicture.new()
		add_child(session)
		session.play(self, arguments["screenshot"])
	else:
		chat.choose_bob(Conversation.BobKind.RS)


func _show_page(number: int) -> void:
	for page in _pages:
		page.visible = page == _pages[number]
