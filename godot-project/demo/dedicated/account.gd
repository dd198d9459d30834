extends RefCounted
## What was sent in one direction, and what arrived of it: of one player, or the total of many.

const Account := preload("account.gd")
const Pace := preload("pace.gd")

const KEYS: PackedStringArray = [
	"streams", "sent", "received", "repeated", "late", "longest_gap_usec", "jitter_sum_usec"
]

## The number of players.
var streams := 0
var sent := 0
var received := 0
var repeated := 0
var late := 0
var longest_gap_usec := 0
var jitter_sum_usec := 0


## `figures` are those of Tally.figures(). Only the receiving end knows the pace.
static func of(sent_count: int, figures: PackedInt32Array, pace: Pace = null) -> Account:
	var account := Account.new()
	account.streams = 1
	account.sent = sent_count
	account.received = figures[0]
	account.repeated = figures[1]
	account.late = figures[2]
	if pace:
		account.longest_gap_usec = pace.longest_gap_usec
		account.jitter_sum_usec = roundi(pace.jitter_usec)
	return account


func add(other: Account) -> void:
	streams += other.streams
	sent += other.sent
	received += other.received
	repeated += other.repeated
	late += other.late
	longest_gap_usec = maxi(longest_gap_usec, other.longest_gap_usec)
	jitter_sum_usec += other.jitter_sum_usec


func lost() -> int:
	return sent - received


## Whether everything sent has arrived, once and in order.
func is_whole() -> bool:
	return lost() == 0 and repeated == 0 and late == 0


## Whether the two ends have counted the same.
func agrees_with(other: Account) -> bool:
	return describe() == other.describe()


func jitter_usec() -> int:
	return jitter_sum_usec / maxi(streams, 1)


func describe() -> String:
	return (
		"%d sent, %d received, %d repeated, %d late, by %d players"
		% [sent, received, repeated, late, streams]
	)


func to_dictionary() -> Dictionary:
	var dictionary := {}
	for key in KEYS:
		dictionary[key] = get(key)
	return dictionary


static func from_dictionary(dictionary: Dictionary) -> Account:
	var account := Account.new()
	for key in KEYS:
		# JSON has no integers.
		account.set(key, int(dictionary.get(key, 0)))
	return account
