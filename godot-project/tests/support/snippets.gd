extends RefCounted
## Finds the GDScript snippets of the documentation and of the class reference: what is between
## "```gdscript" and "```". Makes scripts of them.

## The repository, from the project's folder.
const REPOSITORY := ".."
## Folders of the repository whose pages are read: every *.md in them. Not all have to exist.
const PAGES: Array[String] = ["", "docs", "docs/samples", "packaging", "store"]
## The folder of the sources that contain the class reference, with all folders in it.
const REFERENCE := "rust/gdext/src"
## What may stand after the three backticks that begin a block. GDScript has one spelling, so that
## no snippet is missed.
const LANGUAGES: Array[String] = ["gdscript", "csharp", "sh", "text", ""]
## What a snippet takes for granted, and how it is declared where a snippet has none of its own.
const CONTEXT: Dictionary[String, String] = {
	"peer": "var peer := PacketPeerUdpRs.new()",
	"server": "var server := UdpServerRs.new()",
	"host": "var host := PacketPeerUdpRs.new()",
	"browser": "var browser := PacketPeerUdpRs.new()",
	"PORT": "const PORT := 4433",
	"read_sample": "func read_sample(_x: float, _y: float) -> void:\n\tpass",
}


## The pages of the documentation, from the repository.
static func pages() -> PackedStringArray:
	var pages: PackedStringArray
	for folder in PAGES:
		for file in _files(folder):
			if file.get_extension() == "md":
				pages.append(folder.path_join(file))
	return pages


## The sources that contain the class reference, from the repository.
static func sources() -> PackedStringArray:
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


## The first line that tells snippets apart.
static func first_line(snippet: String) -> String:
	for line in snippet.split("\n", false):
		if not line.begins_with("extends "):
			return line
	return snippet


## The snippet as part of a script that declares what it takes for granted.
static func wrapped(snippet: String) -> String:
	if snippet.begins_with("extends "):
		return snippet
	var text := "extends Node\n"
	for name: String in CONTEXT:
		var is_used := RegEx.create_from_string("(?<![.\\w])%s\\b" % name).search(snippet) != null
		var own := "(?m)^(var|const|func) %s\\b" % name
		if is_used and RegEx.create_from_string(own).search(snippet) == null:
			text += CONTEXT[name] + "\n"
	# Statements go into a function.
	var is_whole := RegEx.create_from_string("(?m)^func ").search(snippet) != null
	return text + (snippet if is_whole else "func sample() -> void:\n" + snippet.indent("\t"))


## What is between "```gdscript" and "```", also in a list and in Rust's documentation comments.
static func snippets_of(text: String) -> PackedStringArray:
	var snippets: PackedStringArray
	for block in _blocks(text):
		if block.language == "gdscript":
			snippets.append("\n".join(block.lines))
	return snippets


## What keeps snippets of a page from being found: blocks in an unknown language or without an end.
static func problems_of(text: String) -> PackedStringArray:
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


static func text_of(source: String) -> String:
	return FileAccess.get_file_as_string(_path(source))
