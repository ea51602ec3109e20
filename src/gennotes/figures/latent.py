"""Latent units: their posteriors against the prior, and which of them carry information."""

from typing import Any

import numpy as np
from matplotlib.transforms import offset_copy
from scipy.special import ndtr

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
    title: str = "Each image has its own posterior; the prior is for their average",
) -> style.Figure:
    """Prior, single posteriors and aggregate posterior of one latent unit.

    Above: q(z|x) = N(μ, σ²) of `shown` images, spread evenly over the order of their μ.
    Below: the aggregate q(z), the mean of q(z|x) over all N images, and the prior N(0, 1). The aggregate is averaged
    over each of the 301 steps of the axis, so that no posterior, however narrow, falls between two of them.

    mu, sigma: (N,), σ a standard deviation. Raises ValueError on other shapes or a σ that is not positive.
    """
    mu, sigma = arrays(mu=(mu, "N"), sigma=(sigma, "N"))
    if sigma.min() <= 0:
        raise ValueError(f"sigma has a value of {sigma.min():.3g}; give standard deviations above 0")
    reach = max(3.6, np.quantile(np.abs(mu) + 3 * sigma, 0.995))
    wide = np.linspace(-reach, reach, 121)
    figure = style.Figure(height=4.6)
    upper, lower = figure.subplots(2, 1, sharex=True)

    prior = _normal(wide, 0.0, 1.0)
    for axes in (upper, lower):
        axes.fill_between(wide, prior, color=style.REFERENCE, alpha=0.22, linewidth=0)
        axes.plot(wide, prior, color=style.REFERENCE, linewidth=1.6, linestyle=style.DASHES[1], label="prior")
    count = min(shown, len(mu))
    chosen = np.argsort(mu)[((np.arange(count) + 0.5) * len(mu) / count).astype(int)]
    for i in chosen:
        near = mu[i] + sigma[i] * np.linspace(-4, 4, 49)
        upper.plot(near, _normal(near, mu[i], sigma[i]), color=style.DATA, linewidth=1.1, alpha=0.9, label="single")
    edges = np.linspace(-reach, reach, 302)
    below = np.mean([ndtr((edges - m) / s) for m, s in zip(mu, sigma, strict=True)], axis=0)  # P(unit < edge)
    step = edges[1] - edges[0]
    lower.plot(edges[:-1] + step / 2, np.diff(below) / step, color=style.DATA, linewidth=2.8, label="aggregate")

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
    Raises ValueError on other shapes or a KL below −1e-6.
    """
    (kl,) = arrays(kl=(kl, "L"))
    active = array(active).astype(bool)
    if active.shape != kl.shape:
        raise ValueError(f"active has shape {active.shape}; give shape {kl.shape} as kl has")
    if kl.min() < -1e-6:
        raise ValueError(f"kl has a value of {kl.min():.3g}; a divergence is not negative")
    order = np.argsort(-kl, kind="stable")
    figure = style.Figure(height=3.6)
    axes = figure.add_subplot()
    place = np.arange(len(kl))
    on = active[order]
    axes.bar(place[on], kl[order][on], 0.74, color=style.DATA, edgecolor=style.DATA, label=f"{on.sum()} active")
    if not on.all():
        off = {"color": "none", "edgecolor": style.REFERENCE, "hatch": style.HATCHES[1]}
        axes.bar(place[~on], kl[order][~on], 0.74, label=f"{(~on).sum()} collapsed (×)", **off)
        above = offset_copy(axes.transData, figure, y=7, units="points")
        axes.plot(place[~on], kl[order][~on], "x", color=style.theme().quiet, transform=above)
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=style.SMALL, handlelength=1.4, borderaxespad=0.2
        )
    axes.set_xticks(place, order + 1 if len(kl) <= 32 else [""] * len(kl))
    axes.set(xlabel="latent unit (its number), sorted", ylabel="KL to the prior (nats)")
    axes.set(xlim=(-0.7, len(kl) - 0.3), ylim=(0, max(1.08 * kl.max(), 0.01)))
    axes.grid(axis="x", visible=False)
    style.title(figure, title or f"{active.sum()} of {len(kl)} latent units carry information about the image")
    return figure
