extends "../support/suite.gd"
## An object that nobody frees.


func test_a_leaked_object_fails(_kind: StringName) -> void:
	check(true, "all is well otherwise")
	Node.new()
