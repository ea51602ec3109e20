"""What the weight β of the divergence does to a small VAE, over seeds, and what averaging over pixels does."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gennotes import data, losses, metrics, models
from gennotes.models import VAE
from gennotes.studies import vae

SMALL = vae.Settings(architecture="mlp", latent=10, width=200, steps=600)  # trains in seconds


@dataclass(frozen=True)
class Settings:
    """The weights that are tried."""

    betas: tuple[float, ...] = (0.25, 1.0, 4.0, 16.0, 64.0)


def score(network: VAE, x: Tensor, generator: torch.Generator) -> dict[str, float]:
    """Rate KL(q‖p) and distortion −E_q[log p(x|z)] of images x (N, 1, S, S), nats per image, and active units."""
    with torch.no_grad():
        mu, log_var = network.encoder(x)
        terms = losses.elbo(x, network.decoder(models.reparameterise(mu, log_var, generator)), mu, log_var)
    return {
        "rate_nats": terms.kl.mean().item(),
        "distortion_nats": -terms.reconstruction.mean().item(),
        "active_units": int(metrics.active_units(mu).sum()),
    }


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """A point for each seed and each β on the binarised test images; "averaged" is the one where β is their pixels."""
    digits = data.load(SMALL.data, device)

    def noise() -> torch.Generator:
        return torch.Generator(device).manual_seed(0)

    x = vae.binarise(digits.test.pixels(), noise())

    def point(seed: int, beta: float) -> dict[str, float]:
        return score(vae.fit(SMALL, digits, seed, beta)[0], x, noise())

    return {
        "sweep": [[point(seed, beta) for beta in settings.betas] for seed in seeds],
        "averaged": [point(seed, float(x[0].numel())) for seed in seeds],
    }
