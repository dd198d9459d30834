extends Node
## One end of a game that talks to the other end by RPC, and keeps what has come.

## Numbers of the reliable calls, in the order in which they came.
var reliable: PackedInt32Array
## Numbers of the unreliable calls.
var unreliable: PackedInt32Array
## By how many µs each call came after it was made: both ends are in one process.
var delays_usec: PackedInt64Array
## Who has called, as ids of peers.
var callers: Dictionary[int, bool] = {}

@rpc("any_peer", "call_remote", "reliable")
func say(number: int, sent_usec: int, text: String) -> void:
	reliable.append(number if text == text_of(number) else -1)
	_note(sent_usec)


@rpc("any_peer", "call_remote", "unreliable")
func hint(number: int, sent_usec: int) -> void:
	unreliable.append(number)
	_note(sent_usec)


## What goes with a reliable call: of different sizes, some larger than any network's packets.
static func text_of(number: int) -> String:
	return str(number).repeat(4000 if number % 10 == 9 else 1 + number * 7)


func _note(sent_usec: int) -> void:
	delays_usec.append(Time.get_ticks_usec() - sent_usec)
	callers[multiplayer.get_remote_sender_id()] = true
