"""Two players: what their losses pull with, the discriminator beside the best one, and the paths of a game."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from gennotes.figures import style
from gennotes.figures.arrays import arrays

DARTS = 9  # of a field, along each axis
DART = {"facecolor": style.REFERENCE, "alpha": 0.5, "linewidth": 0}


@style.house
def loss_slopes(
    scores: Any,
    generator_losses: Mapping[str, tuple[Any, Any]],
    title: str = "What a loss pulls with: its slope where a sample is recognised decides",
    xlabel: str = "score of a sample (logit of D)",
    ranges: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> style.Figure:
    """Losses of a generator over the score of a sample, and beside them their slopes.

    scores: (T,), ascending. generator_losses: label -> (values (T,), slopes (T,)).
    ranges: of the vertical axes, for the losses and for the slopes; by default all of them.
    Raises ValueError on other shapes or without a loss.
    """
    if not generator_losses:
        raise ValueError("generator_losses is empty; give at least one label with (values, slopes)")
    figure = style.Figure(height=3.7)
    left, right = figure.subplots(1, 2)
    colours = (style.MODEL, style.DATA, style.CRITIC, style.OTHER)
    for i, (label, (values, slopes)) in enumerate(generator_losses.items()):
        named = {f"values of {label!r}": (values, "T"), f"slopes of {label!r}": (slopes, "T")}
        x, y, dy = arrays(scores=(scores, "T"), **named)
        look = {"color": colours[i % len(colours)], "linestyle": style.DASHES[i % len(style.DASHES)]}
        left.plot(x, y, label=label, **look)
        right.plot(x, dy, **look)
    left.set(ylabel="loss", xlabel=xlabel)
    right.set(ylabel="slope of the loss", xlabel=xlabel)
    if ranges:
        left.set_ylim(ranges[0])
        right.set_ylim(ranges[1])
    columns = min(len(generator_losses), 4)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=columns, handlelength=2.4)
    style.title(figure, title)
    return figure


@style.house
def discriminator_fit(
    x: Any,
    data: Any,
    generator: Any,
    best: Any,
    trained: Any,
    title: str = "A trained discriminator finds the share of the data",
) -> style.Figure:
    """The densities of data and generator, and below them the best discriminator and trained ones.

    x: (T,), ascending. data, generator: densities there, (T,). best: D*, (T,). trained: D of S seeds, (S, T).
    Raises ValueError on shapes that do not fit, or values of D outside of [0, 1].
    """
    named = {"data": (data, "T"), "generator": (generator, "T"), "best": (best, "T"), "trained": (trained, "S T")}
    x, p, q, exact, found = arrays(x=(x, "T"), **named)
    if min(exact.min(), found.min()) < 0 or max(exact.max(), found.max()) > 1:
        raise ValueError("best or trained has values outside of [0, 1]; give D, not its logit")
    figure = style.Figure(height=4.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.3))
    upper.fill_between(x, p, color=style.DATA, alpha=0.12, linewidth=0)
    upper.plot(x, p, color=style.DATA, label="data")
    upper.plot(x, q, color=style.MODEL, linestyle=style.DASHES[1], label="generator")
    upper.set(ylabel="density", ylim=(0, None))
    lower.axhline(0.5, color=style.REFERENCE, linewidth=1.2, linestyle=(0, (2, 2)))
    for i, values in enumerate(found):
        label = f"trained ({len(found)} seeds)" if i == 0 else None
        lower.plot(x, values, color=style.CRITIC, linewidth=1.0, alpha=0.75, label=label)
    lower.plot(x, exact, color=style.theme().ink, linewidth=1.6, linestyle=style.DASHES[1], label="D*, exact")
    lower.set(ylabel="D(x)", xlabel="$x$", ylim=(-0.03, 1.03), xlim=(x[0], x[-1]))
    handles = [one for axes in (upper, lower) for one in axes.get_legend_handles_labels()[0]]
    figure.legend(handles, [h.get_label() for h in handles], loc="outside lower left", ncols=4, handlelength=2.2)
    style.title(figure, title)
    return figure


@style.house
def game_paths(
    paths: Mapping[str, Any],
    field: Mapping[str, Any],
    title: str = "Two players circle the solution; how they step decides whether they leave it or reach it",
    labels: tuple[str, str] = (r"generator's $\theta$", r"discriminator's $\phi$"),
) -> style.Figure:
    """Paths of a game of two numbers, one panel each, over the directions in which the players move.

    paths: name -> (T, 2), the two parameters after each step; the start is a ring, the end a dot.
    field: name -> function that takes points (N, 2) to directions (N, 2), one for each panel; drawn at equal length.
    Raises ValueError if names differ or shapes do not fit.
    """
    if not paths or set(paths) != set(field):
        raise ValueError(f"paths has {sorted(paths)} and field {sorted(field)}; give the same names, at least one")
    walks = {name: arrays(**{f"paths[{name!r}]": (path, "T 2")})[0] for name, path in paths.items()}
    reach = 1.08 * max(np.abs(walk).max() for walk in walks.values())
    figure = style.Figure(height=3.5)
    panels = np.atleast_1d(figure.subplots(1, len(walks), sharey=True))
    axis = np.linspace(-reach, reach, DARTS)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    for axes, (name, walk) in zip(panels, walks.items(), strict=True):
        (way,) = arrays(**{f"field[{name!r}]": (field[name](points), "N 2")})
        length = np.hypot(*way.T)[:, None]
        way = np.divide(way, length, out=np.zeros_like(way), where=length > 0)
        axes.add_patch(PathPatch(_darts(points, way, 0.34 * (axis[1] - axis[0])), **DART))
        axes.plot(*walk.T, color=style.MODEL, linewidth=1.5)
        axes.plot(*walk[0], "o", color=style.MODEL, markersize=8, markerfacecolor=style.theme().paper)
        axes.plot(*walk[-1], "o", color=style.MODEL, markersize=7)
        axes.plot(0, 0, "+", color=style.theme().ink, markersize=11, markeredgewidth=1.8)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel=labels[0])
        axes.set_title(name, color=style.theme().ink)
        axes.grid(visible=False)
    panels[0].set_ylabel(labels[1])
    style.title(figure, title)
    return figure


def _darts(points: np.ndarray, way: np.ndarray, half: float) -> Path:
    """One path of slender triangles at `points`, each pointing along its unit vector of `way`, `half` to its tip."""
    across = 0.28 * half * way[:, ::-1] * (1, -1)
    corners = np.stack([points + half * way, points - half * way + across, points - half * way - across], axis=1)
    closed = np.concatenate([corners, corners[:, :1]], axis=1).reshape(-1, 2)
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(points)
    return Path(closed, codes)


@style.house
def points_in_time(
    snapshots: Mapping[str, Any], data: Any, title: str = "From one blob to all the modes"
) -> style.Figure:
    """Samples of a generator in the plane at several moments, one panel each, over draws of the data.

    snapshots: label -> points (N, 2). data: points (M, 2). Points out of sight are counted in the panel's corner.
    Raises ValueError on other shapes or without a snapshot.
    """
    if not snapshots:
        raise ValueError("snapshots is empty; give at least one label with points")
    columns = min(len(snapshots), 4)
    rows = -(-len(snapshots) // columns)
    figure = style.Figure(height=0.8 + 1.95 * rows, raster=True, colours=64)
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    (real,) = arrays(data=(data, "M 2"))
    reach = 1.35 * np.abs(real).max()
    for axes, (label, points) in zip(panels, snapshots.items(), strict=False):
        (fake,) = arrays(**{f"snapshots[{label!r}]": (points, "N 2")})
        axes.plot(*real.T, "o", color=style.DATA, markersize=1.8, alpha=0.25, markeredgewidth=0)
        axes.plot(*fake.T, "o", color=style.MODEL, markersize=2, alpha=0.6, markeredgewidth=0)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=label)
        beyond = int((np.abs(fake) > reach).any(axis=1).sum())
        if beyond:
            axes.text(0.97, 0.04, f"{beyond} beyond", ha="right", transform=axes.transAxes, fontsize=style.SMALL)
        axes.locator_params(nbins=4, integer=True)
        axes.grid(visible=False)
    for spare in panels[len(snapshots) :]:
        spare.remove()
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        axes.set_xlabel("$x_1$" if spec.is_last_row() else "")
        axes.set_ylabel("$x_2$" if spec.is_first_col() else "")
    style.title(figure, title)
    return figure
