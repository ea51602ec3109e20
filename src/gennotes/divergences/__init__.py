"""Entropies and divergences, in nats: of finite distributions, of densities on a grid, of samples, of normals."""

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

__all__ = [
    "Estimate",
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
    "wasserstein_samples",
]
