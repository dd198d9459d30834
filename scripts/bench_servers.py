"""The servers' rows of the benchmark's table, for bench_report.py and the servers' chart.

Each has "peers", the number of accepted peers.
"""

from bench_goals import (
    FRAME_AGAINST_LOOP,
    FRAME_AGAINST_NATIVE,
    NO_GOAL,
    SERVER_GROWTH,
    SERVER_PEER_BYTES,
    SERVER_PEERS_TO_JUDGE,
    SERVER_RATIO,
    STATE,
)
from bench_rows import bytes_row, missing_row, timed_row, verdict_of

POLLING = "A server's poll()"
TAKING = "A server's peers: count, then get_packet"
WHOLE = "A server's packet: poll(), count, get_packet"
GROWTH = "A server's packet with many peers: its cost as a multiple of that with few"
FRAME = "A server's frame: poll() and taking, where 100 of its peers have a packet"
STATE_PACKET = "A server sends one packet to many peers"
BURST = "All clients of a server send at once: received while the game read nothing"
MEMORY = "Memory per accepted, idle peer of a server"

BOTH = ("native", "ours")
MODES = {"polled": "polled", "background": "in background mode"}

# Group of rows, its name in the goals, and the measured parts that it adds up.
TIMED = ((POLLING, "polling", ("polling",)), (TAKING, "taking", ("taking",)), (WHOLE, "whole", ("polling", "taking")))


def peers_text(count):
    return f"{count:,} peers"


def rows_of(raw, baseline):
    """All rows of the raw measurements; none if the addon has no server."""
    if not raw["rows"]:
        return []
    timed = [*_timed_rows(raw["rows"], baseline), *_frame_rows(raw["frame"]), *_state_rows(raw["state"])]
    return [*timed, *_burst_rows(raw["bursts"]), *_memory_rows(raw["memory"])]


def _timed_rows(cases, baseline):
    cases = sorted(cases, key=lambda case: int(case["peers"]))
    groups = {group: [] for group, _, _ in TIMED}
    for case in cases:
        peers = int(case["peers"])
        for group, part, members in TIMED:
            rounds = ([sum(times) for times in zip(*(case[member][who] for member in members))] for who in BOTH)
            goal = SERVER_RATIO.get((part, peers), NO_GOAL)
            row = timed_row(group, peers_text(peers), "", int(case["size"]), *rounds, goal)
            groups[group].append(row | {"peers": peers})
    for row in groups[POLLING]:
        if ("receive_batch", row["size"]) in baseline:
            row["kernel"] = baseline["receive_batch", row["size"]]
    for rows in groups.values():
        yield from rows
    for group, part, words in ((POLLING, "polling", "poll()"), (WHOLE, "whole", "poll() and taking")):
        fewest, *others = groups[group]
        for row in others[-2:]:
            growth = {who: row[who] / fewest[who] for who in BOTH}
            goal = SERVER_GROWTH.get((part, row["peers"]), NO_GOAL)
            name = f"{row['name']} against {fewest['peers']:,}"
            grown = {"group": GROWTH, "name": name, "detail": words, "peers": row["peers"], "size": row["size"]}
            grown |= {"unit": "times", "must": goal[0], "aim": goal[1], "verdict": verdict_of(growth["ours"], goal)}
            yield grown | growth


def _frame_rows(case):
    peers, size = int(case["peers"]), int(case["size"])
    name = peers_text(peers)
    by_ready = "get_ready_peers() : loop"
    against_loop, against_native = (goals.get(peers, NO_GOAL) for goals in (FRAME_AGAINST_LOOP, FRAME_AGAINST_NATIVE))
    if case["missing"]:
        yield missing_row(FRAME, name, by_ready, size, "µs", case["missing"], against_loop)
        return
    native, loop, ready = case["native"], case["ours"], case["ready"]
    for detail, one, other, goal, against in (
        ("loop over all", native, loop, NO_GOAL, None),
        ("get_ready_peers() : native", native, ready, against_native, None),
        (by_ready, loop, ready, against_loop, "UdpServerRs, loop over all"),
    ):
        row = timed_row(FRAME, name, detail, size, one, other, goal) | {"peers": peers}
        yield row | ({"against": against} if against else {})


def _state_rows(case):
    peers, size = int(case["peers"]), int(case["size"])
    name, detail, goal = peers_text(peers), "put_packet_to : put_packet", STATE.get(peers, NO_GOAL)
    if case["missing"]:
        yield missing_row(STATE_PACKET, name, detail, size, "µs", case["missing"], goal)
        return
    row = timed_row(STATE_PACKET, name, detail, size, case["native"], case["ours"], goal)
    yield row | {"peers": peers, "against": case["against"]}


def _burst_rows(bursts):
    native = {int(burst["peers"]): burst["received"] for burst in bursts if burst["mode"] == "native"}
    for burst in bursts:
        if burst["mode"] == "native":
            continue
        peers, sent = int(burst["peers"]), int(burst["sent"])
        row = {"group": BURST, "name": f"{peers_text(peers)} × {sent // peers}", "detail": MODES[burst["mode"]]}
        row |= {"peers": peers, "size": int(burst["size"]), "unit": "packets", "sent": sent, "native": native.get(peers)}
        row |= {"ours": burst["received"], "in_order": burst["in_order"], "dropped": sum(burst["dropped"].values())}
        if burst["mode"] == "background":
            good = row["ours"] == sent and row["in_order"] and row["dropped"] == 0
            row |= {"must": sent, "verdict": "must" if good else "MISSED"}
        yield row


def _memory_rows(memory):
    figures = {(*name.split("_"), who): bytes_ for who, named in memory.items() for name, bytes_ in named.items()}
    counts = sorted({int(count) for _, count, _ in figures})
    for what, words in (("resident", "resident"), ("allocated", "allocated by the engine")):
        # A peer's allocated memory does not depend on the number of peers.
        for count in counts if what == "resident" else counts[-1:]:
            judged = what == "resident" and count >= SERVER_PEERS_TO_JUDGE
            goal = SERVER_PEER_BYTES if judged else NO_GOAL
            native, ours = (figures[what, str(count), who] for who in BOTH)
            yield bytes_row(MEMORY, peers_text(count), words, native, ours, goal) | {"peers": count}
