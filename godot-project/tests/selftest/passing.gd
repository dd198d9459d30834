extends "../support/suite.gd"
## Nothing is wrong here: shows that the others fail for their own reasons.


func test_a_true_check_passes(kind: StringName) -> void:
	answer("is_bound", make_peer(kind).is_bound(), false)


func test_an_expected_error_is_no_failure(kind: StringName) -> void:
	misuse(kind, "put_packet", make_peer(kind), "put_packet", [bytes("x")], ERR_UNCONFIGURED)
	allow_lines("^ERROR: told in advance$")
	push_error("told in advance")
