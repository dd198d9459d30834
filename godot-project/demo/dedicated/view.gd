extends RefCounted
## Some players and where they are, as it goes into a snapshot.

const View := preload("view.gd")

var ids := PackedInt32Array()
var positions := PackedVector2Array()


func size() -> int:
	return ids.size()


func add(id: int, position: Vector2) -> void:
	ids.append(id)
	positions.append(position)


func add_all(other: View) -> void:
	ids.append_array(other.ids)
	positions.append_array(other.positions)


## `count` players from index `start` on, wrapping around at the end.
func part(start: int, count: int) -> View:
	var some := View.new()
	some.ids = ids.slice(start, start + count)
	some.positions = positions.slice(start, start + count)
	var rest := count - some.size()
	if rest > 0:
		some.ids.append_array(ids.slice(0, rest))
		some.positions.append_array(positions.slice(0, rest))
	return some
