"""The VAE's networks: shapes, weights from a seed, and samples that gradients pass through."""

import contextlib
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gennotes.models import VAE, evaluating, reparameterise

pytestmark = pytest.mark.usefixtures("one_thread")


def weights(vae: VAE) -> Tensor:
    return torch.cat([p.detach().flatten() for p in vae.parameters()])


@pytest.mark.parametrize("architecture", ["conv", "mlp"])
@pytest.mark.parametrize("latent", [1, 2, 20])
@pytest.mark.parametrize("image_size", [28, 32])
def test_the_shapes_of_codes_and_images(architecture: str, latent: int, image_size: int) -> None:
    vae = VAE(latent, width=16, architecture=architecture, image_size=image_size)
    x = torch.rand(3, 1, image_size, image_size)
    mu, log_var = vae.encoder(x)
    assert mu.shape == log_var.shape == (3, latent)
    assert vae.decoder(mu).shape == x.shape
    assert vae.latent == latent
    assert not torch.equal(mu, log_var)


@pytest.mark.parametrize("architecture", ["conv", "mlp"])
def test_each_image_is_coded_on_its_own_and_every_weight_is_used(architecture: str) -> None:
    vae = VAE(2, width=16, architecture=architecture)
    x = torch.rand(4, 1, 28, 28)
    mu, log_var = vae.encoder(x)
    torch.testing.assert_close(vae.encoder(x[1:2])[0], mu[1:2], rtol=1e-4, atol=1e-6)
    logits = vae.decoder(mu)
    torch.testing.assert_close(vae.decoder(mu[1:2]), logits[1:2], rtol=1e-4, atol=1e-6)
    (logits.square().sum() + log_var.square().sum()).backward()
    assert all(bool((p.grad != 0).any()) for p in vae.parameters())


def test_an_mlp_takes_any_size_and_conv_multiples_of_4() -> None:
    assert VAE(2, width=8, architecture="mlp", image_size=5).decoder(torch.zeros(1, 2)).shape == (1, 1, 5, 5)
    assert VAE(2, width=8, architecture="conv", image_size=4).decoder(torch.zeros(1, 2)).shape == (1, 1, 4, 4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"latent": 0}, "latent=0, width=256: give latent ≥ 1 and width ≥ 8"),
        ({"width": 7}, "width=7"),
        ({"architecture": "resnet"}, "architecture 'resnet' is unknown; give 'conv' or 'mlp'"),
        ({"image_size": 30}, "image_size=30 is not a multiple of 4"),
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        VAE(**wrong)


@pytest.mark.parametrize("architecture", ["conv", "mlp"])
def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone(architecture: str) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = VAE(2, 16, architecture, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.randn(10)
    assert torch.equal(weights(first), weights(VAE(2, 16, architecture, seed=1)))
    assert not torch.equal(weights(first), weights(VAE(2, 16, architecture, seed=2)))


def test_the_width_is_that_of_the_hidden_layers() -> None:
    mlp = VAE(3, width=24, architecture="mlp")
    assert [m.out_features for m in mlp.encoder.modules() if isinstance(m, nn.Linear)] == [24, 24, 3, 3]
    assert [m.out_features for m in mlp.decoder.modules() if isinstance(m, nn.Linear)] == [24, 24, 784]
    conv = VAE(3, width=24, architecture="conv")
    assert [m.out_channels for m in conv.encoder.modules() if isinstance(m, nn.Conv2d)] == [3, 6]
    assert [m.out_features for m in conv.encoder.modules() if isinstance(m, nn.Linear)] == [24, 3, 3]
    assert [m.out_channels for m in conv.decoder.modules() if isinstance(m, nn.ConvTranspose2d)] == [3, 1]


# The reparameterisation.


def sigma_squared(mu: Tensor, log_var: Tensor, generator: torch.Generator) -> Tensor:
    return mu + torch.exp(log_var) * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)


def without_the_half_in_the_gradient(mu: Tensor, log_var: Tensor, generator: torch.Generator) -> Tensor:
    sigma = torch.exp(0.5 * log_var.detach()) * torch.exp(log_var - log_var.detach())
    return mu + sigma * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)


def sampled(mu: Tensor, log_var: Tensor, generator: torch.Generator) -> Tensor:
    return torch.normal(mu, torch.exp(0.5 * log_var), generator=generator).requires_grad_()


def one_noise_for_all(mu: Tensor, log_var: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(mu.shape[-1:], generator=generator, dtype=mu.dtype)
    return mu + torch.exp(0.5 * log_var) * noise


def moments_are_right(sample: Callable) -> bool:
    """Mean μ and variance σ² of 40,000 samples, each within 5 standard errors."""
    n, mu, log_var = 40_000, torch.tensor([0.5, -3.0]), torch.tensor([-1.0, 2.0])
    with torch.no_grad():
        z = sample(mu.expand(n, 2), log_var.expand(n, 2), torch.Generator().manual_seed(0))
    variance = log_var.exp()
    mean_ok = (z.mean(0) - mu).abs() < 5 * (variance / n).sqrt()
    variance_ok = (z.var(0) - variance).abs() < 5 * variance * math.sqrt(2 / n)
    return bool((mean_ok & variance_ok).all())


def gradients_are_right(sample: Callable) -> bool:
    """∂z/∂μ = 1 and ∂z/∂log σ² = ½ σ ε, with ε = (z - μ) / σ."""
    mu = torch.tensor([[0.5, -3.0]], dtype=torch.float64, requires_grad=True)
    log_var = torch.tensor([[-1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    z = sample(mu, log_var, torch.Generator().manual_seed(0))
    by_mu, by_log_var = torch.autograd.grad(z.sum(), (mu, log_var), allow_unused=True)
    if by_mu is None or by_log_var is None:
        return False
    wanted = 0.5 * (z - mu).detach()  # σ ε = z - μ
    return torch.equal(by_mu, torch.ones_like(mu)) and torch.allclose(by_log_var, wanted, rtol=1e-10)


def test_samples_have_the_moments_and_the_gradients_of_the_formula() -> None:
    assert moments_are_right(reparameterise)
    assert gradients_are_right(reparameterise)


@pytest.mark.parametrize("wrong", [sigma_squared, one_noise_for_all])
def test_the_check_of_the_moments_rejects_mistakes(wrong: Callable) -> None:
    assert not moments_are_right(wrong)


@pytest.mark.parametrize("wrong", [sigma_squared, without_the_half_in_the_gradient, sampled])
def test_the_check_of_the_gradients_rejects_mistakes(wrong: Callable) -> None:
    assert not gradients_are_right(wrong)


def test_the_noise_comes_from_the_generator() -> None:
    mu, log_var = torch.zeros(2, 5, 3, dtype=torch.float64), torch.zeros(2, 5, 3, dtype=torch.float64)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    draws = [reparameterise(mu, log_var, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert draws[0].shape == mu.shape
    assert draws[0].dtype == torch.float64


@pytest.mark.parametrize("error", [None, KeyError])
def test_evaluating_gives_each_part_its_own_mode_back(error: type[Exception] | None) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))
    network[1][0].eval()  # frozen, as for fine-tuning
    before = [part.training for part in network.modules()]
    with contextlib.suppress(KeyError), evaluating(network, lambda x: x):
        assert not any(part.training for part in network.modules())
        if error is not None:
            raise error
    assert [part.training for part in network.modules()] == before == [True, True, True, False, True]
