"""Closed forms of normals against torch.distributions and a linear-Gaussian model whose evidence is exact."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence
from torch.testing import assert_close

from gennotes.divergences import entropy_normal, kl_normal, kl_normal_full, log_normal


def real(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def covariance(*batch, length=3, seed=0):
    root = real(*batch, length, length, seed=seed)
    return root @ root.mT + 0.5 * torch.eye(length, dtype=root.dtype)


def diagonal(mu, log_var):
    return Independent(Normal(mu, (0.5 * log_var).exp()), 1)


def check_log_normal(log_density):
    x, mu, log_var = real(2, 5, 3), real(5, 3, seed=1), real(3, seed=2)
    assert_close(log_density(x, mu, log_var), diagonal(mu, log_var.expand(5, 3)).log_prob(x))


def check_entropy_normal(entropy):
    log_var = real(5, 3, seed=1)
    assert_close(entropy(log_var), diagonal(real(5, 3), log_var).entropy())


def check_kl_normal(kl):
    mu_p, log_var_p, mu_q, log_var_q = (real(5, 3, seed=seed) for seed in range(4))
    zero = torch.zeros_like(mu_p)
    p = diagonal(mu_p, log_var_p)
    assert_close(kl(mu_p, log_var_p, mu_q, log_var_q), kl_divergence(p, diagonal(mu_q, log_var_q)))
    assert_close(kl(mu_p, log_var_p), kl_divergence(p, diagonal(zero, zero)))


def check_kl_normal_full(kl):
    mu_p, mu_q = real(4, 3), real(4, 3, seed=1)
    cov_p, cov_q = covariance(4, seed=2), covariance(4, seed=3)
    expected = kl_divergence(MultivariateNormal(mu_p, cov_p), MultivariateNormal(mu_q, cov_q))
    assert_close(kl(mu_p, cov_p, mu_q, cov_q), expected)


def test_log_normal():
    check_log_normal(log_normal)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x, mu, log_var: log_normal(x, mu, log_var) / 3, id="mean instead of sum"),
        pytest.param(lambda x, mu, log_var: log_normal(x, mu, log_var.exp()), id="variance as log variance"),
        pytest.param(lambda x, mu, log_var: log_normal(x, mu, 0.5 * log_var), id="log of the standard deviation"),
        pytest.param(lambda x, mu, log_var: log_normal(x, mu, log_var) + 1.5 * math.log(2 * math.pi), id="no constant"),
    ],
)
def test_log_normal_rejects(wrong):
    with pytest.raises(AssertionError):
        check_log_normal(wrong)


def test_entropy_normal():
    check_entropy_normal(entropy_normal)
    assert entropy_normal(torch.tensor([-4.0])) < 0


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda log_var: entropy_normal(log_var) / 3, id="mean instead of sum"),
        pytest.param(lambda log_var: -entropy_normal(log_var), id="sign"),
        pytest.param(lambda log_var: entropy_normal(0.5 * log_var), id="log of the standard deviation"),
        pytest.param(lambda log_var: entropy_normal(log_var) - 1.5, id="no 1"),
        pytest.param(lambda log_var: entropy_normal(log_var) / math.log(2), id="bits"),
    ],
)
def test_entropy_normal_rejects(wrong):
    with pytest.raises(AssertionError):
        check_entropy_normal(wrong)


def test_kl_normal():
    check_kl_normal(kl_normal)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda *p_q: kl_normal(*p_q) / 3, id="mean instead of sum"),
        pytest.param(lambda *p_q: -kl_normal(*p_q), id="sign"),
        pytest.param(
            lambda m, v, n=None, w=None: kl_normal(0 * m if n is None else n, 0 * m if w is None else w, m, v),
            id="swapped",
        ),
        pytest.param(lambda m, v, *q: kl_normal(m, v.exp(), *q), id="variance as log variance"),
        pytest.param(lambda m, v, *q: kl_normal(m, 0.5 * v, *q), id="log of the standard deviation"),
        pytest.param(lambda *p_q: kl_normal(*p_q) + 1.5, id="no −1"),
        pytest.param(lambda m, v, *q: kl_normal(m, v), id="q left out"),
    ],
)
def test_kl_normal_rejects(wrong):
    with pytest.raises(AssertionError):
        check_kl_normal(wrong)


def test_kl_normal_full():
    check_kl_normal_full(kl_normal_full)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda m, s, n, t: kl_normal_full(n, t, m, s), id="swapped"),
        pytest.param(lambda m, s, n, t: kl_normal_full(m, t, n, s), id="covariances swapped"),
        pytest.param(lambda m, s, n, t: kl_normal_full(m, s, n, t) + 1.5, id="no −L"),
        pytest.param(lambda m, s, n, t: kl_normal_full(m, s, n, t) - 0.5 * (t.logdet() - s.logdet()), id="no log det"),
        pytest.param(lambda m, s, n, t: kl_normal_full(m, s, n, t @ t), id="covariance squared"),
    ],
)
def test_kl_normal_full_rejects(wrong):
    with pytest.raises(AssertionError):
        check_kl_normal_full(wrong)


def test_full_and_diagonal_agree():
    mu_p, log_var_p, mu_q, log_var_q = (real(5, 3, seed=seed) for seed in range(4))
    full = kl_normal_full(mu_p, log_var_p.exp().diag_embed(), mu_q, log_var_q.exp().diag_embed())
    assert_close(full, kl_normal(mu_p, log_var_p, mu_q, log_var_q))


def test_full_broadcasts():
    mu_p, cov_p, mu_q, cov_q = real(2, 5, 3), covariance(5), real(3, seed=1), covariance(seed=1)
    kl = kl_normal_full(mu_p, cov_p, mu_q, cov_q)
    assert kl.shape == (2, 5)
    assert_close(kl[1, 3], kl_normal_full(mu_p[1, 3], cov_p[3], mu_q, cov_q))


def test_equal_distributions_diverge_by_nothing():
    mu, log_var, cov = real(5, 3), real(5, 3, seed=1), covariance(5)
    zero = torch.zeros(5, dtype=torch.float64)
    assert_close(kl_normal(mu, log_var, mu, log_var), zero)
    assert_close(kl_normal_full(mu, cov, mu, cov), zero)


def test_gap_of_the_bound_is_the_divergence_from_the_posterior():
    """In a linear-Gaussian model log p(x) − L = KL(q ‖ p(z|x)), whatever q is; the terms are all closed forms."""
    weight, offset, noise = real(6, 2), real(6, seed=1), 0.3
    x, mu, cov = real(6, seed=2), real(2, seed=3), covariance(length=2, seed=4)
    eye = torch.eye(2, dtype=torch.float64)
    evidence = MultivariateNormal(offset, weight @ weight.T + noise * torch.eye(6, dtype=torch.float64)).log_prob(x)
    posterior_cov = torch.linalg.inv(eye + weight.T @ weight / noise)
    posterior_mu = posterior_cov @ weight.T @ (x - offset) / noise
    log_noise = torch.full((6,), math.log(noise), dtype=torch.float64)
    spread = torch.trace(weight @ cov @ weight.T) / noise  # what the spread of q costs the expected log-likelihood
    reconstruction = log_normal(x, weight @ mu + offset, log_noise) - 0.5 * spread
    bound = reconstruction - kl_normal_full(mu, cov, 0 * mu, eye)
    assert_close(evidence - bound, kl_normal_full(mu, cov, posterior_mu, posterior_cov))


def test_gradients():
    vectors = [real(2, 3, seed=seed).requires_grad_() for seed in range(4)]
    roots = [real(2, 3, 3, seed=seed).requires_grad_() for seed in (4, 5)]

    def full(mu_p, root_p, mu_q, root_q):
        cov_p, cov_q = (root @ root.mT + torch.eye(3, dtype=root.dtype) for root in (root_p, root_q))
        return kl_normal_full(mu_p, cov_p, mu_q, cov_q)

    assert gradcheck(log_normal, vectors[:3])
    assert gradcheck(entropy_normal, vectors[0])
    assert gradcheck(kl_normal, vectors)
    assert gradcheck(kl_normal, vectors[:2])
    assert gradcheck(full, (vectors[0], roots[0], vectors[1], roots[1]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(dtype):
    mu, log_var, cov = real(2, 3, dtype=dtype), real(2, 3, dtype=dtype), covariance(2).to(dtype)
    results = log_normal(mu, mu, log_var), kl_normal(mu, log_var), kl_normal_full(mu, cov, mu, cov)
    assert [result.dtype for result in results] == [dtype] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl_normal(real(5, 3), real(5, 1)), r"mu_p \(5, 3\), log_var_p \(5, 1\)"),
        (lambda: kl_normal(real(5, 3), real(5, 3), real(5, 3)), "mu_q without log_var_q"),
        (lambda: kl_normal(real(5, 3), real(5, 3), None, real(5, 3)), "log_var_q without mu_q"),
        (lambda: kl_normal(real(5, 3), real(5, 3), real(5, 2), real(5, 2)), r"mu_q \(5, 2\)"),
        (lambda: log_normal(real(5, 3), real(5, 3), real(5, 1)), r"log_var \(5, 1\)"),
        (lambda: kl_normal_full(real(3), real(3).exp(), real(3), covariance()), "not its diagonal"),
        (lambda: kl_normal_full(real(3), covariance(), real(3), -covariance()), "cov_q is not positive definite"),
        (lambda: kl_normal_full(real(3), covariance(), real(2), covariance()), "last dimensions differ"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
