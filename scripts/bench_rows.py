"""Rows of the benchmark's table, for bench_report.py."""

import statistics

from bench_goals import NO_GOAL


def verdict_of(value, goal, more_is_better=False):
    """The strictest goal that is reached, "MISSED" if a must is not, "" otherwise."""
    must, aim = goal
    sign = -1 if more_is_better else 1
    if must is not None and sign * value > sign * must:
        return "MISSED"
    if aim is not None and sign * value <= sign * aim:
        return "aim"
    return "" if must is None else "must"


def quartiles_of(values):
    """The first and the third quartile."""
    if len(values) < 2:
        return [values[0], values[0]]
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return [quartiles[0], quartiles[2]]


def timed_row(group, name, detail, size, native, ours, goal=NO_GOAL):
    """A row of times, from one figure per round for native and for ours."""
    ratios = [our / their for our, their in zip(ours, native)]
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
        "ratio_quartiles": quartiles_of(ratios),
        "rounds": len(ratios),
        "must": goal[0],
        "aim": goal[1],
        "verdict": verdict_of(ratio, goal),
    }


def missing_row(group, name, detail, size, unit, members, goal=NO_GOAL):
    row = {"group": group, "name": name, "detail": detail, "size": size, "unit": unit}
    return row | {"must": goal[0], "aim": goal[1], "verdict": "missing", "missing": members}


def bytes_row(group, name, detail, native, ours, goal=NO_GOAL):
    """A row of memory; without a ratio if native's figure is not positive."""
    row = {"group": group, "name": name, "detail": detail, "size": 0, "unit": "bytes", "native": native, "ours": ours}
    row |= {"ratio": ours / native} if native > 0 else {}
    return row | {"must": goal[0], "aim": goal[1], "verdict": verdict_of(ours, goal)}
