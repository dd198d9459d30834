extends RefCounted
## The cursor that all graphs share. It stands at a place of the graphs, counted in buckets before
## the newest one, so that values pass below it while the experiment runs.

signal moved

const NOWHERE := -1

## Buckets before the newest; NOWHERE: there is no cursor.
var age := NOWHERE:
	set(value):
		value = maxi(value, NOWHERE)
		if value != age:
			age = value
			moved.emit()


func is_shown() -> bool:
	return age != NOWHERE
