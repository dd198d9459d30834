extends RefCounted
## One conversation of an experiment: a near end that sends numbered packets and takes their echoes,
## a far end that sends them back, the network between both, and what is measured.
## [br]A packet has arrived when PacketPeerUdpRs says so (get_packet_time_usec()): the network's
## time, however late the frame takes it. PacketPeerUDP tells no time, so for it a packet arrives in
## the frame that takes it, as in a game that uses it.

## READY: begin() may be called. SETTLING: nothing more is sent. SETTLED: nothing more comes.
enum State { IDLE, STARTING, READY, RUNNING, SETTLING, SETTLED, STOPPED }

const LabFarEnd := preload("lab_far_end.gd")
const LabMeasures := preload("lab_measures.gd")
const LabProcess := preload("lab_process.gd")
const LabSchedule := preload("lab_schedule.gd")
const LabSender := preload("lab_sender.gd")
const LabSetup := preload("lab_setup.gd")

const HOST := "127.0.0.1"
const BUFFER_BYTES := 64 * 1024 * 1024
## After a freeze there are many: reading all in one frame would be another freeze.
const MOST_PER_FRAME := 3000
## The lane shows about so many packets a second.
const LANE_PER_SECOND := 200
## Nothing comes any more when nothing has come for so long and nothing waits.
const QUIET_MSEC := 500
## No client of the relay is forgotten in a blackout.
const CLIENT_TIMEOUT_MSEC := 3_600_000
const PROXY_DIRECTIONS: Array[String] = ["to_target_", "to_client_"]
const COUNTED: Array[String] = [
	"lost", "duplicated", "reordered", "corrupted", "dropped", "waiting"
]

var near := LabSetup.EndKind.OURS
var measures := LabMeasures.new()
var state := State.IDLE
## Why it does not run, in words.
var trouble := ""

var _setup: LabSetup
# PacketPeerUdpRs or PacketPeerUDP: they have the same methods but no common type.
var _peer
var _far_end: LabFarEnd
var _process: LabProcess
var _proxy: UdpLinkProxy
var _sender: LabSender
var _last_event_msec := 0
# When it is stopped.
var _last_counted: Dictionary[StringName, int] = {&"dropped_queue": -1, &"dropped_kernel": -1}


func _init(setup: LabSetup, near_kind: LabSetup.EndKind) -> void:
	_setup = setup
	near = near_kind
	for what: String in COUNTED + ["sent", "received"]:
		_last_counted[StringName(what)] = 0


## The class of the near end, and how it is read.
func title() -> String:
	var manner := "read once a frame"
	if near == LabSetup.EndKind.OURS and _setup.background_receive:
		manner = "read in the background"
	return "%s, %s" % [LabSetup.END_TITLES[near], manner]


## Whether the conditions come from a UdpLinkProxy.
func is_relayed() -> bool:
	return near == LabSetup.EndKind.NATIVE or _setup.through_relay


## What get_stats() of the peer or of the relay says of the conditions, both directions together:
## &"lost", &"duplicated", &"reordered", &"corrupted", &"dropped", &"waiting"; and of the near end,
## where the class tells (else -1): &"dropped_queue", &"dropped_kernel".
## [br]And &"sent", &"received": of PacketPeerUdpRs what the system took, after what its
## send_conditions have lost or doubled, and what entered its queue; of the relay before
## PacketPeerUDP what came from that and what went to it.
func counted() -> Dictionary[StringName, int]:
	if state in [State.IDLE, State.STARTING, State.STOPPED]:
		return _last_counted
	var found: Dictionary[StringName, int] = {&"dropped_queue": -1, &"dropped_kernel": -1}
	var stats: Dictionary = _proxy.get_stats() if is_relayed() else _peer.get_stats()
	if near == LabSetup.EndKind.OURS:
		var own: Dictionary = _peer.get_stats()
		found[&"sent"] = own["packets_sent"]
		found[&"received"] = own["packets_received"]
		found[&"dropped_queue"] = own["packets_dropped_queue"]
		found[&"dropped_kernel"] = own["packets_dropped_kernel"]
	else:
		found[&"sent"] = stats["to_target_packets_in"]
		found[&"received"] = stats["to_client_packets_out"]
	var prefixes: Array[String] = ["conditions_"]
	if is_relayed():
		prefixes = PROXY_DIRECTIONS
	for what in COUNTED:
		var sum := 0
		for prefix in prefixes:
			sum += stats[prefix + what]
		found[StringName(what)] = sum
	return found


## Opens the far end; when state is READY, all is open.
func open() -> void:
	state = State.STARTING
	match _setup.far:
		LabSetup.EndKind.PROCESS:
			_process = LabProcess.new()
			_process.start()
		LabSetup.EndKind.NATIVE:
			_open_far_end(PacketPeerUDP.new())
		_:
			_open_far_end(PacketPeerUdpRs.new())
	step()


## The conversation begins; the start of all times. Other sides may have the same schedule.
func begin(usec: int, schedule: LabSchedule) -> void:
	measures.recent_every = maxi(1, _setup.most_per_second() / LANE_PER_SECOND)
	measures.begin(usec)
	_sender = LabSender.new(_peer, schedule)
	var error := _sender.start()
	if error != OK:
		trouble = "The thread that sends could not be started: %s." % error_string(error)
	state = State.RUNNING


## To be called once a frame.
func step() -> void:
	if _process and state != State.STOPPED:
		_process.poll()
		trouble = _process.trouble
	match state:
		State.STARTING:
			if trouble.is_empty() and _far_port() != 0:
				_open_near_end(_far_port())
		State.RUNNING, State.SETTLING:
			_talk()


## Sends nothing more than what the schedule has released.
func stop_sending() -> void:
	if state == State.RUNNING:
		_sender.stop()
		_last_event_msec = Time.get_ticks_msec()
		state = State.SETTLING


func stop() -> void:
	if state == State.STOPPED:
		return
	if _sender:
		_sender.stop()
		_sender.note_sent(measures)
	if _peer:
		_last_counted = counted()
		_peer.close()
	if _proxy:
		_proxy.stop()
	if _far_end:
		_far_end.stop()
	if _process:
		_process.stop()
	state = State.STOPPED


func _open_far_end(peer) -> void:
	_far_end = LabFarEnd.new(peer)
	var error := _far_end.start()
	if error != OK:
		trouble = "The far end could not be opened: %s." % error_string(error)


func _far_port() -> int:
	return _process.port if _process else _far_end.port()


func _open_near_end(far_port: int) -> void:
	_peer = PacketPeerUdpRs.new() if near == LabSetup.EndKind.OURS else PacketPeerUDP.new()
	var port := far_port
	if is_relayed():
		_proxy = UdpLinkProxy.new()
		_proxy.to_target_conditions = _setup.there
		_proxy.to_client_conditions = _setup.back
		_proxy.client_timeout_msec = CLIENT_TIMEOUT_MSEC
		if _proxy.start(HOST, far_port) != OK:
			trouble = "The relay could not be started: %s." % _proxy.get_last_error_message()
			return
		port = _proxy.get_local_port()
	if near == LabSetup.EndKind.OURS:
		_peer.background_receive = _setup.background_receive
		if not is_relayed():
			_peer.send_conditions = _setup.there
			_peer.receive_conditions = _setup.back
	var error: Error = _peer.bind(0, HOST, BUFFER_BYTES)
	if error == OK:
		error = _peer.set_dest_address(HOST, port)
	if error != OK:
		trouble = "%s could not be opened: %s." % [_peer.get_class(), error_string(error)]
		return
	state = State.READY


func _talk() -> void:
	var queued: int = _peer.get_available_packet_count()
	var waiting := counted()[&"waiting"]
	measures.note_queue(queued + waiting)
	if near == LabSetup.EndKind.OURS:
		_take_batch()
	else:
		_take_each(mini(queued, MOST_PER_FRAME))
	if queued < MOST_PER_FRAME:
		measures.advance(Time.get_ticks_usec())
	if queued or waiting:
		_last_event_msec = Time.get_ticks_msec()
	if _sender.trouble():
		trouble = _sender.trouble()
	var is_quiet := Time.get_ticks_msec() - _last_event_msec > QUIET_MSEC
	if state == State.SETTLING and is_quiet:
		measures.settle()
		state = State.SETTLED


func _take_batch() -> void:
	var packets: PackedByteArray = _peer.get_packets_joined(MOST_PER_FRAME)
	var sizes: PackedInt32Array = _peer.get_batch_sizes()
	var times: PackedInt64Array = _peer.get_batch_times_usec()
	# Packets are known before their echoes.
	_sender.note_sent(measures)
	var at := 0
	for i in sizes.size():
		_note_arrived(packets, at, sizes[i], times[i])
		at += sizes[i]


func _take_each(count: int) -> void:
	var usec := Time.get_ticks_usec()
	_sender.note_sent(measures)
	for i in count:
		var packet: PackedByteArray = _peer.get_packet()
		_note_arrived(packet, 0, packet.size(), usec)


func _note_arrived(packets: PackedByteArray, at: int, size: int, usec: int) -> void:
	if (
		size < LabSetup.LEAST_PACKET_BYTES
		or (_setup.corrupts() and not _is_whole(packets, at, size))
	):
		measures.note_damaged()
		return
	var sent_usec := packets.decode_u64(at + LabSender.TIME_OFFSET)
	measures.note_arrived(packets.decode_u32(at), sent_usec, usec, size)


## Whether the rest of the packet is as it was sent.
func _is_whole(packets: PackedByteArray, at: int, size: int) -> bool:
	var rest := packets.slice(at + LabSetup.LEAST_PACKET_BYTES, at + size)
	return rest.count(0) == rest.size()
