"""How good a latent-variable model is: its log-likelihood by importance sampling, and the latent units it uses."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gennotes import device as devices
from gennotes import losses
from gennotes.models import evaluating

Encoder = Callable[[Tensor], tuple[Tensor, Tensor]]
Decoder = Callable[[Tensor], Tensor]


def log_likelihood(
    encoder: Encoder,
    decoder: Decoder,
    x: Tensor,
    samples: int,
    generator: torch.Generator,
    chunk: int = 500,
    precision: str = "float32",
) -> Tensor:
    """log p_θ(x) of a VAE with Bernoulli outputs and the prior N(0, I), by importance sampling with q_φ(z|x).

    log p_θ(x) ≈ log (1/k) Σ_i p_θ(x|z_i) p(z_i) / q_φ(z_i|x), z_i ~ q_φ(z|x): `importance_bounds` at one k = samples,
    where arguments and errors are described. The mean of the estimate lies below log p_θ(x) and tends to it.

    Returns nats per image, (N,).
    """
    return importance_bounds(encoder, decoder, x, [samples], generator, chunk, precision)[0]


@torch.no_grad()
def importance_bounds(
    encoder: Encoder,
    decoder: Decoder,
    x: Tensor,
    samples: Sequence[int],
    generator: torch.Generator,
    chunk: int = 500,
    precision: str = "float32",
) -> Tensor:
    """Importance-weighted bounds L_k = E[ log (1/k) Σ_i w_i ] of a VAE for several k, from one set of draws.

    With K = max(samples) weights an image, L_k is estimated by the mean over K/k disjoint groups of k weights:
    each row is an unbiased estimate of its L_k. If each k divides the next, the groups are nested and by Jensen's
    inequality the estimates themselves rise with k, for every image and every draw.

    encoder: x (B, ...) -> (μ, log σ²), (B, L) each. decoder: z (B, L) -> logits (B, ...) in the shape of x.
    Modules are set to evaluation mode for the call and restored.
    x: binary images (N, ...), each pixel 0 or 1, on the modules' device, as the generator is.
    samples: the values of k, each at least 1 and a divisor of the largest.
    chunk: the most images decoded at once; 500 digits keep the logits in a processor's cache. Memory grows with chunk
    and with K weights for an image in work, never with N · K images.
    precision: "float32", or "mixed" as in `train.fit`: matrix products of both networks in bfloat16 where that pays.
    It moves the bound of an image by some hundredths of a nat; the page on performance has the figures.
    Returns nats per image, (len(samples), N).
    Raises ValueError if x is empty or not binary, a k is below 1 or does not divide the largest, chunk is below 1,
    or the networks' shapes do not fit.
    Source: Burda, Grosse & Salakhutdinov 2016, eq. 8 and section 5.
    """
    draws = max(samples, default=0)
    if min(samples, default=0) < 1 or any(draws % k for k in samples):
        raise ValueError(f"samples is {list(samples)}; give numbers of at least 1 that divide the largest of them.")
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; give the number of images to decode at once, at least 1.")
    if x.dim() < 2 or len(x) == 0:
        raise ValueError(f"x has the shape {tuple(x.shape)}; give images (N, ...), at least one.")
    if not ((x == 0) | (x == 1)).all():
        low, high = x.min().item(), x.max().item()
        raise ValueError(f"x has values in [{low:.4g}, {high:.4g}] other than 0 and 1; binarise the images first.")
    devices.keep_memory()
    narrow = torch.autocast(x.device.type, torch.bfloat16, enabled=devices.narrows(x.device, precision))
    with evaluating(encoder, decoder), narrow:
        images = max(1, chunk // draws)
        blocks = [_bounds(encoder, decoder, part, samples, draws, generator, chunk) for part in x.split(images)]
    return torch.cat(blocks, 1)


def active_units(mu: Tensor, threshold: float = 1e-2) -> Tensor:
    """The latent units that a VAE uses: those whose posterior mean varies over the data, Var_x(E_q[z_u]) > threshold.

    mu: the encoder's means over a data set, (N, L), N at least 2.
    Returns booleans, (L,); their sum is the number of active units. The variances themselves are mu.var(0).
    Raises ValueError if mu is not (N, L) with N at least 2.
    Source: Burda, Grosse & Salakhutdinov 2016, section 5.2 (threshold 0.01).
    """
    if mu.dim() != 2 or len(mu) < 2:
        raise ValueError(f"active_units got mu of shape {tuple(mu.shape)}; give (N, L) with N at least 2.")
    return mu.var(0) > threshold


def kl_per_unit(mu: Tensor, log_var: Tensor) -> Tensor:
    """The mean over the data of KL(q_φ(z_u|x) ‖ N(0, 1)) for each latent unit, ½ (σ² + μ² − 1 − log σ²).

    mu, log_var: μ and log σ² of the encoder over a data set, (N, L).
    Returns nats, (L,); their sum is the mean of the ELBO's divergence; an unused unit has 0.
    Raises ValueError if the shapes are not one and the same (N, L).
    """
    if mu.dim() != 2 or mu.shape != log_var.shape:
        raise ValueError(
            f"kl_per_unit got mu {tuple(mu.shape)} and log_var {tuple(log_var.shape)}; give both as the same (N, L)."
        )
    return 0.5 * (log_var.exp() + mu.square() - 1 - log_var).mean(0)


def _bounds(
    encoder: Encoder,
    decoder: Decoder,
    x: Tensor,
    samples: Sequence[int],
    draws: int,
    generator: torch.Generator,
    chunk: int,
) -> Tensor:
    """The bounds of one block of images x (B, ...): (len(samples), B)."""
    mu, log_var = encoder(x)
    if mu.shape != log_var.shape or mu.dim() != 2 or len(mu) != len(x):
        raise ValueError(
            f"the encoder gave {tuple(mu.shape)} and {tuple(log_var.shape)} for {len(x)} images; "
            f"it must give μ and log σ², ({len(x)}, L) each."
        )
    kind = torch.promote_types(mu.dtype, torch.float32)
    mu, log_var = mu.to(kind), log_var.to(kind)
    std = (0.5 * log_var).exp()
    parts = []
    for start in range(0, draws, chunk):
        size = (min(chunk, draws - start), *mu.shape)  # (K', B, L)
        noise = torch.randn(size, generator=generator, device=mu.device, dtype=mu.dtype)
        z = mu + std * noise
        log_ratio = 0.5 * (log_var + noise.square() - z.square()).sum(-1)  # log p(z) − log q(z|x), (K', B)
        logits = decoder(z.flatten(0, 1))  # (K' B, ...)
        if logits.shape[1:] != x.shape[1:]:
            raise ValueError(f"the decoder gave images {tuple(logits.shape[1:])} where x has {tuple(x.shape[1:])}.")
        parts.append(log_ratio + losses.bernoulli_log_likelihood(x, logits.unflatten(0, size[:2])))
    log_w = torch.cat(parts)  # (K, B)
    groups = [log_w.unflatten(0, (-1, k)) for k in samples]  # (K/k, k, B)
    return torch.stack([(group.logsumexp(1) - math.log(group.shape[1])).mean(0) for group in groups])
