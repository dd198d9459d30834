extends "../support/suite.gd"
## A test that blocks the main thread for ever.


func test_a_hang_is_ended(kind: StringName) -> void:
	check(true, "all is well otherwise")
	bound_peer(kind).wait()
