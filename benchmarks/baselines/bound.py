"""The importance-weighted bound of a VAE, image by image, as evaluation scripts write it: 5,000 samples each."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Normal

SAMPLES = 5_000


@torch.no_grad()
def log_likelihoods(model, images):
    """log p(x) of each binary image (N, 784), an image at a time."""
    for x in images:
        mu, log_var = model.encode(x[None])
        std = torch.exp(0.5 * log_var)
        z = mu + std * torch.randn(SAMPLES, mu.shape[1])
        x_hat = model.decode(z)
        log_px = -F.binary_cross_entropy(x_hat, x.expand(SAMPLES, -1), reduction="none").sum(1)
        log_pz = Normal(0.0, 1.0).log_prob(z).sum(1)
        log_qz = Normal(mu, std).log_prob(z).sum(1)
        yield torch.logsumexp(log_px + log_pz - log_qz, 0) - math.log(SAMPLES)
