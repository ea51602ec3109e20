"""The guidelines of the DCGAN's paper, broken one at a time.

`book/measurements/dcgan_guidelines.json` holds under "values", for each recipe of `Settings`, the quantities that the
module `dcgan` describes, a list each, an entry a seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from gennotes.studies import dcgan
from gennotes.studies.dcgan import Recipe


@dataclass(frozen=True)
class Settings:
    """Short runs of a narrow DCGAN: what differs here is what helps early on."""

    samples: int = 4_000
    overlap: int = 2_000
    recipes: Mapping[str, Recipe] = field(
        default_factory=lambda: broken(replace(dcgan.PLAIN, width=32, batch=32, steps=900))
    )


def broken(whole: Recipe) -> dict[str, Recipe]:
    """The plain DCGAN's recipe with one guideline of the paper broken at a time."""
    return {
        "as the paper": whole,
        "pooling in D": replace(whole, pooling=True),
        "resizing in G": replace(whole, resize=True),
        "no batch norm in G": replace(whole, generator_batch_norm=False),
        "no batch norm in D": replace(whole, discriminator_batch_norm=False),
        "dense ends": replace(whole, hidden=(256,)),
        "LeakyReLU in G": replace(whole, generator_slope=0.2),
        "ReLU in D": replace(whole, discriminator_slope=0.0),
        "β₁ of .9": replace(whole, betas=(0.9, 0.999)),
        "rates of 1e-3": replace(whole, generator_lr=1e-3, discriminator_lr=1e-3),
    }


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """See this module's docstring."""
    groups = {"guidelines": settings.recipes}
    return dcgan.runs(groups, seeds, settings.samples, settings.overlap, device)["guidelines"]
