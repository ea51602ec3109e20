"""Packs a trained network into JSON that `onnx.js` runs in the page.

A module is exported to an ONNX graph, its constants are folded, its weights become half-precision numbers in one base64
string. What the page cannot run is refused here, at export, by the name of the operator and of the layer.
"""

import ast
import base64
import contextlib
import copy
import functools
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

INTERPRETER = Path(__file__).with_name("onnx.js")
PAGE_LIMIT = 4_500_000  # characters of one page that may go to weights
INLINE = 16  # a tensor of at most so many numbers keeps full precision: an epsilon would vanish in half precision

Precision = Literal["float16", "float32"]


@dataclass(frozen=True)
class Network:
    """A packed network: what `load` of `onnx.js` takes, ready for `json.dumps`."""

    content: dict[str, Any]

    def to_json(self) -> str:
        """The text that stands in the page."""
        return json.dumps(self.content, separators=(",", ":"))

    @property
    def characters(self) -> int:
        """Length of that text."""
        return len(self.to_json())


def pack(
    module: nn.Module,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    precision: Precision = "float16",
    limit: int = PAGE_LIMIT,
) -> Network:
    """Exports `module` in evaluation mode, for inputs of exactly the shape of `example`.

    module: any module on any device, in any mode; it is copied, never changed.
    example: one tensor or a tuple of tensors as `module` takes them; the batch axis usually is 1.
    inputs, outputs: names under which the page passes and reads the arrays; by default the names that torch gives.
    precision: of the weights; half precision moves a decoder's pixels by less than 2e-3 and halves the page.
    limit: how long the JSON may be, in characters.

    Raises ValueError if the graph needs an operator that `onnx.js` lacks (naming operator and layer), if torch cannot
    export the module, if a weight is not finite or does not fit the precision, or if the text is longer than `limit`.
    """
    return encode(export(module, example, inputs=inputs, outputs=outputs), precision=precision, limit=limit)


def export(
    module: nn.Module,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
) -> Any:
    """The graph of `module` as an onnx.ModelProto with its weights inside; see `pack`."""
    twin = copy.deepcopy(module).to("cpu", torch.float32).eval()
    given = example if isinstance(example, tuple) else (example,)
    arguments = tuple(x.detach().cpu().float() if x.is_floating_point() else x.detach().cpu() for x in given)
    try:
        with _silence(), torch.no_grad():
            return torch.onnx.export(
                twin,
                arguments,
                input_names=inputs,
                output_names=outputs,
                dynamo=True,
                external_data=False,
                optimize=True,
                verbose=False,
            ).model_proto
    except Exception as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if "No ONNX function" in line), lines[0] if lines else repr(error))
        raise ValueError(
            f"torch cannot export {type(module).__name__} to ONNX: {reason}; "
            "write its forward in tensor operations that torch.onnx.export knows"
        ) from error


def encode(model: Any, *, precision: Precision = "float16", limit: int = PAGE_LIMIT) -> Network:
    """Packs a graph that is already in ONNX (`model`: an onnx.ModelProto with its weights inside); see `pack`."""
    import onnx  # takes 0.1 s, and only a page that packs needs it

    if precision not in ("float16", "float32"):
        raise ValueError(f"precision {precision!r} is unknown; give 'float16' or 'float32'")
    graph = model.graph
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant":
            value = onnx.helper.get_attribute_value(node.attribute[0])
            tensors[node.output[0]] = (
                onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
            )
        else:
            nodes.append(node)
    _refuse_unknown(nodes, tensors)

    used = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
    constants, blocks = _split({name: array for name, array in tensors.items() if name in used}, precision)
    content = {
        "inputs": [_port(value) for value in graph.input if value.name not in tensors],
        "outputs": [_port(value) for value in graph.output],
        "nodes": [
            {
                "op": node.op_type,
                "name": node.name,
                "inputs": list(node.input),
                "outputs": list(node.output),
                "attributes": _attributes(node),
            }
            for node in nodes
        ],
        "constants": constants,
        "precision": precision,
        "weights": base64.b64encode(b"".join(blocks)).decode(),
    }
    network = Network(content)
    if network.characters > limit:
        count = sum(len(block) for block in blocks) // np.dtype(precision).itemsize
        raise ValueError(
            f"the packed network is {network.characters:,} characters ({count:,} weights in {precision}), "
            f"the page's limit is {limit:,}; use a narrower network{'' if precision == 'float16' else ' or float16'}"
        )
    return network


@functools.cache
def known_operators() -> frozenset[str]:
    """The operators that the page can run, read from the table in `onnx.js`."""
    table = re.search(
        r"^export const operators = \{(.*?)^\};", INTERPRETER.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return frozenset(re.findall(r"\w+", table.group(1)))


@functools.cache
def known_limits() -> dict[str, dict[str, list]]:
    """Attribute values to which `onnx.js` limits an operator, read from its table."""
    table = re.search(r"^export const limits = (\{.*?^\});", INTERPRETER.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return json.loads(table.group(1))


def _refuse_unknown(nodes: list, tensors: dict[str, np.ndarray]) -> None:
    """Raises ValueError naming every operator, and its layer, that the page cannot run."""
    faults = []
    for node in nodes:
        if node.domain not in ("", "ai.onnx") or node.op_type not in known_operators():
            faults.append(f"operator {node.op_type} of {_layer(node)}")
            continue
        given = _attributes(node)
        if len(node.input) > 1 and node.input[1] in tensors:
            given["weight rank"] = tensors[node.input[1]].ndim
        given["kernel rank"] = len(given.get("kernel_shape", []))
        given["outputs"] = sum(name != "" for name in node.output)
        for name, accepted in known_limits().get(node.op_type, {}).items():
            if name in given and given[name] not in accepted:
                faults.append(f"operator {node.op_type} of {_layer(node)} with {name} = {given[name]!r}")
    if faults:
        raise ValueError(
            f"the page cannot run {'; '.join(faults)}; use another layer, or add the operator to onnx.js, "
            f"which knows {', '.join(sorted(known_operators()))}"
        )


def _layer(node: Any) -> str:
    """The torch module that a node comes from, such as "layer 'decoder.0' (Linear)"."""
    found = {entry.key: entry.value for entry in node.metadata_props}
    scopes = ast.literal_eval(found.get("pkg.torch.onnx.name_scopes", "[]"))[:-1]
    classes = ast.literal_eval(found.get("pkg.torch.onnx.class_hierarchy", "[]"))[:-1]
    if not scopes:
        return f"node {node.name!r}"
    kind = classes[-1].rpartition(".")[2] if classes else "module"
    return f"layer {scopes[-1]!r} ({kind})" if scopes[-1] else f"the outermost module ({kind})"


def _port(value: Any) -> dict[str, Any]:
    """Name and shape of an input or an output of the graph."""
    return {"name": value.name, "shape": [axis.dim_value for axis in value.type.tensor_type.shape.dim]}


def _attributes(node: Any) -> dict[str, Any]:
    """Numbers, strings and lists of them; tensors and subgraphs belong to operators that the page does not know."""
    import onnx

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.decode()
        return [plain(v) for v in value] if isinstance(value, list) else value

    values = {attribute.name: plain(onnx.helper.get_attribute_value(attribute)) for attribute in node.attribute}
    return {name: value for name, value in values.items() if isinstance(value, (str, int, float, list))}


def _split(tensors: dict[str, np.ndarray], precision: Precision) -> tuple[dict[str, Any], list[bytes]]:
    """Short tensors and integers go into the JSON as numbers, the others into one run of weights."""
    constants, blocks, start = {}, [], 0
    for name, array in tensors.items():
        kind = "bool" if array.dtype == bool else "int" if np.issubdtype(array.dtype, np.integer) else "float"
        entry: dict[str, Any] = {"shape": list(array.shape), "kind": kind}
        if kind == "float":
            array = array.astype(np.float32)
            if not np.isfinite(array).all():
                raise ValueError(f"weight {name!r} holds numbers that are not finite; train the network anew")
        if kind != "float" or array.size <= INLINE:
            entry["values"] = array.ravel().astype(int if kind == "bool" else array.dtype).tolist()
        else:
            if precision == "float16" and np.abs(array).max() > np.finfo(np.float16).max:
                raise ValueError(
                    f"weight {name!r} reaches {np.abs(array).max():g}, beyond half precision; give precision='float32'"
                )
            entry["start"] = start
            start += array.size
            blocks.append(array.astype(np.dtype(precision).newbyteorder("<")).tobytes())
        constants[name] = entry
    return constants, blocks


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The exporter prints, warns and logs on its way; none of it concerns the reader of a page."""
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
