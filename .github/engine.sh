#!/usr/bin/env bash
# Downloads an official build of Godot, for the workflows.
#
# Usage: .github/engine.sh VERSION FOLDER
#
# VERSION is a release (4.5-stable), a series whose newest stable release is meant (4.6), "stable" for the newest stable
# release, or "newest" for the newest of all: development snapshots, betas and release candidates too. The engine is unpacked
# into FOLDER, and its path is printed on standard output. Needs gh (with $GH_TOKEN) and unzip; runs on Linux, Windows and macOS.
set -euo pipefail

readonly BUILDS=godotengine/godot-builds

case $# in
    2) version=$1 folder=$2 ;;
    *) sed -n 's/^# Usage: /usage: /p' "$0" >&2; exit 2 ;;
esac

# releases: prints the tags of all releases of Godot 4, oldest version first: of one version, dev before beta before rc
# before stable.
releases() {
    gh release list --repo "$BUILDS" --limit 1000 --exclude-drafts --json tagName --jq '.[].tagName' |
        sed -nE 's/^(4)\.([0-9]+)(\.([0-9]+))?-(dev|beta|rc|stable)([0-9]*)$/\1 \2 0\4 \5 0\6 &/p' |
        sed -e 's/ dev / 1 /' -e 's/ beta / 2 /' -e 's/ rc / 3 /' -e 's/ stable / 4 /' |
        sort -n -k1,1 -k2,2 -k3,3 -k4,4 -k5,5 | cut -d ' ' -f 6
}

case $version in
    *-*) tag=$version ;;
    newest) tag=$(releases | tail -n 1) ;;
    stable) tag=$(releases | grep -e '-stable$' | tail -n 1) ;;
    *) tag=$(releases | grep -E "^${version//./\\.}(\.[0-9]+)?-stable$" | tail -n 1) || true ;;
esac
[ -n "$tag" ] || { echo "engine: no release of Godot for '$version'" >&2; exit 1; }

case $(uname -s)-$(uname -m) in
    Linux-x86_64) file=Godot_v${tag}_linux.x86_64 ;;
    Linux-aarch64) file=Godot_v${tag}_linux.arm64 ;;
    Darwin-*) file=Godot_v${tag}_macos.universal ;;
    MINGW*-x86_64 | MSYS*-x86_64) file=Godot_v${tag}_win64.exe ;;
    *) echo "engine: no build for $(uname -sm)" >&2; exit 1 ;;
esac
echo "engine: $tag ($file)" >&2

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
gh release download "$tag" --repo "$BUILDS" --dir "$folder" --pattern "$file.zip" --pattern SHA512-SUMS.txt >&2
cd "$folder"
# Only the line of this file; shasum is the name on macOS. Some sums have a star for "binary" before the name.
sum=$(tr -d '\r' < SHA512-SUMS.txt | awk -v file="$file.zip" '{ sub(/^\*/, "", $2) } $2 == file { print $1 }')
if command -v sha512sum > /dev/null; then got=$(sha512sum < "$file.zip"); else got=$(shasum -a 512 < "$file.zip"); fi
if [ -z "$sum" ] || [ "$sum" != "${got%% *}" ]; then
    echo "engine: $file.zip is not the file that $BUILDS lists" >&2
    exit 1
fi
unzip -q -o "$file.zip"
case $file in
    *macos*) engine=$folder/Godot.app/Contents/MacOS/Godot ;;
    # The console build writes the log where the tests read it.
    *win64.exe) engine=$folder/${file%.exe}_console.exe ;;
    *) engine=$folder/$file ;;
esac
[ -f "$engine" ] || { echo "engine: $file.zip has no ${engine#"$folder"/}" >&2; exit 1; }
if command -v cygpath > /dev/null; then engine=$(cygpath -m "$engine"); fi
echo "$engine"
