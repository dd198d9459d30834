# gdlint: disable=max-public-methods
extends "../support/suite.gd"
## The sample of NAT punching: the STUN query by the vectors of RFC 5769, the rendezvous server with
## strangers, and players behind NATs, each a relay in this process. With real NATs it runs in
## scripts/nat_test.sh.

const NatPunching := preload("res://samples/nat_punching.gd")
const NatRelay := preload("../support/nat_relay.gd")
const StunServer := preload("../support/stun_server.gd")

const CODE := "the room"
## RFC 5769, 2.2 and 2.3: responses with SOFTWARE, XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY and
## FINGERPRINT, and the transaction of both.
const TRANSACTION := "b7e7a701bc34d686fa87dfae"
const IPV4_RESPONSE := (
	"0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
	+ "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
const IPV6_RESPONSE := (
	"010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
	+ "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
const MAPPED_PORT := 32853
const SERVER := "203.0.113.1"

var _ends: Array[_End] = []


func finish() -> void:
	# Player and handlers keep each other.
	for end in _ends:
		end.player = null
	super()


# ---- STUN ---------------------------------------------------------------------------------------


func test_the_vectors_of_rfc_5769() -> void:
	for row: Array in [
		[IPV4_RESPONSE, "192.0.2.1"], [IPV6_RESPONSE, "2001:db8:1234:5678:11:2233:4455:6677"]
	]:
		var query := _query()
		check(query.take(row[0].hex_decode(), SERVER, 3478), "the response is taken")
		check(query.is_done and query.mapped != null, "it is the answer")
		if query.mapped != null:
			check_equal(query.mapped.ip, row[1], "address")
			check_equal(query.mapped.port, MAPPED_PORT, "port")
		check(not query.take(row[0].hex_decode(), SERVER, 3478), "a second one is not taken")


func test_a_response_with_any_bit_changed_is_none() -> void:
	for text: String in [IPV4_RESPONSE, IPV6_RESPONSE]:
		var response := text.hex_decode()
		var true_address := _query()
		true_address.take(response, SERVER, 3478)
		# All but the fingerprint itself is covered by it, unless an attribute becomes so long that
		# it ends behind the fingerprint.
		var lengths := [39, 51 if response.size() == 80 else 63]
		for bit in 8 * (response.size() - 8):
			var damaged := response.duplicate()
			damaged[bit >> 3] ^= 1 << bit % 8
			var query := _query()
			if query.take(damaged, SERVER, 3478):
				check(bit >> 3 in lengths, "bit %d is changed" % bit)
			if query.mapped != null:
				check_equal(query.mapped.ip, true_address.mapped.ip, "bit %d, address" % bit)
				check_equal(query.mapped.port, MAPPED_PORT, "bit %d, port" % bit)


func test_what_is_no_response_to_the_request() -> void:
	var response := IPV4_RESPONSE.hex_decode()
	var query := _query()
	check(not query.take(response, "203.0.113.2", 3478), "another address")
	check(not query.take(response, SERVER, 3479), "another port")
	for size in response.size():
		check(not query.take(response.slice(0, size), SERVER, 3478), "%d bytes" % size)
	check(not query.take(response + bytes("...."), SERVER, 3478), "too long")
	query.transaction[11] ^= 1
	check(not query.take(response, SERVER, 3478), "another transaction")
	# Attributes that lie about their length, in a packet that is whole otherwise.
	query = _query()
	for size: int in [0x000D, 0x0FFF, 0xFFFF]:
		check(not query.take(_response("0020%04x0001a147e112a643" % size), SERVER, 3478), "size")
	check(not query.is_done and query.mapped == null, "nothing follows")


func test_responses_without_an_address() -> void:
	for row: Array in [
		["", "no attribute"],
		["0001000800018055c0000201", "MAPPED-ADDRESS only"],
		["002000080003a147e112a643", "an unknown family"],
		["002000080002a147e112a643", "a family of another size"],
		["0020000800012112e112a643", "port 0"],
		["00200000", "an empty address"],
		["002000080001a147e112a6437fff0000", "an attribute that has to be understood and is not"],
		["00080014" + "00".repeat(20) + "002000080001a147e112a643", "after MESSAGE-INTEGRITY"],
	]:
		var query := _query()
		check(query.take(_response(row[0]), SERVER, 3478), "taken: " + row[1])
		check(query.is_done and query.mapped == null, "no address: " + row[1])
	var query := _query()
	check(query.take(_response("002000080001a147e112a643fffe0000"), SERVER, 3478), "optional")
	check(query.mapped != null, "an attribute that may be ignored is")
	query = _query()
	check(query.take(_response("0009000400000414", "0111"), SERVER, 3478), "an error is taken")
	check(query.is_done and query.mapped == null, "and ends the query")


func test_random_packets_change_nothing_of_a_query() -> void:
	var random := RandomNumberGenerator.new()
	random.seed = 17
	for i in 2000:
		var query := _query()
		var packet := IPV6_RESPONSE.hex_decode()
		# The header is right; what follows is not, without a fingerprint.
		packet = packet.slice(0, 20)
		for k in random.randi_range(0, 20) * 4:
			packet.append(random.randi() & 0xFF)
		packet[2] = 0
		packet[3] = packet.size() - 20
		query.take(packet, SERVER, 3478)
		check(query.mapped == null or query.mapped.port > 0, "an address without a port")


func test_a_query_is_repeated_as_rfc_8489_says() -> void:
	var query := NatPunching.StunQuery.new(NatPunching.Endpoint.at(SERVER, 3478))
	var sent := PackedInt32Array()
	var first := PackedByteArray()
	var end := -1
	for now in range(0, 60_000, 10):
		var request := query.step(1_000_000 + now)
		if not request.is_empty():
			sent.append(now)
			first = request if first.is_empty() else first
			check_equal(request, first, "the same request again")
		if query.is_done and end < 0:
			end = now
	check_equal(sent, PackedInt32Array([0, 500, 1500, 3500, 7500, 15500, 31500]), "sent after, ms")
	check_equal(end, 39_500, "given up after, ms")
	check_equal(first.size(), 28, "bytes of the request")
	check_equal(first.slice(0, 8).hex_encode(), "000100082112a442", "its head")
	check_equal(first.slice(8, 20), query.transaction, "its transaction")
	var other := NatPunching.StunQuery.new(NatPunching.Endpoint.at(SERVER, 3478))
	check(other.transaction != query.transaction, "each has its own transaction")


func test_addresses_are_written_as_the_peer_writes_them() -> void:
	for row: Array in [
		["192.0.2.1", "192.0.2.1"],
		["::1", "0:0:0:0:0:0:0:1"],
		["::", "0:0:0:0:0:0:0:0"],
		["2001:DB8::A:0:1", "2001:db8:0:0:0:a:0:1"],
		["fd77:1:0:0:0:0:0:1", "fd77:1:0:0:0:0:0:1"],
		["fe80::1%eth0", ""],
		["::ffff:192.0.2.1", ""],
		["1:2:3:4:5:6:7:8:9", ""],
		["localhost", ""],
	]:
		var endpoint := NatPunching.Endpoint.at(row[0], 4433)
		check_equal(endpoint.ip, row[1], "%s is written" % row[0])
		if not endpoint.ip.is_empty():
			var read := NatPunching.Endpoint.read(endpoint.to_bytes(), 0)
			check(read.is_at(endpoint.ip, 4433), "%s is read again" % row[0])
	for address in loopback_addresses():
		var peer := bound_peer(OURS, address)
		var sender := sender_to(peer, NATIVE, address)
		send(sender, [numbered(1)])
		take(peer)
		check_equal(NatPunching.Endpoint.at(address, 1).ip, peer.get_packet_ip(), "as received")


func test_which_addresses_are_sent_to_on_anothers_word() -> void:
	for row: Array in [
		["192.168.1.7", true],
		["203.0.113.7", true],
		["2001:db8::1", true],
		["fd00::1", true],
		["127.0.0.1", false],
		["::1", false],
		["0.0.0.0", false],
		["::", false],
		["169.254.1.1", false],
		["fe80::1", false],
		["224.0.0.251", false],
		["255.255.255.255", false],
		["ff02::fb", false],
		["::ffff:7f00:1", false],
	]:
		var endpoint := NatPunching.Endpoint.at(row[0], 4433)
		check_equal(endpoint.is_usable(false), row[1], row[0])
		if not ":" in row[0]:
			var player := _Wireless.new(true, bytes("the right token."), row[0])
			check_equal(player._candidates.size(), int(row[1]), "addresses to try: " + row[0])
		endpoint.port = 0
		check(not endpoint.is_usable(true), "port 0 of " + row[0])
	check(NatPunching.Endpoint.at("127.0.0.1", 1).is_usable(true), "loopback where the server is")


# ---- the rendezvous server ----------------------------------------------------------------------


func test_no_answer_is_longer_than_its_request() -> void:
	var server := _server()
	var players := [_Caller.new(server), _Caller.new(server), _Caller.new(server)]
	for player: _Caller in players:
		player.endpoints.assign(range(8).map(_any_endpoint))
		for i in 3:
			player.join(CODE)
			check(wait_until(func() -> bool: return player.has_answer(server)), "an answer")
	var kinds: Array = players.map(func(player: _Caller) -> int: return player.kinds[-1])
	check_equal(kinds[1], NatPunching.Wire.PEER, "the second one is told of the first")
	check_equal(kinds[2], NatPunching.Wire.REFUSED, "there is no third")
	for player: _Caller in players:
		for size in player.sizes:
			check(size <= NatPunching.Wire.REQUEST_BYTES, "an answer of %d bytes" % size)
	server.stop()


func test_strangers_get_no_answer_and_no_room() -> void:
	var server := _server()
	var stranger := make_peer(OURS)
	stranger.bind(0, LOOPBACK)
	var random := RandomNumberGenerator.new()
	random.seed = 17
	var request := NatPunching.Wire.head(NatPunching.Wire.JOIN)
	request.resize(NatPunching.Wire.REQUEST_BYTES)
	var packets: Array[PackedByteArray] = [PackedByteArray(), bytes("hello"), request.slice(1)]
	for kind in range(3, 12) + [0, 255]:
		var other := request.duplicate()
		other[5] = kind
		packets.append(other)
	packets.append(request + PackedByteArray([0]))
	packets.append(request.slice(0, 255))
	for i in 200:
		var noise := request.duplicate()
		for k in 40:
			noise[random.randi() % 6] = random.randi() & 0xFF
		noise[random.randi() % 4] ^= 1 + random.randi() % 255
		packets.append(noise)
	var sent := [0]
	var are_read := func() -> bool:
		server.poll()
		return server.peer.get_stats().packets_received >= sent[0]
	for packet in packets:
		check_equal(stranger.send_to(packet, LOOPBACK, server.peer.get_local_port()), OK, "send")
		sent[0] += 1
		# Not more at a time than the system's buffer holds.
		if sent[0] % 50 == 0:
			check(wait_until(are_read), "they have arrived")
	check(wait_until(are_read), "all have arrived")
	server.poll()
	check_equal(server.get_room_count(), 0, "rooms")
	check_equal(server.peer.get_stats().packets_sent, 0, "answers")
	server.stop()


func test_a_cookie_is_good_for_one_address() -> void:
	var server := _server()
	var honest := _Caller.new(server)
	check(honest.enter(CODE, server), "the honest one is in")
	var thief := _Caller.new(server)
	thief.cookie = honest.cookie
	thief.join("another room")
	check(wait_until(func() -> bool: return thief.has_answer(server)), "an answer")
	check_equal(thief.kinds[-1], NatPunching.Wire.CHALLENGE, "a challenge only")
	check_equal(server.get_room_count(), 1, "rooms")
	# Nor does it let others leave.
	thief.id = honest.id
	thief.cookie = NatPunching.Wire.zeros(16)
	thief.join(CODE, NatPunching.Wire.LEAVE)
	var before: int = server.peer.get_stats().packets_received
	var is_read := func() -> bool:
		server.poll()
		return server.peer.get_stats().packets_received >= before
	check(wait_until(is_read), "it has arrived")
	check_equal(server.get_room_count(), 1, "rooms after a forged LEAVE")
	honest.join(CODE, NatPunching.Wire.LEAVE)
	var has_left := func() -> bool:
		server.poll()
		return server.get_room_count() == 0
	check(wait_until(has_left), "the honest one can leave")
	server.stop()


func test_its_memory_is_bounded() -> void:
	var server := _server()
	server.max_rooms = 5
	server.max_players_per_address = 8
	var callers: Array[_Caller] = []
	for i in 12:
		callers.append(_Caller.new(server))
		# Five rooms with one each, a sixth that there is none for, then second players.
		callers[-1].enter("room %d" % (i if i < 6 else i - 6), server)
	var last := callers.map(func(caller: _Caller) -> int: return caller.kinds[-1])
	for i in 12:
		var expected := NatPunching.Wire.WAITING if i < 5 else NatPunching.Wire.REFUSED
		if i in [6, 7, 8]:
			expected = NatPunching.Wire.PEER
		check_equal(last[i], expected, "what number %d got" % i)
	check_equal(server.get_room_count(), 5, "rooms")
	server.stop()


func test_who_is_silent_has_left() -> void:
	var server := _server()
	server.silence_msec = 200
	var gone := _Caller.new(server)
	check(gone.enter(CODE, server), "one is in")
	var is_empty := func() -> bool:
		server.poll()
		return server.get_room_count() == 0
	check(wait_until(is_empty), "the room is empty")
	server.stop()


func test_answers_are_limited_by_address() -> void:
	var server := _server()
	var flood := _Caller.new(server)
	for i in 200:
		flood.join(CODE)
	var is_read := func() -> bool:
		server.poll()
		return server.limited >= 100
	check(wait_until(is_read), "%d of 200 were over the limit" % server.limited)
	check(server.peer.get_stats().packets_sent <= 100, "answers to a stranger's flood")
	server.stop()
	var limiter := NatPunching.Limiter.new(10.0, 20.0)
	var allowed := 0
	for now in 5000:
		allowed += int(limiter.allows("someone", now))
	check(allowed >= 68 and allowed <= 70, "%d in five seconds: 20 and 10 a second" % allowed)
	check(limiter.allows("someone else", 5000), "another one has its own")


# ---- players ------------------------------------------------------------------------------------


func test_players_without_a_nat() -> void:
	for address in loopback_addresses():
		var server := _server(address)
		var stun := _stun(address)
		var players: Array[NatPunching] = [NatPunching.new(), NatPunching.new()]
		var ends := _started(players, server, stun, address)
		check(_until_connected(ends, [server, stun]), "both are connected, " + address)
		for i in 2:
			check_equal(players[i].peer_ip, NatPunching.Endpoint.at(address, 1).ip, "the other's")
			check_equal(players[i].peer_port, players[1 - i].peer.get_local_port(), "its port")
			check_equal(players[i].mapped.size(), 1, "the STUN server has answered")
			check(not players[i].is_mapping_varying(), "no NAT")
		check(players[0].is_host != players[1].is_host, "one is the host")
		_check_conversation(ends)
		_stop(players, [server])


func test_players_behind_two_nats() -> void:
	var server := _server()
	var stun := _stun()
	var nats := [NatRelay.new(), NatRelay.new()]
	var players: Array[NatPunching] = [_Behind.new(nats[0]), _Behind.new(nats[1])]
	var ends := _started(players, server, stun)
	check(_until_connected(ends, [server, stun] + nats), "both are connected")
	for i in 2:
		check(players[i].peer_port in nats[1 - i].get_outer_ports(), "the other's public port")
		check_equal(nats[i].get_outer_ports().size(), 1, "one port for all destinations")
		check(players[i].observed.is_at(LOOPBACK, nats[i].get_outer_ports()[0]), "as it is seen")
	var stranger := make_peer(OURS)
	for nat: NatRelay in nats:
		var before := nat.refused
		stranger.send_to(numbered(1), LOOPBACK, nat.get_outer_ports()[0])
		var is_refused := func() -> bool:
			nat.poll()
			return nat.refused > before
		check(wait_until(is_refused), "no stranger is let in")
	_check_conversation(ends, nats)
	_stop(players, [server])


func test_players_behind_one_nat_use_their_own_network() -> void:
	var server := _server()
	var stun := _stun()
	# It sends nothing back to its own players, as many do not.
	var nat := NatRelay.new()
	var players: Array[NatPunching] = [_Behind.new(nat), _Behind.new(nat)]
	var ends := _started(players, server, stun)
	for i in 2:
		(players[i] as _Behind).neighbours = [players[1 - i].peer.get_local_port()]
	check(_until_connected(ends, [server, stun, nat]), "both are connected")
	for i in 2:
		check_equal(players[i].peer_port, players[1 - i].peer.get_local_port(), "the own port")
	_check_conversation(ends, [nat])
	_stop(players, [server])


func test_a_symmetric_nat_and_an_open_one() -> void:
	# The mapping that the server has seen is of no use, but the open NAT lets the new one in.
	for host_is_symmetric: bool in [true, false]:
		var server := _server()
		var stun := _stun()
		var nats := [NatRelay.new(), NatRelay.new()]
		var symmetric: NatRelay = nats[0 if host_is_symmetric else 1]
		symmetric.mapping = NatRelay.Mapping.ADDRESS_AND_PORT_DEPENDENT
		nats[1 if host_is_symmetric else 0].filter = NatRelay.Filter.ENDPOINT_INDEPENDENT
		var players: Array[NatPunching] = [_Behind.new(nats[0]), _Behind.new(nats[1])]
		var ends := _started(players, server, stun)
		check(_until_connected(ends, [server, stun] + nats), "both are connected")
		_check_conversation(ends, nats)
		_stop(players, [server])


func test_two_symmetric_nats_are_told() -> void:
	var server := _server()
	var stun := _stun()
	var nats := [NatRelay.new(), NatRelay.new()]
	var players: Array[NatPunching] = []
	for nat: NatRelay in nats:
		nat.mapping = NatRelay.Mapping.ADDRESS_AND_PORT_DEPENDENT
		var player := _Behind.new(nat)
		player.punch_msec = 1500
		# Seen from its own network, a NAT cannot be told: here all is loopback.
		player.hides_own_addresses = true
		players.append(player)
	var ends := _started(players, server, stun)
	var have_ended := func() -> bool:
		_poll(players + [server, stun] + nats)
		return ends.all(func(end: _End) -> bool: return end.failure >= 0)
	check(wait_until(have_ended), "both have given up")
	for i in 2:
		check_equal(ends[i].failure, NatPunching.Reason.NO_PATH, "the reason")
		check(not ends[i].is_connected, "not connected")
		check_equal(players[i].state, NatPunching.State.IDLE, "the state")
		check(players[i].is_mapping_varying(), "the cause is told")
	_stop(players, [server])


func test_through_a_bad_network() -> void:
	var conditions := UdpLinkConditions.new()
	conditions.loss = 0.2
	conditions.loss_burst = 2
	conditions.duplicate = 0.1
	conditions.latency_msec = 40
	conditions.jitter_msec = 20
	conditions.jitter_reorders = true
	var server := _server()
	var stun := _stun()
	var nats := [NatRelay.new(), NatRelay.new()]
	var players: Array[NatPunching] = [_Behind.new(nats[0]), _Behind.new(nats[1])]
	for i in 2:
		players[i].server_msec = 30_000
		players[i].punch_msec = 20_000
		conditions.rng_seed = 17 + i
		players[i].peer.send_conditions = conditions.duplicate()
		players[i].peer.receive_conditions = conditions.duplicate()
	var ends := _started(players, server, stun)
	check(_until_connected(ends, [server, stun] + nats), "both are connected")
	check(players[0].is_host != players[1].is_host, "one is the host")
	_stop(players, [server])


func test_a_stun_server_that_is_silent_does_not_keep_players_apart() -> void:
	var server := _server()
	var stun := _stun()
	stun.ignored = 1_000_000
	var nats := [NatRelay.new(), NatRelay.new()]
	var players: Array[NatPunching] = [_Behind.new(nats[0]), _Behind.new(nats[1])]
	var ends := _started(players, server, stun)
	check(_until_connected(ends, [server, stun] + nats), "both are connected")
	check(players[0].mapped.is_empty(), "it has said nothing")
	check(stun.requests.size() >= 4, "%d requests of both" % stun.requests.size())
	_stop(players, [server])


func test_nobody_without_the_token_gets_between_them() -> void:
	var server := _server()
	var stun := _stun()
	var nats := [NatRelay.new(), NatRelay.new()]
	var players: Array[NatPunching] = [_Behind.new(nats[0]), _Behind.new(nats[1])]
	for nat: NatRelay in nats:
		nat.filter = NatRelay.Filter.ENDPOINT_INDEPENDENT
	var ends := _started(players, server, stun)
	var attacker := make_peer(OURS)
	attacker.bind(0, LOOPBACK)
	var crypto := Crypto.new()
	var is_attacked_and_connected := func() -> bool:
		for nat: NatRelay in nats:
			for port in nat.get_outer_ports():
				_attack(attacker, port, nats, crypto)
		_poll(players + [server, stun] + nats)
		return ends.all(func(end: _End) -> bool: return end.is_connected)
	check(wait_until(is_attacked_and_connected), "both are connected")
	for i in 2:
		check(players[i].peer_port in nats[1 - i].get_outer_ports(), "with each other")
	_check_conversation(ends, nats)
	# What was recorded does not move an open connection either, nor is it handed to the game.
	var ports := [players[0].peer_port, players[1].peer_port]
	for end in ends:
		end.packets.clear()
	for i in 20:
		for port: int in ports:
			_attack(attacker, port, nats, crypto)
		_poll(players + [server, stun] + nats)
	check_equal([players[0].peer_port, players[1].peer_port], ports, "still with each other")
	check_equal(ends[0].packets + ends[1].packets, [], "what the games got")
	check(players[0].strangers + players[1].strangers > 0, "strangers were counted")
	_stop(players, [server])


func test_recorded_packets_connect_nobody_else() -> void:
	const HOST := "203.0.113.11"
	const GUEST := "203.0.113.12"
	const THIEF := "203.0.113.66"
	var host := _Wireless.new(true, bytes("the right token."), GUEST)
	var guest := _Wireless.new(false, bytes("the right token."), HOST)
	host._punch(Time.get_ticks_msec())
	guest.hear(host.take_sent(), HOST)
	host.hear(guest.take_sent(), GUEST)
	# By now the host has answered and chosen this way; somebody else sends the same.
	var recorded := host.take_sent()
	var kinds := recorded.map(func(one: PackedByteArray) -> int: return one[5])
	check(NatPunching.Wire.ANSWER in kinds and NatPunching.Wire.CHOICE in kinds, "%s" % [kinds])
	guest.hear(recorded, THIEF)
	check_equal(guest.state, NatPunching.State.PUNCHING, "not connected with the thief")
	# Nor does what the guest sends to the thief help it, with a token of its own.
	var thief := _Wireless.new(true, bytes("another token..."), GUEST)
	for i in 5:
		thief.hear(guest.take_sent(), GUEST)
		thief._send_to_candidate(thief._candidates[0], NatPunching.Wire.PUNCH)
		for row: Array in [[NatPunching.Wire.ANSWER, 0], [NatPunching.Wire.CHOICE, 0]]:
			for candidate in guest._candidates:
				thief._send_punch(row[0], candidate.nonce, thief._candidates[0])
		guest.hear(thief.take_sent(), THIEF)
	check_equal(guest.state, NatPunching.State.PUNCHING, "not with a thief who guesses")
	check_equal(thief.state, NatPunching.State.PUNCHING, "nor the other way")
	# What comes back to its own sender is not the other player either.
	guest._send_to_candidate(guest._candidates[0], NatPunching.Wire.PUNCH)
	var own := guest.take_sent()
	guest.hear(own, HOST)
	check_equal(guest.take_sent(), [] as Array[PackedByteArray], "no answer to oneself")
	guest.hear(recorded, HOST)
	check_equal(guest.state, NatPunching.State.CONNECTED, "connected with the host")
	check_equal(guest.peer_ip, HOST, "its address")
	host.hear(guest.take_sent(), GUEST)
	check_equal(host.state, NatPunching.State.CONNECTED, "and the host with the guest")
	# An old answer is no sign of life.
	host._keep_alive(Time.get_ticks_msec() + host.keep_alive_msec)
	guest.hear(host.take_sent(), HOST)
	var answer := guest.take_sent()
	host._keep_alive(Time.get_ticks_msec() + 2 * host.keep_alive_msec)
	host._heard = 0
	host.hear(answer, GUEST)
	check_equal(host._heard, 0, "the answer to an earlier question")


func test_the_server_cannot_be_forged() -> void:
	var server := _server()
	var player := NatPunching.new()
	var ends := _started([player], server, null)
	var forger := make_peer(OURS)
	forger.bind(0, LOOPBACK)
	var is_waiting := func() -> bool:
		_poll([player, server])
		return player.observed != null
	check(wait_until(is_waiting), "the player waits in the room")
	var crypto := Crypto.new()
	for kind in range(1, 11):
		for size: int in [0, 8, 14, 30, 33, 70, 90]:
			var packet := NatPunching.Wire.head(kind) + crypto.generate_random_bytes(size)
			forger.send_to(packet, LOOPBACK, player.peer.get_local_port())
			# From the server's own address, with an id that is guessed.
			server.peer.send_to(packet, LOOPBACK, player.peer.get_local_port())
	var are_read := func() -> bool:
		player.poll()
		return player.strangers >= 140
	check(wait_until(are_read), "%d strangers" % player.strangers)
	check_equal(player.state, NatPunching.State.MEETING, "it still waits")
	check_equal(ends[0].failure, -1, "no failure")
	_stop([player], [server])


func test_a_way_that_is_silent_is_lost() -> void:
	var server := _server()
	var players: Array[NatPunching] = [NatPunching.new(), NatPunching.new()]
	for player in players:
		player.keep_alive_msec = 100
		player.silence_msec = 1000
	var ends := _started(players, server, null)
	check(_until_connected(ends, [server]), "both are connected")
	# Without a packet of the game it stays, as long as both are there.
	var start := Time.get_ticks_msec()
	var time_is_over := func() -> bool:
		_poll(players)
		return Time.get_ticks_msec() - start > 1500
	check(wait_until(time_is_over), "more than the time of silence")
	check(not ends[0].is_lost and not ends[1].is_lost, "kept alive")
	players[1].stop()
	var is_lost := func() -> bool:
		players[0].poll()
		return ends[0].is_lost
	check(wait_until(is_lost), "the other one has gone")
	check_equal(players[0].state, NatPunching.State.IDLE, "the state")
	check(not players[0].peer.is_bound(), "the socket is closed")
	_stop(players, [server])


func test_one_that_stops_makes_room_for_another() -> void:
	var server := _server()
	var players: Array[NatPunching] = [NatPunching.new(), NatPunching.new(), NatPunching.new()]
	_started([players[0]], server, null)
	var waits := func() -> bool:
		_poll([players[0], server])
		return players[0].observed != null
	check(wait_until(waits), "the first one waits")
	players[0].stop()
	var has_left := func() -> bool:
		server.poll()
		return server.get_room_count() == 0
	check(wait_until(has_left), "the room is empty at once")
	var ends := _started([players[1], players[2]], server, null)
	check(_until_connected(ends, [server]), "two others meet")
	# And the same object again.
	check_equal(players[1].start("x", LOOPBACK, 1), ERR_ALREADY_IN_USE, "start while connected")
	_stop(players, [server])
	server = _server()
	ends = _started([players[0], players[1]], server, null)
	check(_until_connected(ends, [server]), "they can start again")
	_stop(players, [server])


func test_what_does_not_begin_says_why() -> void:
	var player := NatPunching.new()
	check_equal(player.start("", LOOPBACK, 1), ERR_INVALID_PARAMETER, "no code")
	check_equal(player.start(CODE, LOOPBACK, 0), ERR_INVALID_PARAMETER, "no port")
	check_equal(player.send(bytes("x")), ERR_UNCONFIGURED, "send before it is connected")
	var taken := taken_port(OURS)
	check_equal(NatPunching.new().start(CODE, LOOPBACK, 1, taken), ERR_UNAVAILABLE, "a taken port")
	player.server_msec = 300
	var silent := bound_peer(OURS)
	_check_failure(player, LOOPBACK, silent.get_local_port(), NatPunching.Reason.NO_SERVER, [])
	var server := _server()
	server.max_rooms = 0
	var port := server.peer.get_local_port()
	_check_failure(player, LOOPBACK, port, NatPunching.Reason.REFUSED, [server])
	allow_lines("(?i)resol|lookup|hostname")
	_check_failure(player, "no.such.name.invalid", 1, NatPunching.Reason.UNKNOWN_HOST, [])
	server.stop()


func test_handlers_may_stop_it() -> void:
	var server := _server()
	var players: Array[NatPunching] = [NatPunching.new(), NatPunching.new()]
	for player in players:
		# Not the player itself: a handler that keeps it alive and is kept by it is never freed.
		var weak: WeakRef = weakref(player)
		player.connected.connect(
			func(_ip: String, _port: int) -> void: (weak.get_ref() as NatPunching).stop()
		)
	var ends := _started(players, server, null)
	var has_stopped := func() -> bool:
		_poll(players + [server])
		return ends.any(func(end: _End) -> bool: return end.is_connected)
	check(wait_until(has_stopped), "one was connected and has stopped")
	_stop(players, [server])


func test_enet_takes_over_the_port() -> void:
	var server := _server()
	var players: Array[NatPunching] = [NatPunching.new(), NatPunching.new()]
	var ends := _started(players, server, null)
	check(_until_connected(ends, [server]), "both are connected")
	var host := ENetMultiplayerPeer.new()
	var client := ENetMultiplayerPeer.new()
	# All that is needed is in the player; stop() makes the port free.
	for player in players:
		var port := player.peer.get_local_port()
		player.stop()
		if player.is_host:
			check_equal(host.create_server(port), OK, "create_server")
	for player in players:
		if not player.is_host:
			var own := ends[players.find(player)].local_port
			var error := client.create_client(player.peer_ip, player.peer_port, 0, 0, 0, own)
			check_equal(error, OK, "create_client")
	var is_connected := func() -> bool:
		host.poll()
		client.poll()
		return client.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED
	check(wait_until(is_connected), "ENet is connected")
	client.close()
	host.close()
	_stop(players, [server])


func test_codes() -> void:
	var codes: Dictionary[String, bool] = {}
	for i in 100:
		var code := NatPunching.make_code()
		codes[code] = true
		check_equal(code.length(), 8, "letters")
	check_equal(codes.size(), 100, "different codes")


func test_a_neighbour_with_a_scope_is_a_stranger() -> void:
	var server := _server()
	var join := NatPunching.Wire.head(NatPunching.Wire.JOIN)
	join.resize(NatPunching.Wire.REQUEST_BYTES)
	# Nothing can be sent to the address without its scope: each answer would be an error.
	server._take(join, NatPunching.Endpoint.at("fe80::1%eth0", 5), 0)
	check_equal(server.strangers, 1, "strangers")
	server.stop()


# ---- helpers ------------------------------------------------------------------------------------


## A query whose transaction is that of the vectors.
func _query() -> NatPunching.StunQuery:
	var query := NatPunching.StunQuery.new(NatPunching.Endpoint.at(SERVER, 3478))
	query.transaction = TRANSACTION.hex_decode()
	return query


## A response with these attributes.
func _response(attributes: String, type := "0101") -> PackedByteArray:
	var length := attributes.length() / 2
	return ("%s%04x2112a442%s%s" % [type, length, TRANSACTION, attributes]).hex_decode()


static func _any_endpoint(i: int) -> NatPunching.Endpoint:
	return NatPunching.Endpoint.at("192.0.2.%d" % i, 4433)


func _server(address := LOOPBACK) -> NatPunching.Rendezvous:
	var server := NatPunching.Rendezvous.new()
	check_equal(server.listen(0, address), OK, "listen")
	return server


func _stun(address := LOOPBACK) -> StunServer:
	var stun := StunServer.new()
	check_equal(stun.listen(0, address), OK, "listen")
	return stun


## Starts players in one room.
func _started(
	players: Array[NatPunching],
	server: NatPunching.Rendezvous,
	stun: StunServer,
	address := LOOPBACK
) -> Array[_End]:
	var ends: Array[_End] = []
	for player in players:
		check_equal(player.peer.bind(0, address), OK, "bind")
		if stun != null:
			player.stun_host = address
			player.stun_port = stun.get_local_port()
		check_equal(player.start(CODE, address, server.peer.get_local_port()), OK, "start")
		ends.append(_End.new(player))
	_ends += ends
	return ends


static func _poll(parts: Array) -> void:
	for part: RefCounted in parts:
		part.call(&"poll")


func _until_connected(ends: Array[_End], others: Array) -> bool:
	var are_connected := func() -> bool:
		for end in ends:
			end.player.poll()
		_poll(others)
		return ends.all(func(end: _End) -> bool: return end.is_connected)
	var start := Time.get_ticks_msec()
	var result := wait_until(are_connected)
	note("connected after %d ms" % (Time.get_ticks_msec() - start))
	for end in ends:
		check_equal(end.failure, -1, "a failure")
	return result


## Each sends to the other, in three ways, until it has come.
func _check_conversation(ends: Array[_End], nats: Array = []) -> void:
	for i in 2:
		var player := ends[i].player
		var other := ends[1 - i]
		other.packets.clear()
		check_equal(player.send(numbered(i)), OK, "send")
		if not player is _Behind:
			check_equal(player.peer.put_packet(numbered(i + 10)), OK, "put_packet")
		var expected := 1 if player is _Behind else 2
		var has_come := func() -> bool:
			_poll(nats)
			player.poll()
			other.player.poll()
			return other.packets.size() >= expected
		check(wait_until(has_come), "what %d has sent has come" % i)
		check_equal(other.packets[0] if other.packets else null, numbered(i), "the packet")


func _check_failure(
	player: NatPunching, host: String, port: int, reason: int, others: Array
) -> void:
	check_equal(player.start(CODE, host, port), OK, "start")
	var end := _End.new(player)
	_ends.append(end)
	var has_failed := func() -> bool:
		_poll([player] + others)
		return end.failure >= 0
	check(wait_until(has_failed), "it has failed")
	check_equal(end.failure, reason, "the reason")


static func _stop(players: Array[NatPunching], servers: Array) -> void:
	for player in players:
		player.stop()
	for server: NatPunching.Rendezvous in servers:
		server.stop()


## Sends to a public port what an attacker may have: packets of another token, and recorded ones.
func _attack(attacker: PacketPeer, port: int, nats: Array, crypto: Crypto) -> void:
	for kind in range(NatPunching.Wire.PUNCH, NatPunching.Wire.AGREED + 1):
		var packet := NatPunching.Wire.head(kind) + PackedByteArray([kind % 2])
		packet += crypto.generate_random_bytes(8)
		packet += NatPunching.Wire.code_of(crypto, bytes("a guess"), packet)
		attacker.send_to(packet, LOOPBACK, port)
	for nat: NatRelay in nats:
		# All that was sent to others: it answers nothing, so it relays nothing.
		for row: Array in nat.recorded.slice(-8):
			if row[1] != attacker.get_local_port():
				attacker.send_to(row[0], LOOPBACK, port)
	attacker.send_to(bytes("not a game"), LOOPBACK, port)


## What a player has told.
class _End:
	var player: NatPunching
	var local_port := 0
	var is_connected := false
	var is_lost := false
	var failure := -1
	var packets: Array[PackedByteArray] = []

	func _init(of: NatPunching) -> void:
		player = of
		local_port = player.peer.get_local_port()
		player.connected.connect(func(_ip: String, _port: int) -> void: is_connected = true)
		player.lost.connect(func() -> void: is_lost = true)
		player.failed.connect(func(reason: int) -> void: failure = reason)
		player.packet_received.connect(func(one: PackedByteArray) -> void: packets.append(one))


## A player behind a NAT: whatever it sends goes there, except to its own network.
class _Behind:
	extends NatPunching

	var nat: NatRelay
	## Ports on loopback that are on this side of the NAT.
	var neighbours: Array[int] = []
	var hides_own_addresses := false

	func _init(behind: NatRelay) -> void:
		nat = behind

	func _send(packet: PackedByteArray, ip: String, port: int) -> Error:
		if port in neighbours:
			return super(packet, ip, port)
		return super(NatRelay.wrapped(packet, ip, port), LOOPBACK, nat.get_inner_port())

	func _take(packet: PackedByteArray, ip: String, port: int) -> void:
		if port in neighbours:
			super(packet, ip, port)
		elif port == nat.get_inner_port():
			var inner := packet.slice(NatRelay.HEAD_BYTES)
			super(inner, NatRelay.address_of(packet), NatRelay.port_of(packet))

	func _local_endpoints() -> Array[Endpoint]:
		var found := super()
		if hides_own_addresses:
			for endpoint in found:
				endpoint.ip = "127.0.0.9"
		return found


## A player on paper: what it sends is kept, and what it hears is given. It begins when the
## rendezvous has named the other.
class _Wireless:
	extends NatPunching

	const PORT := 4433

	var sent: Array[PackedByteArray] = []

	func _init(as_host: bool, token: PackedByteArray, other_ip: String) -> void:
		_server = Endpoint.at("203.0.113.1", PORT)
		_local = [Endpoint.at("192.168.1.2", PORT)]
		var others: Array[Endpoint] = [Endpoint.at(other_ip, PORT)]
		var body := _local[0].to_bytes() + PackedByteArray([int(as_host)]) + token
		_take_peer(body + Endpoint.list_to_bytes(others), Time.get_ticks_msec())

	func take_sent() -> Array[PackedByteArray]:
		var packets := sent.duplicate()
		sent.clear()
		return packets

	func hear(packets: Array[PackedByteArray], ip: String) -> void:
		for packet in packets:
			_take(packet, ip, PORT)

	func _send(packet: PackedByteArray, _ip: String, _port: int) -> Error:
		sent.append(packet)
		return OK


## A player that speaks to the rendezvous by hand.
class _Caller:
	var peer := PacketPeerUdpRs.new()
	var id := Crypto.new().generate_random_bytes(8)
	var cookie := NatPunching.Wire.zeros(16)
	var endpoints: Array[NatPunching.Endpoint] = []
	var kinds: Array[int] = []
	var sizes: Array[int] = []
	var server_port := 0

	func _init(server: NatPunching.Rendezvous) -> void:
		peer.bind(0, "127.0.0.1")
		server_port = server.peer.get_local_port()

	func join(code: String, kind := NatPunching.Wire.JOIN) -> void:
		var packet := NatPunching.Wire.head(kind) + id
		packet += code.sha256_buffer().slice(0, 16) + cookie
		packet += NatPunching.Endpoint.list_to_bytes(endpoints)
		packet.resize(NatPunching.Wire.REQUEST_BYTES)
		peer.send_to(packet, "127.0.0.1", server_port)

	## Whether an answer has come now.
	func has_answer(server: NatPunching.Rendezvous) -> bool:
		server.poll()
		var packets := peer.get_packets()
		for packet in packets:
			kinds.append(NatPunching.Wire.kind_of(packet))
			sizes.append(packet.size())
			if kinds[-1] == NatPunching.Wire.CHALLENGE:
				cookie = packet.slice(NatPunching.Wire.BODY)
		return not packets.is_empty()

	## Joins with a cookie; whether the answer was more than a challenge.
	func enter(code: String, server: NatPunching.Rendezvous) -> bool:
		for i in 2:
			join(code)
			var deadline := Time.get_ticks_msec() + 30_000
			while not has_answer(server) and Time.get_ticks_msec() < deadline:
				OS.delay_usec(200)
		return kinds[-1] in [NatPunching.Wire.WAITING, NatPunching.Wire.PEER]
