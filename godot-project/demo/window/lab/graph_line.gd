extends RefCounted
## One line of a graph: values of equal distance in time, the newest last. NAN: nothing is known.
## Where there are more values than a screen has room for, a point stands for several.

## BAND fills the space between `lower` and `values`.
enum Style { LINE, THIN, BAND }

## A line goes on over so many values that are unknown, as between two packets of slow traffic.
const LONGEST_BRIDGE := 10
## Of so many units of a dashed line, the first ones are drawn.
const DASH_CYCLE := 5
const DASH_PART := 3

var values: PackedFloat32Array
## Of a band.
var lower: PackedFloat32Array
var style := Style.LINE
## Of the native peer: another colour, and dashed.
var is_native := false
## A point shows the largest of its values, so that no peak is lost; else their mean.
var shows_largest := false
## The number of the newest value since the beginning. It tells which values share a point, so that
## points keep their values while they move.
var newest := 0

# Values that share a point.
var _per_point := 1
var _points: PackedVector2Array
var _lower_points: PackedVector2Array


func _init(line_style := Style.LINE, of_native := false) -> void:
	style = line_style
	is_native = of_native


## To be called when the values are there: so many of them share a point.
func share_points(per_point: int) -> void:
	_per_point = per_point
	_points = _points_of(values)
	_lower_points = _points_of(lower)


## Of what is drawn.
func largest() -> float:
	var found := 0.0
	for point in _points:
		found = maxf(found, point.y)
	return found


## The value that is drawn so many values before the newest one; NAN where there is none.
func value_at(age: int) -> float:
	var place := values.size() - 1 - age
	if place < 0 or place >= values.size():
		return NAN
	var first := place - posmod(newest - age, _per_point)
	return _joined(values, first, first + _per_point)


## The age of the newest value that is known; `otherwise` where none is that is not older.
func newest_age(otherwise: int) -> int:
	for age in otherwise:
		if not is_nan(value_at(age)):
			return age
	return otherwise


## The line in pieces; short gaps are bridged. `place` moves points to the screen.
func pieces(place: Transform2D) -> Array[PackedVector2Array]:
	var found: Array[PackedVector2Array] = []
	var begin := 0
	for i in range(1, _points.size() + 1):
		if i == _points.size() or _points[i].x - _points[i - 1].x > LONGEST_BRIDGE:
			var piece := _points.slice(begin, i)
			if piece.size() == 1:
				# A value between two gaps is a short line.
				piece.append(piece[0] + Vector2(0.5, 0.0))
			if piece.size() > 1:
				found.append(place * piece)
			begin = i
	return found


## The same as dashes: pairs of points. Dashes move with the values. A steep part is drawn whole: a
## gap would hide a peak.
func dashes(place: Transform2D, length_px: float, steep_px: float) -> PackedVector2Array:
	var pairs := PackedVector2Array()
	var unit := maxi(_per_point, roundi(length_px / maxf(place.x.x, 0.01)))
	var steep := steep_px / maxf(absf(place.y.y), 1e-9)
	var first := newest - values.size() + 1
	for i in range(1, _points.size()):
		var before := _points[i - 1]
		var point := _points[i]
		if point.x - before.x <= LONGEST_BRIDGE:
			var is_dash := (first + int(point.x)) / unit % DASH_CYCLE < DASH_PART
			if is_dash or absf(point.y - before.y) > steep:
				pairs.append(before)
				pairs.append(point)
	return place * pairs


## The area between `lower` and `values` as triangles, two between two points; short gaps are
## bridged, as in a line.
func area(place: Transform2D) -> PackedVector2Array:
	var corners := PackedVector2Array()
	for i in range(1, mini(_points.size(), _lower_points.size())):
		if _points[i].x - _points[i - 1].x <= LONGEST_BRIDGE:
			corners.append(_lower_points[i - 1])
			corners.append(_points[i - 1])
			corners.append(_points[i])
			corners.append(_lower_points[i - 1])
			corners.append(_points[i])
			corners.append(_lower_points[i])
	return place * corners


## The points (number of the value, value), without those that are unknown. The same as _joined()
## for each of them, in one go: it runs for thousands of values a frame.
func _points_of(from: PackedFloat32Array) -> PackedVector2Array:
	var points := PackedVector2Array()
	var last := from.size() - 1
	# Of a value among those that share a point.
	var place := posmod(newest - last, _per_point)
	var total := 0.0
	var most := 0.0
	var count := 0
	for i in from.size():
		var value := from[i]
		if not is_nan(value):
			total += value
			count += 1
			if value > most:
				most = value
		place += 1
		if place == _per_point or i == last:
			if count > 0:
				var middle := clampf(i + 1.0 - place + (_per_point - 1) * 0.5, 0.0, last)
				points.append(Vector2(middle, most if shows_largest else total / count))
			place = 0
			total = 0.0
			most = 0.0
			count = 0
	return points


func _joined(from: PackedFloat32Array, begin: int, end: int) -> float:
	var total := 0.0
	var most := 0.0
	var count := 0
	for i in range(maxi(begin, 0), mini(end, from.size())):
		var value := from[i]
		if not is_nan(value):
			total += value
			most = maxf(most, value)
			count += 1
	if count == 0:
		return NAN
	return most if shows_largest else total / count
