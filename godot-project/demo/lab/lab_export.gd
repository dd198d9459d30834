extends RefCounted
## Writes what was measured: a CSV file of all series, and a picture of the page.

const Lab := preload("lab.gd")
const LabMeasures := preload("lab_measures.gd")


## The header: "seconds", then for each side all names of LabMeasures.SERIES with their units; a row
## for each bucket that has begun. An empty cell is a bucket without a value.
static func csv(_lab: Lab) -> PackedStringArray:
	return PackedStringArray()


static func save_csv(_lab: Lab, _path: String) -> Error:
	return OK


## What a viewport has drawn, as PNG. To be called after a frame was drawn
## (RenderingServer.frame_post_draw).
static func save_picture(_viewport: Viewport, _path: String) -> Error:
	return OK
