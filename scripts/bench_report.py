"""Makes of the benchmark's raw measurements one result: a table on standard output, and JSON.

Called by scripts/bench.sh: bench_report.py RAW.json FLOOR.jsonl... --json RESULT.json [--strict] [--quick]
RAW is what godot-project/bench/ has written, each FLOOR what the program `floor` of rust/bench/ has printed.
Ends with 1 when the addon lacks something that is to be measured, with --strict also when a "must" is missed.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import bench_servers
from bench_rows import missing_row, timed_row

# ---- what is measured, and what is to be reached ---------------------------------------------------------------

SENDING = "Sending"
RECEIVING = "Receiving"
BACKGROUND = "Receiving in the background: the game thread's share"
LATENCY = "Waiting and asking"
STALL = "Stall: received of what came while the game read nothing"
MEMORY = "Memory per idle peer"

# Row of the engine's part: its group, name and detail, the floor's row that does the same, and per size the ratio to
# native that must be reached and the one to aim for.
TIMED = {
    "put_packet": (SENDING, "put_packet", "one by one", "send_one", {64: (1.15, 1.05), 1200: (1.15, 1.05)}),
    "put_packets": (SENDING, "put_packets", "64 per call", "send_offload", {64: (0.25, 0.15), 1200: (0.35, 0.15)}),
    "put_segmented": (SENDING, "put_segmented", "64 per call", "send_offload", {64: (0.10, 0.05), 1200: (0.15, 0.05)}),
    "get_packet of put_packet": (
        RECEIVING, "count, then get_packet", "per packet", "receive_one", {64: (1.0, 0.85), 1200: (0.60, 0.50)},
    ),
    "get_packets of put_packet": (
        RECEIVING, "get_packets", "sent one by one", "receive_batch", {64: (0.50, 0.42), 1200: (0.25, 0.20)},
    ),
    "get_packets of put_packets": (
        RECEIVING, "get_packets", "sent by put_packets", "receive_offload", {64: (0.35, 0.20), 1200: (0.18, 0.10)},
    ),
    "get_packets_joined of put_segmented": (
        RECEIVING, "get_packets_joined", "sent by put_segmented", "receive_offload",
        {64: (0.12, 0.05), 1200: (0.08, 0.05)},
    ),
    "get_packet of put_packet in background": (
        BACKGROUND, "count, then get_packet", "per packet", None, {64: (0.70, 0.55), 1200: (0.45, 0.35)},
    ),
    "get_packets of put_packet in background": (
        BACKGROUND, "get_packets", "sent one by one", None, {64: (0.30, 0.20)},
    ),
    "get_packets of put_packets in background": (BACKGROUND, "get_packets", "sent by put_packets", None, {}),
    "get_packets_joined of put_segmented in background": (
        BACKGROUND, "get_packets_joined", "sent by put_segmented", None, {},
    ),
    "idle count": (LATENCY, "idle count", "nothing has come", None, {0: (3.0, 2.3)}),
    "idle count in background": (LATENCY, "idle count", "in background mode", None, {0: (2.0, 1.7)}),
    "round trip": (LATENCY, "round trip", "two threads in wait()", None, {64: (1.1, 0.9)}),
    "round trip in background": (LATENCY, "round trip", "in background mode", None, {}),
}  # fmt: skip

FLOOR = {
    "send_one": "sendto",
    "send_batch": "sendmmsg, 64 per call",
    "send_offload": "sendmmsg, UDP_SEGMENT, 64 per call",
    "receive_one": "recvfrom",
    "receive_batch": "recvmmsg, 64 per call",
    "receive_offload": "recvmmsg, UDP_GRO, 64 per call",
}

# Where other programs had more of the processors than this, the figures are not to be relied on.
DISTURBED = 0.03

# So many packets must come through a stall; more are an aim.
MUST_SURVIVE = 20_000

MODES = {"polled": "polled", "background": "in background mode"}


def percentile(values, percent):
    """The smallest value that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def timed_rows(raw, floor):
    for case in sorted(raw["rows"], key=lambda case: list(TIMED).index(case["row"])):
        group, name, detail, bare, goals = TIMED[case["row"]]
        size = int(case["size"])
        goal = goals.get(size, (None, None))
        if case["missing"]:
            yield missing_row(group, name, detail, size, "µs", case["missing"], goal)
            continue
        row = timed_row(group, name, detail, size, case["native"], case["ours"], goal)
        if (bare, size) in floor:
            row["kernel"] = floor[bare, size]
        yield row
        if "native_times" in case:
            native, ours = (percentile(case[who], 99) for who in ("native_times", "ours_times"))
            row = timed_row(group, name, detail + ", p99", size, [native], [ours])
            yield {key: value for key, value in row.items() if key not in ("ratio_quartiles", "rounds")}


def stall_rows(raw, floor):
    native = {}
    for stall in raw["stalls"]:
        mode, size, sent = stall["mode"], int(stall["size"]), int(stall["sent"])
        if mode == "native":
            native[size, sent] = stall["received"]
            continue
        name = f"{sent:,} packets"
        if mode == "polled":
            # What the kernel's buffer cannot hold may be lost: the floor's program has filled one as large.
            goal = (floor.get(("held", size)), None)
        else:
            goal = (sent, None) if sent == MUST_SURVIVE else (None, sent)
        if "missing" in stall:
            yield missing_row(STALL, name, MODES[mode], size, "packets", stall["missing"], goal)
            continue
        received = stall["received"]
        row = {"group": STALL, "name": name, "detail": MODES[mode], "size": size, "unit": "packets", "sent": sent}
        row |= {"native": native.get((size, sent)), "ours": received, "in_order": stall["in_order"]}
        row |= dict(zip(("must", "aim"), goal))
        good = [asked is not None and received >= asked and stall["in_order"] for asked in goal]
        row["verdict"] = "aim" if good[1] else "must" if good[0] else "MISSED" if goal[0] is not None else ""
        yield row


def memory_rows(raw):
    for what, words in (("resident", "resident"), ("allocated", "allocated by the engine")):
        native, ours = (raw["memory"][who].get(what, 0) for who in ("native", "ours"))
        if native > 0:
            row = {"group": MEMORY, "name": words, "detail": "", "size": 0, "unit": "bytes"}
            yield row | {"native": native, "ours": ours, "ratio": ours / native}


def floor_of(paths):
    """The floor's figures, by row and size: the mean of its runs."""
    runs = {}
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            runs.setdefault((row["row"], row["size"]), []).append(row.get("usec", row.get("packets")))
    return {key: min(values) if key[0] == "held" else statistics.mean(values) for key, values in runs.items()}


# ---- the machine -----------------------------------------------------------------------------------------------


def cpu_model():
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout.strip()
    return platform.processor() or platform.machine()


def machine(raw):
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "godot": raw["godot"],
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


# ---- the table -------------------------------------------------------------------------------------------------

COLUMNS = "{:<44}{:>7}{:>9}{:>9}{:>9}{:>8}{:>8}{:>8}  {}"
UNITS = {"µs": "µs per packet", "packets": "packets", "bytes": "bytes", "times": "times"}


def figure(value, unit):
    """A measured figure as the table shows it."""
    if value is None:
        return ""
    if unit in ("packets", "bytes"):
        return f"{value:,.0f}"
    if unit == "times":
        return f"{value:.2f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def goal(value, unit):
    if value is None:
        return ""
    return f"{value:,}" if unit in ("packets", "bytes") else f"{value:.2f}"


def words_of(row):
    verdict = row.get("verdict", "")
    if verdict == "missing":
        return "missing: " + ", ".join(row["missing"])
    return verdict + (" (out of order)" if row.get("in_order") is False else "")


def line(row):
    unit, ratio = row["unit"], row.get("ratio")
    return COLUMNS.format(
        "  " + ", ".join(filter(None, (row["name"], row["detail"]))),
        f"{row['size']:,}" if row["size"] else "",
        figure(row.get("kernel"), unit),
        figure(row.get("native"), unit),
        figure(row.get("ours"), unit),
        "" if ratio is None else f"{ratio:.3f}",
        goal(row.get("must"), unit),
        goal(row.get("aim"), unit),
        words_of(row),
    ).rstrip()


def print_table(result):
    group = None
    for row in result["rows"]:
        if row["group"] != group:
            group = row["group"]
            unit = "µs" if group == LATENCY else UNITS[row["unit"]]
            print(f"\n{group} ({unit})")
            print(COLUMNS.format("", "bytes", "kernel", "native", "ours", "ratio", "must", "aim", "").rstrip())
        print(line(row))
    print("\nThe kernel's own cost, bare system calls (µs per packet)")
    for row in result["floor"]:
        print(COLUMNS.format("  " + row["name"], f"{row['size']:,}", figure(row["usec"], "µs"), *[""] * 6).rstrip())


def print_summary(result, quick):
    asked = [row for row in result["rows"] if row.get("must") is not None]
    missed = [row for row in asked if row["verdict"] in ("MISSED", "missing")]
    reached = [row for row in result["rows"] if row.get("aim") is not None and row["verdict"] == "aim"]
    aimed = [row for row in result["rows"] if row.get("aim") is not None]
    where = result["machine"]
    print(f"\n{where['cpu']}, {where['cores']} cores, {where['system']}, Godot {where['godot']}, {where['date']}")
    print("ratio: ours / native, the median of all rounds; verdict: the best of must and aim that is reached")
    if result["disturbed"] is None:
        print("Whether other programs were busy meanwhile, this system does not tell.")
    else:
        share = f"Other programs had at least {result['disturbed']:.0%} of the processors meanwhile"
        print(share + (": repeat this on a quiet machine." if result["disturbed"] > DISTURBED else "."))
    if quick:
        print("Few rounds (--quick): these figures show that everything runs, and no more.")
    counts = f"{len(reached)} of {len(aimed)} aims reached; {len(missed)} of {len(asked)} musts missed"
    print(counts + ":" * bool(missed))
    for row in missed:
        print(line(row))
    if result["missing"]:
        print(f"The addon lacks {', '.join(result['missing'])}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw")
    parser.add_argument("floor", nargs="+")
    parser.add_argument("--json", required=True)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()

    raw = json.loads(Path(options.raw).read_text(encoding="utf-8"))
    floor = floor_of(options.floor)
    rows = []
    if "peers" in raw:
        peers = raw["peers"]
        rows += [*timed_rows(peers, floor), *stall_rows(peers, floor), *memory_rows(peers)]
    if "servers" in raw:
        rows += bench_servers.rows_of(raw["servers"], floor)
    bare = [
        {"name": FLOOR[name], "size": size, "usec": usec}
        for (name, size), usec in sorted(floor.items(), key=lambda item: [*FLOOR, "held"].index(item[0][0]))
        if name in FLOOR
    ]
    disturbed = raw["disturbed"] if raw["disturbed"] >= 0 else None
    result = {"machine": machine(raw), "quick": options.quick, "disturbed": disturbed}
    result |= {"missing": raw["missing"], "rows": rows, "floor": bare}
    Path(options.json).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    print_table(result)
    print_summary(result, options.quick)
    missed = any(row.get("verdict") == "MISSED" for row in rows)
    return 1 if result["missing"] or (options.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
