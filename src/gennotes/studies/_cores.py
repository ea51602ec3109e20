"""Runs that do not know of each other, on all cores of a processor."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch


def run_all(run: Callable[..., Any], arguments: Sequence[tuple], device: torch.device) -> list[Any]:
    """`run(*given)` for each of `arguments`, in their order. On a processor each core does one of its own, with one
    thread, in a process of its own; elsewhere they go one by one.

    run: a function of a module, which a fresh process can import.
    """
    cores = os.cpu_count() or 1
    if device.type != "cpu" or cores == 1:
        return [run(*given) for given in arguments]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, spawn, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(run, *zip(*arguments, strict=True)))
