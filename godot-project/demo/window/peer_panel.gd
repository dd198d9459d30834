extends PanelContainer
## A peer in the window: who it is, its transcript, a line to type in, and buttons for what else it
## can send. Alice's and Bob's are the same.

## A text was typed and sent off.
signal said(words: String)

const MessageCard := preload("message_card.gd")
const Note := preload("../note.gd")

const MESSAGE_CARD := preload("message_card.tscn")
const MAX_CARDS := 100

## Shown in the head: "Alice" or "Bob", and the colour of the messages follows it.
@export var peer_name := "Alice"
## The sender of the messages received here.
@export var partner_name := "Bob"

var _follow := true


func _ready() -> void:
	%Name.text = peer_name
	%Initial.text = peer_name.left(1)
	%Badge.theme_type_variation = peer_name + "Badge"
	%Send.pressed.connect(_say)
	%Input.text_submitted.connect(func(_words: String) -> void: _say())
	var bar: VScrollBar = %Scroll.get_v_scroll_bar()
	# A new card is laid out a frame later; its position is known only then.
	bar.changed.connect(_scroll_down)
	bar.value_changed.connect(_on_scrolled)


func show_identity(kind: String, address: String) -> void:
	%Kind.text = kind
	%Address.text = address


## Lets the user choose the peer's implementation; `chosen` is called with the index.
func offer_choice(names: Array, chosen: Callable) -> void:
	%Choice.show()
	%Kind.hide()
	for choice: String in names:
		%Choice.add_item(choice)
	%Choice.item_selected.connect(chosen)


func show_choice(number: int) -> void:
	%Choice.select(number)


func add_action(text: String, tooltip: String, action: Callable) -> void:
	var button := Button.new()
	button.text = text
	button.tooltip_text = tooltip
	button.pressed.connect(action)
	%Actions.add_child(button)
	%Actions.show()


## Whether anything can be sent from here, and why (not).
func set_enabled(enabled: bool, hint: String) -> void:
	%Input.editable = enabled
	%Input.placeholder_text = hint
	%Send.disabled = not enabled
	for button: Button in %Actions.get_children():
		button.disabled = not enabled


func add_note(note: Note) -> void:
	var card: MessageCard = MESSAGE_CARD.instantiate()
	card.show_note(note, peer_name if note.sent else partner_name)
	_add(card)


## A line that is no message.
func add_remark(words: String) -> void:
	var label := Label.new()
	label.text = words
	label.theme_type_variation = &"MutedLabel"
	label.horizontal_alignment = HORIZONTAL_ALIGNMENT_CENTER
	label.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_add(label)


func _scroll_down() -> void:
	if _follow:
		%Scroll.scroll_vertical = int(%Scroll.get_v_scroll_bar().max_value)


## Stops following while the user has scrolled up.
func _on_scrolled(_value: float) -> void:
	var bar: VScrollBar = %Scroll.get_v_scroll_bar()
	_follow = bar.value >= bar.max_value - bar.page - 1.0


func _add(card: Control) -> void:
	%Cards.add_child(card)
	if %Cards.get_child_count() > MAX_CARDS:
		%Cards.get_child(0).queue_free()


func _say() -> void:
	if %Input.text:
		said.emit(%Input.text)
		%Input.clear()
