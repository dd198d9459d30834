"""Makes the zip files that users install, and their checksums.

Called by scripts/package.sh with the project's root, the folder of libraries (one folder a platform) and the folder for the
results; standard input has the addon's other files, as addon_files in scripts/library.sh prints them. The same files give the same bytes: names are sorted, every file has the same date and permissions.
"""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

NAME = "packet_peer_udp_rs"
ADDON = f"addons/{NAME}"
# The first date that a zip file can have.
DATE = (1980, 1, 1, 0, 0, 0)

# The sample project's: what is not there for this project's own tests.
SAMPLE = ["project.godot", "icon.svg", "icon.svg.import", "demo"]


def version(root):
    """That of the workspace, in Cargo.toml."""
    text = (root / "Cargo.toml").read_text()
    section = re.search(r"^\[workspace\.package\]\n((?:(?!\[).*\n)*)", text, re.MULTILINE).group(1)
    return re.search(r'^version = "([^"]+)"$', section, re.MULTILINE).group(1)


def manifest(text, libraries):
    """addon.gdextension with the libraries that exist. Each one that exists must be named."""
    lines, named = [], set()
    for line in text.splitlines():
        entry = re.fullmatch(r'[a-z0-9_.]+ = "bin/([^"]+)"', line)
        if entry:
            if entry[1] not in libraries:
                continue
            named.add(entry[1])
        lines.append(line)
    if set(libraries) - named:
        sys.exit(f"package: addon.gdextension does not name {', '.join(sorted(set(libraries) - named))}")
    return "\n".join(lines) + "\n"


def write(path, files):
    """Writes the zip file with `files`, a dictionary of names and contents."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, also where it is made on Windows
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])


def main():
    root, libraries, output = (Path(argument) for argument in sys.argv[1:])
    binaries = {
        file.relative_to(libraries).as_posix(): file.read_bytes() for file in libraries.glob("*/*") if file.is_file()
    }
    if not binaries:
        sys.exit(f"package: {libraries} has no libraries")
    addon = {f"bin/{name}": content for name, content in binaries.items()}
    for line in sys.stdin:
        name, source = line.rstrip("\n").split("\t")
        addon[name] = (root / source).read_bytes()
    addon["addon.gdextension"] = manifest(addon["addon.gdextension"].decode(), binaries).encode()
    addon = {f"{ADDON}/{name}": content for name, content in addon.items()}

    project = root / "godot-project"
    # Tracked files only: an editor may have left others.
    listed = subprocess.run(["git", "-C", project, "ls-files", "-z", "--", *SAMPLE], check=True, stdout=subprocess.PIPE)
    names = listed.stdout.decode().split("\0")[:-1]
    sample = {f"{NAME}_sample/{name}": (project / name).read_bytes() for name in names}
    sample |= {f"{NAME}_sample/{name}": content for name, content in addon.items()}

    output.mkdir(parents=True, exist_ok=True)
    sums = []
    for name, files in ((NAME, addon), (f"{NAME}_sample", sample)):
        path = output / f"{name}-{version(root)}.zip"
        write(path, files)
        content = path.read_bytes()
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")
        print(f"{path}: {len(files)} files, {len(content):,} bytes")
    (output / "SHA256SUMS").write_text("".join(sums))


main()
