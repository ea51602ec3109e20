"""Images resident on the device, and the endless stream of batches drawn from them."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gennotes.data.errors import DataError, stream_seed, whole


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch.

    x: float32, images (B, C, H, W) in the range that was asked for, or points (B, 2).
    y: int64 (B,), the class of each image or the mode of each point.
    """

    x: Tensor
    y: Tensor


@dataclass(frozen=True, eq=False)
class Images:
    """Images with their classes, whole, on one device.

    x: uint8 (N, C, H, W), 0 to 255; C is 1 for every set of this book.
    y: int64 (N,).
    Raises DataError if shapes, types, lengths or devices do not fit together.
    """

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        if self.x.dtype != torch.uint8 or self.x.ndim != 4:
            raise DataError(f"images are {_describe(self.x)}; wanted uint8 (N, C, H, W)")
        if self.y.dtype != torch.int64 or self.y.shape != self.x.shape[:1] or self.y.device != self.x.device:
            wanted = f"int64 ({len(self.x)},) on {self.x.device}, one class for each image"
            raise DataError(f"classes are {_describe(self.y)}; wanted {wanted}")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> "Images":
        """The images that `index` picks: a slice, a list or tensor of numbers, a mask; a single number picks one."""
        if isinstance(index, int):
            index = [index]
        return Images(self.x[index], self.y[index])

    def to(self, device: torch.device | str) -> "Images":
        """The same images on `device`."""
        return Images(self.x.to(device), self.y.to(device))

    def pixels(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """All images as float32 (N, C, H, W) in [low, high]: low + (high − low) · x / 255.

        Raises DataError if the range is not two finite numbers with low < high.
        """
        if not (low < high and math.isfinite(high - low)):
            raise DataError(f"the pixel range is [{low}, {high}]; wanted two finite numbers, the lower one first")
        scaled = self.x.to(torch.float32).mul_(high - low).div_(255)
        return scaled.add_(low) if low else scaled

    def batches(self, size: int, low: float = 0.0, high: float = 1.0) -> "Batches":
        """The endless stream of batches of `size` images with pixels in [low, high]."""
        return Batches(self, size, low, high)


class Batches:
    """An endless stream of batches: every image once in epoch 0, in a random order, then once in epoch 1, and so on.

    Batch t holds positions t·size to (t + 1)·size − 1 of the stream, so every batch has the same shape and may straddle
    two epochs (or many, if `size` exceeds the number of images). The order of epoch e is drawn on the images' device by
    a generator seeded with a hash of (seed, e): a stream can be entered anywhere, and nothing but the step has to be
    kept in order to resume it. The same (step, seed) gives the same bits on the same kind of device; a CPU and a GPU
    draw different orders.

    The stream keeps the pixels as float32, 4 bytes each (13 MB for mnist-5k, 172 MB for the full sets), so that a batch
    is one gather and no arithmetic.

    Raises DataError if `size` is not a whole number of at least 1, if low ≥ high, or if there are no images.
    """

    def __init__(self, images: Images, size: int, low: float = 0.0, high: float = 1.0) -> None:
        self.size = whole("the size of a batch", size, 1)
        if not len(images):
            raise DataError("there are no images to draw batches from; wanted at least one")
        self._x, self._y = images.pixels(low, high), images.y
        self._order = functools.lru_cache(maxsize=8)(self._draw_order)  # a few seeds side by side, two epochs each

    def at(self, step: int, seed: int) -> Batch:
        """Batch number `step` of the stream `seed`: x float32 (size, C, H, W) in [low, high], y int64 (size,).

        A pure function of its arguments, with no synchronisation between host and device.
        Raises DataError if `step` is not a whole number of at least 0.
        """
        index = self._positions(whole("the step", step, 0) * self.size, seed)
        return Batch(self._x.index_select(0, index), self._y.index_select(0, index))

    def _positions(self, start: int, seed: int) -> Tensor:
        """The images at positions start to start + size − 1 of the stream, as int64 (size,)."""
        parts, wanted = [], self.size
        while wanted:
            epoch, offset = divmod(start, len(self._y))
            part = self._order(seed, epoch)[offset : offset + wanted]
            parts.append(part)
            start, wanted = start + len(part), wanted - len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _draw_order(self, seed: int, epoch: int) -> Tensor:
        device = self._y.device
        generator = torch.Generator(device).manual_seed(stream_seed(seed, epoch))
        return torch.randperm(len(self._y), generator=generator, device=device)


def _describe(x: Tensor) -> str:
    return f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)} on {x.device}"
