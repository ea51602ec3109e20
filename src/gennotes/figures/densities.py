"""Densities on the line and what their divergences add up; entropy and divergence as lengths."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator

from gennotes.figures import style
from gennotes.figures.arrays import arrays
from gennotes.figures.labels import number

MIXTURE_EDGE = "#4a4400"  # on both sides of the yellow line, on light paper and on dark
LOOKS = {"P": (style.DATA, style.DASHES[0]), "Q": (style.MODEL, style.DASHES[1])}
DRAWN = 161  # points of a curve; its area has half as many, since matplotlib thins long lines but not areas


@style.house
def density_curves(x: Any, curves: Mapping[str, Any], title: str, xlabel: str = "$x$") -> style.Figure:
    """Densities over one axis. "P", "Q" and "M" have the book's colours, every other name is a grey reference.

    x: (N,), ascending. curves: name -> density at x, (N,), not negative.
    Raises ValueError on other shapes, an x that does not ascend or a negative density.
    """
    if not curves:
        raise ValueError("curves is empty; give at least one name with its density")
    x, *values = _on_a_grid(x, **curves)
    figure = style.Figure(height=3.8)
    axes = figure.add_subplot()
    _curves(axes, x, dict(zip(curves, values, strict=True)))
    axes.set(xlabel=xlabel, ylabel="density")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=len(curves), handlelength=2.2)
    style.title(figure, title)
    return figure


@style.house
def kl_panels(
    x: Any,
    pairs: Mapping[str, tuple[Any, Any]],
    title: str = "The divergence is a signed area: what lies above zero minus what lies below",
) -> style.Figure:
    """Pairs of densities, and under each pair the integrand p log(p/q), whose signed area is KL(P ‖ Q).

    x: (N,), ascending. pairs: name -> (p, q), densities at x, (N,) each.
    The value over each integrand is its integral by the trapezoidal rule.
    Raises ValueError on other shapes, an x that does not ascend, a negative density, or where q is 0 and p is not.
    """
    if not pairs:
        raise ValueError("pairs is empty; give at least one name with its (p, q)")
    columns = min(2, len(pairs))
    figure, blocks = _blocks(-(-len(pairs) // columns), columns)
    for (name, (p, q)), (upper, lower) in zip(pairs.items(), blocks, strict=False):
        grid, p, q = _on_a_grid(x, p=p, q=q)
        _curves(upper, grid, {"P": p, "Q": q})
        upper.set_title(name, color=style.theme().ink)
        _signed(lower, grid, _log_ratio(p, q), "KL(P‖Q)", r"$p\,\log(p/q)$")
    for spare in blocks[len(pairs) :]:
        for axes in spare:
            axes.remove()
    _level(blocks[: len(pairs)])
    _legend(figure, "P", "Q", "adds", "subtracts")
    style.title(figure, title)
    return figure


@style.house
def js_panels(
    x: Any,
    pairs: Mapping[str, tuple[Any, Any]],
    title: str = "JS compares both densities with their mixture M, so no point of the line costs much",
) -> style.Figure:
    """One row a pair: at the left P, Q and the integrand of KL(P ‖ Q), at the right the mixture M and that of JS(P, Q).

    M = ½(P + Q), and JS(P, Q) = ½ ∫ [p log(p/m) + q log(q/m)] dx, an integrand that is nowhere negative.

    x: (N,), ascending. pairs: name -> (p, q), densities at x, (N,) each.
    The value over each integrand is its integral by the trapezoidal rule.
    Raises ValueError on other shapes, an x that does not ascend, a negative density, or where q is 0 and p is not.
    """
    if not pairs:
        raise ValueError("pairs is empty; give at least one name with its (p, q)")
    figure, blocks = _blocks(len(pairs), 2)
    for row, (name, (p, q)) in enumerate(pairs.items()):
        grid, p, q = _on_a_grid(x, p=p, q=q)
        m = 0.5 * (p + q)
        (upper, lower), (upper_m, lower_m) = blocks[2 * row : 2 * row + 2]
        _curves(upper, grid, {"P": p, "Q": q})
        _curves(upper_m, grid, {"P": p, "Q": q, "M": m})
        upper.set_title(name, color=style.theme().ink)
        upper_m.set_title("with M = ½(P + Q)", color=style.theme().ink)
        _signed(lower, grid, _log_ratio(p, q), "KL(P‖Q)", r"$p\,\log(p/q)$")
        both = 0.5 * (_log_ratio(p, m) + _log_ratio(q, m))
        _signed(lower_m, grid, both, "JS(P, Q)", "integrand", style.MIXTURE, MIXTURE_EDGE)
    _level(blocks[::2])
    _level(blocks[1::2])
    _legend(figure, "P", "Q", "M", "adds", "subtracts")
    style.title(figure, title)
    return figure


@style.house
def cross_entropies(
    labels: Sequence[str],
    entropy: float,
    kl: Any,
    title: str = "The cross-entropy is the entropy of P plus the price of a wrong Q",
) -> style.Figure:
    """H(P, Q) = H(P) + KL(P ‖ Q) for several Q: one bar each, the entropy plain and the divergence hatched.

    labels: a name for each Q. entropy: H(P) in nats, at least 0. kl: KL(P ‖ Q) in nats, (K,).
    Raises ValueError if the lengths differ or a value is negative by more than 1e-6.
    """
    (kl,) = arrays(kl=(kl, "K"))
    (entropy,) = arrays(entropy=([entropy], "1"))[0]
    if len(labels) != len(kl):
        raise ValueError(f"labels has {len(labels)} entries; give {len(kl)}, one for each value of kl")
    if min(entropy, kl.min()) < -1e-6:
        raise ValueError(f"entropy is {entropy:.3g} and the smallest kl {kl.min():.3g}; give values of at least 0")
    figure = style.Figure(height=1.9 + 0.5 * len(labels))
    axes = figure.add_subplot()
    rows = np.arange(len(labels))
    axes.barh(rows, entropy, 0.56, color=style.DATA, label=f"entropy H(P) = {number(entropy)} nats")
    extra = {"color": "none", "edgecolor": style.MODEL, "hatch": style.HATCHES[1]}
    axes.barh(rows, kl, 0.56, left=entropy, label="divergence KL(P‖Q)", **extra)
    for row, value in zip(rows, kl, strict=True):
        beside = {"xytext": (7, 0), "textcoords": "offset points", "va": "center", "fontsize": style.SMALL}
        axes.annotate(f"{number(entropy + value)}", (entropy + max(value, 0), row), **beside)
    axes.set_yticks(rows, list(labels), fontsize=style.TEXT, color=style.theme().ink)
    axes.set(xlabel="cross-entropy H(P, Q) (nats)", ylabel="the model Q", ylim=(len(labels) - 0.5, -0.5))
    axes.set_xlim(0, 1.12 * (entropy + kl.max()))
    axes.grid(axis="y", visible=False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, handlelength=1.6)
    style.title(figure, title)
    return figure


def _on_a_grid(x: Any, **values: Any) -> list[np.ndarray]:
    """x and the densities, checked."""
    checked = arrays(x=(x, "N"), **{name: (value, "N") for name, value in values.items()})
    if (np.diff(checked[0]) <= 0).any():
        raise ValueError("x does not ascend; give the points of the axis in order, each once")
    for name, value in zip(values, checked[1:], strict=True):
        if value.min() < 0:
            raise ValueError(f"{name} has a value of {value.min():.3g}; a density is not negative")
    return checked


def _log_ratio(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p log(p/q), with 0 log 0 = 0, (N,)."""
    if (bad := (p > 0) & (q == 0)).any():
        raise ValueError(f"q is 0 at {bad.sum()} points where p is not: the divergence is infinite and has no area")
    on = p > 0
    return np.where(on, p * (np.log(np.where(on, p, 1.0)) - np.log(np.where(on, q, 1.0))), 0.0)


def _blocks(rows: int, columns: int) -> tuple[style.Figure, list[tuple[Axes, Axes]]]:
    """Pairs of axes, densities over integrand, in reading order."""
    figure = style.Figure(height=1.3 + 2.6 * rows)
    grid = figure.subplots(2 * rows, columns, sharex=True, height_ratios=(1.15, 1) * rows, squeeze=False)
    for axes in grid[-1]:
        axes.set_xlabel("$x$")
    return figure, [(grid[2 * i, j], grid[2 * i + 1, j]) for i in range(rows) for j in range(columns)]


def _curves(axes: Axes, x: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
    thin = _thin(x)
    references = 0
    for name, value in curves.items():
        if name == "M":
            edge = [Stroke(linewidth=4.2, foreground=MIXTURE_EDGE), Normal()]
            axes.fill_between(x[thin[::2]], value[thin[::2]], color=style.MIXTURE, alpha=0.35, linewidth=0)
            axes.plot(x[thin], value[thin], color=style.MIXTURE, linewidth=2.2, label=name, path_effects=edge)
            continue
        references += name not in LOOKS
        colour, dash = LOOKS.get(name, (style.REFERENCE, style.DASHES[(1 + references) % len(style.DASHES)]))
        axes.plot(x[thin], value[thin], color=colour, linestyle=dash, label=name)
    axes.set(xlim=(x[0], x[-1]), ylabel="density")
    axes.set_ylim(bottom=0)
    axes.grid(axis="x", visible=False)
    axes.tick_params(axis="x", pad=7)
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 5, 10), integer=True))


def _signed(
    axes: Axes,
    x: np.ndarray,
    value: np.ndarray,
    name: str,
    ylabel: str,
    colour: str = style.DATA,
    edge: str = style.DATA,
) -> None:
    """The integrand with its area, what adds plain and what subtracts hatched; its integral as the title."""
    area = np.trapezoid(value, x)
    thin = _thin(x)
    axes.plot(x[thin], value[thin], color=edge, linewidth=1.4)
    x, value = x[thin[::2]], value[thin[::2]]
    least = 1e-3 * np.abs(value).max()
    axes.fill_between(x, value.clip(min=0), where=value > least, color=colour, alpha=0.5, linewidth=0)
    hatched = {"facecolor": "none", "edgecolor": style.MODEL, "hatch": style.HATCHES[1], "linewidth": 0}
    axes.fill_between(x, value.clip(max=0), where=value < -least, **hatched)
    axes.axhline(0, color=style.theme().quiet, linewidth=0.9)
    axes.grid(axis="x", visible=False)
    axes.tick_params(axis="x", pad=7)
    axes.set(ylabel=ylabel)
    axes.set_title(f"{name} = {number(0.0 if abs(area) < 5e-5 else area)} nats")


def _thin(x: np.ndarray) -> np.ndarray:
    """The indices of the points that are drawn: the first, the last and others evenly between them."""
    return np.unique(np.linspace(0, len(x) - 1, DRAWN).round().astype(int))


def _level(blocks: Sequence[tuple[Axes, Axes]]) -> None:
    """One height of density and one of integrand for all blocks, so that areas can be compared by eye."""
    for axes in zip(*blocks, strict=True):
        low, high = zip(*(a.get_ylim() for a in axes), strict=True)
        for a in axes:
            a.set_ylim(min(low), max(high))


def _legend(figure: style.Figure, *names: str) -> None:
    """Names below the figure; "adds" and "subtracts" are the areas of the integrand of KL."""
    handles = {}
    for axes in figure.axes:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    handles["adds"] = Patch(color=style.DATA, alpha=0.5, linewidth=0)
    handles["subtracts"] = Patch(facecolor="none", edgecolor=style.MODEL, hatch=style.HATCHES[1], linewidth=0)
    figure.legend(
        [handles[name] for name in names], names, loc="outside lower left", ncols=len(names), handlelength=2.2
    )
