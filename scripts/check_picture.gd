extends SceneTree
## Fails unless a picture shows something: `godot --headless --script check_picture.gd -- FILE`.
## An empty window is one colour, or a handful of them.

const LEAST_COLOURS := 50


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
	quit(0 if colours.size() >= LEAST_COLOURS else 1)
