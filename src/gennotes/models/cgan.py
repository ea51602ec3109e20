"""Networks of conditional GANs: a generator that is told which class to make, discriminators that are told which one
was asked for. They know no loss and no loop.

A condition c is a row of weights over K classes: one of them 1 and the others 0, or a blend that adds to 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gennotes.models.dcgan import Pixels, growing, initialise, shrinking
from gennotes.models.dense_ends import dense
from gennotes.models.gan import MinibatchStd

GENERATOR_CONDITIONS = ("one-hot", "embedding")
DISCRIMINATOR_CONDITIONS = ("concatenation", "maps", "projection", "none")


class ConditionalGenerator(nn.Module):
    """A code and a class to an image: the condition is appended to the code, then come the layers of a
    `DenseEndsGenerator`.

    condition: how c enters. "one-hot" appends c itself, "embedding" appends c E with a matrix E (K, M) that is learned,
        a row for each class: a blend of classes is a blend of their rows.
    latent: number of latent dimensions L. classes: K. embedded: M, used by "embedding" alone.
    hidden: units of each fully connected layer. image_size, width, channels, batch_norm: as in `DCGANGenerator`.
    seed: of the initial weights; the global random generator is left as it was.

    Takes z (B, L) and c (B, K) to images (B, channels, S, S) in [-1, 1].
    Initial weights are those of `DCGANGenerator`, E is N(0, 1).
    Raises ValueError if an argument is out of its range or c has another shape.
    Source: one-hot: Mirza & Osindero 2014, section 3.2.
    """

    def __init__(
        self,
        latent: int = 32,
        classes: int = 10,
        condition: str = "embedding",
        embedded: int = 16,
        hidden: Sequence[int] = (256,),
        image_size: int = 28,
        width: int = 16,
        channels: int = 1,
        batch_norm: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check("ConditionalGenerator", condition, GENERATOR_CONDITIONS, classes, embedded)
        if latent < 1:
            raise ValueError(f"latent={latent}: give latent ≥ 1")
        self.latent, self.classes = latent, classes
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            told = classes if condition == "one-hot" else embedded
            units, layers = dense(latent + told, hidden, batch_norm, slope=0.0)
            layers += growing(units, image_size, width, channels, batch_norm)
            self.layers = nn.Sequential(*layers).apply(initialise)
            self.embedding = nn.Parameter(torch.randn(classes, embedded)) if condition == "embedding" else None

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        _check_condition("ConditionalGenerator", z, c, self.classes)
        told = c if self.embedding is None else c @ self.embedding  # (B, K) or (B, M)
        return self.layers(torch.cat([z, told], 1))


class ConditionalDiscriminator(nn.Module):
    """An image and the class that was asked for to a logit: does this image with this class come from the data?

    condition: how c enters, E a matrix that is learned, a row for each class.
        "maps": K constant maps, map k filled with c_k, are laid beside the image's own channels.
        "concatenation": c E is appended to the features of the convolutions, before the fully connected layers.
        "projection": the logit is ψ(h) + ⟨c E, h⟩, h the features of the last hidden layer and ψ linear.
        "none": c is not looked at. The generator then has no reason to obey it.
    classes: K. embedded: M, the columns of E, used by "concatenation"; "projection" has one for each unit of h.
    hidden: units of each fully connected layer, at least one layer: concatenation needs one to tell apart what a
        feature means for one class and for another.
    deviation: whether ψ is told how much the batch varies, see `MinibatchStd`; real and made images then have to go in
        as batches of their own.
    image_size, width, channels, batch_norm: as in `DCGANDiscriminator`. seed: as in `ConditionalGenerator`.

    Takes images (B, channels, S, S) in [-1, 1] and c (B, K) to logits (B,).
    Initial weights are those of `DCGANGenerator`; E is N(0, 1), of "projection" N(0, 0.02²).
    Raises ValueError if an argument is out of its range or c has another shape.
    Source: appended: Mirza & Osindero 2014; maps: Isola et al. 2017, for classes Perarnau et al. 2016; projection:
    Miyato & Koyama 2018, eq. 3.
    """

    def __init__(
        self,
        classes: int = 10,
        condition: str = "projection",
        embedded: int = 16,
        hidden: Sequence[int] = (256,),
        deviation: bool = True,
        image_size: int = 28,
        width: int = 16,
        channels: int = 1,
        batch_norm: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check("ConditionalDiscriminator", condition, DISCRIMINATOR_CONDITIONS, classes, embedded)
        if not hidden:
            raise ValueError("hidden is empty; give at least one fully connected layer")
        self.condition, self.classes = condition, classes
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            seen = channels + (classes if condition == "maps" else 0)
            layers, units = shrinking(image_size, width, seen, batch_norm)
            self.convolutions = nn.Sequential(*layers).apply(initialise)  # (B, units)
            units, layers = dense(units + (embedded if condition == "concatenation" else 0), hidden, batch_norm, 0.2)
            self.dense = nn.Sequential(*layers).apply(initialise)  # (B, units), the features h
            ends = [MinibatchStd(), nn.Linear(units + 1, 1)] if deviation else [nn.Linear(units, 1)]
            self.psi = nn.Sequential(*ends).apply(initialise)  # (B, 1)
            self.embedding = None
            if condition == "concatenation":
                self.embedding = nn.Parameter(torch.randn(classes, embedded))
            if condition == "projection":
                self.embedding = nn.Parameter(0.02 * torch.randn(classes, units))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        _check_condition("ConditionalDiscriminator", x, c, self.classes)
        if self.condition == "maps":
            x = torch.cat([x, c[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)  # (B, channels + K, S, S)
        h = self.convolutions(x)
        if self.condition == "concatenation":
            h = torch.cat([h, c @ self.embedding], 1)
        h = self.dense(h)
        logit = self.psi(h).squeeze(1)
        return logit + ((c @ self.embedding) * h).sum(1) if self.condition == "projection" else logit


class ConditionalPixels(nn.Module):
    """A conditional generator whose images are pixels in [0, 1]: (G(z, c) + 1) / 2, for an explorer or a figure.

    Takes z (B, L) and c (B, K) to images (B, channels, S, S) in [0, 1].
    """

    def __init__(self, generator: ConditionalGenerator) -> None:
        super().__init__()
        self.generator, self.pixels = generator, Pixels()

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return self.pixels(self.generator(z, c))


def one_hot(y: Tensor, classes: int = 10) -> Tensor:
    """Conditions of single classes: row i of the result has a 1 at place y_i and 0 elsewhere.

    y: int64 (B,), from 0 to classes − 1. Returns float32 (B, classes).
    """
    return nn.functional.one_hot(y, classes).float()


def _check(name: str, condition: str, known: Sequence[str], classes: int, embedded: int) -> None:
    if condition not in known:
        raise ValueError(f"{name} got condition={condition!r}; give one of {', '.join(map(repr, known))}")
    if classes < 2 or embedded < 1:
        raise ValueError(f"{name} got classes={classes}, embedded={embedded}; give at least 2 classes and 1 column")


def _check_condition(name: str, first: Tensor, c: Tensor, classes: int) -> None:
    if c.shape != (len(first), classes):
        raise ValueError(
            f"{name} got c {tuple(c.shape)} for a batch of {len(first)}; give ({len(first)}, {classes}): "
            "a row of weights for each item, as one_hot(y) makes them"
        )
