"""Conditional generators: their architecture, the class found against the class asked for, samples by class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from gennotes.figures import style
from gennotes.figures.arrays import arrays
from gennotes.figures.diagrams import Edge, Node, diagram

DRAWN = 120  # points of a panel that are drawn


def cgan_diagram(real: Any, fake: Any, name: str, title: str | None = None) -> style.Figure:
    """A conditional GAN: generator and discriminator are both told the class.

    real, fake: pictures of that class, (H, W) or (1, H, W) in [0, 1]. name: of the class, a few letters.
    """
    upper, middle, lower = 3.5, 2.36, 1.22
    nodes = {
        "x": Node((2.86, upper), "image", (0.98, 0.98), above="data $x$", colour=style.DATA, image=real),
        "c": Node((0.5, middle), "box", (0.86, 0.62), f"class $c$\n“{name}”", colour=style.OTHER),
        "z": Node((0.5, lower), "cells", (0.22, 0.88), below=r"$z \sim p(z)$", colour=style.REFERENCE),
        "G": Node((1.6, lower), "widening", (1.06, 1.2), "generator\n$G$", colour=style.MODEL),
        "fake": Node((2.86, lower), "image", (0.98, 0.98), below=r"fake $G(z \mid c)$", colour=style.MODEL, image=fake),
        "D": Node((4.52, middle), "narrowing", (1.36, 1.6), "discriminator\n$D$", colour=style.CRITIC),
        "p": Node(
            (6.2, middle), "box", (1.66, 0.88), "probability\n“these two are\nfrom the data”", colour=style.CRITIC
        ),
    }
    edges = [
        Edge("z", "G"),
        Edge("c.right", "G.top", through=[(1.6, middle)], colour=style.OTHER),
        Edge("c.right", "D.left", colour=style.OTHER),
        Edge("G", "fake"),
        Edge("x.right", "D.left", through=[(3.6, upper)]),
        Edge("fake.right", "D.left", through=[(3.6, lower)]),
        Edge("D", "p"),
    ]
    title = title or "Both players are told the class"
    return diagram(nodes, edges, title, height=4.8)


@style.house
def confusion_matrix(shares: Any, names: Sequence[str], title: str) -> style.Figure:
    """How often each class was found (columns) where each class was asked for (rows), in per cent of the row.

    shares: (K, K) in [0, 1], rows that add to 1. names: of the classes, in this order.
    Shares below half a per cent are left blank. Raises ValueError on other shapes, or on rows that are no shares.
    """
    (table,) = arrays(shares=(shares, f"{len(names)} {len(names)}"))
    if table.min() < 0 or np.abs(table.sum(1) - 1).max() > 1e-3:
        raise ValueError("the rows of shares do not add to 1; divide each row of counts by its sum")
    figure = style.Figure(height=1.1 + 0.36 * len(names))
    axes = figure.add_subplot()
    colours = LinearSegmentedColormap.from_list("found", [style.theme().paper, style.MODEL])
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(edges, edges, 100 * table, cmap=colours, vmin=0, vmax=130, edgecolors=style.theme().faint, lw=0.6)
    for row, column in zip(*np.nonzero(table >= 0.005), strict=True):
        look = {"fontweight": "bold"} if row == column else {}
        axes.text(
            column, row, f"{100 * table[row, column]:.0f}", ha="center", va="center", fontsize=style.SMALL, **look
        )
    axes.set(xlabel="class found by the classifier (share in %)", ylabel="class asked for")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    style.title(figure, title)
    return figure


@style.house
def class_clouds(panels: Mapping[str, tuple[Any, Any]], centres: Any, title: str) -> style.Figure:
    """Points of the plane, each drawn as the number of the class that was asked for, over the centres of the classes.

    panels: label -> (points (N, 2), classes (N,)), up to four side by side; the first 120 points are drawn. centres:
    (K, 2), each a ring with the class's number outside of it.
    Raises ValueError on other shapes, a class that has no centre, or more panels.
    """
    if not 1 <= len(panels) <= 4:
        raise ValueError(f"there are {len(panels)} panels; give one to four")
    (rings,) = arrays(centres=(centres, "K 2"))
    side = (style.WIDTH - 0.1) / len(panels)
    names = {label: style.wrap(label, side - 0.2, style.SMALL) for label in panels}
    lines = max(name.count("\n") for name in names.values())
    height = 0.95 + 0.2 * lines + min(side, 3.4)
    figure = style.Figure(height=height, raster=True, colours=128)
    reach = 1.6 * np.abs(rings).max()
    for axes, (label, (points, classes)) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
    ):
        named = {f"points of {label!r}": (points, "N 2"), f"classes of {label!r}": (classes, "N")}
        x, y = arrays(**named)
        if not set(np.unique(y)) <= set(range(len(rings))):
            raise ValueError(f"classes of {label!r} go from {y.min():g} to {y.max():g}; there are {len(rings)} centres")
        x, y = x[:DRAWN], y[:DRAWN]
        for k in np.unique(y).astype(int):
            ink = style.ink(style.CLASSES[k % len(style.CLASSES)])
            axes.scatter(*x[y == k].T, s=19, marker=f"${k}$", color=ink, linewidths=0.3)
        axes.plot(*rings.T, "o", fillstyle="none", color=style.theme().quiet, markersize=15, markeredgewidth=1)
        for k, ring in enumerate(rings):
            where = 1.38 * ring
            ink = style.ink(style.CLASSES[k % len(style.CLASSES)])
            axes.text(*where, str(k), ha="center", va="center", fontsize=style.SMALL, color=ink, fontweight="bold")
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="$x_1$")
        axes.set_title(names[label], color=style.theme().ink)
        axes.grid(visible=False)
        axes.locator_params(nbins=3)
    figure.axes[0].set_ylabel("$x_2$")
    style.title(figure, title)
    return figure
