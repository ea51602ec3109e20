"""Entropies of two variables as lengths."""

import numpy as np
from matplotlib.patches import Rectangle

from gennotes.figures import style
from gennotes.figures.labels import number


@style.house
def information_bars(
    joint: float,
    first: float,
    second: float,
    names: tuple[str, str] = ("X", "Y"),
    unit: str = "nats",
    title: str = "What two variables have in common is the overlap of their entropies",
) -> style.Figure:
    """H(X, Y), H(X) and H(Y) as bars over one axis: X from the left, Y from the right, and I(X; Y) where they overlap.

    joint, first, second: H(X, Y), H(X), H(Y) in `unit`. names: of X and Y in the labels.
    Raises ValueError if no two variables have such entropies: max(H(X), H(Y)) ≤ H(X, Y) ≤ H(X) + H(Y), up to 1e-9.
    """
    if not max(first, second) - 1e-9 <= joint <= first + second + 1e-9:
        raise ValueError(
            f"joint={joint:.4g}, first={first:.4g}, second={second:.4g}: give entropies with "
            "max(first, second) ≤ joint ≤ first + second"
        )
    x, y = names
    shared = first + second - joint
    rows = [  # (label, from, to, colour, hatch)
        (f"H({x}, {y})", 0.0, joint, style.REFERENCE, style.HATCHES[0]),
        (f"H({x})", 0.0, first, style.DATA, style.HATCHES[0]),
        (f"H({y})", joint - second, joint, style.MODEL, style.HATCHES[0]),
        (f"H({x} | {y})", 0.0, joint - second, style.DATA, style.HATCHES[1]),
        (f"I({x}; {y})", joint - second, first, style.OTHER, style.HATCHES[3]),
        (f"H({y} | {x})", first, joint, style.MODEL, style.HATCHES[1]),
    ]
    figure = style.Figure(height=3.3)
    axes = figure.add_subplot()
    for row, (_, start, end, colour, hatch) in enumerate(rows):
        at, size = (start, row - 0.3), (end - start, 0.6)
        axes.add_patch(Rectangle(at, *size, facecolor=colour, alpha=0.28, linewidth=0))
        axes.add_patch(Rectangle(at, *size, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=1.4))
        axes.text(joint * 1.02, row, number(end - start), va="center", ha="left", fontsize=style.SMALL)
    for edge in (joint - second, first):
        axes.axvline(edge, color=style.theme().quiet, linewidth=1.0, linestyle=style.DASHES[2], zorder=0)
    axes.set_yticks(np.arange(len(rows)), [label for label, *_ in rows], fontsize=style.TEXT, color=style.theme().ink)
    axes.set(xlabel=unit, xlim=(0, 1.14 * joint), ylim=(len(rows) - 0.5, -0.5))
    axes.set_title(f"I({x}; {y}) = H({x}) + H({y}) − H({x}, {y}) = {number(shared)} {unit}")
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= joint])
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    style.title(figure, title)
    return figure
