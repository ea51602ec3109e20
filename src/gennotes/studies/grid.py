"""The 25-grid solved in a chapter's time, and what becomes of it when one ingredient is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from gennotes.studies import modes
from gennotes.studies.modes import Recipe

SOLVED = replace(modes.CURED, toy="grid", spread=20.0, discriminator_width=256, slope=12.0, batch=256, steps=6_000)


@dataclass(frozen=True)
class Settings:
    """The recipe, and the same without one of its parts."""

    samples: int = 2_500
    recipes: Mapping[str, Recipe] = field(
        default_factory=lambda: {
            "whole recipe": SOLVED,
            "bends not scattered": replace(SOLVED, slope=None),
            "codes not spread": replace(SOLVED, spread=1.0),
        }
    )


def measure(settings: Settings, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """As the study of the ring."""
    return modes.measure(settings, seeds, device)
