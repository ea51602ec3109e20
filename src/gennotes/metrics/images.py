"""How generated images lie among real ones: in the features of a network, by their class, and pixel by pixel."""

from typing import NamedTuple

import torch
from torch import Tensor


class Overlap(NamedTuple):
    """How two sets of features overlap; see `precision_recall`."""

    precision: float  # share of generated items that lie among the real ones, in [0, 1]
    recall: float  # share of real items that lie among the generated ones, in [0, 1]


class Neighbours(NamedTuple):
    """The nearest of a set; see `nearest`."""

    distance: Tensor  # float32 (N,)
    index: Tensor  # int64 (N,)


@torch.no_grad()
def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The squared Fréchet distance of two sets of features, each taken for a normal: 0 if mean and covariance agree.

    d² = ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½), with the covariances of N − 1. The same sets in another order
    give the same number. It depends on N: two samples of one distribution are further apart the smaller they are, so
    that it is only compared at equal N, on the same reference, in the features of the same layer of the same network.

    a, b: features (N, F) and (M, F), N and M at least 2, from one network.
    Returns squared units of the features, at least 0. The computation is in float64.
    Raises ValueError if the shapes do not fit or a feature is not finite.
    Source: Dowson & Landau 1982; for images, in the features of a network: Heusel et al. 2017.
    """
    a, b = _features("frechet_distance", a, b, 2)
    cov_a, cov_b = torch.cov(a.T).reshape(a.shape[1], -1), torch.cov(b.T).reshape(a.shape[1], -1)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T  # Σ_a^½
    # Σ_a Σ_b has the eigenvalues of the symmetric Σ_a^½ Σ_b Σ_a^½.
    shared = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    squared = (a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * shared
    return max(0.0, squared.item())


@torch.no_grad()
def precision_recall(real: Tensor, generated: Tensor, neighbours: int = 3) -> Overlap:
    """Improved precision and recall: the share of either set that lies within the other one's estimated support.

    The support of a set is the union of balls around its items, each just reaching its k-th nearest neighbour in the
    set. Precision is the share of generated items in the support of the real ones (are they realistic?), recall the
    share of real items in the support of the generated ones (is everything there?).

    real, generated: features (N, F) and (M, F) from one network, N and M above k. Take N = M for a fair pair.
    neighbours: k, at least 1; 3 in the paper.
    Raises ValueError if the shapes do not fit, a feature is not finite, or k is out of range.
    Source: Kynkäänniemi et al. 2019, eqs. 1 and 2.
    """
    if neighbours < 1:
        raise ValueError(f"precision_recall got neighbours={neighbours}; give at least 1")
    real, generated = _features("precision_recall", real, generated, neighbours + 1)
    return Overlap(_inside(generated, real, neighbours), _inside(real, generated, neighbours))


def agreement(logits: Tensor, y: Tensor) -> float:
    """The share of images whose most likely class is the one asked for, in [0, 1].

    logits: of an independent classifier, (N, K), N at least 1. y: classes asked for, int64 (N,).
    Raises ValueError if the shapes do not fit.
    """
    if logits.ndim != 2 or y.shape != logits.shape[:1] or len(y) == 0:
        raise ValueError(f"agreement got logits {tuple(logits.shape)} and y {tuple(y.shape)}; give (N, K) and (N,)")
    return (logits.argmax(1) == y).double().mean().item()


@torch.no_grad()
def nearest(x: Tensor, among: Tensor) -> Neighbours:
    """For each image the nearest of a set, by the root of the summed squared difference of pixels.

    x: images (N, C, H, W). among: images (M, C, H, W) in the same range, M at least 1.
    Returns the distances, float32 (N,), and the places in `among`, int64 (N,).
    Raises ValueError if the shapes do not fit.
    """
    if x.ndim != 4 or x.shape[1:] != among.shape[1:] or len(among) == 0:
        raise ValueError(f"nearest got images {tuple(x.shape)} and {tuple(among.shape)}; give (N, C, H, W) of one size")
    rows, flat = x.flatten(1).float(), among.flatten(1).float()
    found = [torch.cdist(part, flat, compute_mode="donot_use_mm_for_euclid_dist").min(1) for part in rows.split(200)]
    if not found:
        return Neighbours(rows.new_zeros(0), torch.zeros(0, dtype=torch.int64, device=x.device))
    return Neighbours(torch.cat([part.values for part in found]), torch.cat([part.indices for part in found]))


def _inside(items: Tensor, support: Tensor, neighbours: int) -> float:
    """The share of items within the union of the balls around the support's own."""
    # A point's own distance, 0, is the smallest: its k-th neighbour has rank k + 1.
    radii = torch.cat(
        [torch.cdist(part, support).kthvalue(neighbours + 1, dim=1).values for part in support.split(1_000)]
    )
    within = [(torch.cdist(part, support) <= radii).any(1) for part in items.split(1_000)]
    return torch.cat(within).double().mean().item()


def _features(name: str, a: Tensor, b: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Both in float64, checked."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < least:
        raise ValueError(
            f"{name} got features {tuple(a.shape)} and {tuple(b.shape)}; "
            f"give (N, F) and (M, F), at least {least} items each"
        )
    a, b = a.double(), b.double()
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError(f"{name} got features that are not finite; check the images that they come from")
    return a, b
