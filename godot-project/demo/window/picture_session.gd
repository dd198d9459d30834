extends "../scripted/chapter.gd"
## A short session in the real window, and a picture of it. It checks what the picture shows.
## `--size=WxH` is the window's size.

const SampleWindow := preload("sample_window.gd")

var sample: SampleWindow

var _path := ""


## Called before the page is shown.
func prepare(window: SampleWindow, arguments: Dictionary[String, String]) -> void:
	claims = Claims.new()
	sample = window
	_path = arguments["screenshot"]
	if arguments.has("size"):
		var size: PackedStringArray = arguments["size"].split("x")
		window.get_window().size = Vector2i(size[0].to_int(), size[1].to_int())


func play() -> void:
	await perform()
	await _take_picture(_path)
	print(claims.summary())
	get_tree().quit(1 if claims.failed else 0)


## What happens before the picture is taken.
func perform() -> void:
	pass


func _take_picture(path: String) -> void:
	# The window draws only changes; the picture needs one more frame.
	OS.low_processor_usage_mode = false
	# Cards are laid out, and the transcripts scrolled, a few frames after they are made.
	for i in 5:
		await get_tree().process_frame
	await RenderingServer.frame_post_draw
	var image := get_viewport().get_texture().get_image()
	var error := image.save_png(path)
	claims.check(error == OK, "the picture is %s" % path, error_string(error))
