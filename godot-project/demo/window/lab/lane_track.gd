extends RefCounted
## One pair of ends in the lane, and the packets between them. It shows recent traffic again,
## stretched in time: an excerpt, and when that is over, the newest one. So what becomes of a packet
## is known when it leaves.

enum Fate { ARRIVES, IS_OVERTAKEN, LOST }

## How long the median packet is on its way, there and back, on the screen.
const WAY_SEC := 3.2
const FALL_SEC := 0.9
## So much of the traffic, in time on the screen, is an excerpt.
const EXCERPT_SEC := 2.0
## More cannot be told apart.
const MOST_PACKETS := 70


## A packet on the screen. Times are in seconds of the lane's clock.
class Flight:
	var start := 0.0
	var length := 0.0
	var fate := Fate.ARRIVES
	## Of its way, there and back, at which a lost packet falls.
	var fall_at := 0.0

	## 0: leaves, 0.5: is at the far end, 1: is back.
	func progress(clock: float) -> float:
		var share := (clock - start) / length
		return minf(share, fall_at) if fate == Fate.LOST else share

	## Seconds since it began to fall; negative before.
	func falling(clock: float) -> float:
		return clock - start - length * fall_at if fate == Fate.LOST else -1.0

	func is_over(clock: float) -> bool:
		if fate == Fate.LOST:
			return falling(clock) > FALL_SEC
		return clock - start > length


## What a packet was: when it was sent, and when its echo came, or NEVER.
class Passage:
	const NEVER := -1

	var sent_usec := 0
	var arrived_usec := NEVER
	var is_overtaken := false


var title := ""
var is_native := false
var flights: Array[Flight] = []
var _excerpt_end := 0.0


func clear() -> void:
	flights.clear()
	_excerpt_end = 0.0


func wants_excerpt(clock: float) -> bool:
	return clock >= _excerpt_end


## `passages` are recent packets whose fate is known, oldest first.
func take_excerpt(passages: Array[Passage], clock: float, slowness: float) -> void:
	_excerpt_end = clock + EXCERPT_SEC
	if passages.is_empty():
		return
	var first_usec := passages[-1].sent_usec - roundi(EXCERPT_SEC / slowness * 1e6)
	var chosen := passages.filter(
		func(passage: Passage) -> bool: return passage.sent_usec > first_usec
	)
	var every := ceili(chosen.size() as float / MOST_PACKETS)
	for i in range(0, chosen.size(), maxi(every, 1)):
		flights.append(_flight_of(chosen[i], first_usec, clock, slowness))


func drop_finished(clock: float) -> void:
	for i in range(flights.size() - 1, -1, -1):
		if flights[i].is_over(clock):
			flights.remove_at(i)


## How much slower packets have to be, so that the median one takes WAY_SEC.
static func slowness_of(passages: Array[Passage]) -> float:
	var times := PackedInt64Array()
	for passage in passages:
		if passage.arrived_usec != Passage.NEVER:
			times.append(passage.arrived_usec - passage.sent_usec)
	if times.is_empty():
		return 1.0
	times.sort()
	return maxf(1.0, WAY_SEC * 1e6 / maxi(times[times.size() / 2], 1))


func _flight_of(passage: Passage, first_usec: int, clock: float, slowness: float) -> Flight:
	var flight := Flight.new()
	flight.start = clock + (passage.sent_usec - first_usec) / 1e6 * slowness
	flight.length = WAY_SEC
	if passage.arrived_usec == Passage.NEVER:
		flight.fate = Fate.LOST
		# Where it was lost, nobody knows: anywhere.
		flight.fall_at = 0.08 + 0.84 * (hash(passage.sent_usec) % 1000) / 1000.0
	else:
		flight.length = (passage.arrived_usec - passage.sent_usec) / 1e6 * slowness
		flight.fate = Fate.IS_OVERTAKEN if passage.is_overtaken else Fate.ARRIVES
	return flight
