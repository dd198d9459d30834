extends RefCounted
## What one side of an experiment measures: counts since the start, and the last 30 s in buckets of
## 50 ms. All is kept in arrays of a fixed size; a packet allocates nothing.

## What is known of a packet. OVERTAKEN has arrived, too, but after one that was sent later.
enum Fate { NONE, FLYING, ARRIVED, OVERTAKEN, LOST }

const BUCKET_MSEC := 50
const BUCKETS := 600
## The series and their units.
const SERIES: Dictionary[StringName, String] = {
	&"sent": "packets",
	&"received": "packets",
	&"lost": "packets",
	&"reordered": "packets",
	&"duplicated": "packets",
	&"throughput_sent": "kbit/s",
	&"throughput_received": "kbit/s",
	&"loss_percent": "%",
	&"rtt_min": "ms",
	&"rtt_p50": "ms",
	&"rtt_p95": "ms",
	&"rtt_p99": "ms",
	&"rtt_max": "ms",
	&"jitter": "ms",
	&"queue": "packets",
	&"frozen": "",
}
## How many packets the lane remembers.
const RECENT := 600

## Grows whenever a series or total has changed.
var version := 0
## The lane remembers the packets whose number this divides.
var recent_every := 1
## Of the remembered packets, at (number / recent_every) % RECENT: number, time of sending and of
## the first arrival (-1: none yet) on the clock of Time.get_ticks_usec(), Fate, how often it came.
var recent_numbers := PackedInt32Array()
var recent_sent_usec := PackedInt64Array()
var recent_arrived_usec := PackedInt64Array()
var recent_fates := PackedByteArray()
var recent_arrivals := PackedByteArray()


## Forgets everything; bucket 0 begins at this time.
func begin(_usec: int) -> void:
	pass


## A packet was sent. Numbers go up by one, from 0.
func note_sent(_number: int, _usec: int, _bytes: int) -> void:
	pass


## A packet, or a copy of it, has come back.
func note_arrived(_number: int, _sent_usec: int, _usec: int, _bytes: int) -> void:
	pass


## A packet has come that is none that was sent: its number or time is damaged.
func note_damaged() -> void:
	pass


## How many packets wait now, in a line or a queue.
func note_queue(_packets: int) -> void:
	pass


## The game stood still.
func note_frozen(_from_usec: int, _to_usec: int) -> void:
	pass


## Brings the buckets up to this time, and decides which packets are lost. Call it once a frame,
## when all that has arrived is noted.
func advance(_usec: int) -> void:
	pass


## Nothing comes any more: what has not arrived is lost.
func settle() -> void:
	pass


## How many packets have neither arrived nor are known to be lost.
func in_flight() -> int:
	return 0


## One value for each bucket, BUCKETS of them, oldest first; the last one is the bucket that is
## filled now. NAN where there is no value.
func series(_name: StringName) -> PackedFloat32Array:
	return PackedFloat32Array()


## How many of the BUCKETS have begun: those at the end of each series.
func filled() -> int:
	return 0


## When the bucket at this index of the series began, in seconds since the start; below 0 for those
## that have not been.
func seconds_at(_index: int) -> float:
	return 0.0


func totals() -> Dictionary[StringName, Variant]:
	return {}
