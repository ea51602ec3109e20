"""Networks set aside from training for a moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(*networks: Callable) -> Iterator[None]:
    """Evaluation mode inside a `with` block: no dropout, and batch norm by its stored averages.

    networks: modules, or other callables, which are left alone. At the end, after an error too, each submodule has the
    mode back that it had.
    """
    modules = [module for network in networks if isinstance(network, nn.Module) for module in network.modules()]
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
