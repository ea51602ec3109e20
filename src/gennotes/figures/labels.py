"""Labels that stand beside what they name and do not touch each other."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from gennotes.figures import style

# Where a label is tried, from its point: to the right, to the left, above, below; then farther away.
DIRECTIONS = ((1, 0.9), (1, -0.9), (-1, 0.9), (-1, -0.9), (0, 1.6), (0, -1.6), (1, 0), (-1, 0))
DISTANCES = (7, 11, 16, 24, 36, 50)  # points


def label_ends(figure: style.Figure, axes: Axes, ends: list[tuple[str, float | None, float, str]]) -> None:
    """Writes each label right of the axes at the height of its line's end, moved apart where two would touch.

    ends: (label, x or None for the right border, y, colour).
    """
    look = {"transform": axes.transAxes, "va": "center", "linespacing": 1.1}
    texts = [
        axes.text(1.03, 0.5, style.wrap(label, 1.5), color=style.ink(colour), **look) for label, _, _, colour in ends
    ]
    figure.draw_without_rendering()  # the layout is known from here on
    box, right = axes.get_window_extent(), axes.get_xlim()[1]
    points = axes.transData.transform([(right if x is None else x, y) for _, x, y, _ in ends])
    points = (points - (box.x0, box.y0)) / (box.width, box.height)
    heights = np.array([text.get_window_extent().height for text in texts]) / box.height
    placed = spaced(points[:, 1], 1.05 * heights)
    for text, (x, y), height, (_, _, _, colour) in zip(texts, points, placed, ends, strict=True):
        text.set_y(height)
        if abs(height - y) > 0.3 * heights.min() or x < 0.97:  # the label is not beside its line: lead to it
            leader = ([x, 1.022], [y, height])
            axes.plot(*leader, transform=axes.transAxes, color=colour, linewidth=0.9, alpha=0.7, clip_on=False)


def spaced(wanted: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Places things of `sizes` in [0, 1] as near to `wanted` as can be without overlap, in the order of `wanted`.

    wanted, sizes: (n,), centres and lengths. Returns centres (n,), those with the least sum of squared shifts.
    If the sizes add up to more than 1, they stand from 0 upwards and leave the interval.
    """
    order = np.argsort(wanted, kind="stable")
    size = sizes[order]
    offsets = np.cumsum(size) - size / 2  # centres of things that stand from 0 upwards without a gap
    blocks: list[tuple[float, int]] = []  # shift of things that touch, and how many they are
    for shift in wanted[order] - offsets:  # the shifts must not fall: pool adjacent violators
        count = 1
        while blocks and blocks[-1][0] > shift:
            other, n = blocks.pop()
            shift, count = (shift * count + other * n) / (count + n), count + n
        blocks.append((shift, count))
    shifts = np.repeat([shift for shift, _ in blocks], [count for _, count in blocks])
    placed = np.empty(len(wanted))
    placed[order] = offsets + np.clip(shifts, 0.0, max(0.0, 1.0 - size.sum()))
    return placed


def label_points(
    figure: style.Figure,
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    labels: Sequence[str],
    lines: Iterable[tuple[Any, Any]] = (),
    **look: Any,
) -> list[Annotation]:
    """Writes each label beside its point, on the first side where it touches no point, line or other label.

    lines: (x, y) of what else is drawn, in data coordinates.
    """
    figure.draw_without_rendering()
    frame = axes.get_window_extent()
    points = axes.transData.transform(np.column_stack([x, y]))
    around = np.stack(np.meshgrid([-4, 0, 4], [-4, 0, 4]), axis=-1).reshape(-1, 2)
    ink = [(points[:, None] + around).reshape(-1, 2)]  # pixels that are drawn on
    for line in lines:
        corners = axes.transData.transform(np.column_stack(line))
        share = np.linspace(0, 1, 60)[:, None, None]
        ink.append(((1 - share) * corners[:-1] + share * corners[1:]).reshape(-1, 2))
    drawn = np.concatenate(ink)
    taken: list[Bbox] = []
    notes = []
    for px, py, label in zip(x, y, labels, strict=True):
        note = axes.annotate(label, (px, py), xytext=(0, 0), textcoords="offset points", va="center", **look)
        for distance, (across, up) in itertools.product(DISTANCES, DIRECTIONS):
            note.set_ha(("right", "center", "left")[across + 1])
            note.xyann = (across * distance, up * distance)
            box = note.get_window_extent()
            free = not any(box.overlaps(other) for other in taken) and not box.padded(2).count_contains(drawn)
            if free and frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1:
                break
        taken.append(box)
        notes.append(note)
    return notes


def number(value: float) -> str:
    """`value` in three or four significant digits, with a true minus."""
    size = abs(value)
    if size == 0 or 1e-2 <= size < 1e5:
        text = f"{value:,.{2 if size < 10 else 1 if size < 1000 else 0}f}"
    else:
        mantissa, exponent = f"{value:.1e}".split("e")
        text = rf"{mantissa}$\times 10^{{{int(exponent)}}}$"
    return text.replace("-", "−", 1) if value < 0 else text
