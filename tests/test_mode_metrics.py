"""Coverage of modes against counting by hand, closed forms and the G-test; every mistake named here fails a check."""

import math

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from gennotes import data, metrics
from gennotes.data import Mixture
from gennotes.metrics import Coverage, mode_counts, mode_coverage

RING, GRID = data.toy("ring", "cpu"), data.toy("grid", "cpu")
CROWD = Mixture(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.3, 0.9], [5.0, 5.0]]), 0.4)  # discs of three modes overlap
DRAWS, MEMBERS = 100_000, 200


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def poor(mixture, seed):
    """Draws of an uneven sampler that is too wide, in float64: the last mode gets nothing but far points."""
    modes = len(mixture.means)
    y = torch.multinomial(0.7 ** torch.arange(modes - 1.0), 300, replacement=True, generator=seeded(seed))
    noise = torch.randn(300, 2, generator=seeded(seed + 1), dtype=torch.float64)
    near = mixture.means.double()[y] + 1.7 * mixture.std * noise
    far = mixture.means.double()[-1] + 4 * mixture.std * torch.tensor([[1.0, 0.5], [-0.2, 1.5]]).double()
    return torch.cat([near, far])


def counts_by_hand(samples, mixture, radius):
    """Sample by sample, from the definition."""
    means, counts = mixture.means.tolist(), [0] * len(mixture.means)
    for point in samples.tolist():
        lengths = [math.dist(point, mean) for mean in means]
        if min(lengths) <= radius * mixture.std:
            counts[lengths.index(min(lengths))] += 1
    return counts


def by_hand(samples, mixture, radius):
    counts = counts_by_hand(samples, mixture, radius)
    good = sum(counts)
    divergence = stats.entropy(counts, [1] * len(counts)) if good else math.inf  # both are made to sum to one
    return sum(count > 0 for count in counts), good / len(samples), float(divergence)


def check_counts(coverage):
    for mixture in (RING, GRID, CROWD):
        ensemble = torch.stack([poor(mixture, 10 * member) for member in range(3)])
        for radius in (0.5, 2.0, 3.0):
            expected = zip(*[by_hand(member, mixture, radius) for member in ensemble], strict=True)
            for part, values in zip(coverage(ensemble, mixture, radius), expected, strict=True):
                assert_close(part.double(), torch.tensor(values, dtype=torch.float64), rtol=0, atol=1e-12)


def check_perfect(coverage):
    """Of a perfect sampler the share is 1 − exp(−r²/2), and 2 N KL is the G statistic, χ² with K − 1 degrees."""
    for mixture in (RING, GRID):
        modes, x = len(mixture.means), mixture.sample(DRAWS, seeded())
        for radius in (1.0, 2.0, 3.0):
            found, high_quality, reverse_kl = coverage(x, mixture, radius)
            share = 1 - math.exp(-(radius**2) / 2)
            assert found == modes
            assert abs(high_quality - share) < 5 * math.sqrt(share * (1 - share) / DRAWS)
            statistic = 2 * DRAWS * high_quality * reverse_kl
            assert stats.chi2.ppf(1e-5, modes - 1) < statistic < stats.chi2.ppf(1 - 1e-5, modes - 1)


def check_chance(coverage):
    """Over 200 members of the protocol's 2,500 draws the divergence is (K − 1)/2N in the mean."""
    modes = len(RING.means)
    x = RING.sample(MEMBERS * 2_500, seeded(1)).view(MEMBERS, 2_500, 2)
    found, high_quality, reverse_kl = coverage(x, RING)
    assert found.shape == high_quality.shape == reverse_kl.shape == (MEMBERS,)
    error = reverse_kl.std() / math.sqrt(MEMBERS)
    assert abs(reverse_kl.mean() - (modes - 1) / (2 * 2_500 * 0.989)) < 4 * error
    assert abs(high_quality.mean() - 0.98889) < 5e-4


def check_closed_forms(coverage):
    """A point on a mode has distance 0: the share of the modes that are hit evenly is all that counts."""
    for mixture in (RING, GRID):
        modes = len(mixture.means)
        for hit in (1, 2, modes // 2, modes):
            x = torch.cat([mixture.means[:hit].repeat(3, 1), torch.full((hit, 2), 9.0)])  # a quarter is far from all
            found, high_quality, reverse_kl = coverage(x, mixture)
            assert found == hit
            assert high_quality == 0.75
            assert_close(reverse_kl.item(), math.log(modes / hit), rtol=0, atol=1e-12)
        assert [part.item() for part in coverage(torch.full((5, 2), 9.0), mixture)] == [0, 0, math.inf]


def textbook(samples, mixture, radius=3.0, flaw=None):
    """The same with torch.cdist and one-hot rows, with an optional mistake."""
    means, std = mixture.means.to(samples.dtype), mixture.std
    modes = len(means)
    exact = "donot_use_mm_for_euclid_dist"
    lengths = torch.cdist(samples, means.expand(*samples.shape[:-2], modes, 2), compute_mode=exact)
    shortest, nearest = lengths.min(-1)
    limit = {"variance": radius * std**2, "no deviation": radius, "always three": 3 * std}.get(flaw, radius * std)
    good = shortest <= limit
    if flaw == "square":
        good = ((samples.unsqueeze(-2) - means).abs().amax(-1) <= limit).any(-1)
    if flaw == "squared length":
        good = shortest**2 <= limit
    rows = torch.nn.functional.one_hot(nearest, modes)
    if flaw == "every mode in reach":
        rows = (lengths <= limit).long()
    everyone, counts = rows.sum(-2), (rows * good.unsqueeze(-1)).sum(-2)
    spread = (everyone if flaw == "divergence of all samples" else counts).double()
    if flaw == "divergence over the ensemble":
        spread = spread.view(-1, modes).sum(0).expand_as(spread)
    shares = spread / spread.sum(-1, keepdim=True)
    reverse_kl = torch.special.xlogy(shares, modes * shares).sum(-1).nan_to_num(math.inf)
    if flaw == "forward":
        reverse_kl = -(modes * shares).log().mean(-1)
    if flaw == "entropy":
        reverse_kl = -torch.special.xlogy(shares, shares).sum(-1)
    if flaw == "bits":
        reverse_kl = reverse_kl / math.log(2)
    found = ((everyone if flaw == "found without quality" else counts) > 0).sum(-1)
    high_quality = good.double().mean(None if flaw == "mean over the ensemble" else -1).expand_as(reverse_kl)
    if flaw == "share of the modes":
        high_quality = found.double() / modes
    return Coverage(found, high_quality, reverse_kl)


CHECKS = {
    check_counts: [
        "variance",
        "no deviation",
        "always three",
        "square",
        "squared length",
        "every mode in reach",
        "divergence of all samples",
        "divergence over the ensemble",
        "mean over the ensemble",
        "forward",
        "entropy",
        "bits",
        "found without quality",
        "share of the modes",
    ],
    check_perfect: ["variance", "always three", "square", "squared length", "entropy", "share of the modes"],
    check_chance: ["variance", "square", "squared length", "bits", "entropy", "divergence over the ensemble"],
    check_closed_forms: [
        "divergence of all samples",
        "forward",
        "entropy",
        "bits",
        "found without quality",
        "share of the modes",
    ],
}
checks = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@checks
def test_holds(check):
    check(mode_coverage)


@checks
def test_holds_for_the_textbook(check):
    """So that each of its mistakes is what fails below."""
    check(textbook)


@pytest.mark.parametrize(
    ("check", "flaw"),
    [pytest.param(check, flaw, id=f"{check.__name__}: {flaw}") for check, flaws in CHECKS.items() for flaw in flaws],
)
def test_rejects(check, flaw):
    with pytest.raises(AssertionError):
        check(lambda *args: textbook(*args, flaw=flaw))


def check_each_mode(count):
    for mixture in (RING, GRID, CROWD):
        ensemble = torch.stack([poor(mixture, 10 * member) for member in range(3)])
        for radius in (0.5, 3.0, 1000.0):
            wanted = [counts_by_hand(member, mixture, radius) for member in ensemble]
            assert count(ensemble, mixture, radius).tolist() == wanted


def test_the_samples_of_each_mode_are_counted():
    check_each_mode(mode_counts)
    assert mode_counts(poor(RING, 0), RING, 1000.0).sum() == 302  # a large radius leaves none out
    assert mode_counts(torch.full((3, 2), math.nan), RING, 1000.0).sum() == 0


@pytest.mark.parametrize(
    "flawed",
    [
        pytest.param(lambda x, mixture, r: mode_counts(x, mixture, r).flip(-1), id="order of the modes"),
        pytest.param(lambda x, mixture, r: mode_counts(x, mixture, r**2), id="squared radius"),
        pytest.param(lambda x, mixture, r: mode_counts(x, mixture, 1000.0), id="without quality"),
        pytest.param(lambda x, mixture, r: mode_counts(x.flatten(0, 1), mixture, r), id="over the ensemble"),
    ],
)
def test_the_count_of_each_mode_rejects(flawed):
    with pytest.raises(AssertionError):
        check_each_mode(flawed)


def test_a_member_is_measured_as_if_alone():
    ensemble = torch.stack([poor(RING, 0), RING.sample(302, seeded()).double(), torch.zeros(302, 2)])
    alone = [mode_coverage(member, RING) for member in ensemble]
    assert all(part.shape == () for one in alone for part in one)
    together = mode_coverage(ensemble, RING)
    assert_close(tuple(together), tuple(torch.stack(parts) for parts in zip(*alone, strict=True)), rtol=0, atol=0)
    through_time = mode_coverage(ensemble.expand(4, 3, 302, 2), RING)
    assert_close(tuple(through_time), tuple(part.expand(4, 3) for part in together), rtol=0, atol=0)


def test_the_order_of_samples_and_modes_does_not_matter():
    x = poor(GRID, 0)
    turned = Mixture(GRID.means.flip(0), GRID.std)
    assert_close(tuple(mode_coverage(x, GRID)), tuple(mode_coverage(x.flip(0), turned)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 3e38])
def test_a_diverged_member_finds_nothing_and_stops_no_other(bad):
    x = RING.sample(500, seeded()).repeat(3, 1, 1)
    x[1] = bad
    x[2, :100] = bad
    found, high_quality, reverse_kl = mode_coverage(x, RING)
    assert found.tolist() == [8, 0, 8]
    assert high_quality[1] == 0
    assert 0.78 < high_quality[2] <= 0.8
    assert reverse_kl[1] == math.inf
    assert (reverse_kl[[0, 2]] < 0.05).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_types(dtype):
    x = GRID.sample(2_500, seeded()).to(dtype).requires_grad_()
    result = mode_coverage(x, GRID)
    assert [part.dtype for part in result] == [torch.int64, torch.float64, torch.float64]
    assert not any(part.requires_grad for part in result)
    assert result.found == 25
    assert abs(result.high_quality - 0.989) < 0.01


def test_one_mode():
    alone = Mixture(torch.tensor([[1.0, 2.0]]), 1.0)
    x = torch.tensor([[1.0, 2.0], [1.0, 4.9], [4.1, 2.0], [3.2, 4.2]])  # at distances 0, 2.9, 3.1 and 3.11
    assert [part.item() for part in mode_coverage(x, alone)] == [1, 0.5, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mode_coverage(torch.zeros(5, 3), RING), r"mode_counts got samples torch.float32 \(5, 3\)"),
        (lambda: mode_coverage(torch.zeros(2), RING), r"samples torch.float32 \(2,\); give points of the plane"),
        (lambda: mode_coverage(torch.zeros(0, 2), RING), r"\(0, 2\); .* at least one"),
        (lambda: mode_coverage(torch.zeros(3, 0, 2), RING), r"\(3, 0, 2\)"),
        (lambda: mode_coverage(torch.zeros(5, 2).long(), RING), r"torch.int64 \(5, 2\); .*floating-point"),
        (lambda: mode_coverage(torch.zeros(5, 2), RING, 0), "the radius 0; give standard deviations"),
        (lambda: mode_coverage(torch.zeros(5, 2), RING, -3.0), "the radius -3.0"),
        (lambda: mode_coverage(torch.zeros(5, 2), RING, math.nan), "the radius nan"),
        (lambda: mode_coverage(torch.zeros(5, 2), RING, math.inf), "the radius inf"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_it_is_found_in_the_module():
    assert metrics.mode_coverage is mode_coverage
