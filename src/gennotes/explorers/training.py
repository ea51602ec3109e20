"""A training scrubber: recorded runs of a GAN in the plane, and one slider that moves all that was recorded."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import traitlets
from scipy.special import expit
from torch import Tensor

from gennotes import figures, metrics
from gennotes.data import Mixture
from gennotes.history import History

from .host import Explorer, read

RUN_LIMIT, PAGE_LIMIT = 600_000, 2_500_000  # characters of one run, and of an explorer with all its runs
OUTSIDE, MOST = 65535, 65534  # the code of a point that is not in the picture, and of one at its right or upper edge
BLOCKS = 200  # points of a curve of losses, at most


@dataclass(frozen=True, eq=False)
class Recording:
    """What one run left, as arrays.

    step: (T,), the updates made before each frame, ascending.
    samples: (T, N, 2), the generator's at each frame.
    surface: (T, G, G), logits of the discriminator or scores of the critic on `grid(extent, G)`, the lowest row first.
    discriminator, generator: (U,), the loss of each player at each update, from the first on.
    critic: the surface is a critic's, without a fixed zero or unit: each frame is shown on a scale of its own. Else it
        is shown as D(x) = 1 / (1 + exp(−logit)).
    """

    step: Any
    samples: Any
    surface: Any
    discriminator: Any
    generator: Any
    critic: bool = False


class TrainingExplorer(Explorer):
    """One slider through recorded runs; the reader switches between conditions and seeds. `training` builds one."""

    module = "training.js"

    runs = traitlets.Dict().tag(sync=True)  # condition -> one packed recording for each seed; see recording.js
    conditions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    seeds = traitlets.List(traitlets.Int()).tag(sync=True)  # the number of each seed, as it stands on the page
    steps = traitlets.List(traitlets.Int()).tag(sync=True)  # (T,)
    modes = traitlets.List().tag(sync=True)  # (K, 2)
    std = traitlets.Float().tag(sync=True)
    total = traitlets.Int().tag(sync=True)  # samples that were counted at each frame
    extent = traitlets.Float().tag(sync=True)
    block = traitlets.Int().tag(sync=True)  # updates that a point of the losses is the mean of
    condition = traitlets.Unicode(help="the condition that is shown").tag(sync=True)
    seed = traitlets.Int(help="the place in `seeds` of the run that is shown").tag(sync=True)
    frame = traitlets.Int(help="the place in `steps` of the frame that is shown").tag(sync=True)

    @traitlets.validate("condition", "seed", "frame")
    def _check(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if name == "condition" and value not in self.runs:
            raise traitlets.TraitError(f"condition is {value!r}; give one of {', '.join(map(repr, self.runs))}")
        count = {"condition": 0, "seed": len(self.seeds), "frame": len(self.steps)}[name]
        if name != "condition" and not 0 <= value < count:
            raise traitlets.TraitError(f"{name} is {value}; give a place from 0 to {count - 1}")
        return value


TrainingExplorer._css = read("explorer.css") + read("densities.css") + read("training.css")  # it draws on their panels


def grid(extent: float, size: int) -> Tensor:
    """The middles of size × size cells of the square [−extent, extent]², float32 (size², 2), the lowest row first.

    Scores there, reshaped to (size, size), are a `surface` of a `Recording` and of `figures.score_surface`.
    Raises ValueError for an extent that is not above 0 or a size below 2.
    """
    if not (np.isfinite(extent) and extent > 0) or size < 2:
        raise ValueError(f"extent is {extent!r} and size {size!r}; give a number above 0 and at least 2 cells a side")
    middles = (torch.arange(size) + 0.5) * (2 * extent / size) - extent
    y, x = torch.meshgrid(middles, middles, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def recordings(history: History, critic: bool = False) -> list[Recording]:
    """The recordings of a run, one for each member of an ensemble.

    history: with the snapshots "samples" (T, S, N, 2) and "surface" (T, S, G, G), and the records "discriminator" and
        "generator" (U, S), as a `train.fit` with `snapshot=` leaves them; for a single network without the axis S.
    Raises ValueError if one of them is missing.
    """
    needed = {"snapshots": ("step", "samples", "surface"), "records": ("discriminator", "generator")}
    for table, names in needed.items():
        if missing := [name for name in names if name not in getattr(history, table)]:
            raise ValueError(f"the history has no {table} named {', '.join(missing)}; let the run keep them")
    shots, records = history.snapshots, history.records
    samples, surface = shots["samples"], shots["surface"]
    losses = [records[name] for name in needed["records"]]
    if samples.ndim == 3:
        return [Recording(shots["step"], samples, surface, *losses, critic)]
    members = range(samples.shape[1])
    return [Recording(shots["step"], samples[:, i], surface[:, i], *(x[:, i] for x in losses), critic) for i in members]


def training(
    runs: Mapping[str, Sequence[Recording]],
    mixture: Mixture,
    *,
    extent: float,
    title: str,
    alt: str,
    seeds: Sequence[int] | None = None,
    points: int = 300,
) -> TrainingExplorer:
    """A slider through recorded training, with samples, D's surface, losses, modes found and quality moving together.

    runs: condition -> recordings, one a seed, as many for each condition; all with the same steps, numbers of samples
        and of updates.
    mixture: what the data are drawn from. The modes found and the share of high quality are those of
        `metrics.mode_counts` with all N samples of a frame; the first `points` of them are drawn.
    extent: the picture is the square [−extent, extent]². Samples outside of it are counted, not drawn.
    title, alt: the line above the explorer; what it shows, in words, for those who do not see it.
    seeds: the number of each seed, as it stands on the page; 0, 1, 2, … by default.

    Nothing is interpolated in time: the page shows frames as they were recorded. Places are kept to extent/65534, D to
    1/510, a critic's score to 1/510 of its range in the frame; a curve of losses is of at most 200 means.
    Returns an explorer whose traits condition, seed and frame follow the reader and can be set.
    Raises ValueError if arrays do not fit together, if a surface is not finite (samples and losses need not be), or if
    a run is longer than 600,000 or all together than 2,500,000 characters.
    """
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    if not runs or not all(len(each) for each in runs.values()):
        raise ValueError("runs is empty; give at least one condition with at least one recording")
    if not (np.isfinite(extent) and extent > 0):
        raise ValueError(f"extent is {extent!r}; give a number above 0")
    if points < 1:
        raise ValueError(f"points is {points}; draw at least 1 sample")
    named = {f"{name!r}, seed {i}": one for name, each in runs.items() for i, one in enumerate(each)}
    first = next(iter(named.values()))
    steps, total, updates = _steps(first.step), np.shape(first.samples)[1], np.shape(first.generator)[0]
    for name, one in named.items():
        _check(one, name, steps, total, updates)
    count = len(next(iter(runs.values())))
    numbers = list(range(count)) if seeds is None else [int(seed) for seed in seeds]
    if len(numbers) != count or any(len(each) != count for each in runs.values()):
        found = ", ".join(f"{name!r} has {len(each)}" for name, each in runs.items())
        raise ValueError(f"{found} recordings and there are {len(numbers)} seeds; give as many for each condition")
    block = -(-updates // BLOCKS)
    packed = {name: [_pack(one, mixture, extent, points, block) for one in each] for name, each in runs.items()}
    sizes = [len(one["samples"]) + len(one["surface"]) for each in packed.values() for one in each]
    if max(sizes) > RUN_LIMIT or sum(sizes) > PAGE_LIMIT:
        raise ValueError(
            f"the longest run has {max(sizes):,} characters and all have {sum(sizes):,}, the limits are {RUN_LIMIT:,} "
            f"and {PAGE_LIMIT:,}; record fewer frames, draw fewer points, or use a coarser grid"
        )
    return TrainingExplorer(
        runs=packed,
        conditions=list(runs),
        seeds=numbers,
        steps=steps.tolist(),
        modes=mixture.means.double().cpu().numpy().round(6).tolist(),
        std=float(mixture.std),
        total=total,
        extent=float(extent),
        block=block,
        condition=next(iter(runs)),
        seed=0,
        frame=len(steps) // 2,
        title=title,
        alt=alt,
        poster=_poster({name: each[0] for name, each in runs.items()}, mixture, extent, title),
    )


def _steps(step: Any) -> np.ndarray:
    steps = np.asarray(step)
    if steps.ndim != 1 or len(steps) < 2 or (np.diff(steps) <= 0).any():
        raise ValueError(f"step is {steps.tolist()}; give at least two whole numbers that ascend")
    return steps.astype(int)


def _check(one: Recording, name: str, steps: np.ndarray, total: int, updates: int) -> None:
    """That the arrays of a recording fit together and to the first one."""
    if not np.array_equal(one.step, steps):
        raise ValueError(f"{name}: its steps differ from those of the first recording; record all at the same steps")
    wanted = {
        "samples": (len(steps), total, 2),
        "discriminator": (updates,),
        "generator": (updates,),
        "surface": (len(steps), np.shape(one.surface)[-1], np.shape(one.surface)[-1]),
    }
    for field, shape in wanted.items():
        if (given := np.shape(getattr(one, field))) != shape:
            raise ValueError(f"{name}: {field} has shape {given}; give {shape}")
    if not np.isfinite(one.surface).all():
        raise ValueError(f"{name}: surface holds NaN or infinity; give finite scores")


def _pack(one: Recording, mixture: Mixture, extent: float, points: int, block: int) -> dict[str, Any]:
    """A recording as `recording.js` takes it apart."""
    samples = np.asarray(one.samples)
    counts = metrics.mode_counts(torch.as_tensor(samples).to(mixture.means.device), mixture)
    drawn = samples[:, :points].astype(float)
    inside = (np.abs(drawn) <= extent).all(-1, keepdims=True)  # not for NaN
    share = np.where(inside, (drawn + extent) / (2 * extent), 0.0)
    codes = np.where(inside, np.round(share * MOST), OUTSIDE).astype("<u2")
    surface = np.asarray(one.surface, dtype=float)
    if one.critic:
        low, high = surface.min((1, 2)), surface.max((1, 2))
    else:
        surface, low, high = expit(surface), np.zeros(len(surface)), np.ones(len(surface))
    span = np.where(high > low, high - low, 1.0)[:, None, None]
    cells = np.round(255 * (surface - low[:, None, None]) / span).astype(np.uint8)
    return {
        "points": drawn.shape[1],
        "size": surface.shape[-1],
        "samples": base64.b64encode(codes.tobytes()).decode(),
        "surface": base64.b64encode(cells.tobytes()).decode(),
        "range": [[float(f"{a:.4g}"), float(f"{b:.4g}")] for a, b in zip(low, high, strict=True)],
        "counts": counts.tolist(),
        "losses": {name: _means(getattr(one, name), block) for name in ("discriminator", "generator")},
        "critic": bool(one.critic),
    }


def _means(values: Any, block: int) -> list[float | None]:
    """Means of so many values after each other, to four digits; None where one is not finite."""
    values = np.asarray(values, dtype=float)
    means = [values[start : start + block].mean() for start in range(0, len(values), block)]
    return [float(f"{mean:.4g}") if np.isfinite(mean) else None for mean in means]


def _poster(runs: Mapping[str, Recording], mixture: Mixture, extent: float, title: str) -> str:
    """The last frame of up to three conditions, as a PNG in a data URI."""
    shown = dict(list(runs.items())[:3])
    last = {name: np.asarray(one.surface[-1], dtype=float) for name, one in shown.items()}
    critic = any(one.critic for one in shown.values())
    figure = figures.score_surface(
        last if critic else {name: expit(surface) for name, surface in last.items()},
        extent,
        title,
        samples={name: one.samples[-1] for name, one in shown.items()},
        data=mixture.means,
        probability=not critic,
    )
    file, _ = figure._repr_png_()
    return "data:image/png;base64," + base64.b64encode(file).decode()
