"""The interpreter in a browser, and one explorer of a small decoder."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gennotes.explorers import LatentExplorer, latent
from gennotes.explorers.host import bundle, read

Run = Callable[..., list[list[np.ndarray]]]

RUN_ALL = """jobs => jobs.map(([network, inputs]) => {
  const net = load(network);
  const named = Object.fromEntries(net.inputs.map(({ name }, i) => [name, inputs[i]]));
  const results = net.run(named);
  return net.outputs.map(({ name }) => Array.from(results[name]));
})"""


@pytest.fixture(scope="session")
def run_in_page(browser) -> Iterator[Run]:
    """run(jobs, source=onnx.js): the outputs of many (network content, inputs) in one page with that interpreter."""
    pages = []

    def run(jobs: list[tuple[dict[str, Any], list[np.ndarray]]], source: str | None = None) -> list[list[np.ndarray]]:
        page = browser.new_page()
        pages.append(page)
        text = bundle(source or read("onnx.js")).replace("export ", "")
        page.set_content(f'<script type="module">{text}\nwindow.load = load;</script>')
        given = [[content, [array.ravel().tolist() for array in inputs]] for content, inputs in jobs]
        return [[np.array(values) for values in outputs] for outputs in page.evaluate(RUN_ALL, given)]

    yield run
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def decoder() -> nn.Module:
    """z (1, 8) -> pixels (1, 1, 7, 5) in [0, 1], far from grey; sides differ so that a swap is seen."""
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 35), nn.Sigmoid(), nn.Unflatten(1, (1, 7, 5)))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.6)
    return module


@pytest.fixture(scope="session")
def anchors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 8)).round(4)


@pytest.fixture(scope="session")
def explorer(decoder: nn.Module, anchors: np.ndarray) -> LatentExplorer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENNOTES_STATIC", "1")
        return latent(
            decoder,
            latent=8,
            anchors=anchors,
            labels=["a", "b", "c"],
            order=[4, 1],
            title="A <small> decoder",
            alt='seven by five "pixels"',
        )
