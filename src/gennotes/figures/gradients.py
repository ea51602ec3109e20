"""Estimators of one gradient, compared."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gennotes.figures import style
from gennotes.figures.arrays import arrays
from gennotes.figures.labels import number


@style.house
def estimator_spread(
    estimates: Mapping[str, Any],
    truth: float,
    xlabel: str = "estimate of the gradient",
    title: str = "All estimators aim at the exact gradient; they differ in variance",
) -> style.Figure:
    """Single-sample estimates of one gradient, one row an estimator, about the exact value; and their variances.

    estimates: label -> samples (n,), n at least 2. truth: the exact gradient.
    Left: up to 75 estimates, their middle 90 % as a bar, their mean as a diamond; the axis spans the middle 98 % of
    the widest. Right: the variance on a logarithmic axis.
    Raises ValueError on other shapes.
    """
    if not estimates:
        raise ValueError("estimates is empty; give at least one label with its samples")
    samples = {label: arrays(**{f"estimates[{label!r}]": (x, "n")})[0] for label, x in estimates.items()}
    if any(len(x) < 2 for x in samples.values()):
        raise ValueError(f"estimates have {[len(x) for x in samples.values()]} samples; give at least 2 of each")
    figure = style.Figure(height=1.6 + 0.72 * len(samples))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2.2, 1))
    shuffle = np.random.default_rng(0)
    reach = max(np.abs(np.quantile(x, (0.01, 0.99)) - truth).max() for x in samples.values()) * 1.05
    left.axvline(truth, color=style.theme().ink, linewidth=1.4, linestyle=style.DASHES[1])
    for row, (label, x) in enumerate(samples.items()):
        colour, marker = style.SERIES[row % len(style.SERIES)], style.MARKERS[row % len(style.MARKERS)]
        some = x if len(x) <= 75 else shuffle.choice(x, 75, replace=False)
        some = some[np.abs(some - truth) <= reach]
        height = row + shuffle.uniform(-0.2, 0.2, len(some))
        left.plot(some, height, "o", color=colour, markersize=2.6, alpha=0.4, markeredgewidth=0, label=label)
        left.plot(
            np.quantile(x, (0.05, 0.95)), (row, row), color=colour, linewidth=5, alpha=0.55, solid_capstyle="butt"
        )
        left.plot(x.mean(), row, "D", color=colour, markersize=8, markeredgecolor=style.theme().paper)
        variance = x.var(ddof=1)
        right.plot(variance, row, marker, color=colour, markersize=9)
        right.annotate(
            number(variance),
            (variance, row),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=style.SMALL,
            color=style.ink(colour),
        )
    left.set_title("dots: estimates; bar: middle 90 %; diamond: mean")
    left.annotate(
        "exact",
        (truth, 0),
        xycoords=("data", "axes fraction"),
        xytext=(5, 4),
        textcoords="offset points",
        fontsize=style.SMALL,
        va="bottom",
    )
    left.set_yticks(range(len(samples)), list(samples), fontsize=style.TEXT, color=style.theme().ink)
    left.set(xlabel=xlabel, xlim=(truth - reach, truth + reach), ylim=(len(samples) - 0.35, -0.65))
    right.set(xlabel="variance (log scale)", xscale="log")
    right.margins(x=0.35)
    for axes in (left, right):
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(axes is right)
    style.title(figure, title)
    return figure
