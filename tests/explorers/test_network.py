"""The packer: whole networks in the browser, and what it refuses."""

import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from explorers.conftest import interpreter
from explorers.networks import NETWORKS, build
from gennotes.explorers.network import INLINE, encode, export, known_limits, known_operators, pack


@pytest.mark.parametrize("name", NETWORKS)
def test_network_equals_torch(name, run_in_page):
    module, example = build(name)
    with torch.no_grad():
        theirs = module(example)
    theirs = [y.numpy().ravel() for y in (theirs if isinstance(theirs, tuple) else [theirs])]
    graph = export(module, example)
    single, half = encode(graph, precision="float32", limit=10**8), encode(graph)
    assert half.characters < 0.55 * single.characters
    for network, way, tolerance in [(single, "simd", 1e-5), (single, "plain", 1e-5), (half, "simd", 2e-3)]:
        (mine,) = run_in_page([(network.content, [example.numpy()])], way=way)
        assert max(np.abs(a - b).max() for a, b in zip(mine, theirs, strict=True)) <= tolerance


def test_the_unet_is_as_large_as_it_says():
    module, example = build("U-Net")
    assert sum(parameter.numel() for parameter in module.parameters()) == 1_018_177
    products = []  # each weight meets each place of the smaller one of the layer's grids

    def count(layer: nn.Module, x: tuple[torch.Tensor], y: torch.Tensor) -> None:
        products.append(layer.weight.numel() * min(x[0][0, 0].numel(), y[0, 0].numel()))

    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.register_forward_hook(count)
    module(example)
    assert round(sum(products) / 1e6, 1) == 15.1


BEST = """([network, values]) => {
  const net = load(network);
  const inputs = { [net.inputs[0].name]: values };
  let best = Infinity;
  for (let call = 0; call < 300; call++) {
    const began = performance.now();
    net.run(inputs);
    best = Math.min(best, performance.now() - began);
  }
  return best;
}"""


@pytest.mark.parametrize(
    ("name", "milliseconds"),
    [("MLP decoder", 0.5), ("convolutional decoder", 6), ("DCGAN generator", 6), ("U-Net", 10)],
)
def test_a_call_is_fast(name, milliseconds, browser):
    module, example = build(name)
    page = browser.new_page()
    page.set_content(f'<script type="module">{interpreter()}\nwindow.load = load;</script>')
    best = page.evaluate(BEST, [pack(module, example).content, example.ravel().tolist()])
    page.close()
    assert best <= milliseconds


def test_swapped_weights_give_another_output(run_in_page):
    torch.manual_seed(0)
    content = pack(nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6)), torch.randn(1, 6)).content
    first, second = [name for name, constant in content["constants"].items() if constant["shape"] == [6, 6]]
    constants = {**content["constants"], first: content["constants"][second], second: content["constants"][first]}
    x = np.ones((1, 6), np.float32)
    (right,), (swapped,) = run_in_page([(content, [x]), ({**content, "constants": constants}, [x])])
    assert np.abs(right - swapped).max() > 0.1


class Total(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cumsum(x, 1)


class Uncommon(nn.Module):
    """Needs an operator that the page lacks, in a layer with a name."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(3, 3), Total()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return torch.cumsum(x, 1)


def test_unknown_operators_are_named_with_their_layers():
    with pytest.raises(ValueError, match=r"CumSum of layer 'blocks.1' \(Total\)") as caught:
        pack(Uncommon(), torch.zeros(1, 3))
    assert "CumSum of the outermost module (Uncommon)" in str(caught.value)
    assert "Gemm" in str(caught.value)  # what could be used instead


def test_what_torch_cannot_export_is_one_clear_error():
    class Bessel(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.i0(x)

    with pytest.raises(ValueError, match=r"cannot export Bessel to ONNX: .*bessel_i0.*; write its forward"):
        pack(Bessel(), torch.zeros(1, 3))


def graph(op: str, shape: list[int], weights: list[np.ndarray], **attributes) -> onnx.ModelProto:
    names = [f"w{i}" for i in range(len(weights))]
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node(op, ["x", *names], ["y"], "only", **attributes)],
            "graph",
            [onnx.helper.make_tensor_value_info("x", 1, shape)],
            [onnx.helper.make_tensor_value_info("y", 1, None)],
            [onnx.numpy_helper.from_array(array, name) for name, array in zip(names, weights, strict=True)],
        )
    )


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            graph("Conv", [1, 1, 9, 9, 9], [np.zeros((1, 1, 3, 3, 3), np.float32)]),
            "operator Conv of node 'only' with weight rank = 5",
        ),
        (
            graph("Conv", [1, 1, 9, 9], [np.zeros((1, 1, 3, 3), np.float32)], auto_pad="SAME_UPPER"),
            "auto_pad = 'SAME_UPPER'",
        ),
        (
            graph("Resize", [1, 1, 4, 4], [np.zeros(0, np.float32), np.float32([1, 1, 2, 2])], mode="cubic"),
            "mode = 'cubic'",
        ),
        (graph("Mystery", [1], [], domain="example.org"), "operator Mystery of node 'only'"),
    ],
)
def test_forms_beyond_the_interpreter_are_refused(model, words):
    with pytest.raises(ValueError, match=words):
        encode(model)


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="'w0' holds numbers that are not finite"):
        encode(graph("Add", [2], [np.float32([1, np.nan])]))
    large = np.full(INLINE + 1, 1e6, np.float32)
    with pytest.raises(ValueError, match="'w0' reaches 1e\\+06, beyond half precision; give precision='float32'"):
        encode(graph("Add", [1], [large]))
    assert encode(graph("Add", [1], [large]), precision="float32").content["precision"] == "float32"
    with pytest.raises(ValueError, match="precision 'int8' is unknown"):
        encode(graph("Add", [1], [large]), precision="int8")


def test_a_network_too_large_for_a_page_is_refused():
    with pytest.raises(ValueError, match=r"[\d,]+ characters \(1,000 weights in float16\), the page's limit is 2,000"):
        encode(graph("Add", [1000], [np.ones(1000, np.float32)]), limit=2_000)


def test_short_tensors_keep_full_precision():
    content = encode(graph("Add", [1], [np.float32([1e-9])])).content
    assert content["constants"]["w0"]["values"] == [np.float32(1e-9)]


def test_the_module_is_left_as_it_was_and_nothing_is_said(capfd, caplog):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    module[1].eval()
    modes = [part.training for part in module.modules()]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state, disabled = torch.get_rng_state(), logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = pack(
            module, torch.randn(1, 4, generator=torch.Generator().manual_seed(0)), inputs=["z"], outputs=["x"]
        ).content
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert logging.root.manager.disable == disabled
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]
    assert [node["op"] for node in content["nodes"]] in (["Gemm"], ["Gemm", "BatchNormalization"])  # no dropout
    assert (content["inputs"], content["outputs"]) == (
        [{"name": "z", "shape": [1, 4]}],
        [{"name": "x", "shape": [1, 4]}],
    )


def test_the_tables_are_read_from_the_interpreter():
    assert {"Gemm", "Conv", "PRelu"} <= known_operators()
    assert set(known_limits()) <= known_operators()
