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

from gennotes.explorers.host import read
from gennotes.explorers.network import encode, known_operators

TOLERANCE = 1e-5  # absolute, and relative where a value exceeds 1
random = np.random.default_rng(0)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return random.uniform(low, high, shape).astype(np.float32)


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
    "GlobalAveragePool": Case("GlobalAveragePool", floats(2, 3, 4, 5), lambda x: x.mean((2, 3), keepdim=True)),
    "Gemm": Case("Gemm", floats(5, 7), torch.matmul, [floats(7, 300)]),
    "Gemm, every setting": Case(
        "Gemm",
        floats(7, 5),
        lambda x, b, c: 0.5 * x.T @ b.T + 2.0 * c,
        [floats(6, 7), floats(6)],
        {"alpha": 0.5, "beta": 2.0, "transA": 1, "transB": 1},
    ),
    "Gemm of more rows than a block": Case("Gemm", floats(9, 6), torch.matmul, [floats(6, 10)]),
    "Gemm of one row and column": Case("Gemm", floats(1, 6), lambda x, b: x @ b.T, [floats(1, 6)], {"transB": 1}),
    "MatMul, axes before": Case("MatMul", floats(2, 1, 3, 5), torch.matmul, [floats(4, 5, 6)]),
    "MatMul of a vector": Case("MatMul", floats(5), torch.matmul, [floats(3, 5, 6)]),
    "Conv": Case("Conv", floats(1, 3, 9, 8), F.conv2d, [floats(5, 3, 3, 2), floats(5)]),
    "Conv, every setting": Case(
        "Conv",
        floats(2, 4, 11, 13),
        lambda x, w, b: F.conv2d(F.pad(x, (0, 3, 2, 1)), w, b, stride=(2, 3), dilation=(2, 1), groups=2),
        [floats(6, 2, 3, 4), floats(6)],
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
        [floats(8, 1, 5, 5)],
        {"pads": [2] * 4, "group": 4},
    ),
    "ConvTranspose": Case("ConvTranspose", floats(1, 3, 4, 5), F.conv_transpose2d, [floats(3, 2, 3, 2), floats(2)]),
    "ConvTranspose, every setting": Case(
        "ConvTranspose",
        floats(2, 4, 5, 4),
        lambda x, w, b: F.conv_transpose2d(
            x, w, b, stride=(3, 2), padding=(2, 1), output_padding=(2, 1), dilation=(2, 3), groups=2
        ),
        [floats(4, 3, 3, 2), floats(6)],
        {"strides": [3, 2], "pads": [2, 1, 2, 1], "output_padding": [2, 1], "dilations": [2, 3], "group": 2},
    ),
    "ConvTranspose, uneven padding": Case(
        "ConvTranspose",
        floats(1, 2, 4, 4),
        lambda x, w: F.conv_transpose2d(x, w, stride=2)[:, :, 1:, :-2],
        [floats(2, 3, 4, 4)],
        {"strides": [2, 2], "pads": [1, 0, 0, 2]},
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
def results(run_in_page) -> dict[str, list[np.ndarray]]:
    jobs = [(encode(case.model(), precision="float32").content, [case.x]) for case in CASES.values()]
    return dict(zip(CASES, run_in_page(jobs), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_operator_equals_torch_and_onnxruntime(name, results):
    assert deviation(results[name], CASES[name].by_torch()) <= TOLERANCE
    assert deviation(results[name], CASES[name].by_onnxruntime()) <= TOLERANCE


def test_every_operator_has_a_case():
    assert {case.op for case in CASES.values()} == known_operators()


MISTAKES = {
    "Conv, every setting": [
        ("tapY * w.dilations[0] * imageWidth", "tapY * w.dilations[1] * imageWidth"),
        ("grid[1]) * w.strides[0] * imageWidth", "grid[1]) * w.strides[1] * imageWidth"),
    ],
    "ConvTranspose, every setting": [
        ("length - 1) + extra[axis]", "length - 1)"),
        ("out[line + i * strideX] +=", "out[line + i * strideX] ="),
        ("[inner * rows, 1, rows]", "[inner * rows, inner, 1]"),
    ],
    "Gemm of more rows than a block": [
        ("s23 += a2 * b3", "s23 += a2 * b2"),
        ("const j3 = Math.min(j + 3, columns - 1)", "const j3 = j + 3"),
    ],
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
        ("b.shape[0] : b.shape[1]", "b.shape[1] : b.shape[0]"),
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
    source = read("onnx.js")
    assert source.count(right) == 1
    case = CASES[name]
    job = (encode(case.model(), precision="float32").content, [case.x])
    try:
        (mine,) = run_in_page([job], source.replace(right, wrong))
        seen = deviation(mine, case.by_torch())
    except AssertionError:  # another shape
        seen = np.inf
    assert not seen <= TOLERANCE


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
        ("AveragePool", {"kernel_shape": [2]}, 1, "AveragePool of node 'node' with kernel rank = 1"),
        ("Pad", {"mode": "wrap"}, 1, "Pad of node 'node' with mode = 'wrap'"),
        ("Resize", {"mode": "linear", "antialias": 1}, 1, "Resize of node 'node' with antialias = 1"),
    ],
)
def test_settings_beyond_the_interpreter_are_refused(op, attributes, outputs, words):
    with pytest.raises(ValueError, match=words):
        encode(Case(op, floats(1, 1, 4, 4), abs, attributes=attributes, outputs=outputs).model())
