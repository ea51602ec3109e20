"""Does a loss say how good the samples are? WGAN with penalty and with clipping, and a GAN, on the ring, over seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import optimize, stats
from torch import Tensor

from gennotes import data, draws, losses, metrics, models, train
from gennotes.data import Batch, Mixture

METHODS = ("penalty", "clipping", "gan")
HELD_OUT = 1_000_000  # seed of the points that the losses and the samples are measured against


@dataclass(frozen=True)
class Settings:
    """The same for all methods, but for what a critic is held back by."""

    toy: str = "ring"
    latent: int = 2
    width: int = 64  # of two hidden layers, of generator and critic
    batch: int = 64
    critic_steps: int = 3  # updates of the critic, each on fresh points, for one of the generator
    steps: int = 600  # updates of the generator
    lr: float = 5e-4  # of the generator
    critic_lr: float = 2e-3
    betas: tuple[float, float] = (0.5, 0.9)
    weight: float = 1.0  # of the penalty; 10 in the paper, 0.1 for its toys
    bound: float = 0.1  # of the clipped weights
    measured_every: int = 25  # updates of the generator
    points: int = 500  # samples, and data points, at each measurement


def critic_step(method: str, settings: Settings) -> Callable[..., Tensor]:
    """One update of the critic, `step(player, real, fake, generator)`, which returns its loss."""

    def penalised(critic: train.Player, real: Tensor, fake: Tensor, generator: draws.AnyGenerator) -> Tensor:
        f = critic.module
        loss = losses.critic(f(real), f(fake))
        critic.minimise(loss + settings.weight * losses.gradient_penalty(f, real, fake, generator))
        return loss

    def clipped(critic: train.Player, real: Tensor, fake: Tensor, generator: draws.AnyGenerator) -> Tensor:
        f = critic.module
        loss = losses.critic(f(real), f(fake))
        critic.minimise(loss)
        models.clip_weights(f, settings.bound)  # after the update: it is what leaves the box
        return loss

    def discriminating(critic: train.Player, real: Tensor, fake: Tensor, generator: draws.AnyGenerator) -> Tensor:
        loss = losses.discriminator(critic.module(real), critic.module(fake))
        critic.minimise(loss)
        return loss

    return {"penalty": penalised, "clipping": clipped, "gan": discriminating}[method]


def fit(
    method: str, settings: Settings, seed: int | Sequence[int], progress: bool = False
) -> tuple[models.MLP, models.MLP, train.Run]:
    """Train generator and critic by one of METHODS; several seeds side by side.

    The run's snapshots hold samples (T, N, 2), or (T, S, N, 2), and what the losses are at them and at held-out data.
    """
    toy = data.toy(settings.toy)
    hidden = [settings.width] * 2
    other = seed + 1 if isinstance(seed, int) else [s + 1 for s in seed]
    G = models.MLP([settings.latent, *hidden, 2], seed=seed)
    f = models.MLP([2, *hidden, 1], seed=other)
    generator_loss = losses.non_saturating if method == "gan" else losses.critic_generator
    update = critic_step(method, settings)

    def step(players: dict[str, train.Player], batch: Batch, generator: draws.AnyGenerator) -> dict[str, Tensor]:
        for real in batch.x.chunk(settings.critic_steps, -2):  # fresh points for each update
            fake = G(draws.normal(settings.batch, settings.latent, generator=generator)).detach()
            loss = update(players["critic"], real, fake, generator)
        z = draws.normal(settings.batch, settings.latent, generator=generator)
        players["generator"].minimise(generator_loss(f(G(z))))
        return {"loss": loss}

    held_out = toy.sample(settings.points, torch.Generator(toy.means.device).manual_seed(HELD_OUT))

    def snapshot(generator: draws.AnyGenerator) -> dict[str, Tensor]:
        x = G(draws.normal(settings.points, settings.latent, generator=generator))
        real, fake = f(held_out.expand_as(x)), f(x)
        loss = losses.discriminator if method == "gan" else losses.critic
        return {"x": x, "loss": loss(real, fake), "generator_loss": generator_loss(fake)}

    players = {
        "critic": train.Player(f, lr=settings.critic_lr, betas=settings.betas),
        "generator": train.Player(G, lr=settings.lr, betas=settings.betas),
    }
    run = train.fit(
        step,
        players,
        toy.batches(settings.batch * settings.critic_steps),
        steps=settings.steps,
        seed=seed,
        snapshot=snapshot,
        snapshot_every=settings.measured_every,
        progress=progress,
    )
    return G, f, run


@dataclass(frozen=True)
class Clouds:
    """Two sets of N points, as a stream that gives both at every step: x (2N, 2), the real ones first."""

    real: Tensor
    fake: Tensor

    def at(self, step: int, seed: int) -> Batch:
        """Both sets, whatever the step; y is 1 for the real ones."""
        kinds = torch.arange(2 * len(self.real)) < len(self.real)
        return Batch(torch.cat([self.real, self.fake]), kinds.long())


def fit_critic(
    method: str,
    settings: Settings,
    real: Tensor,
    fake: Tensor,
    seed: int | Sequence[int],
    steps: int = 300,
    hidden: Sequence[int] = (64, 64),
) -> tuple[models.MLP, train.Run]:
    """Train a critic alone, between two sets of N points (N, 2) that stay as they are; every step sees all of them."""
    f = models.MLP([2, *hidden, 1], seed=seed)
    update = critic_step(method, settings)

    def step(players: dict[str, train.Player], batch: Batch, generator: draws.AnyGenerator) -> dict[str, Tensor]:
        return {"loss": update(players["critic"], *batch.x.chunk(2, -2), generator)}

    players = {"critic": train.Player(f, lr=settings.critic_lr, betas=settings.betas)}
    return f, train.fit(step, players, Clouds(real, fake), steps=steps, seed=seed, progress=False)


def steepest(f: models.MLP, points: Tensor) -> Tensor:
    """The largest ‖∇f‖ at points (N, 2): at most the Lipschitz constant, and near it where the points lie densely.

    Returns (), of an ensemble (S,).
    """
    x = points if f.members is None else points.expand(f.members, -1, -1)
    return f.input_gradient(x).norm(dim=-1).amax(-1).detach()


def cloud_distance(x: Tensor, y: Tensor) -> float:
    """The exact W₁ of two sets of N points of equal mass, (N, D) each.

    Of the cheapest plans one sends each point as a whole to one other (Birkhoff 1946), so that the linear program is
    an assignment, which is solved much faster. Raises ValueError if there are not as many points in both.
    """
    if len(x) != len(y):
        raise ValueError(f"cloud_distance got {len(x)} and {len(y)} points; give as many of both")
    lengths = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist").cpu().numpy()
    return float(lengths[optimize.linear_sum_assignment(lengths)].mean())


def said(method: str, loss: np.ndarray) -> np.ndarray:
    """What the critic's loss says about the samples, lower is better: an estimate of W₁, or of JS in nats."""
    return np.log(2) - loss / 2 if method == "gan" else -loss


def rank_correlation(quality: np.ndarray, value: np.ndarray) -> float:
    """Spearman's rank correlation of two rows (T,); 1 if one rises whenever the other does."""
    return float(stats.spearmanr(quality, value).statistic)


def interval(values: Sequence[float], share: float = 0.95, draws: int = 10_000) -> tuple[float, float]:
    """An interval for the mean of what several seeds gave, by the percentiles of `draws` bootstrap samples of them."""
    found = np.asarray(values)
    means = np.random.default_rng(0).choice(found, (draws, len(found))).mean(1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def score(method: str, run: train.Run, toy: Mixture, settings: Settings) -> dict[str, Any]:
    """W₁ of the samples at each measurement, what the losses say there, their rank correlations, and modes at the end.

    The first measurement is left out: nothing is trained there. One list a seed; `late` is the second half of a run.
    """
    noise = torch.Generator(toy.means.device).manual_seed(HELD_OUT + 1)
    reference = toy.sample(settings.points, noise)  # not the points that the loss is measured at
    kept = {name: rows[1:] for name, rows in run.history.snapshots.items()}
    x = torch.from_numpy(kept["x"])
    x = x[:, None] if x.ndim == 3 else x  # (T, S, N, 2)
    loss, other = (kept[name].reshape(len(x), -1).T for name in ("loss", "generator_loss"))  # (S, T)
    quality = np.array([[cloud_distance(cloud, reference.cpu()) for cloud in member] for member in x.transpose(0, 1)])
    value = said(method, loss)
    half = quality.shape[1] // 2
    at_end = metrics.mode_coverage(x[-1].to(toy.means), toy)
    return {
        "quality": quality.tolist(),
        "said": value.tolist(),
        "rank": [rank_correlation(*rows) for rows in zip(quality, value, strict=True)],
        "late_rank": [rank_correlation(q[half:], v[half:]) for q, v in zip(quality, value, strict=True)],
        "generator_rank": [rank_correlation(*rows) for rows in zip(quality, other, strict=True)],
        "modes": at_end.found.tolist(),
        "high_quality": at_end.high_quality.tolist(),
    }


def floor(settings: Settings, toy: Mixture, pairs: int = 5) -> float:
    """The mean W₁ between two sets of data: what a perfect generator would score."""
    noise = torch.Generator(toy.means.device).manual_seed(HELD_OUT + 2)
    sets = [(toy.sample(settings.points, noise), toy.sample(settings.points, noise)) for _ in range(pairs)]
    return sum(cloud_distance(x, y) for x, y in sets) / pairs


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """For each method one entry a seed, all seeds trained side by side; and the floor of the distance."""
    toy = data.toy(settings.toy, device)
    found: dict[str, Any] = {"floor": floor(settings, toy)}
    for method in METHODS:
        found[method] = score(method, fit(method, settings, seeds)[2], toy, settings)
    return found
