extends "../support/suite.gd"
## An error that another thread prints.


func test_an_error_of_a_thread_fails(_kind: StringName) -> void:
	join(in_thread(func() -> void: push_error("said in a thread")))
	check(true, "all is well otherwise")
