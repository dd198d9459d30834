extends RefCounted
## Numbers of an axis: where it ends, where its lines are, and how a value is written.

const Figures := preload("../../figures.gd")
## A scale is made smaller when the largest value is below this share of it.
const SHRINK_BELOW := 0.35
const STEPS: Array[float] = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
const LINE_STEPS: Array[float] = [
	1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 25.0, 50.0
]


## The smallest of STEPS times a power of ten that is not below `value`.
static func round_up(value: float) -> float:
	if value <= 0.0 or not is_finite(value):
		return 1.0
	var power := pow(10.0, floorf(log(value) / log(10.0)))
	for step in STEPS:
		# A step of 1.0000001 is meant to be 1.
		if value <= step * power * 1.000001:
			return step * power
	return 10.0 * power


## Where the axis ends for values up to `largest`. It follows larger values at once, and smaller
## ones only when they are much smaller, so that it does not jump to and fro.
static func axis_end(largest: float, present_end: float, smallest_end: float) -> float:
	var wanted := maxf(round_up(largest), smallest_end)
	if wanted > present_end or largest < present_end * SHRINK_BELOW:
		return wanted
	return present_end


## The distance between two lines of the axis, so that there are at most `most` of them above 0, and
## the last one is the end.
static func line_distance(end: float, most: int) -> float:
	var power := pow(10.0, floorf(log(end / most) / log(10.0)))
	for step: float in LINE_STEPS:
		var lines := end / (step * power)
		if lines < most + 0.001 and absf(lines - roundf(lines)) < 0.001:
			return step * power
	return end


## At most three digits, more for large numbers: "0.42", "7.3", "54", "1,250".
static func words(value: float) -> String:
	if not is_finite(value):
		return "–"
	if absf(value) >= 999.5:
		return Figures.grouped(roundi(value))
	if absf(value) >= 99.95 or is_equal_approx(value, roundf(value)):
		return "%d" % roundi(value)
	return ("%.1f" if absf(value) >= 9.995 else "%.2f") % value


## "0", "12.5", "1,000".
static func axis_words(value: float) -> String:
	var is_whole := is_equal_approx(value, roundf(value))
	return Figures.grouped(roundi(value)) if is_whole else String.num(value, 3)


static func round_to_two_digits(value: float) -> float:
	return snappedf(value, pow(10.0, floorf(log(maxf(value, 1e-9)) / log(10.0)) - 1.0))
