"""Entropies and divergences from draws: averages with their standard errors, and the distance of two samples."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Estimate(NamedTuple):
    """A Monte Carlo average of N independent draws, and its standard error s/√N (s with N − 1)."""

    value: Tensor  # (...)
    error: Tensor  # (...)


def kl_samples(log_p: Tensor, log_q: Tensor) -> Estimate:
    """KL(p ‖ q) = E_p[log p(x) − log q(x)], estimated from N draws x ~ p.

    log_p, log_q: log densities (or log probabilities) of the draws, (..., N), N at least 2, broadcast. Both must be
    normalised. log_q may be −inf: the value is then +inf and the error NaN.
    Returns nats, (...): unbiased, so that it can be negative although the divergence is not.
    Raises ValueError if there are fewer than 2 draws, a value is NaN or +inf, log_p is −inf (p cannot have drawn it),
    or the shapes do not fit.
    """
    _check("kl_samples", own={"log_p": log_p}, other={"log_q": log_q})
    return _estimate(log_p - log_q)


def entropy_samples(log_p: Tensor) -> Estimate:
    """H(p) = E_p[−log p(x)], estimated from N draws x ~ p; with log q(x) of the same draws the cross-entropy H(p, q).

    log_p: log densities (or log probabilities) of the draws, (..., N), N at least 2.
    Returns nats, (...). Raises ValueError if there are fewer than 2 draws, or a value is NaN or +inf.
    """
    _check("entropy_samples", own={}, other={"log_p": log_p})
    return _estimate(-log_p)


def js_samples(log_p_x: Tensor, log_q_x: Tensor, log_p_y: Tensor, log_q_y: Tensor) -> Estimate:
    """JS(p, q) = ½ E_p[log p(x)/m(x)] + ½ E_q[log q(y)/m(y)], m = ½ (p + q), from draws x ~ p and y ~ q.

    log_p_x, log_q_x: both log densities at draws from p, (..., N); log_p_y, log_q_y: at draws from q, (..., M);
    N and M at least 2. −inf is allowed for the density that did not draw.
    Returns nats, (...): unbiased, so that it can leave [0, log 2] by a few standard errors; each term is at most log 2.
    Raises ValueError as `kl_samples` does.
    """
    _check("js_samples", own={"log_p_x": log_p_x}, other={"log_q_x": log_q_x})
    _check("js_samples", own={"log_q_y": log_q_y}, other={"log_p_y": log_p_y})
    # log p/m = log 2 − log(1 + q/p)
    from_p = _estimate(0.5 * (math.log(2) - torch.nn.functional.softplus(log_q_x - log_p_x)))
    from_q = _estimate(0.5 * (math.log(2) - torch.nn.functional.softplus(log_p_y - log_q_y)))
    return Estimate(from_p.value + from_q.value, torch.hypot(from_p.error, from_q.error))


def wasserstein_samples(x: Tensor, y: Tensor) -> Tensor:
    """Wasserstein-1 distance of two samples on the line, W₁ = ∫ |F_x(t) − F_y(t)| dt with their step functions F.

    x: (..., N), y: (..., M), with the same leading dimensions, N and M at least 1. For N = M it is the mean of
    |x_(i) − y_(i)| over the sorted values. Exact, and differentiable where no two values coincide.
    Returns a distance in the units of x, (...). As an estimate of the distance of the distributions that the samples
    come from it is too large in the mean: two samples of one distribution do not coincide.
    Raises ValueError if a sample is empty or holds NaN or infinite values, or the leading dimensions differ.
    Source: Villani 2009, chapter 6; Vallender 1974.
    """
    for name, sample in (("x", x), ("y", y)):
        if sample.ndim == 0 or sample.numel() == 0:
            raise ValueError(f"wasserstein_samples got {name} of shape {tuple(sample.shape)}; give at least one draw.")
        if not sample.isfinite().all():
            raise ValueError(f"wasserstein_samples got {name} with NaN or infinite values; leave these draws out.")
    if x.shape[:-1] != y.shape[:-1]:
        raise ValueError(
            f"wasserstein_samples got x {tuple(x.shape)} and y {tuple(y.shape)}; give equal leading dimensions."
        )
    x, y = x.sort().values, y.sort().values
    both = torch.cat([x, y], -1).sort().values
    ends = both[..., :-1].detach().contiguous()  # F_x and F_y are constant from each of these to the next
    share_x, share_y = (
        torch.searchsorted(sample.detach().contiguous(), ends, right=True).to(both) / sample.shape[-1]
        for sample in (x, y)
    )
    return ((share_x - share_y).abs() * both.diff()).sum(-1)


def _estimate(terms: Tensor) -> Estimate:
    return Estimate(terms.mean(-1), terms.std(-1) / terms.shape[-1] ** 0.5)


def _check(function: str, own: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Checks log densities of draws: `own` of the distribution that drew, where nothing can be −inf."""
    for name, values in (own | other).items():
        if values.ndim == 0 or values.shape[-1] < 2 or values.numel() == 0:
            raise ValueError(f"{function} got {name} of shape {tuple(values.shape)}; give (..., N) with N at least 2.")
        if values.isnan().any() or (values == torch.inf).any():
            raise ValueError(f"{function} got {name} with NaN or +inf; give log densities of the draws.")
        if name in own and (values == -torch.inf).any():
            raise ValueError(f"{function} got {name} with −inf; the density that drew cannot be 0 at its own draws.")
    shapes = {values.shape[-1] for values in (own | other).values()}
    if len(shapes) > 1:
        listed = " and ".join(f"{name} {tuple(values.shape)}" for name, values in (own | other).items())
        raise ValueError(f"{function} got {listed}; give both densities at the same draws.")
