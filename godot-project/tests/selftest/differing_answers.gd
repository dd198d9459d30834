extends "../support/suite.gd"
## Two kinds that answer differently, where no literal answer is written down.


func test_different_answers_fail(kind: StringName) -> void:
	record("get_class", make_peer(kind).get_class())
