"""Joins the bills of materials that cargo-cyclonedx has written for each platform into one, the same on every machine.

Called by scripts/sbom.sh: sbom.py NOTICES RESULT FILE... RESULT may contain "{version}".
"""

import json
import re
import sys
import uuid
from pathlib import Path

# cargo-cyclonedx names the workspace's own crates by their folders, as "path+file:///home/…/rust/core#name@1.2.3".
LOCAL = re.compile(r"^path\+file://[^#]*#([^@ ]+@[^ ]+)")
# And says in their package URL where those folders are.
LOCAL_URL = re.compile(r"\?download_url=file://[^#]*")


def without_paths(value):
    """The same JSON value without folders of this machine."""
    if isinstance(value, dict):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    if isinstance(value, str):
        return LOCAL_URL.sub("", LOCAL.sub(r"pkg:cargo/\1", value))
    return value


def join(bills):
    """One bill with the components of all."""
    components, dependencies = {}, {}
    for bill in bills:
        for component in bill["components"]:
            components[component["bom-ref"]] = component
        for dependency in bill["dependencies"]:
            dependencies.setdefault(dependency["ref"], set()).update(dependency.get("dependsOn", []))
    result = dict(bills[0])
    # It says which one platform it is for.
    result["metadata"].pop("properties", None)
    result.pop("serialNumber", None)
    result["components"] = [components[key] for key in sorted(components)]
    result["dependencies"] = [{"ref": key, "dependsOn": sorted(dependencies[key])} for key in sorted(dependencies)]
    # A serial number is a UUID, here of the content: equal bills have equal numbers.
    content = json.dumps(result, sort_keys=True)
    result["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    return result


def main():
    notices, target, *files = sys.argv[1:]
    bill = join([without_paths(json.loads(Path(file).read_text(encoding="utf-8"))) for file in files])
    text = json.dumps(bill, indent=2, ensure_ascii=False) + "\n"
    if "file:" in text:
        sys.exit("sbom: the bill has a path of this machine: " + re.search(r".*file:.*", text)[0].strip())

    # The notices come from Cargo.lock by another way. What is linked into a library is in both.
    linked = set(re.findall(r"^\| \[([^]]+)\]\(.*?\) \| (\S+) \|", Path(notices).read_text(encoding="utf-8"), re.MULTILINE))
    listed = {(component["name"], component["version"]) for component in bill["components"]}
    if not linked or linked - listed:
        sys.exit(f"sbom: in THIRD_PARTY_NOTICES.md, but not in the bill: {sorted(linked - listed) or 'nothing is listed'}")

    result = Path(target.format(version=bill["metadata"]["component"]["version"]))
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(text, encoding="utf-8", newline="\n")
    print(f"{result}: {len(listed)} crates, {len(linked)} of them linked into a library.")


if __name__ == "__main__":
    main()
