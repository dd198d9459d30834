extends SceneTree
## Fails if a picture is empty: `godot --headless --script check_picture.gd -- FILE`.
## A picture of an empty window has one colour, or a few.

const MIN_COLOURS := 50


func _init() -> void:
	var arguments := OS.get_cmdline_user_args()
	var image := Image.load_from_file(arguments[0]) if arguments.size() == 1 else null
	if image == null or image.is_empty():
		print("check_picture: there is no picture")
		quit(1)
		return
	image.convert(Image.FORMAT_RGBA8)
	var colours: Dictionary[int, bool] = {}
	for pixel in image.get_data().to_int32_array():
		colours[pixel] = true
	print("check_picture: %s pixels, %d colours" % [image.get_size(), colours.size()])
	quit(0 if colours.size() >= MIN_COLOURS else 1)
