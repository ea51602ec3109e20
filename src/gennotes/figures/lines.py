"""Curves over training, with their spread over seeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gennotes.figures import style
from gennotes.figures.arrays import array, arrays

SPREADS = {"range": "lowest to highest", "sd": "one standard deviation either side"}


@style.house
def curves(
    series: Mapping[str, tuple[Any, Any]],
    title: str,
    ylabel: str,
    xlabel: str = "update steps",
    spread: str = "range",
    reference: Mapping[str, float] | None = None,
    log_x: bool = False,
    log_y: bool = False,
) -> style.Figure:
    """One line a series, named at its right end; for several seeds their mean, and a band for their spread.

    series: label -> (steps (T,), values (T,) or (S, T) for S seeds). Values that are NaN leave a hole in the line.
    spread: what the band spans, "range" (lowest to highest seed) or "sd" (one standard deviation about the mean).
    reference: label -> value, drawn as horizontal grey lines.
    Raises ValueError on shapes that do not fit or an unknown spread.
    """
    if not series:
        raise ValueError("series is empty; give at least one label with (steps, values)")
    if spread not in SPREADS:
        raise ValueError(f"spread {spread!r} is unknown; give one of {', '.join(map(repr, SPREADS))}")
    figure = style.Figure(height=3.8)
    axes = figure.add_subplot()
    ends, counts = [], set()
    for i, (label, (steps, values)) in enumerate(series.items()):
        shape = "T" if array(values).ndim == 1 else "S T"
        names = {f"steps of {label!r}": (steps, "T"), f"values of {label!r}": (values, shape)}
        x, y = arrays(finite=False, **names)
        y = np.atleast_2d(y)
        colour, dash = style.SERIES[i % len(style.SERIES)], style.DASHES[i % len(style.DASHES)]
        mean = y.mean(axis=0)
        if len(y) > 1:
            counts.add(len(y))
            sd = y.std(axis=0, ddof=1)
            low, high = (y.min(axis=0), y.max(axis=0)) if spread == "range" else (mean - sd, mean + sd)
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, mean, color=colour, linestyle=dash, label=label)
        known = np.flatnonzero(np.isfinite(mean))
        if known.size:
            ends.append((label, x[known[-1]], mean[known[-1]], colour))
    for label, value in (reference or {}).items():
        axes.axhline(value, color=style.REFERENCE, linewidth=1.4, linestyle=(0, (2, 2)), label=label)
        ends.append((label, None, float(value), style.REFERENCE))
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    axes.margins(x=0.01)
    if counts:
        seeds = " or ".join(str(n) for n in sorted(counts))
        axes.set_title(f"line: mean of {seeds} seeds; band: {SPREADS[spread]}")
    style.title(figure, title)
    label_ends(figure, axes, ends)
    return figure


def label_ends(figure: style.Figure, axes: Axes, ends: list[tuple[str, float | None, float, str]]) -> None:
    """Writes each label right of the axes at the height of its line's end, moved apart where two would touch.

    ends: (label, x or None for the right border, y, colour).
    """
    right = axes.get_xlim()[1]
    notes = []
    for label, x, y, colour in ends:
        notes.append(
            axes.annotate(
                label,
                xy=(right if x is None else x, y),
                xycoords="data",
                xytext=(1.025, 0.5),
                textcoords="axes fraction",
                color=style.ink(colour),
                va="center",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 1},
            )
        )
    figure.draw_without_rendering()  # the layout is known from here on
    box = axes.get_window_extent()
    wanted = np.array([(axes.transData.transform((right, y))[1] - box.y0) / box.height for _, _, y, _ in ends])
    heights = np.array([note.get_window_extent().height for note in notes]) / box.height
    for note, y in zip(notes, spaced(wanted, heights.max(initial=0.0) * 1.15), strict=True):
        note.set_position((1.025, y))


def spaced(wanted: np.ndarray, gap: float) -> np.ndarray:
    """The positions nearest to `wanted` (in least squares) that keep their order and lie at least `gap` apart."""
    order = np.argsort(wanted, kind="stable")
    blocks: list[tuple[float, int]] = []  # (mean of the wanted positions less their offsets, how many)
    for i, position in enumerate(wanted[order]):
        mean, count = position - i * gap, 1
        while blocks and blocks[-1][0] > mean:  # pool adjacent violators
            other, n = blocks.pop()
            mean, count = (mean * count + other * n) / (count + n), count + n
        blocks.append((mean, count))
    placed = np.empty(len(wanted))
    placed[order] = np.repeat([m for m, _ in blocks], [n for _, n in blocks]) + np.arange(len(wanted)) * gap
    return placed
