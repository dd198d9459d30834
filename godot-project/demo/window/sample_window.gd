extends Control
## The sample project in a window: the Lab, the chat, the game that freezes on purpose, and the LAN
## lobby, each a page.

const Conversation := preload("../conversation.gd")
const Chat := preload("chat.gd")
const ChatPicture := preload("chat_picture.gd")
const LabPage := preload("lab/lab_page.gd")
const LabPicture := preload("lab_picture.gd")
const LobbyPage := preload("lobby_page.gd")
const LobbyPicture := preload("lobby_picture.gd")
const PictureSession := preload("picture_session.gd")
const StallPage := preload("stall_page.gd")
const StallPicture := preload("stall_picture.gd")
const Themes := preload("themes.gd")

const SMALLEST_WINDOW := Vector2i(1152, 648)
## The height of a window, in pixels, that shows things in their own size; a higher one enlarges
## them.
const USUAL_HEIGHT := 1080.0
const SCALE_STEP := 0.25
const SMALLEST_SCALE := 0.75
const LARGEST_SCALE := 4.0

var is_light := false:
	set = _set_light

# What Ctrl + and Ctrl - add to the window's own scale.
var _scale_steps := 0

@onready var lab_page: LabPage = %Lab
@onready var chat: Chat = %Chat
@onready var stall_page: StallPage = %Stall
@onready var lobby_page: LobbyPage = %Lobby
## In the order of the tabs, under the names that `--scene=` gives them.
@onready var _pages: Dictionary[String, Control] = {
	"lab": lab_page, "chat": chat, "stall": stall_page, "lobby": lobby_page
}


func _process(_delta: float) -> void:
	for page: Control in _pages.values():
		if page.visible:
			%Status.text = page.call(&"status")
			# In a small window the label may show the beginning only.
			%Status.tooltip_text = %Status.text


func _unhandled_key_input(event: InputEvent) -> void:
	if not event.is_pressed() or not event.is_command_or_control_pressed():
		return
	match event.keycode:
		KEY_PLUS, KEY_EQUAL, KEY_KP_ADD:
			_scale_steps += 1
		KEY_MINUS, KEY_KP_SUBTRACT:
			_scale_steps -= 1
		KEY_0, KEY_KP_0:
			_scale_steps = 0
		_:
			return
	_scale_window()
	get_viewport().set_input_as_handled()


## `--scene=chat`, `--scene=stall` and `--scene=lobby` begin with that page, `--theme=light` with
## the light theme; `--screenshot=PATH` plays on the page by itself, saves a picture of it, and
## ends.
func play(arguments: Dictionary[String, String]) -> void:
	# Little moves here by itself: draw only what has changed.
	OS.low_processor_usage_mode = true
	get_window().min_size = SMALLEST_WINDOW
	get_window().size_changed.connect(_scale_window)
	%Light.pressed.connect(func() -> void: is_light = not is_light)
	is_light = arguments.get("theme") == "light"
	_scale_window()
	chat.own_network = lab_page.editor.there
	chat.open()
	var scene: String = arguments.get("scene", _pages.keys()[0])
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
		lab_page.focus_start()
		if get_viewport().gui_get_focus_owner() == null:
			%Tabs.grab_focus()


func _picture_of(scene: String) -> PictureSession:
	match scene:
		"stall":
			return StallPicture.new()
		"lobby":
			return LobbyPicture.new()
		"chat":
			return ChatPicture.new()
	return LabPicture.new()


func _show_page(number: int) -> void:
	var pages := _pages.values()
	for page: Control in pages:
		page.visible = page == pages[number]


func _set_light(value: bool) -> void:
	is_light = value
	theme = Themes.theme(is_light)
	%Light.text = "Dark" if is_light else "Light"


## Everything is as large as the window's height allows, unless the user wants another size.
func _scale_window() -> void:
	var window := get_window()
	var own := maxf(1.0, snappedf(window.size.y / USUAL_HEIGHT, SCALE_STEP))
	var room := Vector2(window.size) / Vector2(SMALLEST_WINDOW)
	var largest := clampf(minf(room.x, room.y), 1.0, LARGEST_SCALE)
	var fewest := floori((SMALLEST_SCALE - own) / SCALE_STEP)
	_scale_steps = clampi(_scale_steps, fewest, ceili((largest - own) / SCALE_STEP))
	window.content_scale_factor = clampf(own + _scale_steps * SCALE_STEP, SMALLEST_SCALE, largest)
