"""Diagrams of architectures, drawn from lists of nodes and edges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path

from gennotes.figures import style
from gennotes.figures.arrays import array, pixels

KINDS = ("image", "narrowing", "widening", "box", "circle", "cells", "text")
NARROW = 0.54  # a trapezoid's short side, as a share of its long side
SHADES = (0.15, 0.75, 0.4, 0.9, 0.25, 0.6)  # of the cells of a vector: some values, no meaning


@dataclass(frozen=True)
class Node:
    """One thing in a diagram.

    at: centre (x, y) in inches from the lower left corner; the page is 7.2 inches wide.
    kind: "image", "box", "circle", "text", "cells" (a vector), "narrowing" or "widening" (encoder, decoder).
    size: (width, height) in inches. text: written inside. above, below: written there.
    colour: of the outline and, much lighter, of the inside. image: pixels (H, W), (1, H, W) or (3, H, W) in [0, 1].
    """

    at: tuple[float, float]
    kind: str = "box"
    size: tuple[float, float] = (1.0, 1.0)
    text: str = ""
    above: str = ""
    below: str = ""
    colour: str = style.REFERENCE
    image: Any = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is unknown; give one of {', '.join(map(repr, KINDS))}")
        if (self.image is None) == (self.kind == "image"):
            raise ValueError(
                f"a node of kind {self.kind!r} has image={self.image!r}; give an image to kind 'image' only"
            )


@dataclass(frozen=True)
class Edge:
    """An arrow from one node's border to another's.

    start, end: names of nodes, or "name.side" with a side of left, right, top, bottom; without one the facing sides.
    through: corners (x, y) in inches that the line passes on its way. dashed: for what is not computed but compared.
    arrow: False for a plain line. text: written beside the middle of the line.
    """

    start: str
    end: str
    text: str = ""
    through: Sequence[tuple[float, float]] = ()
    dashed: bool = False
    arrow: bool = True
    colour: str | None = None


@style.house
def diagram(nodes: Mapping[str, Node], edges: Iterable[Edge], title: str, height: float = 2.4) -> style.Figure:
    """Draws nodes and the arrows between them; 1 unit is 1 inch.

    Raises ValueError if an edge names a node or a side that is not there.
    """
    figure = style.Figure(height=height, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, style.WIDTH), ylim=(0, height))
    axes.set_axis_off()
    style.title(figure, title)
    for edge in edges:
        _draw_edge(axes, nodes, edge)
    for node in nodes.values():
        _draw_node(axes, node)
    axes.set(xlim=(0, style.WIDTH), ylim=(0, height))
    return figure


def _tint(colour: str, share: float = 0.16) -> tuple[float, ...]:
    """`colour` thinned with paper."""
    return tuple(share * np.array(to_rgb(colour)) + (1 - share) * np.array(to_rgb(style.theme().paper)))


def _draw_node(axes: Axes, node: Node) -> None:
    (x, y), (w, h) = node.at, node.size
    theme = style.theme()
    look = {"facecolor": _tint(node.colour), "edgecolor": node.colour, "linewidth": 1.5, "zorder": 3}
    match node.kind:
        case "image":
            box = (x - w / 2, x + w / 2, y - h / 2, y + h / 2)
            picture = pixels("image", array(node.image)[None])[0]
            # "none" puts the image's own pixels into the SVG, and the browser enlarges them without smoothing
            axes.imshow(
                picture, cmap=theme.images, vmin=0, vmax=1, extent=box, interpolation="none", aspect="auto", zorder=3
            )
            axes.add_patch(Rectangle((x - w / 2, y - h / 2), w, h, **look | {"facecolor": "none"}))
        case "cells":
            axes.add_collection(PatchCollection(_cells(node), match_original=True, zorder=3))
        case "text":
            pass
        case _:
            axes.add_patch(_shape(node, look))
    common = {"ha": "center", "zorder": 4, "linespacing": 1.3}
    if node.text:
        axes.text(x, y, node.text, va="center", fontsize=style.TEXT, **common)
    if node.above:
        axes.text(x, y + h / 2 + 0.08, node.above, va="bottom", fontsize=style.TEXT, **common)
    if node.below:
        axes.text(x, y - h / 2 - 0.08, node.below, va="top", fontsize=style.TEXT, **common)


def _shape(node: Node, look: Mapping[str, Any]) -> Patch:
    (x, y), (w, h) = node.at, node.size
    narrow = NARROW * h / 2
    match node.kind:
        case "narrowing":
            left, right = h / 2, narrow
        case "widening":
            left, right = narrow, h / 2
        case "circle":
            return Circle((x, y), min(w, h) / 2, **look)
        case _:
            rounded = "round,pad=0,rounding_size=0.08"
            return FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle=rounded, **look)
    corners = [(x - w / 2, y - left), (x - w / 2, y + left), (x + w / 2, y + right), (x + w / 2, y - right)]
    return Polygon(corners, closed=True, joinstyle="round", **look)


def _cells(node: Node) -> list[Patch]:
    """A column of squares in shades of the node's colour."""
    (x, y), (w, h) = node.at, node.size
    count = max(1, round(h / w))
    return [
        Rectangle(
            (x - w / 2, y - h / 2 + i * h / count),
            w,
            h / count,
            facecolor=_tint(node.colour, 0.7 * SHADES[i % len(SHADES)]),
            edgecolor=node.colour,
            linewidth=1.2,
        )
        for i in range(count)
    ]


def _draw_edge(axes: Axes, nodes: Mapping[str, Node], edge: Edge) -> None:
    start, end = (_node(nodes, name, edge) for name in (edge.start, edge.end))
    first = _border(start, _side(edge.start), edge.through[0] if edge.through else end.at)
    last = _border(end, _side(edge.end), edge.through[-1] if edge.through else start.at)
    corners = [first, *edge.through, last]
    look = {"color": edge.colour or style.theme().quiet, "linewidth": 1.5, "joinstyle": "round", "zorder": 2}
    if edge.dashed:  # the head is drawn on its own: dashes would run round its outline
        axes.add_patch(PathPatch(Path(corners), fill=False, linestyle=(0, (3, 2)), capstyle="butt", **look))
        way = np.subtract(last, corners[-2])
        corners = [tuple(last - way * 0.02 / np.hypot(*way)), last]
    if edge.arrow or not edge.dashed:
        head = "-|>,head_length=5,head_width=2.6" if edge.arrow else "-"
        axes.add_patch(FancyArrowPatch(path=Path(corners), arrowstyle=head, shrinkA=0, shrinkB=0, **look))
    if edge.text:
        way = [first, *edge.through, last]
        (x0, y0), (x1, y1) = way[len(way) // 2 - 1], way[len(way) // 2]
        across = abs(x1 - x0) >= abs(y1 - y0)
        axes.text(
            (x0 + x1) / 2 + (0 if across else 0.08),
            (y0 + y1) / 2 + (0.06 if across else 0),
            edge.text,
            ha="center" if across else "left",
            va="bottom" if across else "center",
            fontsize=style.SMALL,
            color=style.theme().quiet,
            zorder=4,
        )


def _node(nodes: Mapping[str, Node], name: str, edge: Edge) -> Node:
    name, _, side = name.partition(".")
    if name not in nodes or side not in ("", "left", "right", "top", "bottom"):
        raise ValueError(
            f"edge {edge.start!r} -> {edge.end!r} needs a node {name!r}{f' and its side {side!r}' if side else ''}; "
            f"the nodes are {', '.join(map(repr, nodes))}, the sides left, right, top and bottom"
        )
    return nodes[name]


def _side(name: str) -> str:
    return name.partition(".")[2]


def _border(node: Node, side: str, towards: tuple[float, float]) -> tuple[float, float]:
    """The middle of the side of `node` that faces `towards`, or of the side that is named, a little outside it."""
    (x, y), (w, h) = node.at, node.size
    dx, dy = towards[0] - x, towards[1] - y
    if not side:
        # a point beside the node, not above or below it, is met at the left or the right
        across = abs(dx) >= w / 2 and abs(dx) / w >= 0.5 * abs(dy) / h
        side = ("right" if dx > 0 else "left") if across else ("top" if dy > 0 else "bottom")
    if node.kind in ("narrowing", "widening"):
        h *= (1 + NARROW) / 2  # where the slanting side has its middle
    gap = 0.035
    match side:
        case "left":
            return x - w / 2 - gap, y
        case "right":
            return x + w / 2 + gap, y
        case "top":
            return x, y + h / 2 + gap
        case _:
            return x, y - h / 2 - gap
