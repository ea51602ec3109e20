"""An update as one CUDA graph: recorded once, then replayed by a single call.

The networks of this book are small enough that a GPU finishes a kernel before Python has launched the next one. A graph
launches all kernels of an update together. What it replays are operations on fixed addresses, so an update may be
recorded if it reads nothing back to the host, keeps its shapes, and takes what changes from step to step from tensors:
the batch, the random generator, the learning rate.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gennotes import draws
from gennotes.processes import Processes

EAGER = 3  # updates before the recording: libraries choose their algorithms and reserve memory in the first ones

Update = Callable[[Any], Mapping[str, Tensor]]


def possible(device: torch.device, team: Processes) -> bool:
    """Whether updates on this device, by these processes, are recorded: on CUDA, by one process."""
    return device.type == "cuda" and team.size == 1


class Captured:
    """`update(batch)`, recorded after `EAGER` calls and replayed from then on; each call is one update.

    generator: that the update draws from; a replay moves it on as the update itself would.

    Where the update cannot be recorded, it goes on without, and one line says why.
    """

    def __init__(self, update: Update, generator: draws.AnyGenerator) -> None:
        self.update, self.generator = update, generator
        self.calls, self.graph = 0, None

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        self.calls += 1
        if self.calls == EAGER + 1:
            self._record(batch)
        if self.graph is None or _form(batch) != _form(self.batch):  # a batch of another size is none of the graph's
            return self.update(batch)
        for name, tensor in _fields(batch).items():
            getattr(self.batch, name).copy_(tensor)
        self.graph.replay()
        return {name: value.clone() if isinstance(value, Tensor) else value for name, value in self.values.items()}

    def _record(self, batch: Any) -> None:
        """Record the update on a batch of its own. Nothing is computed by that, and no random number drawn."""
        self.batch = type(batch)(**{name: tensor.clone() for name, tensor in _fields(batch).items()})
        state, graph = self.generator.get_state(), torch.cuda.CUDAGraph()
        members = self.generator.members if isinstance(self.generator, draws.Generators) else [self.generator]
        for member in members:
            graph.register_generator_state(member)
        stream = torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph):
                self.values = self.update(self.batch)
            self.graph = graph
        except RuntimeError as error:
            torch.cuda.set_stream(stream)  # torch stays on the stream of a recording whose end fails
            before = error.__context__  # and that fails because something failed before
            first = before if isinstance(before, RuntimeError) else error
            if isinstance(first, torch.OutOfMemoryError):
                raise first from None
            self.generator.set_state(state)
            why = str(first).partition("\n")[0]
            print(f"the update runs without a CUDA graph: {why}")


def _fields(batch: Any) -> dict[str, Tensor]:
    return {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}


def _form(batch: Any) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in _fields(batch).items()}
