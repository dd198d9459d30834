extends RefCounted
## What every Bob can do, wherever he lives. He begins by saying hello to Alice: from that packet
## she learns his address. Then he answers what she sends:
## - a text with a text that quotes it and names its sender;
## - the question "How many packets …?" with the number, as a Variant;
## - raw bytes with the same bytes in reverse order, which shows that he read them;
## - a Variant with the same Variant;
## - the death pill by ending.

## A line of Bob's own transcript.
signal noted(note: Note)
## Bob could not start, or ended unasked. `words` say why.
signal failed(words: String)

const Note := preload("../note.gd")
const Message := preload("../message.gd")
const HOST := "127.0.0.1"

## Whether what he is made of is missing on this machine.
var cannot_start := false


## Starts Bob, which sends a hello to Alice on `alice_port` of this machine.
func start(_alice_port: int) -> void:
	pass


## To be called once a frame; never blocks.
func poll() -> void:
	pass


## Ends Bob, whatever state he is in.
func stop() -> void:
	pass


## What Bob is, in a few words.
func title() -> String:
	return ""
