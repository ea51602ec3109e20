"""Translation of images: who sees what, the U-Net, the patches of a discriminator, and what each loss scores."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from gennotes.figures import style
from gennotes.figures.arrays import arrays
from gennotes.figures.diagrams import Edge, Node, diagram

DOT = {"marker": "o", "markersize": 6, "markeredgewidth": 0, "alpha": 0.85, "linestyle": "none"}


def translation_diagram(x: Any, made: Any, target: Any, title: str | None = None) -> style.Figure:
    """Who sees what in pix2pix: the generator the input; D a pair of it with the output or the target; L1 the two.

    x, made, target: input, output and target, (H, W) or (1, H, W) in [0, 1].
    """
    upper, lower = 3.0, 1.2
    nodes = {
        "x": Node((0.62, lower), "image", (1.0, 1.0), below="input $x$", colour=style.DATA, image=x),
        "G": Node((1.98, lower), "widening", (1.0, 1.2), "U-Net\n$G$", colour=style.MODEL),
        "made": Node((3.34, lower), "image", (1.0, 1.0), below="output $G(x)$", colour=style.MODEL, image=made),
        "y": Node((3.34, upper), "image", (1.0, 1.0), below="target $y$", colour=style.DATA, image=target),
        "l1": Node((4.72, 2.1), "box", (0.62, 0.5), "$L_1$", colour=style.OTHER),
        "D": Node((5.84, lower), "narrowing", (0.98, 1.3), "patches\n$D$", colour=style.CRITIC),
        "map": Node((6.76, lower), "box", (0.52, 0.52), "?", above="real?", colour=style.CRITIC),
        "pair": Node((5.84, upper), "text", (2.3, 0.7), "$D$ is shown $x$ with $G(x)$,\nor $x$ with $y$"),
    }
    edges = [
        Edge("x", "G"),
        Edge("G", "made"),
        Edge("y.right", "l1.top", through=[(4.72, upper)], dashed=True),
        Edge("made.right", "l1.bottom", through=[(4.72, lower)], dashed=True),
        Edge("made.right", "D.left"),
        Edge("pair.bottom", "D.top", dashed=True, colour=style.CRITIC),
        Edge("x.bottom", "D.bottom", through=[(0.62, 0.2), (5.84, 0.2)]),
        Edge("D", "map"),
    ]
    # the caption of the input would stand on the line that leaves below it
    nodes["x"] = Node((0.62, lower), "image", (1.0, 1.0), above="input $x$", colour=style.DATA, image=x)
    title = title or "The output must be near the target, and pass for a target of this input"
    return diagram(nodes, edges, title, height=4.15)


@style.house
def unet_diagram(
    maps: Sequence[tuple[int, int]], title: str, inputs: int = 1, outputs: int = 1, skips: bool = True
) -> style.Figure:
    """A U-Net as boxes: maps shrink from left to right down to the bottleneck and grow again; skips run across.

    maps: (channels, side) of what each layer down gives, from the first to the innermost, each side half of the one
        before. inputs, outputs: channels of the images.
    Raises ValueError without two maps, or if a side is not half of the one before.
    """
    sides = [side for _, side in maps]
    if len(maps) < 2 or any(2 * b != a for a, b in itertools.pairwise(sides)):
        raise ValueError(f"maps have the sides {sides}; give at least two, each half of the one before")
    depth = len(maps)
    levels = [(inputs, 2 * sides[0]), *maps]
    step = (style.WIDTH - 0.9) / (2 * depth)
    height = 0.72 + 0.62 * (depth + 1)
    nodes, edges = {}, []
    for k, (channels, side) in enumerate(levels):
        y = height - 0.9 - 0.62 * k
        for half, sign in (("down", -1), ("up", 1)):
            if k == depth and half == "up":
                continue
            x = style.WIDTH / 2 + sign * step * (depth - k)
            colour = style.REFERENCE if k == depth else style.DATA if half == "down" else style.MODEL
            if half == "up":
                channels = levels[k][0] if k else outputs
            words = f"{channels} × {side}²"
            nodes[f"{half} {k}"] = Node((x, y), "box", (0.86 if k < depth else 1.0, 0.4), words, colour=colour)
        if k:
            edges.append(Edge(f"down {k - 1}.bottom", f"down {k}.left", through=[(_x(nodes, k - 1, "down"), y)]))
        if skips and 0 < k < depth:
            edges.append(Edge(f"down {k}.right", f"up {k}.left", text="skip" if k == 1 else "", dashed=True))
    for k in reversed(range(depth)):
        source = f"up {k + 1}" if k + 1 < depth else f"down {depth}"
        edges.append(Edge(f"{source}.right", f"up {k}.bottom", through=[(_x(nodes, k, "up"), nodes[source].at[1])]))
    return diagram(nodes, edges, title, height=height)


def _x(nodes: Mapping[str, Node], level: int, half: str) -> float:
    return nodes[f"{half} {level}"].at[0]


@style.house
def patch_reach(panels: Mapping[str, tuple[Any, int]], title: str) -> style.Figure:
    """How much one logit of a discriminator depends on each pixel, with the square that its layers allow.

    panels: label -> (size of the gradient at each pixel (H, W), side of the receptive field in pixels). The frame is
        centred on the middle of the pixels with a gradient; what lies outside of the image is the padding's.
    Raises ValueError on another shape, a negative size, or if no pixel has a gradient.
    """
    if not panels:
        raise ValueError("panels is empty; give at least one label with (sizes, side)")
    width = style.WIDTH / len(panels)
    figure = style.Figure(height=min(width, 3.3) + 1.35, raster=True, colours=128)
    for axes, (label, (sizes, side)) in zip(
        np.atleast_1d(figure.subplots(1, len(panels), sharey=True)), panels.items(), strict=True
    ):
        (x,) = arrays(**{f"sizes of {label!r}": (sizes, "H W")})
        if x.min() < 0 or not x.any():
            raise ValueError(f"sizes of {label!r} go from {x.min():.3g} to {x.max():.3g}; give sizes, some above 0")
        share = (x / x.max()) ** 0.5  # a square root, for the faint rim to be seen
        axes.imshow(share, cmap="Greens" if style.theme().paper == "#ffffff" else "Greens_r", vmin=0, vmax=1)
        rows, columns = np.nonzero(x.any(1))[0], np.nonzero(x.any(0))[0]
        middle = np.array([columns[[0, -1]].mean(), rows[[0, -1]].mean()])
        frame = {"fill": False, "edgecolor": style.theme().ink, "linewidth": 1.6, "linestyle": (0, (3, 2))}
        axes.add_patch(Rectangle(middle - side / 2, side, side, **frame))
        axes.set(title=label, xlabel="column", xticks=(0, x.shape[1] - 1), yticks=(0, x.shape[0] - 1))
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set(visible=True, color=style.theme().faint)
    figure.axes[0].set_ylabel("row")
    style.title(figure, title)
    return figure


@style.house
def recipe_scores(
    scores: Mapping[str, Mapping[str, Any]],
    title: str,
    reference: Mapping[str, float] | None = None,
    log: Collection[str] = (),
) -> style.Figure:
    """Scores of several recipes: a panel for each quantity, a row for each recipe, a dot for each seed.

    scores: recipe -> {quantity: values (S,)}, the same quantities for each; a quantity's name is its axis' label.
    reference: quantity -> a value drawn as a grey line, such as what real images score. log: quantities above 0 whose
        axis is logarithmic.
    Raises ValueError on shapes that do not fit, or if the recipes' quantities differ.
    """
    names = {recipe: tuple(values) for recipe, values in scores.items()}
    if not scores or len(set(names.values())) > 1:
        raise ValueError(f"recipes have the quantities {names}; give the same ones for each, and at least one recipe")
    quantities = next(iter(names.values()))
    figure = style.Figure(height=1.45 + 0.42 * len(scores))
    panels = np.atleast_1d(figure.subplots(1, len(quantities), sharey=True))
    for axes, quantity in zip(panels, quantities, strict=True):
        for row, (recipe, values) in enumerate(scores.items()):
            (found,) = arrays(**{f"{quantity!r} of {recipe!r}": (values[quantity], "S")})
            height = row + np.linspace(-0.22, 0.22, len(found)) if len(found) > 1 else [row]
            axes.plot(found, height, color=style.MODEL, zorder=3, **DOT)
            axes.plot([np.median(found)] * 2, [row - 0.34, row + 0.34], color=style.theme().ink, linewidth=1.4)
        if reference and quantity in reference:
            line = {"color": style.REFERENCE, "linewidth": 1.4, "linestyle": (0, (2, 2))}
            axes.axvline(reference[quantity], **line)
        axes.set(xlabel=style.wrap(quantity, style.WIDTH / (len(quantities) + 1.2), style.TEXT))
        if quantity in log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        else:
            axes.locator_params(axis="x", nbins=3)
        axes.grid(axis="y", visible=False)
    panels[0].set_yticks(range(len(scores)), [style.wrap(recipe, 1.5) for recipe in scores], color=style.theme().ink)
    panels[0].set_ylim(len(scores) - 0.5, -0.5)
    style.title(figure, title)
    return figure
