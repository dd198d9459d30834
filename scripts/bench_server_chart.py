"""Draws the servers' part of the result of scripts/bench.sh as a picture: bench_server_chart.py RESULT.json CHART.svg

Curves show the cost of a packet by the number of peers, on logarithmic scales; lower is faster. Bars below show the packets
received when all clients send at once, where longer is better, and the memory of an idle peer, where shorter is better.
"""

import math

from bench_picture import EDGE, GRID, INSET, MUTED, NATIVE, PANEL, TEXT, WIDTH
from bench_picture import Picture, draw_panel, foot, head, main, microseconds
from bench_servers import BOTH, BURST, GROWTH, MEMORY, POLLING, TAKING

OURS = "#58c4fa"
GAP = 10  # between panels
PLOT_TOP, PLOT_HEIGHT = 64, 236  # within a panel of curves
AXIS = 34  # width of the figures beside the axis
NAMES = {"native": "UDPServer", "ours": "UdpServerRs"}
COLOURS = {"native": NATIVE, "ours": OURS}


class Scale:
    """A logarithmic scale between two pixels."""

    def __init__(self, values, first, last, whole_decades):
        least, most = math.log10(min(values)), math.log10(max(values))
        self.low = math.floor(least) if whole_decades else least
        self.high = max(math.ceil(most) if whole_decades else most, self.low + 1)
        self.first, self.last = first, last

    def place(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def decades(self):
        return [10.0**power for power in range(math.ceil(self.low), math.floor(self.high) + 1)]


def draw_curves(picture, left, top, width, heading, note, rows, costs):
    """A panel with a curve per class; `costs` are all values that the scale must contain."""
    height = PLOT_TOP + PLOT_HEIGHT + 50
    picture.box(left, top, width, height, PANEL, 9)
    picture.text(left + INSET, top + 25, heading, 13.5, weight=600)
    picture.text(left + INSET, top + 42, note, 11, MUTED)
    base = top + PLOT_TOP + PLOT_HEIGHT
    across = Scale([row["peers"] for row in rows], left + INSET + AXIS + 14, left + width - INSET - 22, False)
    up = Scale(costs, base, top + PLOT_TOP, True)
    for cost in up.decades():
        y = up.place(cost)
        picture.shape(f"M{left + INSET + AXIS:g} {y:g}H{left + width - INSET:g}", stroke=GRID)
        picture.text(left + INSET + AXIS - 7, y + 4, f"{cost:g}", 11, MUTED, "end")
    for row in rows:
        x = across.place(row["peers"])
        picture.text(x, base + 18, f"{row['peers']:,}", 11, MUTED, "middle")
    picture.text((across.first + across.last) / 2, base + 37, "peers", 11, MUTED, "middle")
    places = {
        who: [(across.place(row["peers"]), up.place(row[who]), row[who]) for row in rows] for who in BOTH
    }
    for who, points in places.items():
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y, _ in points)
        picture.shape(path, stroke=COLOURS[who], width=2)
        for x, y, _ in points:
            picture.dot(x, y, 3.5, COLOURS[who])
    # The upper curve's figures stand above it, the lower curve's below.
    for who, other in (("native", "ours"), ("ours", "native")):
        for (x, y, cost), (_, other_y, _) in zip(places[who], places[other]):
            above = y < other_y or (y == other_y and who == "native")
            # To the left, because the curves rise.
            place = (x + 6, y - 9) if above else (x, y + 18)
            anchor = "end" if above else "middle"
            picture.text(*place, microseconds(cost), 11, COLOURS[who], anchor, 500, PANEL)
    return top + height


def kibibytes(value):
    return f"{value / 1024:,.1f} KiB"


def memory_entries(rows):
    """Bars of a peer's memory, relative to native's, with the most peers."""
    row = [row for row in rows if row["detail"] == "resident"][-1]
    bars = {who: row[who] / row["native"] if row["native"] > 0 else 0 for who in BOTH}
    return {
        ("Resident", f"with {row['name']}"): [
            (max(share, 0), "", kibibytes(row[who]), COLOURS[who]) for who, share in bars.items()
        ]
    }


def memory_note(rows):
    allocated = rows[-1]["native"]
    return f"An accepted, idle peer. Shorter is better. (UDPServer allocates {kibibytes(allocated)}.)"


def burst_entries(rows):
    """Bars of the packets received: native, and ours in both modes."""
    entries = {}
    for row in rows:
        sent = row["sent"]
        if not entries:
            entries[NAMES["native"], "polled"] = [(row["native"] / sent, "", f"{row['native']:,} of {sent:,}", NATIVE)]
        entries[NAMES["ours"], row["detail"]] = [(row["ours"] / sent, "", f"{row['ours']:,} of {sent:,}", OURS)]
    return entries


def growth_note(rows):
    """How much more a packet costs with many peers than with few, from the first row that has a must."""
    asked = [row for row in rows if row.get("must")] or rows
    row = asked[0]
    return f"{row['name']}: {row['native']:.1f} × → {row['ours']:.2f} ×"


def draw(result):
    picture = Picture()
    rows = [row for row in result["rows"] if "peers" in row]
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    head(
        picture,
        "UdpServerRs against UDPServer",
        "The cost of a packet for a server's script, in µs, by the number of peers. Lower is faster.",
        [(NAMES[who], COLOURS[who]) for who in BOTH],
        108,
    )
    top, width = 86, (WIDTH - 2 * EDGE - GAP) / 2
    costs = [row[who] for group in (POLLING, TAKING) for row in groups[group] for who in BOTH]
    panels = (
        (POLLING, "poll()", growth_note(groups[GROWTH])),
        (TAKING, "Counting and taking", "get_available_packet_count(), get_packet()"),
    )
    for i, (group, heading, note) in enumerate(panels):
        left = EDGE + i * (width + GAP)
        bottom = draw_curves(picture, left, top, width, heading, note, groups[group], costs)
    bursts = burst_entries(groups[BURST])
    sample = groups[BURST][0]
    sending = f"{sample['peers']:,} peers send {sample['sent'] // sample['peers']} packets each"
    note = f"{sending} while the game reads nothing: packets received. Longer is better."
    bottom = draw_panel(picture, bottom + GAP, "All at once", note, bursts, False)
    memory = groups[MEMORY]
    bottom = draw_panel(picture, bottom + GAP, "Memory", memory_note(memory), memory_entries(memory), False)
    bottom = foot(picture, bottom + GAP, result, rows, "Figures: UDPServer → UdpServerRs.")
    description = "Curves: microseconds per packet by the number of peers. Bars: packets received, and memory."
    return picture.svg(bottom, "UdpServerRs against UDPServer", description)


if __name__ == "__main__":
    main(draw)
