"""Conditional GANs of digits: ways in which the condition enters either network, and three in which it gets lost.

`fit` trains one pair of networks by a `Recipe`; the chapter and the study share it. What `measure` returns, and
`book/measurements/cgan.json` holds under "values":

    floor   what real images reach: the 1,000 held-out ones as if they had been asked for, keys as below
    runs    name of the recipe → quantity → a list, an entry a seed

The quantities of a run, of `Settings.samples` images, as many of each class:

    agreement          share of the images that an independent classifier finds in the class that was asked for
    by_class           the same for each class
    confusion          rows: class asked for, columns: class found, shares of the row
    frechet            Fréchet distance of 4,000 images to the training images, in the features of `gennotes.features`
    precision, recall  improved precision and recall of the same images, k = 3
    diversity          mean distance of two images of a class in feature space, over that of the data; classes' mean
    least_diversity    that of the class where it is smallest
    shared_slant       correlation of the slants of the digits that two classes make of one code; a mean over pairs
    cpu_seconds        processor time of the training, of all threads
    seconds            of the training by the clock, which other work on the machine makes longer
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from gennotes import data, draws, features, losses, metrics, models, train
from gennotes.data import Batch, Images, Mixture
from gennotes.models import ConditionalDiscriminator, ConditionalGenerator, one_hot
from gennotes.studies._cores import run_all


@dataclass(frozen=True)
class Recipe:
    """A way to train a conditional GAN on ten classes. As it stands it is the chapter's."""

    data: str = "mnist-5k"
    generator: str = "embedding"  # how c enters G, see models.ConditionalGenerator
    discriminator: str = "projection"  # how c enters D, see models.ConditionalDiscriminator
    paired: bool = True  # whether D is told the class that G was asked for; if not, a random one with every fake
    left_out: int | None = None  # a class that training does not see
    latent: int = 32
    embedded: int = 16
    hidden: tuple[int, ...] = (256,)
    width: int = 16
    generator_lr: float = 2e-3
    discriminator_lr: float = 2e-3
    betas: tuple[float, float] = (0.5, 0.99)
    average: float = 0.998  # decay of the moving average of the generator's weights
    r1: float = 0.3  # weight of ½ E‖∇D‖² at the data: without it D wins early, and G does not recover
    r1_images: int = 8  # of the batch: a quarter of it is enough, and costs a quarter
    batch: int = 32
    steps: int = 2_000


def step_discriminator(
    recipe: Recipe, discriminator: ConditionalDiscriminator, real: Tensor, fake: Tensor, c: Tensor, told: Tensor
) -> Tensor:
    """What the discriminator minimises, nats, 0-d: data with their classes c, fakes with those that D is told."""
    loss = losses.discriminator(discriminator(real, c), discriminator(fake.detach(), told))
    if not recipe.r1:
        return loss
    few = c[: recipe.r1_images]
    return loss + recipe.r1 * losses.r1(lambda x: discriminator(x, few), real[: recipe.r1_images])


def step_generator(discriminator: ConditionalDiscriminator, fake: Tensor, told: Tensor) -> Tensor:
    """What the generator minimises, nats, 0-d: its images have to pass for data of the class that D is told."""
    return losses.non_saturating(discriminator(fake, told))


def build(recipe: Recipe, seed: int) -> tuple[ConditionalGenerator, ConditionalDiscriminator]:
    """Generator and discriminator of a recipe."""
    size = {"embedded": recipe.embedded, "hidden": recipe.hidden, "width": recipe.width}
    generator = ConditionalGenerator(recipe.latent, condition=recipe.generator, seed=seed, **size)
    return generator, ConditionalDiscriminator(condition=recipe.discriminator, seed=seed + 1_000, **size)


def fit(
    recipe: Recipe,
    seed: int,
    progress: bool = False,
    device: torch.device | str | None = None,
    **loop: Any,
) -> tuple[ConditionalGenerator, ConditionalDiscriminator, train.Run]:
    """Train one conditional GAN as the chapter's training cell does; `loop` goes to train.fit.

    The classes asked for are those of the batch's data, so that both have the same share of each. Returns the generator
    to draw from, which is the average over the steps, the discriminator, both in evaluation mode, and the run.
    """
    images = seen_in_training(recipe, device)
    generator, discriminator = build(recipe, seed)

    def step(players: Mapping[str, train.Player], batch: Batch, noise: draws.AnyGenerator) -> dict[str, Tensor]:
        c = one_hot(batch.y)
        fake = generator(draws.normal(len(c), recipe.latent, generator=noise), c)
        told = c if recipe.paired else one_hot((10 * draws.uniform(len(c), generator=noise)).long())
        loss_d = step_discriminator(recipe, discriminator, batch.x, fake, c, told)
        players["discriminator"].minimise(loss_d)
        loss_g = step_generator(discriminator, fake, told)
        players["generator"].minimise(loss_g)
        return {"discriminator": loss_d, "generator": loss_g}

    players = {
        "generator": train.Player(generator, recipe.generator_lr, recipe.betas, train.plateau, recipe.average),
        "discriminator": train.Player(discriminator, recipe.discriminator_lr, recipe.betas, train.plateau),
    }
    batches = images.batches(recipe.batch, low=-1.0, high=1.0)
    run = train.fit(step, players, batches, steps=recipe.steps, seed=seed, progress=progress, **loop)
    return players["generator"].averaged.eval(), discriminator.eval(), run


def seen_in_training(recipe: Recipe, device: torch.device | str | None = None) -> Images:
    """The training images of a recipe: all, or all but those of the class that is left out."""
    images = data.load(recipe.data, device).train
    return images if recipe.left_out is None else images[images.y != recipe.left_out]


@torch.no_grad()
def samples(generator: ConditionalGenerator, y: Tensor, seed: int) -> Tensor:
    """Images (N, 1, S, S) in [0, 1] of the classes y (N,), of codes that training has not seen.

    generator: in evaluation mode.
    """
    device = next(generator.parameters()).device
    z = draws.normal(len(y), generator.latent, generator=torch.Generator(device).manual_seed(seed + 10_000))
    parts = zip(z.split(500), y.to(device).split(500), strict=True)
    return torch.cat([models.Pixels()(generator(code, one_hot(classes))) for code, classes in parts])


def quality(images: Tensor, y: Tensor, recipe: Recipe) -> dict[str, Any]:
    """How images (N, 1, S, S) in [0, 1], made for the classes y (N,), are among the digits.

    Returns what this module's docstring names. N is at least 40, in equal parts of each class.
    """
    net, real, spread = _references(recipe.data, images.device)
    found, logits = features.of(net, images)
    confusion = one_hot(y).T @ one_hot(logits.argmax(1))
    confusion = confusion / confusion.sum(1, keepdim=True)
    overlap = metrics.precision_recall(real, found[: len(real)])
    diversity = within(found, y) / spread
    return {
        "agreement": metrics.agreement(logits, y),
        "by_class": confusion.diagonal().tolist(),
        "confusion": confusion.tolist(),
        "frechet": metrics.frechet_distance(found[: len(real)], real),
        "precision": overlap.precision,
        "recall": overlap.recall,
        "diversity": diversity.mean().item(),
        "least_diversity": diversity.min().item(),
    }


def within(found: Tensor, y: Tensor, classes: int = 10) -> Tensor:
    """The mean distance of two different items of a class, of features (N, F) with classes y (N,): (classes,).

    A class gives 400 items at most. Without a pair it has NaN.
    """
    return torch.stack([torch.pdist(found[y == k][:400]).mean() for k in range(classes)])


def slant(images: Tensor) -> Tensor:
    """How far digits (N, 1, S, S) in [0, 1] lean: the columns that the ink moves to the right a row upwards, (N,).

    The regression of column on row, over the ink: −Σ w (i − ī)(j − j̄) / Σ w (i − ī)², rows i counted downwards.
    """
    ink = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True).clamp(min=1e-6)
    at = torch.arange(images.shape[-1], device=images.device).to(images)
    rows, columns = ink.sum(2), ink.sum(1)  # (N, S) each: the share of the ink in a row, in a column
    row, column = (rows * at).sum(1, keepdim=True), (columns * at).sum(1, keepdim=True)
    both = torch.einsum("nij,ni,nj->n", ink, at - row, at - column)
    return -both / (rows * (at - row).square()).sum(1).clamp(min=1e-6)


def shared_slant(generator: ConditionalGenerator, seed: int, codes: int = 200) -> float:
    """Whether a code's slant is the same in every class: the mean correlation over all pairs of classes."""
    classes = torch.arange(generator.classes).repeat_interleave(codes)
    device = next(generator.parameters()).device
    z = draws.normal(codes, generator.latent, generator=torch.Generator(device).manual_seed(seed + 20_000))
    with torch.no_grad():
        images = models.Pixels()(generator(z.repeat(generator.classes, 1), one_hot(classes).to(device)))
    table = torch.corrcoef(slant(images).view(generator.classes, codes))
    off = ~torch.eye(generator.classes, dtype=torch.bool, device=device)
    return table[off].mean().item()


def floor(recipe: Recipe, device: torch.device) -> dict[str, Any]:
    """What the 1,000 held-out digits themselves reach, with the classes that they have."""
    digits = data.load(recipe.data, device)
    images = torch.cat([digits.validation.pixels(), digits.test.pixels()])
    return quality(images, torch.cat([digits.validation.y, digits.test.y]), recipe)


@functools.lru_cache(maxsize=2)
def _references(name: str, device: torch.device) -> tuple[models.Classifier, Tensor, Tensor]:
    """The feature network, the features of at most 4,000 training images, and how far apart those of a class lie."""
    images, net = data.load(name, device).train[:4_000], features.network(name, device)
    real, _ = features.of(net, images.pixels())
    return net, real, within(real, images.y)


# ---------------------------------------------------------------------------------------------------- in the plane


WAYS = {
    "both are told": "D is told the class that G was asked for",
    "D is not told": "D sees the point alone",
    "D is told another": "D is told a random class with every fake",
    "told at the end": "D's logit is f(x) + u_c: the class is added where nothing can be made of it any more",
}


def fit_points(
    way: str, toy: Mixture, classes: int, seeds: Sequence[int], steps: int = 500, latent: int = 8
) -> tuple[models.MLP, Callable[[Tensor, Tensor], Tensor]]:
    """Train small conditional GANs on a mixture whose modes are the classes, S of them side by side, by one of WAYS.

    toy: its modes are the first of the classes. classes: K, the length of a condition; modes may be fewer.
    Returns the generators, which take codes with conditions (S, B, latent + K) to points (S, B, 2), and D's logits as a
    function of points (S, B, 2) and conditions (S, B, K).
    Raises ValueError if there is no such way.
    """
    if way not in WAYS:
        raise ValueError(f"there is no way {way!r} to tell D; give one of {', '.join(map(repr, WAYS))}")
    ends = [seed + 1_000 for seed in seeds]
    told = way in ("both are told", "D is told another")
    generator = models.MLP((latent + classes, 64, 64, 2), nn.Tanh, seed=seeds)
    judge = models.MLP((2 + classes * told, 64, 64, 1), lambda: nn.LeakyReLU(0.2), seed=ends)
    offset = models.MLP((classes, 1), seed=ends)  # u_c of "told at the end"

    def logit(x: Tensor, c: Tensor) -> Tensor:
        score = judge(torch.cat([x, c], -1)) if told else judge(x)
        return score + offset(c) if way == "told at the end" else score

    def step(players: Mapping[str, train.Player], batch: Batch, noise: draws.AnyGenerator) -> dict[str, Tensor]:
        c, count = one_hot(batch.y, classes), batch.y.shape[-1]
        fake = generator(torch.cat([draws.normal(count, latent, generator=noise), c], -1))
        other = one_hot((classes * draws.uniform(count, generator=noise)).long(), classes)
        of_fake = other if way == "D is told another" else c
        loss_d = losses.discriminator(logit(batch.x, c), logit(fake.detach(), of_fake))
        players["discriminator"].minimise(loss_d + 0.1 * losses.r1(lambda x: logit(x, c), batch.x))
        loss_g = losses.non_saturating(logit(fake, of_fake))
        players["generator"].minimise(loss_g)
        return {"discriminator": loss_d, "generator": loss_g}

    modules = {"judge": judge} | ({"offset": offset} if way == "told at the end" else {})
    players = {
        "discriminator": train.Player(nn.ModuleDict(modules), 2e-3, (0.5, 0.99), train.plateau),
        "generator": train.Player(generator, 2e-3, (0.5, 0.99), train.plateau),
    }
    train.fit(step, players, toy.batches(128), steps=steps, seed=list(seeds), progress=False)
    return generator, logit


@torch.no_grad()
def points(
    generator: models.MLP, classes: int, seeds: Sequence[int], count: int = 800, latent: int = 8
) -> tuple[Tensor, Tensor]:
    """Points (S, count, 2) that generators of `fit_points` make, and the classes asked for, (count,), all in turn."""
    y = torch.arange(count) % classes
    noise = draws.Generators([seed + 10_000 for seed in seeds], "cpu")
    z = draws.normal(count, latent, generator=noise)
    return generator(torch.cat([z, one_hot(y, classes).expand(len(seeds), -1, -1)], -1)), y


def point_agreement(x: Tensor, y: Tensor, centres: Tensor) -> Tensor:
    """The share of points (S, N, 2) whose nearest centre (K, 2) is that of the class asked for, y (N,): (S,)."""
    return (torch.cdist(x, centres.expand(len(x), -1, -1)).argmin(-1) == y).double().mean(-1)


# ------------------------------------------------------------------------------------------------------- what is run


@dataclass(frozen=True)
class Settings:
    """The chapter's recipe and two other ways to tell D, in full length, and shorter runs, all of one length, with one
    thing changed at a time."""

    samples: int = 5_000
    recipes: Mapping[str, Recipe] = field(default_factory=lambda: whole() | shorter(500))


def whole() -> dict[str, Recipe]:
    """The chapter's recipe, and the other ways to tell D in its place."""
    return {
        "chapter": Recipe(),
        "chapter, with concatenation": Recipe(discriminator="concatenation"),
        "chapter, with label maps": Recipe(discriminator="maps"),
    }


def shorter(steps: int) -> dict[str, Recipe]:
    """Ways in which the condition enters, and ways in which it gets lost, in runs of so many steps."""
    base = Recipe(steps=steps)
    return {
        "embedding, projection": base,
        "one-hot, projection": replace(base, generator="one-hot"),
        "embedding, concatenation": replace(base, discriminator="concatenation"),
        "embedding, label maps": replace(base, discriminator="maps"),
        "without R1": replace(base, r1=0.0),
        "D is not told": replace(base, discriminator="none"),
        "D is told another class": replace(base, paired=False),
        "a class left out": replace(base, left_out=LEFT_OUT),
    }


LEFT_OUT = 7


def run(recipe: Recipe, seed: int, count: int, device: torch.device) -> dict[str, Any]:
    """Train once, draw `count` images, and say how good they are and what they cost."""
    clock, processor = time.perf_counter(), time.process_time()
    generator, _, _ = fit(recipe, seed, device=device)
    spent = {"cpu_seconds": time.process_time() - processor, "seconds": time.perf_counter() - clock}
    y = torch.arange(count, device=device) % generator.classes
    found = quality(samples(generator, y, seed), y, recipe)
    return found | {"shared_slant": shared_slant(generator, seed)} | spent


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """See this module's docstring. On a processor each core trains a run of its own, with one thread."""
    jobs = [(name, recipe, seed) for name, recipe in settings.recipes.items() for seed in seeds]
    arguments = [(recipe, seed, settings.samples, device) for _, recipe, seed in jobs]
    rows = run_all(run, arguments, device)
    found: dict[str, Any] = {"floor": floor(Recipe(), device), "runs": {}}
    for (name, _, _), row in zip(jobs, rows, strict=True):
        table = found["runs"].setdefault(name, {key: [] for key in row})
        for key, value in row.items():
            table[key].append(value)
    return found
