extends RefCounted
## Connects two players who are both behind NATs, without forwarding a port: UDP hole punching. Copy
## this file into your project; docs/samples/nat_punching.md says when it works and when not.
##
## Both players call [method start] with the same room code and [method poll] once a frame, until
## [signal connected] or [signal failed]. Then [method send] and [signal packet_received] carry the
## game. A [NatPunching.Rendezvous] runs on a server that both can reach. One socket, [member peer],
## serves the STUN query, the rendezvous and the game, so all of them open the same way in the NAT:
## [br]1. A STUN server (RFC 8489) says from which public address the packets come.
## [br]2. The rendezvous gives each player the other's public and local addresses, and both a token.
## [br]3. Both send to all addresses of the other until one answers, which opens the way in their
##     NATs; every packet proves that its sender has the token.
## [br]4. A packet every 15 seconds keeps the way open.
##
## Packets of the rendezvous and of the players; numbers are little-endian, an endpoint is 19 bytes:
##
## | bytes | all            |   | bytes | JOIN, LEAVE          |   | bytes | PUNCH, ANSWER, …      |
## |-------|----------------|   |-------|----------------------|   |-------|-----------------------|
## | 4     | "NATP"         |   | 8     | the player's id      |   | 1     | 1: sent by the host   |
## | 1, 1  | version, kind  |   | 16    | room: hash of a code |   | 8     | nonce                 |
## |       |                |   | 16    | cookie of CHALLENGE  |   | 16    | HMAC of all before it |
## |       |                |   | 1     | endpoints: at most 8 |   |       | with the token        |
## |       |                |   | …     | zeros up to 256      |   |       |                       |
##
## Answers of the rendezvous begin with the player's id too; CHALLENGE: the cookie. WAITING: where
## the server sees the player. PEER: that, whether the player is the host, the token, the other's
## endpoints. REFUSED: nothing.

## The way to the other player is open. The guest hears of it a moment before the host: go on with
## [method poll] for a second at least, so that the host learns of it though packets are lost.
signal connected(ip: String, port: int)
signal failed(reason: Reason)
## The other player has not been heard of for [member silence_msec].
signal lost
## A packet from the address of the other player. Where the address may be forged, so may this.
signal packet_received(packet: PackedByteArray)

enum State { IDLE, RESOLVING, MEETING, PUNCHING, CONNECTED }
enum Reason {
	## The name of the rendezvous server has no address.
	UNKNOWN_HOST,
	## The rendezvous server does not answer.
	NO_SERVER,
	## The room has two players already, or the server takes no more.
	REFUSED,
	## No address of the other player has answered: see [method is_mapping_varying].
	NO_PATH,
}

## How long the rendezvous is delayed for the STUN server's answer: three requests.
const STUN_PATIENCE_MSEC := 3000
const JOIN_AGAIN_MSEC := 500
const STILL_WAITING_MSEC := 1000
## Between two packets, to whichever address: Ta of RFC 8445.
const PACE_MSEC := 50
const MAX_CANDIDATES := 16
const MAX_LOCAL := 6

## Set its options before [method start], or bind it yourself.
var peer := PacketPeerUdpRs.new()
## A STUN server; "": none, then only the rendezvous sees the public address.
var stun_host := ""
var stun_port := 3478
## How long the rendezvous server may be silent.
var server_msec := 10_000
## How long to try to reach the other player.
var punch_msec := 10_000
## RFC 8445 asks for 15 s; many NATs forget a mapping after 30 s without a packet.
var keep_alive_msec := 15_000
var silence_msec := 45_000

var state := State.IDLE
## Of the two players, exactly one is the host.
var is_host := false
## Where the other player is reached, when connected.
var peer_ip := ""
var peer_port := 0
## Our public endpoint as the rendezvous server sees it, null until then.
var observed: Endpoint
## Our public endpoints as STUN servers have seen them: one IPv4, one IPv6 at most.
var mapped: Array[Endpoint] = []
## Packets that were nobody's.
var strangers := 0

var _crypto := Crypto.new()
var _lookups: Array[Lookup] = []
var _server_port := 0
var _server: Endpoint
var _queries: Array[StunQuery] = []
var _id: PackedByteArray
var _room: PackedByteArray
var _cookie: PackedByteArray
var _token: PackedByteArray
var _local: Array[Endpoint] = []
var _candidates: Array[Candidate] = []
var _chosen: Candidate
var _turn := 0
## When each step began or is due, and when the other end was heard, in ms.
var _began := 0
var _due := 0
var _heard := 0


## Opens the socket on [param local_port] (0: any) unless it is open, and begins.
func start(room_code: String, server_host: String, server_port: int, local_port := 0) -> Error:
	if state != State.IDLE:
		return ERR_ALREADY_IN_USE
	if room_code.is_empty() or server_port < 1 or server_port > 65535:
		return ERR_INVALID_PARAMETER
	if not peer.is_bound():
		var error := peer.bind(local_port)
		if error != OK:
			return error
	_forget()
	_server_port = server_port
	_id = _crypto.generate_random_bytes(8)
	_room = room_code.sha256_buffer().slice(0, 16)
	_lookups = [Lookup.new(server_host)]
	if not stun_host.is_empty():
		_lookups.append(Lookup.new(stun_host))
	state = State.RESOLVING
	return OK


## Once a frame, also while connected.
func poll() -> void:
	if state == State.IDLE:
		return
	_receive()
	var now := Time.get_ticks_msec()
	match state:
		State.RESOLVING:
			_resolve(now)
		State.MEETING:
			_meet(now)
		State.PUNCHING:
			_punch(now)
		State.CONNECTED:
			_keep_alive(now)


## A packet of the game to the other player; [code]peer.put_packet()[/code] and
## [code]peer.put_var()[/code] go there too.
func send(packet: PackedByteArray) -> Error:
	return _send(packet, peer_ip, peer_port) if state == State.CONNECTED else ERR_UNCONFIGURED


## Leaves the room or the other player, and closes the socket.
func stop() -> void:
	if state == State.MEETING and not _cookie.is_empty():
		_send(_request(Wire.LEAVE), _server.ip, _server.port)
	state = State.IDLE
	_lookups.clear()
	peer.close()


## Whether our NAT gives each destination another public address ("symmetric"): then what STUN and
## the rendezvous have seen is not where the other player can reach us. False where unknown.
func is_mapping_varying() -> bool:
	for endpoint in mapped:
		if observed == null or (":" in endpoint.ip) != (":" in observed.ip):
			continue
		# On the server's own network we are seen as we are.
		if not _local.any(func(own: Endpoint) -> bool: return own.ip == observed.ip):
			return not endpoint.is_at(observed.ip, observed.port)
	return false


## A code that nobody guesses, and that can be told by voice: 40 random bits.
static func make_code() -> String:
	const LETTERS := "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	var code := ""
	for byte in Crypto.new().generate_random_bytes(8):
		code += LETTERS[byte % LETTERS.length()]
	return code


# ---- the socket ---------------------------------------------------------------------------------


## All that leaves goes through here.
func _send(packet: PackedByteArray, ip: String, port: int) -> Error:
	return peer.send_to(packet, ip, port)


func _receive() -> void:
	var packets := peer.get_packets()
	var ips := peer.get_batch_ips()
	var ports := peer.get_batch_ports()
	for i in packets.size():
		_take(packets[i], ips[i], ports[i])
		# A handler may have ended it.
		if state == State.IDLE:
			return


## All that arrives goes through here.
func _take(packet: PackedByteArray, ip: String, port: int) -> void:
	if state == State.MEETING:
		for query in _queries:
			if query.take(packet, ip, port):
				return
		if _server.is_at(ip, port) and _take_answer(packet):
			return
	if state >= State.PUNCHING and _take_punch(packet, ip, port):
		return
	if state == State.CONNECTED and ip == peer_ip and port == peer_port:
		packet_received.emit(packet)
	else:
		strangers += 1


func _forget() -> void:
	observed = null
	mapped = []
	is_host = false
	strangers = 0
	_server = null
	_queries = []
	_cookie = []
	_token = []
	_candidates = []
	_chosen = null
	_turn = 0


func _fail(reason: Reason) -> void:
	stop()
	failed.emit(reason)


# ---- STUN and the rendezvous --------------------------------------------------------------------


func _resolve(now: int) -> void:
	if not _lookups.all(func(one: Lookup) -> bool: return one.is_done()):
		return
	if _lookups[0].addresses.is_empty():
		_fail(Reason.UNKNOWN_HOST)
		return
	_server = Endpoint.at(_lookups[0].addresses[0], _server_port)
	_local = _local_endpoints()
	for address in _lookups[1].addresses if _lookups.size() > 1 else PackedStringArray():
		if _has_family_of(address):
			_queries.append(StunQuery.new(Endpoint.at(address, stun_port)))
	_lookups.clear()
	_began = now
	_heard = now
	_due = now
	state = State.MEETING


func _meet(now: int) -> void:
	for query in _queries:
		var request := query.step(now)
		if not request.is_empty():
			_send(request, query.server.ip, query.server.port)
		if query.mapped != null and not query.mapped in mapped:
			mapped.append(query.mapped)
	var is_asking := _queries.any(func(query: StunQuery) -> bool: return not query.is_done)
	if is_asking and now - _began < STUN_PATIENCE_MSEC:
		_heard = now
	elif now - _heard >= server_msec:
		_fail(Reason.NO_SERVER)
	elif now >= _due:
		_due = now + JOIN_AGAIN_MSEC
		_send(_request(Wire.JOIN), _server.ip, _server.port)


## JOIN or LEAVE. As long as the longest answer and longer, so that nobody can have the server send
## others more than was sent to it.
func _request(kind: int) -> PackedByteArray:
	var packet := Wire.head(kind) + _id + _room
	packet += _cookie if not _cookie.is_empty() else Wire.zeros(Wire.COOKIE_BYTES)
	packet += Endpoint.list_to_bytes((mapped + _local).slice(0, Wire.MAX_ENDPOINTS))
	packet.resize(Wire.REQUEST_BYTES)
	return packet


## Whether the packet is an answer to this player.
func _take_answer(packet: PackedByteArray) -> bool:
	var kind := Wire.kind_of(packet)
	if kind == 0 or packet.slice(Wire.HEAD_BYTES, Wire.BODY) != _id:
		return false
	var body := packet.slice(Wire.BODY)
	var now := Time.get_ticks_msec()
	match kind:
		Wire.CHALLENGE when body.size() == Wire.COOKIE_BYTES:
			# Answered at once, but a second time not before the usual time.
			if _cookie != body:
				_due = now
			_cookie = body
		Wire.WAITING when body.size() == Endpoint.BYTES:
			observed = Endpoint.read(body, 0)
			_due = now + STILL_WAITING_MSEC
		Wire.PEER when body.size() > Endpoint.BYTES + Wire.TOKEN_BYTES + 1:
			return _take_peer(body, now)
		Wire.REFUSED when body.is_empty():
			_fail(Reason.REFUSED)
		_:
			return false
	_heard = now
	return true


func _take_peer(body: PackedByteArray, now: int) -> bool:
	var at := Endpoint.BYTES + 1
	var others := Endpoint.list_from_bytes(body, at + Wire.TOKEN_BYTES, Wire.MAX_ENDPOINTS + 1)
	if others.is_empty():
		return false
	observed = Endpoint.read(body, 0)
	is_host = body[Endpoint.BYTES] == 1
	_token = body.slice(at, at + Wire.TOKEN_BYTES)
	for other in others:
		if other.is_usable(_server.is_loopback()) and _has_family_of(other.ip):
			_learn(other.ip, other.port)
	_began = now
	_due = now
	state = State.PUNCHING
	return true


## Where this machine can be reached from its own network. Loopback only if the server is there.
func _local_endpoints() -> Array[Endpoint]:
	var found: Array[Endpoint] = []
	var bound := Endpoint.at(peer.get_local_address(), peer.get_local_port())
	var addresses := IP.get_local_addresses() if bound.is_any() else PackedStringArray([bound.ip])
	for wants_ipv6: bool in [false, true]:
		for address in addresses:
			var endpoint := Endpoint.at(address, bound.port)
			if (":" in address) == wants_ipv6 and endpoint.is_usable(_server.is_loopback()):
				found.append(endpoint)
	return found.slice(0, MAX_LOCAL)


## A packet to a family that this machine does not have fails, and is reported.
func _has_family_of(address: String) -> bool:
	return _local.any(func(own: Endpoint) -> bool: return (":" in own.ip) == (":" in address))


# ---- punching -----------------------------------------------------------------------------------


func _punch(now: int) -> void:
	if now - _began >= punch_msec:
		_fail(Reason.NO_PATH)
	elif now >= _due and not _candidates.is_empty():
		_due = now + PACE_MSEC
		# The own network, which is named last, comes first: the first way that answers is taken.
		var candidate := _candidates[-1 - _turn % _candidates.size()]
		_turn += 1
		_send_to_candidate(candidate, Wire.CHOICE if is_host and candidate.answers else Wire.PUNCH)


func _keep_alive(now: int) -> void:
	if now - _heard >= silence_msec:
		stop()
		lost.emit()
	elif now >= _due:
		_due = now + keep_alive_msec
		# An old answer, recorded and sent again, is none.
		_chosen.nonce = _crypto.generate_random_bytes(Wire.NONCE_BYTES)
		_send_to_candidate(_chosen, Wire.PUNCH)


## PUNCH asks whether the way is open, ANSWER says so. The host sends CHOICE by ways that have
## answered, and the other accepts the first by AGREED, so that both use the same one.
func _take_punch(packet: PackedByteArray, ip: String, port: int) -> bool:
	var kind := Wire.kind_of(packet)
	if packet.size() != Wire.PUNCH_BYTES or kind < Wire.PUNCH or not _is_from_other(packet):
		return false
	var nonce := packet.slice(Wire.HEAD_BYTES + 1, Wire.HEAD_BYTES + 1 + Wire.NONCE_BYTES)
	# Also an address that nobody has named: a NAT may have given the other player a new one.
	var candidate := _learn(ip, port)
	if candidate == null or (state == State.CONNECTED and candidate != _chosen):
		return true
	var is_answer := kind in [Wire.ANSWER, Wire.AGREED]
	if is_answer and nonce != candidate.nonce:
		return true
	_heard = Time.get_ticks_msec()
	match kind:
		Wire.PUNCH:
			# In this order the other one can choose this way as soon as it has the answer.
			if not candidate.answers:
				_send_to_candidate(candidate, Wire.PUNCH)
			_send_punch(Wire.ANSWER, nonce, candidate)
		Wire.ANSWER when not candidate.answers:
			candidate.answers = true
			if is_host:
				_send_to_candidate(candidate, Wire.CHOICE)
		Wire.CHOICE when not is_host and candidate.answers:
			_send_punch(Wire.AGREED, nonce, candidate)
			_connect_by(candidate)
		Wire.CHOICE when not is_host:
			_send_to_candidate(candidate, Wire.PUNCH)
		Wire.AGREED when is_host and candidate.answers:
			_connect_by(candidate)
	return true


func _connect_by(candidate: Candidate) -> void:
	if state == State.CONNECTED:
		return
	_chosen = candidate
	peer_ip = candidate.endpoint.ip
	peer_port = candidate.endpoint.port
	_due = Time.get_ticks_msec() + keep_alive_msec
	state = State.CONNECTED
	peer.set_dest_address(peer_ip, peer_port)
	connected.emit(peer_ip, peer_port)


## The candidate with this address, a new one if there is none; null if there are too many.
func _learn(ip: String, port: int) -> Candidate:
	for candidate in _candidates:
		if candidate.endpoint.is_at(ip, port):
			return candidate
	if _candidates.size() == MAX_CANDIDATES or state == State.CONNECTED:
		return null
	var candidate := Candidate.new()
	candidate.endpoint = Endpoint.at(ip, port)
	candidate.nonce = _crypto.generate_random_bytes(Wire.NONCE_BYTES)
	_candidates.append(candidate)
	return candidate


func _send_to_candidate(candidate: Candidate, kind: int) -> void:
	_send_punch(kind, candidate.nonce, candidate)


func _send_punch(kind: int, nonce: PackedByteArray, candidate: Candidate) -> void:
	# An address that the system refuses is not tried for ever: each refusal is reported.
	if candidate.refusals == 3:
		return
	var packet := Wire.head(kind)
	packet.append(int(is_host))
	packet += nonce
	packet += Wire.code_of(_crypto, _token, packet)
	if _send(packet, candidate.endpoint.ip, candidate.endpoint.port) != OK:
		candidate.refusals += 1


## Not our own packet that came back, and not one of somebody without the token.
func _is_from_other(packet: PackedByteArray) -> bool:
	var size := packet.size() - Wire.CODE_BYTES
	if packet[Wire.HEAD_BYTES] != int(not is_host):
		return false
	var expected := Wire.code_of(_crypto, _token, packet.slice(0, size))
	return _crypto.constant_time_compare(expected, packet.slice(size))


## The rendezvous server: two players who name the same room get each other's addresses. Call
## [method listen] once and [method poll] once a frame.
##
## No answer is longer than its request, and only who proves by a cookie that it receives at its
## address gets into a room. Each address has a limited number of answers and of players, and all
## memory is bounded. The one packet without a request tells a player who waits that the other came.
class Rendezvous:
	extends RefCounted

	const PACKETS_PER_POLL := 512
	const QUEUE_BYTES := 1 << 20
	const COOKIE_MSEC := 60_000
	const LOOK_MSEC := 1000

	## Bind it yourself for other options.
	var peer := PacketPeerUdpRs.new()
	var max_rooms := 1024
	## By IPv4 address or IPv6 network (/64). Many players share an address of a large provider.
	var max_players_per_address := 64
	## A player who has not asked for this long has left.
	var silence_msec := 10_000
	## Requests that were not understood, and those over the limits.
	var strangers := 0
	var limited := 0

	var _crypto := Crypto.new()
	var _secret := _crypto.generate_random_bytes(32)
	var _rooms: Dictionary[String, Room] = {}
	## Players by address.
	var _crowd: Dictionary[String, int] = {}
	# Apart, so that strangers under a player's name do not use up the player's answers.
	var _stranger_limit := Limiter.new(10.0, 20.0)
	var _player_limit := Limiter.new(300.0, 600.0)
	var _next_look := 0

	## The address has to be the one that clients send to: they ignore answers from others.
	func listen(port: int, bind_address := "*") -> Error:
		peer.background_receive = true
		peer.queue_size = QUEUE_BYTES
		return peer.bind(port, bind_address)

	func poll() -> void:
		if not peer.is_bound():
			return
		var now := Time.get_ticks_msec()
		var packets := peer.get_packets(PACKETS_PER_POLL)
		var ips := peer.get_batch_ips()
		var ports := peer.get_batch_ports()
		for i in packets.size():
			_take(packets[i], Endpoint.at(ips[i], ports[i]), now)
		if now >= _next_look:
			_next_look = now + LOOK_MSEC
			_drop_silent(now)

	func stop() -> void:
		peer.close()
		_rooms.clear()
		_crowd.clear()

	func get_room_count() -> int:
		return _rooms.size()

	func _take(packet: PackedByteArray, from: Endpoint, now: int) -> void:
		var kind := Wire.kind_of(packet)
		var is_request := packet.size() == Wire.REQUEST_BYTES and kind in [Wire.JOIN, Wire.LEAVE]
		# An address with a scope, of a neighbour, is nothing that can be told to others.
		if not is_request or from.ip.is_empty():
			strangers += 1
			return
		var at := Wire.BODY + Wire.ROOM_BYTES
		var is_verified := _is_cookie(packet.slice(at, at + Wire.COOKIE_BYTES), from, now)
		var limit := _player_limit if is_verified else _stranger_limit
		if not limit.allows(from.network(), now):
			limited += 1
			return
		var id := packet.slice(Wire.HEAD_BYTES, Wire.BODY)
		if not is_verified:
			if kind == Wire.JOIN:
				_answer(Wire.CHALLENGE, id, _cookie(from, _period(now)), from)
			return
		var room_name := packet.slice(Wire.BODY, at).hex_encode()
		if kind == Wire.LEAVE:
			_leave(room_name, id)
			return
		var endpoints := Endpoint.list_from_bytes(
			packet, at + Wire.COOKIE_BYTES, Wire.MAX_ENDPOINTS
		)
		_join(room_name, id, from, endpoints, now)

	func _join(
		room_name: String, id: PackedByteArray, from: Endpoint, local: Array[Endpoint], now: int
	) -> void:
		var room: Room = _rooms.get(room_name)
		var player := room.find(id) if room != null else null
		var is_new_player := player == null
		if is_new_player:
			var is_new := room == null and _rooms.size() < max_rooms
			var has_place := is_new or (room != null and room.players.size() < 2)
			if not has_place or _crowd.get(from.network(), 0) >= max_players_per_address:
				_answer(Wire.REFUSED, id, [], from)
				return
			if is_new:
				room = Room.new()
				_rooms[room_name] = room
			player = Player.new()
			player.id = id
			room.players.append(player)
			room.token = _crypto.generate_random_bytes(Wire.TOKEN_BYTES)
			_count(from.network(), 1)
		elif player.endpoint.network() != from.network():
			_count(player.endpoint.network(), -1)
			_count(from.network(), 1)
		player.endpoint = from
		player.local = local
		player.heard = now
		_tell(room, player)
		if is_new_player and room.players.size() == 2:
			_tell(room, room.players[0])

	## What the player waits for: the other one.
	func _tell(room: Room, player: Player) -> void:
		var body := player.endpoint.to_bytes()
		if room.players.size() < 2:
			_answer(Wire.WAITING, player.id, body, player.endpoint)
			return
		var is_host := player == room.players[0]
		var other := room.players[1 if is_host else 0]
		var endpoints: Array[Endpoint] = [other.endpoint]
		for endpoint in other.local:
			if not endpoint.is_at(other.endpoint.ip, other.endpoint.port):
				endpoints.append(endpoint)
		body.append(int(is_host))
		body += room.token + Endpoint.list_to_bytes(endpoints)
		_answer(Wire.PEER, player.id, body, player.endpoint)

	func _answer(kind: int, id: PackedByteArray, body: PackedByteArray, to: Endpoint) -> void:
		peer.send_to(Wire.head(kind) + id + body, to.ip, to.port)

	func _leave(room_name: String, id: PackedByteArray) -> void:
		var room: Room = _rooms.get(room_name)
		var player := room.find(id) if room != null else null
		if player == null:
			return
		room.players.erase(player)
		_count(player.endpoint.network(), -1)
		if room.players.is_empty():
			_rooms.erase(room_name)

	func _drop_silent(now: int) -> void:
		for room_name: String in _rooms.keys():
			for player: Player in _rooms[room_name].players.duplicate():
				if now - player.heard >= silence_msec:
					_leave(room_name, player.id)

	func _count(network: String, by: int) -> void:
		_crowd[network] = _crowd.get(network, 0) + by
		if _crowd[network] <= 0:
			_crowd.erase(network)

	## Whoever receives at the address can send it back. Nothing is stored for it.
	func _cookie(from: Endpoint, period: int) -> PackedByteArray:
		return Wire.code_of(
			_crypto, _secret, ("%s %d %d" % [from.ip, from.port, period]).to_utf8_buffer()
		)

	static func _period(now: int) -> int:
		# Whole periods.
		@warning_ignore("integer_division")
		return now / COOKIE_MSEC

	func _is_cookie(cookie: PackedByteArray, from: Endpoint, now: int) -> bool:
		var current := _period(now)
		for period: int in [current, current - 1]:
			if _crypto.constant_time_compare(_cookie(from, period), cookie):
				return true
		return false


## A STUN Binding request with its repetitions (RFC 8489, 6.2.1), and its response. No socket:
## send what [method step] returns, and pass what arrives to [method take].
class StunQuery:
	extends RefCounted

	const COOKIE := 0x2112A442
	const REQUEST := 0x0001
	const SUCCESS := 0x0101
	const ERROR := 0x0111
	const MESSAGE_INTEGRITY := 0x0008
	const MESSAGE_INTEGRITY_SHA256 := 0x001C
	const XOR_MAPPED_ADDRESS := 0x0020
	const FINGERPRINT := 0x8028
	## Attributes below 0x8000 have to be understood. MAPPED-ADDRESS is for old clients.
	const UNDERSTOOD: Array[int] = [0x0001, 0x0008, 0x001C, 0x0020]
	const FINGERPRINT_MASK := 0x5354554E
	const HEADER_BYTES := 20
	## RTO, Rc and Rm: sent after 0, 500, 1,500, 3,500, 7,500, 15,500 and 31,500 ms, given up after
	## 39,500 ms.
	const RTO_MSEC := 500
	const REQUESTS := 7
	const LAST_WAIT := 16

	var server: Endpoint
	## 96 random bits: without them nobody can forge a response.
	var transaction := Crypto.new().generate_random_bytes(12)
	## Where the server saw us, null where it has not said.
	var mapped: Endpoint
	var is_done := false

	var _sent := 0
	var _due := 0

	func _init(of_server: Endpoint) -> void:
		server = of_server

	## The request, when it is time to send it; otherwise nothing.
	func step(now_msec: int) -> PackedByteArray:
		if is_done or (_sent > 0 and now_msec < _due):
			return []
		if _sent == REQUESTS:
			is_done = true
			return []
		_sent += 1
		_due = now_msec + RTO_MSEC * (LAST_WAIT if _sent == REQUESTS else 1 << (_sent - 1))
		return _request()

	## Whether the packet belongs to this query. Nothing else changes anything.
	func take(packet: PackedByteArray, ip: String, port: int) -> bool:
		if is_done or not server.is_at(ip, port) or packet.size() < HEADER_BYTES:
			return false
		var type := _u16(packet, 0)
		var is_whole := _u16(packet, 2) + HEADER_BYTES == packet.size() and packet.size() % 4 == 0
		if not is_whole or packet.slice(4, HEADER_BYTES) != _cookie() + transaction:
			return false
		if not type in [SUCCESS, ERROR]:
			return false
		var found: Endpoint = null
		var is_understood := true
		var is_sealed := false
		var at := HEADER_BYTES
		while at < packet.size():
			var attribute := _u16(packet, at)
			var size := _u16(packet, at + 2)
			var value := packet.slice(at + 4, at + 4 + size)
			if value.size() != size:
				return false
			if attribute == FINGERPRINT:
				if at + 8 != packet.size() or _be(value) != _fingerprint(packet.slice(0, at)):
					return false
			elif not is_sealed:
				# What follows MESSAGE-INTEGRITY is ignored, except FINGERPRINT.
				is_sealed = attribute in [MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256]
				is_understood = is_understood and (attribute >= 0x8000 or attribute in UNDERSTOOD)
				if attribute == XOR_MAPPED_ADDRESS and found == null:
					found = _unmasked(value)
			at += 4 + ((size + 3) & ~3)  # padded to 4 bytes
		is_done = true
		if type == SUCCESS and is_understood:
			mapped = found
		return true

	func _request() -> PackedByteArray:
		# The FINGERPRINT tells it from the other packets of this socket (RFC 8489, 7).
		var packet := _to_be(REQUEST, 2) + _to_be(8, 2) + _cookie() + transaction
		return packet + _to_be(FINGERPRINT, 2) + _to_be(4, 2) + _to_be(_fingerprint(packet), 4)

	## The address of XOR-MAPPED-ADDRESS: family, port and address masked with cookie and
	## transaction, so that no NAT on the way recognises and changes it.
	func _unmasked(value: PackedByteArray) -> Endpoint:
		var sizes: Dictionary[int, int] = {1: 8, 2: 20}
		if value.size() < 8 or sizes.get(value[1], 0) != value.size():
			return null
		var mask := _cookie() + transaction
		var address := value.slice(4)
		for i in address.size():
			address[i] ^= mask[i]
		var port := _u16(value, 2) ^ (COOKIE >> 16)
		return Endpoint.at(Endpoint.text_of(address), port) if port > 0 else null

	static func _cookie() -> PackedByteArray:
		return _to_be(COOKIE, 4)

	## CRC-32 as in Ethernet (polynomial 0xEDB88320, reflected), masked.
	static func _fingerprint(packet: PackedByteArray) -> int:
		var crc := 0xFFFFFFFF
		for byte in packet:
			crc ^= byte
			for bit in 8:
				crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
		return crc ^ 0xFFFFFFFF ^ FINGERPRINT_MASK

	static func _u16(packet: PackedByteArray, at: int) -> int:
		return _be(packet.slice(at, at + 2))

	static func _be(some: PackedByteArray) -> int:
		var number := 0
		for byte in some:
			number = number << 8 | byte
		return number

	static func _to_be(number: int, size: int) -> PackedByteArray:
		var result := PackedByteArray()
		for i in size:
			result.append(number >> 8 * (size - 1 - i) & 0xFF)
		return result


## An address and a port, written as PacketPeerUdpRs writes them.
class Endpoint:
	extends RefCounted

	## Family (4 or 6, 0: none), port, address.
	const BYTES := 19

	var ip := ""
	var port := 0

	static func at(of_ip: String, of_port: int) -> Endpoint:
		var endpoint := Endpoint.new()
		endpoint.ip = text_of(bytes_of(of_ip))
		endpoint.port = of_port
		return endpoint

	func is_at(other_ip: String, other_port: int) -> bool:
		return port == other_port and ip == other_ip

	func is_any() -> bool:
		return ip.replace("0", "").replace(":", "").replace(".", "").is_empty()

	func is_loopback() -> bool:
		return ip.begins_with("127.") or ip == "0:0:0:0:0:0:0:1"

	## Whether a packet may be sent there on a stranger's word: only to one machine.
	func is_usable(with_loopback: bool) -> bool:
		var address := bytes_of(ip)
		if port == 0 or address.is_empty() or is_loopback():
			return port != 0 and is_loopback() and with_loopback
		if address.size() == 4:
			var is_link_local := address[0] == 169 and address[1] == 254
			return address[0] > 0 and address[0] < 224 and not is_link_local
		# Global (2000::/3) or unique local (fc00::/7).
		return address[0] & 0xE0 == 0x20 or address[0] & 0xFE == 0xFC

	## What one owner usually has: an IPv4 address, an IPv6 network of 64 bits.
	func network() -> String:
		return ":".join(ip.split(":").slice(0, 4))

	func to_bytes() -> PackedByteArray:
		var address := bytes_of(ip)
		var packet := PackedByteArray([4 if address.size() == 4 else 6, port & 0xFF, port >> 8])
		packet += address
		packet.resize(BYTES)
		return packet

	## null where there is none.
	static func read(packet: PackedByteArray, from: int) -> Endpoint:
		if from + BYTES > packet.size() or not packet[from] in [4, 6]:
			return null
		var of_port := packet.decode_u16(from + 1)
		var size := 4 if packet[from] == 4 else 16
		return Endpoint.at(text_of(packet.slice(from + 3, from + 3 + size)), of_port)

	static func list_to_bytes(some: Array[Endpoint]) -> PackedByteArray:
		var packet := PackedByteArray([some.size()])
		for endpoint in some:
			packet += endpoint.to_bytes()
		return packet

	## Empty where the list is longer than [param most] or than the packet, or has what is none.
	static func list_from_bytes(packet: PackedByteArray, from: int, most: int) -> Array[Endpoint]:
		var found: Array[Endpoint] = []
		if packet[from] > most:
			return found
		for i in packet[from]:
			var endpoint := read(packet, from + 1 + i * BYTES)
			if endpoint == null:
				return []
			found.append(endpoint)
		return found

	## 4 or 16 bytes, none for what is no address or has a scope.
	static func bytes_of(text: String) -> PackedByteArray:
		var bytes := PackedByteArray()
		if not text.is_valid_ip_address() or "%" in text:
			return bytes
		if not ":" in text:
			for part in text.split("."):
				bytes.append(part.to_int())
			return bytes
		var halves := text.split("::")
		var first := halves[0].split(":", false)
		var last := halves[1].split(":", false) if halves.size() == 2 else PackedStringArray()
		if "." in text or first.size() + last.size() > 8:
			return bytes
		bytes.resize(16)
		for i in first.size() + last.size():
			var is_first := i < first.size()
			var group := (first[i] if is_first else last[i - first.size()]).hex_to_int()
			var place := i if is_first else 8 - last.size() + i - first.size()
			bytes[2 * place] = group >> 8
			bytes[2 * place + 1] = group & 0xFF
		return bytes

	static func text_of(address: PackedByteArray) -> String:
		if address.size() == 4:
			return "%d.%d.%d.%d" % Array(address)
		var groups := PackedStringArray()
		for i in range(0, address.size(), 2):
			groups.append("%x" % (address[i] << 8 | address[i + 1]))
		return ":".join(groups)


## The packets of the rendezvous and of the players.
class Wire:
	const MAGIC := 0x5054414E  # "NATP"
	const VERSION := 1
	const JOIN := 1
	const LEAVE := 2
	const CHALLENGE := 3
	const WAITING := 4
	const PEER := 5
	const REFUSED := 6
	const PUNCH := 7
	const ANSWER := 8
	const CHOICE := 9
	const AGREED := 10

	const HEAD_BYTES := 6
	const ROOM_BYTES := 16
	const COOKIE_BYTES := 16
	const TOKEN_BYTES := 16
	const NONCE_BYTES := 8
	const CODE_BYTES := 16
	const PUNCH_BYTES := HEAD_BYTES + 1 + NONCE_BYTES + CODE_BYTES
	## After the player's id.
	const BODY := HEAD_BYTES + 8
	const MAX_ENDPOINTS := 8
	const REQUEST_BYTES := 256

	static func head(kind: int) -> PackedByteArray:
		var packet := zeros(HEAD_BYTES)
		packet.encode_u32(0, MAGIC)
		packet[4] = VERSION
		packet[5] = kind
		return packet

	## 0 for what is no message.
	static func kind_of(packet: PackedByteArray) -> int:
		var is_ours := packet.size() >= BODY and packet.decode_u32(0) == MAGIC
		return packet[5] if is_ours and packet[4] == VERSION and packet[5] <= AGREED else 0

	static func zeros(size: int) -> PackedByteArray:
		var packet := PackedByteArray()
		packet.resize(size)
		return packet

	static func code_of(
		crypto: Crypto, key: PackedByteArray, of: PackedByteArray
	) -> PackedByteArray:
		return crypto.hmac_digest(HashingContext.HASH_SHA256, key, of).slice(0, CODE_BYTES)


## An address of the other player.
class Candidate:
	var endpoint: Endpoint
	var nonce: PackedByteArray
	var answers := false
	var refusals := 0


class Player:
	var id: PackedByteArray
	## As the server sees it.
	var endpoint: Endpoint
	var local: Array[Endpoint] = []
	var heard := 0


class Room:
	## The first one is the host.
	var players: Array[Player] = []
	var token: PackedByteArray

	func find(id: PackedByteArray) -> Player:
		for player in players:
			if player.id == id:
				return player
		return null


## So many a second for each name, after a first burst. Names share a table of fixed size: a flood
## of them takes no memory, and which names share a place is secret.
class Limiter:
	const PLACES := 4096

	var _rate: float
	var _burst: float
	var _salt := Crypto.new().generate_random_bytes(8).hex_encode()
	var _levels := PackedFloat32Array()
	var _times := PackedInt64Array()

	func _init(rate: float, burst: float) -> void:
		_rate = rate
		_burst = burst
		_levels.resize(PLACES)
		_levels.fill(burst)
		_times.resize(PLACES)

	func allows(name: String, now_msec: int) -> bool:
		var place := (_salt + name).hash() % PLACES
		var gained := (now_msec - _times[place]) / 1000.0 * _rate
		_levels[place] = minf(_levels[place] + gained, _burst)
		_times[place] = now_msec
		if _levels[place] < 1.0:
			return false
		_levels[place] -= 1.0
		return true


## The addresses of a host name, IPv4 first, looked up in the engine's thread.
class Lookup:
	extends RefCounted

	var addresses: PackedStringArray
	var _items: PackedInt32Array

	func _init(host: String) -> void:
		if host.is_valid_ip_address():
			addresses.append(host)
			return
		for type: IP.Type in [IP.TYPE_IPV4, IP.TYPE_IPV6]:
			var item := IP.resolve_hostname_queue_item(host, type)
			if item != IP.RESOLVER_INVALID_ID:
				_items.append(item)

	func is_done() -> bool:
		while not _items.is_empty():
			match IP.get_resolve_item_status(_items[0]):
				IP.RESOLVER_STATUS_WAITING:
					return false
				IP.RESOLVER_STATUS_DONE:
					addresses.append(IP.get_resolve_item_address(_items[0]))
			IP.erase_resolve_item(_items[0])
			_items.remove_at(0)
		return true

	func _notification(what: int) -> void:
		if what == NOTIFICATION_PREDELETE:
			for item in _items:
				IP.erase_resolve_item(item)
