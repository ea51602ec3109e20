"""Modules of torch whose graphs consist of several operators, as torch exports them, in the browser."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from gennotes.explorers.network import pack

TOLERANCE = 1e-5


class Attention(nn.Module):
    """Self-attention of the pixels with two heads: Vaswani et al. 2017."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x.flatten(2).transpose(1, 2)
        return self.inner(pixels, pixels, pixels, need_weights=False)[0]


class Deviation(nn.Module):
    """The standard deviation over space as one more channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spread = x.var((2, 3), unbiased=False, keepdim=True).add(1e-8).sqrt().mean(1, keepdim=True)
        return torch.cat([x, spread.expand(-1, 1, *x.shape[2:])], 1)


class Times(nn.Module):
    """Sines and cosines of the pixels, as of a time."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        phase = x * torch.exp(torch.arange(4) / -2).reshape(4, 1, 1, 1, 1)
        return torch.cat([phase.sin(), phase.cos()], 1)


class Each(nn.Module):
    """Every module on the same input: many graphs for one export."""

    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        self.each = nn.ModuleList(modules)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(module(x) for module in self.each)


def modules() -> list[nn.Module]:
    return [
        nn.GroupNorm(3, 6, eps=1e-2),
        nn.InstanceNorm2d(6, affine=True),
        nn.LayerNorm([8, 5]),
        nn.RMSNorm(5),
        nn.GLU(1),
        nn.Softsign(),
        nn.LogSigmoid(),
        nn.ReLU6(),
        nn.Threshold(0.1, 2.0),
        nn.PixelShuffle(1),
        nn.PixelUnshuffle(1),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(6, 4, (3, 2), padding="same", dilation=(2, 1), padding_mode="reflect"),
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(6, 2, 3)),
        nn.utils.parametrizations.weight_norm(nn.Linear(5, 3)),
        nn.Upsample(scale_factor=(2, 3), mode="bilinear"),
        Attention(),
        Deviation(),
        Times(),
    ]


def test_modules_equal_torch(run_in_page):
    torch.manual_seed(0)
    parts = modules()
    with torch.no_grad():
        for part in parts:
            for parameter in part.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    module = Each(parts).eval()
    x = 2 * torch.randn(1, 6, 8, 5) + 1
    with torch.no_grad():
        theirs = [y.numpy().ravel() for y in module(x)]
    (mine,) = run_in_page([(pack(module, x, precision="float32").content, [x.numpy()])])
    largest = {
        type(part).__name__: float((np.abs(a - b) / np.maximum(1, np.abs(b))).max())
        for part, a, b in zip(parts, mine, theirs, strict=True)
    }
    assert {name: value for name, value in largest.items() if not value <= TOLERANCE} == {}


def test_a_chain_of_blocks_equals_torch(run_in_page):
    class Chain(nn.Module):
        """Down, up, a skip and a time: the parts of a U-Net (Ronneberger et al. 2015)."""

        def __init__(self) -> None:
            super().__init__()
            self.time = nn.Linear(3, 8)
            self.down = nn.Conv2d(1, 8, 3, 2, 1)
            self.norm = nn.GroupNorm(4, 8)
            self.out = nn.Conv2d(9, 1, 3, padding=1)

        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            h = F.silu(self.norm(self.down(x) + self.time(t)[:, :, None, None]))
            return self.out(torch.cat([F.interpolate(h, scale_factor=2.0), x], 1))

    torch.manual_seed(0)
    module, x, t = Chain().eval(), torch.randn(1, 1, 12, 10), torch.randn(1, 3)
    with torch.no_grad():
        theirs = module(x, t).numpy().ravel()
    ((mine,),) = run_in_page([(pack(module, (x, t), precision="float32").content, [x.numpy(), t.numpy()])])
    assert np.abs(mine - theirs).max() <= TOLERANCE
