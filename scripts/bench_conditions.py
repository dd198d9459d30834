"""The rows of link conditions in the benchmark's table, for bench_report.py."""

from bench_goals import LATENESS as LATENESS_GOALS
from bench_goals import LATENESS_OVER_THREAD, NO_GOAL, RATIO
from bench_rows import missing_row, timed_row, verdict_of

COST = "Link conditions that do nothing"
LATENESS = (
    "Link conditions: how late packets are at 50,000 a second, while the game is busy for 100 ms at a time;"
    " kernel: how late a thread wakes up that sleeps until a time"
)
RELAY = "A relay without conditions at 100,000 packets a second: received of those sent"

# What is shown of the times by which packets are late.
SHOWN = {"median": "median", "p99": "99 %", "p999": "99.9 %", "latest": "the latest"}


def rows_of(raw):
    return [*_cost_rows(raw["rows"]), *_lateness_rows(raw["lateness"]), *_relay_rows(raw["relay"])]


def _cost_rows(cases):
    for case in cases:
        size = int(case["size"])
        name = case["row"].split()[0]
        goal = RATIO.get((case["row"], size), NO_GOAL)
        if case["missing"]:
            yield missing_row(COST, name, "with : without", size, "µs", case["missing"], goal)
            continue
        row = timed_row(COST, name, "with : without", size, case["native"], case["ours"], goal)
        yield row | {"against": case["against"]}


def _lateness_rows(runs):
    for run in runs:
        late, thread = run["late"], run["woken_late"]
        if late["earliest"] < 0:
            raise ValueError(f"a packet was early by {-late['earliest']} µs")
        for key, words in SHOWN.items():
            goal = LATENESS_GOALS.get(key, NO_GOAL)
            if goal[0] is not None:
                goal = (max(goal[0], round(thread[key] * LATENESS_OVER_THREAD)), None)
            row = {"group": LATENESS, "name": run["direction"], "detail": words, "size": 8, "unit": "µs"}
            row |= {"kernel": float(thread[key]), "ours": float(late[key]), "packets": int(late["count"])}
            row |= {"unclear": int(run["unclear"]), "must": goal[0], "aim": goal[1]}
            yield row | {"verdict": verdict_of(late[key], goal)}


def _relay_rows(runs):
    for run in runs:
        sent = int(run["sent"])
        rate = f"{run['packets_per_sec']:,.0f} a second"
        goal = (sent, None)
        row = {"group": RELAY, "name": run["method"], "detail": rate, "size": int(run["size"]), "unit": "packets"}
        row |= {"sent": sent, "ours": int(run["received"]), "dropped": int(run["dropped"])}
        yield row | {"must": sent, "verdict": verdict_of(run["received"], goal, more_is_better=True)}
