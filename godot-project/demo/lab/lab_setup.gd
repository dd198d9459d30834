extends RefCounted
## What an experiment of the Lab is made of. Values only: lab.gd runs it. Set them before
## Lab.start(); what may change while it runs is said below.

## OURS: PacketPeerUdpRs; NATIVE: the engine's PacketPeerUDP; PROCESS: a second engine process.
enum EndKind { OURS, NATIVE, PROCESS }

const LabPattern := preload("lab_pattern.gd")
const Networks := preload("../conditions/networks.gd")

const END_TITLES: Dictionary[EndKind, String] = {
	EndKind.OURS: "PacketPeerUdpRs",
	EndKind.NATIVE: "PacketPeerUDP",
	EndKind.PROCESS: "another process",
}
const LEAST_PACKET_BYTES := LabPattern.LEAST_PACKET_BYTES
const MOST_PACKET_BYTES := 16_384

## The end that sends packets and takes their echoes: OURS or NATIVE.
var near := EndKind.OURS
## The end that sends them back.
var far := EndKind.OURS
## Runs a second side beside the first, whose near end is NATIVE.
var compare_with_native := false
## Of a near end OURS. Without it, it is read once a frame, as NATIVE always is.
var background_receive := true
## Whether OURS gets its conditions from a relay as well, as NATIVE always does, instead of from
## send_conditions and receive_conditions.
var through_relay := false

## The network from the near end to the far end, and back; null: as the machine is. They are used as
## they are, not copied: a property that is changed while the experiment runs takes effect at once.
## So never set a preset itself, but a copy of it (see use_preset()).
var there: UdpLinkConditions = null
var back: UdpLinkConditions = null
## The same seed gives the same decisions, in both sides and in every run; 0: Lab.start() draws one.
## Lab.start() assigns it to `there` and `back`.
var rng_seed := 0

## See lab_pattern.gd.
var pattern := LabPattern.Kind.STEADY
var packets_per_second := 60
var packet_bytes := 64
## Of the pattern FILE.
var file_bytes := 1024 * 1024
var window_packets := 64


## Copies of a preset in both directions: an id of Networks.NAMES, or "" for no conditions.
func use_preset(id: String) -> void:
	there = null if id.is_empty() else Networks.preset(id).duplicate()
	back = null if id.is_empty() else Networks.preset(id).duplicate()


## What cannot be run, in words; "" if all is well.
func problem() -> String:
	if near == EndKind.PROCESS:
		return "Only the far end can be another process."
	if packet_bytes < LEAST_PACKET_BYTES or packet_bytes > MOST_PACKET_BYTES:
		return "A packet has %d to %d bytes." % [LEAST_PACKET_BYTES, MOST_PACKET_BYTES]
	return make_pattern().problem()


## How many packets are sent in a second, at most.
func most_per_second() -> int:
	if pattern == LabPattern.Kind.FILE:
		return LabPattern.MOST_PER_SECOND
	return packets_per_second


## Whether a packet may be damaged on its way; now, for a property may change.
func corrupts() -> bool:
	return (there != null and there.corrupt > 0.0) or (back != null and back.corrupt > 0.0)


## A pattern with these values, from its beginning.
func make_pattern() -> LabPattern:
	var made := LabPattern.new()
	made.kind = pattern
	made.packets_per_second = packets_per_second
	made.packet_bytes = packet_bytes
	made.file_bytes = file_bytes
	made.window_packets = window_packets
	return made
