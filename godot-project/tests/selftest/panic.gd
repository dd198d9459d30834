extends "../support/suite.gd"
## A Rust method that panics: scripts/selftest.sh builds a library for it.


func test_a_panic_fails(_kind: StringName) -> void:
	check(ClassDB.class_exists(&"PanicProbe"), "the class PanicProbe is missing")
	ClassDB.instantiate(&"PanicProbe").call(&"panic_now")
