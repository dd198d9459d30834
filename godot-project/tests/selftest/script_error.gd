extends "../support/suite.gd"
## A script that goes wrong while it runs.


func test_a_script_error_fails(_kind: StringName) -> void:
	check(true, "before the error")
	var nothing: Node = null
	nothing.queue_free()
