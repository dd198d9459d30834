extends RefCounted
## Round-trip times in buckets, and their percentiles: per bucket and over all of them. The bins
## grow with the time, each 4.4 % wider than the one before, so a percentile is exact within that;
## the least and the largest are exact.

const PERCENTILES: Dictionary[StringName, float] = {
	&"rtt_p50": 0.5, &"rtt_p95": 0.95, &"rtt_p99": 0.99
}
const BINS_PER_OCTAVE := 16
## To beyond 100 s.
const BINS := 27 * BINS_PER_OCTAVE
const BINS_PER_E := BINS_PER_OCTAVE / 0.693147180559945

var _buckets: int
# At bucket * BINS + bin, and over all buckets.
var _bins := PackedInt32Array()
var _window := PackedInt32Array()
var _counts := PackedInt32Array()
# In microseconds.
var _min := PackedInt64Array()
var _max := PackedInt64Array()
# Whether the values below have to be computed anew.
var _is_stale := PackedByteArray()
# In milliseconds, one for each bucket; NAN where it is empty. The last place is never used.
var _values: Dictionary[StringName, PackedFloat32Array] = {
	&"rtt_min": PackedFloat32Array(),
	&"rtt_p50": PackedFloat32Array(),
	&"rtt_p95": PackedFloat32Array(),
	&"rtt_p99": PackedFloat32Array(),
	&"rtt_max": PackedFloat32Array(),
}


func _init(buckets: int) -> void:
	_buckets = buckets
	_bins.resize(buckets * BINS)
	_window.resize(BINS)
	_counts.resize(buckets)
	_min.resize(buckets)
	_max.resize(buckets)
	_is_stale.resize(buckets)
	for name in _values:
		_values[name].resize(buckets)
	clear()


func clear() -> void:
	_bins.fill(0)
	_window.fill(0)
	_counts.fill(0)
	_is_stale.fill(0)
	for name in _values:
		_values[name].fill(NAN)


func clear_bucket(bucket: int) -> void:
	if _counts[bucket] == 0:
		return
	for bin in range(_bin(_min[bucket]), _bin(_max[bucket]) + 1):
		_window[bin] -= _bins[bucket * BINS + bin]
		_bins[bucket * BINS + bin] = 0
	_counts[bucket] = 0
	_is_stale[bucket] = 0
	for name in _values:
		_values[name][bucket] = NAN


func add(bucket: int, usec: int) -> void:
	var bin := _bin(usec)
	_bins[bucket * BINS + bin] += 1
	_window[bin] += 1
	if _counts[bucket] == 0:
		_min[bucket] = usec
		_max[bucket] = usec
	elif usec < _min[bucket]:
		_min[bucket] = usec
	elif usec > _max[bucket]:
		_max[bucket] = usec
	_counts[bucket] += 1
	_is_stale[bucket] = 1


## One value in milliseconds for each bucket: a name of totals().
func values(name: StringName) -> PackedFloat32Array:
	_refresh()
	return _values[name]


## Over all buckets, in milliseconds: &"rtt_min", &"rtt_p50", &"rtt_p95", &"rtt_p99", &"rtt_max";
## NAN where there is none.
func totals() -> Dictionary[StringName, float]:
	var count := 0
	var least := 0
	var most := 0
	for bucket in _buckets:
		if _counts[bucket] == 0:
			continue
		least = mini(least, _min[bucket]) if count else _min[bucket]
		most = maxi(most, _max[bucket])
		count += _counts[bucket]
	var found: Dictionary[StringName, float] = {}
	if count:
		_find(_window, 0, count, least, most, found)
	else:
		for name in _values:
			found[name] = NAN
	return found


func _refresh() -> void:
	var found: Dictionary[StringName, float] = {}
	var bucket := _is_stale.find(1)
	while bucket != -1:
		_find(_bins, bucket * BINS, _counts[bucket], _min[bucket], _max[bucket], found)
		for name in _values:
			_values[name][bucket] = found[name]
		_is_stale[bucket] = 0
		bucket = _is_stale.find(1, bucket)


## By the nearest rank, taken as evenly spread within its bin.
func _find(
	bins: PackedInt32Array,
	at: int,
	count: int,
	least: int,
	most: int,
	found: Dictionary[StringName, float]
) -> void:
	found[&"rtt_min"] = least / 1000.0
	found[&"rtt_max"] = most / 1000.0
	var below := 0
	var bin := _bin(least)
	for name in PERCENTILES:
		var rank := ceili(PERCENTILES[name] * count)
		while below + bins[at + bin] < rank:
			below += bins[at + bin]
			bin += 1
		var part := (rank - below - 0.5) / bins[at + bin]
		found[name] = clampf(exp((bin + part) / BINS_PER_E), least, most) / 1000.0


static func _bin(usec: int) -> int:
	return mini(int(log(maxi(usec, 1)) * BINS_PER_E), BINS - 1)
