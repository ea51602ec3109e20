"""What critics learn: their surfaces over the plane, their weights, and what their loss says about the samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gennotes.figures import style
from gennotes.figures.arrays import arrays


@style.house
def value_surfaces(
    grid: Any, rows: Mapping[str, Mapping[str, Any]], points: Mapping[str, Any], title: str
) -> style.Figure:
    """Level lines of critics over the plane: a row for each way of training, a column for each set of data.

    grid: (T,), the places along either axis. rows: way -> {column: values (T, T), of f(x₁, x₂) at [x₂, x₁]}.
    points: column -> data (N, 2), drawn on top. A panel's levels span its own values, which say nothing of their size.
    Raises ValueError on shapes that do not fit, or columns without points.
    """
    if not rows or any(set(panels) != set(points) for panels in rows.values()):
        raise ValueError(f"rows must each have the columns {', '.join(points)}, and be at least one")
    (at,) = arrays(grid=(grid, "T"))
    figure = style.Figure(height=2.9 * len(rows), raster=True, colours=64)
    panels = figure.subplots(len(rows), len(points), squeeze=False, sharex=True, sharey=True)
    for line, (way, surfaces) in zip(panels, rows.items(), strict=True):
        for axes, (column, data) in zip(line, points.items(), strict=True):
            places, values = arrays(**{"grid": (at, "T"), f"rows[{way!r}][{column!r}]": (surfaces[column], "T T")})
            (data,) = arrays(**{f"points[{column!r}]": (data, "N 2")})
            axes.contourf(places, places, values, 9, cmap="Greens" if style.theme().paper == "#ffffff" else "Greens_r")
            axes.contour(places, places, values, 9, colors=style.CRITIC, linewidths=0.7)
            axes.scatter(*data.T, s=7, color=style.DATA, edgecolor=style.theme().paper, linewidth=0.4)
            axes.set(aspect="equal", title=f"{column}, {way}")
            axes.locator_params(axis="x", nbins=4, prune="lower")  # its number would touch that of the other axis
            axes.locator_params(axis="y", nbins=4)
            axes.grid(visible=False)
        line[0].set_ylabel("$x_2$")
    for axes in panels[-1]:
        axes.set_xlabel("$x_1$")
    style.title(figure, title)
    return figure


@style.house
def weight_histograms(weights: Mapping[str, Any], bound: float, title: str, bins: int = 41) -> style.Figure:
    """One panel a network: how its weights are spread, with the clipping bound ±c as grey lines.

    weights: label -> weights (N,). bound: c. The panels share the vertical axis, the share of the weights in a bin.
    """
    if not weights:
        raise ValueError("weights is empty; give at least one label with weights (N,)")
    figure = style.Figure(height=3.0)
    panels = np.atleast_1d(figure.subplots(1, len(weights), sharey=True))
    for axes, (label, given) in zip(panels, weights.items(), strict=True):
        (values,) = arrays(**{label: (given, "N")})
        axes.hist(values, bins=bins, weights=np.full(len(values), 100 / len(values)), color=style.CRITIC)
        for place in (-bound, bound):
            axes.axvline(place, color=style.REFERENCE, linewidth=1.4, linestyle=(0, (2, 2)))
        axes.set(xlabel="weight", title=label)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x", visible=False)
    panels[0].set_ylabel("share of the weights (%)")
    style.title(figure, title)
    return figure


@style.house
def loss_against_quality(
    panels: Mapping[str, tuple[Any, Any]], title: str, ylabels: Sequence[str], xlabel: str = "$W_1$ of the samples"
) -> style.Figure:
    """One panel a method: what the loss says against how far the samples are, a point for each seed and checkpoint.

    panels: label -> (distance (S, T), what the loss says (S, T)), lower is better for both. ylabels: one a panel.
    Seeds differ in their markers' shade. Raises ValueError on shapes that do not fit.
    """
    if not panels or len(ylabels) != len(panels):
        raise ValueError(f"there are {len(panels)} panels and {len(ylabels)} ylabels; give one for each, at least one")
    figure = style.Figure(height=3.3, raster=True, colours=64)
    for i, (label, (quality, said)) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), i + 1)
        x, y = arrays(**{f"distance of {label!r}": (quality, "S T"), f"loss of {label!r}": (said, "S T")})
        for seed in range(len(x)):
            shade = 0.35 + 0.65 * seed / max(1, len(x) - 1)
            axes.plot(x[seed], y[seed], "o", markersize=3, color=style.SERIES[i % len(style.SERIES)], alpha=shade)
        axes.set(xlabel=xlabel, ylabel=ylabels[i], title=label)
        axes.locator_params(nbins=4)
    style.title(figure, title)
    return figure
