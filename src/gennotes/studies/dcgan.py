"""GANs of digits on a processor: the plain DCGAN, the small net with dense ends, and what each of their parts does.

`fit` trains one network by a `Recipe`; the chapter and the study share it. What `measure` returns, and
`book/measurements/dcgan.json` holds under "values":

    floor           what real images reach: the 1,000 held-out ones as if they had been generated, keys as below
    runs            a mapping for each group of `Settings`, "whole", "ablation" and on a GPU "large": name of the
                    recipe → quantity → a list, an entry a seed, None where the run diverged

The quantities of a run, of `Settings.samples` images:

    frechet            Fréchet distance to the training images, in the features of `gennotes.features`
    frechet_held_out   the same to the held-out images, those for validation and for test
    precision, recall  improved precision and recall against the training images, k = 3, of `Settings.overlap` images
    shares             of the ten classes, as the classifier names the images; `entropy_nats` of them, at most log 10
    confidence         mean of the classifier's largest probability
    confident          share of the images with that above .9
    purity             share of the images that are of the class most frequent in their category, and
    classes            how many classes are the most frequent one of a category; both None without categories
    cpu_seconds        processor time of the training, of all threads
    seconds            of the training by the clock, which other work on the machine makes longer
"""

import functools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gennotes import data, draws, features, losses, metrics, models, train
from gennotes.data import Batch, Images, ImageSet
from gennotes.studies._cores import run_all

QUANTITIES = (
    *("frechet", "frechet_held_out", "precision", "recall", "shares", "entropy_nats", "confidence", "confident"),
    *("purity", "classes", "cpu_seconds", "seconds"),
)
SCHEDULES = {"constant": train.constant, "plateau": train.plateau}


@dataclass(frozen=True)
class Recipe:
    """A way to train a GAN on images. As it stands it is the chapter's: the small net with dense ends."""

    data: str = "mnist-5k"
    image_size: int = 28
    latent: int = 18  # numbers of a code
    categories: int = 10  # that the first of them choose one of; 0 for a generator without
    hidden: tuple[int, ...] = (256,)  # units of the dense layers at the codes' and at the logit's end
    width: int = 16  # channels of the largest maps, in both networks
    generator_batch_norm: bool = True
    discriminator_batch_norm: bool = True
    spectral_norm: bool = False
    resize: bool = False  # whether G doubles the side without transposed convolutions
    pooling: bool = False  # whether D halves it without strides
    generator_slope: float = 0.0
    discriminator_slope: float = 0.2
    deviation: bool = True  # whether D is told how much its batch varies
    shift: int = 0  # pixels by which D sees each image moved at most, real or made, along either axis
    r1: float = 1.0  # weight of ½ E‖∇D‖² at the data
    r1_images: int = 8  # of the batch, at which that is taken: fewer are cheaper, and as good
    generator_lr: float = 3e-3
    discriminator_lr: float = 3e-3
    betas: tuple[float, float] = (0.5, 0.99)  # with a first one of .9 the players chase each other round
    schedule: str = "constant"  # of the rates: "plateau" or "constant"; the average does what falling rates would do
    average: float | None = 0.998  # decay of the moving average of the generator's weights, once it is warm
    batch: int = 64
    steps: int = 1_600


SMALL = Recipe()
PLAIN = Recipe(  # Radford, Metz & Chintala 2016, at half their width and batch
    latent=100,
    categories=0,
    hidden=(),
    width=64,
    deviation=False,
    r1=0.0,
    generator_lr=2e-4,
    discriminator_lr=2e-4,
    betas=(0.5, 0.999),
    schedule="constant",
    average=None,
    batch=64,
    steps=700,  # in the time of the small net's 1,600
)
LARGE = replace(  # for a GPU, and the full set of digits
    SMALL, data="mnist", image_size=64, latent=64, hidden=(1024,), width=32, r1_images=16, steps=20_000
)


def step_discriminator(
    recipe: Recipe, discriminator: nn.Module, real: Tensor, fake: Tensor, noise: draws.AnyGenerator
) -> Tensor:
    """What the discriminator minimises, nats, 0-d; no gradient goes to the generator."""
    seen = shifted(real, recipe.shift, noise)
    loss = losses.discriminator(discriminator(seen), discriminator(shifted(fake.detach(), recipe.shift, noise)))
    return loss + recipe.r1 * losses.r1(discriminator, seen[: recipe.r1_images]) if recipe.r1 else loss


def step_generator(recipe: Recipe, discriminator: nn.Module, fake: Tensor, noise: draws.AnyGenerator) -> Tensor:
    """What the generator minimises, nats, 0-d: its images have to pass for real, shifted as D sees all images."""
    return losses.non_saturating(discriminator(shifted(fake, recipe.shift, noise)))


def shifted(x: Tensor, most: int, noise: draws.AnyGenerator) -> Tensor:
    """Images (B, C, S, S) in [-1, 1], each moved by up to `most` whole pixels along either axis; black comes in.

    Each of the (2 · most + 1)² moves is as likely as the others. Differentiable: a gradient moves back with its pixel.
    Source: Zhao et al. 2020, the translation of their differentiable augmentation.
    """
    if not most:
        return x
    count, side = len(x), x.shape[-1]
    start = (draws.uniform(count, 2, generator=noise) * (2 * most + 1)).long()  # (B, 2), of 0 … 2 · most
    lines = start.unsqueeze(2) + torch.arange(side, device=x.device)  # (B, 2, S): rows, columns of the padded image
    images = torch.arange(count, device=x.device).view(-1, 1, 1)
    padded = F.pad(x, (most, most, most, most), value=-1.0).permute(0, 2, 3, 1)
    return padded[images, lines[:, 0, :, None], lines[:, 1, None, :]].permute(0, 3, 1, 2)


def build(recipe: Recipe, seed: int) -> tuple[models.DenseEndsGenerator, models.DenseEndsDiscriminator]:
    """Generator and discriminator of a recipe; without hidden layers they are those of the DCGAN."""
    size = {"hidden": recipe.hidden, "image_size": recipe.image_size, "width": recipe.width}
    generator = models.DenseEndsGenerator(
        recipe.latent,
        categories=recipe.categories,
        batch_norm=recipe.generator_batch_norm,
        resize=recipe.resize,
        slope=recipe.generator_slope,
        seed=seed,
        **size,
    )
    discriminator = models.DenseEndsDiscriminator(
        deviation=recipe.deviation,
        batch_norm=recipe.discriminator_batch_norm,
        pooling=recipe.pooling,
        slope=recipe.discriminator_slope,
        spectral_norm=recipe.spectral_norm,
        seed=seed + 1_000,
        **size,
    )
    return generator, discriminator


def game(
    recipe: Recipe, generator: nn.Module, discriminator: nn.Module
) -> tuple[Callable[..., dict[str, Tensor]], dict[str, train.Player]]:
    """What train.fit plays: the step of an update, first of the discriminator, and the two players by name."""

    def step(players: Mapping[str, train.Player], batch: Batch, noise: draws.AnyGenerator) -> dict[str, Tensor]:
        fake = generator(draws.normal(len(batch.x), recipe.latent, generator=noise))
        loss_d = step_discriminator(recipe, discriminator, batch.x, fake, noise)
        players["discriminator"].minimise(loss_d)
        loss_g = step_generator(recipe, discriminator, fake, noise)
        players["generator"].minimise(loss_g)
        return {"discriminator": loss_d, "generator": loss_g}

    schedule = SCHEDULES[recipe.schedule]
    players = {
        "generator": train.Player(generator, recipe.generator_lr, recipe.betas, schedule, recipe.average),
        "discriminator": train.Player(discriminator, recipe.discriminator_lr, recipe.betas, schedule),
    }
    return step, players


def fit(
    recipe: Recipe,
    seed: int,
    progress: bool = False,
    device: torch.device | str | None = None,
    shown: int = 0,
    **loop: Any,
) -> tuple[nn.Module, nn.Module, train.Run]:
    """Train one GAN as the chapter's training cell does; `loop` goes to train.fit.

    shown: how many images of fixed codes the snapshots hold, as "images" (shown, 1, S, S) in [-1, 1].
    Returns the generator to draw from, which is the average over the steps if the recipe has one, the discriminator,
    both in evaluation mode, and the run.
    """
    images = pictures(recipe.data, recipe.image_size, device).train
    generator, discriminator = build(recipe, seed)

    step, players = game(recipe, generator, discriminator)

    def drawn() -> nn.Module:
        return generator if recipe.average is None else players["generator"].averaged

    if shown:
        codes = draws.normal(shown, recipe.latent, generator=torch.Generator(images.x.device).manual_seed(0))
        loop = {"snapshot": lambda noise: {"images": drawn()(codes)}} | loop
    batches = images.batches(recipe.batch, low=-1.0, high=1.0)
    run = train.fit(step, players, batches, steps=recipe.steps, seed=seed, progress=progress, **loop)
    return drawn().eval(), discriminator.eval(), run


@functools.lru_cache(maxsize=2)
def pictures(name: str, side: int, device: torch.device | str | None = None) -> ImageSet:
    """The image set `name` with images of side S: 28 as they are, 32 in a black frame, others resized (bilinear)."""
    whole = data.load(name, device)
    if side == whole.train.x.shape[-1]:
        return whole

    def sized(images: Images) -> Images:
        if side == 32:
            return Images(F.pad(images.x, (2, 2, 2, 2)), images.y)
        parts = [F.interpolate(x.float(), size=(side, side), mode="bilinear") for x in images.x.split(1_000)]
        return Images(torch.cat([part.round().to(torch.uint8) for part in parts]), images.y)

    return replace(whole, train=sized(whole.train), validation=sized(whole.validation), test=sized(whole.test))


def codes(generator: nn.Module, count: int, seed: int) -> Tensor:
    """Codes (count, L) that training has not seen."""
    device = next(generator.parameters()).device
    return draws.normal(count, generator.latent, generator=torch.Generator(device).manual_seed(seed + 10_000))


@torch.no_grad()
def samples(generator: nn.Module, count: int, seed: int) -> Tensor:
    """Images (count, C, S, S) in [0, 1] of these codes, from a generator in evaluation mode."""
    pixels = models.Pixels()
    return torch.cat([pixels(generator(part)) for part in codes(generator, count, seed).split(500)])


def sorting(generator: models.DenseEndsGenerator, recipe: Recipe, images: Tensor, seed: int) -> dict[str, Any]:
    """How far the categories of a generator are the classes of its `samples`: "purity" and "classes"."""
    if not generator.categories:
        return {"purity": None, "classes": None}
    table = sorted_by_class(generator, recipe, images, seed)
    return {"purity": table.amax(1).sum().item() / len(images), "classes": len(table.argmax(1).unique())}


def sorted_by_class(generator: models.DenseEndsGenerator, recipe: Recipe, images: Tensor, seed: int) -> Tensor:
    """How many of the `samples` are of a category and of a class, as the classifier names them: (K, 10)."""
    net, _, _ = _references(recipe.data, recipe.image_size, images.device)
    _, logits = features.of(net, images)
    count = logits.shape[1]
    cells = generator.chosen(codes(generator, len(images), seed)) * count + logits.argmax(1)
    return cells.bincount(minlength=generator.categories * count).view(-1, count)


def quality(images: Tensor, recipe: Recipe, overlap: int | None = None) -> dict[str, Any]:
    """How images (N, 1, S, S) in [0, 1] lie among the digits of a recipe: the quantities of this module's docstring.

    overlap: how many of the images, and of the training images, tell precision and recall; all if None.
    """
    net, real, held_out = _references(recipe.data, recipe.image_size, images.device)
    found, logits = features.of(net, images)
    largest = logits.softmax(1).amax(1)
    shares = logits.argmax(1).bincount(minlength=logits.shape[1]) / len(logits)
    both = metrics.precision_recall(real[:overlap], found[:overlap])
    return {
        "frechet": metrics.frechet_distance(found, real),
        "frechet_held_out": metrics.frechet_distance(found, held_out),
        "precision": both.precision,
        "recall": both.recall,
        "shares": shares.tolist(),
        "entropy_nats": -sum(share * math.log(share) for share in shares.tolist() if share),
        "confidence": largest.mean().item(),
        "confident": (largest > 0.9).double().mean().item(),
    }


def floor(recipe: Recipe, overlap: int | None, device: torch.device) -> dict[str, Any]:
    """What the held-out digits themselves reach; their distance to themselves is left out."""
    found = quality(_held_out(pictures(recipe.data, recipe.image_size, device)), recipe, overlap)
    del found["frechet_held_out"]
    return found


def _held_out(digits: ImageSet) -> Tensor:
    """500 images for validation and 500 for test, in [0, 1]."""
    return torch.cat([digits.validation[:500].pixels(), digits.test[:500].pixels()])


@functools.lru_cache(maxsize=2)
def _references(name: str, side: int, device: torch.device) -> tuple[models.Classifier, Tensor, Tensor]:
    """The feature network, and the features of at most 4,000 training images and of the held-out ones."""
    digits, net = pictures(name, side, device), features.network(name, device)
    of_train, _ = features.of(net, digits.train[:4_000].pixels())
    of_held_out, _ = features.of(net, _held_out(digits))
    return net, of_train, of_held_out


@dataclass(frozen=True)
class Settings:
    """The small net and the plain DCGAN for the same time, and shorter runs of the small net with one thing changed."""

    samples: int = 4_000
    overlap: int = 2_000  # images of either kind for precision and recall, whose cost grows with the square
    whole: Mapping[str, Recipe] = field(
        default_factory=lambda: {
            "small net": SMALL,
            "no categories": replace(SMALL, categories=0),
            "plain DCGAN": PLAIN,
        }
    )
    ablation: Mapping[str, Recipe] = field(default_factory=lambda: ablated(replace(SMALL, steps=500)))
    large: Mapping[str, Recipe] = field(  # on a GPU alone
        default_factory=lambda: {
            "small net": LARGE,
            "plain DCGAN": replace(PLAIN, data="mnist", image_size=64, width=128, batch=128, steps=20_000),
        }
    )


def ablated(whole: Recipe) -> dict[str, Recipe]:
    """The small net's recipe with one ingredient less, or more, at a time."""
    return {
        "whole recipe": whole,
        "no dense ends": replace(whole, hidden=()),
        "no minibatch deviation": replace(whole, deviation=False),
        "no average of weights": replace(whole, average=None),
        "no R1": replace(whole, r1=0.0),
        "no batch norm in D": replace(whole, discriminator_batch_norm=False),
        "falling rates": replace(whole, schedule="plateau"),
        "rates of 1e-3": replace(whole, generator_lr=1e-3, discriminator_lr=1e-3),
        "rates of the paper": replace(whole, generator_lr=2e-4, discriminator_lr=2e-4),
        "batches of 32": replace(whole, batch=32),
        "no categories": replace(whole, categories=0),
        "64 numbers in a code": replace(whole, latent=64),
        "with shifts": replace(whole, shift=2),
    }


def run(recipe: Recipe, seed: int, count: int, overlap: int, device: torch.device) -> dict[str, Any]:
    """Train once, draw `count` images, and say how good they are and what they cost; None of all if it diverges."""
    clock, processor = time.perf_counter(), time.process_time()
    try:
        generator, _, _ = fit(recipe, seed, device=device)
    except train.Diverged:
        return dict.fromkeys(QUANTITIES)
    spent = {"cpu_seconds": time.process_time() - processor, "seconds": time.perf_counter() - clock}
    images = samples(generator, count, seed)
    return quality(images, recipe, overlap) | sorting(generator, recipe, images, seed) | spent


def runs(
    groups: Mapping[str, Mapping[str, Recipe]], seeds: list[int], count: int, overlap: int, device: torch.device
) -> dict[str, Any]:
    """For each group and each recipe the quantities of `run`, an entry a seed.

    On a processor each core trains a run of its own, with one thread.
    """
    jobs = [(group, name, seed) for group, recipes in groups.items() for name in recipes for seed in seeds]
    arguments = [(groups[group][name], seed, count, overlap, device) for group, name, seed in jobs]
    rows = run_all(run, arguments, device)
    found: dict[str, Any] = {group: {} for group in groups}
    for (group, name, _), row in zip(jobs, rows, strict=True):
        table = found[group].setdefault(name, {key: [] for key in row})
        for key, value in row.items():
            table[key].append(value)
    return found


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """See this module's docstring."""
    groups = {"whole": settings.whole, "ablation": settings.ablation}
    if device.type != "cpu":
        groups["large"] = settings.large
    return {
        "floor": floor(SMALL, settings.overlap, device),
        "runs": runs(groups, seeds, settings.samples, settings.overlap, device),
    }
