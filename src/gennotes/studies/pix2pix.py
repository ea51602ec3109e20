"""Translation of half a digit into the whole: what each loss of pix2pix, its skips and its noise are good for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gennotes import data, draws, features, losses, metrics, train
from gennotes.data import PairBatch, Pairs, PairSet
from gennotes.models import Classifier, PatchGAN, UNet


@dataclass(frozen=True)
class Recipe:
    """A way to train a translator. As it stands: L1 + cGAN, skips, noise by dropout."""

    adversary: str = "pair"  # what D sees: "pair", the output with its input; "output", it alone; "none", no D at all
    l1: float = 30.0  # weight λ of the mean absolute error; the paper's is 100, for 256 pixels
    width: int = 16
    most: int = 4  # times the width: three such U-Nets fit into one page
    skips: bool = True
    dropout: int = 2  # layers with noise
    patches: tuple[int, ...] = (16, 32, 64)  # widths of D: patches of 34 pixels, as large as the image
    lr: float = 2e-3
    judge_lr: float = 2e-3
    betas: tuple[float, float] = (0.5, 0.999)
    batch: int = 32
    steps: int = 600


BOTH = Recipe()


@dataclass(frozen=True)
class Settings:
    """The ablation: the terms of the loss, as in Table 1 of Isola et al. 2017, and the skips."""

    pairs: str = "halves"
    images: str = "mnist-5k"
    image_size: int = 32
    draws: int = 8  # of the noise, for the spread of what one input gives
    recipes: Mapping[str, Recipe] = field(
        default_factory=lambda: {
            "L1": replace(BOTH, adversary="none"),
            "GAN": replace(BOTH, adversary="output", l1=0.0),
            "cGAN": replace(BOTH, l1=0.0),
            "cGAN, slow D": replace(BOTH, l1=0.0, judge_lr=5e-4),
            "L1 + GAN": replace(BOTH, adversary="output"),
            "L1 + cGAN": BOTH,
            "L1 + cGAN, no skips": replace(BOTH, skips=False),
        }
    )


def build(recipe: Recipe, image_size: int, seed: int) -> tuple[UNet, PatchGAN]:
    """The two networks of a recipe. D stays as it is where the recipe has no adversary."""
    generator = UNet(image_size, recipe.width, recipe.most, skips=recipe.skips, dropout=recipe.dropout, seed=seed)
    return generator, PatchGAN(1 + (recipe.adversary == "pair"), recipe.patches, seed=seed + 1_000)


def fit(
    recipe: Recipe, pairs: PairSet, seed: int, progress: bool = False, **loop: Any
) -> tuple[UNet, PatchGAN, train.Run]:
    """Train one translator, as the chapter's training cell does; `loop` goes to train.fit."""
    generator, discriminator = build(recipe, pairs.train.x.shape[-1], seed)

    def judge(x: Tensor, y: Tensor) -> Tensor:
        seen = (x, y) if recipe.adversary == "pair" else (y,)
        return discriminator(*seen).flatten()  # the logits of all patches of the batch

    def step(players: Mapping[str, train.Player], batch: PairBatch, noise: draws.AnyGenerator) -> dict[str, Tensor]:
        made, record = generator(batch.x, noise), {}
        error = losses.l1(made, batch.target).mean()
        loss = recipe.l1 * error
        if recipe.adversary != "none":
            loss_d = losses.discriminator(judge(batch.x, batch.target), judge(batch.x, made.detach()))
            players["discriminator"].minimise(loss_d)
            fooled = losses.non_saturating(judge(batch.x, made))
            loss, record = loss + fooled, {"discriminator": loss_d, "generator": fooled}
        players["generator"].minimise(loss)
        return record | {"l1": error}

    players = {"generator": train.Player(generator, recipe.lr, recipe.betas, train.plateau)}
    if recipe.adversary != "none":
        players["discriminator"] = train.Player(discriminator, recipe.judge_lr, recipe.betas, train.plateau)
    batches = pairs.train.batches(recipe.batch)
    run = train.fit(step, players, batches, steps=recipe.steps, seed=seed, progress=progress, **loop)
    return generator.eval(), discriminator.eval(), run


@torch.no_grad()
def translate(generator: UNet, x: Tensor, noise: torch.Generator | None = None) -> Tensor:
    """Translations of inputs x (N, C, S, S) in [-1, 1], 250 at a time: pixels in [0, 1], (N, C, S, S)."""
    return torch.cat([generator(part, noise) for part in x.split(250)]).add(1).div(2)


def hidden(pairs: Pairs) -> Tensor:
    """Where something is left to find out: bool (S, S), true at pixels at which an input differs from its target."""
    return (pairs.x != pairs.target).any(0).any(0)


def slope(pixels: Tensor, where: Tensor) -> Tensor:
    """Mean size of the differences of neighbours, |∂x| + |∂y|, over the pixels `where`: images (N, C, S, S) to (N,)."""
    across = F.pad(pixels.diff(dim=3).abs(), (0, 1))
    down = F.pad(pixels.diff(dim=2).abs(), (0, 0, 0, 1))
    return (across + down)[..., where].mean((1, 2))


def inner(pixels: Tensor) -> Tensor:
    """The middle 28×28 pixels, which is what the feature network sees: (N, C, S, S) to (N, C, 28, 28)."""
    margin = (pixels.shape[-1] - 28) // 2
    return pixels[..., margin : margin + 28, margin : margin + 28]


def scores(made: Tensor, pairs: Pairs, network: Classifier) -> dict[str, float]:
    """How good translations (N, C, S, S) in [0, 1] of `pairs` are. What is not shown is judged apart.

    l1: mean absolute error over the hidden pixels, in units of the range from black 0 to white 1.
    sharpness: mean difference of neighbours there, relative to that of the targets. ink: mean grey value, likewise.
    agreement: the share that the network takes for the class of the target. confidence: its mean largest probability.
    """
    target, where = pairs.pixels(0, 1)[1], hidden(pairs)
    _, logits = features.of(network, inner(made))
    return {
        "l1": (made - target).abs()[..., where].mean().item(),
        "sharpness": (slope(made, where).mean() / slope(target, where).mean()).item(),
        "ink": (made[..., where].mean() / target[..., where].mean()).item(),
        "agreement": metrics.agreement(logits, pairs.y),
        "confidence": logits.softmax(1).amax(1).mean().item(),
    }


def distance(made: Tensor, pairs: PairSet, network: Classifier) -> float:
    """Fréchet distance of images (N, C, S, S) in [0, 1] from the targets of the training part, in its features."""
    real = pairs.train.pixels(0, 1)[1]
    return metrics.frechet_distance(*(features.of(network, inner(part))[0] for part in (real, made)))


def unseen(pairs: PairSet) -> Pairs:
    """The pairs of validation and test together, none of which a translator was trained on."""
    parts = (pairs.validation, pairs.test)
    return Pairs(*(torch.cat([getattr(part, name) for part in parts]) for name in ("x", "target", "y")))


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """For each recipe one list a quantity, an entry a seed; "real" has what the targets themselves score.

    frechet: of the translations of all unseen inputs. Those of `scores`: of the test inputs, without noise.
    spread: standard deviation over draws of the noise, at hidden pixels, in units of the range from black to white.
    with_noise: agreement of one draw each.
    """
    pairs = data.pairs(settings.pairs, settings.images, settings.image_size, device)
    network, held_out = features.network(settings.images, device), unseen(pairs)
    test, where = pairs.test, hidden(pairs.test)
    found: dict[str, Any] = {
        "real": scores(test.pixels(0, 1)[1], test, network)
        | {"frechet": distance(held_out.pixels(0, 1)[1], pairs, network)},
    }
    for name, recipe in settings.recipes.items():
        rows: dict[str, list[float]] = {}
        for seed in seeds:
            generator, _, _ = fit(recipe, pairs, seed)
            noise = torch.Generator(device).manual_seed(seed)
            x = test.pixels()[0]
            noisy = torch.stack([translate(generator, x, noise) for _ in range(settings.draws)])
            row = scores(translate(generator, x), test, network) | {
                "frechet": distance(translate(generator, held_out.pixels()[0]), pairs, network),
                "spread": noisy.std(0)[..., where].mean().item(),
                "with_noise": scores(noisy[0], test, network)["agreement"],
            }
            for quantity, value in row.items():
                rows.setdefault(quantity, []).append(value)
        found[name] = rows
    return found
