"""Explorers of densities as a reader has them: the mathematics of the page, and a page that can be used."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from playwright.sync_api import Browser, Locator, Page
from torch import Tensor

from gennotes.explorers import Explorer
from gennotes.explorers.host import bundle, read

NAMES = ["compare", "objective", "gradient", "descend", "missing", "density", "normalCdf", "information"]
NAMES += ["logit", "value", "js", "pull", "pullAt", "pulled", "quantile", "meanOf", "plan", "parted"]


def module(browser: Browser, file: str, names: list[str], *edits: tuple[str, str]) -> Page:
    """A page with the exports `names` of a module; each edit replaces a passage, which must be there once."""
    source = read(file)
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    text = bundle(source).replace("export ", "")
    page = browser.new_page()
    page.set_content(f'<script type="module">{text}\nwindow.m = {{{", ".join(names)}}};</script>')
    page.wait_for_function("window.m !== undefined")
    return page


def measures(browser: Browser, *edits: tuple[str, str]) -> Page:
    """A page with the functions of measures.js, edited."""
    return module(browser, "measures.js", NAMES, *edits)


def compare(page: Page, pairs: list[tuple[dict, dict]]) -> list[dict[str, float]]:
    """What the page shows for each pair (P, Q)."""
    found = page.evaluate(
        """pairs => pairs.map(([p, q]) => JSON.stringify(m.compare(p, q),
             (_, value) => (value === Infinity ? "inf" : Number.isNaN(value) ? "nan" : value)))""",
        [list(pair) for pair in pairs],
    )
    return [numbers(text) for text in found]


def numbers(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in json.loads(text).items() if value is not None}


def log_density(spec: dict[str, Any], x: Tensor) -> Tensor:
    """Logarithm of the density at x in float64, by torch.distributions where it has one."""
    values = {name: torch.as_tensor(value, dtype=x.dtype) for name, value in spec.items() if name != "kind"}
    if spec["kind"] == "normal":
        return torch.distributions.Normal(values["mean"], values["sd"]).log_prob(x)
    if spec["kind"] == "laplace":
        return torch.distributions.Laplace(values["mean"], values["scale"]).log_prob(x)
    if spec["kind"] == "uniform":
        inside = (x - values["mean"]).abs() <= values["width"] / 2
        return torch.where(inside, -values["width"].log(), -torch.inf)
    parts = torch.distributions.Normal(values["mean"] + values["gap"] * torch.tensor([-0.5, 0.5]).to(x), values["sd"])
    weights = torch.stack([values["weight"], 1 - values["weight"]])
    return torch.distributions.MixtureSameFamily(torch.distributions.Categorical(weights), parts).log_prob(x)


def grid(*specs: dict[str, Any]) -> Tensor:
    """Evenly spaced points that hold and resolve each of the densities, and enclose each jump and kink closely."""
    ends, scales, edges = [], [], []
    for spec in specs:
        mean, kind = spec["mean"], spec["kind"]
        scale = spec.get("sd") or spec.get("scale") or spec["width"]
        half = {"laplace": 30, "uniform": 0.5}.get(kind, 10) * scale + spec.get("gap", 0) / 2
        ends += [mean - half, mean + half]
        scales += [scale]
        edges += {"laplace": [mean], "uniform": [mean - half, mean + half]}.get(kind, [])
    even = np.linspace(min(ends), max(ends), int((max(ends) - min(ends)) / min(scales) * 100) + 2)
    close = [edge + side for edge in edges for side in (-1e-10, 0, 1e-10)]
    return torch.from_numpy(np.unique(np.concatenate([even, close])))


class Shown:
    """A page with explorers, and everything that it asked for or complained of."""

    def __init__(self, browser: Browser, folder: Path, *explorers: Explorer, **context: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 800, "height": 900}, **context})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        file = folder / "page.html"
        body = "".join(explorer.to_html() for explorer in explorers)
        file.write_text(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>page</title>{body}",
            "utf-8",
        )
        self.page.goto(file.as_uri())
        self.settle()

    def settle(self) -> None:
        """After two frames all that was asked for is drawn."""
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def data(self, name: str) -> Any:
        self.settle()
        return json.loads(self.page.locator(".gn-explorer").first.get_attribute(f"data-{name}"))

    def drag(self, grip: Locator, dx: float, dy: float = 0, at: tuple[float, float] | None = None) -> None:
        """Takes an element at its middle (or a place of the page) and moves it by so many pixels."""
        box = grip.bounding_box()
        x, y = at or (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx / 2, y + dy / 2)
        self.page.mouse.move(x + dx, y + dy)
        self.page.mouse.up()
        self.settle()

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []
