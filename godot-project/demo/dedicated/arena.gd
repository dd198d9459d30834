extends RefCounted
## Decides which players see each other. Sending 200 positions to 200 players takes 40,000 positions
## a tick, in packets too large for one datagram. So the arena is divided into cells, and a player
## sees those in its own cell and the eight around it. Players in one cell see the same, themselves
## included: one view serves all of them.

const View := preload("view.gd")

const BOUNDS := Rect2(0.0, 0.0, 2000.0, 2000.0)
const CELL := 200.0
## With this many players a snapshot stays below Wire.MAX_BYTES. If more are in view, each is shown
## in turn.
const MAX_SEEN := 80

var _tick := 0
var _cells: Dictionary[Vector2i, View] = {}
var _views: Dictionary[Vector2i, View] = {}


static func contains(position: Vector2) -> bool:
	# NAN and INF are outside.
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


## What a player at [param position] sees, once all are placed.
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
