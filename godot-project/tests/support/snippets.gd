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
## The function that statements are put into.
const STATEMENTS := "sample"
## The name of snippet_marks.gd in a script that notes what it runs.
const MARKS := "SNIPPET_MARKS"
## Begins the text of a block that begins with push_error().
const ERROR := "error: "


## The pages of the documentation, from the repository.
static func pages() -> PackedStringArray:
	var found: PackedStringArray
	for folder in PAGES:
		for file in _files(folder):
			if file.get_extension() == "md":
				found.append(folder.path_join(file))
	return found


## The sources that contain the class reference, from the repository.
static func sources() -> PackedStringArray:
	var found: PackedStringArray
	var folders: PackedStringArray = [REFERENCE]
	while not folders.is_empty():
		var folder := folders[-1]
		folders.remove_at(folders.size() - 1)
		for file in _files(folder):
			if file.get_extension() == "rs":
				found.append(folder.path_join(file))
			elif file.ends_with("/"):
				folders.append(folder.path_join(file.trim_suffix("/")))
	return found


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
	return (
		text + (snippet if is_whole else "func %s() -> void:\n" % STATEMENTS + snippet.indent("\t"))
	)


## What is between "```gdscript" and "```", also in a list and in Rust's documentation comments.
static func snippets_of(text: String) -> PackedStringArray:
	var snippets: PackedStringArray
	for block in _blocks(text):
		if block.language == "gdscript":
			snippets.append("\n".join(block.lines))
	return snippets


## The line in which each begins, in the same order.
static func lines_of(text: String) -> PackedInt32Array:
	var lines: PackedInt32Array
	for block in _blocks(text):
		if block.language == "gdscript":
			lines.append(block.line)
	return lines


## What keeps snippets of a page from being found: blocks in an unknown language or without an end.
static func problems_of(text: String) -> PackedStringArray:
	var problems: PackedStringArray
	for block in _blocks(text):
		if block.language not in LANGUAGES:
			problems.append('a block in an unknown language: "%s"' % block.language)
		if not block.has_end:
			problems.append('a block without an end: "%s"' % "\n".join(block.lines).left(40))
	return problems


# The blocks of a page: language, line (of the backticks), lines, has_end.
static func _blocks(text: String) -> Array[Dictionary]:
	var blocks: Array[Dictionary] = []
	var fence := RegEx.create_from_string("^([ \t]*)(```+)([^`]*)$")
	var is_inside := false
	var begin: RegExMatch
	var lines: PackedStringArray
	var number := 0
	var first := 0
	for line in _lines(text):
		number += 1
		var found := fence.search(line)
		var is_end := found != null and found.get_string(3).strip_edges().is_empty()
		if not is_inside and found != null:
			is_inside = true
			begin = found
			first = number
			lines = []
		elif is_inside and is_end and found.get_string(2).length() >= begin.get_string(2).length():
			is_inside = false
			blocks.append(
				{language = begin.get_string(3), line = first, lines = lines, has_end = true}
			)
		elif is_inside:
			lines.append(line.trim_prefix(begin.get_string(1)))
	if is_inside:
		blocks.append(
			{language = begin.get_string(3), line = first, lines = lines, has_end = false}
		)
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


## A script that notes which of its blocks it runs, see support/snippet_marks.gd. A block is what
## stands behind a colon, indented or in a lambda of one line, what follows an [code]await[/code],
## and the end of statements without a function. Appends to [param blocks] the function and the
## beginning of each, in the order of the numbers that they note.
static func marked(script: String, blocks: PackedStringArray) -> String:
	var lambda := RegEx.create_from_string("\\bfunc\\([^()]*\\)[^:()]*:[ ](?=\\S)")
	var function := RegEx.create_from_string("^func (\\w+)")
	var current := ""
	var result: PackedStringArray
	var lines := script.split("\n")
	for i in lines.size():
		var line := lines[i]
		var code := _without_comment(line)
		var begun := function.search(line)
		if begun != null:
			current = begun.get_string(1) + ": "
		for found in lambda.search_all(code):
			var at := line.find(found.get_string())
			line = line.insert(
				at + found.get_string().length(), _mark(blocks, current + code.strip_edges()) + "; "
			)
		result.append(line)
		var next := _next_code(lines, i + 1)
		var is_head := code.ends_with(":") and _indentation(next) > _indentation(line)
		if is_head and not code.strip_edges().begins_with("match "):
			var what := current + code.strip_edges() + " " + next.strip_edges()
			if next.strip_edges().begins_with("push_error("):
				what = ERROR + what
			result.append(_indented(next, _mark(blocks, what)))
		elif code.contains("await ") and not code.ends_with(":"):
			result.append(_indented(line, _mark(blocks, current + "after " + code.strip_edges())))
	if "\nfunc %s() -> void:\n" % STATEMENTS in script:
		result.append("\t" + _mark(blocks, current + "the end"))
	result.append('\n\nconst %s := preload("%s")' % [MARKS, "res://tests/support/snippet_marks.gd"])
	return "\n".join(result)


static func _mark(blocks: PackedStringArray, what: String) -> String:
	blocks.append(what)
	return "%s.reach(%d)" % [MARKS, blocks.size() - 1]


static func _indented(like: String, code: String) -> String:
	return "\t".repeat(_indentation(like)) + code


static func _indentation(line: String) -> int:
	return line.length() - line.lstrip("\t").length()


# The first line with code at or after one.
static func _next_code(lines: PackedStringArray, from: int) -> String:
	for i in range(from, lines.size()):
		if not _without_comment(lines[i]).is_empty():
			return lines[i]
	return ""


static func _without_comment(line: String) -> String:
	var quote := ""
	for i in line.length():
		if line[i] == quote:
			quote = ""
		elif quote.is_empty() and line[i] in ["'", '"']:
			quote = line[i]
		elif quote.is_empty() and line[i] == "#":
			return line.left(i).rstrip(" \t")
	return line.rstrip(" \t")
