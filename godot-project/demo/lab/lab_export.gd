extends RefCounted
## Writes what was measured: a CSV file of all series, and a picture of the page.

const Lab := preload("lab.gd")
const LabMeasures := preload("lab_measures.gd")
const LabSetup := preload("lab_setup.gd")
const LabSide := preload("lab_side.gd")

const DECIMALS := 3


## The header: "seconds", then for each side all names of LabMeasures.SERIES with their units; a row
## for each bucket that has begun. An empty cell is a bucket without a value.
static func csv(lab: Lab) -> PackedStringArray:
	var titles := PackedStringArray()
	var measures: Array[LabMeasures] = []
	for side in lab.sides:
		titles.append(LabSetup.END_TITLES[side.near])
		measures.append(side.measures)
	return csv_of(titles, measures)


## The same from any measures that began at the same time. The rows are the buckets of the first.
static func csv_of(titles: PackedStringArray, all: Array[LabMeasures]) -> PackedStringArray:
	var header := PackedStringArray(["seconds"])
	var columns: Array[PackedFloat32Array] = []
	# By how many places the values of a column come later than those of the first.
	var shifts := PackedInt32Array()
	for i in all.size():
		for name in LabMeasures.SERIES:
			var unit := LabMeasures.SERIES[name]
			header.append("%s %s%s" % [titles[i], name, " (%s)" % unit if unit else ""])
			columns.append(all[i].series(name))
			shifts.append(all[0].newest() - all[i].newest())
	var lines := PackedStringArray([",".join(header)])
	if all.is_empty():
		return lines
	for row in range(LabMeasures.BUCKETS - all[0].filled(), LabMeasures.BUCKETS):
		var cells := PackedStringArray([_number(all[0].seconds_at(row))])
		for i in columns.size():
			var place := row + shifts[i]
			var is_there := place >= 0 and place < LabMeasures.BUCKETS
			cells.append(_number(columns[i][place]) if is_there else "")
		lines.append(",".join(cells))
	return lines


static func save_csv(lab: Lab, path: String) -> Error:
	var file := FileAccess.open(path, FileAccess.WRITE)
	if file == null:
		return FileAccess.get_open_error()
	file.store_string("\n".join(csv(lab)) + "\n")
	return file.get_error()


## What a viewport has drawn, as PNG. To be called after a frame was drawn
## (RenderingServer.frame_post_draw).
static func save_picture(viewport: Viewport, path: String) -> Error:
	return viewport.get_texture().get_image().save_png(path)


static func _number(value: float) -> String:
	return "" if is_nan(value) else String.num(value, DECIMALS)
