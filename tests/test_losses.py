"""Losses against torch.distributions; every wrong variant named here fails the check that the right one passes."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.testing import assert_close

from gennotes.losses import ELBO, bernoulli_log_likelihood, elbo, iwae

SHAPE = (5, 1, 4, 3)  # images (B, 1, H, W)


def real(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def binary(*shape, seed=9, dtype=torch.float64):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.3).to(dtype)


def check_bernoulli(log_likelihood):
    x, logits = binary(*SHAPE), 3 * real(7, *SHAPE)
    expected = Independent(Bernoulli(logits=logits), 3).log_prob(x)  # (7, 5)
    assert_close(log_likelihood(x, logits), expected)
    assert_close(log_likelihood(x, logits[0]), expected[0])


def check_elbo(bound):
    x, logits, mu, log_var = binary(*SHAPE), real(*SHAPE), real(5, 2, seed=1), real(5, 2, seed=2)
    prior = Independent(Normal(torch.zeros_like(mu), 1.0), 1)
    kl = kl_divergence(Independent(Normal(mu, (0.5 * log_var).exp()), 1), prior)
    reconstruction = Independent(Bernoulli(logits=logits), 3).log_prob(x)
    assert_close(tuple(bound(x, logits, mu, log_var)), (reconstruction - kl, reconstruction, kl))
    assert_close(bound(x, logits, mu, log_var, beta=4.0)[0], reconstruction - 4 * kl)


def check_iwae(bound):
    for k in (1, 6):
        log_w = 2 * real(k, 5)
        assert_close(bound(log_w), log_w.exp().mean(0).log())
    assert_close(bound(real(6, 5) - 2000.0), bound(real(6, 5)) - 2000.0)  # no underflow


def test_bernoulli():
    check_bernoulli(bernoulli_log_likelihood)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x, logits) / 12, id="mean instead of sum"),
        pytest.param(lambda x, logits: -bernoulli_log_likelihood(x, logits), id="sign"),
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x, logits.sigmoid()), id="means as logits"),
        pytest.param(lambda x, logits: bernoulli_log_likelihood(1 - x, logits), id="pixels inverted"),
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x, logits).mean(-1), id="mean over the batch"),
    ],
)
def test_bernoulli_rejects(wrong):
    with pytest.raises(AssertionError):
        check_bernoulli(wrong)


def test_elbo():
    check_elbo(elbo)


def flawed(total=lambda r, k, beta: r - beta * k, pixels=1, log_var=lambda v: v):
    def bound(x, logits, mu, given, beta=1.0):
        _, reconstruction, kl = elbo(x, logits, mu, log_var(given))
        return ELBO(total(reconstruction / pixels, kl, beta), reconstruction / pixels, kl)

    return bound


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(flawed(total=lambda r, k, beta: r + beta * k), id="sign of the divergence"),
        pytest.param(flawed(total=lambda r, k, beta: r - k), id="beta ignored"),
        pytest.param(flawed(total=lambda r, k, beta: beta * r - k), id="beta on the wrong term"),
        pytest.param(flawed(pixels=12), id="mean over pixels"),
        pytest.param(flawed(log_var=torch.exp), id="variance as log variance"),
        pytest.param(lambda *args, beta=1.0: -torch.stack(elbo(*args, beta)), id="negative"),
    ],
)
def test_elbo_rejects(wrong):
    with pytest.raises(AssertionError):
        check_elbo(wrong)


def test_elbo_at_beta_zero_is_the_reconstruction():
    terms = elbo(binary(*SHAPE), real(*SHAPE), real(5, 2), real(5, 2, seed=1), beta=0.0)
    assert_close(terms.total, terms.reconstruction)


def test_iwae():
    check_iwae(iwae)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda log_w: iwae(log_w) + math.log(len(log_w)), id="log k missing"),
        pytest.param(lambda log_w: log_w.mean(0), id="mean of the logarithms"),
        pytest.param(lambda log_w: iwae(log_w) - math.log(len(log_w)), id="log k twice"),
        pytest.param(lambda log_w: log_w.exp().mean(0).log(), id="not in logarithms"),
        pytest.param(lambda log_w: iwae(log_w.T), id="over images"),
    ],
)
def test_iwae_rejects(wrong):
    with pytest.raises(AssertionError):
        check_iwae(wrong)


def test_iwae_of_one_sample_is_that_sample():
    assert_close(iwae(real(1, 5)), real(1, 5)[0])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_extreme_logits_stay_finite(value):
    x = torch.full((2, 1, 2, 2), value)
    logits = torch.tensor([1e4, -1e4]).view(2, 1, 1, 1).expand(2, 1, 2, 2).clone().requires_grad_()
    log_likelihood = bernoulli_log_likelihood(x, logits)
    log_likelihood.sum().backward()
    assert_close(log_likelihood.detach(), torch.tensor([0.0, -4e4] if value else [-4e4, 0.0]))
    assert_close(logits.grad, x - logits.detach().sigmoid())


def test_gradients():
    x, logits = binary(3, 1, 2, 2), real(3, 1, 2, 2).requires_grad_()
    mu, log_var = real(3, 2, seed=1).requires_grad_(), real(3, 2, seed=2).requires_grad_()
    assert gradcheck(lambda logits: bernoulli_log_likelihood(x, logits), (logits,))
    assert gradcheck(lambda *args: tuple(elbo(x, *args, beta=0.5)), (logits, mu, log_var))
    assert gradcheck(iwae, (real(4, 3).requires_grad_(),))


def test_grey_values_are_weighted_by_their_grey():
    logits = real(*SHAPE)
    grey = bernoulli_log_likelihood(torch.full(SHAPE, 0.25, dtype=torch.float64), logits)
    white, black = (bernoulli_log_likelihood(torch.full(SHAPE, v, dtype=torch.float64), logits) for v in (1.0, 0.0))
    assert_close(grey, 0.25 * white + 0.75 * black)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(dtype):
    x, logits, mu, log_var = (real(*shape, dtype=dtype) for shape in (SHAPE, SHAPE, (5, 2), (5, 2)))
    assert {term.dtype for term in elbo(x, logits, mu, log_var)} == {dtype}
    assert iwae(real(4, 3, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bernoulli_log_likelihood(binary(*SHAPE), real(5, 4, 3)), r"x \(5, 1, 4, 3\) and logits \(5, 4, 3\)"),
        (lambda: bernoulli_log_likelihood(binary(5, 1, 4, 3), real(5, 1, 4, 1)), r"logits \(5, 1, 4, 1\)"),
        (lambda: bernoulli_log_likelihood(binary(12), real(12)), r"give x as \(B, ...\)"),
        (lambda: elbo(binary(*SHAPE), real(*SHAPE), real(4, 2), real(4, 2)), r"give both as \(5, L\)"),
        (lambda: elbo(binary(*SHAPE), real(*SHAPE), real(5, 2), real(5, 1)), r"log_var \(5, 1\)"),
        (lambda: elbo(binary(*SHAPE), real(*SHAPE), real(5, 2), real(5, 2), beta=-1.0), "beta -1.0"),
        (lambda: iwae(real(5)), r"shape \(5,\)"),
        (lambda: iwae(real(0, 5)), "k at least 1"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
