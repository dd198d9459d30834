"""Turns the benchmark's raw measurements into one result: a table on standard output, and JSON.

Called by scripts/bench.sh: bench_report.py RAW.json BASELINE.jsonl... --json RESULT.json [--strict] [--quick]
RAW is written by godot-project/bench/, each BASELINE printed by the program `baseline` of rust/bench/.
The exit code is 1 if the addon lacks something that is measured, with --strict also if a "must" is missed.
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

import bench_conditions
import bench_servers
from bench_goals import ABOVE_KERNEL, IDLE_PEER_BYTES, NO_GOAL, RATIO, SURVIVORS
from bench_rows import bytes_row, missing_row, timed_row, verdict_of

# ---- what is measured (its goals are in bench_goals.py) --------------------------------------------------------

SENDING = "Sending"
RECEIVING = "Receiving"
BACKGROUND = "Receiving in the background: the game thread's share"
LATENCY = "Waiting and asking"
STALL = "Stall: received of the packets that came while the game read nothing"
MEMORY = "Memory per idle peer"

# Row of the raw measurements: its group, name and detail, and the baseline's row that does the same.
TIMED = {
    "put_packet": (SENDING, "put_packet", "one by one", "send_one"),
    "set_dest_address, put_packet": (SENDING, "set_dest_address, put_packet", "same address", "send_one"),
    "put_packets": (SENDING, "put_packets", "64 per call", "send_offload"),
    "put_segmented": (SENDING, "put_segmented", "64 per call", "send_offload"),
    "get_packet of put_packet": (RECEIVING, "count, then get_packet", "per packet", "receive_one"),
    "get_packets of put_packet": (RECEIVING, "get_packets", "sent one by one", "receive_batch"),
    "get_packets of put_packets": (RECEIVING, "get_packets", "sent by put_packets", "receive_offload"),
    "get_packets_joined of put_segmented": (
        RECEIVING, "get_packets_joined", "sent by put_segmented", "receive_offload",
    ),
    "get_packets with packet_info": (RECEIVING, "get_packets", "with packet_info : without", None),
    "get_packet of put_packet in background": (BACKGROUND, "count, then get_packet", "per packet", None),
    "get_packets of put_packet in background": (BACKGROUND, "get_packets", "sent one by one", None),
    "get_packets of put_packets in background": (BACKGROUND, "get_packets", "sent by put_packets", None),
    "get_packets_joined of put_segmented in background": (
        BACKGROUND, "get_packets_joined", "sent by put_segmented", None,
    ),
    "idle count": (LATENCY, "idle count", "no packet there", None),
    "idle count in background": (LATENCY, "idle count", "in background mode", None),
    "round trip": (LATENCY, "round trip", "two threads in wait()", None),
    "round trip in background": (LATENCY, "round trip", "in background mode", None),
    "round trip in background against polled": (LATENCY, "round trip", "background : polled", None),
}  # fmt: skip

BASELINE = {
    "send_one": "sendto",
    "send_batch": "sendmmsg, 64 per call",
    "send_offload": "sendmmsg, UDP_SEGMENT, 64 per call",
    "receive_one": "recvfrom",
    "receive_batch": "recvmmsg, 64 per call",
    "receive_offload": "recvmmsg, UDP_GRO, 64 per call",
}

# If other programs used a larger share of the processors, the figures are not reliable.
MAX_OTHER_LOAD = 0.03

MODES = {"polled": "polled", "background": "in background mode"}


def percentile(values, percent):
    """The smallest value that `percent` percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def timed_rows(raw, baseline):
    for case in sorted(raw["rows"], key=lambda case: list(TIMED).index(case["row"])):
        group, name, detail, bare = TIMED[case["row"]]
        key = (case["row"], int(case["size"]))
        goal = RATIO.get(key, NO_GOAL)
        if case["missing"]:
            yield missing_row(group, name, detail, key[1], "µs", case["missing"], goal)
            continue
        row = timed_row(group, name, detail, key[1], case["native"], case["ours"], goal)
        # What is in native's place where that is not native.
        against = {"against": case["against"]} if "against" in case else {}
        if (bare, key[1]) in baseline:
            row["kernel"] = baseline[bare, key[1]]
            row["above_kernel"] = row["ours"] - row["kernel"]
            if key in ABOVE_KERNEL:
                row["above_kernel_must"], row["above_kernel_aim"] = ABOVE_KERNEL[key]
                row["above_kernel_verdict"] = verdict_of(row["above_kernel"], ABOVE_KERNEL[key])
        yield row | against
        if "native_times" in case:
            native, ours = (percentile(case[who], 99) for who in ("native_times", "ours_times"))
            row = timed_row(group, name, detail + ", p99", key[1], [native], [ours])
            yield {name: value for name, value in row.items() if name not in ("ratio_quartiles", "rounds")} | against


def stall_rows(raw, baseline):
    native = {}
    for stall in raw["stalls"]:
        mode, size, sent = stall["mode"], int(stall["size"]), int(stall["sent"])
        if mode == "native":
            native[size, sent] = stall["received"]
            continue
        name = f"{sent:,} packets"
        if mode == "polled":
            # Packets that the kernel's buffer cannot hold are lost. The baseline has filled one of the same size.
            goal = (baseline.get(("buffered", size)), None)
        else:
            goal = (sent, None) if sent == SURVIVORS else (None, sent)
        if "missing" in stall:
            yield missing_row(STALL, name, MODES[mode], size, "packets", stall["missing"], goal)
            continue
        received = stall["received"]
        row = {"group": STALL, "name": name, "detail": MODES[mode], "size": size, "unit": "packets", "sent": sent}
        row |= {"native": native.get((size, sent)), "ours": received, "in_order": stall["in_order"]}
        row |= dict(zip(("must", "aim"), goal))
        yield row | {"verdict": verdict_of(received if stall["in_order"] else -1, goal, more_is_better=True)}


def memory_rows(raw):
    for what, words in (("resident", "resident"), ("allocated", "allocated by the engine")):
        native, ours = (raw["memory"][who].get(what, 0) for who in ("native", "ours"))
        if native > 0:
            yield bytes_row(MEMORY, words, "", native, ours, IDLE_PEER_BYTES if what == "resident" else NO_GOAL)


def rows_of(raw, baseline):
    """All rows of a run of godot-project/bench/."""
    rows = []
    if "peers" in raw:
        peers = raw["peers"]
        rows += [*timed_rows(peers, baseline), *stall_rows(peers, baseline), *memory_rows(peers)]
    if "servers" in raw:
        rows += bench_servers.rows_of(raw["servers"], baseline)
    if "conditions" in raw:
        rows += bench_conditions.rows_of(raw["conditions"])
    return rows


def baseline_of(paths):
    """The baseline's figures by row and size: the mean of its runs, of buffered packets the least."""
    runs = {}
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            runs.setdefault((row["row"], row["size"]), []).append(row.get("usec", row.get("packets")))
    return {key: min(values) if key[0] == "buffered" else statistics.mean(values) for key, values in runs.items()}


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

COLUMNS = "{:<44}{:>7}{:>9}{:>9}{:>9}{:>9}{:>8}{:>8}{:>8}  {}"
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
    return f"{value:,}" if unit in ("packets", "bytes") else f"{value:.3f}".rstrip("0").rstrip(".")


def verdict_text(row):
    verdict = row.get("verdict", "")
    if verdict == "missing":
        return "missing: " + ", ".join(row["missing"])
    parts = [verdict + (" (out of order)" if row.get("in_order") is False else "")]
    if "above_kernel_verdict" in row:
        asked = row["above_kernel_aim"] if row["above_kernel_must"] is None else row["above_kernel_must"]
        parts.append(f"above the kernel at most {asked}: {row['above_kernel_verdict'] or 'not reached'}")
    if "against" in row:
        parts.append(f"in native's place: {row['against']}")
    return "; ".join(filter(None, parts))


def line(row):
    unit, ratio = row["unit"], row.get("ratio")
    return COLUMNS.format(
        "  " + ", ".join(filter(None, (row["name"], row["detail"]))),
        f"{row['size']:,}" if row["size"] else "",
        figure(row.get("kernel"), unit),
        figure(row.get("native"), unit),
        figure(row.get("ours"), unit),
        figure(row.get("above_kernel"), unit),
        "" if ratio is None else f"{ratio:.3f}",
        goal(row.get("must"), unit),
        goal(row.get("aim"), unit),
        verdict_text(row),
    ).rstrip()


def print_table(result):
    group = None
    for row in result["rows"]:
        if row["group"] != group:
            group = row["group"]
            unit = "µs" if group in (LATENCY, bench_servers.FRAME, bench_conditions.LATENESS) else UNITS[row["unit"]]
            print(f"\n{group} ({unit})")
            print(COLUMNS.format("", "bytes", "kernel", "native", "ours", "above", "ratio", "must", "aim", "").rstrip())
        print(line(row))
    print("\nThe baseline: bare system calls (µs per packet)")
    for row in result["baseline"]:
        print(COLUMNS.format("  " + row["name"], f"{row['size']:,}", figure(row["usec"], "µs"), *[""] * 7).rstrip())


def goals_of(rows, kind):
    """(row, whether it is reached) for each goal of that kind, "must" or "aim"."""
    good = ("must", "aim") if kind == "must" else ("aim",)
    for row in rows:
        for prefix in ("", "above_kernel_"):
            if row.get(prefix + kind) is not None:
                yield row, row.get(prefix + "verdict") in good


def print_summary(result, quick):
    musts, aims = (list(goals_of(result["rows"], kind)) for kind in ("must", "aim"))
    missed = [row for row, reached in musts if not reached]
    where = result["machine"]
    print(f"\n{where['cpu']}, {where['cores']} cores, {where['system']}, Godot {where['godot']}, {where['date']}")
    print("ratio: ours / native, the median of all rounds; above: ours without the kernel's part")
    if result["other_load"] is None:
        print("This system does not report how busy other programs were.")
    else:
        share = f"Other programs used at least {result['other_load']:.0%} of the processors"
        print(share + (": repeat this on a quiet machine." if result["other_load"] > MAX_OTHER_LOAD else "."))
    if quick:
        print("Few rounds (--quick): the figures show that everything runs, not how fast it is.")
    reached = sum(reached for _, reached in aims)
    print(f"{reached} of {len(aims)} aims reached; {len(missed)} of {len(musts)} musts missed" + ":" * bool(missed))
    for row in missed:
        print(f"  {row['group']}:\n{line(row)}")
    if result["missing"]:
        print(f"The addon lacks {', '.join(result['missing'])}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw")
    parser.add_argument("baseline", nargs="+")
    parser.add_argument("--json", required=True)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()

    raw = json.loads(Path(options.raw).read_text(encoding="utf-8"))
    baseline = baseline_of(options.baseline)
    rows = rows_of(raw, baseline)
    bare = [
        {"name": BASELINE[name], "size": size, "usec": usec}
        for (name, size), usec in sorted(baseline.items(), key=lambda item: [*BASELINE, "buffered"].index(item[0][0]))
        if name in BASELINE
    ]
    other_load = raw["other_load"] if raw["other_load"] >= 0 else None
    result = {"machine": machine(raw), "quick": options.quick, "other_load": other_load}
    result |= {"missing": raw["missing"], "rows": rows, "baseline": bare}
    Path(options.json).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    print_table(result)
    print_summary(result, options.quick)
    missed = not all(reached for _, reached in goals_of(rows, "must"))
    return 1 if result["missing"] or (options.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
