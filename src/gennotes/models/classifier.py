"""A small classifier of grey images, whose inner layer serves as a space of features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Classifier(nn.Module):
    """Grey images to the logits of K classes: five convolutions with batch norm and ReLU, and two linear layers.

    classes: K. width: channels of the first two convolutions; the last ones have twice as many.
    size: number of features, the units of the hidden linear layer.
    seed: of the initial weights; the global random generator is left as it was.

    Takes images (B, 1, S, S) in [0, 1] to logits (B, K). It sees 28×28 pixels: a larger side S is shrunk to that,
    each pixel the mean of what it covers. With the defaults it has 204,000 weights.
    Raises ValueError for images of another shape, or smaller ones.
    """

    side = 28

    def __init__(self, classes: int = 10, width: int = 32, size: int = 64, seed: int = 0) -> None:
        super().__init__()

        def convolution(inputs: int, outputs: int, side: int, stride: int) -> list[nn.Module]:
            layer = nn.Conv2d(inputs, outputs, side, stride, padding=1, bias=False)
            return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            self.body = nn.Sequential(
                *convolution(1, width, 3, 1),  # (B, W, 28, 28)
                *convolution(width, width, 4, 2),  # (B, W, 14, 14)
                *convolution(width, 2 * width, 3, 1),  # (B, 2W, 14, 14)
                *convolution(2 * width, 2 * width, 4, 2),  # (B, 2W, 7, 7)
                *convolution(2 * width, 2 * width, 3, 2),  # (B, 2W, 4, 4)
                nn.Flatten(),
                nn.Linear(32 * width, size),
                nn.ReLU(),  # (B, size)
            )
            self.head = nn.Linear(size, classes)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: (B, 1, S, S) in [0, 1] to numbers of at least 0, (B, size)."""
        if x.ndim != 4 or x.shape[1] != 1 or x.shape[2] != x.shape[3] or x.shape[3] < self.side:
            raise ValueError(
                f"Classifier got images {tuple(x.shape)}; give grey squares (B, 1, S, S) with S ≥ {self.side}"
            )
        if x.shape[3] > self.side:
            x = F.interpolate(x, self.side, mode="area")
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
