extends RefCounted
## A row of the benchmark: the same work done by native and by ours, in alternating rounds. Ours may
## use methods that native lacks.

const NATIVE := &"PacketPeerUDP"
const OURS := &"PacketPeerUdpRs"

var id: String
## The packets' payload in bytes; 0 if the case sends none.
var size: int

# Microseconds per packet (or call), one figure per round.
var _usec: Dictionary[StringName, PackedFloat64Array] = {
	NATIVE: PackedFloat64Array(),
	OURS: PackedFloat64Array(),
}


func _init(case_id: String, packet_size: int) -> void:
	id = case_id
	size = packet_size


## Runs [param rounds] rounds of both classes, after one that warms up. Returns the reason of a
## failure, or "".
func run(rounds: int) -> String:
	var problem := _open()
	for i in rounds + 1:
		if not problem.is_empty():
			break
		# Each class runs first in every other round.
		var first := _round(NATIVE if i % 2 else OURS)
		var second := _round(OURS if i % 2 else NATIVE)
		problem = _problem()
		if i > 0 and problem.is_empty():  # the first round warms up
			_keep(NATIVE, first if i % 2 else second)
			_keep(OURS, second if i % 2 else first)
	_close()
	return problem


func name() -> String:
	return "%s, %d bytes" % [id, size]


## Members that the row needs and the addon lacks.
func missing_members() -> PackedStringArray:
	return lacking(_needs())


func to_dictionary() -> Dictionary:
	return {
		"row": id,
		"size": size,
		"native": _usec[NATIVE],
		"ours": _usec[OURS],
		"missing": missing_members(),
	}


## Those of the methods and properties that the addon lacks.
static func lacking(members: PackedStringArray) -> PackedStringArray:
	var properties := ClassDB.class_get_property_list(OURS, true).map(
		func(property: Dictionary) -> String: return property.name
	)
	var missing: PackedStringArray
	for member in members:
		if not ClassDB.class_has_method(OURS, member) and not member in properties:
			missing.append(member)
	return missing


# ---- overridden by the cases --------------------------------------------------------------------


## Methods and properties of PacketPeerUdpRs that native lacks and the row needs.
func _needs() -> PackedStringArray:
	return []


## Opens the peers. Returns the reason of a failure, or "".
func _open() -> String:
	return ""


## Runs a round. Returns the microseconds per packet or call.
func _round(_kind: StringName) -> float:
	return 0.0


## Stores the figure of a round.
func _keep(kind: StringName, usec: float) -> void:
	_usec[kind].append(usec)


func _problem() -> String:
	return ""


func _close() -> void:
	pass
