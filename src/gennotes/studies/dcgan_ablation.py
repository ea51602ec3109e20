"""What each ingredient of the small net is worth, once the first collapse of a run is over.

The ablation in `dcgan` stops after 400 steps, in which most runs with dense ends still sit on a few digits; this one
goes on for 1,000. `book/measurements/dcgan_ablation.json` holds under "values", for each recipe of `Settings`, the
quantities that the module `dcgan` describes, a list each, an entry a seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from gennotes.studies import dcgan
from gennotes.studies.dcgan import Recipe


@dataclass(frozen=True)
class Settings:
    """The small net's recipe at two fifths of its length, with one thing changed at a time."""

    samples: int = 4_000
    overlap: int = 2_000
    recipes: Mapping[str, Recipe] = field(default_factory=lambda: dcgan.ablated(replace(dcgan.SMALL, steps=1_000)))


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """See this module's docstring."""
    groups = {"ablation": settings.recipes}
    return dcgan.runs(groups, seeds, settings.samples, settings.overlap, device)["ablation"]
