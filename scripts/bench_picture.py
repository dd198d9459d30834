"""The parts of the charts of scripts/bench.sh: SVG elements, panels of bars, headings and footers.

The pictures have an opaque background, so they are readable on light and on dark pages.
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
BARS = 236  # left end of the bars
ONE = 360  # length of a bar for the value 1
MOST = 1.18  # the largest value drawn; longer bars are drawn torn
BAR, PITCH = 10, 14
ROW_GAP = 12
MIN_ROW = 29  # height of a label's two lines

CARD, PANEL, TEXT, MUTED, GRID, NATIVE = "#141d27", "#1c2834", "#edf3f9", "#9db0c2", "#2c3c4c", "#ffffff"
# The payload sizes that are shown.
COLOURS = {64: "#58c4fa", 1200: "#ffb866"}
PLAIN = "#b7a6ff"  # if there is only one size
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


class Picture:
    """SVG elements in painting order."""

    def __init__(self):
        self.parts = []

    def text(self, x, y, words, size=12.0, fill=TEXT, anchor="start", weight=400, halo=""):
        # A halo in the background's colour separates the words from a line behind them.
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
        """A bar of `share` times ONE; returns its right end."""
        # A very small share stays visible.
        length = max(min(share, MOST) * ONE, 1.5)
        # The left end, on the axis, has no rounded corners.
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
    """A group of rows; returns its lower end."""
    heights = [max(len(bars) * PITCH, MIN_ROW) for bars in entries.values()]
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
        # Drawn over the bars: a bar that crosses it is slower than native.
        picture.shape(f"M{BARS + ONE} {first}V{last}", stroke=NATIVE, dashes="4 3")
    for x, y, label in labels:
        picture.text(x, y, label, 11, halo=PANEL)
    return top + height


# ---- around the panels ---------------------------------------------------------------------------------------------


def microseconds(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def head(picture, title, subtitle, legend, pitch):
    """The title, and a legend of (words, colour) with `pitch` pixels per entry."""
    picture.text(LABELS, 42, title, 21, weight=650)
    picture.text(LABELS, 64, subtitle, 12.5, MUTED)
    right = FIGURES
    for words, colour in reversed(legend):
        right -= pitch
        picture.box(right, 32, 12, 12, colour, 3)
        picture.text(right + 18, 42, words)


def foot(picture, bottom, result, rows, figures):
    """The origin of the figures; returns its lower end."""
    where = result["machine"]
    system = ".".join(where["system"].split(".")[:2])  # without the distribution's suffix
    engine = where["godot"].split("-")[0]
    rounds = max(row.get("rounds", 0) for row in rows)
    other_load = result["other_load"]
    for words in (
        f"{where['cpu']}, {where['cores']} cores, {system}, Godot {engine}, {where['date']}"
        + ("." if other_load is None else f"; other programs used at least {other_load:.0%} of the processors."),
        f"Loopback, from GDScript; the median of {rounds} rounds, both classes in alternation. {figures}",
    ):
        bottom += 16
        picture.text(LABELS, bottom, words, 11, MUTED)
    return bottom + 20


def main(draw):
    """The command line of a chart: PROGRAM.py RESULT.json CHART.svg"""
    if len(sys.argv) != 3:
        sys.exit(f"Usage: {Path(sys.argv[0]).name} RESULT.json CHART.svg")
    result = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    chart = Path(sys.argv[2])
    chart.parent.mkdir(parents=True, exist_ok=True)
    chart.write_text(draw(result), encoding="utf-8")
