extends "../support/suite.gd"
## A script error among lines that are expected.


func test_a_script_error_is_never_expected(_kind: StringName) -> void:
	allow_lines(".*")
	check(true, "before the error")
	var nothing: Node = null
	nothing.queue_free()
