"""Makes the zip files that users install, and their checksums.

Called by scripts/package.sh with the project's root, the folder of libraries (one folder a platform) and the folder for the
results; standard input has the addon's other files, as addon_files in scripts/library.sh prints them. The same files give the same bytes: names are sorted, every file has the same date and permissions.
"""

import hashlib
import io
import os
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
SAMPLE = ["project.godot", "icon.svg", "icon.svg.import", "demo", "samples"]


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


def tracked(root, folder, names):
    """The files of these names, and in these folders, that git knows: an editor may have left others. In a source archive: all."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments):
        command = ["git", "-C", folder, *arguments]
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout

    try:
        top = git("rev-parse", "--show-toplevel").decode().strip()
    except OSError:  # there is no git
        top = ""
    if top and Path(top).resolve() == root.resolve():
        return git("ls-files", "-z", "--", *names).decode().split("\0")[:-1]
    files = [file for name in names for file in [folder / name, *sorted((folder / name).rglob("*"))] if file.is_file()]
    return [file.relative_to(folder).as_posix() for file in files]


def archive(files):
    """The bytes of a zip file with `files`, a dictionary of names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as result:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, also where it is made on Windows
            entry.external_attr = 0o100644 << 16
            result.writestr(entry, files[name])
    return buffer.getvalue()


def replace(path, content):
    """Writes the file in one step, so that no other run reads half of it."""
    new = path.with_name(f"{path.name}.new.{os.getpid()}")
    new.write_bytes(content)
    new.replace(path)


def main():
    root, libraries, output = (Path(argument) for argument in sys.argv[1:])
    binaries = {
        file.relative_to(libraries).as_posix(): file.read_bytes()
        for file in libraries.glob("*/*")
        if file.is_file() and not file.name.startswith((".", "~"))
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
    names = tracked(root, project, SAMPLE)
    missing = [part for part in SAMPLE if not any(name == part or name.startswith(f"{part}/") for name in names)]
    if missing:
        sys.exit(f"package: {project} has no {', '.join(missing)}")
    sample = {f"{NAME}_sample/{name}": (project / name).read_bytes() for name in names}
    sample |= {f"{NAME}_sample/{name}": content for name, content in addon.items()}

    output.mkdir(parents=True, exist_ok=True)
    sums = ""
    for name, files in ((NAME, addon), (f"{NAME}_sample", sample)):
        path, content = output / f"{name}-{version(root)}.zip", archive(files)
        replace(path, content)
        sums += f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
        print(f"{path.name}: {len(files)} files, {len(content):,} bytes")
    replace(output / "SHA256SUMS", sums.encode())


try:
    main()
except OSError as error:
    sys.exit(f"package: {error}")
