extends RefCounted
## One conversation of an experiment: a near end that sends numbered packets and takes their echoes,
## a far end that sends them back, the network between both, and what is measured.

enum State { IDLE, STARTING, RUNNING, SETTLING, STOPPED }

const LabMeasures := preload("lab_measures.gd")
const LabSetup := preload("lab_setup.gd")

var near := LabSetup.EndKind.OURS
var measures := LabMeasures.new()
var state := State.IDLE
## Why it does not run, in words.
var trouble := ""


## The class of the near end, and what the network is made of.
func title() -> String:
	return ""


## Whether the conditions come from a UdpLinkProxy.
func is_relayed() -> bool:
	return false


## What get_stats() of the peer or of the relay says of the conditions, both directions together:
## &"lost", &"duplicated", &"reordered", &"corrupted", &"dropped", &"waiting"; and of the near end,
## where the class tells (else -1): &"dropped_queue", &"dropped_kernel".
func counted() -> Dictionary[StringName, int]:
	return {}
