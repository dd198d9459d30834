extends RefCounted
## Formats numbers for people.

const KIB := 1024
const MIB := 1024 * KIB


## 12000 as "12,000".
static func grouped(number: int) -> String:
	var digits := str(absi(number))
	for i in range(digits.length() - 3, 0, -3):
		digits = digits.insert(i, ",")
	return digits if number >= 0 else "-" + digits


## "1 packet", "2 packets".
static func counted(number: int, one: String, many := one + "s") -> String:
	return "%s %s" % [grouped(number), one if number == 1 else many]


## A number of bytes in the unit that suits it: "208 KiB", "8 MiB".
static func bytes(number: int) -> String:
	if number < MIB:
		return "%d KiB" % (number / KIB)
	return ("%.1f MiB" % (number as float / MIB)).replace(".0 ", " ")


static func per_second(number: int, seconds: float) -> String:
	return grouped(roundi(number / seconds)) if seconds > 0.0 else "–"


## A time of any length in milliseconds.
static func msec(usec: float) -> String:
	return "%.1f ms" % (usec / 1000.0)
