"""The latent plane over seeds: who sits in its centre, how full it is without the divergence, how seeds differ."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gennotes import data, divergences, losses, models, train
from gennotes.data import Batch, ImageSet
from gennotes.models import VAE
from gennotes.studies import vae as vae_study

MEDIAN_RADIUS = math.sqrt(2 * math.log(2))  # half of N(0, I) in two dimensions lies within it


@dataclass(frozen=True)
class Settings:
    """Chosen on the validation images, for the VAE; the plain autoencoder has the same network and the same updates."""

    network: vae_study.Settings = field(
        default_factory=lambda: vae_study.Settings(architecture="mlp", latent=2, width=400, steps=2_000, lr=4e-3)
    )
    draws: int = 2_000  # codes that are drawn to look for thin places
    neighbours: int = 20  # codes that a local density is counted from
    thin: float = 0.25  # a place is thin where the codes have less than this share of the prior's density
    kept: int = 2  # seeds whose codes are kept, for a figure


SMALL = vae_study.Settings(architecture="mlp", latent=2, width=200, steps=600)  # trains in seconds


def fit_autoencoder(
    settings: vae_study.Settings, digits: ImageSet, seed: int, progress: bool = False
) -> tuple[VAE, train.Run]:
    """Train the same network as a plain autoencoder: no noise in the code, no divergence from the prior."""
    net = models.VAE(settings.latent, settings.width, settings.architecture, digits.train.x.shape[-1], seed=seed)
    net.encoder[-1].log_var.requires_grad_(False)  # an autoencoder has no use for it

    def step(players: dict[str, train.Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        x = torch.bernoulli(batch.x, generator=generator)
        code, _ = net.encoder(x)
        error = -losses.bernoulli_log_likelihood(x, net.decoder(code)).mean()
        players["autoencoder"].minimise(error)
        return {"distortion_nats": error}

    player = train.Player(net, lr=settings.lr, schedule=train.one_cycle)
    batches = digits.train.batches(settings.batch)
    run = train.fit(step, {"autoencoder": player}, batches, steps=settings.steps, seed=seed, progress=progress)
    net.eval()
    return net, run


def fit_mistaken(
    settings: vae_study.Settings, digits: ImageSet, seed: int, progress: bool = False
) -> tuple[VAE, train.Run]:
    """Train a VAE with a well-known slip: the variance is taken for the standard deviation when z is drawn."""
    net = models.VAE(settings.latent, settings.width, settings.architecture, digits.train.x.shape[-1], seed=seed)

    def step(players: dict[str, train.Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        x = torch.bernoulli(batch.x, generator=generator)
        mu, log_var = net.encoder(x)
        z = mu + log_var.exp() * torch.empty_like(mu).normal_(generator=generator)  # exp(log σ²) is σ², not σ
        terms = losses.elbo(x, net.decoder(z), mu, log_var)
        players["vae"].minimise(-terms.total.mean())
        return {"elbo_nats": terms.total.mean(), "kl_nats": terms.kl.mean()}

    player = train.Player(net, lr=settings.lr, schedule=train.one_cycle)
    batches = digits.train.batches(settings.batch)
    run = train.fit(step, {"vae": player}, batches, steps=settings.steps, seed=seed, progress=progress)
    net.eval()
    return net, run


@torch.no_grad()
def mistaken_bound(net: VAE, x: Tensor, generator: torch.Generator) -> Tensor:
    """What that slip reports as the ELBO of images x (N, 1, S, S): nats per image, 0-d. It is no bound of anything."""
    mu, log_var = net.encoder(x)
    z = models.reparameterise(mu, 2 * log_var, generator)  # a log variance of 2 log σ²: a deviation of σ²
    return losses.elbo(x, net.decoder(z), mu, log_var).total.mean()


def centre(mu: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """For each class the share of its codes within the prior's median radius √(2 log 2), and their mean norm.

    mu: posterior means (N, 2). y: their classes (N,). Returns (C,) twice.
    """
    norm, member = mu.norm(dim=1), F.one_hot(y).to(mu.dtype)
    size = member.sum(0)
    return (norm <= MEDIAN_RADIUS).to(mu.dtype) @ member / size, norm @ member / size


def aggregate(mu: Tensor, log_var: Tensor, generator: torch.Generator) -> dict[str, float]:
    """The mean divergence from the prior, taken apart: rate = information + KL(q(z) ‖ p(z)), nats.

    q(z) is the mixture of the N posteriors given, mu and log_var (N, L). Its divergence is estimated from one draw of
    each; the rate is exact; the information I(x; z), at most log N, is their difference.
    Source: Hoffman & Johnson 2016.
    """
    z = models.reparameterise(mu, log_var, generator)
    rows = [divergences.log_normal(part[:, None], mu, log_var) for part in z.split(500)]  # (500, N) each
    log_q = torch.cat([row.logsumexp(1) for row in rows]) - math.log(len(mu))
    log_p = divergences.log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
    gap = (log_q - log_p).mean().item()
    rate = divergences.kl_normal(mu, log_var).mean().item()
    return {"rate_nats": rate, "information_nats": rate - gap, "aggregate_kl_nats": gap}


def density_ratio(codes: Tensor, draws: Tensor, neighbours: int = 20) -> Tensor:
    """How dense the codes lie at each draw, as a multiple of the density of N(0, I₂) there.

    The density is the one of the k nearest codes: k / (N π r²), where r is the distance to the k-th of N codes.
    codes: (N, 2). draws: (M, 2). neighbours: k, at most N. Returns (M,), near 1 if the codes are themselves N(0, I₂).
    Source: Loftsgaarden & Quesenberry 1965.
    """
    parts = draws.split(500)  # so that the distances take little memory
    squared = torch.cat([torch.cdist(part, codes).kthvalue(neighbours, dim=1).values for part in parts]).square()
    log_density = math.log(neighbours / (len(codes) * math.pi)) - squared.log()
    return (log_density - divergences.log_normal(draws, torch.zeros_like(draws), torch.zeros_like(draws))).exp()


def whitened(codes: Tensor) -> Tensor:
    """Codes (N, L) moved, turned and scaled so that their mean is 0 and their covariance I."""
    moved = codes - codes.mean(0)
    root = torch.linalg.cholesky(torch.cov(moved.T))
    return torch.linalg.solve_triangular(root, moved.T, upper=False).T


def alignment(a: Tensor, b: Tensor) -> dict[str, float]:
    """How alike two sets of codes of the same images are, as they are and after the best rotation or reflection.

    a, b: (N, L). The likeness is ⟨a, b U⟩ / (‖a‖ ‖b‖), 1 if a = b U: with U = I, and with the best orthogonal U, for
    which the product is the sum of the singular values of aᵀb (Schönemann 1966).
    """
    product, size = a.T @ b, a.norm() * b.norm()
    return {
        "as_is": (product.trace() / size).item(),
        "turned": (torch.linalg.svdvals(product).sum() / size).item(),
    }


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """One entry a seed, a pixel drawn once; the aggregate and thin places on the training digits, the rest on test."""
    digits = data.load(settings.network.data, device)

    def noise(seed: int = 0) -> torch.Generator:
        return torch.Generator(device).manual_seed(seed)

    test, training = (vae_study.binarise(part.pixels(), noise()) for part in (digits.test, digits.train))
    draws = torch.randn(settings.draws, 2, generator=noise(1), device=device)
    perfect = torch.randn(len(training), 2, generator=noise(2), device=device)

    def thin(codes: Tensor) -> float:
        return (density_ratio(codes, draws, settings.neighbours) < settings.thin).float().mean().item()

    found: dict[str, list[Any]] = {}
    means = []
    for seed in seeds:
        vae, _ = vae_study.fit(settings.network, digits, seed)
        plain, _ = fit_autoencoder(settings.network, digits, seed)
        right, (wrong, _) = vae_study.fit(SMALL, digits, seed)[0], fit_mistaken(SMALL, digits, seed)
        with torch.no_grad():
            mu, _ = vae.encoder(test)
            train_mu, train_log_var = vae.encoder(training)
            sampled = models.reparameterise(train_mu, train_log_var, noise())
            codes, _ = plain.encoder(training)
            distortion = -losses.bernoulli_log_likelihood(test, plain.decoder(plain.encoder(test)[0])).mean().item()
        shares, norms = centre(mu, digits.test.y)
        row = {
            "test_elbo_nats": vae_study.bound(vae, test, noise()).item(),
            "autoencoder_distortion_nats": distortion,
            "share_in_centre": shares.tolist(),
            "mean_norm": norms.tolist(),
            "thin": {"vae": thin(sampled), "fitted": thin(whitened(codes)), "prior": thin(codes)},
            "variance": {"vae": sampled.var(0).tolist(), "autoencoder": codes.var(0).tolist()},
            "slip": {
                "right": vae_study.bound(right, test, noise()).item(),
                "reported": mistaken_bound(wrong, test, noise()).item(),
                "true": vae_study.bound(wrong, test, noise()).item(),
            },
            **aggregate(train_mu, train_log_var, noise()),
        }
        means.append(mu)
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    pairs = [(i, j) for i in range(len(seeds)) for j in range(i)]
    return found | {
        "alignment": [alignment(means[i], means[j]) for i, j in pairs],
        "codes": [(1e3 * mu).round().div(1e3).tolist() for mu in means[: settings.kept]],
        "thin_perfect": thin(perfect),
    }
