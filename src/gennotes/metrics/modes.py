"""How samples lie over the modes of a mixture in the plane."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gennotes import divergences
from gennotes.data import Mixture


class Coverage(NamedTuple):
    """How samples lie over the modes of a mixture; see `mode_coverage`."""

    found: Tensor  # int64 (...), the modes with at least one sample of high quality
    high_quality: Tensor  # float64 (...), the share of such samples, in [0, 1]
    reverse_kl_nats: Tensor  # float64 (...), in [0, log K], or +inf without any such sample


@torch.no_grad()
def mode_counts(samples: Tensor, mixture: Mixture, radius: float = 3.0) -> Tensor:
    """How many samples of high quality belong to each mode of a mixture.

    A sample belongs to its nearest mode m_k; it is of high quality if it lies within radius standard deviations of it,
    |x − m_k| ≤ radius · σ, in the Euclidean norm. A NaN or infinite point is not of high quality.

    samples: points of the plane, (..., N, 2). radius: in standard deviations σ of the mixture, above 0; a large one
        counts every sample at its nearest mode.
    Returns whole numbers, (..., K), which add up to at most N.
    Raises ValueError if samples are not floating-point (..., N, 2) with N at least 1, or the radius is not a finite
    number above 0.
    """
    if not samples.is_floating_point() or samples.ndim < 2 or samples.shape[-1] != 2 or samples.numel() == 0:
        raise ValueError(
            f"mode_counts got samples {samples.dtype} {tuple(samples.shape)}; give points of the plane, "
            "floating-point (N, 2) or (S, N, 2), at least one."
        )
    if not 0 < radius < math.inf:
        raise ValueError(f"mode_counts got the radius {radius}; give standard deviations, a number above 0.")
    modes = len(mixture.means)
    kind = torch.promote_types(samples.dtype, torch.float32)
    squared = (samples.to(kind).unsqueeze(-2) - mixture.means.to(samples.device, kind)).square().sum(-1)  # (..., N, K)
    nearest = squared.min(-1)
    good = nearest.values <= (radius * mixture.std) ** 2  # (..., N), false for NaN
    owned = nearest.indices.unsqueeze(-1) == torch.arange(modes, device=samples.device)
    return (owned & good.unsqueeze(-1)).sum(-2)  # (..., K)


@torch.no_grad()
def mode_coverage(samples: Tensor, mixture: Mixture, radius: float = 3.0) -> Coverage:
    """How many modes of a mixture samples find, the share of samples of high quality, and how unevenly these spread.

    A sample belongs to its nearest mode m_k; it is of high quality if it lies within radius standard deviations of it,
    |x − m_k| ≤ radius · σ, in the Euclidean norm. A mode is found if at least one sample of high quality belongs to it.
    With the share r_k of the samples of high quality that belongs to mode k, and the weights 1/K of the mixture,
    the reverse divergence is KL(r ‖ 1/K) = Σ_k r_k log(K r_k) = log K − H(r): 0 if all modes get the same number, log K
    if one gets all, and +inf, as r does not exist, if no sample is of high quality.

    A perfect sampler has the share 1 − exp(−radius²/2) in the mean, 98.9 % for 3, if the discs lie far apart, and a
    divergence of about (K − 1) / 2N in the mean, as chance alone spreads N samples of high quality unevenly.

    samples: points of the plane, (N, 2), or of an ensemble, (S, N, 2), or with any more leading dimensions, on any
    device; the published protocol has N = 2,500. A NaN or infinite point is not of high quality, so that a member that
    has diverged finds 0 modes and does not keep the others from being measured.
    radius: in standard deviations σ of the mixture, above 0.
    Returns a `Coverage` with the shapes () for (N, 2), (S,) for (S, N, 2); no gradients.
    Raises ValueError if samples are not floating-point (..., N, 2) with N at least 1, or the radius is not a finite
    number above 0.
    Source: Lin et al. 2018, section 4.1; that the divergence counts samples of high quality only is as in the authors'
    code (fjxmlzn/PacGAN, extensions.py).
    """
    counts = mode_counts(samples, mixture, radius)
    modes = counts.shape[-1]
    total = counts.sum(-1)
    weights = torch.full((modes,), 1 / modes, dtype=torch.float64, device=samples.device)
    shares = torch.where(total.unsqueeze(-1) > 0, counts.double() / total.unsqueeze(-1), weights)
    reverse_kl = torch.where(total > 0, divergences.kl(shares, weights), torch.inf)
    return Coverage((counts > 0).sum(-1), total.double() / samples.shape[-2], reverse_kl)
