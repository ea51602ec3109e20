"""Two-dimensional toys with known modes and an exact density."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gennotes import device as devices
from gennotes.data.batches import Batch
from gennotes.data.errors import DataError, stream_seed, whole

TOYS = ("ring", "grid")


@dataclass(frozen=True, eq=False)
class Mixture:
    """An equal mixture of K round normals in the plane: p(x) = 1/K Σ_k N(x; m_k, σ² I).

    means: float32 (K, 2), the modes m_k.
    std: σ, the same for all modes and both axes.
    """

    means: Tensor
    std: float

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """n points with the modes that they come from: x float32 (n, 2), y int64 (n,).

        Raises DataError if n is not a whole number of at least 1, or if the generator is on another kind of device than
        the mixture.
        """
        n, device = whole("the number of points", n, 1), self.means.device
        if generator.device.type != device.type:
            raise DataError(
                f"the generator is on {generator.device} and the mixture on {device}; "
                f"give torch.Generator({device.type!r})"
            )
        y = torch.randint(len(self.means), (n,), generator=generator, device=device)
        noise = torch.randn(n, 2, generator=generator, device=device)
        return Batch(self.means.index_select(0, y) + self.std * noise, y)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n points, float32 (n, 2); `draw` also tells the modes."""
        return self.draw(n, generator).x

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats at the points x (…, 2), as (…,): log Σ_k exp(−|x − m_k|² / 2σ²) − log(2π σ² K).

        Raises DataError if x is not a floating-point tensor whose last axis is of length 2.
        """
        if not x.is_floating_point() or x.ndim == 0 or x.shape[-1] != 2:
            raise DataError(f"x is {x.dtype} {tuple(x.shape)}; wanted points of the plane, floating-point (…, 2)")
        squared = (x.unsqueeze(-2) - self.means.to(x.dtype)).square().sum(-1)  # (…, K)
        peak = math.log(2 * math.pi * self.std**2 * len(self.means))
        return torch.logsumexp(-squared / (2 * self.std**2), -1) - peak

    def batches(self, size: int) -> "MixtureBatches":
        """The endless stream of batches of `size` fresh points."""
        return MixtureBatches(self, size)


class MixtureBatches:
    """An endless stream of fresh points. Raises DataError if `size` is not a whole number of at least 1."""

    def __init__(self, mixture: Mixture, size: int) -> None:
        self.mixture = mixture
        self.size = whole("the size of a batch", size, 1)

    def at(self, step: int, seed: int) -> Batch:
        """Batch number `step` of the stream `seed`: x float32 (size, 2), y int64 (size,), the modes.

        A pure function of its arguments. Raises DataError if `step` is not a whole number of at least 0.
        """
        generator = torch.Generator(self.mixture.means.device)
        return self.mixture.draw(self.size, generator.manual_seed(stream_seed(seed, whole("the step", step, 0))))


def toy(name: str, device: torch.device | str | None = None) -> Mixture:
    """A toy of the plane by its name, as Lin et al. define them (PacGAN, NeurIPS 2018, section 4.1, after VEEGAN).

    "ring": 8 modes on the unit circle, σ = 0.01. "grid": 25 modes at {−4, −2, 0, 2, 4}², σ = 0.05.
    device: where to work; see `gennotes.device.find`.
    Raises DataError if the name is not one of these.
    """
    if name == "ring":
        angle = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
        means, std = torch.stack([angle.cos(), angle.sin()], 1).float(), 0.01
    elif name == "grid":
        axis = torch.linspace(-4, 4, 5)
        means, std = torch.cartesian_prod(axis, axis), 0.05
    else:
        raise DataError(f"toy {name!r} is unknown; give one of {', '.join(TOYS)} (images come from data.load)")
    return Mixture(means.to(devices.find(device and str(device))), std)
