"""A map of a latent space: codes of real images, the prior, and a point that the reader moves."""

from collections.abc import Sequence

import numpy as np
import torch
import traitlets
from torch import nn

from gennotes.figures import style
from gennotes.models import evaluating

from .images import data_uri, mosaic
from .latent import CodeExplorer, Decode
from .network import PAGE_LIMIT, Network, pack

COLUMNS = 25  # images in a row of the sprite
SHORT = 2  # letters that a class's name may have to stand on the map itself


class MapExplorer(CodeExplorer):
    """Codes by class, the prior, a point to move, the nearest real images, a drawing. `latent_map` builds one."""

    module = "map.js"

    encoder = traitlets.Dict(allow_none=True).tag(sync=True)  # as `network.pack` packs it: x (1, 1, S, S) -> z (1, L)
    codes = traitlets.List().tag(sync=True)  # (N, L), one for each real image
    classes = traitlets.List().tag(sync=True)  # (N,), places in `names`
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    signs = traitlets.List(traitlets.Unicode()).tag(sync=True)  # what stands on the map for each class
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)
    means = traitlets.List().tag(sync=True)  # (K, L), the mean code of each class
    samples = traitlets.List(traitlets.Int()).tag(sync=True)  # for each class the image to put on the drawing field
    sprite = traitlets.Unicode().tag(sync=True)  # all real images in one picture, as a data URI
    columns = traitlets.Int(COLUMNS).tag(sync=True)


def latent_map(
    decoder: nn.Module,
    encoder: nn.Module | None,
    *,
    codes: np.ndarray,
    labels: Sequence[int] | Sequence[str] | np.ndarray,
    images: np.ndarray,
    title: str,
    alt: str,
    spread: float = 3.0,
    z: Sequence[float] | np.ndarray | None = None,
) -> MapExplorer:
    """A map of the latent space of `decoder`, with the codes of N real images.

    decoder: maps z (1, L) to pixels (1, 1, H, W) in [0, 1], such as nn.Sequential(vae.decoder, nn.Sigmoid()).
    encoder: maps an image (1, 1, H, H) in [0, 1] to the mean of its code (1, L); None for a map without drawing.
    codes: (N, L), posterior means of the images, L ≥ 2. Codes that lie beyond `spread` are counted, not drawn.
    labels: (N,), the class of each image. Names of one or two letters stand on the map; for longer ones, numbers do.
    images: (N, H, W) in [0, 1].
    title, alt: the line above the explorer; what the decoded picture shows, in words, for those who do not see it.
    spread: how far map and sliders reach from 0, in standard deviations of the prior.
    z: where to start, (L,); by default at 0, the mean of the prior.

    Raises ValueError if shapes, ranges or lengths do not fit together, if the page cannot run a network, or if networks
    and images together are longer than a page may be (`network.PAGE_LIMIT`).
    """
    points = np.asarray(codes, dtype=float).round(4)  # what the page holds, and what its buttons lead to
    if points.ndim != 2 or len(points) < 1 or points.shape[1] < 2 or not np.isfinite(points).all():
        raise ValueError(f"codes has shape {points.shape}; give finite codes of shape (N, L) with N ≥ 1 and L ≥ 2")
    count, latent = points.shape
    if not (np.ndim(spread) == 0 and np.isfinite(spread) and spread > 0):
        raise ValueError(f"spread is {spread!r}; give one positive number")
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    start = np.zeros(latent) if z is None else np.asarray(z, dtype=float)
    if start.shape != (latent,) or not np.isfinite(start).all():
        raise ValueError(f"z is {z!r}; give {latent} finite numbers, as many as codes has columns")
    if np.shape(labels) != (count,):
        raise ValueError(f"labels has shape {np.shape(labels)}; give one for each code, ({count},)")
    kinds, classes = np.unique(np.asarray(labels), return_inverse=True)
    names = [str(kind) for kind in kinds]

    decode = Decode(decoder, latent)
    height, width = decode.size
    pictures = np.asarray(images, dtype=float)
    if pictures.shape != (count, height, width):
        raise ValueError(f"images has shape {pictures.shape}; give one for each code, {(count, height, width)}")
    if not (pictures.min() >= 0 and pictures.max() <= 1):
        raise ValueError(f"images has values from {pictures.min():.3g} to {pictures.max():.3g}; give values in [0, 1]")
    means = np.stack([points[classes == k].mean(0) for k in range(len(names))])
    typical = [_nearest(points, classes == k, mean) for k, mean in enumerate(means)]

    packed = pack(decoder, decode.example, inputs=["z"], outputs=["x"])
    inverse = None if encoder is None else _pack_encoder(encoder, (height, width), latent, decode.example[0])
    sprite = data_uri(mosaic(pictures, COLUMNS, gap=0))
    parts = {"decoder": packed.characters, "encoder": inverse.characters if inverse else 0, "images": len(sprite)}
    if sum(parts.values()) > PAGE_LIMIT:
        sizes = ", ".join(f"{name} {size:,}" for name, size in parts.items())
        raise ValueError(
            f"the map needs {sum(parts.values()):,} characters ({sizes}), the page's limit is {PAGE_LIMIT:,}; "
            "use narrower networks or fewer images"
        )
    return MapExplorer(
        network=packed.content,
        encoder=inverse.content if inverse else None,
        order=list(range(latent)),
        z=start.tolist(),
        spread=[float(spread)] * latent,
        codes=points.tolist(),
        classes=classes.tolist(),
        names=names,
        signs=names if max(map(len, names)) <= SHORT else [str(k) for k in range(len(names))],
        colours=[style.CLASSES[k % len(style.CLASSES)] for k in range(len(names))],
        means=means.round(4).tolist(),
        samples=typical,
        sprite=sprite,
        title=title,
        alt=alt,
        poster=data_uri(mosaic(decode(_grid(latent, float(spread))), columns=14)),
    )


def _nearest(points: np.ndarray, among: np.ndarray, target: np.ndarray) -> int:
    """Which of the points in `among` lies nearest to `target`."""
    distances = np.where(among, np.linalg.norm(points - target, axis=1), np.inf)
    return int(distances.argmin())


@torch.no_grad()
def _pack_encoder(encoder: nn.Module, size: tuple[int, int], latent: int, like: torch.Tensor) -> Network:
    """Packs an encoder after a look at what it takes and gives."""
    if size[0] != size[1]:
        raise ValueError(f"images are {size[0]} × {size[1]}; a drawing is square: give encoder=None, or square images")
    example = torch.zeros(1, 1, *size, device=like.device, dtype=like.dtype)
    try:
        with evaluating(encoder):
            code = encoder(example)
    except RuntimeError as error:
        raise ValueError(f"encoder does not take an image of shape {tuple(example.shape)}: {error}") from error
    if not isinstance(code, torch.Tensor) or code.shape != (1, latent):
        given = tuple(code.shape) if isinstance(code, torch.Tensor) else f"a {type(code).__name__}"
        raise ValueError(f"encoder gives {given}; it must give the mean of the code alone, (1, {latent})")
    return pack(encoder, example, inputs=["x"], outputs=["z"])


def _grid(latent: int, spread: float) -> np.ndarray:
    """14 by 7 codes for the poster: the plane of the first two dimensions, in its middle."""
    across = np.linspace(-spread, spread, 14)
    codes = np.zeros((14 * 7, latent))
    codes[:, 0] = np.tile(across, 7)
    codes[:, 1] = np.repeat(across[10:3:-1], 14)
    return codes
