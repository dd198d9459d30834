@tool
extends EditorPlugin
## Says which library of the addon the editor has loaded, and with "--help-page CLASS" after "--"
## what the editor's help shows of a class. See scripts/export_test.sh.

const Mapped := preload("../mapped.gd")
const TIMEOUT_MSEC := 60_000


func _enter_tree() -> void:
	print("editor: has loaded ", ", ".join(_names()))
	var arguments := OS.get_cmdline_user_args()
	if arguments.size() == 2 and arguments[0] == "--help-page":
		_show_help.call_deferred(arguments[1])


func _names() -> PackedStringArray:
	var names: PackedStringArray
	for path in Mapped.libraries():
		names.append(path.get_file())
	return names


func _show_help(of_class: String) -> void:
	var deadline := Time.get_ticks_msec() + TIMEOUT_MSEC
	while EditorInterface.get_resource_filesystem().is_scanning():
		await get_tree().process_frame
	var text := ""
	while text.is_empty() and Time.get_ticks_msec() < deadline:
		EditorInterface.get_script_editor().goto_help("class_name:" + of_class)
		await get_tree().process_frame
		text = _help_text()
	print("editor: the help of %s begins" % of_class)
	print(text)
	print("editor: the help of %s ends" % of_class)
	get_tree().quit()


func _help_text() -> String:
	for page in EditorInterface.get_script_editor().find_children("*", "EditorHelp", true, false):
		for label: RichTextLabel in page.find_children("*", "RichTextLabel", true, false):
			return label.get_parsed_text()
	return ""
