"""Draws the result of scripts/bench.sh as an SVG picture: bench_chart.py RESULT.json CHART.svg

Bars show ours in proportion to native: at 1 it is as fast as PacketPeerUDP, and shorter is faster; below, what came
through a stall, where longer is better. The picture has a background of its own, so it reads on light pages and on
dark ones.
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

# ---- measures, in pixels, and colours --------------------------------------------------------------------------

WIDTH = 830
EDGE = 16  # around the panels
INSET = 16  # within them
LABELS = EDGE + INSET
FIGURES = WIDTH - EDGE - INSET  # right end of the column of figures
BARS = 236  # where bars begin,
ONE = 360  # and how long one is that means 1
MOST = 1.18  # a longer bar is drawn torn
BAR, PITCH = 10, 14
ROW_GAP = 12
LEAST_ROW = 29  # two lines of label

CARD, PANEL, TEXT, MUTED, GRID, NATIVE = "#141d27", "#1c2834", "#edf3f9", "#9db0c2", "#2c3c4c", "#ffffff"
# The sizes that are shown, of those that are measured.
COLOURS = {64: "#58c4fa", 1200: "#ffb866"}
PLAIN = "#b7a6ff"  # where there is but one
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

STALL = "Stall"


class Picture:
    """SVG elements, in the order in which they are painted."""

    def __init__(self):
        self.parts = []

    def text(self, x, y, words, size=12.0, fill=TEXT, anchor="start", weight=400, halo=""):
        # A halo of the background's colour keeps a line that runs behind the words away from them.
        outline = f' stroke="{halo}" stroke-width="5" stroke-linejoin="round" paint-order="stroke"' if halo else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" fill="{fill}"'
            f' text-anchor="{anchor}"{outline}>{escape(words)}</text>'
        )

    def box(self, x, y, width, height, fill, radius):
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" fill="{fill}"/>'
        )

    def shape(self, path, fill="none", stroke="none", dashes="none"):
        self.parts.append(f'<path d="{path}" fill="{fill}" stroke="{stroke}" stroke-dasharray="{dashes}"/>')

    def bar(self, y, share, fill):
        """A bar of that share of ONE; returns where it ends."""
        # Something very small stays visible.
        length = max(min(share, MOST) * ONE, 1.5)
        # Square where it begins, on the axis.
        self.box(BARS, y, length, BAR, fill, min(2.5, length / 2))
        self.box(BARS, y, min(length, 4), BAR, fill, 0)
        if share > MOST:
            self.shape(f"M{BARS + length - 16:g} {y + BAR + 1:g}l6 {-BAR - 2}h4l-6 {BAR + 2}z", fill=PANEL)
        return BARS + length

    def svg(self, height, title, description):
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}"'
            f' viewBox="0 0 {WIDTH} {height:g}"'
            f' role="img" aria-labelledby="title description" font-family="{FONT}">'
        )
        names = f'<title id="title">{escape(title)}</title>\n<desc id="description">{escape(description)}</desc>'
        card = f'<rect width="{WIDTH}" height="{height:g}" rx="14" fill="{CARD}"/>'
        return "\n".join([head, names, card, *self.parts, "</svg>", ""])


# ---- what is shown ---------------------------------------------------------------------------------------------


def microseconds(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio_entries(rows):
    """The bars of a group of times: per row (name, detail) a list of bars (share, label, figures, colour)."""
    entries = {}
    for row in rows:
        if "ratio" not in row or row["detail"].endswith("p99"):
            continue
        if row["size"] in COLOURS or row["size"] == 0:
            ratio = row["ratio"]
            label = f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"
            figures = f"{microseconds(row['native'])} → {microseconds(row['ours'])} µs"
            bar = (ratio, label, figures, COLOURS.get(row["size"], PLAIN))
            entries.setdefault((row["name"], row["detail"]), []).append(bar)
    # A colour tells sizes apart; where there is one size, there is nothing to tell.
    return {
        key: bars if len(bars) > 1 else [(*bars[0][:3], PLAIN)]
        for key, bars in entries.items()
    }  # fmt: skip


def stall_entries(rows):
    """The same for what came through a stall: native first, then ours."""
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


def draw_panel(picture, top, heading, note, entries, native_line):
    """A group of rows; returns where it ends."""
    heights = [max(len(bars) * PITCH, LEAST_ROW) for bars in entries.values()]
    height = 42 + sum(heights) + ROW_GAP * len(heights)
    picture.box(EDGE, top, WIDTH - 2 * EDGE, height, PANEL, 9)
    picture.text(LABELS, top + 25, heading, 13.5, weight=600)
    picture.text(FIGURES, top + 25, note, 11, MUTED, "end")
    first, last = top + 36, top + height - 8
    for quarter in range(5):
        x = BARS + ONE * quarter / 4
        if quarter < 4 or not native_line:
            picture.shape(f"M{x:g} {first}V{last}", stroke=GRID)
    y = top + 44
    labels = []
    for ((name, detail), bars), row_height in zip(entries.items(), heights):
        middle = y + row_height / 2
        picture.text(LABELS, middle - 2.5, name, 12.5, weight=500)
        picture.text(LABELS, middle + 12, detail, 11, MUTED)
        bar_top = middle - (len(bars) * PITCH - (PITCH - BAR)) / 2
        for share, label, figures, colour in bars:
            end = picture.bar(bar_top, share, colour)
            labels.append((end + 6, bar_top + 9, label))
            picture.text(FIGURES, bar_top + 9, figures, 11, MUTED, "end")
            bar_top += PITCH
        y += row_height + ROW_GAP
    if native_line:
        # Over the bars: what crosses it is slower than native.
        picture.shape(f"M{BARS + ONE} {first}V{last}", stroke=NATIVE, dashes="4 3")
    for x, y, label in labels:
        picture.text(x, y, label, 11, halo=PANEL)
    return top + height


def draw(result):
    picture = Picture()
    groups = {}
    for row in result["rows"]:
        groups.setdefault(row["group"], []).append(row)

    title = "PacketPeerUdpRs against PacketPeerUDP"
    picture.text(LABELS, 42, title, 21, weight=650)
    subtitle = "What a packet costs a script, in proportion to PacketPeerUDP. Shorter is faster."
    picture.text(LABELS, 64, subtitle, 12.5, MUTED)
    for x, (size, colour) in zip((FIGURES - 172, FIGURES - 88), COLOURS.items()):
        picture.box(x, 32, 12, 12, colour, 3)
        picture.text(x + 18, 42, f"{size:,} bytes")
    for share, words in ((0, "0"), (0.5, "0.5"), (1, "1 = PacketPeerUDP")):
        fill, weight = (TEXT, 600) if share == 1 else (MUTED, 400)
        picture.text(BARS + share * ONE, 90, words, 11, fill, "middle", weight)

    bottom = 98
    for group, rows in groups.items():
        if rows[0]["unit"] != "µs":
            continue
        entries = ratio_entries(rows)
        if entries:
            heading, _, note = group.partition(": ")
            bottom = draw_panel(picture, bottom, heading, note, entries, True) + 10
    for group, rows in groups.items():
        entries = stall_entries(rows) if group.startswith(STALL) else {}
        if entries:
            note = "20,000 packets while the game reads nothing: what arrives. Longer is better."
            bottom = draw_panel(picture, bottom, STALL, note, entries, False) + 10

    where = result["machine"]
    system = ".".join(where["system"].split(".")[:2])  # what a distribution appends says nothing here
    engine = where["godot"].split("-")[0]
    rounds = max(row.get("rounds", 0) for row in result["rows"])
    disturbed = result["disturbed"]
    footer = [
        f"{where['cpu']}, {where['cores']} cores, {system}, Godot {engine}, {where['date']}"
        + ("." if disturbed is None else f"; other programs had at least {disturbed:.0%} of the processors."),
        f"Loopback, from GDScript; the median of {rounds} rounds in which both had their turn."
        " Figures: PacketPeerUDP → PacketPeerUdpRs.",
    ]
    for words in footer:
        bottom += 16
        picture.text(LABELS, bottom, words, 11, MUTED)
    description = "Bars: the time of PacketPeerUdpRs divided by that of PacketPeerUDP, and the figures beside them."
    return picture.svg(bottom + 20, title, description)


def main():
    if len(sys.argv) != 3:
        sys.exit("Usage: bench_chart.py RESULT.json CHART.svg")
    result = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    chart = Path(sys.argv[2])
    chart.parent.mkdir(parents=True, exist_ok=True)
    chart.write_text(draw(result), encoding="utf-8")


if __name__ == "__main__":
    main()
