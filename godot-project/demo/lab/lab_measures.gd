extends RefCounted
## What one side of an experiment measures: counts since the start, and the last 30 s in buckets of
## 50 ms. All is kept in arrays of a fixed size; a packet allocates nothing. Times are on the clock
## of Time.get_ticks_usec().

## What is known of a packet. OVERTAKEN has arrived, too, but after one that was sent later.
enum Fate { NONE, FLYING, ARRIVED, OVERTAKEN, LOST }

const Histogram := preload("lab_histogram.gd")

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
## A packet is lost when one has arrived that was sent so much later, or when it was sent so long
## ago. If it comes after all, it was not lost.
const LOST_BEHIND_USEC := 1_000_000
const LOST_AFTER_USEC := 4_000_000
## What became of so many packets is remembered: 13 s at the highest rate. A power of two.
const REMEMBERED := 1 << 17

const BUCKET_USEC := BUCKET_MSEC * 1000
## Takes what is older than all buckets.
const SPILL := BUCKETS
## As UdpLinkConditions.bandwidth_kbps counts: the IPv4 and UDP headers.
const HEADER_BYTES := 28
## Bytes in a bucket as kbit/s.
const KBPS := 8.0 / BUCKET_MSEC
const LOSS_BUCKETS := 1000 / BUCKET_MSEC

## Grows whenever a series or total has changed.
var version := 0
## The lane remembers the packets whose number this divides.
var recent_every := 1
## Of the remembered packets, at (number / recent_every) % RECENT: number, time of sending and of
## the first arrival (-1: none yet), Fate, how often it came.
var recent_numbers := PackedInt32Array()
var recent_sent_usec := PackedInt64Array()
var recent_arrived_usec := PackedInt64Array()
var recent_fates := PackedByteArray()
var recent_arrivals := PackedByteArray()

var _start_usec := 0
# The bucket that is filled now, counted from the start. Its values are at _newest % BUCKETS.
var _newest := 0

# Of each packet, at number % REMEMBERED.
var _sent_usec := PackedInt64Array()
var _fates := PackedByteArray()
# All packets below are decided; the number of the next; the one after the newest that has arrived,
# and when that was sent.
var _undecided := 0
var _next := 0
var _next_expected := 0
var _newest_arrived_sent_usec := 0

# Totals.
var _received := 0
var _lost := 0
var _reordered := 0
var _duplicated := 0
var _damaged := 0
var _bytes_sent := 0
var _bytes_received := 0
var _queue_now := NAN
# RFC 3550, in microseconds.
var _jitter := NAN
var _last_rtt := 0
# The bucket that has the latest jitter.
var _jitter_bucket := 0
# Whether later buckets have an older one.
var _is_jitter_stale := false

# The series, and one more value each, at SPILL.
var _sent_in := PackedFloat32Array()
var _received_in := PackedFloat32Array()
var _lost_in := PackedFloat32Array()
var _reordered_in := PackedFloat32Array()
var _duplicated_in := PackedFloat32Array()
var _kbps_sent_in := PackedFloat32Array()
var _kbps_received_in := PackedFloat32Array()
var _jitter_in := PackedFloat32Array()
var _queue_in := PackedFloat32Array()
var _frozen_in := PackedFloat32Array()
# The same arrays by their names.
var _rings: Dictionary[StringName, PackedFloat32Array] = {
	&"sent": _sent_in,
	&"received": _received_in,
	&"lost": _lost_in,
	&"reordered": _reordered_in,
	&"duplicated": _duplicated_in,
	&"throughput_sent": _kbps_sent_in,
	&"throughput_received": _kbps_received_in,
	&"jitter": _jitter_in,
	&"queue": _queue_in,
	&"frozen": _frozen_in,
}
var _histogram := Histogram.new(BUCKETS)


func _init() -> void:
	_sent_usec.resize(REMEMBERED)
	_fates.resize(REMEMBERED)
	recent_numbers.resize(RECENT)
	recent_sent_usec.resize(RECENT)
	recent_arrived_usec.resize(RECENT)
	recent_fates.resize(RECENT)
	recent_arrivals.resize(RECENT)
	for name in _rings:
		_rings[name].resize(BUCKETS + 1)
	begin(0)


## Forgets everything; bucket 0 begins at this time.
func begin(usec: int) -> void:
	version += 1
	_start_usec = usec
	_newest = 0
	_undecided = 0
	_next = 0
	_next_expected = 0
	_newest_arrived_sent_usec = usec
	_received = 0
	_lost = 0
	_reordered = 0
	_duplicated = 0
	_damaged = 0
	_bytes_sent = 0
	_bytes_received = 0
	_queue_now = NAN
	_jitter = NAN
	_last_rtt = 0
	_jitter_bucket = 0
	_is_jitter_stale = false
	_fates.fill(Fate.NONE)
	for name in _rings:
		_rings[name].fill(NAN)
	_histogram.clear()
	_clear(0)
	recent_numbers.fill(-1)
	recent_fates.fill(Fate.NONE)


## A packet was sent. Numbers go up by one, from 0.
func note_sent(number: int, usec: int, bytes: int) -> void:
	version += 1
	var slot := number & (REMEMBERED - 1)
	if number >= REMEMBERED and _fates[slot] == Fate.FLYING:
		_lose(number - REMEMBERED)
		_undecided = maxi(_undecided, number - REMEMBERED + 1)
	_sent_usec[slot] = usec
	_fates[slot] = Fate.FLYING
	_next = number + 1
	_bytes_sent += bytes
	var bucket := _bucket(usec)
	_sent_in[bucket] += 1.0
	_kbps_sent_in[bucket] += (bytes + HEADER_BYTES) * KBPS
	if number % recent_every == 0:
		var recent := number / recent_every % RECENT
		recent_numbers[recent] = number
		recent_sent_usec[recent] = usec
		recent_arrived_usec[recent] = -1
		recent_fates[recent] = Fate.FLYING
		recent_arrivals[recent] = 0


## A packet, or a copy of it, has come back. What does not fit to a packet that was sent is damaged.
func note_arrived(number: int, sent_usec: int, usec: int, bytes: int) -> void:
	version += 1
	var slot := number & (REMEMBERED - 1)
	if number >= _next or number < _next - REMEMBERED or _sent_usec[slot] != sent_usec:
		_damaged += 1
		return
	_bytes_received += bytes
	var bucket := _bucket(usec)
	_kbps_received_in[bucket] += (bytes + HEADER_BYTES) * KBPS
	var fate := _fates[slot]
	if fate == Fate.ARRIVED or fate == Fate.OVERTAKEN:
		_duplicated += 1
		_duplicated_in[bucket] += 1.0
		if number % recent_every == 0:
			_note_recent(number, fate, usec)
		return
	if fate == Fate.LOST:
		_lost -= 1
		_lost_in[_bucket(sent_usec)] -= 1.0
	_received += 1
	_received_in[bucket] += 1.0
	if number < _next_expected:
		fate = Fate.OVERTAKEN
		_reordered += 1
		_reordered_in[bucket] += 1.0
	else:
		fate = Fate.ARRIVED
		_next_expected = number + 1
		_newest_arrived_sent_usec = sent_usec
	_fates[slot] = fate
	_note_rtt(maxi(0, usec - sent_usec), bucket, usec)
	if number % recent_every == 0:
		_note_recent(number, fate, usec)


## A packet has come that is none that was sent: its content is damaged.
func note_damaged() -> void:
	version += 1
	_damaged += 1


## How many packets wait now, in a line or a queue. For the bucket that is filled now.
func note_queue(packets: int) -> void:
	_queue_now = packets
	var bucket := _newest % BUCKETS
	if not _queue_in[bucket] >= packets:
		_queue_in[bucket] = packets
		version += 1


## The game stood still.
func note_frozen(from_usec: int, to_usec: int) -> void:
	var usec := from_usec
	while usec < to_usec:
		_frozen_in[_bucket(usec)] = 1.0
		usec += BUCKET_USEC
	_frozen_in[_bucket(to_usec)] = 1.0
	version += 1


## Brings the buckets up to this time, and decides which packets are lost. Call it once a frame,
## when all that has arrived is noted.
func advance(usec: int) -> void:
	if (usec - _start_usec) / BUCKET_USEC > _newest:
		version += 1
	_bucket(usec)
	if _is_jitter_stale:
		_keep_jitter_until(_newest + 1)
		_is_jitter_stale = false
	var lost_before := maxi(_newest_arrived_sent_usec - LOST_BEHIND_USEC, usec - LOST_AFTER_USEC)
	while _undecided < _next:
		var slot := _undecided & (REMEMBERED - 1)
		if _fates[slot] == Fate.FLYING:
			if _sent_usec[slot] >= lost_before:
				break
			_lose(_undecided)
		_undecided += 1


## Nothing comes any more: what has not arrived is lost.
func settle() -> void:
	while _undecided < _next:
		if _fates[_undecided & (REMEMBERED - 1)] == Fate.FLYING:
			_lose(_undecided)
		_undecided += 1


## How many packets have neither arrived nor are known to be lost.
func in_flight() -> int:
	return _next - _received - _lost


## Whether this packet has arrived; of those that are remembered.
func fate_of(number: int) -> Fate:
	if number < 0 or number >= _next or number < _next - REMEMBERED:
		return Fate.NONE
	return _fates[number & (REMEMBERED - 1)] as Fate


## One value for each bucket, BUCKETS of them, oldest first; the last one is the bucket that is
## filled now. NAN where there is no value.
func series(name: StringName) -> PackedFloat32Array:
	if name == &"loss_percent":
		return _loss_percent()
	return _in_order(_rings[name] if name in _rings else _histogram.values(name))


## The bucket that is filled now, counted from the start: the last one of each series.
func newest() -> int:
	return _newest


## How many of the BUCKETS have begun: those at the end of each series.
func filled() -> int:
	return mini(_newest + 1, BUCKETS)


## When the bucket at this index of the series began, in seconds since the start; below 0 for those
## that have not been.
func seconds_at(index: int) -> float:
	return (_newest - BUCKETS + 1 + index) * BUCKET_MSEC / 1000.0


## Since the start; but the round-trip times are those of the buckets.
func totals() -> Dictionary[StringName, Variant]:
	var decided := _received + _lost
	var found: Dictionary[StringName, Variant] = {
		&"sent": _next,
		&"received": _received,
		&"lost": _lost,
		&"in_flight": in_flight(),
		&"reordered": _reordered,
		&"duplicated": _duplicated,
		&"damaged": _damaged,
		&"bytes_sent": _bytes_sent,
		&"bytes_received": _bytes_received,
		&"loss_percent": 100.0 * _lost / decided if decided else NAN,
		&"jitter": _jitter / 1000.0,
		&"queue": _queue_now,
	}
	found.merge(_histogram.totals())
	return found


## Where the values of a time's bucket are. Opens those that have not been.
func _bucket(usec: int) -> int:
	var number := maxi(0, (usec - _start_usec) / BUCKET_USEC)
	if number > _newest:
		var first := maxi(_newest + 1, number - BUCKETS + 1)
		_newest = number
		for opened in range(first, number + 1):
			_clear(opened % BUCKETS)
	return number % BUCKETS if number > _newest - BUCKETS else SPILL


func _clear(bucket: int) -> void:
	_sent_in[bucket] = 0.0
	_received_in[bucket] = 0.0
	_lost_in[bucket] = 0.0
	_reordered_in[bucket] = 0.0
	_duplicated_in[bucket] = 0.0
	_kbps_sent_in[bucket] = 0.0
	_kbps_received_in[bucket] = 0.0
	_jitter_in[bucket] = _jitter / 1000.0
	_queue_in[bucket] = NAN
	_frozen_in[bucket] = 0.0
	_histogram.clear_bucket(bucket)


func _note_rtt(rtt: int, bucket: int, usec: int) -> void:
	if is_nan(_jitter):
		# Nothing to compare the first with.
		_jitter = 0.0
		_jitter_bucket = (usec - _start_usec) / BUCKET_USEC
	else:
		var number := (usec - _start_usec) / BUCKET_USEC
		_keep_jitter_until(number)
		_jitter_bucket = maxi(_jitter_bucket, number)
		_jitter += (absi(rtt - _last_rtt) - _jitter) / 16.0
		_jitter_in[bucket] = _jitter / 1000.0
	_last_rtt = rtt
	_is_jitter_stale = true
	if bucket != SPILL:
		_histogram.add(bucket, rtt)


## The jitter keeps its value where nothing arrives, also in buckets that were opened before it was
## known.
func _keep_jitter_until(number: int) -> void:
	for between in range(maxi(_jitter_bucket + 1, _newest - BUCKETS + 1), number):
		_jitter_in[between % BUCKETS] = _jitter / 1000.0


func _note_recent(number: int, fate: Fate, usec: int) -> void:
	var recent := number / recent_every % RECENT
	if recent_numbers[recent] != number:
		return
	if recent_arrivals[recent] == 0:
		recent_arrived_usec[recent] = usec
	recent_fates[recent] = fate
	recent_arrivals[recent] = mini(recent_arrivals[recent] + 1, 255)


func _lose(number: int) -> void:
	version += 1
	var slot := number & (REMEMBERED - 1)
	_fates[slot] = Fate.LOST
	_lost += 1
	_lost_in[_bucket(_sent_usec[slot])] += 1.0
	if number % recent_every == 0:
		var recent := number / recent_every % RECENT
		if recent_numbers[recent] == number:
			recent_fates[recent] = Fate.LOST


## From the ring, oldest first.
func _in_order(ring: PackedFloat32Array) -> PackedFloat32Array:
	var first := (_newest + 1) % BUCKETS
	var ordered := ring.slice(first, BUCKETS)
	ordered.append_array(ring.slice(0, first))
	return ordered


## Of what was sent in the second that ends with each bucket. None where less than a second is
## known: at the beginning of the experiment, and of the series.
func _loss_percent() -> PackedFloat32Array:
	var sent := _in_order(_sent_in)
	var lost := _in_order(_lost_in)
	var percent := PackedFloat32Array()
	percent.resize(BUCKETS)
	percent.fill(NAN)
	var first := BUCKETS - filled()
	var sent_sum := 0.0
	var lost_sum := 0.0
	for i in range(first, BUCKETS):
		sent_sum += sent[i]
		lost_sum += lost[i]
		if i - LOSS_BUCKETS >= first:
			sent_sum -= sent[i - LOSS_BUCKETS]
			lost_sum -= lost[i - LOSS_BUCKETS]
		if sent_sum > 0.0 and i - first >= LOSS_BUCKETS - 1:
			percent[i] = 100.0 * lost_sum / sent_sum
	return percent
