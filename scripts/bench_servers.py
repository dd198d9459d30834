"""The servers' rows of the benchmark's table, for bench_report.py and the servers' chart.

Each has "peers": the size of the crowd.
"""

from bench_rows import timed_row

POLLING = "A server's poll()"
TAKING = "A server's peers: count, then get_packet"
WHOLE = "A server's packet: both together"
GROWTH = "A large crowd's packet: its cost as a multiple of a small crowd's"
STALL = "A crowd that sends at once: received while the game read nothing"
MEMORY = "Memory per accepted, idle peer of a server"

# At so many peers poll() may cost so much more a packet than in the smallest crowd. What a script does with the peers
# itself grows with any class: each of thousands of objects has to come into the processor's caches.
MUST_GROWTH = {4_000: 1.5}
# What a peer may take, where there are enough of them to tell: memory is given out by the page.
MUST_MEMORY, ENOUGH = 4_096, 1_000

BOTH = ("native", "ours")
MODES = {"polled": "polled", "background": "in background mode"}


def crowd(count):
    return f"{count:,} peers"


def verdict(reached):
    return "must" if reached else "MISSED"


def rows_of(raw, floor):
    """All rows that come of the raw measurements."""
    return [*_timed_rows(raw["rows"], floor), *_stall_rows(raw["stalls"]), *_memory_rows(raw["memory"])]


def _timed_rows(cases, floor):
    cases = sorted(cases, key=lambda case: int(case["peers"]))
    rows = {POLLING: [], TAKING: [], WHOLE: []}
    for case in cases:
        peers = int(case["peers"])
        for group, parts in ((POLLING, ["polling"]), (TAKING, ["taking"]), (WHOLE, ["polling", "taking"])):
            rounds = ([sum(times) for times in zip(*(case[part][who] for part in parts))] for who in BOTH)
            rows[group].append(timed_row(group, crowd(peers), "", int(case["size"]), *rounds) | {"peers": peers})
    for row in rows[POLLING]:
        if ("receive_batch", row["size"]) in floor:
            row["kernel"] = floor["receive_batch", row["size"]]
    for members in rows.values():
        yield from members
    for group, words, musts in ((POLLING, "poll()", MUST_GROWTH), (WHOLE, "poll() and taking", {})):
        fewest, *others = rows[group]
        for row in others[-2:]:
            growth = {who: row[who] / fewest[who] for who in BOTH}
            name = f"{row['name']} against {fewest['peers']:,}"
            grown = {"group": GROWTH, "name": name, "detail": words, "peers": row["peers"], "size": row["size"]}
            grown |= {"unit": "times"} | growth
            if row["peers"] in musts:
                must = musts[row["peers"]]
                grown |= {"must": must, "verdict": verdict(growth["ours"] <= must)}
            yield grown


def _stall_rows(stalls):
    native = {int(stall["peers"]): stall["received"] for stall in stalls if stall["mode"] == "native"}
    for stall in stalls:
        if stall["mode"] == "native":
            continue
        peers, sent = int(stall["peers"]), int(stall["sent"])
        row = {"group": STALL, "name": f"{crowd(peers)} × {sent // peers}", "detail": MODES[stall["mode"]]}
        row |= {"peers": peers, "size": int(stall["size"]), "unit": "packets", "sent": sent, "native": native.get(peers)}
        row |= {"ours": stall["received"], "in_order": stall["in_order"], "dropped": sum(stall["dropped"].values())}
        if stall["mode"] == "background":
            row["must"] = sent
            row["verdict"] = verdict(row["ours"] == sent and row["in_order"] and row["dropped"] == 0)
        yield row


def _memory_rows(memory):
    figures = {(*name.split("_"), who): bytes_ for who, named in memory.items() for name, bytes_ in named.items()}
    counts = sorted({int(count) for _, count, _ in figures})
    for what, words in (("resident", "resident"), ("allocated", "allocated by the engine")):
        # What is allocated is the same in every crowd.
        for count in counts if what == "resident" else counts[-1:]:
            native, ours = (figures[what, str(count), who] for who in BOTH)
            row = {"group": MEMORY, "name": crowd(count), "detail": words, "peers": count, "size": 0, "unit": "bytes"}
            row |= {"native": native, "ours": ours} | ({"ratio": ours / native} if native > 0 else {})
            if what == "resident" and count >= ENOUGH:
                row |= {"must": MUST_MEMORY, "verdict": verdict(ours <= MUST_MEMORY)}
            yield row
