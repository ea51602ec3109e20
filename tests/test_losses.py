"""Losses against torch.distributions; every wrong variant named here fails the check that the right one passes."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck
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


# The products of probabilities within the likelihood: their range and digits, their gradients, their order in memory.


def by_groups(longest=112, spared=lambda logits: logits.abs().sigmoid(), larger=lambda logits: logits.clamp(min=0)):
    """The likelihood by products of up to `longest` probabilities; the mistakes below differ from it in one place."""

    def log_likelihood(x, logits):
        x, logits = x.flatten(1), logits.flatten(1 - x.dim())
        products = sum(part.prod(-1).log() for part in spared(logits).split(longest, -1))
        return products + (x * logits).sum(-1) - larger(logits).sum(-1)

    return log_likelihood


def check_digits(log_likelihood, dtype):
    """Within two units in the last place of Σ (1 + |ℓ|), whatever the number of pixels, their greys and the logits."""
    for pixels in (784, 1024, 113, 12, 1):
        grey, draw = torch.rand(3, pixels, generator=torch.Generator().manual_seed(1)), real(2, 3, pixels)
        for scale in (0.0, 0.1, 1.0, 3.0, 30.0, 1e4):
            logits = (scale * draw).to(dtype)
            sure = (logits[0] > 0).to(dtype)  # each pixel is what its logit says: the sum is near 0
            for x in (grey.to(dtype), binary(3, pixels, dtype=dtype), sure):
                exact = (x.double() * logits.double() - F.softplus(logits.double(), threshold=600)).sum(-1)
                found = log_likelihood(x, logits)
                assert found.dtype == dtype
                bound = 2 * torch.finfo(dtype).eps * (1 + logits.double().abs()).sum(-1)
                assert ((found.double() - exact).abs() <= bound).all(), (pixels, scale)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_likelihood", [bernoulli_log_likelihood, by_groups()])
def test_bernoulli_keeps_its_digits(log_likelihood, dtype):
    check_digits(log_likelihood, dtype)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(by_groups(longest=784), id="a product below the range"),
        pytest.param(by_groups(longest=145), id="a product that loses digits"),
        pytest.param(by_groups(spared=lambda logits: logits.sigmoid()), id="no absolute value"),
        pytest.param(by_groups(spared=lambda logits: 1 / logits.abs().sigmoid()), id="sign of the logarithm"),
        pytest.param(by_groups(larger=torch.zeros_like), id="no maximum"),
        pytest.param(by_groups(larger=lambda logits: logits.clamp(max=0)), id="minimum for maximum"),
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x, logits.bfloat16()).to(x), id="rounded logits"),
    ],
)
def test_the_check_of_the_digits_rejects(wrong):
    with pytest.raises(AssertionError):
        check_digits(wrong, torch.float32)


def grey_and_logits():
    """x (3, 1, 2, 2) and logits (2, 3, 1, 2, 2) behind a dimension of samples; both ask for their gradient."""
    x = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return x.requires_grad_(), real(2, 3, 1, 2, 2).requires_grad_()


class OnceDifferentiable(torch.autograd.Function):
    """The likelihood with the right gradient, which is then taken for a constant."""

    @staticmethod
    def forward(ctx, x, logits):
        ctx.save_for_backward(x.detach(), logits.detach())
        return bernoulli_log_likelihood(x, logits)

    @staticmethod
    def backward(ctx, slope):
        x, logits = ctx.saved_tensors
        slope = slope[..., None, None, None]
        return (slope * logits).sum(0), slope * (x - logits.sigmoid())


def test_gradients_over_pixels_and_logits_once_and_twice():
    assert gradcheck(bernoulli_log_likelihood, grey_and_logits())
    assert gradgradcheck(bernoulli_log_likelihood, grey_and_logits())


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x.detach(), logits), id="none over pixels"),
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x, logits.detach()), id="none over logits"),
        pytest.param(
            lambda x, logits: bernoulli_log_likelihood(x, logits) + (x - x.detach()).sum((1, 2, 3)), id="one too many"
        ),
    ],
)
def test_the_check_of_the_gradients_rejects(wrong):
    assert not gradcheck(wrong, grey_and_logits(), raise_exception=False)


def test_the_check_of_the_second_gradients_rejects():
    assert gradcheck(OnceDifferentiable.apply, grey_and_logits())
    assert not gradgradcheck(OnceDifferentiable.apply, grey_and_logits(), raise_exception=False)
    linear = lambda x, logits: bernoulli_log_likelihood(x.detach(), logits) + (x * logits.detach()).sum((2, 3, 4))  # noqa: E731
    assert not gradgradcheck(linear, grey_and_logits(), raise_exception=False)


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.float32])
def test_pixels_of_any_type_that_holds_0_and_1(kind):
    x, logits = binary(*SHAPE, dtype=torch.float32).to(kind), real(*SHAPE, dtype=torch.float32).requires_grad_()
    found = bernoulli_log_likelihood(x, logits)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert_close(found, Independent(Bernoulli(logits=logits), 3).log_prob(x.float()))
    assert_close(gradient, x.float() - logits.detach().sigmoid())


def in_memory_order(x):
    """The numbers of x as they lie in memory, in the shape of x."""
    return x.as_strided(x.shape, x.contiguous().stride())


def check_order(log_likelihood):
    """Values and gradients do not depend on where in memory a number lies."""
    x, logits = binary(5, 3, 4, 2), real(5, 3, 4, 2)
    orders = (
        lambda t: t.contiguous(memory_format=torch.channels_last),
        lambda t: t.transpose(0, 3).contiguous().transpose(0, 3),
        lambda t: torch.stack([t, t + 7], -1)[..., 0],
    )
    for order in orders:
        for theirs in (x, order(x)):
            ours = order(logits).requires_grad_()
            assert not ours.is_contiguous()
            found = log_likelihood(theirs, ours)
            (gradient,) = torch.autograd.grad(found.sum(), ours)
            assert_close(found, (x * logits - F.softplus(logits)).sum((1, 2, 3)))
            assert_close(gradient, x - logits.sigmoid(), check_stride=False)


def test_bernoulli_in_any_order_of_memory():
    check_order(bernoulli_log_likelihood)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x, in_memory_order(logits)), id="logits as they lie"),
        pytest.param(lambda x, logits: bernoulli_log_likelihood(in_memory_order(x), logits), id="pixels as they lie"),
    ],
)
def test_the_check_of_the_order_rejects(wrong):
    with pytest.raises(AssertionError):
        check_order(wrong)


def check_narrow(log_likelihood, kind):
    """Logits of a narrow type: the likelihood of their float32 values, in float32; the gradient in their type."""
    x, logits = binary(*SHAPE, dtype=torch.float32), (3 * real(*SHAPE)).to(kind).requires_grad_()
    exact = Independent(Bernoulli(logits=logits.detach().double()), 3).log_prob(x.double())
    found = log_likelihood(x, logits)
    assert_close(found, exact.float(), rtol=1e-6, atol=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert_close(gradient, (x - logits.detach().float().sigmoid()).to(kind))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_narrow_logits_are_taken_to_float32(kind):
    check_narrow(bernoulli_log_likelihood, kind)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x, logits.float()).to(logits), id="narrow answer"),
        pytest.param(lambda x, logits: by_groups(longest=4)(x.to(logits), logits).float(), id="narrow sums"),
        pytest.param(lambda x, logits: bernoulli_log_likelihood(x, logits.double()), id="too wide"),
    ],
)
def test_the_check_of_narrow_logits_rejects(wrong, kind):
    with pytest.raises(AssertionError):
        check_narrow(wrong, kind)


def test_elbo_of_narrow_outputs_is_in_float32():
    x, outputs = binary(*SHAPE, dtype=torch.float32), (real(*SHAPE), real(5, 2, seed=1), real(5, 2, seed=2))
    narrow = [output.bfloat16() for output in outputs]
    terms = elbo(x, *narrow)
    assert_close(tuple(terms), tuple(elbo(x, *(output.float() for output in narrow))))
    assert {term.dtype for term in terms} == {torch.float32}


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
