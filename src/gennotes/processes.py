"""Several processes that train one run together, as `torchrun` starts them.

Each holds the same networks and its share of every batch. The mean of their gradients is that of the whole batch, so
for a network without layers that mix the samples of a batch the run is that of one process, within rounding.
"""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """Those of this run: `size` of them, of which this one is number `rank`."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that shows progress and writes."""
        return self.rank == 0

    def average(self, tensors: list[Tensor]) -> list[Tensor]:
        """The mean of each tensor over all processes, in one exchange."""
        if self.size == 1:
            return tensors
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        parts = (flat / self.size).split([tensor.numel() for tensor in tensors])
        return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in one of them."""
        if self.size == 1:
            return flag
        count = torch.tensor(float(flag), device="cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(count)
        return count.item() > 0


def join(device: torch.device) -> Processes:
    """The processes of this run: those that torchrun started, or this one alone.

    They exchange over NCCL between GPUs and over gloo elsewhere.
    """
    if not dist.is_available() or ("WORLD_SIZE" not in os.environ and not dist.is_initialized()):
        return Processes()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Processes(dist.get_rank(), dist.get_world_size())
