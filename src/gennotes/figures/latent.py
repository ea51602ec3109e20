"""Latent units: their posteriors against the prior, and which of them carry information."""

from typing import Any

import numpy as np

from gennotes.figures import style
from gennotes.figures.arrays import array, arrays


def _normal(z: np.ndarray, mean: np.ndarray | float, sd: np.ndarray | float) -> np.ndarray:
    """Density of the normal N(mean, sd²) at z."""
    return np.exp(-0.5 * ((z - mean) / sd) ** 2) / (np.sqrt(2 * np.pi) * sd)


@style.house
def posteriors(
    mu: Any,
    sigma: Any,
    shown: int = 12,
    title: str = "Each image has its own posterior; only their average meets the prior",
) -> style.Figure:
    """Prior, single posteriors and aggregate posterior of one latent unit.

    Above: q(z|x) = N(μ, σ²) of `shown` images, spread evenly over the order of their μ.
    Below: the aggregate q(z), the mean of q(z|x) over all N images, and the prior N(0, 1).

    mu, sigma: (N,), σ a standard deviation. Raises ValueError on other shapes or a σ that is not positive.
    """
    mu, sigma = arrays(mu=(mu, "N"), sigma=(sigma, "N"))
    if sigma.min() <= 0:
        raise ValueError(f"sigma has a value of {sigma.min():.3g}; give standard deviations above 0")
    reach = max(3.6, np.quantile(np.abs(mu) + 3 * sigma, 0.995))
    z = np.linspace(-reach, reach, 301)
    figure = style.Figure(height=4.6)
    upper, lower = figure.subplots(2, 1, sharex=True)

    prior = _normal(z, 0.0, 1.0)
    for axes in (upper, lower):
        axes.fill_between(z, prior, color=style.REFERENCE, alpha=0.22, linewidth=0)
        axes.plot(z, prior, color=style.REFERENCE, linewidth=1.6, linestyle=style.DASHES[1], label="prior")
    count = min(shown, len(mu))
    chosen = np.argsort(mu)[((np.arange(count) + 0.5) * len(mu) / count).astype(int)]
    for i in chosen:
        near = mu[i] + sigma[i] * np.linspace(-4, 4, 65)
        upper.plot(near, _normal(near, mu[i], sigma[i]), color=style.DATA, linewidth=1.1, alpha=0.9, label="single")
    aggregate = np.mean([_normal(z, m, s) for m, s in zip(mu, sigma, strict=True)], axis=0)
    lower.plot(z, aggregate, color=style.DATA, linewidth=2.8, label="aggregate")

    upper.set_title(f"single posteriors $q(z|x)$ of {len(chosen)} images (thin), prior $p(z)$ (grey, dashed)")
    lower.set_title(f"aggregate posterior $q(z)$ over {len(mu):,} images (bold), prior $p(z)$ (grey, dashed)")
    lower.set(xlabel="latent unit $z$", ylabel="density", xlim=(-reach, reach))
    upper.set(ylabel="density")
    for axes in (upper, lower):
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
    style.title(figure, title)
    return figure


@style.house
def kl_by_unit(kl: Any, active: Any, title: str | None = None) -> style.Figure:
    """The KL term of each latent unit, sorted; collapsed units are hatched and grey.

    kl: nats, (L,), averaged over the data. active: bool, (L,).
    Raises ValueError on other shapes.
    """
    (kl,) = arrays(kl=(kl, "L"))
    active = array(active).astype(bool)
    if active.shape != kl.shape:
        raise ValueError(f"active has shape {active.shape}; give shape {kl.shape} as kl has")
    order = np.argsort(-kl, kind="stable")
    figure = style.Figure(height=3.6)
    axes = figure.add_subplot()
    place = np.arange(len(kl))
    for mask, colour, hatch, name in (
        (active[order], style.DATA, style.HATCHES[0], "active"),
        (~active[order], style.REFERENCE, style.HATCHES[1], "collapsed"),
    ):
        if mask.any():
            face = colour if name == "active" else "none"
            label = f"{mask.sum()} {name}"
            axes.bar(place[mask], kl[order][mask], 0.74, color=face, edgecolor=colour, hatch=hatch, label=label)
    axes.set_xticks(place, order + 1 if len(kl) <= 32 else [""] * len(kl))
    axes.set(xlabel="latent unit (its number), sorted", ylabel="KL to the prior (nats)", xlim=(-0.7, len(kl) - 0.3))
    axes.axhline(0, color=style.theme().quiet, linewidth=0.9)
    axes.grid(axis="x", visible=False)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=style.SMALL, handlelength=1.4, borderaxespad=0.2
    )
    style.title(figure, title or f"{active.sum()} of {len(kl)} latent units carry information about the image")
    return figure
