extends SceneTree
## A game with the addon and another extension. See scripts/two_extensions_test.sh.

const Both := preload("both.gd")


func _initialize() -> void:
	_run.call_deferred()


func _run() -> void:
	var both := Both.new()
	await both.check_all(self)
	both.finish(self, "in a game")
