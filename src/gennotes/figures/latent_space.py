"""The latent plane: codes beside the prior, the decoder's pictures over it, paths through it, and its empty places."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Circle
from matplotlib.ticker import FixedLocator, MultipleLocator
from scipy.special import ndtr, ndtri

from gennotes.figures import style
from gennotes.figures.arrays import array, arrays, pixels

SHARES = (0.5, 0.9, 0.99)  # of the prior, inside the contours that are drawn


@style.house
def prior_grid(n: int = 8, title: str = "Equal steps of probability are unequal steps of the code") -> style.Figure:
    """How n × n codes are laid over the plane so that each stands for the same share of the prior N(0, I).

    Left: Φ, the distribution function of N(0, 1), read backwards at u = (i + ½)/n. Right: the codes (Φ⁻¹(u), Φ⁻¹(v)).
    Raises ValueError if n < 2.
    """
    if n < 2:
        raise ValueError(f"n is {n}; give at least 2 codes along each axis")
    u = (np.arange(n) + 0.5) / n
    z = ndtri(u)
    figure = style.Figure(height=3.7)
    left, right = figure.subplots(1, 2)
    wide = np.linspace(-3, 3, 121)
    left.plot(wide, ndtr(wide), color=style.REFERENCE)
    for a, b in zip(z, u, strict=True):
        left.plot([-3, a, a], [b, b, 0], color=style.MODEL, linewidth=1.0)
    left.plot(z, np.zeros(n), "o", color=style.MODEL, markersize=5, clip_on=False, zorder=3)
    left.set(xlim=(-3, 3), ylim=(0, 1), xticks=(-2, 0, 2), xlabel="$z_1$", ylabel=r"share of the prior below $z_1$")
    left.set_title(rf"{n} equal steps $u$, taken back to $z_1 = \Phi^{{-1}}(u)$")
    left.grid(visible=False)
    _prior(right, 3.4)
    right.plot(*(axis.ravel() for axis in np.meshgrid(z, z)), "o", color=style.MODEL, markersize=3.5)
    right.set_title(rf"${n} \times {n}$ codes of equal weight")
    style.title(figure, title)
    return figure


@style.house
def code_maps(panels: Mapping[str, tuple[Any, Any]], title: str, prior: bool = True) -> style.Figure:
    """Codes in the plane, each drawn as the number of its class, on the contours of the prior N(0, I).

    panels: label -> (codes (N, 2), classes (N,) from 0 to 9); one panel, or two side by side on axes of their own.
    prior: whether the contours, which hold 50, 90 and 99 % of the prior, are drawn.
    Raises ValueError on other shapes, other classes, or more than two panels.
    """
    if len(panels) not in (1, 2):
        raise ValueError(f"there are {len(panels)} panels; give one or two")
    figure = style.Figure(height=7.0 if len(panels) == 1 else 4.1)
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, (codes, classes)) in zip(places, panels.items(), strict=True):
        codes, classes = _labelled(codes, classes)
        reach = 1.06 * np.abs(codes).max()
        if prior:
            _prior(axes, max(reach, 3.4), named=len(panels) == 1)
        _glyphs(axes, codes, classes, 60 if len(panels) == 1 else 32)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
        if label:
            axes.set_title(label)
        if prior:
            reach = max(reach, 3.4)
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    style.title(figure, title)
    return figure


@style.house
def decoded_plane(images: Any, z: Any, title: str) -> style.Figure:
    """What a decoder draws over the plane: picture (i, j) is decoded from the code (z_j, z_i), z₂ upwards.

    images: (n, n, H, W) in [0, 1], the rows from the lowest z₂ to the highest. z: (n,), rising.
    Raises ValueError on other shapes or ranges.
    """
    (z,) = arrays(z=(z, "n"))
    x = array(images)
    if x.ndim != 4 or x.shape[:2] != (len(z), len(z)):
        raise ValueError(f"images has shape {x.shape}; give ({len(z)}, {len(z)}, H, W), one for each pair of z")
    n, _, height, width = x.shape
    pictures = pixels("images", x.reshape(-1, height, width)).reshape(n, n, height, width)
    mosaic = pictures[::-1].swapaxes(1, 2).reshape(n * height, n * width)
    figure = style.Figure(height=7.1, raster=True, layout="none")
    axes = figure.add_axes((0.105, 0.075, 0.86, 0.86 * style.WIDTH / 7.1))
    axes.imshow(mosaic, cmap=style.theme().images, vmin=0, vmax=1, extent=(0, n, 0, n), interpolation="nearest")
    half = np.linspace(0, max(n / 2 - 1.5, 0), min(n // 2, 4)).round().astype(int)
    ticks = np.unique([*half, *(n - 1 - half)])
    names = [f"{value:.1f}".replace("-", "−") for value in z[ticks]]
    axes.set_xticks(ticks + 0.5, names)
    axes.set_yticks(ticks + 0.5, names)
    axes.grid(visible=False)
    axes.set(xlabel="$z_1$", ylabel="$z_2$")
    for side in axes.spines.values():
        side.set(visible=True, color=style.theme().faint)
    style.title(figure, title)
    return figure


@style.house
def traversal(codes: Any, classes: Any, path: Any, images: Any, title: str) -> style.Figure:
    """An arrow through the codes, and below it what the decoder draws at each of its steps.

    codes: (N, 2). classes: (N,), 0 to 9. path: (T, 2), the codes that are decoded. images: (T, H, W) in [0, 1].
    Raises ValueError on other shapes, ranges or classes.
    """
    codes, classes = _labelled(codes, classes)
    (path,) = arrays(path=(path, "T 2"))
    pictures = pixels("images", images)
    if len(pictures) != len(path):
        raise ValueError(f"images has {len(pictures)} pictures; give {len(path)}, one for each step of the path")
    figure = style.Figure(height=6.5, raster=True)
    grid = GridSpec(2, 1, figure=figure, height_ratios=(5.2, 1.0))
    above, below = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    reach = max(3.4, 1.06 * np.abs(codes).max())
    _prior(above, reach)
    _glyphs(above, codes, classes, 42, alpha=0.6)
    look = {"arrowstyle": "-|>,head_width=0.5,head_length=0.9", "color": style.MODEL, "linewidth": 3.0, "shrinkA": 0}
    above.plot(*path.T, "o", color=style.MODEL, markersize=6, markeredgecolor=style.theme().paper, zorder=4)
    above.annotate("", path[-1], path[0], arrowprops=look | {"shrinkB": 0}, zorder=5)
    for step in (0, len(path) - 1):
        box = {"boxstyle": "round,pad=0.2", "facecolor": style.theme().paper, "edgecolor": style.MODEL}
        above.annotate(str(step + 1), path[step], (0, 12), textcoords="offset points", ha="center", bbox=box, zorder=6)
    height, width = pictures.shape[1:3]
    for i, picture in enumerate(pictures):
        below.imshow(
            picture, cmap=style.theme().images, vmin=0, vmax=1, extent=(i - 0.48, i + 0.48, 0, 0.96 * height / width)
        )
    below.set(xlim=(-0.5, len(pictures) - 0.5), ylim=(0, 0.96 * height / width), xlabel="step along the arrow")
    below.set_ylabel("decoded")
    below.set_xticks(range(len(pictures)), [str(i + 1) for i in range(len(pictures))])
    below.set_yticks([])
    below.grid(visible=False)
    for side in below.spines.values():
        side.set_visible(False)
    style.title(figure, title)
    return figure


@style.house
def shares_by_class(shares: Any, names: Sequence[str], expected: float, xlabel: str, title: str) -> style.Figure:
    """One row a class, sorted by the mean over seeds: a small dot for each seed, a large one for their mean.

    shares: (S, C), one row a seed. names: C names. expected: drawn as a grey line.
    Raises ValueError on other shapes.
    """
    (shares,) = arrays(shares=(shares, "S C"))
    if len(names) != shares.shape[1]:
        raise ValueError(f"names has {len(names)} entries; give {shares.shape[1]}, one for each class")
    order = np.argsort(shares.mean(axis=0))
    figure = style.Figure(height=4.4)
    axes = figure.add_subplot()
    axes.axvline(expected, color=style.REFERENCE, linestyle=style.DASHES[1], linewidth=1.6)
    axes.annotate(
        "prior",
        (expected, 1),
        (4, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        color=style.theme().quiet,
        fontsize=style.SMALL,
    )
    for row, c in enumerate(order):
        axes.plot(shares[:, c], np.full(len(shares), row), "o", color=style.DATA, markersize=5, alpha=0.5)
        axes.plot(shares[:, c].mean(), row, "D", color=style.DATA, markersize=9, markeredgecolor=style.theme().paper)
    axes.set_yticks(range(len(order)), [str(names[c]) for c in order])
    axes.set(xlabel=xlabel, ylabel="class", ylim=(-0.6, len(order) - 0.1))
    axes.set_title(f"small dots: {len(shares)} seeds; diamonds: their mean")
    axes.grid(axis="y", visible=False)
    style.title(figure, title)
    return figure


@style.house
def holes(panels: Mapping[str, tuple[Any, Any, Any]], title: str) -> style.Figure:
    """Codes of images as small grey dots; over them draws, marked by a cross where codes are thin.

    panels: label -> (codes (N, 2), draws (M, 2), thin (M,) booleans); two panels side by side, on the same axes.
    Raises ValueError on other shapes.
    """
    figure = style.Figure(height=4.9, raster=True)
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, (codes, draws, thin)) in zip(places, panels.items(), strict=True):
        codes, draws, thin = arrays(codes=(codes, "N 2"), draws=(draws, "M 2"), thin=(thin, "M"))
        alone = thin.astype(bool)
        axes.plot(*codes.T, ".", color=style.REFERENCE, markersize=2.5, label="codes")
        axes.plot(*draws[~alone].T, "o", color=style.DATA, markersize=3.5, markerfacecolor="none", label="draw")
        axes.plot(
            *draws[alone].T, "x", color=style.MODEL, markersize=6, markeredgewidth=1.6, label="draw in a thin place"
        )
        axes.set(xlim=(-3.6, 3.6), ylim=(-3.6, 3.6), box_aspect=1, xlabel="first axis", ylabel="second axis")
        axes.set_title(f"{label}:\n{alone.mean():.0%} of the draws in thin places".replace("%", " %"))
    handles, names = places[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    style.title(figure, title)
    return figure


@style.house
def norms(rows: Mapping[str, Mapping[str, Any]], title: str) -> style.Figure:
    """How far codes lie from 0, in units of √L: for each length L one interval a kind of code.

    rows: "L = 20" -> {kind: norms (N,)}, the same kinds in each. A line spans the middle 98 % of the values, a mark
    shows their median.
    Raises ValueError on other shapes or if the kinds differ.
    """
    kinds = list(next(iter(rows.values())))
    if any(list(row) != kinds for row in rows.values()):
        raise ValueError(f"rows have different kinds: {[list(row) for row in rows.values()]}; give the same in each")
    figure = style.Figure(height=3.9)
    axes = figure.add_subplot()
    for i, row in enumerate(rows.values()):
        for k, (kind, values) in enumerate(row.items()):
            (values,) = arrays(values=(values, "N"))
            low, middle, high = np.quantile(values, (0.01, 0.5, 0.99))
            y, colour = -i - 0.22 * (k - (len(kinds) - 1) / 2), (style.REFERENCE, style.MODEL, style.DATA)[k % 3]
            axes.plot([low, high], [y, y], color=colour, linewidth=2.4, alpha=0.75)
            axes.plot(middle, y, style.MARKERS[k], color=colour, markersize=7.5, label=kind if i == 0 else None)
    axes.set_yticks([-i for i in range(len(rows))], list(rows))
    axes.set(xlabel=r"norm / $\sqrt{L}$", ylabel="latent dimensions", ylim=(-len(rows) + 0.4, 0.6))
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)
    axes.set_title("mark: median; line: the middle 98 %")
    figure.legend(loc="outside lower center", ncols=len(kinds))
    style.title(figure, title)
    return figure


def _prior(axes: Axes, reach: float, named: bool = True) -> None:
    """The contours of N(0, I) that hold `SHARES` of it: circles of radius √(−2 log(1 − share))."""
    for share in SHARES:
        radius = np.sqrt(-2 * np.log1p(-share))
        axes.add_patch(
            Circle((0, 0), radius, fill=False, edgecolor=style.REFERENCE, linewidth=1.4, linestyle=style.DASHES[1])
        )
        if named:
            axes.annotate(
                f"{share:.0%}".replace("%", " %"),
                (0, radius),
                ha="center",
                va="center",
                fontsize=style.SMALL,
                color=style.theme().quiet,
                zorder=6,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": style.theme().paper, "edgecolor": "none"},
            )
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(2.0) if reach < 8 else FixedLocator([-4, 0, 4]))


def _glyphs(axes: Axes, codes: np.ndarray, classes: np.ndarray, size: float, alpha: float = 1.0) -> None:
    for c in np.unique(classes):
        colour = style.ink(style.CLASSES[c], 3.0)
        axes.scatter(
            *codes[classes == c].T, s=size, color=colour, alpha=alpha, linewidths=0.2, marker=rf"$\mathsf{{{c}}}$"
        )


def _labelled(codes: Any, classes: Any) -> tuple[np.ndarray, np.ndarray]:
    codes, classes = arrays(codes=(codes, "N 2"), classes=(classes, "N"))
    if not set(np.unique(classes)) <= set(range(10)):
        raise ValueError(f"classes are {np.unique(classes)[:12]}; give whole numbers from 0 to 9")
    return codes, classes.astype(int)
