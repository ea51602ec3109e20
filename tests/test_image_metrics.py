"""Measures of images: against closed forms, scipy, and counting by hand; planted mistakes are told."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from gennotes.metrics import agreement, frechet_distance, nearest, precision_recall

pytestmark = pytest.mark.usefixtures("one_thread")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bent(seed: int, rows: int = 400, size: int = 5) -> Tensor:
    """Features with a covariance of their own."""
    return normal(rows, size, seed=seed) @ normal(size, size, seed=seed + 50) + normal(size, seed=seed + 90)


def by_scipy(a: Tensor, b: Tensor) -> float:
    """The distance by the general matrix square root of the product."""
    a, b = a.numpy(), b.numpy()
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root.real))


@pytest.mark.parametrize("seed", range(5))
def test_the_frechet_distance_is_that_of_scipys_square_root(seed: int) -> None:
    a, b = bent(seed), bent(seed + 10, rows=300)
    assert frechet_distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_the_frechet_distance_in_closed_form() -> None:
    a = normal(1_000, 3)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(torch.cov(a.T)), (a - a.mean(0)).T, upper=False).T
    shift, scale = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([2.0, 1.0, 3.0])
    # of N(0, I) and N(m, diag s²): ‖m‖² + Σ (1 − s)²
    wanted = shift.square().sum() + (1 - scale).square().sum()
    assert frechet_distance(white, white * scale + shift) == pytest.approx(wanted.item(), rel=1e-9)
    assert frechet_distance(white, white[torch.randperm(1_000)]) == pytest.approx(0, abs=1e-9)
    one = white[:, :1]
    assert frechet_distance(one, 3 * one) == pytest.approx(4, rel=1e-9)


def test_the_frechet_distance_of_features_that_are_always_zero() -> None:
    a, b = bent(0), bent(1)
    dead = torch.zeros(len(a), 2, dtype=a.dtype)
    assert frechet_distance(torch.cat([a, dead], 1), torch.cat([b, dead], 1)) == pytest.approx(frechet_distance(a, b))


def test_planted_mistakes_in_the_frechet_distance_are_told() -> None:
    a, b = bent(3), bent(4)
    right, cov_a, cov_b = frechet_distance(a, b), torch.cov(a.T), torch.cov(b.T)
    mean = (a.mean(0) - b.mean(0)).square().sum()
    elementwise = mean + (cov_a + cov_b).trace() - 2 * (cov_a * cov_b).abs().sqrt().trace()
    once = mean + (cov_a + cov_b).trace() - by_root(cov_a @ cov_b)
    for wrong in (elementwise.item(), once, right - mean.item(), right**0.5):
        assert abs(wrong - right) > 1e-3 * right


def by_root(product: Tensor) -> float:
    return float(np.trace(scipy.linalg.sqrtm(product.numpy()).real))


def counted(real: Tensor, generated: Tensor, k: int) -> tuple[float, float]:
    """Precision and recall by loops."""

    def share(items: Tensor, support: Tensor) -> float:
        radii = [sorted((support - centre).norm(dim=1).tolist())[k] for centre in support]
        inside = [any((x - c).norm() <= r for c, r in zip(support, radii, strict=True)) for x in items]
        return sum(inside) / len(items)

    return share(generated, real), share(real, generated)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_are_those_of_loops(k: int) -> None:
    real, generated = normal(40, 2), 0.5 * normal(50, 2, seed=1) + 0.7
    found = precision_recall(real, generated, k)
    assert found == pytest.approx(counted(real, generated, k))
    assert found[0] > found[1] + 0.05  # told apart: narrow samples are precise and miss much
    assert precision_recall(generated, real, k) == pytest.approx(found[::-1])
    assert tuple(found) != pytest.approx(counted(real, generated, k + 1))


def test_precision_and_recall_at_their_ends() -> None:
    real = normal(100, 4)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, real + 100) == (0, 0)
    one_place = real[:1] + 1e-3 * normal(100, 4, seed=2)
    assert precision_recall(real, one_place) == (1, pytest.approx(0.01))


def test_agreement_counts_the_classes_that_were_asked_for() -> None:
    logits = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 3.0], [0.0, 3.0]])
    assert agreement(logits, torch.tensor([1, 0, 1, 0])) == 0.75


def test_the_nearest_image_is_that_of_all_pairs() -> None:
    x, among = normal(5, 1, 4, 4), normal(9, 1, 4, 4, seed=1)
    distances = (x[:, None] - among[None]).square().flatten(2).sum(2).sqrt()
    found = nearest(x, among)
    assert torch.equal(found.index, distances.argmin(1))
    torch.testing.assert_close(found.distance, distances.min(1).values.float())
    assert nearest(among[3:4], among) == (0, 3)
    assert nearest(x[:0], among).distance.shape == (0,)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: frechet_distance(normal(3, 2), normal(3, 4)), r"\(3, 2\) and \(3, 4\)"),
        (lambda: frechet_distance(normal(1, 2), normal(3, 2)), "at least 2 items"),
        (lambda: frechet_distance(normal(3, 2) / 0, normal(3, 2)), "not finite"),
        (lambda: precision_recall(normal(3, 2), normal(3, 2)), "at least 4 items"),
        (lambda: precision_recall(normal(9, 2), normal(9, 2), 0), "neighbours=0"),
        (lambda: agreement(normal(3, 2), torch.zeros(2)), "logits"),
        (lambda: nearest(normal(3, 1, 2, 2), normal(3, 1, 4, 4)), "one size"),
        (lambda: nearest(normal(3, 1, 2, 2), normal(0, 1, 2, 2)), "one size"),
    ],
)
def test_bad_input_is_named(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
