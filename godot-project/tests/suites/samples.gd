extends "../support/suite.gd"
## The samples of the documentation and of the class reference compile when they are pasted into a
## script: they are indented by tabs, as the editor indents.

## The repository, from the project's folder.
const REPOSITORY := ".."
## Folders of the repository whose pages are read: every *.md in them. Not all have to exist.
const PAGES: Array[String] = ["", "docs", "docs/samples", "packaging", "store"]
## The folder of the sources that contain the class reference, with all folders in it.
const REFERENCE := "rust/gdext/src"
## Pages and sources that have samples: if one is not found or not understood, the test fails.
const EXPECTED: Array[String] = [
	"README.md",
	"docs/guide.md",
	"docs/conditions.md",
	"docs/dedicated-servers.md",
	"docs/security.md",
	"docs/samples/ping.md",
	"docs/samples/reliable.md",
	"docs/samples/multicast_receivers.md",
	"docs/samples/nat_punching.md",
	"docs/samples/motion_capture.md",
	"docs/samples/state_replication.md",
	"packaging/README.md",
	"rust/gdext/src/packet_peer/mod.rs",
	"rust/gdext/src/udp_link_conditions.rs",
	"rust/gdext/src/udp_link_proxy.rs",
	"rust/gdext/src/udp_server.rs",
]
## What may stand after the three backticks that begin a block. GDScript has one spelling, so that
## no sample is missed.
const LANGUAGES: Array[String] = ["gdscript", "csharp", "sh", "text", ""]
## Warnings that are errors in a sample: without them, a method that does not exist compiles.
const STRICT: Array[String] = [
	"debug/gdscript/warnings/unsafe_method_access",
	"debug/gdscript/warnings/unsafe_property_access",
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
	var sources := _pages() + _reference()
	if sources.is_empty():
		skip("the sources are not beside the project")
		return
	var counts: Dictionary[String, int] = {}
	for source in sources:
		var text := _text(source)
		var samples := _samples(text)
		for problem in _problems(text):
			fail("%s: %s" % [source, problem])
		for sample in samples:
			_check_sample(source, sample)
		if not samples.is_empty():
			counts[source] = samples.size()
	note("samples: %s" % counts)
	for source in EXPECTED:
		check(source in counts, "no samples were found in " + source)


func test_a_broken_sample_is_noticed() -> void:
	# No line of the log may be a script's error, not even one that was expected.
	Engine.print_error_messages = false
	check(_compiles("peer.bind(4433)"), "a sample that is right")
	for broken: String in [
		"peer.no_such_method()",
		"peer.no_such_property = 1",
		'peer.bind("4433")',
		"extends Node\n\n\nfunc _ready() -> void:\n\tPacketPeerUdpRs.new().no_such_method()",
		"var peer := PacketPeerUdpRs.new()\n\nfunc _ready():\n\tpeer.bind(",
		"unknown.bind(4433)",
	]:
		check(not _compiles(broken), "it compiles: " + broken)
	Engine.print_error_messages = true
	for wrong: String in [
		"```GDScript\npass\n```",
		"```gdscript\npass",
		"``` gdscript\npass\n```",
		"````gdscript\npass\n```",
	]:
		check(not _problems(wrong).is_empty(), "it is not noticed: " + wrong)


func test_the_library_has_the_samples_as_the_sources_have_them() -> void:
	var sources := _reference()
	if sources.is_empty() or not OS.has_feature("linux"):
		skip("needs the sources, and Linux to find the library")
		return
	var library := _library()
	check(library != null, "the addon's library is not found in /proc/self/maps")
	if library == null:
		return
	var registered := _registered_samples(library)
	var count := 0
	for source in sources:
		for sample in _samples(_text(source)):
			count += 1
			check(sample in registered, "the class reference has not, or has otherwise:\n" + sample)
	check_equal(registered.size(), count, "samples in the class reference")


# The pages of the documentation, from the repository.
static func _pages() -> PackedStringArray:
	var pages: PackedStringArray
	for folder in PAGES:
		for file in _files(folder):
			if file.get_extension() == "md":
				pages.append(folder.path_join(file))
	return pages


# The sources that contain the class reference, from the repository.
static func _reference() -> PackedStringArray:
	var sources: PackedStringArray
	var folders: PackedStringArray = [REFERENCE]
	while not folders.is_empty():
		var folder := folders[-1]
		folders.remove_at(folders.size() - 1)
		for file in _files(folder):
			if file.get_extension() == "rs":
				sources.append(folder.path_join(file))
			elif file.ends_with("/"):
				folders.append(folder.path_join(file.trim_suffix("/")))
	return sources


# The files of a folder of the repository, and its folders with "/" at the end. Prints nothing where
# there is no such folder.
static func _files(folder: String) -> PackedStringArray:
	var files: PackedStringArray
	if DirAccess.dir_exists_absolute(_path(folder)):
		files = DirAccess.get_files_at(_path(folder))
		for inner in DirAccess.get_directories_at(_path(folder)):
			files.append(inner + "/")
	return files


# The addon's library with the class reference, as a file; null where it is not found.
static func _library() -> FileAccess:
	var maps := FileAccess.open("/proc/self/maps", FileAccess.READ)
	while maps != null and not maps.eof_reached():
		var line := maps.get_line()
		if line.ends_with("packet_peer_udp_rs.editor.so"):
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
	var where := '%s, the sample with "%s"' % [source, _first_line(sample)]
	for line in sample.split("\n"):
		check(not line.begins_with(" "), where + ": indented by spaces: " + line)
	allow_lines("(?s).*")
	# Samples of the class reference are short and leave out types.
	check(_compiles(sample, source.get_extension() == "md"), where + " does not compile")


# The first line that tells samples apart.
static func _first_line(sample: String) -> String:
	for line in sample.split("\n", false):
		if not line.begins_with("extends "):
			return line
	return sample


# Pasted without a line's end at its end, as a selection may be.
static func _compiles(sample: String, is_strict := true) -> bool:
	var script := GDScript.new()
	script.source_code = _wrapped(sample)
	if not is_strict:
		return script.reload() == OK
	var levels := STRICT.map(func(name: String) -> int: return ProjectSettings.get_setting(name))
	_set_levels(STRICT.map(func(_name: String) -> int: return 2))
	var compiles := script.reload() == OK
	_set_levels(levels)
	return compiles


static func _set_levels(levels: Array) -> void:
	for i in STRICT.size():
		ProjectSettings.set_setting(STRICT[i], levels[i])
	# The compiler reads its settings when it hears of a change, which is otherwise in the next frame.
	ProjectSettings.settings_changed.emit()


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


# What is between "```gdscript" and "```", also in a list and in Rust's documentation comments.
static func _samples(text: String) -> PackedStringArray:
	var samples: PackedStringArray
	for block in _blocks(text):
		if block.language == "gdscript":
			samples.append("\n".join(block.lines))
	return samples


# What keeps samples of a page from being found: blocks in an unknown language or without an end.
static func _problems(text: String) -> PackedStringArray:
	var problems: PackedStringArray
	for block in _blocks(text):
		if block.language not in LANGUAGES:
			problems.append('a block in an unknown language: "%s"' % block.language)
		if not block.has_end:
			problems.append('a block without an end: "%s"' % "\n".join(block.lines).left(40))
	return problems


# The blocks of a page: language, lines, has_end.
static func _blocks(text: String) -> Array[Dictionary]:
	var blocks: Array[Dictionary] = []
	var fence := RegEx.create_from_string("^([ \t]*)(```+)([^`]*)$")
	var is_inside := false
	var begin: RegExMatch
	var lines: PackedStringArray
	for line in _lines(text):
		var found := fence.search(line)
		var is_end := found != null and found.get_string(3).strip_edges().is_empty()
		if not is_inside and found != null:
			is_inside = true
			begin = found
			lines = []
		elif is_inside and is_end and found.get_string(2).length() >= begin.get_string(2).length():
			is_inside = false
			blocks.append({language = begin.get_string(3), lines = lines, has_end = true})
		elif is_inside:
			lines.append(line.trim_prefix(begin.get_string(1)))
	if is_inside:
		blocks.append({language = begin.get_string(3), lines = lines, has_end = false})
	return blocks


static func _lines(text: String) -> PackedStringArray:
	var lines := text.split("\n")
	for i in lines.size():
		var stripped := lines[i].strip_edges()
		if stripped.begins_with("///"):
			lines[i] = stripped.substr(3).trim_prefix(" ")
	return lines


static func _path(of: String) -> String:
	return ProjectSettings.globalize_path("res://").path_join(REPOSITORY).path_join(of)


static func _text(source: String) -> String:
	return FileAccess.get_file_as_string(_path(source))
