"""The published protocol for counting modes, with its own networks: in full on a GPU, in a short form on a CPU."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gennotes import data, draws, losses, metrics, models, train
from gennotes.data import Batch
from gennotes.data.errors import stream_seed


@dataclass(frozen=True)
class Settings:
    """Lin et al. 2018, section 4.1, and the authors' code for what the paper leaves open."""

    updates: int = 400_000  # 400 passes over 100,000 points in batches of 100
    short_updates: int = 400  # on a CPU, where the full form takes hours
    points: int = 100_000
    packs: int = 100  # in a step: a batch of packs of m points
    lr: float = 1e-4
    betas: tuple[float, float] = (0.8, 0.999)
    samples: int = 2_500
    sizes: tuple[int, ...] = (1, 2, 4)  # of a pack


class Points:
    """Batches drawn with replacement from a fixed set of points x (N, 2), the same for every seed."""

    def __init__(self, x: Tensor, y: Tensor, size: int) -> None:
        self.x, self.y, self.size = x, y, size

    def at(self, step: int, seed: int) -> Batch:
        """Batch number `step` of the stream `seed`."""
        generator = torch.Generator(self.x.device).manual_seed(stream_seed(seed, step))
        index = torch.randint(len(self.x), (self.size,), generator=generator, device=self.x.device)
        return Batch(self.x[index], self.y[index])


def fit(
    toy: str, pack: int, updates: int, settings: Settings, seeds: Sequence[int], device: torch.device, **loop: Any
) -> tuple[models.NormalisedMLP, train.Run]:
    """Train with packs of `pack` points, and return the generators, in evaluation mode, and the run."""
    mixture = data.toy(toy, device)
    batch = mixture.draw(settings.points, torch.Generator(device).manual_seed(0))
    batches = Points(batch.x, batch.y, settings.packs * pack)
    generator = models.NormalisedMLP(seed=seeds)
    scores = models.MaxoutMLP((2 * pack, 200, 200, 200, 1), seed=[seed + 1_000 for seed in seeds])
    discriminator = models.Packed(scores, pack)

    def step(players: Mapping[str, train.Player], batch: Batch, noise: draws.AnyGenerator) -> dict[str, Tensor]:
        # One batch of the generator for each place in a pack: batch norm sees `packs` points at a time.
        slots = [generator(draws.normal(settings.packs, 2, generator=noise)) for _ in range(pack)]
        fake = torch.stack(slots, -2).flatten(-3, -2)  # (S, packs · m, 2), the points of a pack side by side
        judged = discriminator(fake)
        loss_g = losses.non_saturating(judged)
        loss_d = losses.discriminator(discriminator(batch.x), discriminator(fake.detach()))
        players["generator"].minimise(loss_g)  # both gradients are those at the weights before this step
        players["discriminator"].minimise(loss_d)
        return {"discriminator": loss_d, "generator": loss_g}

    players = {
        name: train.Player(module, settings.lr, settings.betas)
        for name, module in (("generator", generator), ("discriminator", discriminator))
    }
    run = train.fit(step, players, batches, steps=updates, seed=seeds, progress=False, **loop)
    generator.eval()
    return generator, run


@torch.no_grad()
def coverage(generator: models.NormalisedMLP, toy: str, settings: Settings, seeds: Sequence[int]) -> metrics.Coverage:
    """What 2,500 samples of each seed's generator find."""
    device = next(generator.parameters()).device
    z = draws.normal(settings.samples, 2, generator=draws.Generators(seeds, device))
    return metrics.mode_coverage(generator(z), data.toy(toy, device))


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """For each toy and each size of a pack: modes found and share of high quality, an entry a seed."""
    updates = settings.short_updates if device.type == "cpu" else settings.updates
    found: dict[str, Any] = {"updates": updates}
    for toy in ("ring", "grid"):
        found[toy] = {}
        for pack in settings.sizes:
            generator, _ = fit(toy, pack, updates, settings, seeds, device)
            cover = coverage(generator, toy, settings, seeds)
            values = {"found": cover.found.tolist(), "high_quality": cover.high_quality.tolist()}
            found[toy][str(pack)] = values
    return found
