"""Draws a run of scripts/conditions_picture.sh and prints a table: conditions_picture.py PACKETS.csv PICTURE.svg --seed N

One panel per preset: how long each packet was on its way, and below it the packets that were lost.
"""

import argparse
import csv
import math
from pathlib import Path

from bench_picture import EDGE, GRID, INSET, LABELS, MUTED, PANEL, WIDTH, Picture

GAP = 10  # between panels
COLUMNS = 2
PANEL_WIDTH = (WIDTH - 2 * EDGE - GAP) / COLUMNS
PLOT_TOP, PLOT_HEIGHT = 44, 112  # within a panel
LANE, LANE_GAP = 9, 9  # height of the lane of lost packets, and its distance from the plot
AXIS = 42  # width of the figures beside the axis
PANEL_HEIGHT = PLOT_TOP + PLOT_HEIGHT + LANE_GAP + LANE + 26
TICKS = 4  # at most, on the scale of delays, beside 0
ARRIVED, LOST = "#58c4fa", "#ffb866"
# Dots lie on a grid so fine that it cannot be seen, and those of a column that overlap are one line: the file stays small.
GRAIN = 0.5
DOT = 3  # in grains


class Packets:
    """What became of the packets of one preset."""

    def __init__(self, rows):
        self.arrived = []  # (second of sending, milliseconds on the way)
        self.lost = []  # second of sending
        for row in rows:
            sent = int(row["sent_usec"])
            if row["received_usec"]:
                self.arrived.append((sent / 1e6, (int(row["received_usec"]) - sent) / 1e3))
            else:
                self.lost.append(sent / 1e6)
        self.delays = sorted(delay for _, delay in self.arrived)
        self.twice = sum(int(row["times_received"]) > 1 for row in rows)
        self.seconds = math.ceil(max(int(row["sent_usec"]) for row in rows) / 1e6)
        self.share_lost = len(self.lost) / len(rows)

    def quantile(self, share):
        return self.delays[min(int(share * len(self.delays)), len(self.delays) - 1)]


def read(path):
    """The packets by preset, in the order of the file."""
    rows = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["preset"], []).append(row)
    return {preset: Packets(of_preset) for preset, of_preset in rows.items()}


def percent(share):
    return f"{share:.2%}".replace("%", " %") if share < 0.01 else f"{share:.1%}".replace("%", " %")


class Plot:
    """The place of a panel's plot, and its scales."""

    def __init__(self, left, top, packets):
        self.left, self.right = left + INSET + AXIS, left + PANEL_WIDTH - INSET
        self.top, self.base = top + PLOT_TOP, top + PLOT_TOP + PLOT_HEIGHT
        self.lane = self.base + LANE_GAP
        self.seconds = packets.seconds
        longest = packets.delays[-1]
        self.step = next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000) if step * TICKS >= longest)
        self.highest = self.step * math.ceil(longest / self.step)

    def across(self, second):
        return self.left + second / self.seconds * (self.right - self.left)

    def up(self, msec):
        return self.base - msec / self.highest * (self.base - self.top)


def runs(places):
    """The points (x, y) on the grid as vertical lines (x, first y, length): one for points that overlap."""
    found = []
    for x, y in sorted(places):
        if found and found[-1][0] == x and y - found[-1][1] - found[-1][2] < DOT:
            found[-1][2] = y - found[-1][1]
        else:
            found.append([x, y, 0])
    return found


def draw_dots(picture, places):
    path, at_x, at_y = "M0 0", 0, 0
    for x, y, length in runs({(round(x / GRAIN), round(y / GRAIN)) for x, y in places}):
        path += f"m{x - at_x} {y - at_y}v{length}".replace(" -", "-")
        at_x, at_y = x, y + length
    picture.parts.append(
        f'<path d="{path}" transform="scale({GRAIN:g})" fill="none" stroke="{ARRIVED}" stroke-width="{DOT}"'
        ' stroke-linecap="round"/>'
    )


def draw_axes(picture, plot):
    for msec in range(0, plot.highest + 1, plot.step):
        y = plot.up(msec)
        picture.shape(f"M{plot.left:g} {y:g}H{plot.right:g}", stroke=GRID)
        unit = " ms" if msec == plot.highest else ""
        picture.text(plot.left - 7, y + 4, f"{msec}{unit}", 11, MUTED, "end")
    foot = plot.lane + LANE
    picture.text(plot.left - 7, foot, "lost", 11, MUTED, "end")
    # Every ten seconds; in a short run, every second.
    step = 10 if plot.seconds > 12 else 1
    for second in range(0, plot.seconds + 1, step):
        x = plot.across(second)
        picture.shape(f"M{x:g} {plot.top:g}V{foot + 3:g}", stroke=GRID)
        is_last = second + step > plot.seconds
        unit = " s" if is_last else ""
        picture.text(x, foot + 17, f"{second}{unit}", 11, MUTED, "end" if is_last else "middle")


def draw_preset(picture, left, top, preset, packets):
    picture.box(left, top, PANEL_WIDTH, PANEL_HEIGHT, PANEL, 9)
    picture.text(left + INSET, top + 25, preset, 13.5, weight=600)
    figures = (
        f"median {packets.quantile(0.5):.0f} ms, 99 % {packets.quantile(0.99):.0f} ms,"
        f" {percent(packets.share_lost)} lost"
    )
    picture.text(left + PANEL_WIDTH - INSET, top + 25, figures, 11, MUTED, "end")
    plot = Plot(left, top, packets)
    draw_axes(picture, plot)
    draw_dots(picture, [(plot.across(second), plot.up(msec)) for second, msec in packets.arrived])
    ticks = sorted({round(plot.across(second) / GRAIN) * GRAIN for second in packets.lost})
    if ticks:
        picture.shape("".join(f"M{x:g} {plot.lane:g}v{LANE}" for x in ticks), stroke=LOST)


def draw_key(picture, left, top):
    """How the panels are read."""
    picture.box(left, top, PANEL_WIDTH, PANEL_HEIGHT, PANEL, 9)
    picture.text(left + INSET, top + 25, "How to read this", 13.5, weight=600)
    x, y = left + INSET, top + 52
    picture.dot(x + 4, y - 4, 2.5, ARRIVED)
    picture.text(x + 18, y, "A packet, and how long it was on its way", 11.5)
    picture.shape(f"M{x + 4:g} {y + 9:g}v{LANE + 2}", stroke=LOST, width=2)
    picture.text(x + 18, y + 20, "A packet that was lost", 11.5)
    y += 46
    for words in (
        "Across: when it was sent. Each panel has its own scale of delays.",
        "The steep lines are stalls of wifi and awful: what is due",
        "meanwhile comes at their end, all at once.",
        "Otherwise a late packet delays those behind it. Only awful",
        "lets some be overtaken.",
    ):
        picture.text(x, y, words, 11, MUTED)
        y += 16


def draw(presets, seed):
    picture = Picture()
    picture.text(LABELS, 42, "What the presets do", 21, weight=650)
    subtitle = "The delay of 60 packets of 100 bytes a second, in one direction, and the packets that were lost."
    picture.text(LABELS, 64, subtitle, 12.5, MUTED)
    top = 82
    panels = len(presets) + 1
    for i, (preset, packets) in enumerate([*presets.items(), ("", None)]):
        left = EDGE + i % COLUMNS * (PANEL_WIDTH + GAP)
        y = top + i // COLUMNS * (PANEL_HEIGHT + GAP)
        if packets:
            draw_preset(picture, left, y, preset, packets)
        else:
            draw_key(picture, left, y)
    bottom = top + math.ceil(panels / COLUMNS) * (PANEL_HEIGHT + GAP) + 12
    last = seed + len(presets) - 1
    foot = f"Drawn by scripts/conditions_picture.sh from one run over loopback, all presets at once; rng_seed {seed} to {last}."
    picture.text(LABELS, bottom, foot, 11, MUTED)
    description = "Points: how long each packet of seven presets was on its way. Ticks: packets that were lost."
    return picture.svg(bottom + 20, "What the presets do", description)


def print_table(presets):
    print(f"{'preset':14} {'sent':>6} {'lost':>14} {'twice':>6} {'median':>9} {'90 %':>9} {'99 %':>9} {'longest':>9}")
    for preset, packets in presets.items():
        delays = [packets.quantile(share) for share in (0.5, 0.9, 0.99, 1)]
        sent = len(packets.arrived) + len(packets.lost)
        lost = f"{len(packets.lost)} = {packets.share_lost:.2%}"
        print(f"{preset:14} {sent:6} {lost:>14} {packets.twice:6} " + " ".join(f"{d:6.1f} ms" for d in delays))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("packets", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    presets = read(arguments.packets)
    print_table(presets)
    arguments.picture.write_text(draw(presets, arguments.seed), encoding="utf-8")


if __name__ == "__main__":
    main()
