"""Pure functions of logits and parameters: what the models are trained on, in nats per image."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

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
    return (x * logits - F.softplus(logits)).sum(tuple(range(1 - x.dim(), 0)))


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
    kl = kl_normal(mu, log_var)
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
