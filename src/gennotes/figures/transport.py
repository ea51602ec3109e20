"""A transport plan: which mass goes where."""

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection

from gennotes.figures import style
from gennotes.figures.arrays import arrays


@style.house
def transport_plan(x: Any, y: Any, plan: Any, title: str, names: tuple[str, str] = ("P", "Q")) -> style.Figure:
    """Points of P, filled, and of Q, hollow, with a line for every pair between which the plan moves mass.

    x: (N, 2), y: (M, 2), places in the plane. plan: (N, M), the mass that goes from x_i to y_j; a line's width shows
    its share of the largest. Lines of less than a thousandth of the largest are left out.
    Raises ValueError on shapes that do not fit or a plan that moves nothing.
    """
    x, y, plan = arrays(x=(x, "N 2"), y=(y, "M 2"), plan=(plan, "N M"))
    largest = plan.max()
    if not largest > 0:
        raise ValueError("plan moves no mass; give masses of which one at least is above 0")
    figure = style.Figure(height=4.2)
    axes = figure.add_subplot()
    rows, columns = np.nonzero(plan > 1e-3 * largest)
    widths = 0.4 + 2.0 * plan[rows, columns] / largest
    ways = np.stack([x[rows], y[columns]], axis=1)
    axes.add_collection(LineCollection(ways, linewidths=widths, colors=style.REFERENCE, zorder=1))
    axes.scatter(*x.T, s=34, color=style.DATA, label=names[0], zorder=2)
    look = {"facecolor": style.theme().paper, "edgecolor": style.MODEL, "linewidth": 1.8, "marker": "s"}
    axes.scatter(*y.T, s=34, label=names[1], zorder=2, **look)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    axes.margins(0.06)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    style.title(figure, title)
    return figure
