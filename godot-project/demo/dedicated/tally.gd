extends RefCounted
## Counts numbered updates as they come in. Their sender numbers them from 1 on, so what is missing,
## what comes twice and what comes late can be told exactly.

enum Verdict {
	## The newest so far.
	NEW,
	## A newer one was here before it.
	LATE,
	## It was here before.
	REPEATED,
	## No number that its sender can have come to. It was not counted.
	ABSURD,
}

## So far ahead of the newest a number may be: ten seconds of updates. Whoever misses that many is
## gone by the time-out, and a liar can make nobody count far.
const MAX_AHEAD := 300
## So many missing ones are remembered, to tell a late one from one that comes twice.
const MAX_REMEMBERED := 4096

## How many different ones are here.
var received := 0
## How often one came that was here already.
var repeated := 0
## How many of those received came after a newer one.
var late := 0
## The highest number so far.
var newest := 0

var _missing: Dictionary[int, bool] = {}


func take(number: int) -> Verdict:
	if number < 1 or number > newest + MAX_AHEAD:
		return Verdict.ABSURD
	if number > newest:
		for skipped in range(newest + 1, number):
			_missing[skipped] = true
		if _missing.size() > MAX_REMEMBERED:
			_missing.clear()
		newest = number
		received += 1
		return Verdict.NEW
	if _missing.erase(number):
		received += 1
		late += 1
		return Verdict.LATE
	repeated += 1
	return Verdict.REPEATED


## How many older ones than the newest are not here.
func missing() -> int:
	return newest - received


## For the other end: received, repeated, late.
func figures() -> PackedInt32Array:
	return [received, repeated, late]


static func are_figures(numbers: PackedInt32Array) -> bool:
	return numbers.size() == 3 and numbers[0] >= 0 and numbers[1] >= 0 and numbers[2] >= 0
