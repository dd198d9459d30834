"""Compares two builds of the addon by the raw measurements of several runs of each: a table on standard output, and JSON.

Called by scripts/bench.sh --against: bench_compare.py FOLDER RESULT.json [--strict]
FOLDER has A1.json, B1.json, A2.json, B2.json and so on, written by godot-project/bench/: A is this build, B the other one.
Ai and Bi ran one right after the other.
The exit code is 1 if there was nothing to compare, with --strict also if a row of A is slower.

A row's ratio is the time of ours divided by that of native in the same run, so that a slow moment of the machine affects
both. A / B is A's ratio divided by B's in each pair of runs. The table has medians over the runs, and quartiles.

A row is marked only beyond its noise: when the median of A / B exceeds the tolerance with a confidence of 98 %, by the sign
test. That takes at least six runs of each build.
"""

import argparse
import json
import math
import statistics
import sys
from pathlib import Path

from bench_report import MAX_OTHER_LOAD, machine, rows_of
from bench_rows import quartiles_of

# A row is slower if A / B exceeds 1 by more than this.
TOLERANCE = 0.02
# The highest probability, per row, of a mark without a difference.
ERROR = 0.02

SLOWER = "SLOWER"
PERHAPS = "slower, within the noise"

COLUMNS = "{:<56}{:>7}  {:<22}{:<22}{:<22}{}"


def compared(row):
    """Whether a row of the report takes part: times of ours against native's, and memory."""
    has_figures = row["unit"] in ("µs", "bytes") and row.get("native", 0) > 0 and row.get("ours", 0) > 0
    # p99 is one number per run, and a row against ours is no measure of A alone.
    return has_figures and "against" not in row and not row["detail"].endswith("p99")


def key_of(row):
    return row["group"], row["name"], row["detail"], row["size"]


def load(folder, build):
    """The raw measurements of one build, in the order of the runs."""
    files = sorted(folder.glob(f"{build}*.json"), key=lambda file: int(file.stem[1:]))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def is_significant(beyond, count):
    """The sign test: whether so many of `count` values are beyond a limit that the median is, too."""
    by_chance = sum(math.comb(count, more) for more in range(beyond, count + 1)) / 2**count
    return by_chance <= ERROR


def verdict_of(quotients):
    """The meaning of the quotients A / B of the pairs of runs."""
    median = statistics.median(quotients)
    slower = sum(quotient > 1 + TOLERANCE for quotient in quotients)
    faster = sum(quotient < 1 - TOLERANCE for quotient in quotients)
    if median > 1 + TOLERANCE:
        return SLOWER if is_significant(slower, len(quotients)) else PERHAPS
    if median < 1 - TOLERANCE:
        return "faster" if is_significant(faster, len(quotients)) else "faster, within the noise"
    first, third = quartiles_of(quotients)
    # Such noise hides a difference as large as the one that is looked for.
    return "" if third - first <= 2 * TOLERANCE else "equal, but noisy"


def compare(runs):
    """The rows that both builds have, and those that only one has."""
    tables = {build: [{key_of(row): row for row in rows_of(raw, {})} for raw in raws] for build, raws in runs.items()}
    rows, skipped = [], []
    for key in tables["A"][0]:
        members = {build: [table.get(key) for table in tables[build]] for build in "AB"}
        present = {build: [row for row in members[build] if row and row.get("verdict") != "missing"] for build in "AB"}
        if len(present["A"]) != len(present["B"]) or len(present["B"]) < len(members["B"]):
            skipped.append(key)
            continue
        if not all(compared(row) for build in "AB" for row in present[build]):
            continue
        figure = "ratio" if present["A"][0]["unit"] == "µs" else "ours"
        values = {build: [row[figure] for row in present[build]] for build in "AB"}
        quotients = [a / b for a, b in zip(values["A"], values["B"])]
        result = {"group": key[0], "name": key[1], "detail": key[2], "size": key[3], "figure": figure}
        for name, numbers in (("A", values["A"]), ("B", values["B"]), ("quotient", quotients)):
            result[name] = {"median": statistics.median(numbers), "quartiles": quartiles_of(numbers), "runs": numbers}
        rows.append(result | {"verdict": verdict_of(quotients)})
    skipped += [key for key in tables["B"][0] if key not in tables["A"][0]]
    return rows, [dict(zip(("group", "name", "detail", "size"), key)) for key in skipped]


def figures(numbers, figure):
    """A median and its quartiles as the table shows them."""
    form = "{:.3f} [{:.3f}–{:.3f}]" if figure == "ratio" else "{:,.0f} [{:,.0f}–{:,.0f}]"
    return form.format(numbers["median"], *numbers["quartiles"])


def line(row):
    name = ", ".join(filter(None, (row["name"], row["detail"])))
    columns = [figures(row["A"], row["figure"]), figures(row["B"], row["figure"]), figures(row["quotient"], "ratio")]
    return COLUMNS.format("  " + name, f"{row['size']:,}" if row["size"] else "", *columns, row["verdict"]).rstrip()


def print_table(result):
    group = None
    for row in result["rows"]:
        if row["group"] != group:
            group = row["group"]
            heads = ("A", "B", "A / B") if row["figure"] == "ratio" else ("A, bytes", "B, bytes", "A / B")
            print("\n" + COLUMNS.format(group, "bytes", *heads, "").rstrip())
        print(line(row))
    where, load_ = result["machine"], result["other_load"]
    print(f"\n{where['cpu']}, {where['cores']} cores, {where['system']}, Godot {where['godot']}, {where['date']}")
    print(f"A: this build; B: {result['against']}; {result['runs']} runs of each, in alternation")
    print("A and B: ours / native in the same run; median [quartiles] over the runs")
    print(f"SLOWER: the median of A / B exceeds {1 + TOLERANCE} with {1 - ERROR:.0%} confidence; otherwise within the noise")
    if not is_significant(result["runs"], result["runs"]):
        print("So few runs cannot show a difference: all of it is within the noise.")
    if load_ is not None:
        share = f"Other programs used up to {load_:.0%} of the processors"
        print(share + (": repeat this on a quiet machine." if load_ > MAX_OTHER_LOAD else "."))
    if result["quick"]:
        print("Few rounds (--quick): the figures show that everything runs, not how fast it is.")
    for group in dict.fromkeys(row["group"] for row in result["skipped"]):
        names = (", ".join(filter(None, (row["name"], row["detail"]))) for row in result["skipped"] if row["group"] == group)
        print(f"Skipped, because one of the builds lacks it: {group}: {'; '.join(dict.fromkeys(names))}")
    slower, perhaps = ([row for row in result["rows"] if row["verdict"] == words] for words in (SLOWER, PERHAPS))
    print(f"{len(perhaps)} of {len(result['rows'])} rows are slower by more than {TOLERANCE:.0%} within the noise")
    print(f"{len(slower)} of {len(result['rows'])} rows are slower by more than {TOLERANCE:.0%}" + ":" * bool(slower))
    for row in slower:
        print(f"  {row['group']}:\n{line(row)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--against", default="the other build")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()

    runs = {build: load(options.folder, build) for build in "AB"}
    rows, skipped = compare(runs)
    loads = [raw["other_load"] for raws in runs.values() for raw in raws if raw["other_load"] >= 0]
    result = {"machine": machine(runs["A"][0]), "against": options.against, "runs": len(runs["A"])}
    result |= {"quick": options.quick, "other_load": max(loads, default=None), "rows": rows, "skipped": skipped}
    options.result.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print_table(result)
    slower = any(row["verdict"] == SLOWER for row in rows)
    return 1 if not rows or (options.strict and slower) else 0


if __name__ == "__main__":
    sys.exit(main())
