extends SceneTree
## Draws the thumbnail of the Asset Store. Called by scripts/store_pictures.sh:
## `-- ICON.svg SCREENSHOT.png RESULT.png`, in a window of 1280 × 720.
##
## The editor shows it 160 pixels wide, so it has a large icon, few words, and the bars of the
## screenshot.

const SIZE := Vector2(1280, 720)
const BACKGROUND := Color("15181f")
## Where the three results are in the screenshot of the frozen second.
const RESULTS := Rect2(14, 188, 1252, 464)


func _init() -> void:
	var arguments := OS.get_cmdline_user_args()
	if arguments.size() != 3:
		push_error("usage: ICON.svg SCREENSHOT.png RESULT.png")
		quit(1)
		return
	var back := ColorRect.new()
	back.color = BACKGROUND
	back.size = SIZE
	root.add_child(back)

	var icon := Image.new()
	# Drawn at 15 times its size, not enlarged.
	icon.load_svg_from_string(FileAccess.get_file_as_string(arguments[0]), 15.0)
	_picture(ImageTexture.create_from_image(icon), Rect2(48, 24, 240, 240))
	_words("PacketPeerUdpRs", Vector2(328, 40), 96, Color.WHITE)
	_words(
		"UDP in the background: a drop-in for PacketPeerUDP", Vector2(332, 172), 36, Color("9fb4d8")
	)

	var shot := AtlasTexture.new()
	shot.atlas = ImageTexture.create_from_image(Image.load_from_file(arguments[1]))
	shot.region = RESULTS
	_picture(shot, Rect2(Vector2(14, 262), Vector2(1252, 464)))

	for i in 5:
		await process_frame
	RenderingServer.force_draw()
	var drawn := root.get_texture().get_image()
	drawn.convert(Image.FORMAT_RGB8)
	if drawn.get_size() != Vector2i(SIZE) or drawn.save_png(arguments[2]) != OK:
		push_error("the picture of %s could not be saved" % drawn.get_size())
		quit(1)
		return
	print("store pictures: thumbnail saved")
	quit()


func _picture(texture: Texture2D, place: Rect2) -> void:
	var picture := TextureRect.new()
	picture.texture = texture
	picture.expand_mode = TextureRect.EXPAND_IGNORE_SIZE
	picture.position = place.position
	picture.size = place.size
	root.add_child(picture)


func _words(text: String, place: Vector2, size: int, color: Color) -> void:
	var label := Label.new()
	label.text = text
	label.position = place
	label.add_theme_font_size_override(&"font_size", size)
	label.add_theme_color_override(&"font_color", color)
	root.add_child(label)
