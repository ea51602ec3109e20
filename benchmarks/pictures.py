"""How long a GAN trains until its images lie within a given Fréchet distance of the digits.

The plain loop trains the 64-pixel networks of the application that the notes link (`baselines.dcgan64`) until it is
as near as is asked, or its time is up: then ours is sooner by at least the ratio that is found. Ours makes images
of 64 pixels and, as a case apart, of 28. All are judged by the same number of images in the features of one network,
which takes both sizes, against the same training digits. The clock stands still while images are judged.
"""

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks import ours
from benchmarks.baselines import dcgan64
from gennotes import data, draws, features, metrics, models, train
from gennotes.studies import dcgan

TARGET = 10.0  # the distance: most images can be read then
SECONDS = 660.0  # of the plain loop's training, at most
CHECKS = 6  # of its images, evenly over this time
SAMPLES = 4_000  # judged at a time, as many as there are training digits
LIMIT = 240.0  # seconds after which ours gives up
SEEDS = (0, 1, 2)  # of ours; the plain loop, which takes most of the time, runs once
WAYS = {  # of ours: what `ours.make_pictures` is given
    "64 pixels": {"size": 64},
    "64 pixels, drawn at 32": {"size": 64, "enlarged": True},
    "28 pixels": {"size": 28},
}
Found = dict[str, Any]


class Clock:
    """Seconds since it was made, but for those in `stopped`."""

    def __init__(self) -> None:
        self.begin = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self.begin

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.begin += time.perf_counter() - start


class Judge:
    """Fréchet distance of a generator's images to the training digits, in the features of the network for these."""

    def __init__(self, device: torch.device, latent: int, seed: int = 0) -> None:
        self.net = features.network("mnist-5k", device)
        self.real, _ = features.of(self.net, data.load("mnist-5k", device).train.pixels())
        self.codes = draws.normal(SAMPLES, latent, generator=torch.Generator(device).manual_seed(seed + 10_000))

    @torch.no_grad()
    def __call__(self, generate: Callable[[Tensor], Tensor]) -> float:
        parts = [features.of(self.net, models.Pixels()(generate(z)))[0] for z in self.codes.split(250)]
        return metrics.frechet_distance(torch.cat(parts), self.real)


def plain(device: torch.device) -> Found:
    """The baseline: "seconds" until it is judged near enough, None if it never is, and at the last check the seconds
    "spent", the "updates" made and the "distance"."""
    generator, judge = dcgan64.Generator().to(device), Judge(device, dcgan64.LATENT)
    checks, clock, made = [], Clock(), 0
    updates = dcgan64.train(device, generator)
    while len(checks) < CHECKS and (not checks or checks[-1]["distance"] > TARGET):
        while clock.seconds() < SECONDS * (len(checks) + 1) / CHECKS:
            next(updates)
            made += 1
        with clock.stopped(), models.evaluating(generator):
            distance = judge(lambda z: generator(z[..., None, None]))
            checks.append({"seconds": clock.seconds(), "distance": distance, "updates": made})
    return _summary(checks)


def _summary(checks: list[Found]) -> Found:
    last = checks[-1]
    reached = last["seconds"] if last["distance"] <= TARGET else None
    return last | {"seconds": reached, "spent": last["seconds"], "checks": checks}


class Reached(Exception):
    """Ends a run that is as good as was asked, or will not be."""


def time_to(way: str, seed: int, device: torch.device) -> Found:
    """Ours until it is judged near enough: as `plain`, with `LIMIT` as the most that it trains.

    It is judged at seconds that grow by a tenth, so the time found is up to a tenth too long.
    """
    clock = Clock()
    work = ours.make_pictures(device, seed=seed, **WAYS[way])
    with clock.stopped():
        judge = Judge(device, dcgan.SMALL.latent)
    checks: list[Found] = []

    def on_read(history: train.History) -> None:
        if checks and clock.seconds() < 1.1 * checks[-1]["seconds"]:
            return
        with clock.stopped():
            found = {"seconds": clock.seconds(), "distance": judge(work.players["generator"].averaged)}
        checks.append(found | {"updates": int(history.records["step"][-1])})
        if found["distance"] <= TARGET or found["seconds"] > LIMIT:
            raise Reached

    with contextlib.suppress(Reached), contextlib.redirect_stdout(sys.stderr):
        how = {"read_every": 20, "on_read": on_read, "progress": False}
        train.fit(work.step, work.players, work.batches, steps=10**9, seed=seed, **how)
    return _summary(checks)


def measure(way: str, device: torch.device, seed: int) -> Found:
    """What a process of its own measures."""
    return plain(device) if way == "plain" else time_to(way, seed, device)


def compare(once: Callable[[tuple[str, ...]], Found]) -> dict[str, Any]:
    """The case's entry of the file; `once` makes one measurement, in a process of its own."""
    found: dict[str, list[Found]] = {"plain": [once(("pictures", "plain"))]} | {way: [] for way in WAYS}
    for seed in SEEDS:
        for way in WAYS:
            found[way].append(once(("pictures", way, str(seed))))
    return {"found": found, "target": TARGET, "samples": SAMPLES, "ratio": ratios(found)}


def ratios(found: dict[str, list[Found]]) -> dict[str, float]:
    """How many times sooner than the plain loop ours is there: the median over seeds, 0 where most never are.

    If the plain loop never is, these are lower bounds.
    """
    spent = found["plain"][0]["spent"]
    return {
        way: statistics.median(spent / run["seconds"] if run["seconds"] else 0.0 for run in found[way]) for way in WAYS
    }
