"""Random numbers that are asked for: of one generator, of several side by side, or of this process's share of one.

A chapter draws with these functions, so that the same update serves a single run, an ensemble and several processes.
"""

from collections.abc import Callable, Sequence

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


class Share:
    """Rows of what one generator draws for the batch of all processes: number `rank` of `size` equal parts.

    Every process draws the whole batch and keeps its rows, so that together they hold what one process would draw, and
    the generator's state does not depend on how many there are.
    """

    def __init__(self, generator: torch.Generator, rank: int, size: int) -> None:
        self.generator, self.rank, self.size, self.device = generator, rank, size, generator.device

    def rows(self, of_all: Tensor) -> Tensor:
        """This process's rows of a batch (B · size, ...), as (B, ...)."""
        return of_all.chunk(self.size)[self.rank]

    def get_state(self) -> Tensor:
        """The state of the generator that all processes share."""
        return self.generator.get_state()

    def set_state(self, state: Tensor) -> "Share":
        """Put it into `state`."""
        self.generator.set_state(state)
        return self


AnyGenerator = torch.Generator | Generators | Share


def normal(*shape: int, generator: AnyGenerator | None) -> Tensor:
    """Independent draws from N(0, 1), float32, on the generator's device: `shape`, for an ensemble (S, *shape).

    The first axis is the batch. Without a generator, torch's global one draws.
    """
    return _draw(torch.randn, shape, generator)


def uniform(*shape: int, generator: AnyGenerator | None) -> Tensor:
    """Independent draws from [0, 1), as `normal` gives them."""
    return _draw(torch.rand, shape, generator)


def bernoulli(p: Tensor, generator: AnyGenerator | None) -> Tensor:
    """Draws of 0 or 1, each a 1 with its probability in p: the shape of p, (B, ...), of an ensemble (S, B, ...)."""
    if isinstance(generator, Generators):
        return torch.stack([torch.bernoulli(q, generator=g) for q, g in zip(p, generator.members, strict=True)])
    if isinstance(generator, Share):
        of_all = p.repeat(generator.size, *[1] * (p.ndim - 1))
        return generator.rows(torch.bernoulli(of_all, generator=generator.generator))
    return torch.bernoulli(p, generator=generator)


def _draw(function: Callable[..., Tensor], shape: tuple[int, ...], generator: AnyGenerator | None) -> Tensor:
    if isinstance(generator, Generators):
        return torch.stack([function(shape, generator=g, device=g.device) for g in generator.members])
    if isinstance(generator, Share):
        of_all = (shape[0] * generator.size, *shape[1:])
        return generator.rows(function(of_all, generator=generator.generator, device=generator.device))
    return function(shape, generator=generator, device=generator.device if generator else None)
