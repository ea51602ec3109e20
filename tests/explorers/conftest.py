"""The interpreter in a browser, and one explorer of a small decoder."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gennotes.explorers import LatentExplorer, latent
from gennotes.explorers.host import bundle, read

Run = Callable[..., list[list[np.ndarray]]]

OLDER = "delete window.WebAssembly; delete window.Float16Array; delete Uint8Array.fromBase64;"
RUN_ALL = """jobs => {
  const ways = [];
  const outputs = jobs.map(([network, inputs]) => {
    const net = load(network);
    ways.push(net.way);
    const results = net.run(Object.fromEntries(net.inputs.map(({ name }, i) => [name, inputs[i]])));
    return net.outputs.map(({ name }) => Array.from(results[name]));
  });
  return [outputs, ways];
}"""


def interpreter(edit: tuple[str, str] | None = None) -> str:
    """The text of onnx.js with what it imports; `edit` replaces one passage, which must be there once, by another."""
    text = re.sub("^export ", "", bundle(read("onnx.js")), flags=re.MULTILINE)
    if edit:
        assert text.count(edit[0]) == 1
        text = text.replace(*edit)
    return text


@pytest.fixture(scope="session")
def run_in_page(browser) -> Iterator[Run]:
    """run(jobs, edit=None, way="simd"): the outputs of many (network content, inputs) in one page.

    way="plain": in a browser that lacks WebAssembly and what is as new.
    """
    pages = []

    def run(
        jobs: list[tuple[dict[str, Any], list[np.ndarray]]], edit: tuple[str, str] | None = None, way: str = "simd"
    ) -> list[list[np.ndarray]]:
        page = browser.new_page()
        pages.append(page)
        hide = f"<script>{OLDER}</script>" if way == "plain" else ""
        page.set_content(f'{hide}<script type="module">{interpreter(edit)}\nwindow.load = load;</script>')
        given = [[content, [array.ravel().tolist() for array in inputs]] for content, inputs in jobs]
        outputs, ways = page.evaluate(RUN_ALL, given)
        assert set(ways) <= {way}
        return [[np.array(values) for values in one] for one in outputs]

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
