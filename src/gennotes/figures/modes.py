"""Modes of a mixture in the plane: samples over them, the score of a discriminator, coverage over time and seeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gennotes.figures import style
from gennotes.figures.arrays import arrays
from gennotes.figures.labels import number

DOTS = 250  # samples that are drawn in a small panel
STEPS = 10  # of the value on a surface
FOUND = {"marker": "o", "markersize": 6, "markeredgewidth": 0, "alpha": 0.85}  # a seed that finds all modes
MISSED = {"marker": "s", "markersize": 5.5, "fillstyle": "none", "markeredgewidth": 1.5}


@style.house
def mode_panels(runs: Mapping[str, tuple[Any, Any]], modes: Any, title: str) -> style.Figure:
    """One row a condition, one panel a seed: samples over the modes, and how many of the modes they find.

    runs: condition -> (samples (S, N, 2), counts (S, K)); the counts are samples of high quality by mode, such as
        `metrics.mode_counts` gives for these samples or for more. The first 250 samples of a panel are drawn.
    modes: their centres, (K, 2).
    A mode with a count of 0 is missed: it has a cross instead of a ring. A panel that misses one has a thick dashed
    frame and its count in bold letters. Samples far outside of the modes are not in sight.
    Raises ValueError on shapes that do not fit, or without any condition.
    """
    if not runs:
        raise ValueError("runs is empty; give at least one condition with (samples, counts)")
    checked = {}
    for label, (samples, counts) in runs.items():
        (samples,) = arrays(finite=False, **{f"samples of {label!r}": (samples, "S N 2")})
        named = {f"counts of {label!r}": (counts, f"{len(samples)} K"), "modes": (modes, "K 2")}
        checked[label] = (samples, *arrays(**named))
    columns = max(len(samples) for samples, _, _ in checked.values())
    side = min((style.WIDTH - 0.1) / columns, 2.2)  # inches, of a panel with its gap
    height = 0.95 + len(checked) * (side + 0.62)
    figure = style.Figure(height=height, raster=True, layout="none", colours=128)
    top = height - 0.62
    for label, (samples, counts, centres) in checked.items():
        figure.text(0.006, top / height, label, va="top", fontsize=style.TEXT)
        for seed, (points, count) in enumerate(zip(samples, counts, strict=True)):
            place = (0.06 + seed * side, top - 0.52 - side + 0.08, side - 0.08, side - 0.08)
            axes = figure.add_axes(np.divide(place, (style.WIDTH, height, style.WIDTH, height)))
            _coverage(axes, points[:DOTS], centres, count)
        top -= side + 0.62
    ring = {"marker": "o", "fillstyle": "none", "color": style.DATA, "linestyle": "none"}
    entries = {
        "sample": Line2D([], [], marker="o", markersize=4, color=style.MODEL, linestyle="none"),
        "mode found": Line2D([], [], markersize=8, **ring),
        "mode missed": Line2D([], [], marker="x", markersize=6, color=style.theme().ink, linestyle="none"),
    }
    figure.legend(entries.values(), entries, loc="lower left", bbox_to_anchor=(0, 0), ncols=3, borderaxespad=0.1)
    style.title(figure, title)
    return figure


def _coverage(axes: Axes, points: np.ndarray, modes: np.ndarray, counts: np.ndarray) -> None:
    """A small panel of `mode_panels`."""
    found = counts > 0
    reach = 1.3 * np.abs(modes).max()
    axes.plot(*modes[found].T, "o", fillstyle="none", color=style.DATA, markersize=6, markeredgewidth=1.1)
    axes.plot(*modes[~found].T, "x", color=style.theme().ink, markersize=5, markeredgewidth=1.2)
    axes.plot(*points.T, "o", color=style.MODEL, markersize=1.8, markeredgewidth=0, alpha=0.7)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=(), yticks=())
    whole = bool(found.all())
    thin = {"linewidth": 0.9, "color": style.theme().faint}
    thick = {"linewidth": 1.6, "color": style.theme().ink, "linestyle": (0, (3, 2))}
    for spine in axes.spines.values():
        spine.set(visible=True, **(thin if whole else thick))
    words = {"color": style.theme().quiet} if whole else {"color": style.theme().ink, "fontweight": "bold"}
    axes.set_title(f"{found.sum()} of {len(found)}", fontsize=10.5, pad=4, loc="center", **words)


@style.house
def mode_hopping(steps: Any, shares: Mapping[str, Any], title: str) -> style.Figure:
    """Which modes the samples lie on through training: one panel a run, one row a mode, darker where more samples are.

    steps: (T,), ascending. shares: label of the run -> share of the samples that belongs to each mode, (T, K) in
        [0, 1]; what belongs to none is missing from the sum. The mark on the scale is 1/K, an even share.
    Raises ValueError on other shapes, a share outside of [0, 1], or steps that do not ascend.
    """
    if not shares:
        raise ValueError("shares is empty; give at least one label with its (T, K)")
    figure = style.Figure(height=1.15 + 1.75 * len(shares))
    panels = figure.subplots(len(shares), 1, sharex=True, squeeze=False)[:, 0]
    colours = _ramp(style.theme().paper, style.MODEL)
    for axes, (label, share) in zip(panels, shares.items(), strict=True):
        at, share = arrays(steps=(steps, "T"), **{f"shares of {label!r}": (share, "T K")})
        if (np.diff(at) <= 0).any():
            raise ValueError("steps do not ascend; give each step once, in order")
        if share.min() < 0 or share.max() > 1 + 1e-6:
            raise ValueError(
                f"shares of {label!r} go from {share.min():.3g} to {share.max():.3g}; give shares in [0, 1]"
            )
        modes = share.shape[1]
        edges = np.r_[at[0], (at[1:] + at[:-1]) / 2, at[-1]] if len(at) > 1 else at[0] + np.array([-0.5, 0.5])
        look = {"cmap": colours, "vmin": 0, "vmax": 100, "rasterized": True}
        mesh = axes.pcolormesh(edges, np.arange(modes + 1) + 0.5, 100 * share.T, **look)
        axes.set(ylabel="mode", ylim=(0.5, modes + 0.5))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.grid(visible=False)
        axes.set_title(label, color=style.theme().ink)
        for spine in axes.spines.values():
            spine.set(visible=True, color=style.theme().faint)
    panels[-1].set_xlabel("update steps")
    scale = figure.colorbar(mesh, ax=list(panels), pad=0.015, aspect=14 * len(shares), label="share of samples (%)")
    scale.ax.axhline(100 / modes, color=style.theme().ink, linewidth=1.6)
    scale.outline.set_visible(False)
    style.title(figure, title)
    return figure


@style.house
def score_surface(
    surfaces: Mapping[str, Any],
    extent: float,
    title: str,
    samples: Mapping[str, Any] | None = None,
    data: Any | None = None,
    probability: bool = True,
) -> style.Figure:
    """What a discriminator or critic thinks of each place of the plane, up to three side by side.

    surfaces: label -> values (G, G) at the middles of G × G cells of the square [−extent, extent]², the first row at
        the bottom: those of `explorers.grid(extent, G)`.
    samples: label -> (N, 2), the generator's, drawn as dots. data: (M, 2), points or modes, drawn as rings on each.
    probability: the values are D(x) in [0, 1], on one scale for all, with a line where D is one half. If False they are
        scores of a critic, which have no fixed zero or unit: each panel has a scale and contour lines of its own.
    Raises ValueError on shapes that do not fit, more than three surfaces, or a D outside of [0, 1].
    """
    if not 1 <= len(surfaces) <= 3:
        raise ValueError(f"there are {len(surfaces)} surfaces; give one to three")
    if not (np.isfinite(extent) and extent > 0):
        raise ValueError(f"extent is {extent!r}; give a number above 0")
    side = min((5.8 if probability else 6.5) / len(surfaces), 3.7)  # inches, of a panel
    names = {label: style.wrap(label, side - 0.15, style.SMALL) for label in surfaces}
    lines = max(name.count("\n") for name in names.values()) + (1 if probability else 2)
    figure = style.Figure(height=1.4 + 0.2 * lines + side, raster=True, colours=128)
    panels = figure.subplots(1, len(surfaces), sharey=True, squeeze=False)[0]
    drawn = False  # a line
    colours = _ramp(style.CRITIC, style.theme().paper, 0.25)
    for axes, (label, values) in zip(panels, surfaces.items(), strict=True):
        (values,) = arrays(**{f"surface {label!r}": (values, "G G")})
        low, high = (0.0, 1.0) if probability else (values.min(), values.max())
        if values.min() < low or values.max() > high:
            raise ValueError(f"surface {label!r} goes from {values.min():.3g} to {values.max():.3g}; D lies in [0, 1]")
        middles = (np.arange(len(values)) + 0.5) * 2 * extent / len(values) - extent
        levels = np.linspace(low, high, STEPS + 1) if low < high else low + np.linspace(-0.5, 0.5, STEPS + 1)
        image = axes.contourf(middles, middles, values, levels, cmap=colours)
        thick = 1.1 if probability else 0.6
        if not probability or values.min() < 0.5 < values.max():
            line = {"colors": style.theme().ink, "linewidths": thick, "linestyles": "solid"}
            axes.contour(middles, middles, values, [0.5] if probability else levels, **line)
            drawn = True
        if data is not None:
            (rings,) = arrays(data=(data, "M 2"))
            ring = {"fillstyle": "none", "color": style.DATA, "markeredgewidth": 1.3}
            axes.plot(*rings.T, "o", markersize=8 if len(rings) < 50 else 4, label="data", **ring)
        if samples is not None and label in samples:
            (points,) = arrays(finite=False, **{f"samples of {label!r}": (samples[label], "N 2")})
            edge = {"markeredgecolor": style.theme().paper, "markeredgewidth": 0.4}
            axes.plot(*points[:400].T, "o", color=style.MODEL, markersize=3.6, label="samples", **edge)
        scale = "" if probability else f"\nfrom {number(low)} to {number(high)}"
        axes.set_title(names[label] + scale, color=style.theme().ink)
        axes.set(xlabel="$x_1$", xlim=middles[[0, -1]], ylim=middles[[0, -1]], aspect="equal")
        axes.grid(visible=False)
        axes.locator_params(nbins=5)
    panels[0].set_ylabel("$x_2$")
    if probability:
        bar = figure.colorbar(image, ax=list(panels), shrink=0.8, pad=0.02, ticks=(0, 0.5, 1), label="$D(x)$, real = 1")
        bar.ax.axhline(0.5, color=style.theme().ink, linewidth=0.9)
        bar.outline.set_edgecolor(style.theme().faint)
    handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    if drawn:
        name = "$D$ = ½" if probability else "ten equal steps of the critic"
        handles[name] = Line2D([], [], color=style.theme().ink, linewidth=thick)
    if handles:
        figure.legend(handles.values(), handles, loc="outside lower left", ncols=3, handlelength=1.4)
    style.title(figure, title)
    return figure


@style.house
def coverage_strip(
    runs: Mapping[str, tuple[Any, Any]],
    modes: int,
    title: str,
    published: Mapping[str, tuple[float, float]] | None = None,
) -> style.Figure:
    """Modes found and share of samples of high quality, one row a condition, one dot a seed.

    A seed has the same height in both panels, and a hollow square instead of a dot if it misses a mode.
    runs: condition -> (modes found (S,), share of high quality (S,) in [0, 1]). modes: K, how many there are.
    published: condition -> (modes found, share), drawn as grey diamonds.
    Raises ValueError on shapes that do not fit, more modes found than there are, or a share outside of [0, 1].
    """
    if not runs:
        raise ValueError("runs is empty; give at least one condition with (found, high_quality)")
    figure = style.Figure(height=1.75 + 0.62 * len(runs))
    left, right = figure.subplots(1, 2, sharey=True)
    for row, (label, (found, share)) in enumerate(runs.items()):
        named = {f"found of {label!r}": (found, "S"), f"high_quality of {label!r}": (share, "S")}
        found, share = arrays(**named)
        if found.min() < 0 or found.max() > modes:
            raise ValueError(
                f"found of {label!r} goes from {found.min():g} to {found.max():g}; there are {modes} modes"
            )
        if share.min() < 0 or share.max() > 1:
            raise ValueError(f"high_quality of {label!r} goes from {share.min():.3g} to {share.max():.3g}; give shares")
        height = row + np.linspace(-0.28, 0.28, len(found) + 2)[1:-1]
        whole = found == modes
        for axes, values in ((left, found), (right, 100 * share)):
            look = {"color": style.MODEL, "linestyle": "none", "zorder": 3}
            axes.plot(values[whole], height[whole], **look, **FOUND)
            axes.plot(values[~whole], height[~whole], **look, **MISSED)
            axes.plot([np.median(values)] * 2, [row - 0.36, row + 0.36], color=style.theme().ink, linewidth=1.4)
    for label, values in (published or {}).items():
        if label not in runs:
            raise ValueError(f"published has {label!r}, which is not in runs; give one of {', '.join(runs)}")
        for axes, value in zip((left, right), (values[0], 100 * values[1]), strict=True):
            axes.plot(value, list(runs).index(label), "D", color=style.REFERENCE, markersize=8, zorder=2)
    left.set_yticks(range(len(runs)), [style.wrap(label, 1.9) for label in runs], color=style.theme().ink)
    left.set(xlabel=f"modes found, of {modes}", xlim=(-0.05 * modes, 1.05 * modes), ylim=(len(runs) - 0.5, -0.5))
    left.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=(1, 2, 4, 5, 10)))
    right.set(xlabel="samples of high quality (%)", xlim=(-5, 105))
    for axes in (left, right):
        axes.grid(axis="y", visible=False)
    entries = {
        "all modes found": Line2D([], [], color=style.MODEL, linestyle="none", **FOUND),
        "a mode missed": Line2D([], [], color=style.MODEL, linestyle="none", **MISSED),
        "median": Line2D([], [], marker="|", markersize=13, color=style.theme().ink, linestyle="none"),
        "published": Line2D([], [], marker="D", markersize=7, color=style.REFERENCE, linestyle="none"),
    }
    shown = list(entries)[: 4 if published else 3]
    handles = [entries[name] for name in shown]
    figure.legend(handles, shown, loc="outside lower left", ncols=len(shown), handlelength=1.2)
    style.title(figure, title)
    return figure


def _ramp(start: str, end: str, lift: float = 0.0) -> LinearSegmentedColormap:
    """From one colour to another; `lift` takes so much of the way off at the start."""
    whole = LinearSegmentedColormap.from_list("ramp", [start, end])
    return LinearSegmentedColormap.from_list("part", [whole(lift), whole(1.0)])
