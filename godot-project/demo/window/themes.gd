extends RefCounted
## The dark theme of the window, and the light one that is made of it: every colour of theme.tres
## has a partner in LIGHT, so both have the same items. Icons that show a state have the theme's
## colours.

const DARK := preload("theme.tres")

## Colours of theme.tres, and what the light theme has instead.
const LIGHT: Dictionary[String, String] = {
	# Surfaces, from the window to what lies on top.
	"0e1016": "e9edf3",
	"13161e": "f4f6fa",
	"1c212c": "ffffff",
	"232834": "eef1f6",
	"2d3443": "ccd3df",
	"3b4458": "bcc5d4",
	# Buttons.
	"2f374a": "dfe5ee",
	"3e4a63": "ccd5e3",
	"3366ab": "1f5fb8",
	"3a73c0": "2a71d0",
	"273245": "e2eaf6",
	"8cc2ff": "0b57c4",
	# Words.
	"ffffff": "ffffff",
	"f5f7ff": "0d131d",
	"e7ebf3": "1a212d",
	"dee4ef": "1e2734",
	"b8cced": "27466f",
	"b3bed1": "465163",
	"a5b1c6": "4b5768",
	"8793aa": "5a6677",
	"6b758a": "98a3b4",
	# Alice and Bob, and words on their badges.
	"4f9cf9": "1f6bd0",
	"f2a65a": "a85d0a",
	"11141c": "ffffff",
	"1a3353": "dceafc",
	"3e2f20": "fceedd",
	# Good and bad.
	"3fb072": "2c9a5d",
	"6fdd9a": "187043",
	"d95a4e": "cf4a3e",
	"ff8274": "b3261c",
	"ffa08f": "a82a1e",
	# Graphs. Blue and orange, purple and yellow are of Okabe and Ito's palette, or near to it.
	"262c39": "e1e6ee",
	"2a3140": "e3e8f0",
	"f0e442": "8a5a00",
	"56b4e9": "0072b2",
	"78c4f0": "00639c",
	"e69f00": "d55e00",
	"edb033": "a84a00",
	"de87b5": "a3407a",
}

const TICK := "M4 8.4 L7 11.4 L12.2 5"
const SVG := '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d">%s</svg>'

static var _light: Theme


## Makes icons once, for the dark theme too.
static func theme(is_light: bool) -> Theme:
	if not DARK.has_icon(&"checked", &"CheckBox"):
		_add_icons(DARK)
	if not is_light:
		return DARK
	if _light == null:
		_light = light_of(DARK)
	return _light


## A copy with the partners of all colours.
static func light_of(dark: Theme) -> Theme:
	var light := Theme.new()
	light.merge_with(dark)
	var boxes: Dictionary[StyleBox, StyleBox] = {}
	for type in light.get_type_list():
		for item in light.get_color_list(type):
			light.set_color(item, type, partner(light.get_color(item, type)))
		for item in light.get_stylebox_list(type):
			var box := light.get_stylebox(item, type) as StyleBoxFlat
			if box and not boxes.has(box):
				boxes[box] = _light_box(box)
			if box:
				light.set_stylebox(item, type, boxes[box])
	_add_icons(light)
	return light


static func has_partner(colour: Color) -> bool:
	return colour.a == 0.0 or LIGHT.has(colour.to_html(false))


static func partner(colour: Color) -> Color:
	if not has_partner(colour) or colour.a == 0.0:
		return colour
	return Color(Color.html(LIGHT[colour.to_html(false)]), colour.a)


## The contrast ratio of WCAG 2: 1 to 21; 4.5 is wanted for text, 3 for lines and marks.
static func contrast(one: Color, other: Color) -> float:
	var lighter := maxf(_luminance(one), _luminance(other))
	var darker := minf(_luminance(one), _luminance(other))
	return (lighter + 0.05) / (darker + 0.05)


static func _luminance(colour: Color) -> float:
	var linear := colour.srgb_to_linear()
	return 0.2126 * linear.r + 0.7152 * linear.g + 0.0722 * linear.b


static func _light_box(box: StyleBoxFlat) -> StyleBoxFlat:
	var light: StyleBoxFlat = box.duplicate()
	light.bg_color = partner(box.bg_color)
	light.border_color = partner(box.border_color)
	return light


static func _add_icons(theme: Theme) -> void:
	var words := theme.get_color(&"font_color", &"MutedLabel").to_html(false)
	var faint := theme.get_color(&"font_disabled_color", &"Button").to_html(false)
	var accent := _box_colour(theme, &"normal", &"BigButton").to_html(false)
	var surface := _box_colour(theme, &"normal", &"LineEdit").to_html(false)
	var list := _box_colour(theme, &"panel", &"PopupMenu").to_html(false)
	for type: StringName in [&"CheckBox", &"PopupMenu"]:
		_set_icon(theme, &"unchecked", type, _square(words, surface))
		_set_icon(theme, &"unchecked_disabled", type, _square(faint, surface))
		_set_icon(theme, &"checked", type, _square(accent, accent) + _path(TICK, "ffffff"))
		_set_icon(theme, &"checked_disabled", type, _square(faint, surface) + _path(TICK, faint))
		_set_icon(theme, &"radio_unchecked", type, "")
		# The rim shows it on the line that the mouse is over, which has the accent's colour.
		_set_icon(theme, &"radio_checked", type, _path(TICK, list, 5) + _path(TICK, words))
	_set_icon(theme, &"grabber", &"HSlider", _disc(words, 5))
	_set_icon(theme, &"grabber_highlight", &"HSlider", _disc(words, 6))
	_set_icon(theme, &"grabber_disabled", &"HSlider", _disc(faint, 5))
	_set_icon(theme, &"folded_arrow", &"FoldableContainer", _path("M6 4 L10 8 L6 12", words))
	_set_icon(theme, &"expanded_arrow", &"FoldableContainer", _path("M4 6 L8 10 L12 6", words))
	# White: the engine colours them.
	_set_icon(theme, &"arrow", &"OptionButton", _path("M4 6 L8 10 L12 6", "ffffff"))
	_set_icon(theme, &"up", &"SpinBox", _path("M4 7 L8 3 L12 7", "ffffff"), Vector2i(16, 9))
	_set_icon(theme, &"down", &"SpinBox", _path("M4 2 L8 6 L12 2", "ffffff"), Vector2i(16, 9))


static func _box_colour(theme: Theme, item: StringName, type: StringName) -> Color:
	return (theme.get_stylebox(item, type) as StyleBoxFlat).bg_color


static func _set_icon(
	theme: Theme, item: StringName, type: StringName, shapes: String, size := Vector2i(16, 16)
) -> void:
	theme.set_icon(item, type, DPITexture.create_from_string(SVG % [size.x, size.y, shapes]))


static func _square(border: String, inside: String) -> String:
	return (
		(
			'<rect x="1.75" y="1.75" width="12.5" height="12.5" rx="3" fill="#%s" stroke="#%s"'
			% [inside, border]
		)
		+ ' stroke-width="1.5"/>'
	)


static func _disc(colour: String, radius: int) -> String:
	return '<circle cx="8" cy="8" r="%d" fill="#%s"/>' % [radius, colour]


static func _path(points: String, colour: String, width := 2) -> String:
	return (
		(
			'<path d="%s" fill="none" stroke="#%s" stroke-width="%d" stroke-linecap="round"'
			% [points, colour, width]
		)
		+ ' stroke-linejoin="round"/>'
	)
