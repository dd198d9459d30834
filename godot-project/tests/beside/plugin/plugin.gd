@tool
extends EditorPlugin
## Reloads the addon and another extension in turns, each from another file, and checks that both
## work after each time. See scripts/two_extensions_test.sh.

const Both := preload("../both.gd")
const ROUNDS := 2


func _enter_tree() -> void:
	_run.call_deferred()


func _run() -> void:
	while EditorInterface.get_resource_filesystem().is_scanning():
		await get_tree().process_frame
	var both := Both.new()
	await both.check_all(get_tree())
	for i in ROUNDS:
		for manifest in GDExtensionManager.get_loaded_extensions():
			_replace_library(manifest, both)
			var status := GDExtensionManager.reload_extension(manifest)
			both.check(status == GDExtensionManager.LOAD_STATUS_OK, "%s: %d" % [manifest, status])
			await both.check_all(get_tree())
	both.finish(get_tree(), "in the editor, with %d reloads of each" % ROUNDS)


# Replaces the library by a copy, which is another file for the system.
func _replace_library(manifest: String, both: Both) -> void:
	var config := ConfigFile.new()
	both.check(config.load(manifest) == OK, manifest)
	var path := ""
	for key in config.get_section_keys("libraries"):
		var named := manifest.get_base_dir().path_join(config.get_value("libraries", key))
		# The first that fits, as the engine chooses.
		if path.is_empty() and FileAccess.file_exists(named):
			path = ProjectSettings.globalize_path(named)
	both.check(DirAccess.copy_absolute(path, path + ".new") == OK, "it cannot be copied: " + path)
	both.check(DirAccess.rename_absolute(path + ".new", path) == OK, "it cannot be replaced")
