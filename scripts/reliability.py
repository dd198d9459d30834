"""Runs the commands in the table of docs/reliability.md and fills in what came out: see scripts/reliability.sh --help.

The page says which commands there are. A row between the two comments is "| subject | `command` | time | result |".
"""

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
LOGS = ROOT / ".cache" / "logs"
BEGIN, END = "<!-- runs -->", "<!-- end of runs -->"
ROW = re.compile(r"^\| (?P<subject>.+?) \| `(?P<command>scripts/[^`]+)` \|(?P<time>[^|]*)\|(?P<result>[^|]*)\|$")
MACHINE = re.compile(r"^Last run: .*$", re.MULTILINE)
SKIPPED = 77


def words_of(seconds):
    return f"{seconds / 60:.0f} min" if seconds >= 100 else f"{seconds:.0f} s"


def run(command, log):
    """The exit code, the text after "RESULT: " in the last such line, and the seconds that it took."""
    result, start = "", time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        try:
            for line in process.stdout:
                file.write(line)
                if line.startswith("RESULT: "):
                    result = line[len("RESULT: ") :].strip()
            code = process.wait()
        except KeyboardInterrupt:
            # The terminal has interrupted the command as well.
            process.wait()
            sys.exit(130)
    return code, result, time.monotonic() - start


def machine():
    engine = subprocess.run([os.environ["GODOT"], "--version"], capture_output=True, text=True, check=True).stdout.strip()
    version = ".".join(engine.split(".")[:3])
    today = datetime.date.today().isoformat()
    return f"Last run: {today}, {os.cpu_count()} processors, {platform.system()} {platform.machine()}, Godot {version}."


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    text = PAGE.read_text()
    rows = [row for row in map(ROW.match, text.split(BEGIN)[1].split(END)[0].splitlines()) if row]
    wanted = [row for row in rows if options.only in row["command"] or options.only in row["subject"]]
    if not wanted:
        sys.exit(f"reliability: no row of {PAGE.name} has '{options.only}'.")
    failed = 0
    for number, row in enumerate(wanted):
        log = LOGS / f"reliability-{rows.index(row)}.log"
        print(f"{number + 1} of {len(wanted)}: {row['command']} ...", flush=True)
        code, result, seconds = run(row["command"], log)
        took = words_of(seconds)
        if code == 0 and result:
            print(f"    {took}: {result}", flush=True)
            line = f"| {row['subject']} | `{row['command']}` | {took} | {result.replace('|', '/')} |"
            # Read again: the runs take long, and somebody may have written meanwhile.
            if options.write:
                PAGE.write_text(MACHINE.sub(machine(), PAGE.read_text().replace(row[0], line)))
        elif code == SKIPPED:
            print(f"    skipped on this machine: {log.read_text().strip().splitlines()[-1:]}", flush=True)
        else:
            failed += 1
            print(f"    FAILED after {took}, exit code {code}; the log is {log.relative_to(ROOT)}", flush=True)
    sys.exit(1 if failed else 0)


main()
