"""One normal fitted to two modes: what each divergence chooses, and what it chooses as the modes part."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gennotes.figures import style
from gennotes.figures.arrays import arrays


@style.house
def fitted_normals(
    x: Any,
    density: Any,
    fitted: Mapping[str, Sequence[Any]],
    title: str = "The order of the arguments decides: cover both modes, or pick one",
) -> style.Figure:
    """One panel for each objective: the density of the data, filled, and the normals that were fitted to it.

    x: places, (T,). density: of the data there, (T,).
    fitted: label of the objective -> densities (T,) of its minima, the lowest first (drawn solid; the others dashed).
    Raises ValueError on shapes that do not fit or an objective without a minimum.
    """
    if not fitted or not all(len(minima) for minima in fitted.values()):
        raise ValueError(f"fitted has {[len(m) for m in fitted.values()]} minima; give at least one for each objective")
    figure = style.Figure(height=3.0)
    panels = np.atleast_1d(figure.subplots(1, len(fitted), sharey=True))
    for axes, (label, minima) in zip(panels, fitted.items(), strict=True):
        named = {f"fitted[{label!r}][{i}]": (values, "T") for i, values in enumerate(minima)}
        at, data, *curves = arrays(x=(x, "T"), density=(density, "T"), **named)
        axes.fill_between(at, data, color=style.DATA, alpha=0.25, linewidth=0)
        axes.plot(at, data, color=style.DATA, linewidth=1.2)
        for values in curves[:0:-1]:  # the lowest is drawn last, on top
            axes.plot(at, values, color=style.MODEL, linewidth=1.4, linestyle=style.DASHES[1])
        axes.plot(at, curves[0], color=style.MODEL, linewidth=2.4)
        axes.set_title(label)
        axes.set(xlabel="$x$")
        axes.grid(axis="x", visible=False)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("density")
    style.title(figure, title)
    return figure


@style.house
def minima_by_parting(
    minima: Mapping[str, Sequence[tuple[float, Sequence[float], Sequence[float]]]],
    title: str = "Where the best normal sits as the modes part",
) -> style.Figure:
    """One panel for each objective: the means of all minima that were found, against the parting of the modes.

    minima: label -> one (parting, means, values) for each parting; the mean and the objective's value of each minimum.
    Partings and means in units of σ, the standard deviation of a mode.
    Large filled dots: the lowest minimum (both, where two mirror images are equally low, to 1e-6). Small hollow dots:
    the other minima. Grey lines: the centres of the modes, ± half the parting.
    Raises ValueError if means and values differ in length or one of them is empty.
    """
    if not minima or not all(len(rows) for rows in minima.values()):
        raise ValueError("minima is empty; give at least one label with at least one (parting, means, values)")
    figure = style.Figure(height=3.3)
    panels = np.atleast_1d(figure.subplots(1, len(minima), sharey=True))
    for axes, (label, rows) in zip(panels, minima.items(), strict=True):
        best, other = [], []
        for parting, means, values in rows:
            means, values = arrays(means=(means, "M"), values=(values, "M"))
            low = values <= values.min() + 1e-6
            best += [(parting, mean) for mean in means[low]]
            other += [(parting, mean) for mean in means[~low]]
        ends = np.array([0.0, max(parting for parting, _, _ in rows)])
        for side in (-0.5, 0.5):
            axes.plot(ends, side * ends, color=style.REFERENCE, linewidth=1.4, linestyle=style.DASHES[2])
        look = {"linestyle": "none", "color": style.MODEL}
        axes.plot(*_columns(other), "o", markersize=3.4, fillstyle="none", markeredgewidth=0.9, **look)
        axes.plot(*_columns(best), "o", markersize=5.2, markeredgewidth=0, **look)
        axes.set_title(label)
        axes.set_xlabel(r"parting (in $\sigma$)")
    panels[0].set_ylabel(r"mean of the fit (in $\sigma$)")
    style.title(figure, title)
    return figure


def _columns(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
