extends "../support/suite.gd"
## A check that does not hold.


func test_a_false_check_fails(kind: StringName) -> void:
	answer("is_bound", make_peer(kind).is_bound(), true)
