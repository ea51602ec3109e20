"""How good a model is: its likelihood, the modes it covers, and how its images lie among those of the data."""

from gennotes.metrics.images import Neighbours, Overlap, agreement, frechet_distance, nearest, precision_recall
from gennotes.metrics.likelihood import active_units, importance_bounds, kl_per_unit, log_likelihood
from gennotes.metrics.modes import Coverage, mode_counts, mode_coverage

__all__ = [
    "Coverage",
    "Neighbours",
    "Overlap",
    "active_units",
    "agreement",
    "frechet_distance",
    "importance_bounds",
    "kl_per_unit",
    "log_likelihood",
    "mode_counts",
    "mode_coverage",
    "nearest",
    "precision_recall",
]
