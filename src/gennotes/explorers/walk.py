"""A walk through the latent space of a generator, with or without classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets
from torch import nn

from .images import data_uri, mosaic
from .latent import CodeExplorer, Decode
from .network import pack

TILES = 9  # pictures on the way from A to B


class WalkExplorer(CodeExplorer):
    """Sliders along directions, jumps, a way between two kept samples, classes and blends. `walk` builds one."""

    module = "walk.js"

    directions = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)  # (K, L), orthonormal rows
    kept = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)  # the codes A and B at the start
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)  # their names; empty for a generator of z alone
    called = traitlets.Unicode("class").tag(sync=True)  # what the page calls one of them
    c = traitlets.List(traitlets.Float(), help="the weight of each class; set it and the picture follows").tag(
        sync=True
    )
    tiles = traitlets.Int(TILES).tag(sync=True)

    def dimensions(self) -> int:
        """How many numbers z has."""
        return len(self.directions[0])

    @traitlets.validate("c")
    def _check_c(self, proposal: Any) -> list[float]:
        c, count = np.asarray(proposal["value"], float), len(self.classes)
        if c.shape != (count,) or (count and not (c.min() >= 0 and abs(c.sum() - 1) < 1e-3)):
            raise traitlets.TraitError(f"c is {proposal['value']!r}; give {count} weights from 0 to 1 that add to 1")
        return proposal["value"]


def walk(
    generator: nn.Module,
    *,
    latent: int,
    directions: np.ndarray,
    classes: Sequence[str] | None = None,
    called: str = "class",
    kept: np.ndarray | None = None,
    spread: float = 3.0,
    title: str,
    alt: str,
) -> WalkExplorer:
    """An explorer of `generator`: x = generator(z), or x = generator(z, c), while the reader moves z and c.

    generator: maps z (1, L) to pixels (1, 1, H, W) in [0, 1]; with `classes`, z (1, L) and c (1, K), whose entries are
        the weights of the classes: one of them 1, or several that add to 1. It is run in evaluation mode.
    latent: L, the number of latent dimensions.
    directions: (D, L), orthonormal rows. A slider moves z along one of them; z·d is then the place on it in standard
        deviations of the prior N(0, I). For the directions to which a first layer answers most, the first rows of Vh of
        the singular value decomposition of its weight (outputs, L). The first two span the plane.
    classes: K names; each has a button with the picture of the z that is shown. None for a generator of z alone.
    called: what the page calls one of the K, such as "category" where nobody has named them.
    kept: codes (2, L), the samples A and B that the explorer starts with; by default two draws from N(0, I), the same
        ones each time. It starts at A, in the first class.
    spread: how far the plane and the sliders reach from 0, in standard deviations of the prior.
    title, alt: the line above the explorer; what it shows, in words, for those who do not see it.

    Raises ValueError if shapes or ranges do not fit together, or if the page cannot run the generator.
    """
    if latent < 1:
        raise ValueError(f"latent is {latent}; give the number of latent dimensions, at least 1")
    if not np.isfinite(spread) or spread <= 0:
        raise ValueError(f"spread is {spread!r}; give one positive number")
    if not alt or not title or not called:
        raise ValueError("title, alt or called is empty; say in words what the explorer shows")
    rows = _directions(directions, latent)
    names = [] if classes is None else [str(name) for name in classes]
    if classes is not None and (len(names) < 2 or len(set(names)) != len(names) or not all(names)):
        raise ValueError(f"classes is {names}; give at least two different names, or None for a generator of z alone")
    ends = np.random.default_rng(0).normal(size=(2, latent)) if kept is None else np.asarray(kept, float)
    if ends.shape != (2, latent) or not np.isfinite(ends).all():
        raise ValueError(f"kept has shape {ends.shape}; give two finite codes, (2, {latent})")
    ends = ends.round(4)

    decode = Decode(generator, latent, len(names))
    inputs = ["z", "c"] if names else ["z"]
    return WalkExplorer(
        network=pack(generator, decode.example, inputs=inputs, outputs=["x"]).content,
        directions=rows.round(5).tolist(),
        order=list(range(len(rows))),
        spread=[float(spread)] * len(rows),
        z=ends[0].tolist(),
        kept=ends.tolist(),
        classes=names,
        called=called,
        c=np.eye(len(names))[0].tolist() if names else [],
        title=title,
        alt=alt,
        poster=data_uri(_poster(decode, ends, rows, len(names))),
    )


def _directions(directions: np.ndarray, latent: int) -> np.ndarray:
    rows = np.asarray(directions, float)
    if rows.ndim != 2 or rows.shape[1] != latent or not 1 <= len(rows) <= latent:
        raise ValueError(f"directions has shape {rows.shape}; give (D, {latent}) with D from 1 to {latent}")
    off = np.abs(rows @ rows.T - np.eye(len(rows))).max()
    if not off < 1e-3:
        raise ValueError(
            f"the products of the directions differ from those of orthonormal rows by up to {off:.3g}; "
            "give orthonormal rows, such as the first of Vh of a singular value decomposition"
        )
    return rows


def _poster(decode: Decode, ends: np.ndarray, rows: np.ndarray, classes: int) -> np.ndarray:
    """Four rows of eight along four directions through A; with classes two rows, A and B in each of them."""
    if classes:
        pictures = decode(np.repeat(ends, classes, 0), np.tile(np.eye(classes), (2, 1)))
        return mosaic(pictures, columns=classes)
    along = rows[np.arange(4) % len(rows)]
    level = ends[0] - (along @ ends[0])[:, None] * along
    codes = level[:, None] + np.linspace(-2.5, 2.5, 8)[None, :, None] * along[:, None]
    return mosaic(decode(codes.reshape(32, -1)), columns=8)
