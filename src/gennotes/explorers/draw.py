"""Image-to-image translation under the reader's hand: a sheet to draw on, and what networks make of it."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from torch import nn

from gennotes.models import evaluating

from .host import Explorer
from .images import data_uri, mosaic
from .network import PAGE_LIMIT, Network, pack

FULL = 255  # a pixel of the sheet is a whole number from 0, the ground, to this, full ink
POSTER_EXAMPLES = 4


class DrawExplorer(Explorer):
    """A sheet to draw on, its translations, and a discriminator's judgement patch by patch. `draw` builds one."""

    module = "draw.js"

    drawn = traitlets.List(
        traitlets.Int(min=0, max=FULL), help="the pixels of the sheet, row by row; set them and the pictures follow"
    ).tag(sync=True)
    side = traitlets.Int().tag(sync=True)  # S: pixels along a side of what the networks take
    block = traitlets.Int().tag(sync=True)  # of these, along a side of one pixel of the sheet
    free = traitlets.Unicode(allow_none=True).tag(sync=True)  # bytes in base64, 0 where no pen draws; None: anywhere
    widths = traitlets.List(traitlets.Float()).tag(sync=True)  # of strokes, in pixels of the sheet
    ink = traitlets.Float().tag(sync=True)
    generators = traitlets.List(traitlets.Dict()).tag(sync=True)  # as `network.pack` packs them
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)  # of the generators
    judge = traitlets.Dict(allow_none=True).tag(sync=True)  # the discriminator, packed
    places = traitlets.Dict(allow_none=True).tag(sync=True)  # where its patches lie; see patches.js
    judged = traitlets.Bool().tag(sync=True)
    examples = traitlets.List(traitlets.Unicode()).tag(sync=True)  # pixels of the sheet as bytes in base64
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answers = traitlets.List(traitlets.Unicode()).tag(sync=True)  # pixels as bytes in base64
    planes = traitlets.Int().tag(sync=True)  # 1 of grey, or 3 of colours

    @traitlets.validate("drawn")
    def _check_drawn(self, proposal: Any) -> list[int]:
        wanted = (self.side // self.block) ** 2
        if len(proposal["value"]) != wanted:
            raise traitlets.TraitError(
                f"drawn has {len(proposal['value'])} numbers; give {wanted} whole numbers from 0 to {FULL}, row by row"
            )
        return proposal["value"]


def draw(
    generator: nn.Module | Mapping[str, nn.Module],
    discriminator: nn.Module | None = None,
    *,
    examples: np.ndarray,
    names: Sequence[str] | None = None,
    answers: np.ndarray | None = None,
    free: np.ndarray | range | None = None,
    block: int = 1,
    widths: Sequence[float] = (1.5, 2.5, 4.0),
    ink: float = 1.0,
    patches: bool = False,
    title: str,
    alt: str,
) -> DrawExplorer:
    """An explorer of image-to-image networks: y = generator(x) while the reader draws x.

    generator: maps the drawing x (1, 1, S, S), in [0, 1] with 0 for the ground, to a picture (1, 1, S, S) of grey or
        (1, 3, S, S) of colours, in [0, 1]. Wrap a network with other ranges: nn.Sequential(rescale, network, rescale).
        Several of them, by name, stand side by side.
    discriminator: maps (x, y), a drawing and a picture of the same ranges, to logits of patches (1, 1, h, w) or
        (1, h, w). The page shows their sigmoid over each picture, each patch in the middle of the pixels of y that its
        logit depends on, which are found by differentiation.
    examples: drawings (K, S, S) in [0, 1], each a button; the first one is where the explorer starts.
    names: K names of the examples for screen readers; by default 1 … K.
    answers: true pictures (K, S, S) or (K, 3, S, S) in [0, 1], shown beside the translation while the sheet holds an
        example, or one that was drawn on.
    free: where the pen draws: a mask (S, S), or the rows as a range; by default anywhere. Elsewhere stands what an
        example holds there, and 0 on an empty sheet.
    block: side of the square of pixels that the pen inks as one; it must divide S, and examples must be constant on it.
    widths: of strokes to choose from, in pixels of the sheet (S / block along a side); the middle one is taken first.
    ink: what a stroke puts down, at most 1.
    patches: whether the judgement of the discriminator is shown from the start.
    title, alt: the line above the explorer; what the translation shows, in words, for those who do not see it.

    Raises ValueError if shapes, ranges or lengths do not fit together, if the page cannot run a network, or if all
    networks together are longer than a page may be (`network.PAGE_LIMIT`).
    """
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    drawings = _unit(examples, "examples")
    if drawings.ndim != 3 or len(drawings) < 1 or drawings.shape[1] != drawings.shape[2]:
        raise ValueError(f"examples has shape {drawings.shape}; give square drawings (K, S, S), K ≥ 1")
    count, side = drawings.shape[:2]
    labels = [str(i + 1) for i in range(count)] if names is None else [str(name) for name in names]
    if len(labels) != count:
        raise ValueError(f"names has {len(labels)} entries for {count} examples; give one for each example")
    if not 0 < ink <= 1:
        raise ValueError(f"ink is {ink!r}; give a number above 0 and at most 1")
    if not len(widths) or not all(np.isfinite(width) and width > 0 for width in widths):
        raise ValueError(f"widths is {widths!r}; give at least one positive number of pixels")
    sheets = _coarse(drawings, block)
    drawings = _fine(sheets, block)  # what the page will translate, to the last bit
    bounds = _free(free, side, block)

    networks = dict(generator) if isinstance(generator, Mapping) else {"translation": generator}
    if not networks:
        raise ValueError("generator is an empty mapping; give at least one network, by its name")
    pictures = {name: _translate(network, name, drawings) for name, network in networks.items()}
    planes = {stack.shape[1] for stack in pictures.values()}
    if len(planes) > 1:
        raise ValueError(
            "some generators give 1 plane and some 3; give all of them grey pictures, or all of them colours"
        )
    truths = None if answers is None else _answers(answers, (count, *planes, side, side))
    pair = (drawings[:1], next(iter(pictures.values()))[:1])  # as the discriminator takes it
    places = None if discriminator is None else _places(discriminator, *pair)
    packed, judge = _pack(networks, discriminator, *pair)
    return DrawExplorer(
        side=side,
        block=block,
        drawn=sheets[0].ravel().tolist(),
        free=bounds,
        widths=[float(width) for width in widths],
        ink=float(ink),
        generators=[each.content for each in packed],
        names=list(networks),
        judge=judge.content if judge else None,
        places=places,
        judged=bool(patches and judge),
        examples=[_text(sheet) for sheet in sheets],
        labels=labels,
        answers=[] if truths is None else [_text(np.round(FULL * truth).astype(np.uint8)) for truth in truths],
        planes=planes.pop(),
        title=title,
        alt=alt,
        poster=data_uri(_poster(drawings, list(pictures.values()), truths)),
    )


def _unit(values: np.ndarray, name: str) -> np.ndarray:
    """The values as an array of floats, all of them in [0, 1]."""
    array = np.asarray(values, dtype=float)
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"{name} has values from {array.min():.3g} to {array.max():.3g}; give values in [0, 1]")
    return array


def _coarse(drawings: np.ndarray, block: int) -> np.ndarray:
    """The drawings as sheets (K, S/block, S/block) of whole numbers from 0 to 255."""
    count, side, _ = drawings.shape
    if not isinstance(block, int) or block < 1 or side % block:
        raise ValueError(f"block is {block!r}; give a whole number that divides {side}, the side of the examples")
    cells = drawings.reshape(count, side // block, block, side // block, block)
    if np.ptp(cells, axis=(2, 4)).max() > 0.5 / FULL:
        raise ValueError(f"examples vary within blocks of {block} × {block} pixels; give means over blocks, or block=1")
    return np.round(FULL * cells.mean((2, 4))).astype(np.uint8)


def _fine(sheets: np.ndarray, block: int) -> np.ndarray:
    """Sheets as drawings (K, S, S) in [0, 1]."""
    return (sheets / FULL).repeat(block, 1).repeat(block, 2)


def _free(free: np.ndarray | range | None, side: int, block: int) -> str | None:
    """Where the pen draws, a byte for each pixel of the sheet."""
    if free is None:
        return None
    if isinstance(free, range):
        if not set(free) <= set(range(side)):
            raise ValueError(f"free is {free!r}; give rows from 0 to {side - 1}")
        mask = np.zeros((side, side), bool)
        mask[list(free)] = True
    else:
        mask = np.asarray(free, dtype=bool)
    if mask.shape != (side, side) or not mask.any():
        raise ValueError(f"free has shape {mask.shape}; give a mask ({side}, {side}) with pixels to draw on, or rows")
    cells = mask.reshape(side // block, block, side // block, block)
    if (cells.any((1, 3)) != cells.all((1, 3))).any():
        raise ValueError(f"free cuts through blocks of {block} × {block} pixels; give a mask of whole blocks")
    return _text(cells.all((1, 3)).astype(np.uint8))


def _text(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.tobytes()).decode()


def _tensor(images: np.ndarray, network: nn.Module) -> torch.Tensor:
    """Images (K, S, S) or (K, C, S, S) as `network` takes them, (K, C, S, S)."""
    like = next(network.parameters(), torch.zeros(()))
    return torch.as_tensor(images if images.ndim == 4 else images[:, None]).to(like)


@torch.no_grad()
def _translate(network: nn.Module, name: str, drawings: np.ndarray) -> np.ndarray:
    """The pictures (K, C, S, S) that a generator makes, one by one, as the page does."""
    side = drawings.shape[-1]
    try:
        with evaluating(network):
            made = [network(one[None]) for one in _tensor(drawings, network)]
    except RuntimeError as error:
        raise ValueError(f"generator {name!r} does not take a drawing (1, 1, {side}, {side}): {error}") from error
    if made[0].ndim != 4 or made[0].shape not in {(1, 1, side, side), (1, 3, side, side)}:
        raise ValueError(
            f"generator {name!r} gives {tuple(made[0].shape)} for a drawing (1, 1, {side}, {side}); "
            f"it must give a picture (1, 1, {side}, {side}), or with 3 planes"
        )
    pictures = torch.cat(made).float().cpu().numpy()
    if not (pictures.min() >= 0 and pictures.max() <= 1):
        raise ValueError(
            f"generator {name!r} gives values from {pictures.min():.3g} to {pictures.max():.3g}; "
            "it must give pixels in [0, 1]: let a last layer rescale them, after a tanh (y + 1) / 2"
        )
    return pictures


def _answers(answers: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    truths = _unit(answers, "answers")
    if truths.ndim == 3:
        truths = truths[:, None]
    if truths.shape != shape:
        raise ValueError(f"answers has shape {np.shape(answers)}; give a picture for each example, {shape}")
    return truths


def _pack(
    networks: dict[str, nn.Module], discriminator: nn.Module | None, drawing: np.ndarray, picture: np.ndarray
) -> tuple[list[Network], Network | None]:
    """All networks for the page, after a look at how long they are together."""
    packed = {
        name: pack(network, _tensor(drawing, network), inputs=["x"], outputs=["y"])
        for name, network in networks.items()
    }
    judge = None
    if discriminator is not None:
        pair = (_tensor(drawing, discriminator), _tensor(picture, discriminator))
        judge = pack(discriminator, pair, inputs=["x", "y"], outputs=["logits"])
    sizes = {name: network.characters for name, network in packed.items()}
    sizes["discriminator"] = judge.characters if judge else 0
    if sum(sizes.values()) > PAGE_LIMIT:
        parts = ", ".join(f"{name} {characters:,}" for name, characters in sizes.items())
        raise ValueError(
            f"the networks need {sum(sizes.values()):,} characters ({parts}), the page's limit is {PAGE_LIMIT:,}; "
            "use narrower or fewer networks"
        )
    return list(packed.values()), judge


def _places(discriminator: nn.Module, drawing: np.ndarray, picture: np.ndarray) -> dict[str, Any]:
    """Where the patches of a discriminator lie, as patches.js takes it."""
    x, y = _tensor(drawing, discriminator), _tensor(picture, discriminator)
    side = x.shape[-1]
    y = torch.linspace(0.2, 0.8, y.numel()).reshape(y.shape).to(y).requires_grad_()  # nowhere black or white
    try:
        with evaluating(discriminator), torch.enable_grad():
            logits = discriminator(x, y)
            if logits.ndim not in (3, 4) or logits.numel() != logits.shape[-2] * logits.shape[-1]:
                raise ValueError(
                    f"discriminator gives {tuple(logits.shape)} for one drawing and one picture; "
                    "it must give logits of patches, (1, 1, h, w) or (1, h, w)"
                )
            logits = logits.reshape(logits.shape[-2:])
            rows, columns = logits.shape
            heights = [_extent(logits[i, columns // 2], y, axis=-2) for i in range(rows)]
            widths = [_extent(logits[rows // 2, j], y, axis=-1) for j in range(columns)]
    except RuntimeError as error:
        raise ValueError(
            f"discriminator does not take a drawing {tuple(x.shape)} and a picture {tuple(y.shape)}: {error}"
        ) from error
    return {"rows": _axis(heights, side), "columns": _axis(widths, side), "side": side}


def _extent(logit: torch.Tensor, y: torch.Tensor, axis: int) -> tuple[int, int]:
    """From which to which pixel of `y` along an axis the logit depends on; the end is not among them."""
    (gradient,) = torch.autograd.grad(logit, y, retain_graph=True)
    met = gradient.abs().amax([d for d in range(4) if d != axis % 4]).nonzero().ravel().tolist()
    return (met[0], met[-1] + 1) if met else (0, y.shape[axis])


def _axis(extents: list[tuple[int, int]], side: int) -> dict[str, Any]:
    """Fields and edges of patches along one axis.

    A field that the border cuts off tells only its inner end. Where two of the others tell how far apart neighbours
    are, all fields are continued beyond the border, and the edges lie half-way between their middles; elsewhere the
    patches share the picture evenly.
    """
    count = len(extents)
    lows = [(i, low) for i, (low, _) in enumerate(extents) if low > 0]
    highs = [(i, high) for i, (_, high) in enumerate(extents) if high < side]
    known = max(lows, highs, key=len)
    if len(known) < 2 or not lows or not highs:
        return {"edges": np.linspace(0, side, count + 1).round(3).tolist(), "fields": [list(each) for each in extents]}
    step = (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])
    first_low, first_high = lows[0][1] - step * lows[0][0], highs[0][1] - step * highs[0][0]
    fields = [(first_low + step * i, first_high + step * i) for i in range(count)]
    edges = [(first_low + first_high) / 2 + step * (i - 0.5) for i in range(count + 1)]
    return {"edges": np.clip(edges, 0, side).tolist(), "fields": np.round(fields, 3).tolist()}


def _poster(drawings: np.ndarray, pictures: list[np.ndarray], truths: np.ndarray | None) -> np.ndarray:
    """The first examples, two to a row: the drawing, its translations, and the true answer."""
    planes = pictures[0].shape[1]
    columns = [np.repeat(drawings[:, None], planes, 1), *pictures, *([] if truths is None else [truths])]
    rows = np.stack([column[:POSTER_EXAMPLES] for column in columns], 1)  # (examples, columns, C, S, S)
    tiles = rows.reshape(-1, *rows.shape[2:]).transpose(0, 2, 3, 1)
    return mosaic(tiles[..., 0] if planes == 1 else tiles, len(columns) * min(2, len(rows)))
