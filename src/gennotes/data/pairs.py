"""Paired images for translation, made from the named image sets: what is given, and what is wanted for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gennotes.data.batches import Batches, Images
from gennotes.data.errors import DataError, whole
from gennotes.data.sets import load


@dataclass(frozen=True, eq=False)
class PairBatch:
    """One batch of pairs.

    x: float32 (B, C, S, S), what is given. target: float32 (B, C, S, S), what is wanted. Both in the range that was
        asked for.
    y: int64 (B,), the class of each pair, which a translator is not told.
    """

    x: Tensor
    target: Tensor
    y: Tensor


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images with their classes, whole, on one device.

    x, target: uint8 (N, C, S, S), 0 to 255. y: int64 (N,).
    Raises DataError if shapes, types, lengths or devices do not fit together.
    """

    x: Tensor
    target: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        Images(self.x, self.y)  # raises if one of the halves is no image set
        Images(self.target, self.y)
        if self.x.shape[2:] != self.target.shape[2:]:
            given = f"{tuple(self.x.shape[2:])} and {tuple(self.target.shape[2:])}"
            raise DataError(f"the images of a pair are {given} pixels; wanted one size for both")

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: Any) -> "Pairs":
        """The pairs that `index` picks: a slice, a list or tensor of numbers, a mask; a single number picks one."""
        if isinstance(index, int):
            index = [index]
        return Pairs(self.x[index], self.target[index], self.y[index])

    def to(self, device: torch.device | str) -> "Pairs":
        """The same pairs on `device`."""
        return Pairs(self.x.to(device), self.target.to(device), self.y.to(device))

    def pixels(self, low: float = -1.0, high: float = 1.0) -> tuple[Tensor, Tensor]:
        """All x and all targets as float32 (N, C, S, S) in [low, high]. Raises DataError as `Images.pixels` does."""
        return Images(self.x, self.y).pixels(low, high), Images(self.target, self.y).pixels(low, high)

    def batches(self, size: int, low: float = -1.0, high: float = 1.0) -> "PairBatches":
        """The endless stream of batches of `size` pairs with pixels in [low, high], by default those of tanh."""
        return PairBatches(self, size, low, high)


class PairBatches(Batches):
    """An endless stream of batches of pairs, in the order in which `Images.batches` gives single images.

    Raises DataError as `Batches` does.
    """

    def __init__(self, pairs: Pairs, size: int, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__(Images(pairs.x, pairs.y), size, low, high)
        self._target = Images(pairs.target, pairs.y).pixels(low, high)

    def at(self, step: int, seed: int) -> PairBatch:
        """Batch number `step` of the stream `seed`, a pure function of its arguments.

        Raises DataError if `step` is not a whole number of at least 0.
        """
        index = self._positions(whole("the step", step, 0) * self.size, seed)
        return PairBatch(*(part.index_select(0, index) for part in (self._x, self._target, self._y)))


@dataclass(frozen=True)
class PairSet:
    """A named set of pairs in the three parts of the image set that it was made from; see `ImageSet`."""

    name: str
    train: Pairs
    validation: Pairs
    test: Pairs
    classes: tuple[str, ...]
    source: str
    licence: str


def halves(images: Tensor) -> Tensor:
    """The upper half of each image, black below: uint8 (N, C, H, W) to the same."""
    upper = images.clone()
    upper[..., images.shape[-2] // 2 :, :] = 0
    return upper


def blocks(images: Tensor, side: int = 4) -> Tensor:
    """Each square of side × side pixels filled with its mean, rounded: uint8 (N, C, H, W) to the same.

    Raises DataError if the side does not divide height and width.
    """
    height, width = images.shape[-2:]
    if height % side or width % side:
        raise DataError(f"blocks of side {side} do not fill images of {height}×{width}; give a side that divides both")
    means = F.avg_pool2d(images.float(), side).round().to(torch.uint8)
    return means.repeat_interleave(side, -2).repeat_interleave(side, -1)


def edges(images: Tensor, threshold: int = 96) -> Tensor:
    """White where the grey values of the 2×2 pixels from here to the right and down differ by more than `threshold`.

    uint8 (N, C, H, W) to the same, of 0 and 255 alone; beyond the last row and column their values are repeated.
    """
    x = F.pad(images.float(), (0, 1, 0, 1), mode="replicate")
    spread = F.max_pool2d(x, 2, 1) + F.max_pool2d(-x, 2, 1)  # the largest minus the smallest
    return torch.where(spread > threshold, 255, 0).to(torch.uint8)


MAKERS: dict[str, Callable[[Tensor], Tensor]] = {"halves": halves, "blocks": blocks, "edges": edges}


def pairs(
    name: str, images: str = "mnist-5k", image_size: int = 32, device: torch.device | str | None = None
) -> PairSet:
    """Pairs of images by the name of what is given of each; wanted is the image itself.

    "halves": its upper half. "blocks": the means of blocks of 4×4 pixels. "edges": its edges, white on black.

    images: the image set to make them from, a name of `load`; its split is kept, pair by pair, and so are its classes.
    image_size: side S of both images; those of the set get a black margin, the same on all sides.
    device: see `gennotes.device.find`.
    Raises DataError if a name is unknown, if the set cannot be had, or if the margin would be negative or uneven.
    Source of the task: Isola et al. 2017.
    """
    make = MAKERS.get(name) if isinstance(name, str) else None
    if make is None:
        raise DataError(f"pairs {name!r} are unknown; give one of {', '.join(MAKERS)}")
    size = whole("the side of the images", image_size, 1)
    whole_set = load(images, device)

    def paired(part: Images) -> Pairs:
        margin, odd = divmod(size - part.x.shape[-1], 2)
        if margin < 0 or odd:
            own = part.x.shape[-1]
            raise DataError(f"image_size={size} for images of side {own}; wanted {own}, {own + 2}, {own + 4} or so on")
        target = F.pad(part.x, [margin] * 4)
        return Pairs(make(target), target, part.y)

    parts = (paired(part) for part in (whole_set.train, whole_set.validation, whole_set.test))
    return PairSet(f"{name} of {images}", *parts, whole_set.classes, whole_set.source, whole_set.licence)
