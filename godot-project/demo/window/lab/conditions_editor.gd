extends VBoxContainer
## Changes the conditions of both directions: all properties of UdpLinkConditions, whatever they
## are, and the addon's presets. What is changed while an experiment runs takes effect at once.

## `property` is empty where several have changed.
signal edited(property: String)

enum Direction { THERE, BACK }

const Networks := preload("../../conditions/networks.gd")
const PropertyRow := preload("property_row.gd")

const CONDITIONS := &"UdpLinkConditions"
## The id of the presets' list that stands for no conditions.
const NONE := ""
const CUSTOM := "custom"
## What a preset does not say.
const NOT_OF_PRESETS: Array[String] = ["rng_seed"]

var there := UdpLinkConditions.new()
var back := UdpLinkConditions.new()
## Both directions are the same.
var is_linked := true
var shown := Direction.THERE

var _rows: Dictionary[String, PropertyRow] = {}

@onready
var _directions: Dictionary[Direction, Button] = {Direction.THERE: %There, Direction.BACK: %Back}


func _ready() -> void:
	var group := ButtonGroup.new()
	for direction in _directions:
		_directions[direction].button_group = group
		_directions[direction].pressed.connect(show_direction.bind(direction))
	%Linked.toggled.connect(link)
	for info in properties():
		var row := PropertyRow.new(info)
		row.edited.connect(set_property)
		_rows[row.property] = row
		%Rows.add_child(row)
	refresh()


## The properties of the class that the inspector shows.
static func properties() -> Array[Dictionary]:
	return ClassDB.class_get_property_list(CONDITIONS, true).filter(
		func(info: Dictionary) -> bool: return info["usage"] & PROPERTY_USAGE_EDITOR
	)


func row_of(property: String) -> PropertyRow:
	return _rows[property]


func show_direction(direction: Direction) -> void:
	shown = direction
	refresh()


## Makes both directions the same, as the one that is shown, or leaves them to differ from now on.
func link(on: bool) -> void:
	is_linked = on
	if on:
		_copy(_shown(), _other(), [])
		edited.emit("")
	refresh()


func set_property(property: String, value: Variant) -> void:
	for conditions in _edited_ones():
		conditions.set(property, value)
	refresh()
	edited.emit(property)


## `id` is a preset's, or NONE. The seed stays.
func choose_preset(id: String) -> void:
	var preset := Networks.preset(id) if id else UdpLinkConditions.new()
	for conditions in _edited_ones():
		_copy(preset, conditions, NOT_OF_PRESETS)
	refresh()
	edited.emit("")


## The preset that the direction shown equals; CUSTOM where it equals none.
func preset() -> String:
	for id: String in [NONE] + Networks.NAMES.keys():
		var preset := Networks.preset(id) if id else UdpLinkConditions.new()
		if _equal(preset, _shown()):
			return id
	return CUSTOM


func refresh() -> void:
	%Linked.set_pressed_no_signal(is_linked)
	_directions[shown].set_pressed_no_signal(true)
	for direction in _directions:
		_directions[direction].disabled = is_linked
	for property in _rows:
		_rows[property].show_value(_shown().get(property))


func _shown() -> UdpLinkConditions:
	return there if shown == Direction.THERE else back


func _other() -> UdpLinkConditions:
	return back if shown == Direction.THERE else there


func _edited_ones() -> Array[UdpLinkConditions]:
	var edited_ones: Array[UdpLinkConditions] = [_shown()]
	if is_linked:
		edited_ones.append(_other())
	return edited_ones


static func _copy(from: UdpLinkConditions, to: UdpLinkConditions, without: Array[String]) -> void:
	for info in properties():
		if info["name"] not in without:
			to.set(info["name"], from.get(info["name"]))


static func _equal(one: UdpLinkConditions, other: UdpLinkConditions) -> bool:
	return properties().all(
		func(info: Dictionary) -> bool:
			var property: String = info["name"]
			return property in NOT_OF_PRESETS or one.get(property) == other.get(property)
	)
