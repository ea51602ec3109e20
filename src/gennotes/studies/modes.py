"""Mode collapse on the ring: what each way of training finds, over seeds that are trained side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from gennotes import data, draws, losses, metrics, models, train
from gennotes.data import Batch

LOSSES = {  # of the discriminator, of the generator
    "non-saturating": (losses.discriminator, losses.non_saturating),
    "wasserstein": (losses.critic, losses.critic_generator),
}
BENDS = {"relu": nn.ReLU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class Recipe:
    """A way to train a GAN on a toy. As it stands it is the sick one, after the toy of Metz et al. 2017."""

    toy: str = "ring"
    bend: str = "relu"  # of the generator: "relu" or "tanh"
    latent: int = 256
    spread: float = 1.0  # standard deviation of the codes: a wide one drives tanh to its ends, and islands apart
    width: int = 128
    discriminator_width: int = 128
    slope: float | None = None  # of D's first layer, if its bends are scattered over the data
    generator_lr: float = 1e-3
    discriminator_lr: float = 1e-4  # a tenth of the generator's: D lags behind, and G gathers where it is let in
    betas: tuple[float, float] = (0.5, 0.999)
    decay: bool = False  # whether the rates fall to 0 in the second half
    batch: int = 128
    steps: int = 2_000
    loss: str = "non-saturating"
    discriminator_steps: int = 1  # for each step of the generator
    pack: int = 1  # points that D sees at a time
    deviation: bool = False  # whether D is told how much its batch varies
    r1: float = 0.0  # weight of ½ E‖∇D‖² at the data
    penalty: float = 0.0  # weight of E(‖∇f‖ − 1)² between data and samples
    unrolled: int = 0  # steps of D that G looks ahead
    unrolled_lr: float = 0.3


SICK = Recipe()
CURED = replace(SICK, bend="tanh", latent=16, generator_lr=2e-3, discriminator_lr=2e-3, decay=True)


@dataclass(frozen=True)
class Settings:
    """The sick recipe, with one thing changed at a time, and with all that helps."""

    samples: int = 2_500
    recipes: Mapping[str, Recipe] = field(
        default_factory=lambda: {
            "sick": SICK,
            "equal rates": replace(SICK, discriminator_lr=1e-3),
            "16 latent dimensions": replace(SICK, latent=16),
            "bends of D scattered": replace(SICK, slope=20.0),
            "R1": replace(SICK, r1=0.1),
            "unrolled, 5 steps": replace(SICK, unrolled=5),
            "Wasserstein, penalty": replace(
                SICK, loss="wasserstein", penalty=1.0, discriminator_lr=1e-3, discriminator_steps=3
            ),
            "packs of 4": replace(SICK, pack=4),
            "minibatch deviation": replace(SICK, deviation=True),
            "tanh in G": replace(SICK, bend="tanh"),
            "cured": CURED,
        }
    )


def build(recipe: Recipe, seeds: Sequence[int]) -> tuple[models.MLP, nn.Module]:
    """Generators and discriminators, S of each side by side: codes (S, B, latent) to points (S, B, 2) to logits."""
    generator = models.MLP((recipe.latent, recipe.width, recipe.width, 2), BENDS[recipe.bend], seed=seeds)
    width, own = recipe.discriminator_width, [seed + 1_000 for seed in seeds]
    sizes = (2 * recipe.pack + recipe.deviation, width, width, 1)
    scores = models.MLP(sizes, lambda: nn.LeakyReLU(0.2), seed=own)
    if recipe.slope:
        models.scatter_bends(scores, 1.1 * data.toy(recipe.toy).means.abs().max().item(), recipe.slope, own)
    if recipe.deviation:
        return generator, nn.Sequential(models.MinibatchStd(), scores)
    return generator, models.Packed(scores, recipe.pack) if recipe.pack > 1 else scores


def codes(recipe: Recipe, count: int, noise: draws.AnyGenerator) -> Tensor:
    """What the generator of a recipe is given: (count, latent), for an ensemble (S, count, latent)."""
    return recipe.spread * draws.normal(count, recipe.latent, generator=noise)


def fit(
    recipe: Recipe, seeds: Sequence[int], progress: bool = False, **loop: Any
) -> tuple[models.MLP, nn.Module, train.Run]:
    """Train S pairs of players side by side, as the chapter's training cell does; `loop` goes to train.fit.

    Returns the generators, the discriminators and the run.
    """
    generator, discriminator = build(recipe, seeds)
    of_d, of_g = LOSSES[recipe.loss]

    def step(players: Mapping[str, train.Player], batch: Batch, noise: draws.AnyGenerator) -> dict[str, Tensor]:
        for _ in range(recipe.discriminator_steps):
            fake = generator(codes(recipe, recipe.batch, noise)).detach()
            loss_d = of_d(discriminator(batch.x), discriminator(fake))
            if recipe.r1:
                loss_d = loss_d + recipe.r1 * losses.r1(discriminator, batch.x)
            if recipe.penalty:
                loss_d = loss_d + recipe.penalty * losses.gradient_penalty(discriminator, batch.x, fake, noise)
            players["discriminator"].minimise(loss_d)
        fake = generator(codes(recipe, recipe.batch, noise))
        judge = discriminator
        if recipe.unrolled:

            def ahead(scores: nn.Module) -> Tensor:
                return of_d(scores(batch.x), scores(fake))

            judge = losses.unrolled(discriminator, ahead, recipe.unrolled, recipe.unrolled_lr)
        loss_g = of_g(judge(fake))
        players["generator"].minimise(loss_g)
        return {"discriminator": loss_d, "generator": loss_g}

    schedule = train.plateau if recipe.decay else train.constant
    players = {
        "generator": train.Player(generator, recipe.generator_lr, recipe.betas, schedule),
        "discriminator": train.Player(discriminator, recipe.discriminator_lr, recipe.betas, schedule),
    }
    batches = data.toy(recipe.toy).batches(recipe.batch)
    run = train.fit(step, players, batches, steps=recipe.steps, seed=list(seeds), progress=progress, **loop)
    return generator, discriminator, run


@torch.no_grad()
def coverage(recipe: Recipe, generator: nn.Module, seeds: Sequence[int], samples: int) -> metrics.Coverage:
    """What the generators find with `samples` codes each that training has not seen."""
    mixture = data.toy(recipe.toy)
    noise = draws.Generators([seed + 10_000 for seed in seeds], mixture.means.device)
    return metrics.mode_coverage(generator(codes(recipe, samples, noise)), mixture)


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """For each recipe: modes found, share of high quality and reverse KL in nats, an entry a seed."""
    found = {}
    for name, recipe in settings.recipes.items():
        generator, _, _ = fit(recipe, seeds)
        cover = coverage(recipe, generator, seeds, settings.samples)
        # An infinite divergence, of a seed without any sample of high quality, is no number in JSON.
        kl = [value if value < float("inf") else None for value in cover.reverse_kl_nats.tolist()]
        found[name] = {
            "found": cover.found.tolist(),
            "high_quality": cover.high_quality.tolist(),
            "reverse_kl_nats": kl,
        }
    return found
