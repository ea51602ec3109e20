"""What the study of the latent plane measures is what it says, on codes whose answer is known."""

import math

import numpy as np
import pytest
import torch

from gennotes import data, divergences, models
from gennotes.studies import latent_space, vae


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def few() -> data.ImageSet:
    digits = data.load("mnist-5k", "cpu")
    return data.ImageSet("few", digits.train[:64], digits.validation[:20], digits.test[:20], digits.classes, "", "")


SMALL = vae.Settings(architecture="mlp", latent=2, width=16, batch=16, steps=8)


def test_half_of_the_prior_lies_within_the_median_radius():
    z = torch.randn(200_000, 2, generator=noise())
    assert (z.norm(dim=1) <= latent_space.MEDIAN_RADIUS).float().mean() == pytest.approx(0.5, abs=0.005)


def test_the_centre_is_counted_class_by_class():
    mu = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0], [0.0, 2.0], [0.5, 0.0]])
    share, norm = latent_space.centre(mu, torch.tensor([0, 0, 1, 1, 1]))
    torch.testing.assert_close(share, torch.tensor([1 / 2, 2 / 3]))
    torch.testing.assert_close(norm, torch.tensor([2.5, 3.5 / 3]))


def check_aggregate(found, mu, log_var):
    """Against quadrature on the line."""
    parts = torch.distributions.Normal(mu.double().T, (0.5 * log_var).exp().double().T)

    line = torch.linspace(-15, 15, 10_001, dtype=torch.float64)
    log_q = parts.log_prob(line[:, None]).logsumexp(1) - math.log(len(mu))
    log_p = -0.5 * (line.square() + math.log(2 * math.pi))
    exact = divergences.kl(log_q, log_p, at=line, log=True).item()
    assert found["aggregate_kl_nats"] == pytest.approx(exact, abs=0.02)
    assert found["information_nats"] + found["aggregate_kl_nats"] == pytest.approx(found["rate_nats"], abs=1e-4)


def test_the_rate_splits_as_quadrature_says():
    centres = torch.tensor([[-2.0], [0.0], [0.5], [3.0]])
    mu, log_var = centres.repeat(3_000, 1), torch.tensor([[-2.0], [0.3], [-1.0], [-3.0]]).repeat(3_000, 1)
    found = latent_space.aggregate(mu, log_var, noise())
    check_aggregate(found, centres, log_var[:4])
    assert 0 < found["information_nats"] < math.log(4)
    with pytest.raises(AssertionError):  # a variance for a deviation
        check_aggregate(latent_space.aggregate(mu, 2 * log_var, noise()), centres, log_var[:4])
    with pytest.raises(AssertionError):  # one normal for the mixture
        check_aggregate(latent_space.aggregate(mu[:1], log_var[:1], noise()), centres, log_var[:4])


def test_the_ratio_of_densities_is_exact_for_normal_codes():
    codes, draws = torch.randn(40_000, 2, generator=noise()), torch.randn(300, 2, generator=noise(1))
    draws = draws[draws.norm(dim=1) < 2]
    for scale, shift in ((1.0, 0.0), (2.0, 0.0), (0.7, 0.5)):
        found = latent_space.density_ratio(codes * scale + shift, draws, 100)
        log_q = divergences.log_normal(draws, torch.full((2,), shift), torch.full((2,), 2 * math.log(scale)))
        wanted = (log_q - divergences.log_normal(draws, torch.zeros(2), torch.zeros(2))).exp()
        assert (found / wanted).log().abs().median() < 0.12  # about 1/√k
        assert (found / wanted).log().mean().abs() < 0.1
        for mistake in (found / 2, found * math.pi):  # a lost factor
            assert (mistake / wanted).log().mean().abs() > 0.1


def test_whitened_codes_have_mean_0_and_covariance_1():
    codes = (
        torch.randn(500, 2, generator=noise(), dtype=torch.float64) @ torch.tensor([[3.0, 1.0], [0.0, 0.2]]).double()
    )
    found = latent_space.whitened(codes + 5)
    torch.testing.assert_close(found.mean(0), torch.zeros(2).double(), atol=1e-10, rtol=0)
    torch.testing.assert_close(torch.cov(found.T), torch.eye(2).double(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_a_turned_or_mirrored_map_is_the_same_map(mirror):
    codes = torch.randn(200, 2, generator=noise(), dtype=torch.float64) * torch.tensor([1.0, 2.0]).double()
    c, s = math.cos(2.0), math.sin(2.0)
    turn = torch.tensor([[c, -s], [s, c]]).double() * torch.tensor([1.0, mirror]).double()
    found = latent_space.alignment(codes, codes @ turn)
    assert found["turned"] == pytest.approx(1.0)
    assert found["as_is"] < 0.9
    other = latent_space.alignment(codes, torch.randn(200, 2, generator=noise(1), dtype=torch.float64))
    assert other["as_is"] <= other["turned"] < 0.3


def test_no_turn_does_better_than_the_best_one():
    a, b = torch.randn(2, 50, 2, generator=noise(), dtype=torch.float64)
    tried = []
    for angle in np.linspace(0, 2 * np.pi, 721):
        c, s = math.cos(angle), math.sin(angle)
        for mirror in (1.0, -1.0):
            turn = torch.tensor([[c, -s * mirror], [s, c * mirror]]).double()
            tried.append(latent_space.alignment(a, b @ turn)["as_is"])
    assert max(tried) == pytest.approx(latent_space.alignment(a, b)["turned"], abs=1e-4)


def test_the_autoencoder_learns_without_noise_or_divergence(few):
    net, run = latent_space.fit_autoencoder(SMALL, few, seed=1)
    errors = run.history.records["distortion_nats"]
    assert errors[-1] < errors[0]
    fresh = models.VAE(2, 16, "mlp", 28, seed=1)
    assert torch.equal(net.encoder[-1].log_var.weight, fresh.encoder[-1].log_var.weight)  # never touched
    assert not torch.equal(net.encoder[-1].mu.weight, fresh.encoder[-1].mu.weight)


def test_the_slip_draws_with_the_variance(few):
    net, _ = latent_space.fit_mistaken(SMALL, few, seed=1)
    x = vae.binarise(few.test.pixels(), noise())
    with torch.no_grad():
        net.encoder[-1].log_var.weight.zero_()
        net.encoder[-1].log_var.bias.fill_(-30.0)  # no noise either way: both numbers agree
    assert latent_space.mistaken_bound(net, x, noise()).item() == pytest.approx(
        vae.bound(net, x, noise()).item(), rel=1e-4
    )
    with torch.no_grad():
        net.encoder[-1].log_var.bias.fill_(2.0)  # σ = e, σ² = e²
    assert latent_space.mistaken_bound(net, x, noise()) != vae.bound(net, x, noise())
