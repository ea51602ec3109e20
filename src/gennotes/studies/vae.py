"""The VAE's numbers over seeds: likelihoods on test digits, active units, the shape of its codes."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gennotes import data, draws, losses, metrics, models, train
from gennotes.data import Batch, ImageSet
from gennotes.models import VAE


@dataclass(frozen=True)
class Settings:
    """Chosen on the validation images; the test images were looked at once, by the study itself."""

    data: str = "mnist-5k"
    architecture: str = "conv"
    latent: int = 20
    width: int = 256
    batch: int = 64
    steps: int = 2_000  # a minute and a half on two cores
    lr: float = 3e-3  # the peak of train.one_cycle
    bound_samples: tuple[int, ...] = (1, 5, 50, 5_000)


def fit(
    settings: Settings, digits: ImageSet, seed: int, beta: float = 1.0, progress: bool = False, **loop: Any
) -> tuple[VAE, train.Run]:
    """Train one VAE on dynamically binarised images, as the chapter's training cell does; `loop` goes to train.fit."""
    vae = models.VAE(settings.latent, settings.width, settings.architecture, digits.train.x.shape[-1], seed=seed)

    def step(players: dict[str, train.Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        x = draws.bernoulli(batch.x, generator)
        mu, log_var = vae.encoder(x)
        z = models.reparameterise(mu, log_var, generator)
        terms = losses.elbo(x, vae.decoder(z), mu, log_var, beta)
        players["vae"].minimise(-terms.total.mean())
        return {"elbo_nats": terms.total.mean(), "kl_nats": terms.kl.mean()}

    run = train.fit(
        step,
        {"vae": train.Player(vae, lr=settings.lr, schedule=train.one_cycle)},
        digits.train.batches(settings.batch),
        steps=settings.steps,
        seed=seed,
        snapshot=lambda generator: {
            "elbo_nats": bound(vae, binarise(digits.validation.pixels(), generator), generator)
        },
        progress=progress,
        **loop,
    )
    vae.eval()
    return vae, run


def binarise(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images with pixels 0 or 1, each drawn with its grey value in [0, 1] as the probability of a 1."""
    return torch.bernoulli(x, generator=generator)


@torch.no_grad()
def bound(vae: VAE, x: Tensor, generator: torch.Generator) -> Tensor:
    """The mean ELBO of images x (N, 1, S, S) from one latent sample an image: nats per image, 0-d."""
    mu, log_var = vae.encoder(x)
    return losses.elbo(x, vae.decoder(models.reparameterise(mu, log_var, generator)), mu, log_var).total.mean()


def versions(x: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """The three ways to score grey images x in [0, 1] that papers use; numbers on one say nothing about another."""
    return {"grey": x, "sampled": binarise(x, generator), "thresholded": (x > 0.5).to(x.dtype)}


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """One list a quantity, an entry a seed; nats per test image unless said otherwise."""
    digits = data.load(settings.data, device)

    def noise() -> torch.Generator:
        return torch.Generator(device).manual_seed(0)

    found: dict[str, list[Any]] = {}
    test = versions(digits.test.pixels(), noise())
    for seed in seeds:
        vae, run = fit(settings, digits, seed)
        with torch.no_grad():
            mu, log_var = vae.encoder(test["sampled"])
        bounds = metrics.importance_bounds(
            vae.encoder, vae.decoder, test["sampled"], list(settings.bound_samples), noise()
        )
        row = {
            "validation_steps": run.history.snapshots["step"].tolist(),
            "validation_elbo_nats": run.history.snapshots["elbo_nats"].tolist(),
            "test_elbo_nats": {name: bound(vae, x, noise()).item() for name, x in test.items()},
            "test_bound_nats": bounds.mean(1).tolist(),
            "test_kl_nats": metrics.kl_per_unit(mu, log_var).sum().item(),
            "active_units": int(metrics.active_units(mu).sum()),
            "aggregate_variance": (mu.var(0) + log_var.exp().mean(0)).tolist(),
            "posterior_sigma": (0.5 * log_var).exp().mean(0).tolist(),
        }
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    return found
