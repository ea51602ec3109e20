"""Entropies and divergences, in nats: of finite distributions, of densities on a grid, of samples, of normals.

Wasserstein distances are in the units of the points: on the line, and of two sets of points in any dimension.
"""

from gennotes.divergences.finite import (
    conditional_entropy,
    cross_entropy,
    entropy,
    js,
    kl,
    mutual_information,
    total_variation,
    wasserstein,
)
from gennotes.divergences.normals import entropy_normal, kl_normal, kl_normal_full, log_normal
from gennotes.divergences.samples import Estimate, entropy_samples, js_samples, kl_samples, wasserstein_samples
from gennotes.divergences.transport import Transport, wasserstein_points

__all__ = [
    "Estimate",
    "Transport",
    "conditional_entropy",
    "cross_entropy",
    "entropy",
    "entropy_normal",
    "entropy_samples",
    "js",
    "js_samples",
    "kl",
    "kl_normal",
    "kl_normal_full",
    "kl_samples",
    "log_normal",
    "mutual_information",
    "total_variation",
    "wasserstein",
    "wasserstein_points",
    "wasserstein_samples",
]
