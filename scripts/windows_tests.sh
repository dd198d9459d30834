#!/usr/bin/env bash
# Tests the addon on Windows, as far as wine is Windows. See --help.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<HELP
Usage: scripts/windows_tests.sh [--only PART] [--zip FILE] [-- arguments for the test runner]      (Debian, amd64, root)

Builds the addon's Windows libraries (scripts/package.sh) and tests them under wine (scripts/cross.sh). Its parts:

  core      the core's tests
  scenes    all test scenes, in a Windows engine. Skipped tests are listed with their reasons
  project   an empty project with the addon copied into addons/: the engine loads it, and packets go both ways

  --only PART   this part only
  --zip FILE    the part 'project' takes the addon from this package instead of the staged addon
  --help        this text

The last two parts need a Windows engine: set GODOT_WINDOWS to the path of an official build of Godot 4.5 or newer (x86_64,
the …_console.exe), and the addon staged by scripts/build.sh.
HELP
}

parts=(core scenes project) zip="" runner_arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --only)
            case ${2:-} in core | scenes | project) parts=("$2") ;; *) usage >&2; exit 2 ;; esac
            shift 2
            ;;
        --zip)
            [ -f "${2:-}" ] || die "--zip needs a file."
            zip=$(realpath -- "$2")
            shift 2
            ;;
        -h | --help) usage; exit 0 ;;
        --) shift; runner_arguments=("$@"); break ;;
        *) usage >&2; exit 2 ;;
    esac
done

cannot() {
    say "$@"
    exit 77
}
[ "$(id -u)" = 0 ] && command -v apt-get > /dev/null && [ "$(architecture)" = x86_64 ] ||
    cannot "needs Debian on amd64, and root, for scripts/cross.sh."
case " ${parts[*]} " in
    *" scenes "* | *" project "*)
        [ -f "${GODOT_WINDOWS:-}" ] ||
            cannot "set GODOT_WINDOWS to a Windows build of Godot (x86_64, .exe) to run the test scenes; --only core needs none."
        [ -f "$addon/addon.gdextension" ] || die "the addon is not staged; run scripts/build.sh first."
        ;;
esac

work=$cache/windows

# copy_addon FOLDER: copies the staged addon into FOLDER, with the Windows libraries of the package.
copy_addon() {
    local platform=windows.x86_64
    [ -d "$work/libraries" ] || "$root/scripts/package.sh" --only-libraries --libraries "$work/libraries" $platform
    mkdir -p "$1/bin"
    cp -r "$addon/." "$1"
    cp -r "$work/libraries/$platform" "$1/bin/"
}

# The engine as a program of this machine, for scripts/run_scene.sh.
write_engine() {
    cat > "$work/godot" <<ENGINE
#!/bin/sh
exec env -u GODOT "$root/scripts/cross.sh" godot-windows "$root" "\$@"
ENGINE
    chmod +x "$work/godot"
}

# ---- the parts ----------------------------------------------------------------------------------------------

core() {
    "$root/scripts/cross.sh" test-windows "$root" --package packet_peer_udp_core --locked
}

# The test project is a copy with the Windows library. This machine's engine imports it, because an editor under wine may have
# no fonts; the files are the same. What the tests read of the repository lies beside the copy too.
scenes() {
    local copy=$work/windows-project name code=0
    rm -rf "$copy"
    mkdir -p "$copy"
    tar -C "$project" --exclude=./.godot --exclude=./addons -cf - . | tar -C "$copy" -xf -
    copy_addon "$copy/addons/packet_peer_udp_rs"
    for name in README.md docs packaging rust store; do ln -sfn "../../$name" "$work/$name"; done
    (find_engine && prepare_project "$copy")
    GODOT=$work/godot "$root/scripts/run_scene.sh" --project "$copy" --brief --timeout 1800 --success '^All tests passed\.$' \
        res://tests/runner.tscn -- "${runner_arguments[@]}" | tee "$work/scenes.log" || code=$?
    echo
    echo "Skipped tests by reason:"
    awk '/^skipped / { skipped = 1; next }
        /^[^ ]/ { skipped = 0 }
        skipped { sub(/^ +- /, ""); times[$0]++; skipped = 0 }
        END { for (reason in times) printf "%4d  %s\n", times[reason], reason }' "$work/scenes.log" | sort -rn
    return $code
}

# A project as a user makes it. It is not imported by the editor, so the list of extensions is written here.
project() {
    local folder=$work/by_hand name log=$cache/logs/windows-by-hand.log
    rm -rf "$folder"
    mkdir -p "$folder/.godot"
    if [ -n "$zip" ]; then
        python3 -m zipfile -e "$zip" "$folder"
    else
        copy_addon "$folder/addons/packet_peer_udp_rs"
    fi
    printf '%s\n' 'config_version=5' '[application]' 'config/name="Made by hand"' > "$folder/project.godot"
    echo "$addon_res/addon.gdextension" > "$folder/.godot/extension_list.cfg"
    cat > "$folder/main.gd" <<'GDSCRIPT'
extends SceneTree


func _init() -> void:
	var host := PacketPeerUdpRs.new()
	var guest := PacketPeerUdpRs.new()
	print("bind: ", error_string(host.bind(0, "127.0.0.1")))
	print("connect: ", error_string(guest.connect_to_host("127.0.0.1", host.get_local_port())))
	guest.put_var({"name": "guest", "position": Vector2(1, 2)})
	host.wait(10_000)
	print("host got: ", host.get_var())
	host.set_dest_address(host.get_packet_ip(), host.get_packet_port())
	host.put_var(["welcome", 1])
	guest.wait(10_000)
	print("guest got: ", guest.get_var())
	quit()
GDSCRIPT
    timeout -k 5 120 "$work/godot" --headless --path "$folder" --script res://main.gd > "$log" 2>&1 || true
    cat "$log"
    for name in 'bind: OK' 'connect: OK' 'host got: { "name": "guest", "position": (1.0, 2.0) }' 'guest got: ["welcome", 1]'; do
        grep -qxF -- "$name" "$log" || die "the log has no line '$name'."
    done
    if grep -E '^(USER |SCRIPT )?(ERROR|WARNING)' "$log"; then die "the log has errors or warnings."; fi
}

# ---- run ----------------------------------------------------------------------------------------------------

mkdir -p "$work" "$cache/logs"
rm -rf "$work/libraries"
write_engine
for part in "${parts[@]}"; do
    started=$SECONDS
    "$part"
    say "$part: passed ($((SECONDS - started)) s)"
done
