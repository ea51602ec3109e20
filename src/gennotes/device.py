"""Where the work runs and how: device, threads, memory and precision, decided here and nowhere else."""

import ctypes
import functools
import math
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

NAMES = ("cpu", "cuda", "mps")


def find(name: str | None = None) -> torch.device:
    """The device to work on: `name` if given, else the variable `GENNOTES_DEVICE`, else an accelerator, else the CPU.

    name: "cpu", "cuda", "cuda:1", "mps" or None.
    Raises ValueError if the name is not one of these, RuntimeError if this machine has no such device.
    """
    wanted = name or os.environ.get("GENNOTES_DEVICE", "")
    if not wanted:
        if not torch.accelerator.is_available():
            return torch.device("cpu")
        kind = torch.accelerator.current_accelerator().type
        rank = os.environ.get("LOCAL_RANK")  # torchrun gives each process of a machine a number, and so a GPU
        return torch.device(kind, int(rank)) if rank and kind == "cuda" else torch.device(kind)
    match = re.fullmatch(rf"({'|'.join(NAMES)})(?::([0-9]+))?", wanted)
    if match is None:
        raise ValueError(f"device {wanted!r} is unknown; give one of {', '.join(NAMES)} (or unset GENNOTES_DEVICE)")
    kind, index = match.groups()
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if int(index or 0) >= count:
        raise RuntimeError(f"device {wanted!r} is not on this machine; unset GENNOTES_DEVICE or set it to 'cpu'")
    return torch.device(wanted)


def describe(device: torch.device) -> str:
    """One phrase for `device`, such as "cuda (NVIDIA H200)" or "cpu (2 threads)"."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type


@contextmanager
def threads(count: int) -> Iterator[None]:
    """At most `count` threads of torch inside a `with` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, count)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def keep_memory() -> None:
    """Let the C library keep freed memory for the next allocation, where it is glibc.

    By default it hands large blocks back to the system, which fills them with zeros before it lends them again: the
    intermediate images of every step. What that costs is on the page on performance.
    """
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, most_mapped = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(most_mapped, 0)


def narrows(device: torch.device, precision: str) -> bool:
    """Whether matrix products and convolutions are to be in bfloat16: if "mixed" is asked for, and this device gains.

    precision: "float32" or "mixed". Raises ValueError for another one.
    """
    if precision not in ("float32", "mixed"):
        raise ValueError(f"{precision=}: give 'float32' or 'mixed'")
    return precision == "mixed" and gain_of_bfloat16(device) > 1.2


@functools.cache
def gain_of_bfloat16(device: torch.device) -> float:
    """How many times faster this device multiplies matrices in bfloat16 than in float32: a probe of some milliseconds.

    Above 2 on a processor with instructions for it, far below 1 on one without. It takes the sizes of a digit's layer.
    """
    if device.type not in ("cpu", "cuda"):
        return 0.0
    a, b = torch.zeros(128, 784, device=device), torch.zeros(784, 400, device=device)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda device: None

    def seconds(kind: torch.dtype) -> float:
        left, right = a.to(kind), b.to(kind)
        best = math.inf
        for _ in range(7):
            wait(device)
            start = time.perf_counter()
            for _ in range(5):
                left @ right
            wait(device)
            best = min(best, time.perf_counter() - start)
        return best

    return seconds(torch.float32) / seconds(torch.bfloat16)
