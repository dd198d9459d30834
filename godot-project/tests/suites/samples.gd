extends "../support/suite.gd"
## The samples of the documentation and of the class reference compile when they are pasted into a
## script: they are indented by tabs, as the editor indents. The suite in tests/snippets/ runs them.
## The files in samples/ compile without warnings, in a project with any settings.

const Snippets := preload("../support/snippets.gd")

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
## The folder of settings in which the levels of the compiler's warnings are.
const WARNINGS := "debug/gdscript/warnings/"
## Warnings that are errors in a sample: without them, a method that does not exist compiles.
const STRICT: Array[String] = [
	WARNINGS + "unsafe_method_access",
	WARNINGS + "unsafe_property_access",
]
## Warnings that the files in samples/ may cause. Projects that switch them on forbid what the
## engine's style guide recommends, and a call whose result does not matter.
const ALLOWED: Array[String] = [
	WARNINGS + "inferred_declaration",
	WARNINGS + "return_value_discarded",
]
## The files that people copy into their projects.
const FILES := "res://samples"


func test_every_sample_compiles() -> void:
	var sources := Snippets.pages() + Snippets.sources()
	if sources.is_empty():
		skip("the sources are not beside the project")
		return
	var counts: Dictionary[String, int] = {}
	for source in sources:
		var text := Snippets.text_of(source)
		var samples := Snippets.snippets_of(text)
		for problem in Snippets.problems_of(text):
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
		check(not Snippets.problems_of(wrong).is_empty(), "it is not noticed: " + wrong)


func test_the_files_of_the_samples_compile_without_a_warning() -> void:
	var warnings := _warnings()
	check(warnings.size() > 30, "the engine's warnings are not found: %s" % [warnings])
	var text := ""
	for file in DirAccess.get_files_at(FILES):
		if file.get_extension() == "gd":
			text = FileAccess.get_file_as_string(FILES.path_join(file))
			check(_compiles_with(text, warnings), file + " has warnings")
	Engine.print_error_messages = false
	for broken: String in [
		"func _half(number: int) -> int:\n\treturn number / 2",
		"func _unused(number: int) -> void:\n\tpass",
		"func _unsafe(object: Object) -> void:\n\tobject.no_such_method()",
		"func _untyped(number):\n\tprint(number)",
		"func _shadows(name: String) -> void:\n\tprint(name)\n\tvar position := name\n\tpass",
	]:
		check(_compiles_with(text + "\n\n\n" + broken, []), "it is no script: " + broken)
		check(not _compiles_with(text + "\n\n\n" + broken, warnings), "no warning: " + broken)
	Engine.print_error_messages = true


func test_the_library_has_the_samples_as_the_sources_have_them() -> void:
	var sources := Snippets.sources()
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
		for sample in Snippets.snippets_of(Snippets.text_of(source)):
			count += 1
			check(sample in registered, "the class reference has not, or has otherwise:\n" + sample)
	check_equal(registered.size(), count, "samples in the class reference")


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
	var where := '%s, the sample with "%s"' % [source, Snippets.first_line(sample)]
	for line in sample.split("\n"):
		check(not line.begins_with(" "), where + ": indented by spaces: " + line)
	allow_lines("(?s).*")
	# Samples of the class reference are short and leave out types.
	check(_compiles(sample, source.get_extension() == "md"), where + " does not compile")


# Pasted without a line's end at its end, as a selection may be.
static func _compiles(sample: String, is_strict := true) -> bool:
	return _compiles_with(Snippets.wrapped(sample), STRICT if is_strict else [])


# Whether a script compiles while these warnings are errors.
static func _compiles_with(source: String, warnings: Array) -> bool:
	var script := GDScript.new()
	script.source_code = source
	var levels := warnings.map(ProjectSettings.get_setting)
	_set_levels(warnings, warnings.map(func(_name: String) -> int: return 2))
	var compiles := script.reload() == OK
	_set_levels(warnings, levels)
	return compiles


static func _set_levels(warnings: Array, levels: Array) -> void:
	for i in warnings.size():
		ProjectSettings.set_setting(warnings[i], levels[i])
	# The compiler reads its settings when it hears of a change, which is otherwise in the next frame.
	ProjectSettings.settings_changed.emit()


# The names of all warnings that this engine has, as settings, without those that are allowed. Other
# settings of the same folder are no levels.
static func _warnings() -> Array[String]:
	var names: Array[String] = []
	for property in ProjectSettings.get_property_list():
		var title: String = property.name
		if title.begins_with(WARNINGS) and property.hint_string == "Ignore,Warn,Error":
			if title not in ALLOWED:
				names.append(title)
	return names
