extends RefCounted
## What the lane shows of a side: the packets that its measures remember.

const LabMeasures := preload("../../lab/lab_measures.gd")
const Track := preload("lane_track.gd")


## Oldest first, up to the first one whose fate is not known yet: without those that are lost, but
## not yet missed, too few would fall.
static func passages(measures: LabMeasures) -> Array[Track.Passage]:
	var found: Array[Track.Passage] = []
	var slots := measures.recent_numbers.size()
	if slots == 0:
		return found
	var newest := 0
	for slot in slots:
		if measures.recent_fates[slot] != LabMeasures.Fate.NONE:
			newest = maxi(newest, measures.recent_numbers[slot] / measures.recent_every)
	for place in range(maxi(newest - slots + 1, 0), newest + 1):
		var slot := place % slots
		match measures.recent_fates[slot]:
			LabMeasures.Fate.FLYING:
				break
			LabMeasures.Fate.NONE:
				continue
		found.append(_passage(measures, slot))
	return found


static func _passage(measures: LabMeasures, slot: int) -> Track.Passage:
	var passage := Track.Passage.new()
	passage.sent_usec = measures.recent_sent_usec[slot]
	var fate := measures.recent_fates[slot]
	passage.is_overtaken = fate == LabMeasures.Fate.OVERTAKEN
	if fate != LabMeasures.Fate.LOST:
		passage.arrived_usec = measures.recent_arrived_usec[slot]
	return passage
