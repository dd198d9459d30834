extends RefCounted
## Counts numbered updates as they arrive. The sender numbers them from 1, so missing, repeated and
## late ones are known exactly.

enum Verdict {
	## The newest so far.
	NEW,
	## A newer one arrived before it.
	LATE,
	## It has arrived before.
	REPEATED,
	## Too far ahead to be possible; it is not counted.
	ABSURD,
}

## How far ahead of the newest a number may be: ten seconds of updates. A player that misses more
## times out, and a false number cannot make the count long.
const MAX_AHEAD := 300
## How many missing numbers are stored, to tell late from repeated.
const MAX_REMEMBERED := 4096

## How many different updates have arrived.
var received := 0
## How many arrived more than once.
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


## How many older ones than the newest are missing.
func missing() -> int:
	return newest - received


## [received, repeated, late], for the other end.
func figures() -> PackedInt32Array:
	return [received, repeated, late]


static func are_figures(numbers: PackedInt32Array) -> bool:
	return numbers.size() == 3 and numbers[0] >= 0 and numbers[1] >= 0 and numbers[2] >= 0
