"""Divergences from draws: against scipy, against exact values within standard errors, and against planted mistakes."""

import math

import pytest
import torch
from scipy import stats
from torch.autograd import gradcheck
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from gennotes.divergences import Estimate, entropy_samples, js, js_samples, kl_samples, wasserstein_samples

P, Q = (Normal(*torch.tensor(values, dtype=torch.float64)) for values in ((0.3, 0.5), (1.0, 2.0)))
LINE = torch.linspace(-15, 15, 3001, dtype=torch.float64)
DRAWS, RUNS = 2_000, 200


def draws(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, Y = P.loc + P.scale * draws(RUNS, DRAWS), Q.loc + Q.scale * draws(RUNS, DRAWS, seed=1)


def check_estimate(estimate, exact):
    """Over 200 runs the mean is the exact value, and the stated error is the deviation of the runs."""
    value, error = estimate
    assert value.shape == error.shape == (RUNS,)
    assert abs(value.mean() - exact) < 4 * value.std() / math.sqrt(RUNS)
    assert_close(error.mean(), value.std(), rtol=0.15, atol=0)


def check_kl(kl):
    check_estimate(kl(P.log_prob(X), Q.log_prob(X)), kl_divergence(P, Q))
    check_estimate(kl(Q.log_prob(Y), P.log_prob(Y)), kl_divergence(Q, P))


def check_entropy(entropy):
    check_estimate(entropy(P.log_prob(X)), P.entropy())
    check_estimate(entropy(Q.log_prob(X)), P.entropy() + kl_divergence(P, Q))


def check_js(estimate):
    exact = js(P.log_prob(LINE), Q.log_prob(LINE), LINE, log=True)
    check_estimate(estimate(P.log_prob(X), Q.log_prob(X), P.log_prob(Y), Q.log_prob(Y)), exact)


def check_wasserstein(distance):
    for size in (1, 5, 7, 35):
        x, y = draws(4, 7), draws(4, size, seed=2) * 3 + 1
        expected = [stats.wasserstein_distance(*pair) for pair in zip(x, y, strict=True)]
        assert_close(distance(x, y), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)
    x, y = draws(50).round(), draws(20, seed=3).round()  # many values coincide
    assert_close(distance(x, y).item(), float(stats.wasserstein_distance(x, y)), rtol=0, atol=1e-12)


def scaled(function, value=1.0, error=1.0):
    return lambda *args: Estimate(*(factor * x for factor, x in zip((value, error), function(*args), strict=True)))


def gaps(power=1, sort=True, cut=True):
    """The distance by pairing equally many values of both samples."""

    def wrong(x, y):
        if cut:
            x, y = (sample[..., : min(x.shape[-1], y.shape[-1])] for sample in (x, y))
        if sort:
            x, y = x.sort().values, y.sort().values
        return (x - y).abs().pow(power).mean(-1) ** (1 / power)

    return wrong


CHECKS = [
    (
        check_kl,
        kl_samples,
        {
            "swapped": lambda log_p, log_q: kl_samples(log_q, log_p),
            "bits": scaled(kl_samples, 1 / math.log(2), 1 / math.log(2)),
            "no logarithm": lambda log_p, log_q: kl_samples(log_p.exp(), log_q.exp()),
            "deviation for the error": scaled(kl_samples, error=math.sqrt(DRAWS)),
            "squared error": lambda *args: Estimate(kl_samples(*args).value, kl_samples(*args).error ** 2),
        },
    ),
    (
        check_entropy,
        entropy_samples,
        {
            "sign": scaled(entropy_samples, value=-1),
            "no logarithm": lambda log_p: entropy_samples(log_p.exp()),
            "sum": scaled(entropy_samples, DRAWS, DRAWS),
        },
    ),
    (
        check_js,
        js_samples,
        {
            "no half": scaled(js_samples, 2, 2),
            "draws swapped": lambda p_x, q_x, p_y, q_y: js_samples(p_y, q_y, p_x, q_x),
            "one half of the two": lambda p_x, q_x, p_y, q_y: kl_samples(p_x, torch.logaddexp(p_x, q_x) - math.log(2)),
            "sum for M": lambda p_x, q_x, p_y, q_y: Estimate(
                js_samples(p_x, q_x, p_y, q_y).value - math.log(2), js_samples(p_x, q_x, p_y, q_y).error
            ),
            "errors added": scaled(js_samples, error=math.sqrt(2)),
        },
    ),
    (
        check_wasserstein,
        wasserstein_samples,
        {
            "cut to the shorter": gaps(),
            "not sorted": gaps(sort=False),
            "squares": gaps(power=2),
            "difference of the means": lambda x, y: (x.mean(-1) - y.mean(-1)).abs(),
            "half": lambda x, y: 0.5 * wasserstein_samples(x, y),
        },
    ),
]


@pytest.mark.parametrize(("check", "right"), [pytest.param(*row[:2], id=row[0].__name__) for row in CHECKS])
def test_holds(check, right):
    check(right)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        pytest.param(check, wrong, id=f"{check.__name__}: {name}")
        for check, _, mistakes in CHECKS
        for name, wrong in mistakes.items()
    ],
)
def test_rejects(check, wrong):
    with pytest.raises(AssertionError):
        check(wrong)


def test_where_the_other_density_is_zero():
    log_p, log_q = torch.zeros(3), torch.tensor([0.0, -math.inf, 0.0])
    value, error = kl_samples(log_p, log_q)
    assert value == math.inf
    assert error.isnan()
    disjoint = js_samples(log_p, torch.full((3,), -math.inf), torch.full((3,), -math.inf), log_p)
    assert_close(tuple(disjoint), (torch.tensor(math.log(2)), torch.tensor(0.0)))


def test_samples_that_coincide_have_no_distance():
    x = draws(9)
    assert wasserstein_samples(x, x.flip(0)) == 0
    assert wasserstein_samples(x, x.repeat(3)) < 1e-15
    assert_close(wasserstein_samples(x, x + 2.5).item(), 2.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(dtype):
    x, y = draws(5).to(dtype), draws(7).to(dtype)
    assert wasserstein_samples(x, y).dtype == dtype
    assert {part.dtype for part in kl_samples(x, x)} == {dtype}


def test_gradients():
    x, y, z, w = (draws(3, size, seed=seed).requires_grad_() for seed, size in enumerate((4, 6, 4, 6)))
    assert gradcheck(wasserstein_samples, (x, y))
    assert gradcheck(wasserstein_samples, (x, z))
    assert gradcheck(kl_samples, (x, z))
    assert gradcheck(entropy_samples, (x,))
    assert gradcheck(js_samples, (x, z, y, w))


ZEROS, GONE = torch.zeros(3), torch.full((3,), -math.inf)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl_samples(ZEROS[:1], ZEROS[:1]), r"kl_samples got log_p of shape \(1,\).*N at least 2"),
        (lambda: kl_samples(ZEROS[0], ZEROS), r"kl_samples got log_p of shape \(\)"),
        (lambda: entropy_samples(torch.zeros(0, 3)), r"entropy_samples got log_p of shape \(0, 3\)"),
        (lambda: kl_samples(ZEROS, ZEROS[:2]), r"log_p \(3,\) and log_q \(2,\); give both densities at the same draws"),
        (lambda: kl_samples(ZEROS * math.nan, ZEROS), "kl_samples got log_p with NaN"),
        (lambda: kl_samples(ZEROS, -GONE), r"kl_samples got log_q with NaN or \+inf"),
        (lambda: kl_samples(GONE, ZEROS), "kl_samples got log_p with −inf; the density that drew"),
        (lambda: js_samples(ZEROS, ZEROS, ZEROS, GONE), "js_samples got log_q_y with −inf"),
        (lambda: js_samples(ZEROS, ZEROS, ZEROS, ZEROS[:2]), r"js_samples got log_q_y \(2,\) and log_p_y \(3,\)"),
        (lambda: wasserstein_samples(ZEROS[:0], ZEROS), r"wasserstein_samples got x of shape \(0,\)"),
        (lambda: wasserstein_samples(ZEROS, ZEROS[0]), r"wasserstein_samples got y of shape \(\)"),
        (lambda: wasserstein_samples(ZEROS, GONE), "wasserstein_samples got y with NaN or infinite values"),
        (lambda: wasserstein_samples(ZEROS.expand(2, 3), ZEROS), r"x \(2, 3\) and y \(3,\); give equal leading"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
