extends RefCounted
## What the scripted session claims: each claim is checked when it is printed, and counted.

var held := 0
var failed := 0


## Prints the claim; where it does not hold, `otherwise` says what was found instead.
func check(holds: bool, claim: String, otherwise := "") -> void:
	if holds:
		held += 1
		print("    [ok] ", claim)
	else:
		failed += 1
		print("    [FAILED] ", claim)
		if otherwise:
			print("             instead: ", otherwise)


func summary() -> String:
	if failed:
		return "demo: %d of %d claims failed" % [failed, held + failed]
	return "demo: all %d claims held" % held
