"""The two networks of deep convolutional GANs (Radford, Metz & Chintala 2016). They know no loss and no loop."""

import functools
import itertools

import torch
from torch import Tensor, nn

from gennotes.models.resize import ResizeConv2d


class DCGANGenerator(nn.Module):
    """Codes to images: a linear layer makes a small map of many channels, transposed convolutions double its side.

    latent: number of latent dimensions L.
    image_size: side S of the images in pixels, such as 28, 32 or 64: 4·2ⁿ or 7·2ⁿ with n ≥ 1 transposed convolutions.
    width: channels before the last layer. Each layer halves them; the smallest map, 4×4 or 7×7, has width·2ⁿ⁻¹.
    channels: of an image, 1 for grey and 3 for colour.
    batch_norm: a batch norm after each layer but the last. In training mode an image then depends on its whole batch.
    resize: double the side by `ResizeConv2d` in place of transposed convolutions.
    seed: of the initial weights; the global random generator is left as it was.

    Takes z (B, L) to images (B, channels, S, S) in [-1, 1]. ReLU between the layers, tanh at the end.
    Initial weights are N(0, 0.02²) and biases 0; scales of batch norms are N(1, 0.02²) and their shifts 0.
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
        seed: int = 0,
    ) -> None:
        super().__init__()
        if latent < 1:
            raise ValueError(f"latent={latent}: give latent ≥ 1")
        small, widths = _plan(image_size, width, channels)
        widths.reverse()  # from many channels to `width`
        self.latent = latent
        double = ResizeConv2d if resize else functools.partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            layers: list[nn.Module] = [
                nn.Linear(latent, widths[0] * small * small, bias=not batch_norm),
                nn.Unflatten(1, (widths[0], small, small)),  # (B, width·2ⁿ⁻¹, S/2ⁿ, S/2ⁿ)
                *_norm(widths[0], batch_norm),
                nn.ReLU(),
            ]
            for many, few in itertools.pairwise(widths):
                layers += [
                    double(many, few, bias=not batch_norm),  # side doubled
                    *_norm(few, batch_norm),
                    nn.ReLU(),
                ]  # at the end (B, width, S/2, S/2)
            layers += [double(width, channels), nn.Tanh()]  # (B, channels, S, S)
            self.layers = nn.Sequential(*layers).apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class DCGANDiscriminator(nn.Module):
    """Images to logits, the generator's mirror image: convolutions halve the side, a linear layer gives the logit.

    image_size: side S of the images in pixels, such as 28, 32 or 64: 4·2ⁿ or 7·2ⁿ with n ≥ 1 convolutions.
    width: channels after the first layer. Each layer doubles them; the smallest map, 4×4 or 7×7, has width·2ⁿ⁻¹.
    channels: of an image, 1 for grey and 3 for colour.
    batch_norm: a batch norm after each convolution but the first. In training mode a logit then depends on the whole
        batch of its image.
    seed: of the initial weights; the global random generator is left as it was.

    Takes images (B, channels, S, S) in [-1, 1] to logits (B,). LeakyReLU of slope 0.2 between the layers.
    Initial weights, errors and source: those of `DCGANGenerator`.
    """

    def __init__(
        self, image_size: int = 28, width: int = 64, channels: int = 1, batch_norm: bool = True, seed: int = 0
    ) -> None:
        super().__init__()
        small, widths = _plan(image_size, width, channels)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            layers: list[nn.Module] = [
                nn.Conv2d(channels, width, 4, stride=2, padding=1),  # (B, width, S/2, S/2)
                nn.LeakyReLU(0.2),
            ]
            for few, many in itertools.pairwise(widths):
                layers += [
                    nn.Conv2d(few, many, 4, stride=2, padding=1, bias=not batch_norm),  # side halved
                    *_norm(many, batch_norm),
                    nn.LeakyReLU(0.2),
                ]  # at the end (B, width·2ⁿ⁻¹, S/2ⁿ, S/2ⁿ)
            layers += [nn.Flatten(), nn.Linear(widths[-1] * small * small, 1)]  # (B, 1)
            self.layers = nn.Sequential(*layers).apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


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


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm2d):
        nn.init.normal_(layer.weight, mean=1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
