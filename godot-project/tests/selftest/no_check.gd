extends "../support/suite.gd"
## A test that shows nothing.


func test_nothing(_kind: StringName) -> void:
	pass
