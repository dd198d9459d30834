extends HBoxContainer
## A property of UdpLinkConditions with what it takes to change it: its name, and a slider and a
## number, a list, or a check box, as the property's hint says.

signal edited(property: String, value: Variant)

const Terms := preload("terms.gd")

const NAME_WIDTH := 98
const NUMBER_WIDTH := 122
## Small values get most of a slider's way.
const SLIDER_POWER := 3.0
const SLIDER_STEP := 0.005
const PERCENT := 100.0
## Numbers without a range.
const MOST := 1_000_000_000

var property := ""

var _type := TYPE_NIL
# A share between 0 and 1 is shown in percent.
var _factor := 1.0
var _number: SpinBox
var _slider: HSlider
var _list: OptionButton
var _box: CheckBox


## `info` is the property's, as in Object.get_property_list().
func _init(info: Dictionary) -> void:
	property = info["name"]
	_type = info["type"]
	var title := Label.new()
	title.text = Terms.property_name(property)
	title.theme_type_variation = &"FieldLabel"
	title.custom_minimum_size.x = NAME_WIDTH
	title.mouse_filter = Control.MOUSE_FILTER_STOP
	add_child(title)
	if _type == TYPE_BOOL:
		_add_box()
	elif info["hint"] == PROPERTY_HINT_ENUM:
		_add_list(info["hint_string"].split(","))
	elif info["hint"] == PROPERTY_HINT_RANGE:
		_add_slider()
		_add_number(info["hint_string"].split(","))
	else:
		_add_number(["0", str(MOST), "1", "or_greater", "or_less"])
	for child: Control in get_children():
		child.tooltip_text = Terms.property_words(property)


func show_value(value: Variant) -> void:
	if _box:
		_box.set_pressed_no_signal(value)
	elif _list:
		_list.select(value)
	else:
		_number.set_value_no_signal(value * _factor)
		_show_on_slider(value * _factor)


## The control that changes the property; for a number with a slider, the number.
func input() -> Control:
	if _box:
		return _box
	return _list if _list else _number


func slider() -> HSlider:
	return _slider


func _add_box() -> void:
	_box = CheckBox.new()
	_box.size_flags_horizontal = SIZE_EXPAND_FILL
	_box.toggled.connect(func(on: bool) -> void: edited.emit(property, on))
	add_child(_box)


func _add_list(names: PackedStringArray) -> void:
	_list = OptionButton.new()
	_list.size_flags_horizontal = SIZE_EXPAND_FILL
	for choice in names:
		_list.add_item(choice)
	_list.item_selected.connect(func(number: int) -> void: edited.emit(property, number))
	add_child(_list)


func _add_slider() -> void:
	_slider = HSlider.new()
	_slider.size_flags_horizontal = SIZE_EXPAND_FILL
	_slider.size_flags_vertical = SIZE_SHRINK_CENTER
	# The wheel scrolls the page.
	_slider.scrollable = false
	_slider.max_value = 1.0
	_slider.step = SLIDER_STEP
	_slider.value_changed.connect(_on_slider_moved)
	add_child(_slider)


func _add_number(hints: PackedStringArray) -> void:
	_number = SpinBox.new()
	_number.custom_minimum_size.x = NUMBER_WIDTH
	_number.size_flags_horizontal = SIZE_FILL if _slider else SIZE_EXPAND_FILL
	_number.alignment = HORIZONTAL_ALIGNMENT_RIGHT
	_number.select_all_on_focus = true
	if _type == TYPE_FLOAT and hints[1] == "1":
		_factor = PERCENT
		_number.suffix = "%"
	_number.min_value = hints[0].to_float() * _factor
	_number.max_value = hints[1].to_float() * _factor
	_number.step = hints[2].to_float() * _factor
	for hint in hints.slice(3):
		if hint.begins_with("suffix:"):
			_number.suffix = hint.trim_prefix("suffix:")
		elif hint == "or_greater":
			_number.allow_greater = true
		elif hint == "or_less":
			_number.allow_lesser = true
	_number.value_changed.connect(_on_number_changed)
	add_child(_number)


func _on_number_changed(value: float) -> void:
	_show_on_slider(value)
	var given := value / _factor
	edited.emit(property, roundi(given) if _type == TYPE_INT else given)


func _on_slider_moved(ratio: float) -> void:
	var span := _number.max_value - _number.min_value
	var value := _number.min_value + span * pow(ratio, SLIDER_POWER)
	# Two digits are enough for a hand on a slider.
	var digit := pow(10.0, floorf(log(maxf(value, 1e-6)) / log(10.0)) - 1.0)
	_number.value = snappedf(value, maxf(digit, _number.step))


func _show_on_slider(value: float) -> void:
	if _slider:
		var span := _number.max_value - _number.min_value
		var share := clampf((value - _number.min_value) / span, 0.0, 1.0)
		_slider.set_value_no_signal(pow(share, 1.0 / SLIDER_POWER))
