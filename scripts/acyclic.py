"""Fails when modules of a crate import each other in a circle: acyclic.py SRC/lib.rs...

An edge goes from module A to module B when A's source names an item of B: in a `use`, or in a path such as `super::b::f()`.
Re-exports are followed to the module that defines the item. A module's declaration (`mod b;`) is no edge; a module that only
declares and re-exports its children therefore depends on them, and they may depend on each other, but not on it. Calls of
methods are no edges. Test code (`#[cfg(test)]`, `#[test]`) is not looked at; all other configurations are.

Rust's own tools do not answer this: `cargo modules dependencies --acyclic` looks for cycles of items, so that a type with a
constructor is one, and two modules that use each other's items are none.
"""

import re
import sys
from pathlib import Path

# Comments, literals and lifetimes, of which only the line breaks matter; then the tokens.
TOKEN = re.compile(
    r"""
    (?P<skip>
        //[^\n]* | /\*(?:[^*]|\*(?!/))*\*/
        | b?r(?P<hashes>\#*)"(?:.|\n)*?"(?P=hashes) | [bc]?"(?:\\(?:.|\n)|[^"\\])*"
        | b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\\n])' | '[A-Za-z_]\w*
    )
    | (?P<token> (?:r\#)?[A-Za-z_]\w* | :: | \d[\w.]*? (?=\W) | [^\s\w] )
    """,
    re.VERBOSE,
)


class Module:
    def __init__(self, name, file, parent):
        self.name, self.file, self.parent = name, file, parent
        # Lists, because each configuration may have its own: modules by name, and paths by the name that `use` gives them.
        self.children = {}
        self.imports = {}
        self.globs = []
        # (path, line): everything that may name an item of another module.
        self.paths = []

    def __str__(self):
        return f"{self.parent}::{self.name}" if self.parent else self.name

    def root(self):
        return self.parent.root() if self.parent else self


# ---- reading ---------------------------------------------------------------------------------------------------


def tokens_of(text):
    """(token, line) of Rust source."""
    line, last = 1, 0
    result = []
    for match in TOKEN.finditer(text):
        line += text.count("\n", last, match.start())
        last = match.start()
        if match.group("token"):
            result.append((match.group("token"), line))
    return result


def closing(tokens, at):
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i][0] in "([{":
            depth += 1
        elif tokens[i][0] in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return len(tokens) - 1


def end_of_item(tokens, at):
    """The index after the item, statement or expression that begins at `at`."""
    while at < len(tokens):
        token = tokens[at][0]
        if token in ";,":
            return at + 1
        if token in ")]}":
            return at
        if token in "([{":
            at = closing(tokens, at)
            if token == "{":
                return at + 1
        at += 1
    return at


def use_tree(tokens, at, prefix):
    """The paths of a `use` from `at` on, as (path, name in scope), and the index after it."""
    path = list(prefix)
    found = []
    while True:
        token = tokens[at][0]
        if token == "{":
            at += 1
            while tokens[at][0] != "}":
                more, at = use_tree(tokens, at, path)
                found += more
                at += tokens[at][0] == ","
            return found, at + 1
        if token == "*":
            return [*found, (path, "*")], at + 1
        if token != "::":
            path.append(token)
        at += 1
        if tokens[at][0] == "as":
            return [*found, (path, tokens[at + 1][0])], at + 2
        if tokens[at][0] in ",;}":
            if path[-1] == "self" and len(path) > 1:
                path.pop()
            return [*found, (path, path[-1])], at


def source_of(module, name, override):
    """The file of `mod name;` in a module."""
    own = module.file
    folder = own.parent if own.stem in ("lib", "main", "mod") else own.parent / own.stem
    places = [own.parent / override] if override else [folder / f"{name}.rs", folder / name / "mod.rs"]
    for place in places:
        if place.is_file():
            return place
    sys.exit(f"acyclic: {own}: no file for the module {name}")


def read(module, tokens):
    """Fills a module, and its children, from its tokens."""
    at, override = 0, None
    while at < len(tokens):
        token, line = tokens[at]
        if token == "#" and at + 1 < len(tokens):
            start = at + 1 + (tokens[at + 1][0] == "!")
            end = closing(tokens, start)
            words = [word for word, _ in tokens[start + 1 : end]]
            if words[:1] == ["test"] or words[:4] == ["cfg", "(", "test", ")"]:
                end += 1
                while end < len(tokens) and tokens[end][0] == "#":  # further attributes of the same item
                    end = closing(tokens, end + 1) + 1
                at = end_of_item(tokens, end)
                continue
            # The path itself is a literal, which the tokens do not have.
            if words[:2] == ["path", "="]:
                lines = module.file.read_text(encoding="utf-8").splitlines()
                override = re.search(r'path\s*=\s*"([^"]+)"', lines[line - 1]).group(1)
            at = end + 1
        elif token == "mod" and tokens[at + 2][0] in ";{":
            name = tokens[at + 1][0]
            inline = tokens[at + 2][0] == "{"
            child = Module(name, module.file if inline else source_of(module, name, override), module)
            module.children.setdefault(name, []).append(child)
            override = None
            if inline:
                end = closing(tokens, at + 2)
                read(child, tokens[at + 3 : end])
                at = end + 1
            else:
                read(child, tokens_of(child.file.read_text(encoding="utf-8")))
                at += 3
        elif token == "use" and re.match(r"\w|::|\{", tokens[at + 1][0]):
            found, at = use_tree(tokens, at + 1, [])
            for path, name in found:
                module.paths.append((path, line))
                if name == "*":
                    module.globs.append(path)
                elif name != "_":
                    module.imports.setdefault(name, []).append(path)
        elif re.match(r"(r#)?[A-Za-z_]", token):
            path = [token]
            while at + 2 < len(tokens) and tokens[at + 1][0] == "::" and re.match(r"\w", tokens[at + 2][0]):
                path.append(tokens[at + 2][0])
                at += 2
            if len(path) > 1:
                module.paths.append((path, line))
            at += 1
        else:
            at += 1


# ---- judging ---------------------------------------------------------------------------------------------------


def resolve(module, path, seen=()):
    """The modules that define what a path names, one per configuration; none if it is not of this crate."""
    first, *rest = path
    if first == "crate":
        return descend(module.root(), rest, seen)
    if first == "self":
        return descend(module, rest, seen)
    if first == "super":
        return resolve(module.parent, ["self", *rest] if rest[:1] != ["super"] else rest, seen)
    return named(module, path, seen)


def descend(module, path, seen):
    """The modules that define the item with this path from `module` on: itself, unless it re-exports the name."""
    if not path or path[0] == "*":
        return {module}
    return named(module, path, seen) or {module}


def named(module, path, seen):
    """The modules that define a path whose first name is a child, an import or a glob import of `module`."""
    first, *rest = path
    found = set()
    for child in module.children.get(first, []):
        found |= descend(child, rest, seen)
    if (module, first) in seen:  # `use a::a;` does not stand for itself
        return found
    seen = (*seen, (module, first))
    for imported in module.imports.get(first, []):
        found |= resolve(module, [*imported, *rest], seen)
    if not found:
        for glob in module.globs:
            for where in resolve(module, glob, seen):
                if where is not module and (first in where.children or first in where.imports):
                    found |= named(where, path, seen)
    return found


def edges_of(module, edges):
    """All edges from a module and its children: {from: {to: (path, line)}}, each with its first place."""
    own = edges.setdefault(module, {})
    for path, line in module.paths:
        for target in sorted(resolve(module, path), key=str):
            if target is not module:
                own.setdefault(target, ("::".join(path), line))
    for children in module.children.values():
        for child in children:
            edges_of(child, edges)
    return edges


def shortest_cycle(edges, start):
    """The shortest way from a module back to itself, or None."""
    ways, todo = {}, [start]
    for module in todo:
        for target in edges[module]:
            if target is start:
                way = [module]
                while way[-1] is not start:
                    way.append(ways[way[-1]])
                return way[::-1]
            if target not in ways:
                ways[target] = module
                todo.append(target)
    return None


def cycles_of(edges):
    """The shortest cycle through each module, without those that share a module with a shorter one."""
    found = filter(None, (shortest_cycle(edges, module) for module in edges))
    used, result = set(), []
    for cycle in sorted(found, key=len):
        if used.isdisjoint(cycle):
            result.append(cycle)
            used.update(cycle)
    return result


def main():
    failed = False
    for argument in sys.argv[1:]:
        file = Path(argument)
        root = Module(file.resolve().parent.parent.name, file, None)
        read(root, tokens_of(file.read_text(encoding="utf-8")))
        edges = edges_of(root, {})
        cycles = cycles_of(edges)
        print(f"{argument}: {len(edges)} modules, {sum(map(len, edges.values()))} imports, {len(cycles)} cycles")
        for cycle in cycles:
            failed = True
            print(f"  cycle of {len(cycle)}:")
            for module, target in zip(cycle, [*cycle[1:], cycle[0]]):
                path, line = edges[module][target]
                print(f"    {module} -> {target}: {module.file}:{line} names {path}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
