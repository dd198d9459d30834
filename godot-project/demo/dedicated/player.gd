extends RefCounted
## A player as the server knows it.

const Account := preload("account.gd")
const Pace := preload("pace.gd")
const Tally := preload("tally.gd")
const View := preload("view.gd")
const Wire := preload("wire.gd")

var id := 0
var name := ""
## "127.0.0.1:40123"
var address := ""
## PacketPeerUdpRs or PacketPeerUDP. When it is freed, the server drops the connection.
var peer
var position := Vector2.ZERO
var last_received_msec := Time.get_ticks_msec()
## When it said bye last; 0 while it plays.
var bye_msec := 0

var moves := Tally.new()
var pace := Pace.new(Wire.UPDATES_PER_SECOND)
var snapshots_sent := 0
## How many snapshots it has missed, by its latest move.
var snapshots_missed := 0
## Packets that were malformed or impossible.
var bad_packets := 0

# The figures of its last bye.
var _moves_sent := 0
var _snapshot_figures: PackedInt32Array = [0, 0, 0]


func _init(player_id: int, player_name: String, from_peer) -> void:
	id = player_id
	name = player_name
	peer = from_peer
	address = "%s:%d" % [peer.get_packet_ip(), peer.get_packet_port()]


## Its position is known from then on.
func has_moved() -> bool:
	return moves.newest > 0


func has_said_bye() -> bool:
	return bye_msec > 0


func welcome() -> void:
	peer.put_var([Wire.Kind.WELCOME, id])


## `leave_out` is the number of a snapshot that is not sent at all.
func send_snapshot(tick: int, view: View, leave_out: int) -> void:
	var number := snapshots_sent + 1
	var error := OK
	if number != leave_out:
		error = peer.put_var([Wire.Kind.SNAPSHOT, number, tick, view.ids, view.positions])
	# A packet that the system refused was not sent; its number is used again.
	if error == OK:
		snapshots_sent = number


## Stores the figures of a bye. Returns whether they are possible.
func take_bye(moves_sent: int, snapshot_figures: PackedInt32Array) -> bool:
	if moves_sent < moves.newest or not are_possible(snapshot_figures):
		return false
	_moves_sent = moves_sent
	_snapshot_figures = snapshot_figures
	bye_msec = Time.get_ticks_msec()
	return true


func are_possible(figures: PackedInt32Array) -> bool:
	return Tally.are_figures(figures) and figures[0] <= snapshots_sent


func answer_bye() -> void:
	peer.put_var([Wire.Kind.FAREWELL, snapshots_sent, moves.figures(), _snapshot_figures])


## Before its bye, the number of its newest move stands for what it sent.
func moves_account() -> Account:
	var sent := _moves_sent if has_said_bye() else moves.newest
	return Account.of(sent, moves.figures(), pace)


func snapshots_account() -> Account:
	if has_said_bye():
		return Account.of(snapshots_sent, _snapshot_figures)
	return Account.of(snapshots_sent, [snapshots_sent - snapshots_missed, 0, 0])
