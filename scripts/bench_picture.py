"""What the charts of scripts/bench.sh are drawn with: SVG elements, panels of bars, what a chart says of its figures.

The pictures have a background of their own, so they read on light pages and on dark ones.
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

    def shape(self, path, fill="none", stroke="none", dashes="none", width=1):
        self.parts.append(
            f'<path d="{path}" fill="{fill}" stroke="{stroke}" stroke-width="{width}" stroke-dasharray="{dashes}"/>'
        )

    def dot(self, x, y, radius, fill):
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"/>')

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


# ---- around the panels ---------------------------------------------------------------------------------------------


def microseconds(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def head(picture, title, subtitle, legend, pitch):
    """What the picture shows, and what its colours mean: (words, colour), so far apart."""
    picture.text(LABELS, 42, title, 21, weight=650)
    picture.text(LABELS, 64, subtitle, 12.5, MUTED)
    right = FIGURES
    for words, colour in reversed(legend):
        right -= pitch
        picture.box(right, 32, 12, 12, colour, 3)
        picture.text(right + 18, 42, words)


def foot(picture, bottom, result, rows, figures):
    """Where the figures are from; returns where it ends."""
    where = result["machine"]
    system = ".".join(where["system"].split(".")[:2])  # what a distribution appends says nothing here
    engine = where["godot"].split("-")[0]
    rounds = max(row.get("rounds", 0) for row in rows)
    disturbed = result["disturbed"]
    for words in (
        f"{where['cpu']}, {where['cores']} cores, {system}, Godot {engine}, {where['date']}"
        + ("." if disturbed is None else f"; other programs had at least {disturbed:.0%} of the processors."),
        f"Loopback, from GDScript; the median of {rounds} rounds in which both had their turn. {figures}",
    ):
        bottom += 16
        picture.text(LABELS, bottom, words, 11, MUTED)
    return bottom + 20


def main(draw):
    """The program of a chart: PROGRAM.py RESULT.json CHART.svg"""
    if len(sys.argv) != 3:
        sys.exit(f"Usage: {Path(sys.argv[0]).name} RESULT.json CHART.svg")
    result = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    chart = Path(sys.argv[2])
    chart.parent.mkdir(parents=True, exist_ok=True)
    chart.write_text(draw(result), encoding="utf-8")
