"""Draws a run of scripts/soak.sh: soak_chart.py SECONDS.csv PICTURE.svg

Memory, threads and open files of the process over the time, each in a panel of its own from 0 up.
"""

import csv
import sys
from pathlib import Path

from bench_picture import EDGE, GRID, INSET, MUTED, PANEL, TEXT, WIDTH, Picture

HEIGHT, GAP = 110, 10  # of a panel, and between panels
PLOT_TOP, PLOT_BOTTOM = 34, 12  # from the panel's edges
AXIS = 64  # width of the figures beside the axis
LINE = "#58c4fa"
SERIES = [
    ("resident_bytes", "Resident memory", lambda value: f"{value / 2**20:.0f} MiB"),
    ("threads", "Threads", "{:.0f}".format),
    ("open_files", "Open files and sockets", "{:.0f}".format),
]
POINTS = 600  # at most; each is the largest value of its seconds


def panel(picture, top, title, values, words):
    picture.box(EDGE, top, WIDTH - 2 * EDGE, HEIGHT, PANEL, 8)
    picture.text(EDGE + INSET, top + 22, title, 13, TEXT, weight=600)
    right = WIDTH - EDGE - INSET
    picture.text(right, top + 22, f"{words(min(values))} to {words(max(values))}", 12, MUTED, "end")
    left, bottom, plot_top = EDGE + INSET + AXIS, top + HEIGHT - PLOT_BOTTOM, top + PLOT_TOP
    most = max(values) * 1.1 or 1
    for share in (0, 1):
        y = bottom - share / 1.1 * (bottom - plot_top)
        picture.shape(f"M{left:g} {y:g}H{right:g}", stroke=GRID)
        picture.text(left - 8, y + 4, words(max(values) * share), 11, MUTED, "end")
    step = max(1, -(-len(values) // POINTS))
    points = [max(values[i : i + step]) for i in range(0, len(values), step)]
    scale = (right - left) / max(1, len(points) - 1)
    path = "L".join(
        f"{left + i * scale:.1f} {bottom - value / most * (bottom - plot_top):.1f}" for i, value in enumerate(points)
    )
    picture.shape(f"M{path}", stroke=LINE, width=1.5)


def main():
    rows = list(csv.DictReader(Path(sys.argv[1]).open()))
    picture = Picture()
    top = EDGE + 34
    picture.text(EDGE + INSET, EDGE + 20, f"Mixed traffic for {len(rows) / 60:.3g} min", 15, TEXT, weight=600)
    for name, title, words in SERIES:
        panel(picture, top, title, [int(row[name]) for row in rows], words)
        top += HEIGHT + GAP
    svg = picture.svg(top - GAP + EDGE, "A soak test", "Memory, threads and open files of the process over the time")
    Path(sys.argv[2]).write_text(svg)


main()
