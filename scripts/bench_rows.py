"""Rows of the benchmark's table, for bench_report.py."""

import statistics


def ratio_verdict(ratio, must, aim):
    """In a word; empty where nothing is asked."""
    if must is None:
        return ""
    return "aim" if ratio <= aim else "must" if ratio <= must else "MISSED"


def timed_row(group, name, detail, size, native, ours, goal=(None, None)):
    """A row of times, from a figure per round for each of the two."""
    ratios = [our / their for our, their in zip(ours, native)]
    quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    ratio = statistics.median(ratios)
    return {
        "group": group,
        "name": name,
        "detail": detail,
        "size": size,
        "unit": "µs",
        "native": statistics.median(native),
        "ours": statistics.median(ours),
        "ratio": ratio,
        "ratio_quartiles": [quartiles[0], quartiles[2]],
        "rounds": len(ratios),
        "must": goal[0],
        "aim": goal[1],
        "verdict": ratio_verdict(ratio, *goal),
    }


def missing_row(group, name, detail, size, unit, members, goal=(None, None)):
    row = {"group": group, "name": name, "detail": detail, "size": size, "unit": unit}
    return row | {"must": goal[0], "aim": goal[1], "verdict": "missing", "missing": members}
