extends Node
## Lists the games that hosts announce on the local network (lobby_host.gd), with the time that a
## packet takes there and back. Add it to the tree, call open(), and listen to its signals.
##
## Anyone on the network can send to this port, and announce what is no game. So a packet changes
## nothing but this list, the list is bounded, and your game has to check whom it connects to.
## On Android the app needs CHANGE_WIFI_MULTICAST_STATE and a multicast lock to hear groups and
## broadcasts; on iOS, Apple's entitlement for multicast.

signal host_found(entry: Entry)
## Its name, its players or its port have changed: all that describe() says.
signal host_changed(entry: Entry)
## Announcements come from a new address or by a new way, or no longer from one, or a round-trip
## time is known for the first time. The time itself changes every second without a signal.
signal paths_changed(entry: Entry)
## No packet of the host arrived for IDLE_MSEC.
signal host_lost(entry: Entry)

const Entry := preload("lobby_entry.gd")
const Message := preload("lobby_message.gd")
const Network := preload("lobby_network.gd")
const Path := preload("lobby_path.gd")

const PING_MSEC := 1000
## After three announcements and three pongs in a row are missing.
const IDLE_MSEC := 3200
const LOOK_FOR_INTERFACES_MSEC := 2000
## The limits of a frame and of the list: a flood must not block the game.
const PACKETS_PER_FRAME := 256
const MAX_HOSTS := 64

@export_range(1, 65535) var lobby_port := Network.PORT

## By host id, in the order of discovery.
var entries: Dictionary[int, Entry] = {}
## Packets that were no message of this lobby, or unexpected. They change nothing.
var strangers := 0

## Receives the announcements. Shares its port with every other browser on this machine.
var _listener := PacketPeerUdpRs.new()
## Sends pings and receives pongs. It has a port of its own: a unicast packet to a shared port
## reaches only one of the sockets.
var _pinger := PacketPeerUdpRs.new()
## The interfaces as they were when the groups were joined.
var _interfaces: Array[Network] = []
## The message of the socket that failed.
var _last_error := ""
var _next_look_msec := 0


func _process(_delta: float) -> void:
	if not is_open():
		return
	var now := Time.get_ticks_msec()
	if now >= _next_look_msec:
		_look_for_interfaces()
	_receive_announcements()
	_receive_pongs()
	# After reading: packets that waited while the game was busy count.
	_drop_idle()
	_send_pings()


func _exit_tree() -> void:
	_listener.close()
	_pinger.close()


## Begins to listen.
func open() -> Error:
	close()
	_last_error = ""
	var error := _listen()
	if error == OK:
		error = _pinger.bind(0)
		if error != OK:
			_last_error = _pinger.get_last_error_message()
	if error != OK:
		close()
	return error


func close() -> void:
	# This leaves the groups, too.
	_listener.close()
	_pinger.close()
	_interfaces.clear()
	for id: int in entries.keys():
		_lose(entries[id])


func is_open() -> bool:
	return _pinger.is_bound()


## Why open() failed, or why it cannot listen again since an interface has come or gone.
func get_last_error_message() -> String:
	return _last_error


## The interfaces on which groups are joined.
func joined_interfaces() -> PackedStringArray:
	return PackedStringArray(
		_interfaces.map(func(interface: Network) -> String: return interface.name)
	)


func _listen() -> Error:
	_next_look_msec = Time.get_ticks_msec() + LOOK_FOR_INTERFACES_MSEC
	# Otherwise bind() fails while another socket has the port. Browsers with this option share it,
	# and each receives every broadcast and multicast.
	_listener.reuse_address = true
	# BSD systems need this as well. On Linux it would distribute the packets among the sockets.
	_listener.reuse_port = OS.get_name() in ["macOS", "iOS", "FreeBSD", "NetBSD", "OpenBSD"]
	var error := _listener.bind(lobby_port)
	if error != OK:
		_last_error = _listener.get_last_error_message()
		return error
	_last_error = ""
	# A group is joined per interface; "" is one of the system's choice. This joins on all.
	_interfaces = Network.outward()
	for interface in _interfaces:
		if interface.has_ipv4:
			_listener.join_multicast_group(Network.GROUP_IPV4, interface.name)
		if interface.has_ipv6:
			_listener.join_multicast_group(Network.GROUP_IPV6, interface.name)
	return OK


## Rejoins all groups after an interface was added or removed: systems differ in what they do with
## the groups of an interface that returns.
func _look_for_interfaces() -> void:
	_next_look_msec = Time.get_ticks_msec() + LOOK_FOR_INTERFACES_MSEC
	var has_changed := Network.describe(Network.outward()) != Network.describe(_interfaces)
	if has_changed or not _listener.is_bound():
		_receive_announcements()
		# A handler may have closed the browser.
		if not is_open():
			return
		_listener.close()
		_interfaces.clear()
		# If it fails, the next look tries again.
		_listen()


func _receive_announcements() -> void:
	if not _listener.is_bound():
		return
	var packets := _listener.get_packets(PACKETS_PER_FRAME)
	var ips := _listener.get_batch_ips()
	var ports := _listener.get_batch_ports()
	var times := _listener.get_batch_times_usec()
	for i in packets.size():
		var message := Message.read(packets[i])
		if message == null or message.kind != Message.Kind.ANNOUNCEMENT:
			strangers += 1
			continue
		_take_over(message, ips[i], ports[i], times[i])
		# A handler may have closed the browser.
		if not is_open():
			return


func _take_over(announcement: Message, ip: String, port: int, time_usec: int) -> void:
	var entry: Entry = entries.get(announcement.host_id)
	var is_new := entry == null
	if is_new:
		if entries.size() == MAX_HOSTS:
			return
		entry = Entry.new(announcement.host_id)
		entries[entry.id] = entry
	var described := entry.describe()
	var is_new_way := entry.take_over(announcement, ip, port, time_usec)
	if is_new:
		host_found.emit(entry)
		return
	if entry.describe() != described:
		host_changed.emit(entry)
	if is_new_way:
		_tell_paths(entry)


## Pings every address that announced, to see whether there is a way back. Only after a packet since
## the last ping: a forged announcement costs one ping at most.
func _send_pings() -> void:
	for entry: Entry in entries.values():
		for path in entry.paths:
			var now := Time.get_ticks_usec()
			var is_due := now - path.ping_sent_usec >= PING_MSEC * 1000 or path.ping_sent_usec == 0
			if is_due and path.last_received_usec > path.ping_sent_usec:
				path.token = maxi(randi(), 1)
				path.ping_sent_usec = now
				var ping := Message.ping(entry.id, path.token)
				_pinger.send_to(ping.to_packet(), path.ip, path.port)


func _receive_pongs() -> void:
	if not is_open():
		return
	var packets := _pinger.get_packets(PACKETS_PER_FRAME)
	var ips := _pinger.get_batch_ips()
	var ports := _pinger.get_batch_ports()
	# Arrival times, not the time of this frame.
	var times := _pinger.get_batch_times_usec()
	for i in packets.size():
		var pong := Message.read(packets[i])
		if pong == null or not _take_time(pong, ips[i], ports[i], times[i]):
			strangers += 1


## Returns whether the pong was expected.
func _take_time(pong: Message, ip: String, port: int, time_usec: int) -> bool:
	var entry: Entry = entries.get(pong.host_id)
	var path: Path = entry.find_path(ip, port) if entry else null
	if path == null or pong.kind != Message.Kind.PONG:
		return false
	if path.token == 0 or pong.token != path.token:
		return false
	# One answer to each ping.
	path.token = 0
	path.last_received_usec = maxi(path.last_received_usec, time_usec)
	var is_first := not path.has_round_trip()
	# The clocks differ by a few microseconds, which on one machine may be all.
	path.round_trip_usec = maxi(time_usec - path.ping_sent_usec - pong.held_usec, 0)
	if is_first:
		_tell_paths(entry)
	return true


func _drop_idle() -> void:
	var idle_usec := IDLE_MSEC * 1000
	for entry: Entry in entries.values():
		if entry.last_received_usec() < Time.get_ticks_usec() - idle_usec:
			_lose(entry)
		# An address is dropped while the host still announces from others.
		elif entry.drop_idle_paths(entry.last_received_usec() - idle_usec):
			_tell_paths(entry)


func _tell_paths(entry: Entry) -> void:
	# An earlier handler may have closed the browser.
	if entries.has(entry.id):
		paths_changed.emit(entry)


func _lose(entry: Entry) -> void:
	if entries.erase(entry.id):
		host_lost.emit(entry)
