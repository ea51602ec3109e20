"""Where the work runs: the device and the number of threads, decided once and in one place."""

import os
import re

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
