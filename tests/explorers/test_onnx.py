"""Every operator of onnx.js, run in the browser, against torch and against onnxruntime."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.nn import functional as F

from gennotes.explorers import network
from gennotes.explorers.network import encode, known_operators

TOLERANCES = {"float32": 1e-5, "float16": 2e-3}  # absolute, and relative where a value exceeds 1
RUNS = [("simd", "float32"), ("plain", "float32"), ("simd", "float16")]  # how products are computed, kind of weights
random = np.random.default_rng(0)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return random.uniform(low, high, shape).astype(np.float32)


def weights(*shape: int, inner: int) -> np.ndarray:
    """Numbers whose sums over `inner` products stay as large as what they multiply, as layers are initialised."""
    return floats(*shape, low=-((3 / inner) ** 0.5), high=(3 / inner) ** 0.5)


def ties() -> np.ndarray:
    return random.integers(-2, 3, (4, 5)).astype(np.float32)


def truths(*shape: int) -> np.ndarray:
    return random.random(shape) < 0.5


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@dataclass
class Case:
    """One node of a graph: `x` is its input, `constants` the inputs after it (None: left out)."""

    op: str
    x: np.ndarray
    torch: Callable[..., Any]
    constants: list[np.ndarray | None] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    first_is_constant: bool = False  # the graph's input is the second input of the node

    def model(self) -> onnx.ModelProto:
        """The graph of this node; whatever it gives is cast to float."""
        names = ["" if array is None else f"c{i}" for i, array in enumerate(self.constants)]
        inputs = [names[0], "x", *names[1:]] if self.first_is_constant else ["x", *names]
        node = onnx.helper.make_node(self.op, inputs, [f"y{i}" for i in range(self.outputs)], "node", **self.attributes)
        casts = [onnx.helper.make_node("Cast", [f"y{i}"], [f"z{i}"], to=1) for i in range(self.outputs)]
        kind = onnx.helper.np_dtype_to_tensor_dtype(self.x.dtype)
        graph = onnx.helper.make_graph(
            [node, *casts],
            "graph",
            [onnx.helper.make_tensor_value_info("x", kind, self.x.shape)],
            [onnx.helper.make_tensor_value_info(f"z{i}", 1, None) for i in range(self.outputs)],
            [onnx.numpy_helper.from_array(a, n) for n, a in zip(names, self.constants, strict=True) if a is not None],
        )
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)

    def by_torch(self) -> list[np.ndarray]:
        results = self.torch(
            torch.from_numpy(self.x), *[a if a is None else torch.from_numpy(a) for a in self.constants]
        )
        return [y.float().numpy() for y in (results if isinstance(results, (tuple, list)) else [results])]

    def by_onnxruntime(self) -> list[np.ndarray]:
        session = onnxruntime.InferenceSession(self.model().SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": self.x})


def unary(op: str, function: Callable, low: float = -4.0, high: float = 4.0, **attributes: Any) -> Case:
    return Case(op, floats(3, 37, low=low, high=high), function, attributes=attributes)


CASES = {
    "Abs": unary("Abs", torch.abs),
    "Add, both sides broadcast": Case("Add", floats(2, 1, 5), torch.add, [floats(3, 1)]),
    "Sub, a number from a tensor": Case("Sub", floats(2, 3), torch.sub, [floats()]),
    "Sub, a tensor from a number": Case("Sub", floats(2, 3), lambda x, c: c - x, [floats()], first_is_constant=True),
    "Mul, channels": Case("Mul", floats(1, 3, 4, 5), torch.mul, [floats(3, 1, 1)]),
    "Div": Case("Div", floats(4, 5), torch.div, [floats(5, low=0.5)]),
    "Pow": Case("Pow", floats(4, 5, low=0.1), torch.pow, [floats(4, 1)]),
    "Max": Case("Max", floats(4, 5), lambda x, a, b: torch.maximum(torch.maximum(x, a), b), [floats(5), floats()]),
    "Min": Case("Min", floats(4, 5), torch.minimum, [floats(4, 1)]),
    "Greater": Case("Greater", floats(4, 5), torch.gt, [floats(5)]),
    "Less": Case("Less", floats(4, 5), torch.lt, [floats(4, 1)]),
    "GreaterOrEqual": Case("GreaterOrEqual", ties(), torch.ge, [ties()]),
    "LessOrEqual": Case("LessOrEqual", ties(), torch.le, [ties()]),
    "Equal": Case("Equal", ties(), torch.eq, [ties()]),
    "And": Case("And", truths(4, 1), torch.logical_and, [truths(1, 5)]),
    "Or": Case("Or", truths(4, 5), torch.logical_or, [truths(5)]),
    "Not": Case("Not", truths(4, 5), torch.logical_not),
    "Where": Case(
        "Where",
        floats(2, 5),
        lambda x, c, b: torch.where(c, x, b),
        [np.array([[True], [False]]), floats(3, 1, 1)],
        first_is_constant=True,
    ),
    "Identity": unary("Identity", torch.clone),
    "Neg": unary("Neg", torch.neg),
    "Exp": unary("Exp", torch.exp, high=2.0),
    "Log": unary("Log", torch.log, low=0.01),
    "Sin": unary("Sin", torch.sin, low=-20.0, high=20.0),
    "Cos": unary("Cos", torch.cos, low=-20.0, high=20.0),
    "Sign": Case("Sign", np.float32([-3, -0.5, 0, 2]), torch.sign),
    "Floor": unary("Floor", torch.floor),
    "Sqrt": unary("Sqrt", torch.sqrt, low=0.0),
    "Reciprocal": unary("Reciprocal", torch.reciprocal, low=0.3),
    "Clip, both ends": Case(
        "Clip",
        floats(4, 5),
        lambda x, a, b: x.clamp(a.item(), b.item()),
        [np.array(-0.5, np.float32), np.array(1, np.float32)],
    ),
    "Clip, upper end": Case(
        "Clip", floats(4, 5), lambda x, _, b: x.clamp(max=b.item()), [None, np.array(0.25, np.float32)]
    ),
    "Relu": unary("Relu", torch.relu),
    "LeakyRelu": unary("LeakyRelu", lambda x: F.leaky_relu(x, 0.2), alpha=0.2),
    "LeakyRelu by default": unary("LeakyRelu", F.leaky_relu),
    "PRelu": Case("PRelu", floats(2, 3, 4), lambda x, a: F.prelu(x, a.ravel()), [floats(3, 1)]),
    "Elu": unary("Elu", lambda x: F.elu(x, 0.7), alpha=0.7),
    "Celu": unary("Celu", lambda x: F.celu(x, 0.6), alpha=0.6),
    "Selu": unary("Selu", F.selu),
    "Selu, every setting": unary("Selu", lambda x: 0.9 * F.elu(x, 1.3), alpha=1.3, gamma=0.9),
    "HardSigmoid": unary("HardSigmoid", F.hardsigmoid, alpha=1 / 6),
    "HardSigmoid by default": unary("HardSigmoid", lambda x: (0.2 * x + 0.5).clamp(0, 1)),
    "HardSwish": unary("HardSwish", F.hardswish),
    "Mish, far out": unary("Mish", F.mish, low=-90.0, high=90.0),
    "Sigmoid, far out": unary("Sigmoid", torch.sigmoid, low=-90.0, high=90.0),
    "Tanh": unary("Tanh", torch.tanh),
    "Softplus, far out": unary("Softplus", lambda x: torch.logaddexp(x, torch.zeros(())), low=-90.0, high=90.0),
    "Erf": unary("Erf", torch.erf),
    "Gelu": unary("Gelu", F.gelu),
    "Gelu by tanh": unary("Gelu", lambda x: F.gelu(x, approximate="tanh"), approximate="tanh"),
    "Cast to integers": unary("Cast", lambda x: x.to(torch.int64), to=7),
    "Cast to truth values": Case(
        "Cast", np.float32([[0.0, -0.5], [2.0, 0.0]]), lambda x: x.bool(), attributes={"to": 9}
    ),
    "Reshape with 0 and -1": Case("Reshape", floats(2, 3, 4), lambda x, _: x.reshape(2, 2, 6), [ints(0, 2, -1)]),
    "Flatten": Case("Flatten", floats(2, 3, 4), lambda x: x.reshape(6, 4), attributes={"axis": 2}),
    "Flatten from the end": Case("Flatten", floats(2, 3, 4, 5), lambda x: x.reshape(6, 20), attributes={"axis": -2}),
    "Unsqueeze": Case("Unsqueeze", floats(2, 3), lambda x, _: x.reshape(1, 2, 3, 1), [ints(0, -1)]),
    "Squeeze": Case("Squeeze", floats(1, 2, 1, 3), lambda x, _: x.squeeze(2), [ints(-2)]),
    "Squeeze everything": Case("Squeeze", floats(1, 2, 1, 3), torch.squeeze),
    "Transpose": Case(
        "Transpose", floats(2, 3, 4, 5), lambda x: x.permute(2, 0, 3, 1), attributes={"perm": [2, 0, 3, 1]}
    ),
    "Transpose by default": Case("Transpose", floats(2, 3, 4), lambda x: x.permute(2, 1, 0)),
    "Concat": Case(
        "Concat", floats(2, 1, 4), lambda *x: torch.cat(x, 1), [floats(2, 3, 4), floats(2, 2, 4)], {"axis": -2}
    ),
    "Split by sizes": Case(
        "Split", floats(3, 7, 2), lambda x, _: x.split([1, 4, 2], 1), [ints(1, 4, 2)], {"axis": 1}, 3
    ),
    "Split by count": Case("Split", floats(2, 7), lambda x: x.split(3, 1), [], {"axis": -1, "num_outputs": 3}, 3),
    "Slice": Case(
        "Slice",
        floats(5, 6, 7),
        lambda x, *_: x[1:5:2, :, -4:-1],
        [ints(1, -4), ints(2**63 - 1, -1), ints(0, 2), ints(2, 1)],
    ),
    "Slice backwards": Case(
        "Slice", floats(5, 6), lambda x, *_: x.flip(1)[:, ::2], [ints(-1), ints(-(2**63)), ints(1), ints(-2)]
    ),
    "Resize by scales": Case(
        "Resize",
        floats(1, 2, 3, 4),
        lambda x, *_: F.interpolate(x, scale_factor=(2.0, 3.0)),
        [None, np.float32([1, 1, 2, 3])],
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    "Resize by sizes, half pixels": Case(
        "Resize",
        floats(1, 2, 4, 6),
        lambda x, *_: F.interpolate(x, (8, 18), mode="nearest-exact"),
        [None, None, ints(1, 2, 8, 18)],
        {"mode": "nearest"},
    ),
    "Resize by scales, linear": Case(
        "Resize",
        floats(2, 3, 3, 4),
        lambda x, *_: F.interpolate(x, scale_factor=(2.0, 3.0), mode="bilinear"),
        [None, np.float32([1, 1, 2, 3])],
        {"mode": "linear"},
    ),
    "Resize by sizes, linear, smaller and larger": Case(
        "Resize",
        floats(1, 2, 7, 4),
        lambda x, *_: F.interpolate(x, (5, 9), mode="bilinear"),
        [None, None, ints(1, 2, 5, 9)],
        {"mode": "linear"},
    ),
    "Resize, linear, corners aligned": Case(
        "Resize",
        floats(1, 2, 4, 6),
        lambda x, *_: F.interpolate(x, (7, 1), mode="bilinear", align_corners=True),
        [None, None, ints(1, 2, 7, 1)],
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    "Expand": Case("Expand", floats(3, 1, 2), lambda x, _: x.expand(2, 3, 4, 2), [ints(2, 1, 4, 1)]),
    "Expand to fewer axes": Case("Expand", floats(2, 1, 3), lambda x, _: x.expand(2, 5, 3), [ints(5, 1)]),
    "Gather": Case(
        "Gather",
        floats(2, 5, 3),
        lambda x, i: x[:, i],
        [np.array([[0, -1], [3, 3]], np.int64)],
        {"axis": 1},
    ),
    "Gather one from the end": Case("Gather", floats(2, 3, 4), lambda x, _: x[..., -2], [np.array(-2)], {"axis": -1}),
    "Pad": Case("Pad", floats(1, 2, 3, 4), lambda x, _: F.pad(x, (1, 2, 3, 0)), [ints(0, 0, 3, 1, 0, 0, 0, 2)]),
    "Pad by a number, cut off, two axes": Case(
        "Pad",
        floats(2, 5, 4),
        lambda x, *_: F.pad(x, (-1, 2, 1, -2), value=0.5),
        [ints(1, -1, -2, 2), np.array(0.5, np.float32), ints(1, -1)],
    ),
    "Pad by reflection": Case(
        "Pad",
        floats(1, 2, 4, 5),
        lambda x, _: F.pad(x, (4, 1, 0, 3), mode="reflect"),
        [ints(0, 0, 0, 4, 0, 0, 3, 1)],
        {"mode": "reflect"},
    ),
    "Pad by the edge": Case(
        "Pad",
        floats(1, 2, 4, 5),
        lambda x, _: F.pad(x, (7, 1, 0, 3), mode="replicate"),
        [ints(0, 0, 0, 7, 0, 0, 3, 1)],
        {"mode": "edge"},
    ),
    "DepthToSpace, channels first": Case(
        "DepthToSpace",
        floats(2, 18, 2, 3),
        lambda x: F.pixel_shuffle(x, 3),
        attributes={"blocksize": 3, "mode": "CRD"},
    ),
    "DepthToSpace by default": Case(
        "DepthToSpace",
        floats(2, 12, 2, 3),
        lambda x: F.pixel_shuffle(x.reshape(2, 4, 3, 2, 3).transpose(1, 2).reshape(2, 12, 2, 3), 2),
        attributes={"blocksize": 2},
    ),
    "ReduceSum": Case("ReduceSum", floats(2, 3, 4), lambda x, _: x.sum((0, 2)), [ints(0, -1)], {"keepdims": 0}),
    "ReduceSum of everything": Case("ReduceSum", floats(2, 3, 4), lambda x: x.sum((0, 1, 2), keepdim=True)),
    "ReduceSum of nothing": Case("ReduceSum", floats(2, 3), lambda x, _: x, [ints()], {"noop_with_empty_axes": 1}),
    "ReduceMean": Case("ReduceMean", floats(2, 3, 4), lambda x, _: x.mean(1, keepdim=True), [ints(1)]),
    "ReduceMax": Case("ReduceMax", floats(2, 3, 4), lambda x, _: x.amax((0, 2)), [ints(0, -1)], {"keepdims": 0}),
    "ReduceL2": Case("ReduceL2", floats(2, 3, 4), lambda x, _: x.norm(dim=1, keepdim=True), [ints(-2)]),
    "LogSoftmax, large values": Case(
        "LogSoftmax", floats(2, 5, 3, low=-200, high=200), lambda x: x.log_softmax(1), attributes={"axis": 1}
    ),
    "Softmax": Case("Softmax", floats(2, 5, 3), lambda x: x.softmax(1), attributes={"axis": -2}),
    "Softmax, large values": Case(
        "Softmax", floats(2, 5, 3, low=-200, high=200), lambda x: x.softmax(1), attributes={"axis": 1}
    ),
    "BatchNormalization": Case(
        "BatchNormalization",
        floats(2, 3, 4, 5),
        lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b, eps=1e-3),
        [floats(3), floats(3), floats(3), floats(3, low=0.1)],
        {"epsilon": 1e-3},
    ),
    "InstanceNormalization": Case(
        "InstanceNormalization",
        floats(2, 3, 4, 5, low=3.0, high=9.0),
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=0.1),
        [floats(3), floats(3)],
        {"epsilon": 0.1},
    ),
    "LayerNormalization": Case(
        "LayerNormalization", floats(2, 3, 7, low=3.0, high=9.0), lambda x, w: F.layer_norm(x, (7,), w), [floats(7)]
    ),
    "LayerNormalization over two axes": Case(
        "LayerNormalization",
        floats(2, 3, 7),
        lambda x, w, b: F.layer_norm(x, (3, 7), w, b, eps=0.1),
        [floats(3, 7), floats(3, 7)],
        {"axis": -2, "epsilon": 0.1},
    ),
    "MaxPool": Case(
        "MaxPool",
        floats(2, 3, 9, 7),
        lambda x: F.max_pool2d(x, (3, 2), (2, 3), (1, 0), (2, 1)),
        attributes={"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 1, 0], "dilations": [2, 1]},
    ),
    "MaxPool, window over the edge": Case(
        "MaxPool",
        floats(1, 2, 6, 5),
        lambda x: F.max_pool2d(x, 2, 3, 1, ceil_mode=True),
        attributes={"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1] * 4, "ceil_mode": 1},
    ),
    "MaxPool on lines": Case(
        "MaxPool",
        floats(1, 2, 9),
        lambda x: F.max_pool1d(x, 3, 2, 1),
        attributes={"kernel_shape": [3], "strides": [2], "pads": [1, 1]},
    ),
    "AveragePool": Case(
        "AveragePool",
        floats(2, 3, 7, 6),
        lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 0), count_include_pad=False),
        attributes={"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 0]},
    ),
    "AveragePool, padding counts, window over the edge": Case(
        "AveragePool",
        floats(1, 2, 6, 7),
        lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
        attributes={
            "kernel_shape": [3, 3],
            "strides": [2, 2],
            "pads": [1] * 4,
            "ceil_mode": 1,
            "count_include_pad": 1,
        },
    ),
    "AveragePool on lines": Case(
        "AveragePool",
        floats(1, 2, 9),
        lambda x: F.avg_pool1d(x, 4, 3),
        attributes={"kernel_shape": [4], "strides": [3]},
    ),
    "GlobalAveragePool": Case("GlobalAveragePool", floats(2, 3, 4, 5), lambda x: x.mean((2, 3), keepdim=True)),
    "Gemm": Case("Gemm", floats(5, 7), torch.matmul, [weights(7, 300, inner=7)]),
    "Gemm, every setting": Case(
        "Gemm",
        floats(7, 5),
        lambda x, b, c: 0.5 * x.T @ b.T + 2.0 * c,
        [weights(6, 7, inner=7), floats(6)],
        {"alpha": 0.5, "beta": 2.0, "transA": 1, "transB": 1},
    ),
    "Gemm of more rows and columns than a tile": Case("Gemm", floats(9, 6), torch.matmul, [weights(6, 19, inner=6)]),
    "Gemm of one row and column": Case(
        "Gemm", floats(1, 6), lambda x, b: x @ b.T, [weights(1, 6, inner=6)], {"transB": 1}
    ),
    "Gemm of long sums": Case("Gemm", floats(1, 5000), torch.matmul, [weights(5000, 12, inner=5000)]),
    "MatMul, axes before": Case("MatMul", floats(2, 1, 3, 5), torch.matmul, [weights(4, 5, 6, inner=5)]),
    "MatMul of a vector": Case("MatMul", floats(5), torch.matmul, [weights(3, 5, 6, inner=5)]),
    "MatMul by a vector": Case("MatMul", floats(2, 3, 40), torch.matmul, [weights(40, inner=40)]),
    "MatMul, weights on the left": Case(
        "MatMul", floats(5, 7), lambda x, c: c @ x, [weights(9, 5, inner=5)], first_is_constant=True
    ),
    "Conv": Case("Conv", floats(1, 3, 9, 8), F.conv2d, [weights(5, 3, 3, 2, inner=18), floats(5)]),
    "Conv, every setting": Case(
        "Conv",
        floats(2, 4, 11, 13),
        lambda x, w, b: F.conv2d(F.pad(x, (0, 3, 2, 1)), w, b, stride=(2, 3), dilation=(2, 1), groups=2),
        [weights(18, 2, 3, 4, inner=24), floats(18)],
        {"strides": [2, 3], "pads": [2, 0, 1, 3], "dilations": [2, 1], "group": 2},
    ),
    "Conv, windows in the padding only": Case(
        "Conv",
        floats(1, 2, 3, 2),
        lambda x, w: F.conv2d(F.pad(x, (3, 4, 0, 3)), w, stride=(1, 2)),
        [floats(5, 2, 1, 1)],
        {"pads": [0, 3, 3, 4], "strides": [1, 2]},
    ),
    "Conv by depth, without bias": Case(
        "Conv",
        floats(1, 4, 6, 6),
        lambda x, w: F.conv2d(x, w, padding=2, groups=4),
        [weights(8, 1, 5, 5, inner=25)],
        {"pads": [2] * 4, "group": 4},
    ),
    "Conv to one pixel": Case("Conv", floats(1, 3, 4, 4), F.conv2d, [weights(20, 3, 4, 4, inner=48), floats(20)]),
    "Conv on lines, every setting": Case(
        "Conv",
        floats(2, 4, 17),
        lambda x, w, b: F.conv1d(F.pad(x, (2, 1)), w, b, stride=2, dilation=3, groups=2),
        [weights(6, 2, 4, inner=8), floats(6)],
        {"strides": [2], "pads": [2, 1], "dilations": [3], "group": 2},
    ),
    "ConvTranspose": Case(
        "ConvTranspose", floats(1, 3, 4, 5), F.conv_transpose2d, [weights(3, 2, 3, 2, inner=18), floats(2)]
    ),
    "ConvTranspose, every setting": Case(
        "ConvTranspose",
        floats(2, 4, 5, 4),
        lambda x, w, b: F.conv_transpose2d(
            x, w, b, stride=(3, 2), padding=(2, 1), output_padding=(2, 1), dilation=(2, 3), groups=2
        ),
        [weights(4, 3, 3, 2, inner=12), floats(6)],
        {"strides": [3, 2], "pads": [2, 1, 2, 1], "output_padding": [2, 1], "dilations": [2, 3], "group": 2},
    ),
    "ConvTranspose, uneven padding": Case(
        "ConvTranspose",
        floats(1, 2, 4, 4),
        lambda x, w: F.conv_transpose2d(x, w, stride=2)[:, :, 1:, :-2],
        [weights(2, 3, 4, 4, inner=32)],
        {"strides": [2, 2], "pads": [1, 0, 0, 2]},
    ),
    "ConvTranspose on lines": Case(
        "ConvTranspose",
        floats(1, 3, 7),
        lambda x, w, b: F.conv_transpose1d(x, w, b, stride=3, padding=1, output_padding=2),
        [weights(3, 2, 4, inner=12), floats(2)],
        {"strides": [3], "pads": [1, 1], "output_padding": [2]},
    ),
}


def deviation(mine: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """The largest difference, relative where their value exceeds 1."""
    assert [a.size for a in mine] == [b.size for b in theirs]
    return max(
        float((np.abs(a - b.ravel()) / np.maximum(1, np.abs(b.ravel()))).max())
        for a, b in zip(mine, theirs, strict=True)
    )


@pytest.fixture(scope="module")
def results(run_in_page) -> dict[tuple[str, str], dict[str, list[np.ndarray]]]:
    """For each of RUNS what every case gives; not even short tensors are spared from half precision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "INLINE", 0)
        jobs = {
            precision: [(encode(case.model(), precision=precision).content, [case.x]) for case in CASES.values()]
            for precision in TOLERANCES
        }
    return {
        (way, precision): dict(zip(CASES, run_in_page(jobs[precision], way=way), strict=True))
        for way, precision in RUNS
    }


@pytest.mark.parametrize("run", RUNS, ids=" ".join)
@pytest.mark.parametrize("name", CASES)
def test_operator_equals_torch_and_onnxruntime(name, run, results):
    assert deviation(results[run][name], CASES[name].by_torch()) <= TOLERANCES[run[1]]
    assert deviation(results[run][name], CASES[name].by_onnxruntime()) <= TOLERANCES[run[1]]


def test_the_table_of_the_largest_deviations_is_complete(results):
    """`pytest -s -k table` prints it: for each operator the larger one of those from torch and from onnxruntime."""
    largest = {op: dict.fromkeys(RUNS, 0.0) for op in sorted(known_operators())}
    for name, case in CASES.items():
        theirs = [case.by_torch(), case.by_onnxruntime()]
        for run in RUNS:
            here = max(deviation(results[run][name], outputs) for outputs in theirs)
            largest[case.op][run] = max(largest[case.op][run], here)
    print(f"\n{'operator':24}" + "".join(f"{' '.join(run):>16}" for run in RUNS))
    for op, values in largest.items():
        print(f"{op:24}" + "".join(f"{value:16.1e}" for value in values.values()))
    totals = {run: max(values[run] for values in largest.values()) for run in RUNS}
    assert all(0 < total <= TOLERANCES[precision] for (_, precision), total in totals.items())
    assert totals["simd", "float16"] > totals["simd", "float32"]  # half precision was at work


def test_every_operator_has_a_case():
    assert {case.op for case in CASES.values()} == known_operators()


MISTAKES = {
    "Conv, every setting": [
        ("tapY * w.dilations[0]) * width", "tapY * w.dilations[1]) * width"),
        ("columns) * w.strides[0] * width", "columns) * w.strides[1] * width"),
        ("part(bias.data, g, w.group)", "bias.data"),
        ("kernels[i % w.group], windows", "kernels[0], windows"),
        ("set(upper, loadFour(get(panel), 16))", "set(upper, loadFour(get(panel), 0))"),
    ],
    "Conv to one pixel": [
        ("(row < rows && bias?.[row])", "bias?.[0]"),
        ("panel += 4 * LANES * (inner + 1)", "panel += 0"),
    ],
    "Conv on lines, every setting": [("pads: [0, pads[0], 0, pads[1]]", "pads: [0, pads[1], 0, pads[0]]")],
    "ConvTranspose, every setting": [
        ("length - 1) + extra[axis]", "length - 1)"),
        ("out[line + i * strideX] +=", "out[line + i * strideX] ="),
        ("rowStep: 1,\n      innerStep: rows", "rowStep: inner,\n      innerStep: 1"),
    ],
    "Gemm of more rows and columns than a tile": [
        ("Math.min(next, columns - 4)", "next"),
        ("get(sum[row < 4 ? 0 : 1])", "get(sum[row < 4 ? 1 : 0])"),
        ("4 * c, get(sum[", "4 * (c ^ 1), get(sum["),
        ("set(high, loadFour(get(panel), 16)),\n      set", "set(high, loadFour(get(panel), 0)),\n      set"),
    ],
    "MatMul, axes before": [("[rows, columns], [1, rows]", "[rows, columns], [columns, 1]")],
    "InstanceNormalization": [
        ("squares / length + epsilon", "squares / (length - 1) + epsilon"),
        ("slope * (given[i] - mean)", "slope * given[i]"),
    ],
    "LayerNormalization over two axes": [
        ("size(x.shape.slice(positive(axis, x.shape.length)))", "x.shape.at(-1)"),
        ("bias ? Add([scaled, bias]) : scaled", "scaled"),
    ],
    "AveragePool, padding counts, window over the edge": [
        ("sum / covered", "sum / 9"),
        ("= attributes.ceil_mode;", "= 0;"),
    ],
    "MaxPool, window over the edge": [("< length + pads[axis]", "<= length + pads[axis]")],
    "Resize by sizes, linear, smaller and larger": [("(i + 0.5) / scale - 0.5", "i / scale")],
    "Pad by reflection": [("2 * (length - 1) - at", "2 * length - 1 - at"), ("at < 0 ? -at", "at < 0 ? -at - 1")],
    "Gemm, every setting": [
        ("alpha * v + beta * bias", "alpha * (v + beta * bias)"),
        ("transB ? [b.shape[1], b.shape[0]]", "transB ? b.shape"),
    ],
    "BatchNormalization": [
        ("variance.data[c] + epsilon", "variance.data[c]"),
        ("bias.data[c] - slope * mean", "bias.data[c] - mean"),
    ],
    "Gelu": [("0.5 * v * (1 + erf(v * Math.SQRT1_2))", "0.5 * v * (1 + erf(v))"), ("0.3275911", "0.3275")],
}


@pytest.mark.parametrize(
    ("name", "right", "wrong"), [(name, *pair) for name, pairs in MISTAKES.items() for pair in pairs]
)
def test_a_planted_mistake_is_seen(name, right, wrong, run_in_page):
    assert not_equal(name, (right, wrong), "simd", run_in_page)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("s23 += a2 * b3", "s23 += a2 * b2"),
        ("top < LANES; top += 4", "top < 4; top += 4"),
        ("+ (i & 3)]", "+ (i >> 2)]"),
    ],
)
def test_a_planted_mistake_is_seen_without_webassembly(right, wrong, run_in_page):
    assert not_equal("Gemm of more rows and columns than a tile", (right, wrong), "plain", run_in_page)


def not_equal(name: str, edit: tuple[str, str], way: str, run_in_page) -> bool:
    """True if the interpreter with this edit gives something else than torch, or another shape."""
    case = CASES[name]
    (mine,) = run_in_page([(encode(case.model(), precision="float32").content, [case.x])], edit, way)
    theirs = case.by_torch()
    if [a.size for a in mine] != [b.size for b in theirs]:
        return True
    return not deviation(mine, theirs) <= TOLERANCES["float32"]


def test_integers_divide_towards_zero(run_in_page):
    cast = [onnx.helper.make_node("Cast", ["x"], ["i"], to=7), onnx.helper.make_node("Div", ["i", "d"], ["q"])]
    graph = onnx.helper.make_graph(
        [*cast, onnx.helper.make_node("Cast", ["q"], ["y"], to=1)],
        "graph",
        [onnx.helper.make_tensor_value_info("x", 1, [2])],
        [onnx.helper.make_tensor_value_info("y", 1, [2])],
        [onnx.numpy_helper.from_array(ints(2), "d")],
    )
    ((mine,),) = run_in_page([(encode(onnx.helper.make_model(graph)).content, [np.float32([-7, 7])])])
    assert mine.tolist() == [-3, 3]


@pytest.mark.parametrize(
    ("op", "attributes", "outputs", "words"),
    [
        ("MaxPool", {"kernel_shape": [2, 2]}, 2, "MaxPool of node 'node' with outputs = 2"),
        ("AveragePool", {"kernel_shape": [2] * 3}, 1, "AveragePool of node 'node' with kernel rank = 3"),
        ("Pad", {"mode": "wrap"}, 1, "Pad of node 'node' with mode = 'wrap'"),
        ("Resize", {"mode": "linear", "antialias": 1}, 1, "Resize of node 'node' with antialias = 1"),
    ],
)
def test_settings_beyond_the_interpreter_are_refused(op, attributes, outputs, words):
    with pytest.raises(ValueError, match=words):
        encode(Case(op, floats(1, 1, 4, 4), abs, attributes=attributes, outputs=outputs).model())
