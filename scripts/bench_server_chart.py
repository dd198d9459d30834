"""Draws the servers' part of the result of scripts/bench.sh as a picture: bench_server_chart.py RESULT.json CHART.svg

Curves show what a packet costs by the number of peers, both on logarithmic scales, lower is faster; bars below them
what came of all that a crowd sent at once, where longer is better, and what an idle peer takes, where shorter is.
"""

import math

from bench_picture import EDGE, GRID, INSET, MUTED, NATIVE, PANEL, TEXT, WIDTH
from bench_picture import Picture, draw_panel, foot, head, main, microseconds
from bench_servers import BOTH, GROWTH, MEMORY, POLLING, STALL, TAKING

OURS = "#58c4fa"
GAP = 10  # between panels
PLOT_TOP, PLOT_HEIGHT = 64, 236  # within a panel of curves
AXIS = 34  # for the figures beside the axis
NAMES = {"native": "UDPServer", "ours": "UdpServerRs"}
COLOURS = {"native": NATIVE, "ours": OURS}


class Scale:
    """Places powers of ten between two pixels."""

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
    """A panel with a curve for each of the two; [costs] are all that the scale has to hold."""
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
    # Over both curves; the upper one's figures above it, the lower one's below.
    for who, other in (("native", "ours"), ("ours", "native")):
        for (x, y, cost), (_, other_y, _) in zip(places[who], places[other]):
            above = y < other_y or (y == other_y and who == "native")
            # Above to the left, out of the way of a curve that rises.
            place = (x + 6, y - 9) if above else (x, y + 18)
            anchor = "end" if above else "middle"
            picture.text(*place, microseconds(cost), 11, COLOURS[who], anchor, 500, PANEL)
    return top + height


def kibibytes(value):
    return f"{value / 1024:,.1f} KiB"


def memory_entries(rows):
    """Bars of what a peer of the largest crowd takes, in proportion to native's."""
    row = [row for row in rows if row["detail"] == "resident"][-1]
    bars = {who: row[who] / row["native"] if row["native"] > 0 else 0 for who in BOTH}
    return {
        ("Resident", f"with {row['name']}"): [
            (max(share, 0), "", kibibytes(row[who]), COLOURS[who]) for who, share in bars.items()
        ]
    }


def memory_note(rows):
    allocated = rows[-1]["native"]
    return f"An accepted, idle peer. Shorter is better. (UDPServer's asks the system for {kibibytes(allocated)}.)"


def stall_entries(rows):
    """Bars of what came through: native's and, in both modes, ours."""
    entries = {}
    for row in rows:
        sent = row["sent"]
        if not entries:
            entries[NAMES["native"], "polled"] = [(row["native"] / sent, "", f"{row['native']:,} of {sent:,}", NATIVE)]
        entries[NAMES["ours"], row["detail"]] = [(row["ours"] / sent, "", f"{row['ours']:,} of {sent:,}", OURS)]
    return entries


def growth_note(rows):
    """What a large crowd's packet costs more than a small one's, of the smallest crowd that is promised something."""
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
        "What a packet costs a server's script, in µs, by the number of peers. Lower is faster.",
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
    stalls = stall_entries(groups[STALL])
    sample = groups[STALL][0]
    sending = f"{sample['peers']:,} peers send {sample['sent'] // sample['peers']} packets each"
    note = f"{sending} while the game reads nothing: what arrives. Longer is better."
    bottom = draw_panel(picture, bottom + GAP, "A crowd at once", note, stalls, False)
    memory = groups[MEMORY]
    bottom = draw_panel(picture, bottom + GAP, "Memory", memory_note(memory), memory_entries(memory), False)
    bottom = foot(picture, bottom + GAP, result, rows, "Figures: UDPServer → UdpServerRs.")
    description = "Curves: microseconds per packet by the number of peers. Bars: what arrives of a crowd, and memory."
    return picture.svg(bottom, "UdpServerRs against UDPServer", description)


if __name__ == "__main__":
    main(draw)
