"""Random numbers that are asked for: of one generator, or of several side by side, one a member of an ensemble."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Generators:
    """One generator a member, so that member i of an ensemble draws what a single run with seed i would draw.

    seeds: one whole number a member. device: where they draw.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str) -> None:
        if not seeds:
            raise ValueError("there are no seeds; give one a member")
        self.members = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self.device = self.members[0].device

    def get_state(self) -> Tensor:
        """The states of all members, uint8 (S, bytes)."""
        return torch.stack([member.get_state() for member in self.members])

    def set_state(self, state: Tensor) -> "Generators":
        """Put every member into its row of `state`."""
        for member, row in zip(self.members, state, strict=True):
            member.set_state(row.clone())
        return self


def normal(*shape: int, generator: torch.Generator | Generators) -> Tensor:
    """Independent draws from N(0, 1), float32, on the generator's device: `shape`, for an ensemble (S, *shape)."""
    return _draw(torch.randn, shape, generator)


def uniform(*shape: int, generator: torch.Generator | Generators) -> Tensor:
    """Independent draws from [0, 1), float32, on the generator's device: `shape`, for an ensemble (S, *shape)."""
    return _draw(torch.rand, shape, generator)


def _draw(function, shape: tuple[int, ...], generator: torch.Generator | Generators) -> Tensor:
    if isinstance(generator, Generators):
        return torch.stack([function(shape, generator=g, device=g.device) for g in generator.members])
    return function(shape, generator=generator, device=generator.device)
