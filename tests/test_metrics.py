"""Metrics on a VAE whose log p(x) is known: one latent dimension, so that quadrature over z is exact."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from gennotes.divergences import kl_normal, log_normal
from gennotes.losses import bernoulli_log_likelihood, iwae
from gennotes.metrics import active_units, importance_bounds, kl_per_unit, log_likelihood

DRAWS = 5000
LADDER = (1, 5, 50, DRAWS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def vae():
    """Linear decoder of one latent to 12 pixels in float64, 6 binary images, and by quadrature: `evidence`, log p(x),
    and `elbo` of an encoder whose normals sit near the posterior, neither equal to it nor far too narrow."""
    weight = 1.5 * torch.randn(1, 12, generator=seeded(1), dtype=torch.float64)
    bias = torch.randn(12, generator=seeded(2), dtype=torch.float64) - 1
    x = (torch.rand(6, 1, 3, 4, generator=seeded(3)) < 0.4).double()

    def decoder(z):
        return (z @ weight + bias).view(-1, 1, 3, 4)

    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    log_x_given_z = bernoulli_log_likelihood(x, decoder(z.view(-1, 1)).unsqueeze(1).expand(-1, 6, -1, -1, -1))
    log_joint = log_x_given_z + log_normal(z.view(-1, 1), z.new_zeros(1), z.new_zeros(1)).view(-1, 1)
    evidence = torch.trapezoid(log_joint.exp(), z, dim=0).log()
    posterior = (log_joint - evidence).exp()  # (4001, 6)
    mean = torch.trapezoid(posterior * z.view(-1, 1), z, dim=0)
    variance = torch.trapezoid(posterior * (z.view(-1, 1) - mean).square(), z, dim=0)
    mu, log_var = (mean + 0.2).view(-1, 1), (2 * variance).log().view(-1, 1)
    q = log_normal(z.view(-1, 1, 1), mu, log_var).exp()  # (4001, 6)
    elbo = torch.trapezoid(q * log_x_given_z, z, dim=0) - kl_normal(mu, log_var)

    def encoder(images):
        where = (images.unsqueeze(1) == x).flatten(2).all(2).double().argmax(1)
        return mu[where], log_var[where]

    return SimpleNamespace(encoder=encoder, decoder=decoder, x=x, evidence=evidence, elbo=elbo)


def check_log_likelihood(vae, estimate):
    """Estimates with 20,000 weights agree with quadrature; the error of one is about 0.005 nats."""
    assert_close(estimate(vae.encoder, vae.decoder, vae.x, 20_000, seeded()), vae.evidence, rtol=0, atol=0.03)


def check_bounds(vae, bounds):
    """Each row rises over the last for every image; the first is the ELBO and the last the evidence."""
    result = bounds(vae.encoder, vae.decoder, vae.x, LADDER, seeded())
    assert result.shape == (4, 6)
    assert (result.diff(dim=0) >= 0).all()
    assert (result.mean(1).diff() > 0.001).all()
    assert_close(result[0], vae.elbo, rtol=0, atol=0.06)
    assert_close(result[-1], vae.evidence, rtol=0, atol=0.06)


def textbook(encoder, decoder, x, samples, generator, flaw=None):
    """log p(x) by importance sampling as one writes it from the formula, whole in memory, with an optional mistake."""
    mu, log_var = encoder(x)
    noise = torch.randn((samples, *mu.shape), generator=generator, dtype=mu.dtype)
    z = mu + (log_var if flaw == "variance as standard deviation" else 0.5 * log_var).exp() * noise
    logits = decoder(z.flatten(0, 1)).view(samples, *x.shape)
    reconstruction = bernoulli_log_likelihood(x, logits)
    prior, q = log_normal(z, torch.zeros_like(mu), torch.zeros_like(mu)), log_normal(z, mu, log_var)
    if flaw == "mean over pixels":
        reconstruction = reconstruction / x[0].numel()
    log_w = {
        None: reconstruction + prior - q,
        "no ratio": reconstruction,
        "no prior": reconstruction - q,
        "ratio inverted": reconstruction - prior + q,
        "divergence for the ratio": reconstruction - kl_normal(mu, log_var),
    }.get(flaw, reconstruction + prior - q)
    if flaw == "mean of the logarithms":
        return log_w.mean(0)
    return iwae(log_w) + (math.log(samples) if flaw == "log k missing" else 0)


def test_log_likelihood(vae):
    check_log_likelihood(vae, log_likelihood)


def test_log_likelihood_by_the_textbook(vae):
    check_log_likelihood(vae, textbook)


@pytest.mark.parametrize(
    "flaw",
    [
        "no ratio",
        "no prior",
        "ratio inverted",
        "divergence for the ratio",
        "variance as standard deviation",
        "mean over pixels",
        "mean of the logarithms",
        "log k missing",
    ],
)
def test_log_likelihood_rejects(vae, flaw):
    with pytest.raises(AssertionError):
        check_log_likelihood(vae, lambda *args: textbook(*args, flaw=flaw))


@pytest.mark.parametrize("chunk", [700, 6000, 200_000])  # less than, more than and all of the draws of the images
def test_log_likelihood_in_chunks(vae, chunk):
    check_log_likelihood(vae, lambda *args: log_likelihood(*args, chunk=chunk))


def test_bounds_rise(vae):
    check_bounds(vae, importance_bounds)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda result: result.flip(0), id="order"),
        pytest.param(lambda result: -result, id="sign"),
        pytest.param(lambda result: result + torch.tensor(LADDER).log().view(-1, 1), id="log k missing"),
        pytest.param(lambda result: result[-1:].expand(4, 6), id="one k for all"),
        pytest.param(lambda result: result.mean(1, keepdim=True).expand(4, 6), id="mean over images"),
    ],
)
def test_bounds_reject(vae, wrong):
    with pytest.raises(AssertionError):
        check_bounds(vae, lambda *args: wrong(importance_bounds(*args)))


def test_bound_between_the_ends(vae):
    """L_5 agrees with the mean of 4,000 separate five-sample bounds."""
    groups = textbook(vae.encoder, vae.decoder, vae.x.repeat(4000, 1, 1, 1), 5, seeded(1)).view(4000, 6)
    result = importance_bounds(vae.encoder, vae.decoder, vae.x, [5, 20_000], seeded())[0]
    assert_close(result, groups.mean(0), rtol=0, atol=0.03)


def test_log_likelihood_is_the_last_bound(vae):
    bounds = importance_bounds(vae.encoder, vae.decoder, vae.x, LADDER, seeded())
    assert_close(log_likelihood(vae.encoder, vae.decoder, vae.x, DRAWS, seeded()), bounds[-1])


@pytest.mark.parametrize("scale", [1.0, 40.0, 1e4])
@pytest.mark.parametrize("pixels", [7, 112, 113, 784])
def test_every_weight_is_the_evidence_if_the_decoder_ignores_z(scale, pixels):
    """With q = p(z) and constant outputs each bound is log p(x) itself, at logits of any size."""
    logits = scale * torch.randn(pixels, generator=seeded(), dtype=torch.float64)
    x = (torch.rand(4, pixels, generator=seeded(1)) < logits.sigmoid() * 0.8 + 0.1).double()
    result = importance_bounds(
        lambda x: (x.new_zeros(len(x), 2), x.new_zeros(len(x), 2)),
        lambda z: logits.expand(len(z), -1),
        x,
        (1, 6),
        seeded(),
    )
    assert_close(result, bernoulli_log_likelihood(x, logits.expand(4, -1)).expand(2, 4))


@pytest.mark.parametrize(("scale", "shift"), [(6.0, -4.0), (0.0, 0.0)])  # at 0 the factors of the product are smallest
def test_float32_keeps_three_decimals(scale, shift):
    logits = scale * torch.randn(784, generator=seeded()) + shift
    x = (torch.rand(3, 784, generator=seeded(1)) < logits.sigmoid()).float()
    result = log_likelihood(
        lambda x: (x.new_zeros(len(x), 2), x.new_zeros(len(x), 2)), lambda z: logits.expand(len(z), -1), x, 10, seeded()
    )
    exact = bernoulli_log_likelihood(x.double(), logits.double().expand(3, -1))
    assert result.dtype == torch.float32
    assert_close(result.double(), exact, rtol=0, atol=1e-3)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x):
        return self.layer(x.flatten(1)).chunk(2, 1)


def networks():
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.5), nn.BatchNorm1d(16), nn.Unflatten(1, (1, 4, 4)))
    return Encoder(), decoder, (torch.rand(50, 1, 4, 4) < 0.3).float()


class LargestTensor(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that any operation makes."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = result if isinstance(result, tuple | list) else [result]
        self.elements = max([self.elements, *(item.numel() for item in tensors if isinstance(item, torch.Tensor))])
        return result


@pytest.mark.parametrize(("images", "samples", "chunk"), [(9, 1200, 500), (50, 30, 100), (3, 70, 9), (7, 1, 6)])
def test_memory_is_bounded(images, samples, chunk):
    encoder, decoder, x = networks()
    batches = []
    decoder.register_forward_pre_hook(lambda module, args: batches.append(len(args[0])))
    with LargestTensor() as largest:
        result = log_likelihood(encoder, decoder, x[:images], samples, seeded(), chunk=chunk)
    assert result.shape == (images,)
    assert max(batches) <= chunk
    assert sum(batches) == images * samples
    assert largest.elements <= max(16 * chunk, samples, x[:images].numel())


def test_networks_are_left_as_they_were():
    encoder, decoder, x = networks()
    decoder[1].eval()
    modes = [module.training for module in decoder.modules()]
    state = {name: value.clone() for name, value in decoder.state_dict().items()}
    random_state = torch.get_rng_state()
    result = log_likelihood(encoder, decoder, x, 3, seeded())
    assert_close(result, log_likelihood(encoder, decoder, x, 3, seeded()), rtol=0, atol=0)  # no dropout, no new state
    assert not result.requires_grad
    assert encoder.training
    assert [module.training for module in decoder.modules()] == modes
    assert_close(decoder.state_dict(), state, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random_state)
    with pytest.raises(ValueError, match="decoder gave images"):
        log_likelihood(encoder, nn.Linear(2, 16), x, 3, seeded())
    assert encoder.training


def test_another_seed_gives_another_estimate(vae):
    first, second = (log_likelihood(vae.encoder, vae.decoder, vae.x, 10, seeded(seed)) for seed in (0, 1))
    assert (first != second).all()


def check_active_units(active):
    """Units with variances 1, 0.02, 0.005 and 0; the third has a standard deviation, the last a mean, above 0.01."""
    units = torch.randn(4000, 4, generator=seeded()) * torch.tensor([1, 0.02, 0.005, 0]).sqrt() + torch.tensor(
        [0, 0, 0, 5]
    )
    assert active(units).tolist() == [True, True, False, False]


def test_active_units():
    check_active_units(active_units)
    assert active_units(torch.tensor([[0.0], [2.0]]), threshold=3.0).tolist() == [False]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda mu: mu.std(0) > 1e-2, id="standard deviation"),
        pytest.param(lambda mu: mu.square().mean(0) > 1e-2, id="second moment"),
        pytest.param(lambda mu: mu.var(0) < 1e-2, id="inactive units"),
        pytest.param(lambda mu: mu.var(1) > 1e-2, id="over units"),
        pytest.param(lambda mu: active_units(mu, 0.1), id="another threshold"),
    ],
)
def test_active_units_rejects(wrong):
    with pytest.raises(AssertionError):
        check_active_units(wrong)


def check_kl_per_unit(per_unit):
    mu, log_var = (torch.randn(30, 4, generator=seeded(seed), dtype=torch.float64) for seed in (0, 1))
    result = per_unit(mu, log_var)
    assert_close(result, kl_divergence(Normal(mu, (0.5 * log_var).exp()), Normal(mu.new_zeros(4), 1.0)).mean(0))
    assert_close(result.sum(), kl_normal(mu, log_var).mean())


def test_kl_per_unit():
    check_kl_per_unit(kl_per_unit)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda mu, log_var: 30 * kl_per_unit(mu, log_var), id="sum over the data"),
        pytest.param(lambda mu, log_var: kl_per_unit(mu, log_var.exp()), id="variance as log variance"),
        pytest.param(lambda mu, log_var: kl_per_unit(log_var, mu), id="swapped"),
        pytest.param(lambda mu, log_var: kl_per_unit(mu, log_var).sum(), id="sum over units"),
    ],
)
def test_kl_per_unit_rejects(wrong):
    with pytest.raises(AssertionError):
        check_kl_per_unit(wrong)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e, d, x: importance_bounds(e, d, x, [], seeded()), r"samples is \[\]"),
        (lambda e, d, x: importance_bounds(e, d, x, [-1, 5], seeded()), r"samples is \[-1, 5\]"),
        (lambda e, d, x: importance_bounds(e, d, x, [3, 5], seeded()), "divide the largest"),
        (lambda e, d, x: log_likelihood(e, d, x, 0, seeded()), "at least 1"),
        (lambda e, d, x: log_likelihood(e, d, x, 5, seeded(), chunk=0), "chunk is 0"),
        (lambda e, d, x: log_likelihood(e, d, 0.5 * x, 5, seeded()), r"values in \[0, 0.5\].*binarise"),
        (lambda e, d, x: log_likelihood(e, d, 2 * x - 1, 5, seeded()), r"values in \[-1, 1\]"),
        (lambda e, d, x: log_likelihood(e, d, x[:0], 5, seeded()), "at least one"),
        (lambda e, d, x: log_likelihood(lambda x: (x[:, 0, 0],) * 2, nn.Linear(4, 4), x, 5, seeded()), "decoder gave"),
        (lambda e, d, x: log_likelihood(lambda x: (x, x), d, x, 5, seeded()), "the encoder gave"),
        (lambda e, d, x: active_units(torch.zeros(1, 3)), r"mu of shape \(1, 3\)"),
        (lambda e, d, x: active_units(torch.zeros(3)), r"give \(N, L\)"),
        (lambda e, d, x: kl_per_unit(torch.zeros(2, 3), torch.zeros(2, 1)), r"log_var \(2, 1\)"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(*networks())
