"""Checks the pages of the documentation; scripts/docs.sh says what.

Pages are Markdown as GitHub shows it. Only files that git has, or would add, count as existing: what the scripts fetch and build
is not there after a clone.
"""

import posixpath
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

MOST_WORDS = 1200
# Pages that are generated, or that users do not come to by links.
GENERATED = {"THIRD_PARTY_NOTICES.md"}
# The addon's folder: path in it, and in the repository. scripts/build.sh and scripts/package.sh put these files there.
ADDON = {
    "addon.gdextension": "addon.gdextension",
    "README.md": "packaging/README.md",
    "LICENSE": "LICENSE",
    "THIRD_PARTY_NOTICES.md": "THIRD_PARTY_NOTICES.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
# Folders of the repository, whose paths are checked wherever a page names them.
FOLDERS = r"(?:scripts|docs|packaging|rust|godot-project|icons|store|\.github|\.ci)"
PATH = re.compile(rf"(?<![\w./-]){FOLDERS}/[\w./-]*[\w/]")
# Made by the scripts: not in the repository.
GENERATED_PATHS = re.compile(r"godot-project/(addons|\.godot)\b")
SCRIPT = re.compile(r"(?<![\w./-])(scripts/[\w-]+\.sh)([^\n`|;#]*)")
SCENE = re.compile(r"(?<![\w./-])res://([\w/]+\.tscn)(?: +-- +([^\n`|;#]*))?")
OPTION = re.compile(r"(?<!\S)--[a-z][\w-]*")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\(\s*<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[([^\]]+)\]:\s*<?(\S+?)>?\s*$", re.M)
HTML = re.compile(r"<(?:img|a)\b[^>]*?\b(?:src|href)\s*=\s*[\"']([^\"']*)[\"']", re.I)


def files_of(root):
    """The repository's files, without those that git ignores, and their folders."""
    command = ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.split("\0")
    files = {name for name in listed if name and (root / name).is_file()}
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    return files, folders


def prose(text):
    """The text without blocks of code and comments: what can contain links and headings."""
    lines, fence = [], None
    for line in re.sub(r"<!--.*?-->", lambda found: "\n" * found[0].count("\n"), text, flags=re.S).split("\n"):
        marker = re.match(r"\s*(`{3,}|~{3,})", line)
        if marker and fence is None:
            fence = marker[1]
        elif fence is not None:
            if marker and marker[1].startswith(fence) and line.strip() == marker[1]:
                fence = None
        else:
            lines.append(line)
            continue
        lines.append("")
    return "\n".join(lines)


def anchors_of(text):
    """The anchors of a page's headings."""
    anchors, seen = set(), {}
    for heading in re.findall(r"^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$", prose(text), re.M):
        heading = LINK.sub(lambda found: found[2], heading)
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        anchors.add(f"{slug}-{count}" if count else slug)
    anchors.update(re.findall(r"<a\s+(?:id|name)=[\"']([^\"']+)[\"']", text))
    return anchors


def links_of(text):
    """Targets of links and pictures: (line, target)."""
    shown = prose(text)
    # The same length, so that lines can be counted.
    shown = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", lambda found: re.sub(r"[^\n]", "x", found[0]), shown, flags=re.S)
    for pattern, group in ((LINK, 3), (REFERENCE, 2), (HTML, 1)):
        for found in pattern.finditer(shown):
            yield shown.count("\n", 0, found.start()) + 1, found[group]
            if pattern is LINK and "](" in found[2]:  # a picture that is a link
                yield from ((shown.count("\n", 0, found.start()) + 1, inner[3]) for inner in LINK.finditer(found[2]))


class Checker:
    def __init__(self, root):
        self.root = root
        self.files, self.folders = files_of(root)
        self.problems = []
        self.linked = set()
        self.checked = 0
        self.texts = {}
        self.helps = {}

    def text(self, name):
        if name not in self.texts:
            self.texts[name] = (self.root / name).read_text(encoding="utf-8")
        return self.texts[name]

    def fail(self, page, line, what):
        self.problems.append(f"{page}:{line}: {what}" if line else f"{page}: {what}")

    def pages(self):
        places = ("", "docs", "docs/samples", "packaging", "store", ".github")
        return sorted(
            name for name in self.files
            if name.endswith(".md") and posixpath.dirname(name) in places and name not in GENERATED
        )

    def link(self, page, line, target, resolve):
        """Checks one link. resolve: the file of the repository that a path from the page's folder means, or None."""
        self.checked += 1
        if re.match(r"(https?|mailto):", target):
            return
        if re.match(r"[a-z][a-z0-9+.-]*:", target, re.I) or target.startswith("/"):
            self.fail(page, line, f"neither relative nor a web address: {target}")
            return
        path, _, anchor = target.partition("#")
        name = resolve(path) if path else page
        if name is None:
            self.fail(page, line, f"there is no such file: {target}")
            return
        if name != page:
            self.linked.add(name)
        if not anchor:
            if not path:
                self.fail(page, line, "an empty link")
        elif not name.endswith(".md"):
            self.fail(page, line, f"an anchor in what is no page: {target}")
        elif anchor not in anchors_of(self.text(name)):
            self.fail(page, line, f"there is no such heading: {target}")

    def page(self, page):
        folder = posixpath.dirname(page)

        def in_repository(path):
            name = posixpath.normpath(posixpath.join(folder, path))
            if path.endswith("/") and name not in self.folders:
                return None
            return name if name in self.files or name in self.folders else None

        # The addon's README is read only there.
        if page != ADDON["README.md"]:
            for line, target in links_of(self.text(page)):
                self.link(page, line, target, in_repository)
        if page in ADDON.values():
            for line, target in links_of(self.text(page)):
                self.link(page, line, target, lambda path: ADDON.get(posixpath.normpath(path)))

    def names(self, page):
        """Scripts, their options and other paths that a page names, also in its code."""
        text = self.text(page)
        for found in PATH.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            name, after = found[0].rstrip("."), text[found.end() : found.end() + 2]
            # A pattern, a placeholder, or a link, which is checked as such.
            before = text[max(0, found.start() - 2) : found.start()]
            if re.match(r"/?[*<{…]", after) or GENERATED_PATHS.match(name) or before == "](" or before.endswith('="'):
                continue
            if name.rstrip("/") not in self.files | self.folders:
                self.fail(page, line, f"there is no such path: {name}")
        for found in SCRIPT.finditer(text):
            if found[1] not in self.files:
                continue
            line = text.count("\n", 0, found.start()) + 1
            for option in OPTION.findall(found[2].split(" -- ")[0]):
                if not re.search(rf"{option}(?![\w-])", self.help_of(found[1])):
                    self.fail(page, line, f"{found[1]} has no option {option}")

    def help_of(self, script):
        """What the script answers to --help, which names all its options."""
        if script not in self.helps:
            answer = subprocess.run(
                ["bash", str(self.root / script), "--help"], capture_output=True, encoding="utf-8", timeout=60, stdin=subprocess.DEVNULL
            )
            self.helps[script] = answer.stdout
        return self.helps[script]

    def scenes(self, page):
        """Scenes that commands start, and the arguments that they get after "--": a script beside the scene reads them by name."""
        text = self.text(page)
        for found in SCENE.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            name = f"godot-project/{found[1]}"
            if name not in self.files:
                self.fail(page, line, f"there is no such scene: res://{found[1]}")
                continue
            folder = posixpath.dirname(name) + "/"
            code = "".join(self.text(file) for file in self.files if file.startswith(folder) and file.endswith(".gd"))
            for option in OPTION.findall(found[2] or ""):
                if not re.search(rf'"(--)?{option[2:]}"', code):
                    self.fail(page, line, f"no script in {folder} knows the argument {option}")

    def run(self):
        pages = self.pages()
        for name in ("README.md", "CONTRIBUTING.md", "packaging/README.md"):
            if name not in pages:
                self.fail(name, 0, "is missing")
        for page in pages:
            self.page(page)
            self.names(page)
            self.scenes(page)
        words = len(self.text("README.md").split()) if "README.md" in pages else 0
        if words > MOST_WORDS:
            self.fail("README.md", 0, f"{words} words; at most {MOST_WORDS}")
        for name in sorted(self.files):
            if name.startswith("docs/") and name not in self.linked:
                self.fail(name, 0, "no page links to it")
        for problem in self.problems:
            print(problem)
        if self.problems:
            print(f"{len(self.problems)} problems.")
            return 1
        print(f"{len(pages)} pages, {self.checked} links, {words} words in the README: nothing leads nowhere.")
        return 0


sys.exit(Checker(Path(sys.argv[1]).resolve()).run())
