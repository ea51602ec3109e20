"""The decoder of a latent-variable model under the reader's hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from torch import nn

from gennotes.models import evaluating

from .host import Explorer
from .images import data_uri, mosaic
from .network import pack


class CodeExplorer(Explorer):
    """What the explorers of a decoder have in common: the decoder and z, which `code.js` moves."""

    network = traitlets.Dict().tag(sync=True)  # the decoder as `network.pack` packs it: z (1, L) -> x (1, 1, H, W)
    z = traitlets.List(traitlets.Float(), help="the latent code that is shown; set it and the picture follows").tag(
        sync=True
    )
    order = traitlets.List(traitlets.Int()).tag(sync=True)  # coordinates of z, the most important one first
    spread = traitlets.List(traitlets.Float()).tag(sync=True)  # how far each coordinate can be moved from 0

    def dimensions(self) -> int:
        """How many numbers z has."""
        return len(self.order)

    @traitlets.validate("z")
    def _check_z(self, proposal: Any) -> list[float]:
        count = self.dimensions()
        if len(proposal["value"]) != count or not np.isfinite(proposal["value"]).all():
            raise traitlets.TraitError(f"z is {proposal['value']!r}; give a list of {count} finite numbers")
        return proposal["value"]


class LatentExplorer(CodeExplorer):
    """Sliders, a plane and codes of known images move z; the page decodes it. `latent` builds one."""

    module = "latent.js"

    anchors = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    thumbnails = traitlets.List(traitlets.Unicode()).tag(sync=True)  # one picture for each anchor, as a data URI
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    walk = traitlets.Bool().tag(sync=True)
    compact = traitlets.Bool().tag(sync=True)


def latent(
    decoder: nn.Module,
    *,
    latent: int,
    anchors: np.ndarray | None = None,
    images: np.ndarray | None = None,
    labels: Sequence[str] | None = None,
    order: Sequence[int] | None = None,
    spread: float | Sequence[float] | np.ndarray = 3.0,
    title: str,
    alt: str,
    walk: bool = False,
    compact: bool = False,
) -> LatentExplorer:
    """An explorer of `decoder`: x = decoder(z) while the reader moves z.

    decoder: maps z (1, L) to pixels (1, 1, H, W) in [0, 1], such as nn.Sequential(vae.decoder, nn.Sigmoid()).
    latent: L, the number of latent dimensions.
    anchors: codes (K, L), in the usual case the posterior means of K images; each is a button. The explorer starts at
        the first one, without anchors at z = 0.
    images: (K, H, W) in [0, 1], the pictures on these buttons; by default what the decoder makes of the codes.
    labels: K names of the anchors for the plane and for screen readers; by default 1 … K.
    order: latent dimensions, counted from 0, the most important one first (those left out follow in their order). The
        first two span the plane, the first six have a slider in sight.
    spread: how far the plane and the sliders reach from 0, in standard deviations of the prior; one or L numbers.
    title, alt: the line above the explorer; what it shows, in words, for those who do not see it.
    walk: starts to walk from anchor to anchor (without anchors: between draws from the prior) by itself, unless the
        reader prefers reduced motion.
    compact: sliders stay folded away.

    Raises ValueError if shapes, ranges or lengths do not fit together, or if the page cannot run the decoder.
    """
    if latent < 1:
        raise ValueError(f"latent is {latent}; give the number of latent dimensions, at least 1")
    reach = np.broadcast_to(np.asarray(spread, float), (latent,)) if np.ndim(spread) == 0 else np.asarray(spread, float)
    if reach.shape != (latent,) or not (np.isfinite(reach) & (reach > 0)).all():
        raise ValueError(f"spread is {spread!r}; give one positive number or {latent} of them")
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    first = [int(i) for i in (range(latent) if order is None else order)]
    if len(set(first)) != len(first) or not set(first) <= set(range(latent)):
        raise ValueError(f"order is {first}; give different dimensions from 0 to {latent - 1}")
    ranked = first + [i for i in range(latent) if i not in first]
    codes = _codes(anchors, latent)
    names = [str(i + 1) for i in range(len(codes))] if labels is None else [str(label) for label in labels]
    if len(names) != len(codes):
        raise ValueError(f"labels has {len(names)} entries for {len(codes)} anchors; give one for each anchor")

    decode = Decode(decoder, latent)
    pictures = decode(codes) if images is None else _pictures(images, len(codes), decode.size)
    network = pack(decoder, decode.example, inputs=["z"], outputs=["x"])
    return LatentExplorer(
        network=network.content,
        order=ranked,
        z=codes[0].tolist() if len(codes) else [0.0] * latent,
        spread=reach.tolist(),
        anchors=codes.tolist(),
        thumbnails=[data_uri(picture) for picture in pictures],
        labels=names,
        title=title,
        alt=alt,
        walk=walk,
        compact=compact,
        poster=data_uri(mosaic(decode(_tour(codes, ranked, reach)), columns=8)),
    )


class Decode:
    """Decodes codes one by one, as the page does, and checks what comes out.

    classes: of a decoder that takes (z, c), the number of entries of c; 0 for one that takes z alone.
    """

    def __init__(self, decoder: nn.Module, latent: int, classes: int = 0) -> None:
        parameter = next(decoder.parameters(), torch.zeros(()))
        like = {"device": parameter.device, "dtype": parameter.dtype}
        self.decoder = decoder
        self.example = (torch.zeros(1, latent, **like),)
        if classes:
            self.example += (torch.eye(classes, **like)[:1],)
        self.size: tuple[int, int] = self._one(*self.example).shape

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        """Codes (N, L), and weights (N, K) if there are classes -> pictures (N, H, W) in [0, 1]."""
        rows = [torch.as_tensor(given).to(self.example[0]) for given in inputs]
        pictures = [self._one(*(row[None] for row in one)) for one in zip(*rows, strict=True)]
        return np.stack(pictures) if pictures else np.zeros((0, *self.size))

    @torch.no_grad()
    def _one(self, *inputs: torch.Tensor) -> np.ndarray:
        given = list(zip("zc", (tuple(one.shape) for one in inputs), strict=False))
        try:
            with evaluating(self.decoder):
                x = self.decoder(*inputs).float().cpu().numpy()
        except (RuntimeError, TypeError) as error:
            wanted = " and ".join(f"{name} of shape {shape}" for name, shape in given)
            also = " and that it takes z and the weights of the classes" if len(inputs) > 1 else ""
            raise ValueError(
                f"decoder does not take {wanted}: {error}; check latent={inputs[0].shape[1]}{also}"
            ) from error
        if x.ndim != 4 or x.shape[:2] != (1, 1):
            shapes = " and ".join(f"{name} {shape}" for name, shape in given)
            raise ValueError(f"decoder gives {x.shape} for {shapes}; it must give (1, 1, H, W)")
        if not (x.min() >= 0 and x.max() <= 1):
            raise ValueError(
                f"decoder gives values from {x.min():.3g} to {x.max():.3g}; it must give pixels in [0, 1]: "
                "if these are logits, pass nn.Sequential(decoder, nn.Sigmoid())"
            )
        return x[0, 0]


def _codes(anchors: np.ndarray | None, latent: int) -> np.ndarray:
    codes = np.zeros((0, latent)) if anchors is None else np.asarray(anchors, dtype=float)
    if codes.ndim != 2 or codes.shape[1] != latent or not np.isfinite(codes).all():
        raise ValueError(f"anchors has shape {codes.shape}; give finite codes of shape (K, {latent})")
    return codes.round(4)  # what the page holds, and what the buttons lead to


def _pictures(images: np.ndarray, count: int, size: tuple[int, int]) -> np.ndarray:
    pictures = np.asarray(images, dtype=float)
    if pictures.shape != (count, *size):
        raise ValueError(f"images has shape {pictures.shape}; give one for each anchor, {(count, *size)}")
    if pictures.size and not (pictures.min() >= 0 and pictures.max() <= 1):
        raise ValueError(f"images has values from {pictures.min():.3g} to {pictures.max():.3g}; give values in [0, 1]")
    return pictures


def _tour(codes: np.ndarray, order: list[int], spread: np.ndarray) -> np.ndarray:
    """32 codes for the poster: four paths of eight between anchors, or a grid of four by eight on the first plane."""
    if len(codes) > 1:
        share = np.linspace(0, 1, 8)[:, None]
        return np.concatenate(
            [codes[i % len(codes)] * (1 - share) + codes[(i + 1) % len(codes)] * share for i in range(4)]
        )
    tour = np.zeros((32, len(order)))
    tour[:, order[0]] = np.tile(np.linspace(-1, 1, 8), 4) * spread[order[0]] * 2 / 3
    if len(order) > 1:
        tour[:, order[1]] = np.repeat(np.linspace(1, -1, 4), 8) * spread[order[1]] * 2 / 3
    return tour
