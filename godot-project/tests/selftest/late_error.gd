extends "../support/suite.gd"
## An error that is printed when all tests are over, while the engine shuts down.


func test_a_late_error_fails(_kind: StringName) -> void:
	check(true, "all is well otherwise")
	var tree: SceneTree = Engine.get_main_loop()
	tree.root.add_child.call_deferred(_LateNode.new())


class _LateNode:
	extends Node

	func _exit_tree() -> void:
		push_error("said at the end")
