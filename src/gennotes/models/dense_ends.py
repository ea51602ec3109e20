"""A small GAN for small data, with fully connected ends: what the guidelines of the DCGAN forbid. It is no DCGAN."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gennotes.models.dcgan import Pixels, bend, growing, initialise, shrinking, spectrally_normalised
from gennotes.models.gan import MinibatchStd


class DenseEndsGenerator(nn.Module):
    """Codes to images: fully connected layers, then the layers of a `DCGANGenerator`.

    latent: number of latent dimensions L.
    hidden: units of each fully connected layer before the one that makes the small map. Without any, () this is the
        DCGAN's generator.
    categories: K, below L. The first K numbers of a code then serve for a choice alone, of the category whose number is
        the largest: for a code from N(0, I) each is chosen as often as the others. With 0 there is no choice.
    image_size, width, channels, batch_norm, resize, slope, seed: as in `DCGANGenerator`.

    Takes z (B, L) to images (B, channels, S, S) in [-1, 1]; `of_categories` is given the choice, or a blend.
    The first layer is told the choice as a one-hot row of K numbers times √(L − K), as long as the rest of a code is.
    Each fully connected layer has a batch norm by unit, if there are any, and ReLU behind it.
    Initial weights and errors: those of `DCGANGenerator`.
    Raises ValueError if there is no number of a code left beside those for the choice.
    Source: the shape is that of InfoGAN's generator for MNIST, Chen et al. 2016, table 1, at half its width: there 1024
    units and 128 and 64 channels. The categorical code is its, too, without the term that rewards recovering it.
    """

    def __init__(
        self,
        latent: int = 64,
        hidden: Sequence[int] = (512,),
        image_size: int = 28,
        width: int = 32,
        channels: int = 1,
        batch_norm: bool = True,
        resize: bool = False,
        slope: float = 0.0,
        categories: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= categories < max(latent, 1):
            raise ValueError(f"categories={categories} of latent={latent}: give from 0 to {max(latent, 1) - 1}")
        self.latent, self.categories = latent, categories
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            units, layers = dense(latent, hidden, batch_norm, slope)
            layers += growing(units, image_size, width, channels, batch_norm, resize, slope)
            self.layers = nn.Sequential(*layers).apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        if not self.categories:
            return self.layers(z)
        return self.of_categories(z[:, self.categories :], F.one_hot(self.chosen(z), self.categories).to(z.dtype))

    def chosen(self, z: Tensor) -> Tensor:
        """The categories (B,), from 0 on, of codes (B, L)."""
        return z[:, : self.categories].argmax(1)

    def of_categories(self, rest: Tensor, weights: Tensor) -> Tensor:
        """Images of the numbers of a code that are not for the choice (B, L − K), and weights (B, K) of the categories.

        One weight of 1 is a category; several that add to 1 are a blend, which no code of z stands for.
        """
        return self.layers(torch.cat([(self.latent - self.categories) ** 0.5 * weights, rest], 1))


class CategoryPixels(nn.Module):
    """A generator with categories whose images are pixels in [0, 1], for an explorer or a figure.

    Takes the numbers of a code that are not for the choice (B, L − K), and weights (B, K) of the categories, to images
    (B, channels, S, S) in [0, 1]: (x + 1) / 2 of what `of_categories` makes.
    """

    def __init__(self, generator: DenseEndsGenerator) -> None:
        super().__init__()
        self.generator, self.pixels = generator, Pixels()

    def forward(self, rest: Tensor, weights: Tensor) -> Tensor:
        return self.pixels(self.generator.of_categories(rest, weights))


class DenseEndsDiscriminator(nn.Module):
    """Images to logits: the layers of a `DCGANDiscriminator`, then fully connected ones.

    hidden: units of each fully connected layer before the one that gives the logit.
    deviation: whether the last layer is told how much the batch varies, by `MinibatchStd`: real and made images then
        have to go in as batches of their own.
    image_size, width, channels, batch_norm, pooling, slope, spectral_norm, seed: as in `DCGANDiscriminator`. The
        convolution before the first fully connected layer and that layer have a batch norm each, if there are any.

    Takes images (B, channels, S, S) in [-1, 1] to logits (B,).
    Initial weights and errors: those of `DCGANGenerator`.
    Source: as `DenseEndsGenerator`; minibatch deviation: Karras et al. 2018.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (512,),
        deviation: bool = True,
        image_size: int = 28,
        width: int = 32,
        channels: int = 1,
        batch_norm: bool = True,
        pooling: bool = False,
        slope: float = 0.2,
        spectral_norm: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            layers, units = shrinking(image_size, width, channels, batch_norm, pooling, slope)
            units, ends = dense(units, hidden, batch_norm, slope)
            if deviation:
                ends, units = [*ends, MinibatchStd()], units + 1
            self.layers = nn.Sequential(*layers, *ends, nn.Linear(units, 1)).apply(initialise)  # (B, 1)
            if spectral_norm:
                spectrally_normalised(self.layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


def dense(units: int, hidden: Sequence[int], batch_norm: bool, slope: float) -> tuple[int, list[nn.Module]]:
    """Fully connected layers behind `units` units, and the number of units at their end.

    Raises ValueError if one of them, or `units`, is below 1.
    """
    if units < 1 or min(hidden, default=1) < 1:
        raise ValueError(f"{units} units to hidden={tuple(hidden)}: give each layer at least 1 unit")
    layers: list[nn.Module] = []
    for wanted in hidden:
        layers.append(nn.Linear(units, wanted, bias=not batch_norm))
        layers += [nn.BatchNorm1d(wanted)] if batch_norm else []
        layers.append(bend(slope))
        units = wanted
    return units, layers
