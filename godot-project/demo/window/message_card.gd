extends MarginContainer
## One message in a transcript.

const Note := preload("../note.gd")

## Sent messages stand to the right, received ones to the left.
const INDENT := 36


## `speaker` is "Alice" or "Bob": each has a colour of their own.
func show_note(note: Note, speaker: String) -> void:
	%Card.theme_type_variation = speaker + "Card"
	%Origin.text = "%s %s" % ["to" if note.sent else "from", note.address]
	%Kind.text = "%s, %d bytes" % [note.kind, note.size]
	%Time.text = Time.get_time_string_from_system()
	%Words.text = note.words
	var side := &"margin_left" if note.sent else &"margin_right"
	add_theme_constant_override(side, INDENT)
