"""A GAN that trains in the page, on points of the plane: the reader makes it collapse, and cures it while it runs."""

import base64
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import traitlets
from PIL import Image

from gennotes import data
from gennotes.figures import style

from .host import Explorer, read

LOSSES = ("minimax", "non-saturating", "least squares", "hinge", "Wasserstein")
PENALTIES = ("none", "r1", "gradient")
PACKS = (1, 2, 4)
WORLDS = ("ring", "grid")

# A step of D at a tenth of G's rate lags behind what G does; the minimax loss then gives G little to go by.
SICK = {"loss": "minimax", "d_steps": 1, "penalty": "none", "weight": 0.1, "d_rate": 1e-4, "g_rate": 1e-3, "pack": 1}
CURED = {**SICK, "loss": "non-saturating", "penalty": "r1", "d_rate": 2e-3}
PRESETS = {"sick": {"title": "Sick", "settings": SICK}, "cured": {"title": "Cured", "settings": CURED}}

# The players of both presets: small enough for hundreds of updates a second in plain JavaScript.
SHAPE = {"batch": 64, "codes": 16, "width": 32}
STD = 0.05  # σ of a mode in both worlds; the ring of `data.toy` has 0.01, too narrow for players of this size
RANGES = {"d_steps": (1, 5), "weight": (0.01, 10.0), "d_rate": (1e-5, 1e-2), "g_rate": (1e-5, 1e-2), "seed": (0, 999)}


class LiveExplorer(Explorer):
    """Two players in the page, trained by `players.js`; `live` builds one."""

    module = "live.js"

    settings = traitlets.Dict(help="loss, d_steps, penalty, weight, d_rate, g_rate, pack, seed").tag(sync=True)
    world = traitlets.Enum(WORLDS, "ring", help="the data; another one starts anew").tag(sync=True)
    worlds = traitlets.Dict().tag(sync=True)
    presets = traitlets.Dict().tag(sync=True)
    shape = traitlets.Dict().tag(sync=True)

    @traitlets.validate("settings")
    def _check(self, proposal: Any) -> dict[str, Any]:
        try:
            return checked(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error


LiveExplorer._css = read("explorer.css") + read("densities.css") + read("live.css")  # its curves have that look


def live(*, title: str, alt: str, start: str = "sick", world: str = "ring", seed: int = 0) -> LiveExplorer:
    """An explorer in which a GAN trains, in the reader's own browser, on a mixture of normals in the plane.

    title, alt: the line above the explorer; what it shows, in words, for those who do not see it.
    start: the settings it stands at before the reader changes them, "sick" (it collapses) or "cured".
    world: "ring", 8 modes on the unit circle, or "grid", 25 modes at {−4, −2, 0, 2, 4}²; σ is 0.05 in both.
    seed: of all random numbers, in [0, 999]; the same seed and settings give the same run.

    G takes z ~ N(0, I₁₆) through two hidden layers of 32 units to points; D has two hidden layers of 32 units, and both
    have LeakyReLU 0.2. A batch has 64 points, which packs of m points make 64/m items. Adam with β = (0.5, 0.999).
    Nothing moves until the reader presses Play.

    Returns an explorer whose traits settings and world follow the reader and can be set; a change of settings takes
    effect while it trains, except that pack, seed and world start anew.
    Raises ValueError for an unknown start or world, a seed outside of [0, 999], or an empty title or alt.
    """
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    if start not in PRESETS:
        raise ValueError(f"start is {start!r}; give one of {', '.join(PRESETS)}")
    if world not in WORLDS:
        raise ValueError(f"world is {world!r}; give one of {', '.join(WORLDS)}")
    return LiveExplorer(
        settings=checked({**PRESETS[start]["settings"], "seed": seed}),
        world=world,
        worlds={name: _world(name) for name in WORLDS},
        presets=PRESETS,
        shape=SHAPE,
        title=title,
        alt=alt,
        poster=_picture(world),
    )


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` as they go to the page. Raises ValueError if one is missing, unknown or out of its range."""
    given = dict(settings)
    if set(given) != {*SICK, "seed"}:
        raise ValueError(f"settings has {', '.join(given)}; give {', '.join([*SICK, 'seed'])}")
    for name, choices in (("loss", LOSSES), ("penalty", PENALTIES), ("pack", PACKS)):
        if given[name] not in choices:
            raise ValueError(f"{name} is {given[name]!r}; give one of {', '.join(map(str, choices))}")
    for name, (low, high) in RANGES.items():
        whole = name in ("d_steps", "seed")
        if not low <= given[name] <= high or (whole and given[name] != int(given[name])):
            raise ValueError(f"{name} is {given[name]}; give a {'whole ' if whole else ''}number in [{low}, {high}]")
    return given


def _world(name: str) -> dict[str, Any]:
    """The modes of a toy, and how far from 0 the page shows its plane."""
    means = data.toy(name, "cpu").means.tolist()
    title, reach = {"ring": ("Ring of 8", 1.6), "grid": ("Grid of 25", 5.2)}[name]
    return {"title": title, "means": means, "std": STD, "reach": reach}


def _picture(name: str) -> str:
    """A still picture of the data, as a PNG in a data URI."""
    figure = style.house(_draw)(name)
    file, small = io.BytesIO(), io.BytesIO()
    figure.savefig(file, format="png", dpi=144, metadata={"Software": None})
    with Image.open(file) as image:
        image.convert("RGB").quantize(32).save(small, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode()


def _draw(name: str) -> style.Figure:
    world = _world(name)
    points = data.Mixture(torch.tensor(world["means"]), STD).sample(1000, torch.Generator().manual_seed(0)).numpy()
    figure = style.Figure(height=4.6, raster=True)
    axes = figure.subplots()
    axes.plot(*points.T, ".", color=style.DATA, markersize=3)
    angle = np.linspace(0, 2 * math.pi, 60)
    for a, b in world["means"]:
        axes.plot(a + 3 * STD * np.cos(angle), b + 3 * STD * np.sin(angle), "--", color=style.REFERENCE, linewidth=1.2)
    axes.set(xlim=(-world["reach"], world["reach"]), ylim=(-world["reach"], world["reach"]), aspect="equal")
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    return figure
