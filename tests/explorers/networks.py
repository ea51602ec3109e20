"""Networks of the kinds that the book runs in its pages: for the tests of the interpreter, and to time it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gennotes.models import VAE


class UNet(nn.Module):
    """Images (B, 1, 32, 32) to images: four halvings, four doublings, skips between them (pix2pix, Isola et al. 2017).

    1,018,177 parameters; 15.1 million multiplications for an image.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [
                nn.Conv2d(1, 32, 4, 2, 1),  # (B, 32, 16, 16)
                nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.InstanceNorm2d(64)),  # (B, 64, 8, 8)
                nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 2, 1), nn.InstanceNorm2d(128)),  # (B, 128, 4, 4)
                nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(128, 128, 4, 2, 1)),  # (B, 128, 2, 2)
            ]
        )
        self.up = nn.ModuleList(
            [
                nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(128, 128, 4, 2, 1), nn.InstanceNorm2d(128, affine=True)),
                nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(256, 64, 4, 2, 1), nn.InstanceNorm2d(64), nn.Dropout()),
                nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(128, 32, 4, 2, 1), nn.InstanceNorm2d(32)),
                nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh()),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for layer in self.up[1:]:
            x = layer(torch.cat([x, skips.pop()], 1))
        return x


def generator() -> nn.Module:
    """Noise (B, 64) to images (B, 1, 28, 28), as in Radford et al. 2016: 27 million multiplications for an image."""
    return nn.Sequential(
        nn.Unflatten(1, (64, 1, 1)),
        nn.ConvTranspose2d(64, 256, 7, bias=False),  # (B, 256, 7, 7)
        nn.BatchNorm2d(256),
        nn.ReLU(),
        nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False),  # (B, 128, 14, 14)
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 1, 4, 2, 1),  # (B, 1, 28, 28)
        nn.Tanh(),
    )


def discriminator() -> nn.Module:
    """Images (B, 1, 28, 28) to logits (B, 1)."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1),  # (B, 64, 14, 14)
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),  # (B, 128, 7, 7)
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {  # how to build it, the shape of its input
    "MLP encoder": (lambda: VAE(architecture="mlp").encoder, (1, 1, 28, 28)),
    "MLP decoder": (lambda: VAE(architecture="mlp").decoder, (1, 20)),
    "convolutional encoder": (lambda: VAE().encoder, (1, 1, 28, 28)),
    "convolutional decoder": (lambda: VAE().decoder, (1, 20)),
    "DCGAN generator": (generator, (1, 64)),
    "DCGAN discriminator": (discriminator, (1, 1, 28, 28)),
    "U-Net": (UNet, (1, 1, 32, 32)),
}


def build(name: str) -> tuple[nn.Module, Tensor]:
    """The network in evaluation mode and an input; its batch norms have statistics that differ from 0 and 1."""
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    module = make()
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(16, *shape[1:]) + 0.5)
    return module.eval(), torch.randn(shape)
