extends "case.gd"
## A packet's round trip between two threads that sleep in wait(): native against ours, polled or in
## background mode, or ours polled (in native's place) against ours in background mode. Every single
## time is kept, for the percentiles.

const TRIPS := 100
## Trips at the start that are not counted.
const WARM_UP := 10
const PACKET_SIZE := 64

var _background: bool
var _against_polled: bool
var _times: Dictionary[StringName, PackedInt32Array] = {}
var _fault := ""


func _init(background: bool, against_polled := false) -> void:
	var mode := " in background" if background else ""
	super("round trip" + mode + (" against polled" if against_polled else ""), PACKET_SIZE)
	_background = background
	_against_polled = against_polled
	_times = {NATIVE: PackedInt32Array(), OURS: PackedInt32Array()}


func to_dictionary() -> Dictionary:
	var row := super()
	row.native_times = _times[NATIVE]
	row.ours_times = _times[OURS]
	if _against_polled:
		row.against = "PacketPeerUdpRs, polled"
	return row


func _needs() -> PackedStringArray:
	return ["background_receive"] if _background else []


func _open() -> String:
	# A trial run here, because _round() also keeps the times of the round that warms up.
	for kind: StringName in [NATIVE, OURS]:
		_trips(kind)
	return _fault


func _round(kind: StringName) -> float:
	var times := _trips(kind)
	_times[kind].append_array(times)
	times.sort()
	# The clock's unit, 1 µs, is some percent of a trip: the mean of the times around the median has a
	# finer resolution than the median.
	var middle := times.slice(times.size() * 2 / 5, times.size() * 3 / 5)
	var sum := 0.0
	for usec in middle:
		sum += usec
	return sum / maxi(middle.size(), 1)


func _problem() -> String:
	return _fault


func _trips(kind: StringName) -> PackedInt32Array:
	var here: Variant = _bound_peer(kind)
	var there: Variant = _bound_peer(kind)
	here.set_dest_address("127.0.0.1", there.get_local_port())
	there.set_dest_address("127.0.0.1", here.get_local_port())
	var echo := Thread.new()
	var ping := Thread.new()
	echo.start(_echo.bind(there))
	ping.start(_ping.bind(here))
	# If a packet is lost, both threads wait forever, because native's wait() has no time limit. The
	# script that runs the benchmark then ends the engine.
	var times: PackedInt32Array = ping.wait_to_finish()
	echo.wait_to_finish()
	if times.size() != TRIPS:
		_fault = "%d of %d packets came back" % [times.size(), TRIPS]
	return times


func _bound_peer(kind: StringName) -> Variant:
	var peer: Variant = ClassDB.instantiate(OURS if _against_polled else kind)
	if _background and kind == OURS:
		peer.background_receive = true
	if peer.bind(0, "127.0.0.1") != OK:
		_fault = "bind fails"
	return peer


func _echo(peer: Variant) -> void:
	for i in WARM_UP + TRIPS:
		peer.wait()
		peer.put_packet(peer.get_packet())


func _ping(peer: Variant) -> PackedInt32Array:
	var packet := PackedByteArray()
	packet.resize(PACKET_SIZE)
	var times: PackedInt32Array
	for i in WARM_UP + TRIPS:
		packet.encode_u32(0, i)
		var start := Time.get_ticks_usec()
		peer.put_packet(packet)
		peer.wait()
		var back: PackedByteArray = peer.get_packet()
		var usec := Time.get_ticks_usec() - start
		if back == packet and i >= WARM_UP:
			times.append(usec)
	return times
