"""The bound: its gap to log p(x), its tightening by samples, its two terms against each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from gennotes.figures import style
from gennotes.figures.arrays import array, arrays
from gennotes.figures.labels import label_points, number


@style.house
def decomposition(
    labels: Sequence[str],
    elbo: Any,
    gap: Any,
    log_evidence: float,
    title: str = "The bound falls short of log p(x) by KL(q ‖ p(z|x))",
) -> style.Figure:
    """log p(x) = L + KL(q(z|x) ‖ p(z|x)) for several q: L as a position in nats, the divergence as a hatched length.

    labels: a name for each q. elbo: L in nats, (K,). gap: KL(q ‖ p(z|x)) in nats, (K,). log_evidence: log p(x) in nats.
    Raises ValueError if the lengths differ or a gap is negative by more than 1e-6.
    """
    elbo, gap = arrays(elbo=(elbo, "K"), gap=(gap, "K"))
    (log_evidence,) = arrays(log_evidence=([log_evidence], "1"))[0]
    if len(labels) != len(elbo):
        raise ValueError(f"labels has {len(labels)} entries; give {len(elbo)}, one for each value of elbo")
    if gap.min() < -1e-6:
        raise ValueError(f"gap has a value of {gap.min():.3g}; a divergence is not negative")
    figure = style.Figure(height=1.5 + 0.62 * len(labels))
    axes = figure.add_subplot()
    rows = np.arange(len(labels))
    span = max(log_evidence - elbo.min(), (elbo + gap).max() - elbo.min(), 0.02 * abs(log_evidence), 1e-3)
    left = min(elbo.min(), log_evidence) - 0.42 * span
    axes.hlines(rows, left, elbo, color=style.DATA, linewidth=1.6)
    axes.barh(
        rows, gap, left=elbo, height=0.5, color="none", edgecolor=style.MODEL, hatch=style.HATCHES[1], linewidth=1.2
    )
    axes.plot(elbo, rows, style.MARKERS[0], color=style.DATA, markersize=8, zorder=3)
    axes.axvline(log_evidence, color=style.theme().ink, linewidth=1.8, zorder=2)
    look = {"textcoords": "offset points", "fontsize": style.SMALL, "va": "bottom"}
    for row, bound, kl in zip(rows, elbo, gap, strict=True):
        axes.annotate(
            rf"$\mathcal{{L}}$ = {number(bound)}",
            (bound, row),
            xytext=(-9, 4),
            ha="right",
            color=style.ink(style.DATA),
            **look,
        )
        axes.annotate(
            f"KL = {number(kl)}",
            (log_evidence, row),
            xytext=(12, 0),
            ha="left",
            color=style.ink(style.MODEL),
            **look | {"va": "center"},
        )
    axes.annotate(
        rf"$\log\,p(x)$ = {number(log_evidence)}",
        (log_evidence, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 4),
        ha="center",
        **look | {"fontsize": style.TEXT},
    )
    axes.set_yticks(rows, labels, fontsize=style.TEXT, color=style.theme().ink)
    axes.set(xlabel="nats", xlim=(left, log_evidence + 0.42 * span), ylim=(len(labels) - 0.45, -0.6))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set_xticks(
        [tick for tick in axes.get_xticks() if left <= tick <= log_evidence]
    )  # no bound lies above log p(x)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    style.title(figure, title)
    return figure


@style.house
def bound_by_samples(
    k: Any,
    mean: Any,
    standard_error: Any,
    reference: Mapping[str, float] | None = None,
    title: str = "The importance-weighted bound rises with the number of samples",
) -> style.Figure:
    """The bound L_k against k, with its standard error.

    k: numbers of samples, (K,), positive. mean, standard_error: nats per image, (K,).
    reference: label -> nats, drawn as horizontal lines.
    Raises ValueError on other shapes.
    """
    k, mean, error = arrays(k=(k, "K"), mean=(mean, "K"), standard_error=(standard_error, "K"))
    if k.min() <= 0 or error.min() < 0:
        raise ValueError(f"k starts at {k.min():g}, standard_error at {error.min():g}; give k above 0, errors from 0")
    figure = style.Figure(height=3.6)
    axes = figure.add_subplot()
    axes.errorbar(
        k,
        mean,
        error,
        color=style.MODEL,
        marker=style.MARKERS[0],
        markersize=7,
        capsize=5,
        capthick=1.6,
        elinewidth=1.6,
    )
    for label, value in (reference or {}).items():
        axes.axhline(value, color=style.REFERENCE, linewidth=1.4, linestyle=style.DASHES[1])
        axes.annotate(
            f"{label}: {number(value)}",
            (0, value),
            xycoords=("axes fraction", "data"),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=style.theme().quiet,
        )
    axes.set_title("dot: mean over the images; bar: one standard error either side")
    axes.set(xscale="log", xlabel="samples $k$ per image (log scale)", ylabel=r"bound $\mathcal{L}_k$ (nats per image)")
    axes.xaxis.set_major_locator(FixedLocator(k))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(k, [f"{n:,.0f}" for n in k])
    axes.margins(x=0.12, y=0.22)
    style.title(figure, title)
    lines = [(k, mean), *(((n, n), (m - e, m + e)) for n, m, e in zip(k, mean, error, strict=True))]
    lines += [(axes.get_xlim(), (value, value)) for value in (reference or {}).values()]
    names = [number(value) for value in mean]
    label_points(figure, axes, k, mean, names, lines, fontsize=style.SMALL, color=style.ink(style.MODEL))
    return figure


@style.house
def rate_distortion(
    beta: Any,
    rate: Any,
    distortion: Any,
    title: str = "A larger β buys a smaller rate with a larger distortion",
) -> style.Figure:
    """One point for each β: what the code costs (rate) against what the decoder misses (distortion).

    beta: (B,). rate: E KL(q(z|x) ‖ p(z)) in nats per image, (B,) or (S, B) for S seeds.
    distortion: −E log p(x|z) in nats per image, shaped as rate. Seeds are small dots, their mean a large one.
    Raises ValueError on other shapes.
    """
    shape = "B" if array(rate).ndim == 1 else "S B"
    beta, rate, distortion = arrays(beta=(beta, "B"), rate=(rate, shape), distortion=(distortion, shape))
    rate, distortion = np.atleast_2d(rate), np.atleast_2d(distortion)
    figure = style.Figure(height=4.2)
    axes = figure.add_subplot()
    order = np.argsort(beta)
    x, y = rate.mean(axis=0)[order], distortion.mean(axis=0)[order]
    if len(rate) > 1:
        axes.plot(rate.ravel(), distortion.ravel(), "o", color=style.MODEL, alpha=0.4, markersize=4, markeredgewidth=0)
        axes.set_title(f"small dots: {len(rate)} seeds; large dots: their mean")
    axes.plot(x, y, "-o", color=style.MODEL, markersize=8, linewidth=1.6)
    axes.set(xlabel="rate: KL to the prior (nats per image)", ylabel=r"distortion: $-\mathrm{E}\,\log\,p(x|z)$ (nats)")
    axes.margins(0.14)
    style.title(figure, title)
    names = [f"β = {b:g}" for b in beta[order]]
    axes.set_xlim(-0.04 * rate.max(), 1.16 * rate.max())
    lines = [(x, y), *((rate[[s, s], i], distortion[[s, s], i]) for s in range(len(rate)) for i in range(len(beta)))]
    label_points(figure, axes, x, y, names, lines, fontsize=style.TEXT)
    return figure
