extends "../support/suite.gd"
## The samples of the README and of the class reference compile when they are pasted into a script:
## they are indented by tabs, as the editor indents.

## Where the samples are, from the project's folder.
const SOURCES: Array[String] = [
	"../README.md", "../rust/gdext/src/packet_peer/mod.rs", "../rust/gdext/src/udp_server.rs"
]
## What a sample takes for granted, and how it is declared where a sample has none of its own.
const CONTEXT: Dictionary[String, String] = {
	"peer": "var peer := PacketPeerUdpRs.new()",
	"server": "var server := UdpServerRs.new()",
	"host": "var host := PacketPeerUdpRs.new()",
	"browser": "var browser := PacketPeerUdpRs.new()",
	"PORT": "const PORT := 4433",
	"read_sample": "func read_sample(_x: float, _y: float) -> void:\n\tpass",
}


func test_every_sample_compiles() -> void:
	var count := 0
	for source in SOURCES:
		var text := _text(source)
		if text.is_empty():
			skip("the sources are not beside the project")
			return
		for sample in _samples(text):
			count += 1
			_check_sample(source.get_file(), sample)
	note("%d samples" % count)
	check(count >= 16, "only %d samples were found" % count)


func test_the_library_has_the_samples_as_the_sources_have_them() -> void:
	var text := _text(SOURCES[1]) + _text(SOURCES[2])
	var library := _library()
	if text.is_empty() or library == null:
		skip("needs the sources, and Linux to find the library")
		return
	var registered := _registered_samples(library)
	for sample in _samples(text):
		check(sample in registered, "the class reference has not, or has otherwise:\n" + sample)
	check_equal(registered.size(), _samples(text).size(), "samples in the class reference")


# The addon's library, as a file; null where it is not found.
static func _library() -> FileAccess:
	var maps := FileAccess.open("/proc/self/maps", FileAccess.READ)
	while maps != null and not maps.eof_reached():
		var line := maps.get_line()
		if line.ends_with("packet_peer_udp_rs.so"):
			return FileAccess.open(line.substr(line.find("/")), FileAccess.READ)
	return null


# The samples of the class reference, as they are registered with the engine.
static func _registered_samples(library: FileAccess) -> PackedStringArray:
	const CHUNK := 1 << 20
	const LONGEST := 4096
	var begin := "[codeblock lang=gdscript]".to_utf8_buffer()
	var samples: PackedStringArray
	var start := 0
	while start < library.get_length():
		library.seek(start)
		var chunk := library.get_buffer(CHUNK + begin.size() - 1).hex_encode()
		var found := chunk.find(begin.hex_encode())
		while found >= 0:
			library.seek(start + found / 2 + begin.size())
			var text := library.get_buffer(LONGEST).get_string_from_ascii()
			samples.append(text.get_slice("[/codeblock]", 0).xml_unescape())
			found = chunk.find(begin.hex_encode(), found + 1)
		start += CHUNK
	return samples


func _check_sample(source: String, sample: String) -> void:
	var where := '%s, the sample with "%s"' % [source, sample.get_slice("\n", 0)]
	for line in sample.split("\n"):
		check(not line.begins_with(" "), where + ": indented by spaces: " + line)
	var script := GDScript.new()
	script.source_code = _wrapped(sample)
	allow_lines("(?s).*")
	check_equal(script.reload(), OK, where)


# The sample as part of a script that declares what it takes for granted.
static func _wrapped(sample: String) -> String:
	if sample.begins_with("extends "):
		return sample
	var text := "extends Node\n"
	for name: String in CONTEXT:
		var is_used := RegEx.create_from_string("(?<![.\\w])%s\\b" % name).search(sample) != null
		var own := "(?m)^(var|const|func) %s\\b" % name
		if is_used and RegEx.create_from_string(own).search(sample) == null:
			text += CONTEXT[name] + "\n"
	# Statements go into a function.
	var is_whole := RegEx.create_from_string("(?m)^func ").search(sample) != null
	return text + (sample if is_whole else "func sample() -> void:\n" + sample.indent("\t"))


# What is between "```gdscript" and "```", also in Rust's documentation comments.
static func _samples(text: String) -> PackedStringArray:
	var samples: PackedStringArray
	var sample: PackedStringArray
	var is_inside := false
	for line in text.split("\n"):
		var stripped := line.strip_edges()
		if stripped.begins_with("///"):
			line = stripped.substr(3).trim_prefix(" ")
		if line == "```gdscript":
			is_inside = true
			sample.clear()
		elif is_inside and line == "```":
			is_inside = false
			samples.append("\n".join(sample))
		elif is_inside:
			sample.append(line)
	return samples


static func _text(source: String) -> String:
	var path := ProjectSettings.globalize_path("res://").path_join(source)
	return FileAccess.get_file_as_string(path) if FileAccess.file_exists(path) else ""
