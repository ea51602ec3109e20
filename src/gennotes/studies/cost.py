"""What training a chapter's network costs: seconds on this machine, to be measured while it does nothing else."""

import time
from dataclasses import dataclass, replace
from typing import Any

import torch

from gennotes import data
from gennotes.studies import vae


@dataclass(frozen=True)
class Settings:
    """A part of each chapter's run is timed, and scaled to the whole."""

    updates: int = 200


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """Seconds of training for each chapter's network, one number a seed: evaluation and start-up are left out."""
    chapter = vae.Settings()
    digits = data.load(chapter.data, device)
    part = replace(chapter, steps=settings.updates)
    vae.fit(replace(part, steps=20), digits, seed=0)  # the first steps load libraries and fill caches
    seconds = []
    for seed in seeds:
        start = time.perf_counter()
        vae.fit(part, digits, seed)
        seconds.append((time.perf_counter() - start) * chapter.steps / settings.updates)
    return {"vae_seconds": seconds}
