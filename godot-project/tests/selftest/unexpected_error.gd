extends "../support/suite.gd"
## An error that the test did not announce.


func test_an_unexpected_error_fails(_kind: StringName) -> void:
	check(true, "all is well otherwise")
	push_error("nobody expects this")
