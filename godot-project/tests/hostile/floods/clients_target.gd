extends "target.gd"
## Base of what has clients that must be answered during the flood, which comes from forged senders.

const Client := preload("client.gd")
const CLIENTS := 4

var _clients: Array[Client]
var _has_sent_last := false


func _init(of: String) -> void:
	super(of)
	wants_forged = true


func begin() -> void:
	for client in _clients:
		client.begin()


func on_frame() -> void:
	if not _has_sent_last:
		for client in _clients:
			client.on_frame()


func report() -> Dictionary:
	var account := super()
	for client in _clients:
		account.sent += client.sent
	var shares := _clients.map(func(client: Client) -> float: return client.share())
	account.answered = "%.0f %%" % (100 * shares.min())
	return account


func send_last() -> void:
	_has_sent_last = true
	_clients[0].on_frame(LAST)


func problems() -> PackedStringArray:
	var found: PackedStringArray = []
	for client in _clients:
		if client.share() == 0.0:
			found.append("a client was never answered during the flood")
	return found


func close() -> void:
	for client in _clients:
		client.close()


# Clients of [method port]; false if one cannot be opened.
func _open_clients() -> bool:
	for i in CLIENTS:
		_clients.append(Client.new())
		if not _clients[i].connect_to(port()):
			return false
	return true
