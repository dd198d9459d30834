"""Draws the result of scripts/bench.sh as an SVG picture: bench_chart.py RESULT.json CHART.svg

Bars show the time of ours divided by that of native; shorter is faster. Below, the packets that survived a stall, where
longer is better.
"""

from bench_picture import BARS, COLOURS, MUTED, ONE, PLAIN, TEXT, Picture, draw_panel, foot, head, main, microseconds

STALL = "Stall"


# ---- entries of the panels -------------------------------------------------------------------------------------


def ratio_entries(rows):
    """The bars of a group of times: (name, detail) -> list of (share, label, figures, colour)."""
    entries = {}
    for row in rows:
        if "ratio" not in row or row["detail"].endswith("p99") or "against" in row:
            continue
        if row["size"] in COLOURS or row["size"] == 0:
            ratio = row["ratio"]
            label = f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"
            figures = f"{microseconds(row['native'])} → {microseconds(row['ours'])} µs"
            bar = (ratio, label, figures, COLOURS.get(row["size"], PLAIN))
            entries.setdefault((row["name"], row["detail"]), []).append(bar)
    # Colours distinguish sizes; an entry with one size has a neutral colour.
    return {
        key: bars if len(bars) > 1 else [(*bars[0][:3], PLAIN)]
        for key, bars in entries.items()
    }  # fmt: skip


def stall_entries(rows):
    """The same for the packets that survived a stall: native first, then ours."""
    native, ours = {}, {}
    for row in rows:
        if "ours" not in row:
            continue
        sent = row["sent"]
        bars = [(ours, ("PacketPeerUdpRs", row["detail"] + (f", {sent:,}" if sent > 20_000 else "")), row["ours"])]
        if row["detail"] == "polled":
            bars.append((native, ("PacketPeerUDP", "polled"), row["native"]))
        for entries, key, received in bars:
            bar = (received / sent, "", f"{received:,} of {sent:,}", COLOURS[row["size"]])
            entries.setdefault(key, []).append(bar)
    return native | ours


def draw(result):
    picture = Picture()
    rows = [row for row in result["rows"] if "peers" not in row]  # servers have their own picture
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)

    title = "PacketPeerUdpRs against PacketPeerUDP"
    subtitle = "The cost of a packet for a script, relative to PacketPeerUDP. Shorter is faster."
    head(picture, title, subtitle, [(f"{size:,} bytes", colour) for size, colour in COLOURS.items()], 88)
    for share, words in ((0, "0"), (0.5, "0.5"), (1, "1 = PacketPeerUDP")):
        fill, weight = (TEXT, 600) if share == 1 else (MUTED, 400)
        picture.text(BARS + share * ONE, 90, words, 11, fill, "middle", weight)

    bottom = 98
    for group, members in groups.items():
        if members[0]["unit"] != "µs":
            continue
        entries = ratio_entries(members)
        if entries:
            heading, _, note = group.partition(": ")
            bottom = draw_panel(picture, bottom, heading, note, entries, True) + 10
    for group, members in groups.items():
        entries = stall_entries(members) if group.startswith(STALL) else {}
        if entries:
            note = "Packets received of 20,000 that came while the game read nothing. Longer is better."
            bottom = draw_panel(picture, bottom, STALL, note, entries, False) + 10

    bottom = foot(picture, bottom, result, rows, "Figures: PacketPeerUDP → PacketPeerUdpRs.")
    description = "Bars: the time of PacketPeerUdpRs divided by that of PacketPeerUDP, and the figures beside them."
    return picture.svg(bottom, title, description)


if __name__ == "__main__":
    main(draw)
