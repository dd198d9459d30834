extends "../support/receiving.gd"
## The interface that an address may name after "%", on a machine without another host. Which host
## is reached is tested on two hosts.

## Not addresses: the scope is empty, or the address is not a link-local one.
const NO_ADDRESSES: Array[String] = [
	"fe80::1%", "::1%lo", "10.0.0.1%lo", "%lo", "2001:db8::1%lo", "fe80::1%%lo", "::1%", "*%lo"
]
const UNKNOWN := "fe80::1%no-such-if"


func test_malformed_addresses_are_refused_as_native_does(kind: StringName) -> void:
	for text in NO_ADDRESSES:
		for row: Array in [
			["bind", [0, text], ERR_INVALID_PARAMETER],
			["connect_to_host", [text, 9], ERR_INVALID_PARAMETER],
			["set_dest_address", [text, 9], ERR_CANT_RESOLVE],
		]:
			var peer := make_peer(kind)
			misuse(kind, "%s(%s)" % [row[0], text], peer, row[0], row[1], row[2], [text])
			answer("is_bound", peer.is_bound(), false)


func test_an_unknown_interface_is_refused_as_native_does(kind: StringName) -> void:
	for row: Array in [
		["bind", [0, UNKNOWN], ERR_INVALID_PARAMETER],
		["connect_to_host", [UNKNOWN, 9], ERR_INVALID_PARAMETER],
		["set_dest_address", [UNKNOWN, 9], ERR_CANT_RESOLVE],
	]:
		var peer := make_peer(kind)
		misuse(kind, "%s(%s)" % [row[0], UNKNOWN], peer, row[0], row[1], row[2], ["no-such-if"])
		answer("is_bound", peer.is_bound(), false)


func test_ours_refuses_them_with_a_message_that_names_them() -> void:
	for text: String in NO_ADDRESSES + [UNKNOWN]:
		for method: String in [
			"bind",
			"connect_to_host",
			"connect_to_host_async",
			"set_dest_address",
			"set_dest_address_async"
		]:
			var peer := make_peer(OURS)
			allow_lines(method)
			var arguments := [0, text] if method == "bind" else [text, 9]
			check(peer.callv(method, arguments) != OK, "%s takes %s" % [method, text])
			var message: String = peer.get_last_error_message()
			check(text in message, "%s: '%s' is not in '%s'" % [method, text, message])
			check_equal(peer.is_resolving(), false, "is_resolving")
		var sender := make_peer(OURS)
		var named := [text if text != UNKNOWN else "no-such-if"]
		var arguments := [numbered(1), text, 9]
		refused("to " + text, sender, &"send_to", arguments, ERR_INVALID_PARAMETER, named)
		check(text in sender.get_last_error_message(), sender.get_last_error_message())
		check_equal(sender.is_bound(), false, "is_bound")


func test_a_bad_destination_leaves_the_one_before() -> void:
	var friend := bound_peer(NATIVE)
	var peer := sender_to(friend, OURS)
	allow_lines("set_dest_address_async")
	for text: String in NO_ADDRESSES + [UNKNOWN]:
		check_equal(peer.set_dest_address(text, 9), ERR_CANT_RESOLVE, text)
		check_equal(peer.set_dest_address_async(text, 9), ERR_CANT_RESOLVE, text)
	check_equal(peer.put_packet(numbered(1)), OK, "put_packet")
	check_equal(take(friend), [numbered(1)] as Array[PackedByteArray], "what arrives")


func test_a_link_local_address_without_a_scope_is_refused_with_the_remedy() -> void:
	if not needs(&"link scopes") or not needs_ipv6():
		return
	for row: Array in [
		["bind", [0, "fe80::1"], ERR_UNAVAILABLE],
		["connect_to_host", ["fe80::1", 9], FAILED],
	]:
		var peer := make_peer(OURS)
		var got := []
		var lines := lines_of(func() -> void: got.append(peer.callv(row[0], row[1])))
		check_equal(got[0], row[2], row[0])
		check_equal(lines.size(), 1, "%s: lines" % row[0])
		check("fe80::1%" in "".join(lines), "%s says no remedy: %s" % [row[0], "".join(lines)])
		check("fe80::1%" in peer.get_last_error_message(), peer.get_last_error_message())


func test_a_scope_may_be_a_name_or_a_number() -> void:
	if not needs_ipv6():
		return
	for scope: String in [loopback_interface(), loopback_index()]:
		var peer := make_peer(OURS)
		check_equal(peer.set_dest_address("fe80::1%" + scope, 9), OK, "set_dest_address %" + scope)
		# No interface has the address: the system is asked and refuses.
		allow_lines("bind|connect_to_host")
		var error: Error = peer.bind(0, "fe80::1%" + scope)
		check(error in [OK, ERR_UNAVAILABLE], "bind answers " + error_string(error))
		check(error == OK or peer.get_last_os_error() != 0, "the system was not asked to bind")
		peer.close()
		error = peer.connect_to_host("fe80::1%" + scope, 9)
		check(error in [OK, FAILED], "connect answers " + error_string(error))
		check(error == OK or peer.get_last_os_error() != 0, "the system was not asked to connect")
