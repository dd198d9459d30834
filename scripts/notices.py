"""Prints THIRD_PARTY_NOTICES.md: the third-party code in the addon's library.

Called by scripts/notices.sh with the workspace's Cargo.toml and the folder of licence texts for crates whose packages
have none. The result depends only on Cargo.lock and the packages, and is sorted, so that it is the same everywhere.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT_CRATE = "packet_peer_udp_rs"

# Rust's names of the platforms that addon.gdextension has libraries for.
TARGETS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
    "x86_64-pc-windows-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "aarch64-linux-android",
    "armv7-linux-androideabi",
    "x86_64-linux-android",
]

LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)

# The standard library is part of every Rust program but not a Cargo package.
RUST_NOTICE = """\
## The Rust standard library

The library contains parts of the Rust standard library, Copyright (c) The Rust Project Developers, dual-licensed under
the Apache License 2.0 and the MIT License (`MIT OR Apache-2.0`); source: <https://github.com/rust-lang/rust>. The text
of the Apache License is among those below.
"""

MPL_NOTICE = """\
## Source code of the MPL-2.0 crates

The crates under the Mozilla Public License 2.0 ({crates})
are used unmodified, as published on <https://crates.io>. Their source code is at <https://github.com/godot-rust/gdext>, and the exact version used can be
fetched from `https://crates.io/api/v1/crates/<name>/<version>/download`. That licence covers those files, not the games
that use the addon.
"""


def metadata(manifest, target):
    """The dependency graph on one platform, as cargo resolves it from the lock file."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    command += ["--manifest-path", manifest, "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def compiled(manifest, target):
    """Name and version of each package that the library's build compiles. `cargo metadata` also has what only tests switch on."""
    command = ["cargo", "tree", "--locked", "--manifest-path", manifest, "--package", ROOT_CRATE, "--target", target]
    command += ["--edges", "normal", "--prefix", "none", "--format", "{p}"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {tuple(line.replace(" v", " ", 1).split()[:2]) for line in lines if line}


def is_proc_macro(package):
    """Procedural macros run inside the compiler; neither they nor what they need is linked into the library."""
    return any("proc-macro" in target["kind"] for target in package["targets"])


def linked_packages(graph):
    """The packages of one graph that are linked into the library: the closure of its normal dependencies."""
    packages = {package["id"]: package for package in graph["packages"]}
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    todo = [identity for identity, package in packages.items() if package["name"] == ROOT_CRATE]
    if not todo:
        sys.exit(f"notices: the workspace has no package {ROOT_CRATE}")
    seen = set()
    while todo:
        identity = todo.pop()
        if identity in seen or is_proc_macro(packages[identity]):
            continue
        seen.add(identity)
        for dependency in nodes[identity]["deps"]:
            # A kind of None is a normal dependency; the others are "dev" and "build".
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    return [packages[identity] for identity in seen]


def licence_texts(package, fallback):
    """Name and text of each licence file in the package, or of the fallback if it has none."""
    folder = Path(package["manifest_path"]).parent
    files = [file for file in folder.iterdir() if file.is_file() and LICENCE_FILE.match(file.name)]
    if not files:
        spdx = package["license"] or ""
        files = [fallback / f"{spdx}.txt"]
        if not files[0].is_file():
            sys.exit(
                f"notices: {package['name']} ({spdx}) has no licence text; put the text of its licence,"
                f" as the project publishes it, at scripts/licenses/{spdx}.txt"
            )
    for file in sorted(files, key=lambda file: file.name.lower()):
        lines = file.read_text(encoding="utf-8", errors="replace").expandtabs().splitlines()
        yield file.name, "\n".join(line.rstrip() for line in lines).strip("\n")


def main():
    manifest, fallback = sys.argv[1], Path(sys.argv[2])
    found = {}
    for target in TARGETS:
        in_build = compiled(manifest, target)
        for package in linked_packages(metadata(manifest, target)):
            is_own = not package["source"]
            if not is_own and (package["name"], package["version"]) in in_build:
                found[package["name"], package["version"]] = package
    packages = [found[key] for key in sorted(found)]

    # Many crates have the same text: each text appears once, with the names of its crates.
    texts = {}
    for package in packages:
        for file, text in licence_texts(package, fallback):
            # Texts that differ only in white space are the same.
            entry = texts.setdefault(" ".join(text.split()), (text, []))
            crate = f"{package['name']} {package['version']}"
            if crate not in entry[1]:
                entry[1].append(crate)

    print("# Third-party notices\n")
    print("PacketPeerUdpRs itself is under the MIT licence (LICENSE). Its library contains code of the projects below.")
    print("Not every crate is in the library of every platform. Where a licence says `OR`, any of them may be chosen.\n")
    print("This file is written by `scripts/notices.sh`; do not edit it.\n")
    print("## Crates\n")
    print("| crate | version | licence | source |\n|---|---|---|---|")
    for package in packages:
        name, version = package["name"], package["version"]
        licence = (package["license"] or "see below").replace("/", " OR ")
        source = package["repository"] or package["homepage"] or f"https://crates.io/crates/{name}"
        print(f"| [{name}](https://crates.io/crates/{name}/{version}) | {version} | {licence} | <{source}> |")
    print()
    print(RUST_NOTICE)
    mozilla = [package["name"] for package in packages if "MPL-2.0" in (package["license"] or "")]
    if mozilla:
        print(MPL_NOTICE.format(crates=", ".join(mozilla)))
    print("## Licence texts")
    for text, crates in texts.values():
        # Four ticks: no licence text contains that many.
        print(f"\n### {', '.join(crates)}\n\n````text\n{text}\n````")


if __name__ == "__main__":
    main()
