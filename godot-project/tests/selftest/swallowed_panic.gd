extends "../support/suite.gd"
## A panic among lines that are expected.


func test_a_panic_is_never_expected(_kind: StringName) -> void:
	allow_lines(".*")
	check(ClassDB.class_exists(&"PanicProbe"), "the class PanicProbe is missing")
	ClassDB.instantiate(&"PanicProbe").call(&"panic_now")
