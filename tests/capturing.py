"""CUDA graphs without a GPU: what an update asks of torch, operator by operator, and a graph that a CPU replays."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NOT_PERMITTED = "CUDA error: operation not permitted when stream is capturing"
FAILED_BEFORE = "CUDA error: operation failed due to a previous error during capture"
INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::_unsafe_index")
METHODS = (
    *("item", "tolist", "numpy", "cpu", "is_nonzero", "__bool__", "__float__", "__int__", "__index__", "__complex__"),
    *("__array__", "__contains__", "__repr__", "__format__"),
)


class HostRead(AssertionError):
    """The host waits for a number of the device, or the device for one of the host: no graph can hold that."""


def reads_back(function: Any, args: tuple) -> bool:
    """Whether an operator hands numbers to the host, or gives a result whose shape depends on them.

    Torch tags those that do, save that it does not tell an index of places from a mask.
    """
    if function._schema.name in INDEXING:
        return any(isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8) for x in args[1])
    read = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
    return bool(read & set(function.tags)) or function._schema.name == "aten::is_nonzero"


def storage(tensor: Tensor) -> int:
    """The address of a tensor's memory; views share it, and what has no elements has 0."""
    return tensor.untyped_storage().data_ptr()


class NoReads(TorchFunctionMode):
    """Refuses the methods of tensors that hand a number to Python: some call no operator on a CPU."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") in METHODS:
            raise HostRead(f"Tensor.{function.__name__} reads to the host")
        return function(*args, **(kwargs or {}))


class Recorder(TorchDispatchMode):
    """Writes a line for each operator: its name, what it takes and what it gives.

    names: of memory that is there before, by its address. A tensor is written as its place, type, shape and strides.
    The place is the name, "line.i" for the i-th result of an operator seen before, or else the bare address.
    Raises HostRead at an operator that reads to the host, or that takes a number of the host as a tensor.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()
        self.places: dict[int, str] = {0: "empty", **names}
        self.lines: list[str] = []
        self.strangers: list[str] = []  # lines that take memory without a name
        self.kept: list[Any] = []  # alive, so that no address stands for two tensors

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function.namespace == "profiler":
            return function(*args, **kwargs)
        if reads_back(function, args):
            raise HostRead(f"{function} reads to the host")
        if function._schema.name == "aten::lift_fresh":
            raise HostRead("a tensor is made of numbers of the host")
        given = tree_leaves((args, kwargs))
        unknown = any(isinstance(x, Tensor) and storage(x) not in self.places for x in given)
        taken = ", ".join(self._describe(x) for x in given)
        result = function(*args, **kwargs)
        results = tree_leaves(result)
        for i, x in enumerate(results):
            if isinstance(x, Tensor):
                self.places.setdefault(storage(x), f"{len(self.lines)}.{i}")
        self.lines.append(f"{function}({taken}) -> {', '.join(self._describe(x) for x in results)}")
        if unknown:
            self.strangers.append(self.lines[-1])
        self.kept.append((given, results))
        return result

    def _describe(self, x: Any) -> str:
        if isinstance(x, Tensor):
            place = self.places.setdefault(storage(x), f"{storage(x):#x}")
            form = f"{str(x.dtype).removeprefix('torch.')}{tuple(x.shape)}{x.stride()}"
            return f"[{place}+{x.storage_offset()} {form}]"
        return f"generator {x._cdata:#x}" if isinstance(x, torch.Generator) else repr(x)


def difference(one: Recorder, other: Recorder) -> str | None:
    """The first line in which two recordings differ, of both; None if they are the same."""
    for i in range(max(len(one.lines), len(other.lines))):
        a, b = ((r.lines[i] if i < len(r.lines) else "the end") for r in (one, other))
        if a != b:
            return f"operator {i}: {a}\n  then {b}"
    return None


class FakeGraph:
    """Stands for torch.cuda.CUDAGraph on a CPU: notes the operators and does them again on the very same tensors.

    While it records, nothing is computed: the tensors that were there before are put back, the results are filled with
    NaN, and the generators are put back. If the recording fails, the generators stay where they are.
    An operator that reads to the host fails as it does on a GPU. A draw from a generator that was not registered is an
    AssertionError, which no code of the package catches.
    """

    def __init__(self) -> None:
        self.generators: list[torch.Generator] = []
        self.calls: list[tuple[Callable, Any, Any, list[tuple[int, Tensor]]]] = []
        self.replays = 0

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        self.replays += 1
        with torch.no_grad(), torch._C._AutoDispatchBelowAutograd():
            for function, args, kwargs, fresh in self.calls:
                results = tree_leaves(function(*args, **kwargs))
                for i, tensor in fresh:
                    tensor.copy_(results[i])

    def before(self, function: Any) -> None:
        """Called before each operator that is recorded."""


class _Tape(TorchDispatchMode):
    """Notes operators in a graph, and what they find."""

    def __init__(self, graph: FakeGraph) -> None:
        super().__init__()
        self.graph = graph
        self.found: dict[int, tuple[Tensor, Tensor]] = {}  # memory from outside: its bytes, and a copy of them
        self.states: dict[int, tuple[torch.Generator, Tensor]] = {}
        self.made: set[int] = {0}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function.namespace == "profiler":
            return function(*args, **kwargs)
        self.graph.before(function)
        if reads_back(function, args):
            raise RuntimeError(f"{NOT_PERMITTED}\nCUDA kernel errors might be asynchronously reported")
        given = tree_leaves((args, kwargs))
        generators = [x for x in given if isinstance(x, torch.Generator)]
        if torch.Tag.nondeterministic_seeded in function.tags:
            assert generators, f"{function} draws from torch's global generator"
        for x in generators:
            registered = any(x._cdata == one._cdata for one in self.graph.generators)  # x is another Python object
            assert registered, f"{function} draws from a generator that is not registered"
            self.states.setdefault(x._cdata, (x, x.get_state()))
        for x in given:
            if isinstance(x, Tensor) and storage(x) not in self.made | self.found.keys():
                memory = torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage())
                self.found[storage(x)] = memory, memory.clone()
        result = function(*args, **kwargs)
        fresh = [
            (i, x)
            for i, x in enumerate(tree_leaves(result))
            if isinstance(x, Tensor) and storage(x) not in self.made | self.found.keys()
        ]
        self.made.update(storage(x) for _, x in fresh)
        as_given = tree_map(lambda x: x, (args, kwargs))  # lists of its own
        self.graph.calls.append((function, *as_given, fresh))
        return result

    def forget(self) -> None:
        """Put all tensors back into what they were."""
        for memory, copy in self.found.values():
            memory.copy_(copy)
        with torch.no_grad():
            for *_, fresh in self.graph.calls:
                for _, x in fresh:
                    if x.is_floating_point():
                        x.detach().fill_(float("nan"))


@contextmanager
def fake_capture(graph: FakeGraph) -> Iterator[None]:
    """Stands for torch.cuda.graph: after an error of CUDA, its end fails too, and leaves the stream as it is."""
    tape, stream = _Tape(graph), torch.cuda.current_stream()
    torch.cuda.set_stream("of the recording")
    try:
        with tape:
            yield
    except RuntimeError as error:
        if "CUDA error" in str(error):
            raise RuntimeError(f"{FAILED_BEFORE}\nCUDA kernel errors might be asynchronously reported")  # noqa: B904
        torch.cuda.set_stream(stream)
        raise
    finally:
        tape.forget()
    torch.cuda.set_stream(stream)
    for generator, state in tape.states.values():
        generator.set_state(state)
