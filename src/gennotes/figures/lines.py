"""Curves over training, with their spread over seeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gennotes.figures import style
from gennotes.figures.arrays import array, arrays
from gennotes.figures.labels import label_ends

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
    if ends:
        label_ends(figure, axes, ends)
    return figure
