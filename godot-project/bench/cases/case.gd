extends RefCounted
## A row of the benchmark: something that both classes do, native in the engine's way, ours in the
## way that the row is about. Measured in rounds, the two in turn.

const NATIVE := &"PacketPeerUDP"
const OURS := &"PacketPeerUdpRs"

var id: String
## The packets' payload in bytes; 0 where there is none.
var size: int

# Microseconds per packet (or call), a figure per round.
var _usec: Dictionary[StringName, PackedFloat64Array] = {
	NATIVE: PackedFloat64Array(),
	OURS: PackedFloat64Array(),
}


func _init(case_id: String, packet_size: int) -> void:
	id = case_id
	size = packet_size


## Has its turn: so many rounds of both classes. What went wrong; "" where nothing did.
func run(rounds: int) -> String:
	var problem := _open()
	for i in rounds + 1:
		if not problem.is_empty():
			break
		# Each comes first as often as the other.
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


## What the row needs that the addon, as it is built, does not have.
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


## Those of the methods and properties that the addon does not have.
static func lacking(members: PackedStringArray) -> PackedStringArray:
	var properties := ClassDB.class_get_property_list(OURS, true).map(
		func(property: Dictionary) -> String: return property.name
	)
	var missing: PackedStringArray
	for member in members:
		if not ClassDB.class_has_method(OURS, member) and not member in properties:
			missing.append(member)
	return missing


# ---- what a row does ----------------------------------------------------------------------------


## Methods and properties of PacketPeerUdpRs that native does not have.
func _needs() -> PackedStringArray:
	return []


## Makes the peers. What went wrong; "" where nothing did.
func _open() -> String:
	return ""


## One round; returns the microseconds per packet or call.
func _round(_kind: StringName) -> float:
	return 0.0


## Notes what a round has told.
func _keep(kind: StringName, usec: float) -> void:
	_usec[kind].append(usec)


func _problem() -> String:
	return ""


func _close() -> void:
	pass
