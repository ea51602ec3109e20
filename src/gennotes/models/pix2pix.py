"""The networks of pix2pix (Isola et al. 2017): a U-Net that translates, a discriminator that judges patches."""

import torch
from torch import Tensor, nn

from gennotes import draws
from gennotes.models.dcgan import initialise

POINTWISE = (nn.LeakyReLU, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity, nn.BatchNorm2d, nn.Dropout2d, nn.Dropout)


class UNet(nn.Module):
    """Images to images: convolutions halve the side down to one pixel, transposed convolutions double it again.

    image_size: side S of the images, 2ⁿ with n ≥ 3: n layers down, n layers up.
    width: channels after the first layer. Each layer doubles them, up to most·width.
    inputs, outputs: channels of the image that is given, and of the one that is made.
    skips: whether each layer up also sees what the layer down of the same side gave, joined by channels. Without,
        all that the output knows of the input has gone through one pixel.
    dropout: how many layers up, from the smallest on, can have half of their numbers dropped.
    batch_norm: a batch norm after each layer but the first, the innermost and the last.
    seed: of the initial weights; the global random generator is left as it was.

    Takes x (B, inputs, S, S) in [-1, 1] to (B, outputs, S, S) in [-1, 1]. LeakyReLU of slope 0.2 down, ReLU up, tanh.
    Initial weights are those of the DCGAN, N(0, 0.02²).
    Raises ValueError if an argument is out of its range.
    Source: Isola et al. 2017, section 6.1 of the appendix, whose network is width=64 at image_size=256 with 3 layers of
    dropout; the U-Net itself: Ronneberger, Fischer & Brox 2015.
    """

    def __init__(
        self,
        image_size: int = 32,
        width: int = 16,
        most: int = 8,
        inputs: int = 1,
        outputs: int = 1,
        skips: bool = True,
        dropout: int = 2,
        batch_norm: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        depth = image_size.bit_length() - 1
        if depth < 3 or image_size != 2**depth:
            raise ValueError(f"image_size={image_size} is not a power of two from 8 on; pad the images to 32 or 64")
        if min(width, most, inputs, outputs) < 1:
            raise ValueError(f"{width=}, {most=}, {inputs=}, {outputs=}: give each at least 1")
        if not 0 <= dropout < depth:
            raise ValueError(f"dropout={dropout}: give a number of layers from 0 to {depth - 1}")
        self.skips, self.dropout = skips, dropout
        widths = [width * min(2**k, most) for k in range(depth)]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            self.down, self.up = nn.ModuleList(), nn.ModuleList()
            for k, wide in enumerate(widths):
                plain = k in (0, depth - 1) or not batch_norm
                self.down.append(
                    nn.Sequential(
                        *[nn.LeakyReLU(0.2)] * (k > 0),
                        nn.Conv2d(widths[k - 1] if k else inputs, wide, 4, stride=2, padding=1, bias=plain),
                        *([] if plain else [nn.BatchNorm2d(wide)]),
                    )
                )  # (B, wide, S/2ᵏ⁺¹, S/2ᵏ⁺¹)
            for k in reversed(range(depth)):
                plain = k == 0 or not batch_norm
                joined = widths[k] * (2 if skips and k < depth - 1 else 1)
                narrow = widths[k - 1] if k else outputs
                self.up.append(
                    nn.Sequential(
                        nn.ReLU(),
                        nn.ConvTranspose2d(joined, narrow, 4, stride=2, padding=1, bias=plain),
                        *([] if plain else [nn.BatchNorm2d(narrow)]),
                    )
                )  # (B, narrow, S/2ᵏ, S/2ᵏ)
            self.apply(initialise)

    def forward(self, x: Tensor, noise: draws.AnyGenerator | None = None) -> Tensor:
        """The translation of x. noise: draws what is dropped; without it nothing is, in any mode."""
        maps = []
        for layer in self.down:
            x = layer(x)
            maps.append(x)
        for k, layer in enumerate(self.up):
            if self.skips and k > 0:
                x = torch.cat([x, maps[-1 - k]], 1)
            x = layer(x)
            if noise is not None and k < self.dropout:
                x = x * draws.bernoulli(torch.full_like(x, 0.5), noise) * 2
        return x.tanh()


class PatchGAN(nn.Module):
    """Pairs of images to a map of logits: each judges one square patch, and never sees the rest.

    channels: of all images that are judged together: 2 for a grey image and its translation, 1 for a grey image alone.
    widths: channels after each layer. All layers halve the side but the last one; a layer with one channel follows.
    kernel: side of the kernels: 4, or 1 for a judge of single pixels, which halves nothing.
    batch_norm: a batch norm after each layer but the first. In training mode a logit then depends on the whole batch.
    seed: of the initial weights; the global random generator is left as it was.

    Takes images (B, C, H, W) in [-1, 1], any number of them with `channels` channels together, to logits (B, H', W').
    LeakyReLU of slope 0.2 between the layers; initial weights are those of the DCGAN, N(0, 0.02²).
    Raises ValueError if an argument is out of its range.
    Source: Isola et al. 2017, section 6.1 of the appendix: C64-C128-C256-C512 has patches of 70 pixels.
    """

    def __init__(
        self,
        channels: int = 2,
        widths: tuple[int, ...] = (16, 32, 64),
        kernel: int = 4,
        batch_norm: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if channels < 1 or not widths or min(widths) < 1:
            raise ValueError(f"channels={channels}, widths={widths}: give at least one layer, and each number ≥ 1")
        if kernel not in (1, 4):
            raise ValueError(f"kernel={kernel}: give 4, or 1 for a judge of single pixels")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            layers: list[nn.Module] = []
            last = len(widths) - 1
            for k, wide in enumerate(widths):
                normed = batch_norm and k > 0
                given = widths[k - 1] if k else channels
                halve = kernel == 4 and k < last
                layers += [
                    nn.Conv2d(given, wide, kernel, 2 if halve else 1, padding=kernel // 4, bias=not normed),
                    *([nn.BatchNorm2d(wide)] if normed else []),
                    nn.LeakyReLU(0.2),
                ]
            layers.append(nn.Conv2d(widths[-1], 1, kernel, padding=kernel // 4))
            self.layers = nn.Sequential(*layers).apply(initialise)

    def forward(self, *images: Tensor) -> Tensor:
        return self.layers(torch.cat(images, 1)).squeeze(1)


class Signed(nn.Module):
    """A network of images in [-1, 1] for pixels in [0, 1]: network(2 x − 1), for any number of images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *pixels: Tensor) -> Tensor:
        return self.network(*(2 * x - 1 for x in pixels))


def receptive_field(layers: nn.Module) -> int:
    """The side, in pixels, of the square of the input that one number at the end of a chain of layers depends on.

    From the first layer to the last, r ← r + d (k − 1) j and j ← s j, from r = j = 1: a layer with kernel k, stride s
    and dilation d reaches d (k − 1) of its inputs further, and these lie j pixels apart.

    layers: a module whose convolutions and poolings run one after the other in the order of `modules()`, with square
        kernels; layers that work on one place at a time change nothing. Batch norm counts as such a layer, which it is
        in evaluation mode only.
    Raises ValueError if a layer is of another kind, or not square.
    Source: Araujo, Norris & Sim 2019, eq. 2, run forwards.
    """
    reach, apart = 1, 1
    for layer in layers.modules():
        if any(True for _ in layer.children()) or isinstance(layer, POINTWISE):
            continue
        if not isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            raise ValueError(f"receptive_field cannot pass {layer}; give convolutions, poolings and pointwise layers")
        steps = (_square(layer, "kernel_size"), _square(layer, "stride"), _square(layer, "dilation"))
        kernel, stride, dilation = steps
        reach += dilation * (kernel - 1) * apart
        apart *= stride
    return reach


def _square(layer: nn.Module, name: str) -> int:
    value = getattr(layer, name, 1)
    sides = set(value) if isinstance(value, tuple) else {value}
    if len(sides) != 1:
        raise ValueError(f"receptive_field got {layer}, whose {name} is not square; give one number for both axes")
    return sides.pop()
