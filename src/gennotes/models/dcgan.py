"""The two networks of deep convolutional GANs (Radford, Metz & Chintala 2016). They know no loss and no loop."""

import functools
import itertools

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gennotes.models.resize import ResizeConv2d


class DCGANGenerator(nn.Module):
    """Codes to images: a linear layer makes a small map of many channels, transposed convolutions double its side.

    latent: number of latent dimensions L.
    image_size: side S of the images in pixels, such as 28, 32 or 64: 4·2ⁿ or 7·2ⁿ with n ≥ 1 transposed convolutions.
    width: channels before the last layer. Each layer halves them; the smallest map, 4×4 or 7×7, has width·2ⁿ⁻¹.
    channels: of an image, 1 for grey and 3 for colour.
    batch_norm: a batch norm after each layer but the last. In training mode an image then depends on its whole batch.
    resize: double the side by `ResizeConv2d` in place of transposed convolutions.
    slope: of what stands between the layers where it is negative: 0 is ReLU, above it LeakyReLU.
    seed: of the initial weights; the global random generator is left as it was.

    Takes z (B, L) to images (B, channels, S, S) in [-1, 1], by tanh at the end.
    Initial weights are N(0, 0.02²) and biases 0; scales of batch norms are N(1, 0.02²) and their shifts 0.
    The paper's guidelines are the defaults; `batch_norm`, `resize` and `slope` break one each.
    Raises ValueError if an argument is out of its range.
    Source: Radford, Metz & Chintala 2016, sections 3 and 4, and the authors' code for what they leave open. Unlike that
    code, kernels have a side of 4, a multiple of the stride, not 5; the first batch norm is by channel, not by unit;
    layers without a batch norm have a bias.
    """

    def __init__(
        self,
        latent: int = 100,
        image_size: int = 28,
        width: int = 64,
        channels: int = 1,
        batch_norm: bool = True,
        resize: bool = False,
        slope: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.latent = latent
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            layers = growing(latent, image_size, width, channels, batch_norm, resize, slope)
            self.layers = nn.Sequential(*layers).apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class DCGANDiscriminator(nn.Module):
    """Images to logits, the generator's mirror image: convolutions halve the side, a linear layer gives the logit.

    image_size: side S of the images in pixels, such as 28, 32 or 64: 4·2ⁿ or 7·2ⁿ with n ≥ 1 convolutions.
    width: channels after the first layer. Each layer doubles them; the smallest map, 4×4 or 7×7, has width·2ⁿ⁻¹.
    channels: of an image, 1 for grey and 3 for colour.
    batch_norm: a batch norm after each convolution but the first. In training mode a logit then depends on the whole
        batch of its image.
    pooling: halve the side by the largest of each 2×2, behind convolutions that keep it, in place of strides.
    slope: of what stands between the layers where it is negative: 0 is ReLU, above it LeakyReLU.
    spectral_norm: divide each weight by its largest singular value, see `spectrally_normalised`. Usually without batch
        norm, which scales what it gets anyway.
    seed: of the initial weights; the global random generator is left as it was.

    Takes images (B, channels, S, S) in [-1, 1] to logits (B,).
    The paper's guidelines are the defaults; `batch_norm`, `pooling` and `slope` break one each.
    Initial weights, errors and source: those of `DCGANGenerator`.
    """

    def __init__(
        self,
        image_size: int = 28,
        width: int = 64,
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
            self.layers = nn.Sequential(*layers, nn.Linear(units, 1)).apply(initialise)  # (B, 1)
            if spectral_norm:
                spectrally_normalised(self.layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


class Pixels(nn.Module):
    """Images in [-1, 1], as a generator's tanh gives them, to pixels in [0, 1]: (x + 1) / 2. Any shape."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + 1) / 2


# The parts that both networks, and others like them, are built of.


def growing(
    units: int,
    image_size: int,
    width: int,
    channels: int = 1,
    batch_norm: bool = True,
    resize: bool = False,
    slope: float = 0.0,
) -> list[nn.Module]:
    """The layers from (B, units) to images (B, channels, S, S); arguments as `DCGANGenerator` has them.

    Raises ValueError if one is out of its range.
    """
    if units < 1:
        raise ValueError(f"latent={units}: give latent ≥ 1")
    small, widths = _plan(image_size, width, channels)
    widths.reverse()  # from many channels to `width`
    double = ResizeConv2d if resize else functools.partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1)
    layers: list[nn.Module] = [
        nn.Linear(units, widths[0] * small * small, bias=not batch_norm),
        nn.Unflatten(1, (widths[0], small, small)),  # (B, width·2ⁿ⁻¹, S/2ⁿ, S/2ⁿ)
        *_norm(widths[0], batch_norm),
        bend(slope),
    ]
    for many, few in itertools.pairwise(widths):
        layers += [
            double(many, few, bias=not batch_norm),  # side doubled
            *_norm(few, batch_norm),
            bend(slope),
        ]  # at the end (B, width, S/2, S/2)
    return [*layers, double(width, channels), nn.Tanh()]  # (B, channels, S, S)


def shrinking(
    image_size: int,
    width: int,
    channels: int = 1,
    batch_norm: bool = True,
    pooling: bool = False,
    slope: float = 0.2,
) -> tuple[list[nn.Module], int]:
    """The layers from images (B, channels, S, S) to (B, units), and the number of units.

    Arguments as `DCGANDiscriminator` has them. Raises ValueError if one is out of its range.
    """
    small, widths = _plan(image_size, width, channels)
    stride, kernel = (1, 3) if pooling else (2, 4)
    halve = functools.partial(nn.Conv2d, kernel_size=kernel, stride=stride, padding=1)
    pool = [nn.MaxPool2d(2)] if pooling else []
    layers: list[nn.Module] = [halve(channels, width), *pool, bend(slope)]  # (B, width, S/2, S/2)
    for few, many in itertools.pairwise(widths):
        layers += [
            halve(few, many, bias=not batch_norm),  # side halved, or by the pool behind it
            *pool,
            *_norm(many, batch_norm),
            bend(slope),
        ]  # at the end (B, width·2ⁿ⁻¹, S/2ⁿ, S/2ⁿ)
    return [*layers, nn.Flatten()], widths[-1] * small * small


def bend(slope: float) -> nn.Module:
    """What stands between two layers: max(x, slope · x). Raises ValueError if the slope is not in [0, 1)."""
    if not 0 <= slope < 1:
        raise ValueError(f"slope={slope}: give 0 for ReLU, or a slope below 1, such as 0.2, for LeakyReLU")
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def spectrally_normalised(layers: nn.Sequential) -> None:
    """Let each linear layer and convolution use its weight divided by an estimate of its largest singular value.

    A convolution's weight (outputs, inputs, h, w) counts as a matrix of `outputs` rows. The estimate follows by a step
    of power iteration each time that the network is used in training mode. Linear layers, and so the network but for
    its convolutions, cannot stretch a difference of inputs then; a convolution's overlapping patches may.
    Source: Miyato et al. 2018, section 2.1; `torch.nn.utils.parametrizations.spectral_norm` does it.
    """
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(layer)


def initialise(layer: nn.Module) -> None:
    """Set a layer's initial weights to those of the paper, see `DCGANGenerator`; other modules are left alone."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d):
        mean = 1.0 if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) else 0.0
        nn.init.normal_(layer.weight, mean, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _plan(image_size: int, width: int, channels: int) -> tuple[int, list[int]]:
    """The side of the smallest map, and the channels of all n maps, from the largest to the smallest."""
    if width < 1 or channels < 1:
        raise ValueError(f"width={width}, channels={channels}: give each at least 1")
    for small in (4, 7):
        halvings = (image_size // small).bit_length() - 1
        if halvings >= 1 and image_size == small * 2**halvings:
            return small, [width * 2**k for k in range(halvings)]
    raise ValueError(
        f"image_size={image_size} is not 4 or 7 doubled at least once; pad or resize the images to 28, 32 or 64 pixels"
    )


def _norm(channels: int, wanted: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if wanted else []
