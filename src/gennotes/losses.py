"""Pure functions of logits and parameters: what the models are trained on.

Likelihoods are in nats per image and the mean over the batch is the caller's. The losses of adversarial players are
means over the batch, the last axis of the scores, so that scores (S, B) of an ensemble give its S losses. What a
network gives in bfloat16 or float16 is taken to float32 first.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from gennotes import draws
from gennotes.divergences import kl_normal


class ELBO(NamedTuple):
    """The evidence lower bound and its two terms; the caller takes the mean over the batch and the sign.

    total: reconstruction − beta · kl, nats per image, (B,); at beta = 1 a lower bound of log p_θ(x).
    reconstruction: log p_θ(x|z) at the z that gave the logits, nats per image, (B,).
    kl: KL(q_φ(z|x) ‖ p(z)), nats per image, (B,).
    """

    total: Tensor
    reconstruction: Tensor
    kl: Tensor


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """Log-likelihood of pixels under independent Bernoulli outputs, Σ_i [ x_i ℓ_i − log(1 + exp ℓ_i) ].

    x: images (B, ...) in [0, 1], such as (B, 1, 28, 28). On grey values the sum is a training yardstick, the negative
    cross-entropy, and no likelihood: a Bernoulli variable is 0 or 1. The range is not checked.
    logits: ℓ, real, (..., B, ...): the shape of x, which dimensions of samples may lead, such as (k, B, 1, 28, 28).
    Returns nats per image, (B,) or with the leading dimensions, (k, B): summed, never averaged, over all pixels.
    Finite for every finite logit.
    Raises ValueError if the shape of logits does not end with that of x.
    """
    if x.dim() < 2 or logits.shape[-x.dim() :] != x.shape:
        raise ValueError(
            f"bernoulli_log_likelihood got x {tuple(x.shape)} and logits {tuple(logits.shape)}; "
            "give x as (B, ...) and logits as the same shape, or that shape behind dimensions of samples."
        )
    pixels = 1 - x.dim()
    return _LogLikelihood.apply(x.flatten(1), _wide(logits).flatten(pixels))


def _wide(x: Tensor) -> Tensor:
    """x in float32 if it is in a narrower type: sums and logarithms need the digits."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class _LogLikelihood(torch.autograd.Function):
    """Σ_i [ x_i ℓ_i − log(1 + exp ℓ_i) ] over the last axis, of x (B, D) and ℓ (..., B, D).

    log(1 + exp ℓ) = max(ℓ, 0) − log σ(|ℓ|), and a sum of logarithms is the logarithm of a product: σ(|ℓ|) is at least
    ½, so that a product of 112 of them is at least 2^−112, within float32's range of 2^−126. That is one exponential a
    pixel and a logarithm for up to 112 of them, where `softplus` takes two functions a pixel, and slow ones on a CPU.
    """

    @staticmethod
    def forward(x: Tensor, logits: Tensor) -> Tensor:
        count = logits.shape[-1]
        group = max(n for n in range(1, 113) if count % n == 0)
        spared = logits.abs().sigmoid_().unflatten(-1, (count // group, group)).prod(-1).log_().sum(-1)
        return spared - torch.addcmul(logits.clamp(min=0), x, logits, value=-1).sum(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, logits = ctx.saved_tensors
        slope = slope.unsqueeze(-1)
        for_x = (slope * logits).sum_to_size(x.shape) if ctx.needs_input_grad[0] else None
        return for_x, slope * torch.add(x, torch.sigmoid(logits), alpha=-1) if ctx.needs_input_grad[1] else None


def elbo(
    x: Tensor,
    logits: Tensor,
    mu: Tensor,
    log_var: Tensor,
    beta: float = 1.0,
) -> ELBO:
    """Evidence lower bound of a VAE: Bernoulli pixels, prior N(0, I), one z an image.

    L(θ, φ; x) = E_q[ log p_θ(x|z) ] − β KL( q_φ(z|x) ‖ p(z) ),

    the expectation estimated at z = μ + σ ⊙ ε.
    x: images (B, ...) in [0, 1]. logits: the decoder's answer to z, the shape of x.
    mu, log_var: μ and log σ² of q_φ(z|x), (B, L).
    beta: weight of the divergence, at least 0.
    Returns ELBO(total, reconstruction, kl), nats per image, (B,) each: sums over
    pixels and units, never means.
    Raises ValueError if shapes do not fit or beta is negative.
    Source: Kingma & Welling 2014, eq. 10; β: Higgins et al. 2017.
    """
    if mu.shape != log_var.shape or mu.dim() != 2 or len(mu) != len(x):
        shapes = f"mu {tuple(mu.shape)} and log_var {tuple(log_var.shape)}"
        raise ValueError(f"elbo got {shapes}; give both as ({len(x)}, L), an image a row.")
    if beta < 0:
        raise ValueError(f"elbo got beta {beta}; give a weight of at least 0.")
    reconstruction = bernoulli_log_likelihood(x, logits)
    kl = kl_normal(_wide(mu), _wide(log_var))
    return ELBO(reconstruction - beta * kl, reconstruction, kl)


def iwae(log_w: Tensor) -> Tensor:
    """Importance-weighted bound L_k = log (1/k) Σ_i w_i, with w_i = p_θ(x, z_i) / q_φ(z_i|x) and z_i ~ q_φ(z|x).

    log_w: log weights in nats, (k, B), k at least 1.
    Returns nats per image, (B,); its mean rises with k and tends to log p_θ(x); at k = 1 it is the ELBO.
    Raises ValueError if log_w is not (k, B).
    Source: Burda, Grosse & Salakhutdinov 2016, eq. 8.
    """
    if log_w.dim() != 2 or len(log_w) < 1:
        raise ValueError(f"iwae got log_w of shape {tuple(log_w.shape)}; give (k, B) with k at least 1.")
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of each image, 1/D Σ_i |ŷ_i − y_i|, in the units of a pixel: at most 2 for the range [-1, 1].

    output, target: images (B, ...) of one shape and range. What minimises its expectation is, pixel by pixel, a median
    of the targets that an input has.
    Returns (B,), the mean over an image's D numbers; the mean over the batch is the caller's.
    Raises ValueError if the shapes differ: broadcasting would compare each image with others.
    Source: Isola et al. 2017, eq. 3, with λ = 100 for the mean over pixels, as the authors' code takes it.
    """
    if output.shape != target.shape or output.dim() < 2:
        raise ValueError(
            f"l1 got {tuple(output.shape)} and {tuple(target.shape)}; give two batches of one shape, (B, ...)"
        )
    return (_wide(output) - _wide(target)).abs().flatten(1).mean(1)


# ------------------------------------------------------------------------------------------------ adversarial players


def _widened(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A loss whose scores are taken to float32 first, if they are in a narrower type."""

    @functools.wraps(loss)
    def widened(*scores: Tensor, **named: Tensor) -> Tensor:
        return loss(*map(_wide, scores), **{name: _wide(score) for name, score in named.items()})

    return widened


@_widened
def discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """What a discriminator minimises: −V(D, G) = −E log D(x) − E log(1 − D(G(z))), with D = sigmoid of the logit.

    real, fake: logits (..., B) of data and of samples; finite for every finite logit.
    Returns nats, (...): log 4 where D = ½ everywhere.
    Source: Goodfellow et al. 2014, eq. 1.
    """
    return F.softplus(-real).mean(-1) + F.softplus(fake).mean(-1)


@_widened
def saturating(fake: Tensor) -> Tensor:
    """What the generator of the minimax game minimises: E log(1 − D(G(z))). Its gradient vanishes as D(G(z)) → 0.

    fake: logits (..., B) of samples. Returns nats, (...). Source: Goodfellow et al. 2014, eq. 1.
    """
    return -F.softplus(fake).mean(-1)


@_widened
def non_saturating(fake: Tensor) -> Tensor:
    """What a generator minimises in practice: −E log D(G(z)). Its gradient is largest as D(G(z)) → 0.

    fake: logits (..., B) of samples. Returns nats, (...). Source: Goodfellow et al. 2014, section 3.
    """
    return F.softplus(-fake).mean(-1)


@_widened
def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """½ E (D(x) − 1)² + ½ E D(G(z))², D a real score.

    real, fake: (..., B). Returns (...). Source: Mao et al. 2017, eq. 9.
    """
    return 0.5 * (real - 1).square().mean(-1) + 0.5 * fake.square().mean(-1)


@_widened
def least_squares_generator(fake: Tensor) -> Tensor:
    """½ E (D(G(z)) − 1)², D a real score.

    fake: (..., B). Returns (...). Source: Mao et al. 2017, eq. 9.
    """
    return 0.5 * (fake - 1).square().mean(-1)


@_widened
def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))), D a real score; its generator minimises `critic_generator`.

    real, fake: (..., B). Returns (...). Source: Lim & Ye 2017; Miyato et al. 2018, eq. 16.
    """
    return F.relu(1 - real).mean(-1) + F.relu(1 + fake).mean(-1)


@_widened
def critic(real: Tensor, fake: Tensor) -> Tensor:
    """What a critic f minimises: E f(G(z)) − E f(x). Over 1-Lipschitz f the minimum is −W₁(p_data, p_g).

    real, fake: scores (..., B). Returns (...), in units of the data. Source: Arjovsky et al. 2017, eq. 2.
    """
    return fake.mean(-1) - real.mean(-1)


@_widened
def critic_generator(fake: Tensor) -> Tensor:
    """What the generator facing a critic minimises: −E f(G(z)). fake: (..., B). Returns (...). Source: as `critic`."""
    return -fake.mean(-1)


def gradient_penalty(
    score: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: draws.AnyGenerator,
    one_sided: bool = False,
) -> Tensor:
    """E (‖∇f(x̂)‖₂ − 1)² at x̂ = x + u (G(z) − x), with one u ~ U[0, 1] a pair; one-sided: E max(0, ‖∇f(x̂)‖₂ − 1)².

    score: f, takes points of the shape of `real` to scores (..., B); no layer of it may mix the samples of a batch. If
        it knows its gradient in closed form, as `models.MLP` does, that is used; else it is differentiated.
    real, fake: (..., B, *item), such as (B, 1, 28, 28); the norm is over all of an item. No gradient flows into them.
    generator: of u. Returns (...), the mean over the batch; multiply by its weight, 10 in the paper.
    Raises ValueError if the shapes differ, or if `score` does not give one number an item.
    Source: Gulrajani et al. 2017, eq. 3; one-sided: its section 4.
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"gradient_penalty got real {tuple(real.shape)} and fake {tuple(fake.shape)}; give pairs, one shape"
        )
    lead = int(isinstance(generator, draws.Generators))
    shape = real.shape[lead:]
    share = draws.uniform(shape[0], *[1] * (len(shape) - 1), generator=generator).to(real)
    slope = _slope(score, torch.lerp(real.detach(), fake.detach().to(real), share), axes=(lead + 1,))
    excess = F.relu(slope - 1) if one_sided else slope - 1
    return excess.square().mean(-1)


def r1(score: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """½ E ‖∇D(x)‖² at the data; multiply by its weight γ.

    score: takes points (..., B, *item) to logits (..., B). real: such points. Returns (...).
    Source: Mescheder, Geiger & Nowozin 2018, eq. 9.
    """
    return 0.5 * _slope(score, real.detach(), axes=(1, 2)).square().mean(-1)


def unrolled(
    discriminator: nn.Module, loss: Callable[[Callable[[Tensor], Tensor]], Tensor], steps: int, lr: float
) -> Callable[[Tensor], Tensor]:
    """The discriminator as it would stand after `steps` steps of gradient descent, φ ← φ − lr ∇L(φ), differentiably.

    A generator that minimises its loss against it is told how the discriminator would answer: the gradient flows
    through the samples of each of the steps that are looked ahead. The discriminator itself stays as it is.

    loss: takes scores, D as a function of points, to what D minimises, 0-d or (S,) of an ensemble; it computes the
        samples' scores without detaching the samples.
    Returns D after the steps, as a function of points. Raises ValueError if there are no steps, or lr is not above 0.
    Source: Metz et al. 2017, eqs. 7 to 10, whose toy looks ahead with Adam's steps and not with plain ones.
    """
    if steps < 1 or not lr > 0:
        raise ValueError(f"unrolled got steps={steps} and lr={lr}; give at least 1 step, and a rate above 0")
    weights = dict(discriminator.named_parameters())

    def scores(x: Tensor) -> Tensor:
        return functional_call(discriminator, weights, (x,))

    for _ in range(steps):
        slopes = torch.autograd.grad(loss(scores).sum(), list(weights.values()), create_graph=True)
        weights = {name: w - lr * slope for (name, w), slope in zip(weights.items(), slopes, strict=True)}
    return scores


def _slope(score: Callable[[Tensor], Tensor], x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """‖∇ score‖₂ at each item of x, with a graph to differentiate it again; (B,) or (S, B), as `axes` allow."""
    closed_form = getattr(score, "input_gradient", None)
    if closed_form is not None and x.ndim - 1 in axes and (gradient := closed_form(x)) is not None:
        return torch.linalg.vector_norm(_wide(gradient), dim=-1)
    x = x.requires_grad_()
    scores = score(x)
    if scores.ndim not in axes or scores.ndim == x.ndim or scores.shape != x.shape[: scores.ndim]:
        raise ValueError(
            f"the score of points {tuple(x.shape)} has shape {tuple(scores.shape)}; it must give one number an item, "
            f"such as {tuple(x.shape[: axes[0]])}"
        )
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return torch.linalg.vector_norm(_wide(gradient).flatten(scores.ndim), dim=-1)
