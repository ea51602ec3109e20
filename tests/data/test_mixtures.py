"""The toys of the plane: known modes, exact density, samples that follow it."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from gennotes import data

TOYS = ("ring", "grid")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reference(toy: data.Mixture, dtype: torch.dtype) -> MixtureSameFamily:
    means = toy.means.to(dtype)
    each = Independent(Normal(means, torch.full_like(means, toy.std)), 1)
    return MixtureSameFamily(Categorical(logits=torch.zeros(len(means), dtype=dtype)), each)


def test_the_ring_is_that_of_pacgan():
    ring = data.toy("ring")
    assert ring.means.shape == (8, 2)
    assert ring.std == 0.01
    assert torch.allclose(ring.means.norm(dim=1), torch.ones(8))
    step = 2 * math.sin(math.pi / 8)  # the chord of an eighth of the circle
    assert torch.allclose((ring.means - ring.means.roll(1, 0)).norm(dim=1), torch.full((8,), step))


def test_the_grid_is_that_of_pacgan():
    grid = data.toy("grid")
    expected = {(x, y) for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)}
    assert {tuple(mean) for mean in grid.means.tolist()} == expected
    assert len(grid.means) == 25
    assert grid.std == 0.05


@pytest.mark.parametrize("name", TOYS)
def test_log_prob_is_exact(name):
    toy = data.toy(name)
    near = toy.sample(2_000, generator())
    far = 5 * torch.randn(2_000, 2, generator=generator(1))
    x = torch.cat([near, far, toy.means]).double()
    exact = reference(toy, torch.float64).log_prob(x)

    def is_right(log_prob):
        return torch.allclose(log_prob, exact, rtol=1e-9, atol=1e-9)

    found = toy.log_prob(x)
    assert is_right(found)
    assert not is_right(found + math.log(len(toy.means)))  # the weights left out
    assert not is_right(found + math.log(toy.std))  # normalised as on a line, not in a plane
    assert not is_right(data.Mixture(toy.means, toy.std**2).log_prob(x))  # variance taken for σ
    assert torch.allclose(toy.log_prob(near), toy.log_prob(near.double()).float(), atol=1e-3)


@pytest.mark.parametrize("name", TOYS)
def test_the_density_integrates_to_one(name):
    """Over a square of ±8 σ round one mode, the others being too far away to count: 1/K."""
    toy = data.toy(name)
    offsets = torch.linspace(-8 * toy.std, 8 * toy.std, 401, dtype=torch.float64)
    square = torch.cartesian_prod(offsets, offsets) + toy.means[3]
    mass = toy.log_prob(square).exp().sum() * (offsets[1] - offsets[0]) ** 2
    assert mass == pytest.approx(1 / len(toy.means), rel=1e-6)


@pytest.mark.parametrize("name", TOYS)
def test_samples_follow_the_mixture(name):
    toy, n = data.toy(name), 100_000
    modes = len(toy.means)

    def fits(batch):
        """Counts of modes, means and standard deviations within five standard errors."""
        residual = (batch.x - toy.means[batch.y]).double()
        counts = batch.y.bincount(minlength=modes).double()
        count_ok = ((counts - n / modes).abs() < 5 * math.sqrt(n / modes)).all()
        mean_ok = (residual.mean(0).abs() < 5 * toy.std / math.sqrt(n)).all()
        std_ok = ((residual.std(0) / toy.std - 1).abs() < 5 / math.sqrt(2 * n)).all()
        correlated = (residual[:, 0] * residual[:, 1]).mean() / toy.std**2
        return bool(count_ok and mean_ok and std_ok and correlated.abs() < 5 / math.sqrt(n))

    good = toy.draw(n, generator())
    assert good.x.dtype == torch.float32
    assert good.y.dtype == torch.int64
    assert fits(good)
    assert not fits(data.Mixture(toy.means, toy.std * 1.05).draw(n, generator()))
    assert not fits(data.Batch(toy.means[good.y] + (good.x - toy.means[good.y])[:, :1], good.y))  # one noise, two axes
    assert not fits(data.Batch(good.x, good.y.roll(1)))  # modes of other points
    fewer = torch.where(good.y == modes - 1, 0, good.y)
    assert not fits(data.Batch(good.x - toy.means[good.y] + toy.means[fewer], fewer))  # a mode dropped
    assert torch.equal(toy.sample(50, generator(7)), toy.draw(50, generator(7)).x)


def test_a_batch_depends_on_step_and_seed_only():
    batches = data.toy("ring").batches(64)
    assert batches.size == 64
    calls = [(step, seed) for step in range(5) for seed in range(3)]
    expected = {call: batches.at(*call) for call in calls}
    for call in reversed(calls):
        assert torch.equal(batches.at(*call).x, expected[call].x)
        assert torch.equal(batches.at(*call).y, expected[call].y)
    assert len({tuple(batch.x.flatten().tolist()) for batch in expected.values()}) == len(calls)


@pytest.mark.parametrize("n", [0, -3, 1.5, "4"])
def test_a_bad_number_of_points_is_refused(n):
    ring = data.toy("ring")
    with pytest.raises(data.DataError, match=r"^the number of points is .*; wanted a whole number of at least 1$"):
        ring.sample(n, generator())
    with pytest.raises(data.DataError, match=r"^the size of a batch is .*; wanted a whole number of at least 1$"):
        ring.batches(n)


def test_a_bad_step_is_refused():
    with pytest.raises(data.DataError, match=r"^the step is -1; wanted a whole number of at least 0$"):
        data.toy("ring").batches(4).at(-1, 0)


@pytest.mark.parametrize("x", [torch.zeros(5, 3), torch.zeros(2, 5), torch.tensor(1.0), torch.zeros(4, 2).long()])
def test_points_of_a_wrong_shape_or_type_are_refused(x):
    with pytest.raises(data.DataError, match=r"^x is torch\..*; wanted points of the plane, floating-point \(…, 2\)$"):
        data.toy("grid").log_prob(x)


def test_a_generator_elsewhere_is_refused():
    ring = data.Mixture(torch.zeros(8, 2, device="meta"), 0.01)
    with pytest.raises(data.DataError, match=r"^the generator is on cpu and the mixture on meta; give torch.Generator"):
        ring.sample(4, generator())


def test_an_unknown_toy_is_refused():
    with pytest.raises(data.DataError, match=r"^toy 'spirals' is unknown; give one of ring, grid"):
        data.toy("spirals")
