extends RefCounted
## Who sees whom. To tell 200 players of 200 takes 40,000 positions a tick, in packets that no
## network carries in one piece. So the arena is cut into cells, and a player is told of those in
## its own cell and in the eight around it. Players in one cell see the same, themselves included:
## a view is made once for all of them.

const View := preload("view.gd")

const BOUNDS := Rect2(0.0, 0.0, 2000.0, 2000.0)
const CELL := 200.0
## With so many a snapshot stays below Wire.MAX_BYTES. In a larger crowd each is seen in turn.
const MAX_SEEN := 80

var _tick := 0
var _cells: Dictionary[Vector2i, View] = {}
var _views: Dictionary[Vector2i, View] = {}


static func contains(position: Vector2) -> bool:
	# What is no number is neither inside nor outside.
	return position.is_finite() and BOUNDS.has_point(position)


## Begins a tick: the arena is empty.
func clear(tick: int) -> void:
	_tick = tick
	_cells.clear()
	_views.clear()


func place(id: int, position: Vector2) -> void:
	var at := _cell_of(position)
	if not _cells.has(at):
		_cells[at] = View.new()
	_cells[at].add(id, position)


## What is seen from there, once all are placed.
func view_from(position: Vector2) -> View:
	var at := _cell_of(position)
	if not _views.has(at):
		_views[at] = _look_around(at)
	return _views[at]


func _look_around(at: Vector2i) -> View:
	var all := View.new()
	for x in range(at.x - 1, at.x + 2):
		for y in range(at.y - 1, at.y + 2):
			var cell: View = _cells.get(Vector2i(x, y))
			if cell:
				all.add_all(cell)
	if all.size() <= MAX_SEEN:
		return all
	return all.part(_tick * MAX_SEEN % all.size(), MAX_SEEN)


static func _cell_of(position: Vector2) -> Vector2i:
	return Vector2i((position / CELL).floor())
